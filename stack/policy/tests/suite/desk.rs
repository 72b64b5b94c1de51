//! A desk over the shipped manifest, and the answers of its server, for the suites of rules that learn from results.

use mcp_policy::{Guard, Outcome, Permit, Settlement};
use serde_json::{Value, json};

use crate::support::{Ask, ask};

/// A document over the shipped manifest with these tools.
pub(crate) fn desk(tools: &Value) -> Value {
    json!({ "version": "2", "default": "deny", "manifest": "binance-mcp",
            "references": { "BTCUSDT": "75000", "ETHUSDT": "4000" },
            "assets": { "BTCUSDT": { "base": "BTC", "quote": "USDT" }, "ETHUSDT": { "base": "ETH", "quote": "USDT" } },
            "tools": tools })
}

/// A limit order to buy a hundredth of a bitcoin, with changes; `null` takes an argument away.
pub(crate) fn order(changes: &Value) -> Ask {
    let mut order = json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                            "quantity": "0.01", "price": "60000.00" });
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => order.as_object_mut().unwrap().remove(key),
            value => order.as_object_mut().unwrap().insert(key.clone(), value.clone()),
        };
    }
    ask("bn_new_order").with(order)
}

/// What the server answers of an order.
pub(crate) fn told(id: u64, status: &str, filled: &str) -> Value {
    json!({ "symbol": "BTCUSDT", "orderId": id, "clientOrderId": format!("own-{id}"), "status": status,
            "executedQty": filled, "origClientOrderId": format!("own-{id}") })
}

pub(crate) fn succeeds(guard: &mut Guard, permit: Permit, value: &Value) {
    guard.settle(permit, Settlement::new(Outcome::Succeeded).with_value(value));
}

/// The server says that it has done nothing.
pub(crate) fn is_refused(guard: &mut Guard, permit: Permit) {
    let value = json!({ "error": { "outcomeUnknown": false, "code": -2010 } });
    guard.settle(permit, Settlement::new(Outcome::Failed).with_value(&value));
}

/// Places an order that the server answers with `id`.
#[track_caller]
pub(crate) fn placed(guard: &mut Guard, ask: &Ask, at: u64, id: u64) {
    let permit = ask.allowed(guard, at);
    assert!(permit.wants_value());
    let mut value = told(id, "NEW", "0.00000000");
    value["symbol"] = ask.arguments["symbol"].clone();
    succeeds(guard, permit, &value);
}

/// Asks `tool` about the order `id`.
pub(crate) fn about(tool: &str, id: u64) -> Ask {
    ask(tool).with(json!({ "symbol": "BTCUSDT", "orderId": id }))
}
