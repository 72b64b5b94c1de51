//! Breakers: pauses, failures in a row, calls under way; and rules in shadow.

use mcp_policy::Outcome::{Failed, NeverSent, Succeeded, Unknown};
use mcp_policy::{Decision, Guard, GuardLimits, Moment, Outcome, Policy, Timestamp};
use serde_json::{Value, json};

use crate::support::{MINUTE, SECOND, admitted, ask, guard, policy};

fn document(rules: &Value) -> Value {
    json!({ "version": "2", "default": "deny",
            "manifest": { "t": { "arguments": ["a"] }, "u": { "arguments": [] } }, "tools": { "t": rules, "u": {} } })
}

#[test]
fn a_pause_after_each_call() {
    let mut guard =
        guard(&document(&json!({ "cooldown": [ { "after": "call", "window": 30, "on_deny": "slowly" } ] })));
    drop(ask("t").allowed(&mut guard, 0));
    let denial = ask("t").denied(&mut guard, 10 * SECOND);
    assert_eq!((denial.rule.as_str(), denial.message.as_str()), ("/tools/t/cooldown/0", "slowly"));
    assert_eq!(denial.retry_after_ms, Some(20 * SECOND));
    drop(ask("t").allowed(&mut guard, 30 * SECOND));
    drop(ask("t").grant("another").allowed(&mut guard, 30 * SECOND));
}

#[test]
fn a_pause_after_a_denial() {
    let rules = json!({ "cooldown": [ { "after": "denial", "window": 30 } ],
                        "require": [ { "path": "args.a", "op": "eq", "value": 1 } ] });
    let mut guard = guard(&document(&rules));
    let good = ask("t").with(json!({ "a": 1 }));
    let bad = ask("t").with(json!({ "a": 2 }));
    drop(good.allowed(&mut guard, 0));
    bad.refused(&mut guard, 0, "/tools/t/require/0", "require_failed");
    let denial = good.denied(&mut guard, 10 * SECOND);
    assert_eq!((denial.rule.as_str(), denial.reason.code()), ("/tools/t/cooldown/0", "cooling_down"));
    assert_eq!(denial.retry_after_ms, Some(20 * SECOND));
    // To be told to wait does not begin the wait anew; to be refused otherwise does.
    drop(good.allowed(&mut guard, 30 * SECOND));
    bad.refused(&mut guard, 30 * SECOND, "/tools/t/require/0", "require_failed");
    bad.refused(&mut guard, 50 * SECOND, "/tools/t/require/0", "require_failed");
    good.refused(&mut guard, 79_999, "/tools/t/cooldown/0", "cooling_down");
    drop(good.allowed(&mut guard, 80 * SECOND));
    drop(good.grant("another").allowed(&mut guard, 80 * SECOND));
}

#[test]
fn whoever_tries_the_doors_of_all_tools_waits() {
    let mut document = document(&json!({ "action": "deny" }));
    document["all_tools"] = json!({ "cooldown": [ { "after": "denial", "window": 60, "scope": "session" } ] });
    let mut guard = guard(&document);
    for tool in ["t", "unlisted"] {
        drop(ask("u").session(tool).allowed(&mut guard, 0));
        assert!(matches!(ask(tool).session(tool).of(&mut guard, 0), Decision::Deny(_)));
        ask("u").session(tool).refused(&mut guard, 1, "/all_tools/cooldown/0", "cooling_down");
    }
    drop(ask("u").session("another").allowed(&mut guard, 1));
}

#[test]
fn failures_in_a_row() {
    let streak = json!([{ "max": 3, "window": 60, "pause": 300 }]);
    let play = |outcomes: &[(u64, Outcome)]| {
        let mut guard = guard(&document(&json!({ "error_streak": streak })));
        for (at, outcome) in outcomes {
            let permit = ask("t").allowed(&mut guard, *at);
            guard.settle(permit, *outcome);
        }
        guard
    };
    let mut open = play(&[(0, Failed), (1, Unknown), (2, Failed)]);
    let denial = ask("t").denied(&mut open, 3);
    assert_eq!((denial.rule.as_str(), denial.reason.code()), ("/tools/t/error_streak/0", "error_streak"));
    assert_eq!(denial.retry_after_ms, Some(299_999));
    drop(ask("u").allowed(&mut open, 3));
    drop(ask("t").grant("another").allowed(&mut open, 3));
    // After the pause three more are needed.
    let permit = ask("t").allowed(&mut open, 300_002);
    open.settle(permit, Failed);
    drop(ask("t").allowed(&mut open, 300_003));

    for closed in [
        &[(0, Failed), (1, Failed), (2, Succeeded), (3, Failed), (4, Failed)][..],
        &[(0, Failed), (1, Failed), (2, NeverSent)],
        &[(0, Failed), (1, Failed), (60_002, Failed)],
    ] {
        drop(ask("t").allowed(&mut play(closed), 60_003));
    }
    drop(ask("t").denied(&mut play(&[(0, Failed), (60_000, Failed), (120_000, Failed)]), 120_001));
}

#[test]
fn calls_under_way() {
    let mut guard = guard(&document(&json!({ "concurrency": [ { "max": 2 }, { "max": 1, "scope": "session" } ] })));
    let first = ask("t").session("1").allowed(&mut guard, 0);
    ask("t").session("1").refused(&mut guard, 0, "/tools/t/concurrency/1", "under_way");
    let second = ask("t").session("2").allowed(&mut guard, 0);
    ask("t").session("3").refused(&mut guard, MINUTE, "/tools/t/concurrency/0", "under_way");
    let mut under_way = vec![first, second];
    // Whatever became of a call, it is no longer under way; and what was dropped is until the end.
    for outcome in [Outcome::NeverSent, Outcome::Succeeded, Outcome::Failed, Outcome::Unknown] {
        guard.settle(under_way.remove(0), outcome);
        under_way.push(ask("t").session(&format!("{outcome:?}")).allowed(&mut guard, 0));
        ask("t").session("3").refused(&mut guard, MINUTE, "/tools/t/concurrency/0", "under_way");
    }
    drop(under_way);
    ask("t").session("3").refused(&mut guard, MINUTE, "/tools/t/concurrency/0", "under_way");
}

#[test]
fn without_room_to_remember_nothing_passes() {
    let document = document(&json!({ "concurrency": [ { "max": 2, "scope": "session" } ] }));
    let mut guard = Guard::with_limits(policy(&document), GuardLimits::default().with_counters_max(2));
    let first = ask("t").session("1").allowed(&mut guard, 0);
    let _second = ask("t").session("2").allowed(&mut guard, 0);
    ask("t").session("3").refused(&mut guard, 0, "/tools/t/concurrency/0", "state_full");
    guard.settle(first, Outcome::Succeeded);
    drop(ask("t").session("3").allowed(&mut guard, 0));
}

#[test]
fn breakers_that_are_refused() {
    for (rules, pointer, message) in [
        (json!({ "cooldown": [ { "window": 30 } ] }), "/tools/t/cooldown/0", "`after` is missing"),
        (
            json!({ "cooldown": [ { "after": "error", "window": 30 } ] }),
            "/tools/t/cooldown/0/after",
            "no cause of a pause",
        ),
        (json!({ "error_streak": [ { "max": 3, "window": 60 } ] }), "/tools/t/error_streak/0", "`pause` is missing"),
        (json!({ "concurrency": [ { "max": 0 } ] }), "/tools/t/concurrency/0/max", "whole number"),
        (json!({ "concurrency": { "max": 1 } }), "/tools/t/concurrency", "is an object"),
        (json!({ "concurrency": [ { "max": 1, "scope": "world" } ] }), "/tools/t/concurrency/0/scope", "no scope"),
        (json!({ "concurrency": [ { "max": 1, "shadow": "yes" } ] }), "/tools/t/concurrency/0/shadow", "is a string"),
    ] {
        let errors = Policy::parse(&document(&rules).to_string()).expect_err("a document that is not valid");
        let found = errors.iter().any(|error| error.pointer() == pointer && error.message().contains(message));
        assert!(found, "no `{message}` at `{pointer}` in:\n{errors}");
    }
}

/// What a call is let through with.
#[track_caller]
fn shadows(guard: &mut Guard, ask: &crate::support::Ask, at: u64) -> Vec<(String, &'static str)> {
    let permit = ask.allowed(guard, at);
    let shadows = permit.shadows().iter().map(|denial| (denial.rule.clone(), denial.reason.code())).collect();
    guard.settle(permit, Outcome::Succeeded);
    shadows
}

#[test]
fn a_rule_in_shadow_is_judged_and_let_through() {
    let rules = json!({
        "deny_if": [ { "conditions": [ { "path": "args.a", "op": "eq", "value": 1 } ], "shadow": true } ],
        "require": [ { "path": "args.a", "op": "lt", "value": 3, "shadow": true }, { "path": "args.a", "op": "lt", "value": 9 } ],
        "limits": [ { "counter": "few", "window": "minute", "max": 2, "shadow": true },
                    { "counter": "more", "window": "minute", "max": 5 } ] });
    let mut guard = guard(&document(&rules));
    let with = |a: Value| ask("t").with(json!({ "a": a }));
    let rule = |rest: &str, reason| (format!("/tools/t/{rest}"), reason);
    assert_eq!(shadows(&mut guard, &with(json!(2)), 0), []);
    assert_eq!(shadows(&mut guard, &with(json!(1)), 0), [rule("deny_if/0", "deny_if_matched")]);
    // The limit in shadow is used up; what it would have refused is not charged to it.
    assert_eq!(
        shadows(&mut guard, &with(json!(5)), 0),
        [rule("require/0", "require_failed"), rule("limits/0", "limit_reached")]
    );
    // What is not in shadow refuses as ever.
    with(json!(9)).refused(&mut guard, 0, "/tools/t/require/1", "require_failed");
    with(json!("x")).refused(&mut guard, 0, "/tools/t/require/1", "unevaluable");
    assert_eq!(admitted(&mut guard, &with(json!(2)), [0, 0, 0]), 2);
    with(json!(2)).refused(&mut guard, 0, "/tools/t/limits/1", "limit_reached");
    // A minute later both have room.
    assert_eq!(shadows(&mut guard, &with(json!(2)), MINUTE), []);
}

#[test]
fn a_limit_in_shadow_counts_as_it_would_be() {
    let limit = |shadow: bool| {
        guard(&document(&json!({ "limits": [ { "counter": "c", "window": "minute", "max": 3, "shadow": shadow } ] })))
    };
    let (mut shadow, mut enforced) = (limit(true), limit(false));
    for at in (0..200).map(|n| n * 7 * SECOND) {
        let would_pass = shadows(&mut shadow, &ask("t"), at).is_empty();
        assert_eq!(would_pass, admitted(&mut enforced, &ask("t"), [at]) == 1, "at {at}");
    }
}

#[test]
fn breakers_and_pauses_in_shadow_are_let_through() {
    let rules = json!({ "concurrency": [ { "max": 1, "shadow": true } ], "cooldown": [ { "after": "call", "window": 30, "shadow": true } ] });
    let mut guard = guard(&document(&rules));
    let _under_way = ask("t").allowed(&mut guard, 0);
    let said: Vec<_> = ask("t").allowed(&mut guard, 0).shadows().iter().map(|denial| denial.reason.code()).collect();
    assert_eq!(said, ["under_way", "limit_reached"]);
}

#[test]
fn a_policy_in_shadow_lets_everything_through_and_says_what_it_would_have_been() {
    let mut document = document(&json!({ "action": "require_approval" }));
    document["hide"] = json!(["u"]);
    document["shadow"] = json!(true);
    let in_shadow = policy(&document);
    assert_eq!(
        in_shadow.warnings().iter().map(mcp_policy::Warning::code).collect::<Vec<_>>(),
        ["hidden_and_configured", "in_shadow"]
    );
    let mut guard = Guard::new(in_shadow);
    for (tool, rule, reason) in [
        ("u", "(hidden)", "hidden"),
        ("unlisted", "(default deny)", "unlisted"),
        ("t", "/tools/t/action", "approval_required"),
    ] {
        assert!(guard.visible(tool));
        assert_eq!(shadows(&mut guard, &ask(tool), 0), [(rule.to_owned(), reason)]);
        assert_eq!(ask(tool).allowed(&mut guard, 0).rule(), "/shadow");
        // The kill switch is no rule of the policy.
        let halted = Moment::new(Timestamp::from_millis(0)).halted(true);
        assert_eq!(ask(tool).denied_at(&mut guard, halted).reason.code(), "halted");
    }
    // Never by default, and never by mistake.
    document["shadow"] = json!(false);
    ask("unlisted").refused(&mut crate::support::guard(&document), 0, "(default deny)", "unlisted");
    document["shadow"] = json!("true");
    assert!(Policy::parse(&document.to_string()).is_err());
}
