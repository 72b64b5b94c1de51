//! `all`, `any` and `not`: Kleene's logic, line by line, and what is refused.

use mcp_policy::Policy;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{ask, guard};

/// A condition of each truth, on a call with `{"a": 1}`.
fn truth(of: char) -> Value {
    match of {
        'T' => json!({ "path": "args.a", "op": "eq", "value": 1 }),
        'F' => json!({ "path": "args.a", "op": "eq", "value": 2 }),
        _ => json!({ "path": "args.b", "op": "eq", "value": 1 }),
    }
}

fn document(rules: &Value) -> Value {
    json!({ "version": "2", "default": "deny", "manifest": { "t": { "arguments": ["a", "b"] } },
            "tools": { "t": rules } })
}

/// The truth of `term`, seen from `require` and from `deny_if`, which must agree.
#[track_caller]
fn found(term: &Value) -> char {
    let call = ask("t").with(json!({ "a": 1 }));
    let reason = |rules: &Value| match call.of(&mut guard(&document(rules)), 0) {
        mcp_policy::Decision::Allow(_) => "allowed",
        mcp_policy::Decision::Deny(denial) => denial.reason.code(),
        mcp_policy::Decision::Escalate(_) => "escalated",
    };
    let required = reason(&json!({ "require": [term] }));
    let refused = reason(&json!({ "deny_if": [ { "conditions": [term] } ] }));
    match (required, refused) {
        ("allowed", "deny_if_matched") => 'T',
        ("require_failed", "allowed") => 'F',
        ("unevaluable", "unevaluable") => '?',
        other => panic!("{term} is {other:?}"),
    }
}

#[track_caller]
fn pairs(word: &str, table: &[(&str, char)]) {
    for (operands, expected) in table {
        let operands: Vec<Value> = operands.chars().map(truth).collect();
        assert_eq!(found(&json!({ word: operands })), *expected, "{word} {operands:?}");
    }
}

#[test]
fn not_true_is_false() {
    assert_eq!(found(&json!({ "not": truth('T') })), 'F');
}

#[test]
fn not_false_is_true() {
    assert_eq!(found(&json!({ "not": truth('F') })), 'T');
}

#[test]
fn not_unevaluable_stays_unevaluable() {
    assert_eq!(found(&json!({ "not": truth('?') })), '?');
    assert_eq!(found(&json!({ "not": { "not": truth('?') } })), '?');
    assert_eq!(found(&json!({ "not": { "any": [truth('F'), { "not": truth('?') }] } })), '?');
}

#[test]
fn all_with_true() {
    pairs("all", &[("TT", 'T'), ("TF", 'F'), ("T?", '?')]);
}

#[test]
fn all_with_false() {
    pairs("all", &[("FT", 'F'), ("FF", 'F'), ("F?", 'F')]);
}

#[test]
fn all_with_unevaluable() {
    pairs("all", &[("?T", '?'), ("?F", 'F'), ("??", '?')]);
}

#[test]
fn any_with_true() {
    pairs("any", &[("TT", 'T'), ("TF", 'T'), ("T?", 'T')]);
}

#[test]
fn any_with_false() {
    pairs("any", &[("FT", 'T'), ("FF", 'F'), ("F?", '?')]);
}

#[test]
fn any_with_unevaluable() {
    pairs("any", &[("?T", 'T'), ("?F", '?'), ("??", '?')]);
}

#[test]
fn one_alone_is_itself() {
    for word in ["all", "any"] {
        pairs(word, &[("T", 'T'), ("F", 'F'), ("?", '?')]);
    }
}

/// A term, and its truth by the tables, in numbers: 0, 1 and between them what is not known.
fn term() -> impl Strategy<Value = (Value, u8)> {
    let leaf = prop::sample::select(vec![(truth('T'), 2), (truth('?'), 1), (truth('F'), 0)]);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let several = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            inner.prop_map(|(term, truth)| (json!({ "not": term }), 2 - truth)),
            several.clone().prop_map(|terms| {
                let least = terms.iter().map(|(_, truth)| *truth).min().unwrap_or(2);
                (json!({ "all": terms.into_iter().map(|(term, _)| term).collect::<Vec<_>>() }), least)
            }),
            several.prop_map(|terms| {
                let most = terms.iter().map(|(_, truth)| *truth).max().unwrap_or(0);
                (json!({ "any": terms.into_iter().map(|(term, _)| term).collect::<Vec<_>>() }), most)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_depth_follows_the_tables((term, truth) in term()) {
        prop_assert_eq!(found(&term), ['F', '?', 'T'][usize::from(truth)]);
    }
}

#[track_caller]
fn refuses(rules: &Value, pointer: &str, message: &str) {
    let errors = Policy::parse(&document(rules).to_string()).expect_err("a document that is not valid");
    let found = errors.iter().any(|error| error.pointer() == pointer && error.message().contains(message));
    assert!(found, "no `{message}` at `{pointer}` in:\n{errors}");
}

#[test]
fn groups_that_are_refused() {
    let require = |term: Value| json!({ "require": [term] });
    let at = "/tools/t/require/0";
    refuses(&require(json!({ "any": [] })), &format!("{at}/any"), "`any` of nothing");
    refuses(&require(json!({ "all": {} })), &format!("{at}/all"), "the list of conditions is an object");
    refuses(&require(json!({ "not": [truth('T')] })), &format!("{at}/not"), "a condition is an array");
    refuses(&require(json!({ "any": [truth('T')], "all": [truth('T')] })), &format!("{at}/any"), "unknown key `any`");
    refuses(&require(json!({ "any": [truth('T')], "path": "args.a" })), &format!("{at}/path"), "unknown key `path`");
    refuses(
        &require(json!({ "any": [{ "path": "args.a", "op": "eq", "value": 1, "on_deny": "no" }] })),
        &format!("{at}/any/0/on_deny"),
        "unknown key `on_deny`",
    );
    let optional = json!({ "path": "args.b", "op": "eq", "value": 1, "if_present": true });
    refuses(&require(json!({ "any": [optional] })), &format!("{at}/any/0/if_present"), "would decide");
    refuses(&require(json!({ "not": { "all": [optional] } })), &format!("{at}/not/all/0/if_present"), "would decide");
    let mut deep = truth('T');
    for _ in 0..8 {
        deep = json!({ "not": deep });
    }
    assert_eq!(found(&deep), 'T');
    refuses(&require(json!({ "not": deep })), &format!("{at}{}", "/not".repeat(9)), "nested too deeply");
    // Version 1 has no groups.
    let document =
        json!({ "version": "1", "default": "deny", "tools": { "t": require(json!({ "not": truth('T') })) } });
    assert!(Policy::parse(&document.to_string()).is_err());
}

#[test]
fn an_absent_argument_leaves_out_its_condition_in_all() {
    let optional = json!({ "path": "args.b", "op": "eq", "value": 1, "if_present": true });
    let mut guard = guard(&document(&json!({ "require": [ { "all": [truth('T'), optional], "on_deny": "no" } ] })));
    drop(ask("t").with(json!({ "a": 1 })).allowed(&mut guard, 0));
    drop(ask("t").with(json!({ "a": 1, "b": 1 })).allowed(&mut guard, 0));
    let denial = ask("t").with(json!({ "a": 1, "b": 2 })).denied(&mut guard, 0);
    assert_eq!((denial.rule.as_str(), denial.message.as_str()), ("/tools/t/require/0", "no"));
}

#[test]
fn a_denial_names_the_condition_that_decided() {
    let rules = json!({ "require": [ { "any": [truth('F'), { "all": [truth('T'), truth('?')] }] } ] });
    let denial = ask("t").with(json!({ "a": 1 })).denied(&mut guard(&document(&rules)), 0);
    assert_eq!(denial.message, "the policy cannot judge this call (`eq`): `args.b` is missing");
}
