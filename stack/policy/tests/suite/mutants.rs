//! Each deliberate defect changes what it says, and nothing else notices the feature.

use mcp_policy::{Decision, Guard, Moment, Mutation, Outcome, Timestamp};
use serde_json::{Value, json};

use crate::desk::{about, desk, order, placed};
use crate::support::{Ask, MINUTE, admitted, ask, policy, tool};

/// Runs `play` against an honest guard and against the mutant.
#[track_caller]
fn check<T: PartialEq + std::fmt::Debug>(
    mutation: Mutation,
    document: &Value,
    honest: &T,
    mutated: &T,
    play: impl Fn(&mut Guard) -> T,
) {
    assert_ne!(honest, mutated, "a mutation makes a difference");
    assert_eq!(&play(&mut Guard::new(policy(document))), honest, "an honest guard");
    assert_eq!(&play(&mut Guard::mutant(policy(document), mutation)), mutated, "{mutation}");
}

fn passes(ask: &Ask) -> impl Fn(&mut Guard) -> bool {
    move |guard| matches!(ask.of(guard, 0), Decision::Allow(_))
}

fn one_a_minute() -> Value {
    tool(&json!({ "limits": [ { "counter": "c", "window": "minute", "max": 1 } ] }))
}

#[test]
fn admit_everything() {
    let document = json!({ "version": "1", "default": "deny", "hide": ["h"], "tools": { "t": { "action": "deny" } } });
    for tool in ["t", "h", "unlisted"] {
        check(Mutation::AdmitEverything, &document, &false, &true, passes(&ask(tool)));
    }
}

#[test]
fn ignore_deny_if() {
    let document = tool(&json!({ "deny_if": [ { "conditions": [] } ] }));
    check(Mutation::IgnoreDenyIf, &document, &false, &true, passes(&ask("t")));
}

#[test]
fn ignore_require() {
    let document = tool(&json!({ "require": [ { "path": "args.a", "op": "exists" } ] }));
    check(Mutation::IgnoreRequire, &document, &false, &true, passes(&ask("t")));
}

#[test]
fn hidden_tools_callable() {
    for hide in [json!(["t"]), json!(["*"])] {
        let document = json!({ "version": "1", "default": "deny", "hide": hide });
        check(Mutation::HiddenToolsCallable, &document, &false, &true, passes(&ask("t")));
        // They stay out of the list, which is why nobody sees the defect there.
        assert!(!Guard::mutant(policy(&document), Mutation::HiddenToolsCallable).visible("t"));
    }
}

#[test]
fn limit_off_by_one() {
    check(Mutation::LimitOffByOne, &one_a_minute(), &1, &2, |guard| admitted(guard, &ask("t"), [0; 5]));
}

#[test]
fn limit_never_charges() {
    check(Mutation::LimitNeverCharges, &one_a_minute(), &1, &5, |guard| admitted(guard, &ask("t"), [0; 5]));
}

#[test]
fn calendar_window() {
    let across_an_edge = [MINUTE - 1, MINUTE - 1, MINUTE, MINUTE];
    check(Mutation::CalendarWindow, &one_a_minute(), &1, &2, |guard| admitted(guard, &ask("t"), across_an_edge));
    // Within one calendar minute it counts like an honest guard.
    let mut mutant = Guard::mutant(policy(&one_a_minute()), Mutation::CalendarWindow);
    assert_eq!(admitted(&mut mutant, &ask("t"), [0, 1, MINUTE - 1]), 1);
}

/// Calls that all end so, of which one a minute may be made.
#[track_caller]
fn refunds(mutation: Mutation, outcome: Outcome) {
    check(mutation, &one_a_minute(), &1, &5, |guard| {
        (0..5)
            .filter(|_| match ask("t").of(guard, 0) {
                Decision::Allow(permit) => {
                    guard.settle(permit, outcome);
                    true
                }
                _ => false,
            })
            .count()
    });
}

#[test]
fn refund_failed() {
    refunds(Mutation::RefundFailed, Outcome::Failed);
}

#[test]
fn session_scope_only() {
    check(Mutation::SessionScopeOnly, &one_a_minute(), &1, &5, |guard| {
        (0..5).map(|n| admitted(guard, &ask("t").session(&n.to_string()), [0])).sum()
    });
}

#[test]
fn lexicographic_compare() {
    let document =
        tool(&json!({ "deny_if": [ { "conditions": [ { "path": "args.q", "op": "gt", "value": "9" } ] } ] }));
    check(Mutation::LexicographicCompare, &document, &false, &true, passes(&ask("t").with(json!({ "q": "10" }))));
}

#[test]
fn ignore_kill_switch() {
    let halted = Moment::new(Timestamp::from_millis(0)).halted(true);
    check(Mutation::IgnoreKillSwitch, &one_a_minute(), &false, &true, |guard| {
        matches!(ask("t").at(guard, halted), Decision::Allow(_))
    });
}

#[test]
fn ignore_sequences() {
    let tools = json!({ "bn_cancel_order": { "own_orders_only": true } });
    check(Mutation::IgnoreSequences, &desk(&tools), &false, &true, passes(&about("bn_cancel_order", 7)));
}

#[test]
fn ignore_breakers() {
    let document = json!({ "version": "2", "default": "deny", "manifest": { "t": { "arguments": [] } },
        "tools": { "t": { "concurrency": [ { "max": 1 } ] } } });
    check(Mutation::IgnoreBreakers, &document, &1, &5, |guard| admitted(guard, &ask("t"), [0; 5]));
}

#[test]
fn refund_unknown() {
    refunds(Mutation::RefundUnknown, Outcome::Unknown);
}

#[test]
fn grant_scope_only() {
    let document = json!({ "version": "2", "default": "deny", "manifest": { "t": { "arguments": [] } },
        "tools": { "t": { "limits": [ { "counter": "c", "window": "minute", "max": 1, "scope": "organisation" } ] } } });
    check(Mutation::GrantScopeOnly, &document, &1, &5, |guard| {
        (0..5).map(|n| admitted(guard, &ask("t").grant(&n.to_string()), [0])).sum()
    });
}

#[test]
fn approval_is_enough() {
    let approved = Moment::new(Timestamp::from_millis(0)).approved(true);
    let document = tool(&json!({ "action": "require_approval", "require": [ { "path": "args.a", "op": "exists" } ] }));
    check(Mutation::ApprovalIsEnough, &document, &false, &true, |guard| {
        matches!(ask("t").at(guard, approved), Decision::Allow(_))
    });
}

#[test]
fn grants_share_orders() {
    let tools = json!({ "bn_new_order": {}, "bn_cancel_order": { "own_orders_only": true } });
    check(Mutation::GrantsShareOrders, &desk(&tools), &false, &true, |guard| {
        placed(guard, &order(&json!({})), 0, 7);
        matches!(about("bn_cancel_order", 7).grant("other").of(guard, 1), Decision::Allow(_))
    });
}

#[test]
fn float_compare() {
    let document =
        tool(&json!({ "deny_if": [ { "conditions": [ { "path": "args.q", "op": "gt", "value": "5000000" } ] } ] }));
    let over = ask("t").with(json!({ "q": "5000000.01" }));
    check(Mutation::FloatCompare, &document, &false, &true, passes(&over));
}

#[test]
fn every_mutation_has_a_name_that_finds_it() {
    for mutation in Mutation::ALL {
        assert_eq!(mutation.name().parse(), Ok(mutation));
    }
    let error = "no-such".parse::<Mutation>().unwrap_err().to_string();
    assert!(error.starts_with("no mutation is called `no-such`: use one of admit-everything, "), "{error}");
}
