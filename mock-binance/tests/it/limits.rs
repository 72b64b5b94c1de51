//! Request weights, order counts, 429 and 418.

use std::time::Duration;

use mock_binance::engine::{LimitsSpec, WindowLimit};

use crate::support::{Answer, Bench, bench, bench_with};

fn used(answer: &Answer) -> u32 {
    let used = answer.header("x-mbx-used-weight-1m").expect("a used weight");
    assert_eq!(answer.header("x-mbx-used-weight"), Some(used));
    used.parse().unwrap()
}

#[tokio::test]
async fn every_answer_tells_the_used_weight() {
    let bench = bench().await;
    let account = "/api/v3/account";
    let mut expected = 0;
    for (target, weight) in [
        ("/api/v3/ping", 1),
        ("/api/v3/exchangeInfo", 20),
        ("/api/v3/depth?symbol=BTCUSDT&limit=500", 25),
        ("/api/v3/ticker/24hr", 80),
        ("/api/v3/depth?symbol=NOPE", 5),
        ("/nothing", 1),
    ] {
        expected += weight;
        assert_eq!(used(&bench.get(target).await), expected, "{target}");
    }
    expected += 20;
    assert_eq!(used(&bench.signed("GET", account, "").await), expected);
    bench.clock.advance(Duration::from_mins(1));
    assert_eq!(used(&bench.get("/api/v3/time").await), 1, "a new minute");
}

#[tokio::test]
async fn orders_and_cancels_weigh_only_when_they_fail() {
    let bench = bench().await;
    let limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000";
    let placed = bench.order(limit).await;
    assert_eq!(used(&placed), 0);
    assert_eq!(placed.header("x-mbx-order-count-10s"), Some("1"));
    assert_eq!(placed.header("x-mbx-order-count-1d"), Some("1"));
    let again = bench.order(limit).await;
    assert_eq!(again.header("x-mbx-order-count-10s"), Some("2"));
    assert_eq!(used(&bench.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await), 0);
    let failed = bench.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await;
    assert_eq!((failed.status, used(&failed)), (400, 1));
    let failed = bench.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=101").await;
    assert_eq!((failed.status, used(&failed)), (400, 2));
    assert_eq!(failed.header("x-mbx-order-count-10s"), None);
    let tested = bench.signed("POST", "/api/v3/order/test", limit).await;
    assert_eq!((tested.status, used(&tested), tested.header("x-mbx-order-count-10s")), (200, 3, None));
    let weights: Vec<u32> = bench.mock.requests().iter().map(|record| record.weight).collect();
    assert_eq!(weights, [0, 0, 0, 1, 1, 1]);
}

#[tokio::test]
async fn the_order_counts_can_be_asked_for() {
    let bench = bench().await;
    let path = "/api/v3/rateLimit/order";
    bench.order("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000").await.ok();
    let told = bench.signed("GET", path, "").await;
    assert_eq!(used(&told), 40);
    assert_eq!(
        told.text,
        r#"[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100,"count":1},{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":200000,"count":1}]"#
    );
    bench.clock.advance(Duration::from_secs(10));
    let told = bench.signed("GET", path, "").await.ok();
    assert_eq!((&told[0]["count"], &told[1]["count"]), (&0.into(), &1.into()), "ten seconds are over");
}

async fn light() -> Bench {
    let request_weight = WindowLimit { window_secs: 60, limit: 3 };
    bench_with(|builder| builder.limits(LimitsSpec { request_weight, ..LimitsSpec::default() }).ban_after(2)).await
}

#[tokio::test]
async fn too_much_weight_is_429_then_418() {
    let bench = light().await;
    bench.clock.advance(Duration::from_millis(15_500));
    for _ in 0..3 {
        bench.get("/api/v3/ping").await.ok();
    }
    let text = "Too much request weight used; current limit is 3 request weight per 1 MINUTE. Please use WebSocket \
                Streams for live updates to avoid polling the API.";
    for _ in 0..2 {
        let answer = bench.get("/api/v3/ping").await;
        assert_eq!(answer.refusal(), (429, -1003, text.to_owned()));
        assert_eq!(answer.header("retry-after"), Some("45"));
        assert_eq!(used(&answer), 3);
    }
    let until = bench.clock.now_ms() + 120_000;
    let text = format!(
        "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live updates to \
         avoid bans."
    );
    let answer = bench.get("/api/v3/ping").await;
    assert_eq!(answer.refusal(), (418, -1003, text.clone()));
    assert_eq!(answer.header("retry-after"), Some("120"));

    // The ban outlasts the minute, for everything.
    bench.clock.advance(Duration::from_secs(119));
    let answer = bench.signed("GET", "/api/v3/account", "").await;
    assert_eq!(answer.refusal(), (418, -1003, text));
    assert_eq!(answer.header("retry-after"), Some("1"));
    bench.clock.advance(Duration::from_secs(1));
    bench.get("/api/v3/ping").await.ok();
}

#[tokio::test]
async fn the_second_ban_is_longer() {
    let bench = light().await;
    let mut lengths = Vec::new();
    for _ in 0..2 {
        let banned = loop {
            let answer = bench.get("/api/v3/ping").await;
            if answer.status == 418 {
                break answer;
            }
        };
        let seconds: u64 = banned.header("retry-after").unwrap().parse().unwrap();
        lengths.push(seconds);
        bench.clock.advance(Duration::from_secs(seconds));
    }
    assert_eq!(lengths, [120, 240]);
}

#[tokio::test]
async fn raw_requests_are_limited_too() {
    let raw_requests = WindowLimit { window_secs: 300, limit: 2 };
    let bench = bench_with(|builder| builder.limits(LimitsSpec { raw_requests, ..LimitsSpec::default() })).await;
    bench.get("/api/v3/ping").await.ok();
    bench.get("/api/v3/ping").await.ok();
    let answer = bench.get("/api/v3/ping").await;
    assert_eq!(answer.refusal(), (429, -1003, "Too many requests queued.".to_owned()));
    // 1 700 000 040 lies 240 s into its five minutes.
    assert_eq!(answer.header("retry-after"), Some("60"));
}

/// A client of another address of the loopback network.
async fn ping_from(bench: &Bench, address: [u8; 4]) -> (u16, Option<String>) {
    let client = reqwest::Client::builder().local_address(std::net::IpAddr::from(address)).build().unwrap();
    let answer = client.get(format!("{}/api/v3/ping", bench.mock.rest_url())).send().await.unwrap();
    let used = answer.headers().get("x-mbx-used-weight-1m").map(|used| used.to_str().unwrap().to_owned());
    (answer.status().as_u16(), used)
}

#[tokio::test]
async fn weight_and_bans_are_those_of_one_address() {
    let bench = light().await;
    let (first, second) = ([127, 0, 0, 1], [127, 0, 0, 2]);
    for used in ["1", "2", "3"] {
        assert_eq!(ping_from(&bench, first).await, (200, Some(used.to_owned())));
    }
    for status in [429, 429, 418, 418] {
        assert_eq!(ping_from(&bench, first).await.0, status);
    }
    assert_eq!(ping_from(&bench, second).await, (200, Some("1".to_owned())));
    assert_eq!(ping_from(&bench, first).await.0, 418);
}
