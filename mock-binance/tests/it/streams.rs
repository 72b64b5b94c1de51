//! User data and market streams.

use mock_binance::engine::{Amount, Command};
use serde_json::{Value, json};

use crate::support::{START_MS, bench, difference, keys};

fn documented(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../data/stream_examples.json")).unwrap();
    all["events"][name].clone()
}

#[tokio::test]
async fn a_market_order_is_told_step_by_step_and_balances_last() {
    let bench = bench().await;
    let key = bench.listen_key().await;
    let mut socket = bench.connect(&format!("/ws/{key}")).await;
    let placed = bench.bought().await;

    let new = socket.next().await;
    assert_eq!((&new["e"], &new["x"], &new["X"]), (&json!("executionReport"), &json!("NEW"), &json!("NEW")));
    assert_eq!((&new["i"], &new["c"], &new["C"]), (&placed["orderId"], &placed["clientOrderId"], &json!("")));
    assert_eq!((&new["n"], &new["N"], &new["t"], &new["w"]), (&json!("0"), &json!(null), &json!(-1), &json!(true)));
    let documented_new = documented("executionReport");
    assert_eq!(keys(&new), keys(&documented_new));
    assert_eq!(difference("executionReport", &documented_new, &new), None);

    let trade = socket.next().await;
    assert_eq!((&trade["x"], &trade["X"], &trade["w"]), (&json!("TRADE"), &json!("FILLED"), &json!(false)));
    let fill = &placed["fills"][0];
    assert_eq!((&trade["L"], &trade["l"], &trade["t"]), (&fill["price"], &fill["qty"], &fill["tradeId"]));
    assert_eq!((&trade["n"], &trade["N"]), (&fill["commission"], &fill["commissionAsset"]));
    assert_eq!((&trade["m"], &trade["Z"]), (&json!(false), &placed["cummulativeQuoteQty"]));

    let position = socket.next().await;
    assert_eq!(difference("position", &documented("outboundAccountPosition"), &position), None);
    assert_eq!(position["e"], "outboundAccountPosition");
    let assets: Vec<&str> = position["B"].as_array().unwrap().iter().map(|row| row["a"].as_str().unwrap()).collect();
    assert_eq!(assets, ["BTC", "USDT"]);
    socket.assert_silent().await;
}

#[tokio::test]
async fn resting_and_cancelling() {
    let bench = bench().await;
    let key = bench.listen_key().await;
    let mut socket = bench.connect(&format!("/ws/{key}")).await;
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000&newClientOrderId=mine&strategyId=3";
    bench.order(query).await.ok();
    let new = socket.next().await;
    assert_eq!((&new["x"], &new["c"], &new["j"]), (&json!("NEW"), &json!("mine"), &json!(3)));
    let locked = socket.next().await;
    assert_eq!(
        locked["B"].to_string(),
        r#"[{"a":"BTC","f":"1.00000000","l":"0.00000000"},{"a":"USDT","f":"9950.00000000","l":"50.00000000"}]"#
    );

    bench.signed("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=mine&newClientOrderId=off").await.ok();
    let canceled = socket.next().await;
    assert_eq!((&canceled["x"], &canceled["X"]), (&json!("CANCELED"), &json!("CANCELED")));
    assert_eq!((&canceled["c"], &canceled["C"]), (&json!("off"), &json!("mine")));
    assert_eq!(socket.next().await["e"], "outboundAccountPosition");

    // A maker hears of its fill when somebody else takes.
    bench.order("symbol=BTCUSDT&side=SELL&type=LIMIT_MAKER&quantity=0.001&price=60003").await.ok();
    assert_eq!(socket.next().await["x"], "NEW");
    assert_eq!(socket.next().await["e"], "outboundAccountPosition");
    bench.order("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.002&price=60003&selfTradePreventionMode=NONE").await.ok();
    let steps: Vec<(String, String)> = {
        let mut steps = Vec::new();
        loop {
            let event = socket.next().await;
            if event["e"] == "outboundAccountPosition" {
                break steps;
            }
            steps.push((event["x"].as_str().unwrap().to_owned(), event["X"].as_str().unwrap().to_owned()));
        }
    };
    assert_eq!(steps[0], ("NEW".to_owned(), "NEW".to_owned()));
    assert!(steps.contains(&("TRADE".to_owned(), "FILLED".to_owned())), "the maker's side: {steps:?}");
    assert!(steps.contains(&("TRADE".to_owned(), "PARTIALLY_FILLED".to_owned())), "the taker's side: {steps:?}");
    assert_eq!(steps.last().unwrap().1, "EXPIRED");
}

#[tokio::test]
async fn money_from_outside_is_a_balance_update() {
    let bench = bench().await;
    let key = bench.listen_key().await;
    let mut socket = bench.connect(&format!("/stream?streams={key}")).await;
    let account = bench.mock.account_id(bench.account().api_key()).unwrap();
    let asset = bench.mock.with_exchange(|exchange| exchange.spec().asset_id("USDT")).unwrap();
    let deposit = Command::Deposit { asset, amount: "2.5".parse::<Amount>().unwrap() };
    let outcome = bench.mock.apply(account, &deposit);
    assert!(outcome.reply.is_ok());
    let mut events = [socket.next().await, socket.next().await];
    events.sort_by_key(|event| event["data"]["e"].to_string());
    assert_eq!(events[0]["stream"], *key);
    assert_eq!(difference("balanceUpdate", &documented("balanceUpdate"), &events[0]["data"]), None);
    assert_eq!((&events[0]["data"]["a"], &events[0]["data"]["d"]), (&json!("USDT"), &json!("2.50000000")));
}

#[tokio::test]
async fn market_streams_raw_and_combined() {
    let bench = bench().await;
    let mut raw = bench.connect("/ws/btcusdt@trade").await;
    let mut combined = bench.connect("/stream?streams=btcusdt@trade/ethusdt@trade").await;
    let mut tops = bench.connect("/ws/btcusdt@bookTicker").await;
    let placed = bench.bought().await;

    let trade = raw.next().await;
    let example = documented("trade");
    assert_eq!(keys(&trade), keys(&example));
    assert_eq!(difference("trade", &example, &trade), None);
    assert_eq!(
        (&trade["s"], &trade["p"], &trade["m"]),
        (&json!("BTCUSDT"), &placed["fills"][0]["price"], &json!(false))
    );
    let wrapped = combined.next().await;
    assert_eq!(wrapped, json!({"stream": "btcusdt@trade", "data": trade}));

    let top = tops.next().await;
    let example = documented("bookTicker");
    assert_eq!(keys(&top), keys(&example));
    let rest = bench.get("/api/v3/ticker/bookTicker?symbol=BTCUSDT").await.ok();
    assert_eq!((&top["a"], &top["A"], &top["b"]), (&rest["askPrice"], &rest["askQty"], &rest["bidPrice"]));
    for socket in [&mut raw, &mut combined] {
        socket.assert_silent().await;
    }
    let stats = bench.mock.stream_stats();
    assert_eq!((stats.connections_opened, stats.connections_open, stats.frames_sent), (3, 3, 3));
}

#[tokio::test]
async fn subscriptions_change_on_the_way() {
    let bench = bench().await;
    let mut socket = bench.connect("/ws").await;
    let answer = socket.ask(r#"{"method":"SUBSCRIBE","params":["ethbtc@trade","NO@thing"],"id":"a-1"}"#).await;
    assert_eq!(answer, json!({"result": null, "id": "a-1"}));
    bench.order("symbol=ETHBTC&side=SELL&type=MARKET&quantity=0.1").await.ok();
    assert_eq!(socket.next().await["s"], "ETHBTC");
    socket.ask(r#"{"method":"UNSUBSCRIBE","params":["ethbtc@trade"],"id":2}"#).await;
    bench.order("symbol=ETHBTC&side=SELL&type=MARKET&quantity=0.1").await.ok();
    let listed = socket.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#).await;
    assert_eq!(listed, json!({"result": ["NO@thing"], "id": 3}));
}

#[tokio::test]
async fn shutting_down_closes_connections() {
    let bench = bench().await;
    let mut raw = bench.connect("/ws/btcusdt@trade").await;
    let mut combined = bench.connect("/stream?streams=btcusdt@trade&timeUnit=MICROSECOND").await;
    let mut api = bench.connect("/ws-api/v3").await;
    bench.mock.shutdown().await;
    assert_eq!(raw.next().await, json!({"e": "serverShutdown", "E": START_MS}));
    let told = json!({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": START_MS * 1000}});
    assert_eq!(combined.next().await, told);
    assert_eq!(api.next().await, json!({"event": {"e": "serverShutdown", "E": START_MS}}));
    for mut socket in [raw, combined, api] {
        assert!(socket.is_closed().await);
    }
}

#[tokio::test]
async fn times_are_told_in_the_unit_that_each_connection_asks_for() {
    let bench = bench().await;
    let key = bench.listen_key().await;
    let names = format!("btcusdt@trade/btcusdt@kline_1s/{key}");
    let mut milli = bench.connect(&format!("/stream?streams={names}")).await;
    let mut micro = bench.connect(&format!("/stream?streams={names}&timeUnit=microsecond")).await;
    bench.bought().await;
    bench.mock.advance(std::time::Duration::from_secs(1));
    let (slow, fast) = (milli.drain().await, micro.drain().await);
    assert_eq!(slow.len(), fast.len());
    let mut kinds = std::collections::BTreeSet::new();
    for (slow, fast) in slow.iter().zip(&fast) {
        let (slow, fast) = (&slow["data"], &fast["data"]);
        kinds.insert(slow["e"].as_str().unwrap().to_owned());
        for name in ["E", "T", "O", "W", "u"] {
            if let Some(time) = slow[name].as_u64().filter(|time| *time > START_MS / 2) {
                assert_eq!(fast[name], time * 1000, "{name} of {slow}");
            }
        }
        if slow["e"] == "kline" {
            assert_eq!((&slow["k"]["T"], &fast["k"]["T"]), (&json!(START_MS + 999), &json!(START_MS * 1000 + 999_999)));
        }
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    assert!(tokio_tungstenite::connect_async(format!("{}/ws?timeUnit=HOUR", bench.mock.ws_url())).await.is_err());
}

#[tokio::test]
async fn rolling_tickers_of_all_symbols_and_streams_that_have_nothing_to_say() {
    let bench = bench().await;
    let silent = "btcusdt@referencePrice/btcusdt@blockTrade/!ticker@arr/!bookTicker";
    let mut socket = bench.connect(&format!("/stream?streams=!ticker_1h@arr/!ticker_4h@arr/{silent}")).await;
    bench.bought().await;
    bench.mock.advance(std::time::Duration::from_secs(1));
    bench.bought().await;
    bench.mock.advance(std::time::Duration::from_secs(1));
    let events = socket.drain().await;
    let names: std::collections::BTreeSet<_> = events.iter().map(|event| event["stream"].as_str().unwrap()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["!ticker_1h@arr", "!ticker_4h@arr"]);
    let of = |name: &str| events.iter().filter(|event| event["stream"] == name).collect::<Vec<_>>();
    let rows = |event: &serde_json::Value| -> Vec<String> {
        event["data"].as_array().unwrap().iter().map(|row| format!("{}", row["s"])).collect()
    };
    let hours = of("!ticker_1h@arr");
    assert_eq!(hours[0]["data"][0]["e"], "1hTicker");
    assert_eq!(rows(hours[0]).len(), 4, "all that there are");
    assert_eq!(rows(hours[1]), ["\"BTCUSDT\""], "then those that changed");
}
