//! Self-trade prevention: one mode a case.

use serde_json::{Value, json};

use super::{NOT_RUN, asked, cases, market, order};
use crate::support::Bench;

/// An order of the account, as `SIDE quantity@price`.
async fn place(bench: &Bench, text: &str, mode: &str) -> Value {
    let (side, size) = text.split_once(' ').unwrap();
    let (quantity, price) = size.split_once('@').unwrap();
    let rest = format!("timeInForce=GTC&quantity={quantity}&price={price}&selfTradePreventionMode={mode}");
    order(bench, 0, side, "LIMIT", &rest).await.ok()
}

/// Status, executed and prevented quantity of an order, and the id of its prevented match.
async fn state(bench: &Bench, order: &Value) -> Value {
    let now = asked(bench, order).await;
    json!([now["status"], now["executedQty"], now["preventedQuantity"], now["preventedMatchId"]])
}

const ZERO: &str = "0.00000000";

async fn run(mode: &str, case: &Value) {
    let bench = market("1", mock_binance::Builder::no_liquidity).await;
    let result = case["result"].as_str().unwrap();
    // The makers of the example, which gives them for one mode only.
    let makers = case["makers"].as_str().unwrap_or("BUY 1.2@1.2, BUY 1.3@1.1, BUY 8.1@1");
    let makers: Vec<&str> = makers.split(", ").collect();
    let taker = case["taker"].as_str().unwrap_or("SELL 3@1");
    let mut placed = Vec::new();
    for maker in &makers {
        placed.push(place(&bench, maker, "NONE").await);
    }
    let taker = place(&bench, taker, mode).await;
    let taker = state(&bench, &taker).await;
    let mut after = Vec::new();
    for maker in &placed {
        after.push(state(&bench, maker).await);
    }
    let untouched = || json!(["NEW", ZERO, null, null]);
    let (expected_taker, expected_makers, known) = match mode {
        "NONE" => (
            json!(["FILLED", "3.00000000", null, null]),
            vec![
                json!(["FILLED", "1.20000000", null, null]),
                json!(["FILLED", "1.30000000", null, null]),
                json!(["PARTIALLY_FILLED", "0.50000000", null, null]),
            ],
            "trade happens",
        ),
        "EXPIRE_MAKER" => (
            untouched(),
            vec![
                json!(["EXPIRED_IN_MATCH", ZERO, "1.20000000", 0]),
                json!(["EXPIRED_IN_MATCH", ZERO, "1.30000000", 1]),
                json!(["EXPIRED_IN_MATCH", ZERO, "8.10000000", 2]),
            ],
            "all three makers EXPIRED_IN_MATCH with preventedMatchId 0,1,2 and preventedQuantity = own remaining; taker rests NEW, executedQty 0",
        ),
        "EXPIRE_TAKER" => (
            json!(["EXPIRED_IN_MATCH", ZERO, "3.00000000", 0]),
            vec![untouched(); 3],
            "taker EXPIRED_IN_MATCH, makers untouched",
        ),
        "EXPIRE_BOTH" => (
            json!(["EXPIRED_IN_MATCH", ZERO, "3.00000000", 0]),
            vec![json!(["EXPIRED_IN_MATCH", ZERO, "1.20000000", 0]), untouched(), untouched()],
            "first matched maker and the taker both EXPIRED_IN_MATCH",
        ),
        "DECREMENT" | "TRANSFER" => (
            json!(["EXPIRED_IN_MATCH", ZERO, "3.00000000", 2]),
            vec![
                json!(["EXPIRED_IN_MATCH", ZERO, "1.20000000", 0]),
                json!(["EXPIRED_IN_MATCH", ZERO, "1.30000000", 1]),
                json!(["NEW", ZERO, "0.50000000", 2]),
            ],
            if mode == "DECREMENT" {
                "both preventedQuantity += min(remaining); the smaller expires (both if equal); the larger continues"
            } else {
                "only if maker is TRANSFER too (different accounts, same tradeGroupId); otherwise DECREMENT"
            },
        ),
        other => panic!("no such mode: {other}"),
    };
    assert_eq!(result, known, "{mode}: the case says something else now");
    assert_eq!((taker, after), (expected_taker, expected_makers), "{mode}");
}

#[tokio::test]
async fn each_mode_prevents_as_in_the_examples() {
    let cases = cases("stp", "taker_mode");
    assert_eq!(cases.len(), 6);
    assert!(NOT_RUN.iter().any(|(group, mode, _)| (*group, *mode) == ("stp", "TRANSFER")), "half of a case");
    for (mode, case) in &cases {
        run(mode, case).await;
    }
}
