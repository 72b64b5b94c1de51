//! Trailing stops: the trade that sets an order off, and none before it.

use serde_json::Value;

use super::{asked, cases, market, order};

async fn run(id: &str, case: &Value) {
    let text = |key: &str| case[key].as_str().unwrap().to_owned();
    // One case has no trades of its own, only that it starts at once and needs 7 % down from the highest.
    let (trades, triggers_at): (Vec<String>, String) = if let Some(trades) = case["trades"].as_array() {
        (trades.iter().map(ToString::to_string).collect(), case["triggers_at"].to_string())
    } else {
        let note = "starts tracking once placed (40000): a 7% drop from the running maximum triggers";
        assert_eq!(case["note"], note, "{id}");
        (["40000", "41000", "38200", "43000", "40000", "39990"].map(str::to_owned).to_vec(), "39990".to_owned())
    };
    let bench = market(&trades[0], |builder| builder).await;
    let go = |price: &str| bench.mock.move_market("BTCUSDT", price.parse().unwrap()).unwrap();
    go(&trades[0]);
    let stop = if case["stopPrice"].is_null() { String::new() } else { format!("&stopPrice={}", case["stopPrice"]) };
    let (delta, price) = (&case["trailingDelta"], &case["price"]);
    let rest = format!("timeInForce=GTC&quantity=0.01&price={price}&trailingDelta={delta}{stop}");
    let placed = order(&bench, 0, &text("side"), &text("type"), &rest).await.ok();
    let mut set_off = Vec::new();
    for trade in &trades[1..] {
        go(trade);
        let now = asked(&bench, &placed).await;
        if now["isWorking"] == true {
            set_off.push(trade.clone());
        }
    }
    assert_eq!(set_off, [triggers_at], "{id}");
    let now = asked(&bench, &placed).await;
    let limit: Value = case.get("limit").unwrap_or(&case["price"]).clone();
    assert_eq!(now["price"], format!("{limit}.00000000"), "{id}");
}

#[tokio::test]
async fn trailing_stops_are_set_off_as_in_the_examples() {
    let cases = cases("trailing_stop", "id");
    assert_eq!(cases.len(), 5);
    for (id, case) in &cases {
        run(id, case).await;
    }
}
