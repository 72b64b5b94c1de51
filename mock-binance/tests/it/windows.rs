//! Tickers of a rolling window and of the trading day; old trades by id; candles for charts.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{START_MS, bench, keys};

const MINUTE_MS: u64 = 60_000;

/// 2023-11-14, the day on which the bench's clock starts, in UTC.
const DAY_START_MS: u64 = 1_699_920_000_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

#[tokio::test]
async fn a_rolling_window_forgets_what_is_older() {
    let bench = bench().await;
    bench.bought().await;
    let ask = |window: &'static str| {
        let bench = &bench;
        async move { bench.get(&format!("/api/v3/ticker?symbol=BTCUSDT&windowSize={window}")).await.ok() }
    };
    bench.clock.advance(Duration::from_millis(2 * MINUTE_MS + 30_500));
    let now = bench.clock.now_ms();
    let short = ask("1m").await;
    assert_eq!((&short["count"], &short["firstId"], &short["volume"]), (&json!(0), &json!(-1), &json!("0.00000000")));
    assert_eq!((&short["openTime"], &short["closeTime"]), (&json!(START_MS + MINUTE_MS), &json!(now)));
    let long = ask("2m").await;
    assert_eq!((&long["count"], &long["firstId"], &long["volume"]), (&json!(1), &json!(0), &json!("0.00100000")));
    assert_eq!(long["openTime"], json!(START_MS), "the window begins with its minute");
    let whole = bench.get("/api/v3/ticker?symbol=BTCUSDT").await.ok();
    assert_eq!(whole["openTime"], json!(START_MS + 2 * MINUTE_MS - DAY_MS), "a day is the default");
}

#[tokio::test]
async fn a_trading_day_is_a_calendar_day_of_a_time_zone() {
    let bench = bench().await;
    bench.bought().await;
    let ask = |zone: &'static str| {
        let bench = &bench;
        async move { bench.get(&format!("/api/v3/ticker/tradingDay?symbol=BTCUSDT{zone}")).await.ok() }
    };
    let times = |day: &Value| (day["openTime"].as_u64().unwrap(), day["closeTime"].as_u64().unwrap());
    let today = ask("").await;
    assert_eq!(times(&today), (DAY_START_MS, DAY_START_MS + DAY_MS - 1));
    assert_eq!(today["count"], 1);
    // It is 22:14 in UTC, and tomorrow already two hours east of it.
    let east = ask("&timeZone=2").await;
    assert_eq!(times(&east), (DAY_START_MS + 22 * 60 * MINUTE_MS, DAY_START_MS + 46 * 60 * MINUTE_MS - 1));
    bench.clock.advance(Duration::from_millis(DAY_MS));
    assert_eq!(ask("").await["count"], 0, "a new day");
}

#[tokio::test]
async fn window_tickers_are_short_or_long_and_one_or_many() {
    let bench = bench().await;
    for path in ["/api/v3/ticker", "/api/v3/ticker/tradingDay"] {
        let many = bench.get(&format!("{path}?symbols=[%22ETHBTC%22,%22BTCUSDT%22]&type=MINI")).await.ok();
        let names: Vec<_> = many.as_array().unwrap().iter().map(|row| row["symbol"].as_str().unwrap()).collect();
        assert_eq!(names, ["ETHBTC", "BTCUSDT"]);
        let day = bench.get("/api/v3/ticker/24hr?symbol=BTCUSDT&type=MINI").await.ok();
        assert_eq!(keys(&many[0]), keys(&day));
        let one = bench.get(&format!("{path}?symbol=BTCUSDT&type=FULL")).await.ok();
        assert_eq!(
            keys(&one),
            [
                "symbol",
                "priceChange",
                "priceChangePercent",
                "weightedAvgPrice",
                "openPrice",
                "highPrice",
                "lowPrice",
                "lastPrice",
                "volume",
                "quoteVolume",
                "openTime",
                "closeTime",
                "firstId",
                "lastId",
                "count"
            ]
        );
    }
}

#[tokio::test]
async fn window_tickers_refuse_as_the_exchange_does() {
    let bench = bench().await;
    let many = vec!["%22BTCUSDT%22"; 101].join(",");
    for path in ["/api/v3/ticker", "/api/v3/ticker/tradingDay"] {
        for (query, code, text) in [
            ("", -1102, "Param 'symbol' or 'symbols' must be sent, but both were empty/null!"),
            ("symbol=NOPE", -1121, "Invalid symbol."),
            ("symbol=BTCUSDT&type=SMALL", -1139, "Invalid ticker type."),
            ("symbol=BTCUSDT&symbols=[%22BTCUSDT%22]", -1128, "Combination of optional parameters invalid."),
            ("symbols=[%22BTCUSDT%22,%22BTCUSDT%22]", -1151, "Symbol is present multiple times in the list."),
            (
                "symbol=BTCUSDT&symbolStatus=HALT",
                -1220,
                "The symbol's status does not match the requested symbolStatus.",
            ),
            (
                &format!("symbols=[{many}]"),
                -1101,
                "Too many values sent for parameter 'symbols', maximum allowed up to 100.",
            ),
        ] {
            let answer = bench.get(&format!("{path}?{query}")).await;
            assert_eq!(answer.refusal(), (400, code, text.to_owned()), "{path} {query}");
        }
    }
    for (path, name) in [("ticker", "windowSize"), ("ticker/tradingDay", "timeZone")] {
        let answer = bench.get(&format!("/api/v3/{path}?symbol=BTCUSDT&{name}=60m")).await;
        assert_eq!(answer.refusal(), (400, -1130, format!("Data sent for parameter '{name}' is not valid.")));
    }
}

#[tokio::test]
async fn old_trades_are_read_from_an_id_on() {
    let bench = bench().await;
    for _ in 0..3 {
        bench.bought().await;
    }
    let ids = |trades: &Value| -> Vec<u64> {
        trades.as_array().unwrap().iter().map(|trade| trade["id"].as_u64().unwrap()).collect()
    };
    let old = bench.get("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=1&limit=1").await.ok();
    assert_eq!(ids(&old), [1]);
    let latest = bench.get("/api/v3/historicalTrades?symbol=BTCUSDT&limit=2").await.ok();
    assert_eq!(latest, bench.get("/api/v3/trades?symbol=BTCUSDT&limit=2").await.ok());
    assert_eq!(ids(&latest), [1, 2]);
    let (_, code, _) = bench.get("/api/v3/trades?symbol=BTCUSDT&fromId=1").await.refusal();
    assert_eq!(code, -1104, "recent trades take no id");
    let candles = bench.get("/api/v3/uiKlines?symbol=BTCUSDT&interval=1m").await.ok();
    assert_eq!(candles, bench.get("/api/v3/klines?symbol=BTCUSDT&interval=1m").await.ok());
    assert_eq!(candles[0][8], 3);
}
