//! The order in which rules are asked: one test for each line of the comment above `judge`. Each sets line n against
//! all later ones at once, so that swapping two lines fails a test.

use mcp_policy::{Decision, Guard, GuardLimits, Moment, Timestamp};
use serde_json::{Value, json};

use crate::support::{ask, guard, policy};

/// A document of which every line applies to the call of [`everything`], from `line` on.
fn from(line: usize) -> Value {
    let applies = |n: usize| n >= line;
    let mut rules = serde_json::Map::new();
    if applies(13) {
        rules.insert("action".to_owned(), json!("require_approval"));
    }
    if applies(5) && line <= 5 {
        rules.insert("action".to_owned(), json!("deny"));
    }
    if line <= 7 {
        rules.insert(
            "deny_if".to_owned(),
            json!([ { "conditions": [ { "path": "args.a", "op": "eq", "value": 1 } ] } ]),
        );
    }
    if line <= 8 {
        rules.insert("require".to_owned(), json!([ { "path": "args.a", "op": "eq", "value": 2 } ]));
    }
    let max = u64::from(line > 11);
    rules.insert("limits".to_owned(), json!([ { "counter": "own", "window": "minute", "max": max } ]));
    let mut document = json!({ "version": "1", "default": "deny",
        "all_tools": { "limits": [ { "counter": "all", "window": "minute", "max": max } ] },
        "tools": { "t": rules } });
    if line <= 2 {
        document["hide"] = json!(["t"]);
    }
    document
}

/// A call to which every line applies; without the ambiguous key it is one to which line 6 does not.
fn everything(line: usize) -> crate::support::Ask {
    let arguments = if line <= 6 { json!({ "a": 1, "A": 1 }) } else { json!({ "a": 1 }) };
    ask("t").with(arguments)
}

#[track_caller]
fn check(line: usize, rule: &str, reason: &str) {
    // No room for any counter, so that line 12 applies wherever limits do.
    let mut guard = Guard::with_limits(policy(&from(line)), GuardLimits::default().with_counters_max(0));
    everything(line).refused(&mut guard, 0, rule, reason);
}

#[test]
fn line_1_the_kill_switch() {
    let mut document = from(2);
    document["version"] = json!("2");
    document["manifest"] = json!({ "t": { "arguments": ["a"] }, "safe": { "arguments": [] } });
    document["tools"]["safe"] = json!({});
    document["safety_tools"] = json!(["safe"]);
    let mut guard = guard(&document);
    for tool in ["t", "T", "unlisted"] {
        let denial =
            everything(2).named(tool).denied_at(&mut guard, Moment::new(Timestamp::from_millis(0)).halted(true));
        assert_eq!((denial.rule.as_str(), denial.reason.code()), ("(halted)", "halted"));
    }
    // What is safe is judged as ever.
    let halted = Moment::new(Timestamp::from_millis(0)).halted(true);
    assert_eq!(ask("safe").denied_at(&mut guard, halted).rule, "/all_tools/limits/0");
    everything(2).refused(&mut guard, 0, "(hidden)", "hidden");
}

#[test]
fn line_2_hidden() {
    check(2, "(hidden)", "hidden");
}

#[test]
fn line_3_unlisted_under_default_deny() {
    let mut document = from(4);
    document["tools"] = json!({ "T": {} });
    // Nothing but the all-tools limit could apply to an unlisted tool, and it is not asked; nor is the name's
    // likeness to a listed one, which is moot.
    ask("t").refused(&mut guard(&document), 0, "(default deny)", "unlisted");
}

#[test]
fn line_4_a_name_like_one_that_the_policy_names() {
    let document = json!({ "version": "1", "default": "allow", "hide": ["bn_withdraw"],
        "all_tools": { "limits": [ { "counter": "all", "window": "minute", "max": 0 } ] },
        "tools": { "bn_new_order": { "action": "deny" } } });
    let mut guard = guard(&document);
    for tool in ["BN_NEW_ORDER", "bn_new_order ", "\tbn_new_order", "bn_new_order\0", "Bn_Withdraw", "bn_withdraw\n"] {
        ask(tool).refused(&mut guard, 0, "/default", "ambiguous_tool");
        assert!(!guard.visible(tool));
    }
    ask("bn_new_orders").refused(&mut guard, 0, "/all_tools/limits/0", "limit_reached");
}

#[test]
fn line_5_action_deny() {
    check(5, "/tools/t/action", "action_denied");
}

#[test]
fn line_6_ambiguous_argument() {
    check(6, "/tools/t", "ambiguous_argument");
}

#[test]
fn line_7_deny_if() {
    check(7, "/tools/t/deny_if/0", "deny_if_matched");
}

#[test]
fn line_7_the_first_deny_if_that_matches_or_cannot_be_evaluated() {
    let deny_if = |conditions: Value| json!({ "conditions": conditions });
    let unevaluable = deny_if(json!([ { "path": "args.missing", "op": "eq", "value": 1 } ]));
    let no_match = deny_if(json!([ { "path": "args.a", "op": "eq", "value": 2 } ]));
    let matches = deny_if(json!([ { "path": "args.a", "op": "eq", "value": 1 } ]));
    for (rules, rule, reason) in [
        (json!([no_match, matches, unevaluable]), "/tools/t/deny_if/1", "deny_if_matched"),
        (json!([no_match, unevaluable, matches]), "/tools/t/deny_if/1", "unevaluable"),
    ] {
        let mut document = from(8);
        document["tools"]["t"]["deny_if"] = rules;
        ask("t").with(json!({ "a": 1 })).refused(&mut guard(&document), 0, rule, reason);
    }
}

#[test]
fn line_8_require() {
    check(8, "/tools/t/require/0", "require_failed");
}

#[test]
fn line_8_the_first_require_that_does_not_hold_or_cannot_be_evaluated() {
    let holds = json!({ "path": "args.a", "op": "eq", "value": 1 });
    let fails = json!({ "path": "args.a", "op": "eq", "value": 2 });
    let unevaluable = json!({ "path": "args.missing", "op": "eq", "value": 1 });
    for (rules, rule, reason) in [
        (json!([holds, fails, unevaluable]), "/tools/t/require/1", "require_failed"),
        (json!([holds, unevaluable, fails]), "/tools/t/require/1", "unevaluable"),
    ] {
        let mut document = from(11);
        document["tools"]["t"]["require"] = rules;
        ask("t").with(json!({ "a": 1 })).refused(&mut guard(&document), 0, rule, reason);
    }
}

/// A tool to whose calls lines 9 and 10 apply, and everything after them.
fn what_went_before(prior: bool) -> Value {
    let mut rules = json!({ "action": "require_approval", "concurrency": [ { "max": 1 } ],
        "limits": [ { "counter": "own", "window": "minute", "max": 0 } ] });
    if prior {
        rules["requires_prior"] = json!([{ "tool": "u", "within": 60 }]);
    }
    json!({ "version": "2", "default": "deny", "tools": { "t": rules, "u": { "concurrency": [ { "max": 1 } ] } },
        "manifest": { "t": { "arguments": [] }, "u": { "arguments": [] } },
        "all_tools": { "concurrency": [ { "max": 1 } ], "limits": [ { "counter": "all", "window": "minute", "max": 1 } ] } })
}

#[test]
fn line_9_what_went_before() {
    let mut guard = guard(&what_went_before(true));
    let _under_way = ask("u").allowed(&mut guard, 0);
    ask("t").refused(&mut guard, 0, "/tools/t/requires_prior/0", "prior_missing");
}

#[test]
fn line_10_the_breakers_of_all_tools_before_the_tools_own() {
    let mut document = what_went_before(false);
    let _under_way = ask("u").allowed(&mut guard(&document), 0);
    let mut all = guard(&document);
    let _under_way = ask("u").allowed(&mut all, 0);
    ask("t").refused(&mut all, 0, "/all_tools/concurrency/0", "under_way");
    ask("u").refused(&mut all, 0, "/all_tools/concurrency/0", "under_way");
    document["all_tools"]["concurrency"] = json!([]);
    let mut own = guard(&document);
    let _under_way = ask("u").allowed(&mut own, 0);
    ask("u").refused(&mut own, 0, "/tools/u/concurrency/0", "under_way");
}

#[test]
fn line_11_the_limits_of_all_tools_before_the_tools_own() {
    check(11, "/all_tools/limits/0", "limit_reached");
    let mut document = from(11);
    document["all_tools"]["limits"][0]["max"] = json!(1);
    let mut guard = Guard::with_limits(policy(&document), GuardLimits::default().with_counters_max(0));
    everything(11).refused(&mut guard, 0, "/tools/t/limits/0", "limit_reached");
}

#[test]
fn line_12_no_room_for_a_counter() {
    check(12, "/all_tools/limits/0", "state_full");
}

#[test]
fn line_13_approval_is_asked_for_after_every_hard_check_and_not_charged() {
    let mut guard = guard(&from(13));
    for _ in 0..5 {
        assert_eq!(everything(13).escalated(&mut guard, 0).rule, "/tools/t/action");
    }
    assert_eq!(guard.counters(), 0);
}

#[test]
fn line_14_every_limit_is_charged_in_one_step() {
    let mut document = from(13);
    document["tools"]["t"]["action"] = json!("allow");
    let mut guard = guard(&document);
    assert!(matches!(everything(14).of(&mut guard, 0), Decision::Allow(_)));
    assert_eq!(guard.counters(), 2);
    everything(14).refused(&mut guard, 0, "/all_tools/limits/0", "limit_reached");
}

#[test]
fn a_tool_is_visible_exactly_when_arguments_could_let_it_pass() {
    let guard = guard(&json!({ "version": "1", "default": "deny", "hide": ["hidden"], "tools": {
        "listed": {}, "denied": { "action": "deny" }, "asked": { "action": "require_approval" }, "hidden": {} } }));
    let visible: Vec<&str> = ["listed", "denied", "asked", "hidden", "unlisted", "LISTED", ""]
        .into_iter()
        .filter(|tool| guard.visible(tool))
        .collect();
    assert_eq!(visible, ["listed", "asked"]);
}
