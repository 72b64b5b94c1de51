//! The refusals that clients meet most: each entry of a list of them has a request here that brings it about.

use mock_binance::engine::{LimitsSpec, WindowLimit};
use mock_binance::{Effect, Fault, Stage, UnknownKey};

use crate::support::{Answer, Bench, bench_with};

#[derive(Debug, serde::Deserialize)]
struct Entry {
    http: u16,
    code: i64,
    msg: String,
    when: String,
}

/// Like the exchange, except that it takes 50 orders in 10 seconds, as the list has it, and bans at once.
///
/// It has two answers to a key that nobody has; the list has both.
async fn bench(unknown_key: UnknownKey) -> Bench {
    let orders = vec![WindowLimit { window_secs: 10, limit: 50 }];
    let limits = LimitsSpec { orders, ..LimitsSpec::default() };
    bench_with(|builder| builder.ban_after(1).limits(limits).unknown_key(unknown_key)).await
}

const LIMIT: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000";
const MARKET: &str = "symbol=BTCUSDT&side=BUY&type=MARKET";

/// The answer to what an entry is about.
async fn provoke(bench: &Bench, entry: &Entry) -> Answer {
    let now = bench.clock.now_ms();
    let order = async |query: &str| bench.order(query).await;
    let market = async |rest: &str| bench.order(&format!("{MARKET}&{rest}")).await;
    let timed = async |time: u64| {
        bench.signed_raw(bench.account(), "GET", "/api/v3/account", &format!("timestamp={time}")).await
    };
    let named = |name: &str| entry.msg.contains(&format!("'{name}'"));
    match entry.code {
        -2014 => bench.send("GET", "/api/v3/account?timestamp=1&signature=00", None, None).await,
        -2015 | -2008 => {
            let target = format!("/api/v3/account?timestamp={now}&signature=00");
            bench.send("GET", &target, Some(&"A".repeat(64)), None).await
        }
        -1022 => bench.keyed("GET", &format!("/api/v3/account?timestamp={now}&signature=00")).await,
        -1021 if entry.msg.contains("ahead") => timed(now + 1000).await,
        -1021 => timed(now - 5001).await,
        -1131 => bench.signed("GET", "/api/v3/account", "recvWindow=60001").await,
        -1102 if named("orderId") => bench.signed("GET", "/api/v3/order", "symbol=BTCUSDT").await,
        -1102 => bench.get("/api/v3/depth").await,
        -1100 if named("symbol") => bench.get("/api/v3/depth?symbol=btcusdt").await,
        -1100 if named("symbols") => bench.get("/api/v3/ticker/price?symbols=[%22btcusdt%22]").await,
        -1100 if named("quantity") => market("quantity=1e-05").await,
        -1100 if named("orderId") => bench.signed("GET", "/api/v3/order", "symbol=BTCUSDT&orderId=x").await,
        -1100 => market("quantity=1&newClientOrderId=a.b").await,
        -1101 if entry.msg.starts_with("Duplicate") => bench.get("/api/v3/depth?symbol=BTCUSDT&symbol=BTCUSDT").await,
        -1101 => bench.get("/api/v3/avgPrice?symbol=BTCUSDT&colour=red").await,
        // Six parameters of an order, its timestamp and its signature; then one that nobody knows.
        -1104 => order(&format!("{LIMIT}&colour=red")).await,
        -1105 => bench.get("/api/v3/depth?symbol=").await,
        -1106 => market("quantity=1&timeInForce=GTC").await,
        -1111 => market("quantity=0.000000001").await,
        -1115 => order(&LIMIT.replace("GTC", "GTX")).await,
        -1116 => order(&LIMIT.replace("=LIMIT", "=LIMT")).await,
        -1117 => order(&LIMIT.replace("BUY", "buy")).await,
        -1120 => bench.get("/api/v3/klines?symbol=BTCUSDT&interval=1W").await,
        -1121 => bench.get("/api/v3/depth?symbol=NOPE").await,
        -1125 => bench.keyed("PUT", "/api/v3/userDataStream?listenKey=nobody").await,
        -1127 => {
            let times = "startTime=1699900000000&endTime=1699986400001";
            bench.signed("GET", "/api/v3/allOrders", &format!("symbol=BTCUSDT&{times}")).await
        }
        -1128 => bench.get("/api/v3/ticker/price?symbol=BTCUSDT&symbols=[%22BTCUSDT%22]").await,
        -1130 => bench.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT&limit=0").await,
        -1013 if entry.msg.starts_with("Filter") => order(&LIMIT.replace("0.001", "0.000001")).await,
        -1013 => market("quantity=0").await,
        -2010 => order(&LIMIT.replace("0.001", "5")).await,
        -2011 => bench.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await,
        -2013 => bench.signed("GET", "/api/v3/order", "symbol=BTCUSDT&orderId=999999").await,
        -2039 => {
            let id = bench.resting().await["orderId"].as_u64().unwrap();
            bench.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&orderId={id}&origClientOrderId=other")).await
        }
        -1003 => {
            // The heaviest request, 80 at a time, up to 6000.
            for _ in 0..75 {
                bench.get("/api/v3/ticker/24hr").await.ok();
            }
            let refused = bench.get("/api/v3/ticker/24hr").await;
            if entry.http == 429 { refused } else { bench.get("/api/v3/ping").await }
        }
        -1015 => {
            for _ in 0..50 {
                bench.resting().await;
            }
            order(LIMIT).await
        }
        -2021 | -2022 => {
            let mode = if entry.code == -2021 { "ALLOW_FAILURE" } else { "STOP_ON_FAILURE" };
            let query = format!("{LIMIT}&cancelReplaceMode={mode}&cancelOrderId=999999");
            bench.signed("POST", "/api/v3/order/cancelReplace", &query).await
        }
        -1007 => {
            bench.mock.add_fault(Fault::new("late", Effect::Timeout { stage: Stage::After })).unwrap();
            order(LIMIT).await
        }
        other => panic!("no request for {other}: {} ({})", entry.msg, entry.when),
    }
}

/// Only the end of a ban is another one every time.
fn comparable(status: u16, text: &str) -> String {
    if status == 418 { text.replace(|letter: char| letter.is_ascii_digit(), "#") } else { text.to_owned() }
}

#[tokio::test]
async fn the_most_hit_refusals_come_word_for_word() {
    let entries: Vec<Entry> = serde_json::from_str(include_str!("../data/most_hit_errors.json")).unwrap();
    assert_eq!(entries.len(), 41);
    let mut wrong = Vec::new();
    for entry in &entries {
        let bench = bench(if entry.code == -2008 { UnknownKey::InvalidId } else { UnknownKey::Rejected }).await;
        let answer = provoke(&bench, entry).await;
        let body: serde_json::Value = serde_json::from_str(&answer.text).unwrap_or_default();
        let text = body["msg"].as_str().unwrap_or_default();
        let (status, code) = (answer.status, body["code"].as_i64());
        let same = status == entry.http
            && code == Some(entry.code)
            && comparable(status, text) == comparable(entry.http, &entry.msg);
        if !same {
            wrong.push(format!("{} {} when {}: differs: {status} {}", entry.code, entry.msg, entry.when, answer.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
