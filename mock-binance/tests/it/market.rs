//! Markets that move: book, trades, candles, tickers and stop orders agree, and the clock's steps do not matter.

use std::time::Duration;

use mock_binance::engine::Price;
use mock_binance::{MoveError, StartError, process};
use serde_json::Value;

use crate::support::{Bench, bench, bench_with};

async fn crashing() -> Bench {
    let crash = process("crash:after=2,over=4,change_ppm=-400000,noise_ppm=150").unwrap();
    bench_with(|builder| builder.market("BTCUSDT", crash)).await
}

fn number(value: &Value) -> Price {
    value.as_str().unwrap().parse().unwrap()
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

async fn last_price(bench: &Bench) -> String {
    bench.get("/api/v3/ticker/price?symbol=BTCUSDT").await.ok()["price"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_a_crash_shows_agrees() {
    let bench = crashing().await;
    bench.clock.advance(Duration::from_secs(10));
    let last = last_price(&bench).await;
    assert!((price("35700")..price("36300")).contains(&price(&last)), "60000 less 40 %: {last}");
    let trades = bench.get("/api/v3/trades?symbol=BTCUSDT").await.ok();
    assert_eq!(trades.as_array().unwrap().len(), 10, "one a step");
    assert_eq!(trades[9]["price"], *last);
    let candle = bench.get("/api/v3/klines?symbol=BTCUSDT&interval=1m").await.ok()[0].clone();
    assert_eq!(candle[4], *last, "close");
    let prices: Vec<Price> = trades.as_array().unwrap().iter().map(|trade| number(&trade["price"])).collect();
    assert_eq!(number(&candle[2]), *prices.iter().max().unwrap(), "high");
    assert_eq!(number(&candle[3]), *prices.iter().min().unwrap(), "low");
    assert_eq!(bench.get("/api/v3/ticker/24hr?symbol=BTCUSDT").await.ok()["lastPrice"], *last);
    let top = bench.get("/api/v3/ticker/bookTicker?symbol=BTCUSDT").await.ok();
    let (bid, last, ask) = (number(&top["bidPrice"]), price(&last), number(&top["askPrice"]));
    assert!(bid < last && last < ask && ask < bid.checked_add(price("20")).unwrap(), "{bid} {last} {ask}");
    let depth = bench.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").await.ok();
    for side in ["bids", "asks"] {
        assert_eq!(depth[side].as_array().unwrap().len(), 20, "{side}: nothing is left behind");
    }
}

#[tokio::test]
async fn one_jump_or_many_steps_give_the_same_journal() {
    let (jump, creep) = (crashing().await, crashing().await);
    jump.clock.advance(Duration::from_mins(1));
    for _ in 0..240 {
        creep.clock.advance(Duration::from_millis(250));
    }
    let journal = |bench: &Bench| {
        bench.mock.with_exchange(|exchange| {
            let entries = exchange.journal().iter();
            entries.map(|entry| format!("{} {}", entry.at, entry.fact)).collect::<Vec<_>>()
        })
    };
    let (jump, creep) = (journal(&jump), journal(&creep));
    assert!(jump.len() > 300, "{}", jump.len());
    assert_eq!(jump, creep);
}

#[tokio::test]
async fn a_crash_sets_off_a_stop_and_trades_through_a_resting_bid() {
    let bench = crashing().await;
    let stop = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.01&stopPrice=50000&newClientOrderId=stop";
    assert_eq!(bench.order(stop).await.status, 200);
    let bid = bench.resting().await;
    bench.clock.advance(Duration::from_secs(10));
    for order in ["origClientOrderId=stop".to_owned(), format!("orderId={}", bid["orderId"])] {
        let order = bench.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&{order}")).await.ok();
        assert_eq!(order["status"], "FILLED", "{order}");
    }
    // What was bid was paid, not the lower price of the next step.
    let mine = bench.signed("GET", "/api/v3/myTrades", &format!("symbol=BTCUSDT&orderId={}", bid["orderId"])).await;
    assert_eq!(mine.ok()[0]["price"], "50000.00000000");
}

#[tokio::test]
async fn a_market_is_moved_to_a_price() {
    let bench = bench().await;
    // More than the house trades to set a price.
    let bid = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.15&price=50000";
    let bid = bench.order(bid).await.ok();
    for target in ["70000.01", "45000", "60000.55", "60000.55", "20000"] {
        bench.mock.move_market("BTCUSDT", price(target)).unwrap();
        assert_eq!(price(&last_price(&bench).await), price(target));
        let depth = bench.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").await.ok();
        for side in ["bids", "asks"] {
            let house = depth[side].as_array().unwrap().iter().filter(|level| level[0] != "50000.00000000").count();
            assert_eq!(house, 20, "{side} at {target}");
        }
    }
    let filled = bench.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&orderId={}", bid["orderId"])).await.ok();
    assert_eq!(filled["status"], "FILLED");
    let moved = |symbol, target: &str| bench.mock.move_market(symbol, price(target));
    assert!(matches!(moved("NOPE", "1"), Err(MoveError::NoProvider { .. })));
    assert!(matches!(moved("BTCUSDT", "0.001"), Err(MoveError::PriceNotPositive { .. })));
    // A trade so far away fails PERCENT_PRICE_BY_SIDE as anybody's would.
    assert!(matches!(moved("BTCUSDT", "900000"), Err(MoveError::Refused { .. })));
}

#[tokio::test]
async fn a_thin_book_is_moved_by_a_small_order() {
    let thin = process("thin-book:after=1,noise_ppm=0").unwrap();
    let bench = bench_with(|builder| builder.market("BTCUSDT", thin)).await;
    bench.clock.advance(Duration::from_secs(3));
    let depth = bench.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").await.ok();
    let asks = depth["asks"].as_array().unwrap();
    assert_eq!(asks.len(), 3);
    assert!(asks.iter().all(|level| number(&level[1]) < price("0.02")), "{asks:?}");
}

#[tokio::test]
async fn a_market_that_cannot_move_is_refused() {
    for liquid in [true, false] {
        let builder = mock_binance::MockBinance::builder().market("NOPE", process("calm").unwrap());
        let builder = if liquid { builder } else { builder.no_liquidity() };
        assert!(matches!(builder.start().await, Err(StartError::MarketWithoutPrice { symbol }) if symbol == "NOPE"));
    }
}

#[test]
fn a_process_that_is_none_is_told_with_its_remedy() {
    for (text, told) in [
        ("crsh", "there is no process `crsh`: write calm, trend, crash, spike or thin-book"),
        ("calm:over=3", "`calm` takes no `over`: it takes step_ms, noise_ppm"),
        ("crash:over", "`over` is no figure: write key=number, such as noise_ppm=200"),
        ("trend:step_ms=0", "`step_ms` is `0`: write a whole number from 1 to 86400000"),
        ("trend:noise_ppm=1.5", "`noise_ppm` is `1.5`: write a whole number from 0 to 1000000"),
    ] {
        assert_eq!(process(text).unwrap_err().to_string(), told);
    }
}
