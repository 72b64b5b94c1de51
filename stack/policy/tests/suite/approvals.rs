//! `approve_if`, and what an approval lifts: the question alone.

use mcp_policy::{Decision, Moment, Policy, Reason, Timestamp};
use serde_json::{Value, json};

use crate::support::{Ask, ask, guard, policy};

fn desk(rules: &Value) -> Value {
    json!({ "version": "2", "default": "deny", "manifest": "binance-mcp", "references": { "BTCUSDT": "75000" },
            "safety_tools": [], "tools": { "bn_new_order": rules } })
}

fn order(quantity: &str) -> Ask {
    ask("bn_new_order").with(json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                                     "quantity": quantity, "price": "60000" }))
}

fn approved(now: u64) -> Moment {
    Moment::new(Timestamp::from_millis(now)).approved(true)
}

fn above(limit: &str) -> Value {
    json!([{ "conditions": [{ "path": "facts.notional", "op": "gt", "value": limit }], "on_deny": "a large order" }])
}

#[test]
fn a_rule_that_matches_asks_and_others_do_not() {
    let mut guard = guard(&desk(&json!({ "approve_if": above("500") })));
    let _ = order("0.001").allowed(&mut guard, 0);
    let escalation = order("0.01").escalated(&mut guard, 1);
    assert_eq!(
        (escalation.rule.as_str(), escalation.message.as_str()),
        ("/tools/bn_new_order/approve_if/0", "a large order")
    );
    assert!(matches!(order("0.01").at(&mut guard, approved(2)), Decision::Allow(_)));
    // The next needs its own.
    order("0.01").escalated(&mut guard, 3);
}

#[test]
fn what_cannot_be_evaluated_is_denied_and_no_approval_lifts_it() {
    let mut guard = guard(&desk(&json!({ "approve_if": above("500") })));
    let odd = order("1e-3");
    assert_eq!(odd.denied(&mut guard, 0).reason, Reason::Unevaluable);
    assert_eq!(odd.denied_at(&mut guard, approved(1)).reason, Reason::Unevaluable);
}

#[test]
fn an_approval_lifts_no_hard_cap() {
    let condition = |path: &str, op: &str, value: &str| json!([{ "path": path, "op": op, "value": value }]);
    let rules = json!({
        "action": "require_approval",
        "require": condition("facts.notional", "lte", "3000"),
        "deny_if": [{ "conditions": condition("args.side", "eq", "SELL") }],
        "limits": [{ "counter": "turnover", "window": "day", "of": "facts.notional", "max": "1000" }],
    });
    let mut guard = guard(&desk(&rules));
    assert_eq!(order("0.1").denied_at(&mut guard, approved(0)).reason, Reason::RequireFailed);
    let mut sale = order("0.01");
    sale.arguments.insert("side".into(), json!("SELL"));
    assert_eq!(sale.denied_at(&mut guard, approved(0)).reason, Reason::DenyIfMatched);
    assert_eq!(order("0.02").denied_at(&mut guard, approved(0)).reason, Reason::LimitReached);
    // Asking charges nothing, passing does.
    order("0.01").escalated(&mut guard, 1);
    assert!(matches!(order("0.01").at(&mut guard, approved(2)), Decision::Allow(_)));
    assert_eq!(order("0.01").denied_at(&mut guard, approved(3)).reason, Reason::LimitReached);
    let halted = approved(4).halted(true);
    assert_eq!(order("0.001").denied_at(&mut guard, halted).reason, Reason::Halted);
}

#[test]
fn a_rule_in_shadow_asks_nobody_and_is_taken_down() {
    let mut rule = above("500");
    rule[0]["shadow"] = json!(true);
    let permit = order("0.01").allowed(&mut guard(&desk(&json!({ "approve_if": rule }))), 0);
    assert_eq!(permit.shadows()[0].reason, Reason::ApprovalRequired);
}

#[test]
fn only_version_2_has_it() {
    policy(&desk(&json!({ "approve_if": [] })));
    let old = json!({ "version": "1", "default": "deny", "tools": { "bn_ping": { "approve_if": [] } } }).to_string();
    assert!(Policy::parse(&old).unwrap_err().to_string().contains("unknown key `approve_if`"));
}
