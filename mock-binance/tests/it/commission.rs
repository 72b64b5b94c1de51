//! What trading costs, told before anything is traded.

use serde_json::json;

use crate::support::{bench, bench_with};

#[tokio::test]
async fn the_rates_of_a_symbol_are_those_that_its_trades_cost() {
    let bench = bench_with(|builder| builder.commission("0.0005", "0.002")).await;
    let answer = bench.signed("GET", "/api/v3/account/commission", "symbol=ETHUSDT").await;
    assert_eq!(answer.header("x-mbx-used-weight-1m"), Some("20"));
    let none = json!({"maker": "0.00000000", "taker": "0.00000000", "buyer": "0.00000000", "seller": "0.00000000"});
    let told = answer.ok();
    let expected = json!({
        "symbol": "ETHUSDT",
        "standardCommission":
            {"maker": "0.00050000", "taker": "0.00200000", "buyer": "0.00000000", "seller": "0.00000000"},
        "specialCommission": none,
        "taxCommission": none,
        "discount":
            {"enabledForAccount": false, "enabledForSymbol": false, "discountAsset": "BNB", "discount": "0.00000000"},
    });
    assert_eq!(told.to_string(), expected.to_string(), "same fields in the same order");

    // A fill costs what was told: two thousandths of what it received.
    let fill = &bench.bought().await["fills"][0];
    assert_eq!((&fill["qty"], &fill["commission"]), (&json!("0.00100000"), &json!("0.00000200")));
    let query = "symbol=ETHUSDT&side=BUY&type=MARKET&quantity=0.1&computeCommissionRates=true";
    let of_order = bench.signed("POST", "/api/v3/order/test", query).await.ok();
    assert_eq!(of_order["standardCommissionForOrder"]["taker"], told["standardCommission"]["taker"]);
    assert_eq!(of_order["discount"], told["discount"]);
}

#[tokio::test]
async fn the_web_socket_api_tells_the_same() {
    let bench = bench().await;
    let over_rest = bench.signed("GET", "/api/v3/account/commission", "symbol=BTCUSDT").await.ok();
    let mut socket = bench.connect("/ws-api/v3").await;
    let answer =
        socket.ask(&bench.ws_request("account.commission", "apiKey={key}&symbol=BTCUSDT&timestamp={now}")).await;
    assert_eq!((&answer["status"], &answer["result"]), (&json!(200), &over_rest));
}

#[tokio::test]
async fn the_symbol_is_needed_and_known() {
    let bench = bench().await;
    let told = bench.signed("GET", "/api/v3/account/commission", "").await.refusal();
    let missing = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.";
    assert_eq!(told, (400, -1102, missing.to_owned()));
    let told = bench.signed("GET", "/api/v3/account/commission", "symbol=NOPE").await.refusal();
    assert_eq!(told, (400, -1121, "Invalid symbol.".to_owned()));
}
