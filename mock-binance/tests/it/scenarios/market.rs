//! A MARKET order for more than there is.

use serde_json::{Value, json};

use super::{file, market, order};

#[tokio::test]
async fn a_market_order_for_more_than_there_is_expires_with_its_rest() {
    let case = file()["market_partial"].clone();
    let bench = market("1", mock_binance::Builder::no_liquidity).await;
    // `MARKET BUY 6 against 4 available (2+2 @1)`
    let words = case["order"].as_str().unwrap().replace(['(', ')', '@'], "");
    let words: Vec<&str> = words.split_whitespace().collect();
    let ["MARKET", side, quantity, "against", _, "available", sizes, price] = words[..] else {
        panic!("another order: {words:?}");
    };
    for size in sizes.split('+') {
        let rest = format!("timeInForce=GTC&quantity={size}&price={price}");
        order(&bench, 1, "SELL", "LIMIT", &rest).await.ok();
    }
    let key = bench.listen_key().await;
    let mut socket = bench.connect(&format!("/ws/{key}")).await;
    let placed = order(&bench, 0, side, "MARKET", &format!("quantity={quantity}")).await.ok();
    let told = json!({
        "status": placed["status"],
        "executedQty": placed["executedQty"],
        "cummulativeQuoteQty": placed["cummulativeQuoteQty"],
        "fills": placed["fills"].as_array().unwrap().len(),
        "expiryReason": placed["expiryReason"],
    });
    assert_eq!(told, case["final"]);
    let mut events = Vec::new();
    for event in socket.drain().await {
        let text = |key: &str| event[key].as_str().map(str::to_owned);
        let mut line = text("e").unwrap();
        if line == "executionReport" {
            line = format!("x={} X={}", text("x").unwrap(), text("X").unwrap());
            if let Some(reason) = text("eR") {
                line = format!("{line} eR={reason}");
            }
        }
        events.push(line);
    }
    let expected: Vec<String> = case["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line: &Value| line.as_str().unwrap().replace("executionReport ", ""))
        .collect();
    assert_eq!(events, expected);
}
