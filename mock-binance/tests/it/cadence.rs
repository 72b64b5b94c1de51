//! Streams that speak at intervals: each agrees with the REST face, and speaks only to listeners.

use std::collections::BTreeMap;
use std::time::Duration;

use mock_binance::engine::{Command, Instructions, NewOrder, OrderKind, Price, Quantity, Side, TimeInForce};
use serde_json::{Value, json};

use crate::support::{Bench, START_MS, bench, difference};

const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

fn assert_documented(name: &str, actual: &Value) {
    let all: Value = serde_json::from_str(include_str!("../data/market_stream_examples.json")).unwrap();
    assert_eq!(difference(name, &all["events"][name], actual), None);
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % end).unwrap()
    }
}

/// Limit orders round the middle of the book, and now and then the end of all that rest.
fn random_command(dice: &mut Dice, bench: &Bench) -> Command {
    let symbol = bench.mock.with_exchange(|exchange| exchange.spec().symbol_id("BTCUSDT")).unwrap();
    if dice.below(40) == 0 {
        return Command::CancelAll { symbol };
    }
    Command::Place(NewOrder {
        symbol,
        side: if dice.below(2) == 0 { Side::Buy } else { Side::Sell },
        kind: OrderKind::Limit {
            time_in_force: TimeInForce::Gtc,
            quantity: Quantity::from_units((1 + dice.below(30)) * 10_000),
            price: Price::from_units((59_950 + dice.below(100)) * 100_000_000),
        },
        client_order_id: None,
        instructions: Instructions::default(),
    })
}

/// A side of a book by its price.
fn levels(side: &Value) -> BTreeMap<String, Value> {
    side.as_array().unwrap().iter().map(|row| (row[0].as_str().unwrap().to_owned(), row[1].clone())).collect()
}

fn change(side: &mut BTreeMap<String, Value>, changes: &Value) {
    for (price, quantity) in levels(changes) {
        if quantity == "0.00000000" {
            assert!(side.remove(&price).is_some(), "{price} was not there");
        } else {
            side.insert(price, quantity);
        }
    }
}

async fn depth(bench: &Bench) -> Value {
    bench.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").await.ok()
}

#[tokio::test]
async fn a_book_kept_by_deltas_is_the_book() {
    for stream in ["btcusdt@depth@100ms", "btcusdt@depth"] {
        let bench = bench().await;
        let account = bench.mock.account_id(bench.account().api_key()).unwrap();
        let mut socket = bench.connect(&format!("/ws/{stream}")).await;
        let mut dice = Dice(7);
        let mut snapshot = None;
        let mut done = 0;
        for step in 0..400 {
            done += usize::from(bench.mock.apply(account, &random_command(&mut dice, &bench)).reply.is_ok());
            if step == 150 {
                // In the middle of an interval: the deltas before it are to be dropped.
                snapshot = Some(depth(&bench).await);
            }
            bench.mock.advance(Duration::from_millis(260));
        }
        assert!(done > 300, "only {done} were accepted");
        bench.mock.advance(SECOND);

        let snapshot = snapshot.unwrap();
        let known = snapshot["lastUpdateId"].as_u64().unwrap();
        let (mut bids, mut asks) = (levels(&snapshot["bids"]), levels(&snapshot["asks"]));
        let (mut last, mut applied) = (None, 0);
        for event in socket.drain().await {
            let (first, end) = (event["U"].as_u64().unwrap(), event["u"].as_u64().unwrap());
            assert!(first <= end && last.is_none_or(|last: u64| first == last + 1), "{last:?} then {first}..{end}");
            last = Some(end);
            if end <= known {
                continue;
            }
            assert!(applied > 0 || first <= known + 1, "{known} is not within {first}..{end}");
            change(&mut bids, &event["b"]);
            change(&mut asks, &event["a"]);
            applied += 1;
        }
        assert!(applied > 50, "only {applied} deltas");
        let now = depth(&bench).await;
        assert_eq!((bids, asks), (levels(&now["bids"]), levels(&now["asks"])), "{stream}");
    }
}

#[tokio::test]
async fn books_are_told_when_they_have_changed() {
    let bench = bench().await;
    let mut diff = bench.connect("/ws/btcusdt@depth@100ms").await;
    let mut slow = bench.connect("/ws/btcusdt@depth").await;
    let mut best = bench.connect("/ws/btcusdt@depth5@100ms").await;
    bench.mock.advance(TENTH);
    let first = best.next().await;
    assert_documented("partialDepth", &first);
    let rest = bench.get("/api/v3/depth?symbol=BTCUSDT&limit=5").await.ok();
    assert_eq!(first, rest);

    bench.resting().await;
    bench.bought().await;
    diff.assert_silent().await;
    bench.mock.advance(TENTH);
    let event = diff.next().await;
    assert_documented("depthUpdate", &event);
    assert_eq!((&event["E"], &event["s"]), (&json!(START_MS + 200), &json!("BTCUSDT")));
    assert_eq!(event["b"], json!([["50000.00000000", "0.00100000"]]));
    assert_eq!(best.next().await, bench.get("/api/v3/depth?symbol=BTCUSDT&limit=5").await.ok());
    slow.assert_silent().await;
    bench.mock.advance(SECOND);
    let whole = slow.next().await;
    assert_eq!((&whole["u"], &whole["b"], &whole["a"]), (&event["u"], &event["b"], &event["a"]));
    for socket in [&mut diff, &mut slow, &mut best] {
        socket.assert_silent().await;
    }
}

#[tokio::test]
async fn aggregates_are_told_whole_and_at_once() {
    let bench = bench().await;
    let mut socket = bench.connect("/ws/btcusdt@aggTrade").await;
    // Through several levels of the book.
    bench.order("symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=9000").await.ok();
    bench.bought().await;
    let rest = bench.get("/api/v3/aggTrades?symbol=BTCUSDT").await.ok();
    let told = socket.drain().await;
    assert_documented("aggTrade", &told[0]);
    assert_eq!(told.len(), rest.as_array().unwrap().len());
    for (event, row) in told.iter().zip(rest.as_array().unwrap()) {
        for (name, value) in row.as_object().unwrap() {
            assert_eq!(&event[name], value, "{name}");
        }
    }
}

#[tokio::test]
async fn candles_grow_and_close() {
    let bench = bench().await;
    let mut socket = bench.connect("/ws/btcusdt@kline_1m").await;
    bench.bought().await;
    bench.mock.advance(2 * SECOND);
    let event = socket.next().await;
    assert_documented("kline", &event);
    assert_eq!((&event["k"]["x"], &event["k"]["n"], &event["k"]["f"]), (&json!(false), &json!(1), &json!(0)));
    bench.mock.advance(56 * SECOND);
    socket.assert_silent().await;
    bench.mock.advance(2 * SECOND);
    let event = socket.next().await;
    let k = &event["k"];
    assert_eq!((&event["E"], &k["x"]), (&json!(START_MS + 60_000), &json!(true)));
    let rest = bench.get("/api/v3/klines?symbol=BTCUSDT&interval=1m").await.ok();
    let told = ["t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B"].map(|name| k[name].clone());
    assert_eq!(json!(told), rest[0]);
    socket.assert_silent().await;
}

#[tokio::test]
async fn tickers_agree_with_the_rest_face() {
    let bench = bench().await;
    let names = ["miniTicker", "ticker", "ticker_1h", "avgPrice"].map(|name| format!("btcusdt@{name}"));
    let mut socket = bench.connect(&format!("/stream?streams=!miniTicker@arr/{}", names.join("/"))).await;
    bench.bought().await;
    bench.mock.advance(SECOND);
    let told: BTreeMap<String, Value> = socket
        .drain()
        .await
        .into_iter()
        .map(|event| (event["stream"].as_str().unwrap().to_owned(), event["data"].clone()))
        .collect();
    assert_documented("miniTicker", &told["btcusdt@miniTicker"]);
    assert_documented("ticker", &told["btcusdt@ticker"]);
    assert_documented("rolling", &told["btcusdt@ticker_1h"]);
    assert_documented("avgPrice", &told["btcusdt@avgPrice"]);
    let all = told["!miniTicker@arr"].as_array().unwrap();
    assert!(all.contains(&told["btcusdt@miniTicker"]) && all.len() == 4, "{all:?}");

    let rest = bench.get("/api/v3/ticker/24hr?symbol=BTCUSDT").await.ok();
    for (name, field) in [
        ("p", "priceChange"),
        ("P", "priceChangePercent"),
        ("w", "weightedAvgPrice"),
        ("x", "prevClosePrice"),
        ("c", "lastPrice"),
        ("Q", "lastQty"),
        ("b", "bidPrice"),
        ("B", "bidQty"),
        ("a", "askPrice"),
        ("A", "askQty"),
        ("o", "openPrice"),
        ("h", "highPrice"),
        ("l", "lowPrice"),
        ("v", "volume"),
        ("q", "quoteVolume"),
        ("O", "openTime"),
        ("C", "closeTime"),
        ("F", "firstId"),
        ("L", "lastId"),
        ("n", "count"),
    ] {
        assert_eq!(told["btcusdt@ticker"][name], rest[field], "{field}");
        for other in ["btcusdt@miniTicker", "btcusdt@ticker_1h"] {
            let same = told[other].get(name).is_none_or(|value| *value == rest[field] || name == "O");
            assert!(same, "{other}: {field}");
        }
    }
    let average = bench.get("/api/v3/avgPrice?symbol=BTCUSDT").await.ok();
    let event = &told["btcusdt@avgPrice"];
    assert_eq!((&event["w"], &event["T"]), (&average["price"], &average["closeTime"]));

    // Nothing has changed: only the average speaks again.
    bench.mock.advance(SECOND);
    let again: Vec<Value> = socket.drain().await.iter().map(|event| event["stream"].clone()).collect();
    assert_eq!(again, ["btcusdt@avgPrice"]);
    // An hour later the trade has left the shorter window.
    bench.mock.advance(3600 * SECOND);
    let later = socket.drain().await;
    let last = later.iter().rfind(|event| event["stream"] == "btcusdt@ticker_1h").unwrap();
    assert_eq!(last["data"]["n"], 0);
}

#[tokio::test]
async fn nothing_falls_due_when_nobody_listens() {
    let bench = bench().await;
    let mut socket = bench.connect("/ws/btcusdt@avgPrice").await;
    socket.ask(r#"{"method":"UNSUBSCRIBE","params":["btcusdt@avgPrice"],"id":1}"#).await;
    socket
        .ask(r#"{"method":"SUBSCRIBE","params":["BTCUSDT@avgPrice","nosuch@depth","btcusdt@kline_2m"],"id":2}"#)
        .await;
    // Second by second this would take for ever.
    bench.mock.advance(Duration::from_hours(2_400_000));
    socket.assert_silent().await;
}
