//! Every documented method of the WebSocket API is there, and answers what its endpoint answers over REST, whose shapes
//! `shapes` holds against the documentation.

use std::time::Duration;

use mock_binance::{Account, Process};
use serde_json::{Value, json};

use crate::support::{Bench, bench, bench_with, keys};

fn documented() -> Vec<String> {
    let all: Value = serde_json::from_str(include_str!("../data/ws_api_methods.json")).unwrap();
    all["methods"].as_array().unwrap().iter().map(|method| method.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_documented_method_is_served() {
    let bench = bench().await;
    let mut socket = bench.connect("/ws-api/v3").await;
    let methods = documented();
    assert_eq!(methods.len(), 55);
    for method in &methods {
        for name in [method.clone(), format!("v3/{method}")] {
            let answer = socket.ask(&json!({"id": 7, "method": name}).to_string()).await;
            assert_eq!(answer["id"], 7);
            assert_ne!(answer["error"]["code"], -1020, "{name}");
            assert!(answer["rateLimits"][0]["count"].is_u64(), "{answer}");
        }
    }
    let unknown = socket.ask(r#"{"id":1,"method":"order.Place"}"#).await;
    assert_eq!(unknown["error"]["code"], -1020);
}

/// Methods that ask, their endpoints and what both are asked.
const ASKING: &[(&str, &str, &str)] = &[
    ("ping", "ping", ""),
    ("time", "time", ""),
    ("exchangeInfo", "exchangeInfo", "symbol=ETHBTC"),
    ("executionRules", "executionRules", ""),
    ("depth", "depth", "symbol=BTCUSDT&limit=5"),
    ("trades.recent", "trades", "symbol=BTCUSDT"),
    ("trades.historical", "historicalTrades", "symbol=BTCUSDT&limit=3"),
    ("trades.aggregate", "aggTrades", "symbol=BTCUSDT"),
    ("blockTrades.historical", "historicalBlockTrades", "symbol=BTCUSDT&fromId=0"),
    ("klines", "klines", "symbol=BTCUSDT&interval=1m"),
    ("uiKlines", "uiKlines", "symbol=BTCUSDT&interval=1h"),
    ("avgPrice", "avgPrice", "symbol=BTCUSDT"),
    ("ticker.24hr", "ticker/24hr", "symbol=BTCUSDT"),
    ("ticker.tradingDay", "ticker/tradingDay", "symbol=BTCUSDT"),
    ("ticker", "ticker", "symbol=BTCUSDT&windowSize=1h"),
    ("ticker.price", "ticker/price", ""),
    ("ticker.book", "ticker/bookTicker", ""),
    ("openOrders.status", "openOrders", "signed"),
    ("allOrders", "allOrders", "symbol=BTCUSDT&signed"),
    ("myTrades", "myTrades", "symbol=BTCUSDT&signed"),
    ("account.status", "account", "signed"),
    ("account.commission", "account/commission", "symbol=BTCUSDT&signed"),
    ("account.rateLimits.orders", "rateLimit/order", "signed"),
    ("allOrderLists", "allOrderList", "signed"),
    ("openOrderLists.status", "openOrderList", "signed"),
    ("myAllocations", "myAllocations", "symbol=BTCUSDT&signed"),
    ("myFilters", "myFilters", "symbol=BTCUSDT&signed"),
    ("myPreventedMatches", "myPreventedMatches", "symbol=BTCUSDT&orderId=1&signed"),
];

#[tokio::test]
async fn what_asks_gets_the_answer_of_its_endpoint() {
    let bench = bench().await;
    bench.bought().await;
    bench.resting().await;
    let mut socket = bench.connect("/ws-api/v3").await;
    for (method, path, query) in ASKING {
        assert!(documented().iter().any(|known| known == method), "{method}");
        let path = format!("/api/v3/{path}");
        let (over_rest, answer) = if let Some(query) = query.strip_suffix("signed") {
            let query = query.trim_end_matches('&');
            let over_rest = bench.signed("GET", &path, query).await.ok();
            let answer = socket.ask(&signed(&bench, method, query)).await;
            (over_rest, answer)
        } else {
            let over_rest = bench.get(&format!("{path}?{query}")).await.ok();
            let params: serde_json::Map<String, Value> = query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.parse::<u64>().map_or_else(|_| json!(value), Value::from)))
                .collect();
            let answer = socket.ask(&json!({"id": 1, "method": method, "params": params}).to_string()).await;
            (over_rest, answer)
        };
        assert_eq!(answer["status"], 200, "{method}: {answer}");
        assert_eq!(answer["result"], over_rest, "{method}");
    }
}

/// A signed request, whose parameters are signed in the order of their names.
fn signed(bench: &Bench, method: &str, query: &str) -> String {
    let now = bench.clock.now_ms().to_string();
    let mut pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    pairs.extend([("apiKey", "{key}"), ("timestamp", now.as_str())]);
    pairs.sort_unstable();
    let payload: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    bench.ws_request(method, &payload.join("&"))
}

/// A decimal as a number of its smallest units.
fn units(value: &Value) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<8}").parse().unwrap()
}

fn sum(rows: &[Value], field: &str) -> i128 {
    rows.iter().map(|row| units(&row[field])).sum()
}

#[tokio::test]
async fn trades_aggregates_candles_and_tickers_of_a_busy_market_agree() {
    // Thin, so that an order takes several levels.
    let process: Process = mock_binance::process("thin-book:after=0,noise_ppm=900,step_ms=700").unwrap();
    let account = Account::generated(1).balance("USDT", "1000000").balance("BTC", "10");
    let bench = bench_with(|builder| {
        builder.account(account).account(Account::generated(2).balance("USDT", "10000")).market("BTCUSDT", process)
    })
    .await;
    for turn in 0..40_u32 {
        let side = if turn.is_multiple_of(3) { "SELL" } else { "BUY" };
        bench.order(&format!("symbol=BTCUSDT&side={side}&type=MARKET&quantity=0.0{}", turn % 3 + 1)).await.ok();
        bench.mock.advance(Duration::from_secs(7));
    }
    // Two orders of one price, and one that takes both: an aggregate of two trades.
    let bid = bench.get("/api/v3/ticker/bookTicker?symbol=BTCUSDT").await.ok()["bidPrice"].as_str().unwrap().to_owned();
    let better = units(&json!(bid)) + 1_000_000;
    let price = format!("{}.{:08}", better / 100_000_000, better % 100_000_000);
    let resting = format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.005&price={price}");
    for _ in 0..2 {
        bench.signed_by(&bench.mock.accounts()[1], "POST", "/api/v3/order", &resting).await.ok();
    }
    bench.order("symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.01").await.ok();
    let rows = async |target: &str| bench.get(target).await.ok().as_array().unwrap().clone();
    let trades = rows("/api/v3/trades?symbol=BTCUSDT&limit=1000").await;
    let aggregates = rows("/api/v3/aggTrades?symbol=BTCUSDT&limit=1000").await;
    let klines = rows("/api/v3/klines?symbol=BTCUSDT&interval=1m").await;
    let ticker = bench.get("/api/v3/ticker/24hr?symbol=BTCUSDT").await.ok();
    assert!((100..1000).contains(&trades.len()), "all of them: {}", trades.len());
    assert!(aggregates.len() < trades.len() && klines.len() > 3);

    // Each aggregate is the trades that it names, and together they are all.
    let mut next = 0;
    for aggregate in &aggregates {
        let (first, last) = (aggregate["f"].as_u64().unwrap(), aggregate["l"].as_u64().unwrap());
        assert_eq!(first, next);
        next = last + 1;
        let part: Vec<Value> =
            trades.iter().filter(|t| (first..=last).contains(&t["id"].as_u64().unwrap())).cloned().collect();
        assert_eq!(units(&aggregate["q"]), sum(&part, "qty"), "{aggregate}");
        assert!(part.iter().all(|t| t["price"] == aggregate["p"] && t["time"] == aggregate["T"]), "{aggregate}");
    }
    assert_eq!(next, u64::try_from(trades.len()).unwrap());

    // Each candle is the trades of its minute.
    let mut counted = 0;
    for kline in &klines {
        let (open, close) = (kline[0].as_u64().unwrap(), kline[6].as_u64().unwrap());
        let part: Vec<Value> =
            trades.iter().filter(|t| (open..=close).contains(&t["time"].as_u64().unwrap())).cloned().collect();
        let prices = || part.iter().map(|t| units(&t["price"]));
        let told = [1, 2, 3, 4].map(|column| units(&kline[column]));
        let expected = [prices().next(), prices().max(), prices().min(), prices().next_back()].map(Option::unwrap);
        assert_eq!(told, expected, "{kline}");
        assert_eq!((units(&kline[5]), units(&kline[7])), (sum(&part, "qty"), sum(&part, "quoteQty")), "{kline}");
        assert_eq!(kline[8], part.len(), "{kline}");
        let taken: Vec<Value> = part.iter().filter(|t| t["isBuyerMaker"] == false).cloned().collect();
        assert_eq!((units(&kline[9]), units(&kline[10])), (sum(&taken, "qty"), sum(&taken, "quoteQty")), "{kline}");
        counted += part.len();
    }
    assert_eq!(counted, trades.len());

    // The day is all of it.
    let prices = || trades.iter().map(|t| units(&t["price"]));
    for (field, expected) in [
        ("volume", sum(&trades, "qty")),
        ("quoteVolume", sum(&trades, "quoteQty")),
        ("openPrice", prices().next().unwrap()),
        ("highPrice", prices().max().unwrap()),
        ("lowPrice", prices().min().unwrap()),
        ("lastPrice", prices().next_back().unwrap()),
    ] {
        assert_eq!(units(&ticker[field]), expected, "{field}");
    }
    assert_eq!((&ticker["count"], &ticker["firstId"]), (&json!(trades.len()), &json!(0)));
    assert!(keys(&ticker).contains(&"weightedAvgPrice"));
}
