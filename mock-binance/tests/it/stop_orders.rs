//! Orders that wait for a price, over REST and in the user data stream.

use mock_binance::engine::Amount;
use mock_binance::{Builder, Symbols};
use serde_json::{Value, json};

use crate::support::{Bench, bench, bench_with};

async fn asked(bench: &Bench, order: &Value) -> Value {
    bench.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&orderId={}", order["orderId"])).await.ok()
}

/// An account without liquidity around it; the last price is 60 000.
async fn quiet() -> Bench {
    bench_with(Builder::no_liquidity).await
}

#[tokio::test]
async fn a_stop_loss_limit_waits_is_placed_and_trades() {
    let bench = quiet().await;
    let key = bench.listen_key().await;
    let mut socket = bench.connect(&format!("/ws/{key}")).await;
    let stop = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.1&price=58000&stopPrice=59000&newOrderRespType=RESULT&newClientOrderId=stop";
    let placed = bench.order(stop).await.ok();
    assert_eq!((&placed["status"], &placed["type"]), (&json!("NEW"), &json!("STOP_LOSS_LIMIT")));
    assert_eq!((&placed["stopPrice"], &placed["workingTime"]), (&json!("59000.00000000"), &json!(-1)));
    let waiting = asked(&bench, &placed).await;
    assert_eq!((&waiting["isWorking"], &waiting["workingTime"]), (&json!(false), &json!(-1)));
    assert_eq!((&waiting["stopPrice"], &waiting["price"]), (&json!("59000.00000000"), &json!("58000.00000000")));
    let told = socket.next().await;
    assert_eq!((&told["x"], &told["X"], &told["w"]), (&json!("NEW"), &json!("NEW"), &json!(false)));
    assert_eq!((&told["P"], &told["o"], told.get("W")), (&json!("59000.00000000"), &json!("STOP_LOSS_LIMIT"), None));
    let locked = socket.next().await;
    assert_eq!(locked["B"][0], json!({"a": "BTC", "f": "0.90000000", "l": "0.10000000"}));
    let depth = bench.get("/api/v3/depth?symbol=BTCUSDT").await.ok();
    assert_eq!(depth["asks"], json!([]), "it is not in the book");

    // A trade at the stop price: the order goes into the book at its limit.
    bench.order("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=59000").await.ok();
    bench.order("symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.01&selfTradePreventionMode=NONE").await.ok();
    let working = asked(&bench, &placed).await;
    assert_eq!((&working["isWorking"], &working["workingTime"]), (&json!(true), &json!(bench.clock.now_ms())));
    assert_eq!(bench.get("/api/v3/depth?symbol=BTCUSDT").await.ok()["asks"][0][0], "58000.00000000");
    let mut placed_again = socket.next().await;
    while placed_again["c"] != "stop" {
        placed_again = socket.next().await;
    }
    assert_eq!((&placed_again["x"], &placed_again["w"]), (&json!("NEW"), &json!(true)));
    assert_eq!(placed_again["W"], json!(bench.clock.now_ms()));

    bench.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1&selfTradePreventionMode=NONE").await.ok();
    let filled = asked(&bench, &placed).await;
    assert_eq!((&filled["status"], &filled["cummulativeQuoteQty"]), (&json!("FILLED"), &json!("5800.00000000")));
}

#[tokio::test]
async fn every_type_is_taken_and_can_be_cancelled() {
    let bench = quiet().await;
    for (side, order_type, stop_price) in [
        ("SELL", "STOP_LOSS", "59000"),
        ("BUY", "STOP_LOSS", "61000"),
        ("SELL", "TAKE_PROFIT", "61000"),
        ("BUY", "TAKE_PROFIT", "59000"),
    ] {
        for limit in [false, true] {
            let (ending, terms) = if limit { ("_LIMIT", "&price=60000&timeInForce=GTC") } else { ("", "") };
            let query = format!("symbol=BTCUSDT&side={side}&type={order_type}{ending}&quantity=0.01{terms}");
            let placed = bench.order(&format!("{query}&stopPrice={stop_price}")).await.ok();
            assert_eq!(placed.get("status"), None, "ACK unless asked otherwise");
            let open = bench.signed("GET", "/api/v3/openOrders", "symbol=BTCUSDT").await.ok();
            assert_eq!((&open[0]["orderId"], &open[0]["isWorking"]), (&placed["orderId"], &json!(false)));
            let target = format!("symbol=BTCUSDT&orderId={}", placed["orderId"]);
            let canceled = bench.signed("DELETE", "/api/v3/order", &target).await.ok();
            assert_eq!(canceled["status"], "CANCELED");
            assert_eq!(canceled["stopPrice"], json!(format!("{stop_price}.00000000")));

            // From the other side the price is reached already; a price that misses the tick is refused before.
            let reached = if stop_price == "59000" { "61000" } else { "59000" };
            let refusal = bench.order(&format!("{query}&stopPrice={reached}")).await.refusal();
            assert_eq!(refusal, (400, -2010, "Order would trigger immediately.".to_owned()));
            let refusal = bench.order(&format!("{query}&stopPrice=59000.001")).await.refusal();
            assert_eq!(refusal, (400, -1013, "Filter failure: PRICE_FILTER".to_owned()));
        }
    }
    let account = bench.mock.account_id(bench.account().api_key()).unwrap();
    let balance = bench.mock.with_exchange(|exchange| exchange.balances(account));
    assert!(balance.iter().all(|balance| balance.locked == Amount::ZERO), "{balance:?}");
}

#[tokio::test]
async fn a_symbol_without_these_types_says_so() {
    let default = include_str!("../../data/exchange_info.json");
    let mut info: Value = serde_json::from_str(default).unwrap();
    for symbol in info["symbols"].as_array_mut().unwrap() {
        symbol["orderTypes"] = json!(["LIMIT", "LIMIT_MAKER", "MARKET"]);
    }
    let symbols = Symbols::parse(&info.to_string()).unwrap();
    let bench = bench_with(|builder| builder.symbols(symbols)).await;
    let base = "symbol=BTCUSDT&side=SELL&quantity=0.001";
    for (rest, text) in [
        ("type=STOP_LOSS&stopPrice=50000", "Stop loss orders are not supported for this symbol."),
        ("type=TAKE_PROFIT&stopPrice=50000", "Take profit orders are not supported for this symbol."),
        (
            "type=STOP_LOSS_LIMIT&timeInForce=GTC&price=49000&stopPrice=50000",
            "Stop loss limit orders are not supported for this symbol.",
        ),
        (
            "type=TAKE_PROFIT_LIMIT&timeInForce=GTC&price=49000&stopPrice=50000",
            "Take profit limit orders are not supported for this symbol.",
        ),
    ] {
        for path in ["/api/v3/order", "/api/v3/order/test"] {
            let refusal = bench.signed("POST", path, &format!("{base}&{rest}")).await.refusal();
            assert_eq!(refusal, (400, -2010, text.to_owned()));
        }
    }
}

#[tokio::test]
async fn a_placed_stop_order_is_told_in_the_response() {
    let bench = bench().await;
    let stop = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.01&stopPrice=50000&newOrderRespType=FULL";
    let placed = bench.order(stop).await.ok();
    assert_eq!((&placed["fills"], &placed["stopPrice"]), (&json!([]), &json!("50000.00000000")));
}
