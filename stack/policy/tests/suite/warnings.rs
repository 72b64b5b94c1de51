//! What a valid document says in vain.

use mcp_policy::Policy;
use serde_json::{Value, json};

use crate::support::{listing, policy, tool};

/// Checks that `document` is warned about exactly as `expected`: code and pointer, in the order of the text.
#[track_caller]
fn check(document: &Value, expected: &[(&str, &str)]) {
    let policy = policy(document);
    let found: Vec<(&str, &str)> =
        policy.warnings().iter().map(|warning| (warning.code(), warning.pointer())).collect();
    assert_eq!(found, expected, "{:#?}\n{document:#}", policy.warnings());
}

/// One `deny_if` of `conditions` on the tool `t`, beside a tool that passes.
fn refusing(conditions: &Value) -> Value {
    tool(&json!({ "deny_if": [ { "conditions": conditions } ] }))
}

fn requiring(require: &Value) -> Value {
    listing(&json!({ "t": { "require": require }, "u": {} }))
}

#[test]
fn a_warning_shows_its_place() {
    let source =
        "{ \"version\": \"1\", \"default\": \"deny\", \"hide\": [\"t\"],\n  \"tools\": {\n    \"t\": {}, \"u\": {} } }";
    let policy = Policy::parse(source).unwrap();
    let shown: Vec<String> = policy.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["line 3, column 5 at `/tools/t`: the tool is hidden, so that none of this ever applies"]);
}

#[test]
fn hidden_tools_need_no_rules() {
    let mut document = listing(&json!({ "t": { "require": [] }, "u": {} }));
    document["hide"] = json!(["t", "t"]);
    check(&document, &[("hidden_and_configured", "/tools/t"), ("hidden_twice", "/hide/1")]);
}

#[test]
fn rules_on_a_denied_tool_never_apply() {
    let rules = json!({ "action": "deny", "rate_limit": { "max": 1, "window": 1 } });
    check(&listing(&json!({ "t": rules, "u": {} })), &[("rules_on_denied_tool", "/tools/t")]);
    check(&listing(&json!({ "t": { "action": "deny", "reason": "no" }, "u": {} })), &[]);
}

#[test]
fn a_reason_without_an_action_is_not_spoken() {
    check(&tool(&json!({ "reason": "x" })), &[("reason_without_effect", "/tools/t/reason")]);
    check(&tool(&json!({ "action": "allow", "reason": "x" })), &[("reason_without_effect", "/tools/t/reason")]);
    check(&tool(&json!({ "action": "require_approval", "reason": "x" })), &[]);
}

#[test]
fn contradictory_conditions_never_match() {
    let a = |op: &str, value: Value| json!({ "path": "args.a", "op": op, "value": value });
    for conditions in [
        json!([a("gt", json!(5)), a("lt", json!(3))]),
        json!([a("gt", json!("5")), a("lte", json!("5.00"))]),
        json!([a("gte", json!(5)), a("lt", json!(5))]),
        json!([a("eq", json!("x")), a("eq", json!("y"))]),
        json!([a("eq", json!("x")), a("neq", json!("x"))]),
        json!([a("eq", json!("x")), a("regex", json!("^y$"))]),
        json!([a("in", json!(["x", "y"])), a("not_in", json!(["y", "x"]))]),
        json!([a("in", json!(["x", "y"])), a("eq", json!("z"))]),
        json!([a("eq", json!(5)), a("gt", json!("5"))]),
        json!([a("eq", json!("x")), a("gt", json!(5))]),
        json!([a("exists", json!(false)), a("exists", json!(true))]),
        json!([a("exists", json!(false)), a("gt", json!(5))]),
    ] {
        check(&refusing(&conditions), &[("never_matches", "/tools/t/deny_if/0")]);
    }
    for conditions in [
        json!([a("gt", json!(3)), a("lt", json!(5))]),
        json!([a("gte", json!(5)), a("lte", json!("5.0"))]),
        json!([a("eq", json!("x")), a("regex", json!("x"))]),
        json!([a("in", json!(["x", "y"])), a("neq", json!("x"))]),
        json!([a("eq", json!(5)), a("gte", json!("5"))]),
        json!([a("eq", json!(5)), a("regex", json!("^5$"))]),
        json!([a("exists", json!(true)), a("gt", json!(5))]),
        json!([a("gt", json!(5)), { "path": "args.b", "op": "lt", "value": 3 }]),
    ] {
        check(&refusing(&conditions), &[]);
    }
}

#[test]
fn empty_lists_decide_nothing() {
    let a = |op: &str| json!([ { "path": "args.a", "op": op, "value": [] } ]);
    check(&refusing(&a("in")), &[("empty_list", "/tools/t/deny_if/0"), ("never_matches", "/tools/t/deny_if/0")]);
    check(&refusing(&a("not_in")), &[("empty_list", "/tools/t/deny_if/0")]);
}

#[test]
fn requirements_that_exclude_one_another_never_hold() {
    let a = |op: &str, value: Value| json!({ "path": "args.a", "op": op, "value": value });
    check(&requiring(&json!([a("gt", json!(5)), a("lt", json!(3))])), &[("never_holds", "/tools/t/require")]);
    let one = json!([ { "conditions": [a("gt", json!(5)), a("lt", json!(3))] } ]);
    check(&requiring(&one), &[("never_holds", "/tools/t/require/0")]);
    check(&requiring(&json!([ { "conditions": [] } ])), &[("requires_nothing", "/tools/t/require/0")]);
    check(&requiring(&json!([a("gt", json!(3)), a("lt", json!(5))])), &[]);
}

#[test]
fn what_follows_a_rule_that_always_refuses_is_never_reached() {
    let rules = json!({
        "deny_if": [ { "conditions": [ { "path": "args.a", "op": "exists" } ] }, { "conditions": [] },
                     { "conditions": [ { "path": "args.b", "op": "exists" } ] } ],
        "require": [ { "path": "args.a", "op": "exists" } ],
        "limits": [ { "counter": "c", "window": "day", "max": 1 } ] });
    check(
        &listing(&json!({ "t": rules, "u": {} })),
        &[
            ("never_reached", "/tools/t/deny_if/2"),
            ("never_reached", "/tools/t/require/0"),
            ("never_reached", "/tools/t/limits/0"),
        ],
    );
}

#[test]
fn a_limit_of_zero_is_a_denial() {
    let limits = json!({ "limits": [ { "counter": "c", "window": "day", "max": 0 } ] });
    check(&listing(&json!({ "t": limits, "u": {} })), &[("limit_of_zero", "/tools/t/limits/0")]);
}

#[test]
fn documents_that_deny_everything() {
    let denies = |pointer: &'static str| ("denies_everything", pointer);
    check(&json!({ "version": "1", "default": "deny" }), &[denies("/default")]);
    check(&json!({ "version": "1", "default": "deny", "hide": ["x"] }), &[denies("/default")]);
    check(&json!({ "version": "1", "default": "deny", "tools": {} }), &[denies("/default")]);
    check(&json!({ "version": "1", "default": "allow", "hide": ["*"] }), &[denies("/hide")]);
    check(&tool(&json!({ "action": "deny" })), &[denies("/default")]);
    check(&refusing(&json!([])), &[denies("/default")]);
    check(
        &tool(&json!({ "rate_limit": { "max": 0, "window": 1 } })),
        &[denies("/default"), ("limit_of_zero", "/tools/t/rate_limit")],
    );
    let all = json!([ { "counter": "c", "window": "day", "max": 0 } ]);
    check(
        &json!({ "version": "1", "default": "allow", "all_tools": { "limits": all } }),
        &[denies("/all_tools/limits"), ("limit_of_zero", "/all_tools/limits/0")],
    );
    check(&json!({ "version": "1", "default": "allow", "tools": { "t": { "action": "deny" } } }), &[]);
}

#[test]
fn a_required_pattern_should_be_anchored() {
    let pattern = |pattern: &str| requiring(&json!([ { "path": "args.a", "op": "regex", "value": pattern } ]));
    for open in ["BTC", "^BTC", "BTC$", "^BTC|ETH$", r"^BTC\$", "(?m)^BTC$", "(^BTC$)"] {
        check(&pattern(open), &[("unanchored_regex", "/tools/t/require/0")]);
    }
    for closed in ["^BTC$", r"\ABTC\z", "^(BTC|ETH)$", "^[|]$", r"^a\|b$", "^.{1,20}$"] {
        check(&pattern(closed), &[]);
    }
    // To refuse on any part is the stricter reading, and often meant.
    check(&refusing(&json!([ { "path": "args.a", "op": "regex", "value": "[^a-z]" } ])), &[]);
}

#[test]
fn a_quoted_number_is_compared_byte_by_byte() {
    let quoted = json!([ { "path": "args.a", "op": "eq", "value": "0" } ]);
    check(&refusing(&quoted), &[("decimal_compared_as_text", "/tools/t/deny_if/0")]);
    check(&refusing(&json!([ { "path": "args.a", "op": "eq", "value": 0 } ])), &[]);
    check(&requiring(&quoted), &[]);
    let unequal = json!([ { "path": "args.a", "op": "neq", "value": "0" } ]);
    check(&requiring(&unequal), &[("decimal_compared_as_text", "/tools/t/require/0")]);
}

#[test]
fn a_counter_named_twice_counts_once() {
    let limit = json!({ "counter": "c", "window": "day", "max": 1 });
    check(&tool(&json!({ "limits": [limit, limit] })), &[("counted_once", "/tools/t/limits/1")]);
}
