//! The eleven operators, each judged as a requirement on `args.a`.

use serde_json::{Value, json};

use crate::support::{ask, guard, tool};

/// What becomes of a call that must meet one condition.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Is {
    True,
    False,
    Unevaluable,
}

use Is::{False, True, Unevaluable};

/// Judges `arguments` by a requirement, and by a `deny_if` of the same condition, which must mirror it.
#[track_caller]
fn check_in(arguments: &Value, path: &str, op: &str, value: &Value, expected: Is) {
    let condition = json!({ "path": path, "op": op, "value": value });
    let call = ask("t").with(arguments.clone());
    let what = format!("{condition} of {arguments}");

    let mut required = guard(&tool(&json!({ "require": [condition] })));
    match (call.of(&mut required, 0), expected) {
        (mcp_policy::Decision::Allow(_), True) => {}
        (mcp_policy::Decision::Deny(denial), False) => assert_eq!(denial.reason.code(), "require_failed", "{what}"),
        (mcp_policy::Decision::Deny(denial), Unevaluable) => assert_eq!(denial.reason.code(), "unevaluable", "{what}"),
        (other, _) => panic!("{what} should be {expected:?}, but required it gave {other:?}"),
    }
    let mut refused = guard(&tool(&json!({ "deny_if": [{ "conditions": [condition] }] })));
    match (call.of(&mut refused, 0), expected) {
        (mcp_policy::Decision::Allow(_), False) => {}
        (mcp_policy::Decision::Deny(denial), True) => assert_eq!(denial.reason.code(), "deny_if_matched", "{what}"),
        (mcp_policy::Decision::Deny(denial), Unevaluable) => assert_eq!(denial.reason.code(), "unevaluable", "{what}"),
        (other, _) => panic!("{what} should be {expected:?}, but refused it gave {other:?}"),
    }
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "rows are easier to read without borrows")]
fn check(argument: Value, op: &str, value: Value, expected: Is) {
    check_in(&json!({ "a": argument }), "args.a", op, &value, expected);
}

#[test]
fn eq_compares_strings_by_bytes() {
    check(json!("BTCUSDT"), "eq", json!("BTCUSDT"), True);
    check(json!("btcusdt"), "eq", json!("BTCUSDT"), False);
    check(json!("BTCUSDT "), "eq", json!("BTCUSDT"), False);
    check(json!("é"), "eq", json!("e\u{301}"), False);
    check(json!("500"), "eq", json!("500.0"), False);
}

#[test]
fn eq_compares_by_value_when_either_side_is_a_number() {
    check(json!(500), "eq", json!(500), True);
    check(json!(500.0), "eq", json!(500), True);
    check(json!("500.00"), "eq", json!(500), True);
    check(json!("0500"), "eq", json!(500), True);
    check(json!(500), "eq", json!("500.0"), True);
    check(json!(501), "eq", json!("500"), False);
    check(json!("five"), "eq", json!(5), Unevaluable);
    check(json!("-5"), "eq", json!(-5), Unevaluable);
    check(json!(-5), "eq", json!(-5), True);
    check(json!(5), "eq", json!("five"), Unevaluable);
    check(json!(1e300), "eq", json!(5), Unevaluable);
}

#[test]
fn eq_does_not_compare_across_other_types() {
    check(json!(true), "eq", json!(true), True);
    check(json!(true), "eq", json!(false), False);
    check(json!(true), "eq", json!("true"), Unevaluable);
    check(json!("true"), "eq", json!(true), Unevaluable);
    check(json!(1), "eq", json!(true), Unevaluable);
    check(json!(null), "eq", json!(null), True);
    check(json!(null), "eq", json!("SELL"), Unevaluable);
    check(json!("SELL"), "eq", json!(null), False);
    check(json!(["SELL"]), "eq", json!("SELL"), Unevaluable);
    check(json!({ "x": 1 }), "eq", json!("SELL"), Unevaluable);
}

#[test]
fn neq_is_the_contrary_of_eq_and_as_unsure() {
    check(json!("BUY"), "neq", json!("SELL"), True);
    check(json!("SELL"), "neq", json!("SELL"), False);
    check(json!("5.0"), "neq", json!(5), False);
    check(json!("5.1"), "neq", json!(5), True);
    check(json!(1), "neq", json!("SELL"), Unevaluable);
    check(json!("x"), "neq", json!(null), True);
}

#[test]
fn in_and_not_in_try_each_value() {
    let symbols = json!(["BTCUSDT", "ETHUSDT"]);
    check(json!("ETHUSDT"), "in", symbols.clone(), True);
    check(json!("DOGEUSDT"), "in", symbols.clone(), False);
    check(json!(["BTCUSDT"]), "in", symbols.clone(), Unevaluable);
    check(json!("ETHUSDT"), "not_in", symbols.clone(), False);
    check(json!("DOGEUSDT"), "not_in", symbols.clone(), True);
    check(json!(5), "not_in", symbols, Unevaluable);
    check(json!("20"), "in", json!([5, 10, 20]), True);
    check(json!("21"), "in", json!([5, 10, 20]), False);
    check(json!("five"), "in", json!([5, "five"]), True);
    check(json!("six"), "in", json!([5, "five"]), Unevaluable);
    check(json!("x"), "in", json!([]), False);
    check(json!("x"), "not_in", json!([]), True);
}

#[test]
fn orderings_compare_exact_decimals() {
    for (argument, lt, lte, gt, gte) in [
        (json!("0.4"), True, True, False, False),
        (json!("0.50000000"), False, True, False, True),
        (json!(0.5), False, True, False, True),
        (json!("0.50000001"), False, False, True, True),
        (json!(10), False, False, True, True),
        (json!(-1), True, True, False, False),
        (json!("ten"), Unevaluable, Unevaluable, Unevaluable, Unevaluable),
        (json!("-1"), Unevaluable, Unevaluable, Unevaluable, Unevaluable),
        (json!(true), Unevaluable, Unevaluable, Unevaluable, Unevaluable),
        (json!(null), Unevaluable, Unevaluable, Unevaluable, Unevaluable),
    ] {
        for (op, expected) in [("lt", lt), ("lte", lte), ("gt", gt), ("gte", gte)] {
            check(argument.clone(), op, json!("0.5"), expected);
            check(argument.clone(), op, json!(0.5), expected);
        }
    }
}

#[test]
fn regex_searches_text() {
    check(json!("BTCUSDT"), "regex", json!("^[A-Z]+USDT$"), True);
    check(json!("xBTCUSDTx"), "regex", json!("BTC"), True);
    check(json!("BTCUSDT\n"), "regex", json!("^[A-Z]+USDT$"), False);
    check(json!("BTCUSDT\nX"), "regex", json!("^[A-Z]+USDT$"), False);
    check(json!(5), "regex", json!("5"), Unevaluable);
    check(json!(["BTCUSDT"]), "regex", json!("BTC"), Unevaluable);
}

#[test]
fn contains_looks_into_strings_and_arrays() {
    check(json!("withdraw all"), "contains", json!("draw"), True);
    check(json!("withdraw all"), "contains", json!("Draw"), False);
    check(json!(["a", "b"]), "contains", json!("b"), True);
    check(json!(["a", "b"]), "contains", json!("c"), False);
    check(json!(["1.0", "2"]), "contains", json!(1), True);
    check(json!(["a", 1]), "contains", json!("b"), Unevaluable);
    check(json!([]), "contains", json!("b"), False);
    check(json!(5), "contains", json!("5"), Unevaluable);
    check(json!("5"), "contains", json!(5), Unevaluable);
    check(json!({ "b": 1 }), "contains", json!("b"), Unevaluable);
}

#[test]
fn exists_judges_presence_alone() {
    check(json!("x"), "exists", json!(true), True);
    check(json!("x"), "exists", json!(false), False);
    check(json!(null), "exists", json!(true), True);
    check_in(&json!({}), "args.a", "exists", &json!(true), False);
    check_in(&json!({}), "args.a", "exists", &json!(false), True);
    let mut bare = guard(&tool(&json!({ "require": [ { "path": "args.a", "op": "exists" } ] })));
    drop(ask("t").with(json!({ "a": 1 })).allowed(&mut bare, 0));
    ask("t").refused(&mut bare, 0, "/tools/t/require/0", "require_failed");
}

#[test]
fn a_missing_argument_is_judged_by_nothing_else() {
    for (op, value) in [
        ("eq", json!(1)),
        ("neq", json!(1)),
        ("in", json!([1])),
        ("not_in", json!([1])),
        ("lt", json!(1)),
        ("lte", json!(1)),
        ("gt", json!(1)),
        ("gte", json!(1)),
        ("regex", json!("^1$")),
        ("contains", json!("1")),
        ("eq", json!(null)),
        ("neq", json!(null)),
        ("in", json!([])),
        ("not_in", json!([])),
    ] {
        check_in(&json!({ "b": 1 }), "args.a", op, &value, Unevaluable);
    }
}

#[test]
fn paths_lead_into_objects_and_arrays() {
    let arguments = json!({ "a": { "b": [ { "c": "5" }, "x" ] } });
    check_in(&arguments, "args.a.b.0.c", "eq", &json!(5), True);
    check_in(&arguments, "args.a.b.1", "eq", &json!("x"), True);
    check_in(&arguments, "args.a.b.2", "exists", &json!(true), False);
    check_in(&arguments, "args.a.b.c", "exists", &json!(true), False);
    check_in(&arguments, "args.a.b.00.c", "exists", &json!(true), False);
    // A path ends at text: what a server may parse out of it is not judged by it.
    check_in(&json!({ "a": "{\"b\":1}" }), "args.a.b", "eq", &json!(1), Unevaluable);
}

/// Judges `a = "x"` and a second condition, in both orders.
#[track_caller]
fn check_both(first: &Value, second: &Value, expected: &str) {
    for conditions in [json!([first, second]), json!([second, first])] {
        let mut guard = guard(&tool(&json!({ "deny_if": [ { "conditions": conditions } ] })));
        let call = ask("t").with(json!({ "a": "x" }));
        match expected {
            "passes" => drop(call.allowed(&mut guard, 0)),
            reason => call.refused(&mut guard, 0, "/tools/t/deny_if/0", reason),
        }
    }
}

#[test]
fn in_a_list_a_definite_false_beats_what_cannot_be_evaluated() {
    let holds = json!({ "path": "args.a", "op": "eq", "value": "x" });
    let fails = json!({ "path": "args.a", "op": "eq", "value": "y" });
    let unsure = json!({ "path": "args.missing", "op": "eq", "value": 1 });
    check_both(&holds, &holds, "deny_if_matched");
    check_both(&holds, &fails, "passes");
    check_both(&unsure, &fails, "passes");
    check_both(&unsure, &holds, "unevaluable");
    check_both(&unsure, &unsure, "unevaluable");
}

#[test]
fn requirements_may_be_rules_with_a_message() {
    let rules = json!({ "require": [
        { "conditions": [ { "path": "args.a", "op": "eq", "value": "x" }, { "path": "args.b", "op": "exists" } ],
          "on_deny": "x needs b" },
        { "path": "args.c", "op": "exists", "on_deny": "c is needed" } ] });
    let mut guard = guard(&tool(&rules));
    drop(ask("t").with(json!({ "a": "x", "b": 1, "c": 1 })).allowed(&mut guard, 0));
    let denial = ask("t").with(json!({ "a": "x", "c": 1 })).denied(&mut guard, 0);
    assert_eq!((denial.rule.as_str(), denial.message.as_str()), ("/tools/t/require/0", "x needs b"));
    let denial = ask("t").with(json!({ "a": "x", "b": 1 })).denied(&mut guard, 0);
    assert_eq!((denial.rule.as_str(), denial.message.as_str()), ("/tools/t/require/1", "c is needed"));
}

#[test]
fn a_rules_message_is_not_spoken_when_nobody_knows_whether_it_is_true() {
    let mut guard = guard(&tool(&json!({ "deny_if": [
        { "conditions": [ { "path": "args.a", "op": "gt", "value": 5 } ], "on_deny": "at most 5" } ] })));
    let denial = ask("t").with(json!({ "a": "6 BTC" })).denied(&mut guard, 0);
    assert_eq!(
        denial.message,
        "the policy cannot judge this call (`gt`): `args.a` is not a canonical decimal: digits, and a point with \
         digits behind it"
    );
}
