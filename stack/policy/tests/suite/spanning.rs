//! What spans grants holds for calls that another policy judges, and nothing else of the policy does.

use mcp_policy::{Call, Decision, Guard, Moment, Outcome, Permit, Reason, Timestamp};
use serde_json::{Value, json};

use crate::support::{Ask, MINUTE, ask, guard, policy};

/// By a policy that judges others: what it denies and hides is not asked, what it counts for all is.
fn elsewhere(guard: &mut Guard, ask: &Ask, now: u64, halted: bool) -> Result<Permit, Reason> {
    let call = Call { tool: &ask.tool, arguments: &ask.arguments, grant: &ask.grant, session: &ask.session };
    guard.admit_spanning(&call, Moment::new(Timestamp::from_millis(now)).halted(halted)).map_err(|denial| denial.reason)
}

fn document(tools: &Value) -> Value {
    let mut tools = tools.clone();
    tools["bn_cancel_order"] = json!({});
    json!({ "version": "2", "default": "deny", "manifest": "binance-mcp", "safety_tools": ["bn_cancel_order"],
            "references": { "BTCUSDT": "50000" }, "tools": tools })
}

fn order(quantity: &str) -> Ask {
    ask("bn_new_order")
        .grant("own")
        .with(json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": quantity, "price": "50000",
                "timeInForce": "GTC" }))
}

#[test]
fn a_budget_of_all_grants_counts_what_another_policy_lets_through_and_refuses_it() {
    let budget =
        json!({ "counter": "turnover", "window": "day", "of": "facts.notional", "max": "100", "scope": "server" });
    let of_grant = json!({ "counter": "few", "window": "day", "max": 1 });
    let mut guard = guard(&document(&json!({ "bn_new_order": {
        "limits": [budget, of_grant], "deny_if": [{ "conditions": [{ "path": "args.quantity", "op": "exists", "value": true }] }] } })));
    // What the policy denies its own grants it does not deny here, and a grant's own limit is not charged.
    let first = elsewhere(&mut guard, &order("0.001"), 0, false).unwrap();
    let _ = elsewhere(&mut guard, &order("0.001"), 1, false).unwrap();
    assert_eq!(elsewhere(&mut guard, &order("0.001"), 2, false).unwrap_err(), Reason::LimitReached);
    assert!(
        matches!(order("0.001").of(&mut guard, 3), Decision::Deny(denial) if denial.reason == Reason::DenyIfMatched)
    );
    guard.settle(first, Outcome::NeverSent);
    let _ = elsewhere(&mut guard, &order("0.001"), 4, false).unwrap();
    // What cannot be counted does not pass.
    let unknown = order("0.0001").with(json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "made_up": "1" }));
    assert_eq!(elsewhere(&mut guard, &unknown, 5, false).unwrap_err(), Reason::UndeclaredArgument);
    // Nothing of a tool that counts for nobody together.
    let _ = elsewhere(&mut guard, &ask("bn_made_up"), 6, false).unwrap();
}

#[test]
fn both_policies_calls_use_up_one_limit() {
    let limit = json!([{ "counter": "all", "window": "day", "max": 2, "scope": "organisation" }]);
    let mut guard = guard(&document(&json!({ "bn_ping": { "limits": limit } })));
    assert!(matches!(ask("bn_ping").of(&mut guard, 0), Decision::Allow(_)));
    let _ = elsewhere(&mut guard, &ask("bn_ping").grant("own"), 1, false).unwrap();
    assert!(matches!(ask("bn_ping").of(&mut guard, 2), Decision::Deny(_)));
    assert_eq!(elsewhere(&mut guard, &ask("bn_ping").grant("own"), 3, false).unwrap_err(), Reason::LimitReached);
}

#[test]
fn breakers_of_all_grants_see_the_calls_of_others_and_stop_them() {
    let tools = json!({ "bn_ping": {
        "error_streak": [{ "max": 2, "window": "minute", "pause": "minute", "scope": "server" }],
        "cooldown": [{ "after": "denial", "window": 5, "scope": "organisation" }] } });
    let mut guard = guard(&document(&tools));
    let own = ask("bn_ping").grant("own");
    for now in 0..2 {
        let permit = elsewhere(&mut guard, &own, now, false).unwrap();
        guard.settle(permit, Outcome::Failed);
    }
    assert_eq!(elsewhere(&mut guard, &own, 2, false).unwrap_err(), Reason::ErrorStreak);
    assert!(
        matches!(ask("bn_ping").of(&mut guard, 3), Decision::Deny(denial) if denial.reason != Reason::LimitReached)
    );
    let _ = elsewhere(&mut guard, &own, 2 * MINUTE, false).unwrap();
    // A denial by the other policy begins the pause of all.
    let call = Call { tool: "bn_ping", arguments: &own.arguments, grant: "own", session: "s" };
    guard.denied_elsewhere(&call, Reason::DenyIfMatched);
    assert!(
        matches!(ask("bn_ping").of(&mut guard, 2 * MINUTE + 1), Decision::Deny(denial) if denial.reason == Reason::CoolingDown)
    );
    assert_eq!(elsewhere(&mut guard, &own, 2 * MINUTE + 1, false).unwrap_err(), Reason::CoolingDown);
}

#[test]
fn the_kill_switch_stops_what_is_no_safety_tool_here() {
    let mut guard = guard(&document(&json!({ "bn_ping": {}, "bn_cancel_order": {} })));
    assert_eq!(elsewhere(&mut guard, &ask("bn_ping"), 0, true).unwrap_err(), Reason::Halted);
    let _ = elsewhere(&mut guard, &ask("bn_cancel_order"), 0, true).unwrap();
    assert_eq!(
        elsewhere(&mut Guard::without_policy(), &ask("bn_cancel_order"), 0, false).unwrap_err(),
        Reason::NoPolicy
    );
}

#[test]
fn the_rules_that_span_grants_are_named() {
    let limit = |name: &str, scope: &str| json!({ "counter": name, "window": "day", "max": 2, "scope": scope });
    let document = document(&json!({
        "bn_ping": { "limits": [limit("a", "grant"), limit("b", "server"), limit("c", "session"), limit("d", "organisation")],
                     "cooldown": [{ "after": "call", "window": 2, "scope": "server" }],
                     "concurrency": [{ "max": 1 }, { "max": 2, "scope": "server" }] } }));
    assert_eq!(
        policy(&document).spanning_rules(),
        [
            "/tools/bn_ping/limits/1",
            "/tools/bn_ping/limits/3",
            "/tools/bn_ping/cooldown/0",
            "/tools/bn_ping/concurrency/1"
        ]
    );
}
