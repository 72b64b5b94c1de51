//! What the gateway enforces while it is measured.

use mcp_policy::strict;
use serde_json::{Value, json};

use crate::Outcome;

/// The policy that a careful desk signs.
const SHIPPED: &str = include_str!("../../../../scenarios/policies/binance.json");
/// Out of the reach of every run.
const PLENTY: u64 = 1_000_000_000;

/// The shipped policy, rule by rule, with limits that nobody meets: what is measured is the way through, not the refusal.
pub fn full() -> Outcome<String> {
    let mut policy = strict::parse(SHIPPED.as_bytes(), strict::Limits::default().with_comments())?;
    raise(&mut policy);
    Ok(policy.to_string())
}

fn raise(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), &*value) {
                    ("max", Value::Number(_)) => *value = json!(PLENTY),
                    ("max", Value::String(_)) => *value = json!(PLENTY.to_string()),
                    _ => raise(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(raise),
        _ => {}
    }
}

/// For arguments that no tool of an exchange takes.
pub fn of_echo() -> String {
    let limits = json!([{ "counter": "calls", "window": "minute", "max": PLENTY, "scope": "grant" }]);
    json!({ "version": "1", "default": "deny", "tools": { "echo": { "limits": limits } } }).to_string()
}
