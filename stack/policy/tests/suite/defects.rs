//! The defects found in published policy engines that concern this one, each under its number in
//! `tests/README.md`.

use mcp_policy::strict::{self, Limits};
use mcp_policy::{Guard, Outcome, Policy};
use serde_json::{Value, json};

use crate::desk::{desk, order, succeeds};
use crate::support::{MINUTE, admitted, ask, guard, listing, policy, tool};

#[track_caller]
fn strict_refuses(text: &str, code: &str) {
    assert_eq!(strict::parse(text.as_bytes(), Limits::default()).expect_err(text).code(), code);
}

/// A tool `t` that refuses `args.amount` above 500, as a desk would write it.
fn capped() -> Guard {
    guard(&tool(&json!({ "deny_if": [
        { "conditions": [ { "path": "args.amount", "op": "gt", "value": "500" } ], "on_deny": "at most 500" },
        { "conditions": [ { "path": "args.amount", "op": "lte", "value": 0 } ], "on_deny": "above zero" } ] })))
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "rows are easier to read without borrows")]
fn amount(value: Value, expected: &str) {
    let call = ask("t").with(json!({ "amount": value }));
    match expected {
        "allow" => drop(call.allowed(&mut capped(), 0)),
        reason => assert_eq!(call.denied(&mut capped(), 0).reason.code(), reason, "{value}"),
    }
}

#[test]
fn defect_02_case_variant_keys_are_refused_in_frames_and_in_arguments() {
    strict_refuses(r#"{"name":"bn_new_order","Name":"bn_ping"}"#, "case_variant_key");
    strict_refuses(r#"{"Name":"bn_ping","name":"bn_new_order"}"#, "case_variant_key");
    strict_refuses("{\"params\":{},\"param\u{17f}\":{}}", "case_variant_key");
    strict_refuses("{\"key\":1,\"\u{212a}ey\":2}", "case_variant_key");
    strict_refuses(r#"{"name\u0000":"bn_ping"}"#, "nul_in_key");
    // A single key in another case passes closed JSON, and is caught where a rule speaks of the argument.
    let mut guard = capped();
    for key in ["Amount", "AMOUNT", "amoun\u{54}"] {
        ask("t").with(json!({ key: "501" })).refused(&mut guard, 0, "/tools/t", "ambiguous_argument");
    }
    let mut side = self::guard(&tool(&json!({ "deny_if": [
        { "conditions": [ { "path": "args.side", "op": "exists" } ] } ] })));
    ask("t").with(json!({ "\u{17f}ide": "SELL" })).refused(&mut side, 0, "/tools/t", "ambiguous_argument");
}

#[test]
fn defect_03_numbers_out_of_range_are_refused() {
    strict_refuses(r#"{"arguments":{"amount":1e400}}"#, "number_out_of_range");
    strict_refuses(r#"{"arguments":{"amount":1e-400}}"#, "number_out_of_range");
}

#[test]
fn defect_04_overflow_does_not_pass_a_cap() {
    for overflowing in [json!(1e30), json!(1e300), json!(i64::MAX), json!(u64::MAX), json!(1.9e19)] {
        let reason = capped_reason(&overflowing);
        assert!(["deny_if_matched", "unevaluable"].contains(&reason), "{overflowing}: {reason}");
    }
    amount(json!("99999999999999999999"), "deny_if_matched");
    amount(json!("9".repeat(60)), "unevaluable");
}

fn capped_reason(value: &Value) -> &'static str {
    ask("t").with(json!({ "amount": value })).denied(&mut capped(), 0).reason.code()
}

#[test]
fn defect_05_negative_amounts_refill_nothing() {
    amount(json!(-5), "deny_if_matched");
    amount(json!("-5"), "unevaluable");
    // A quota only ever goes down by what it was charged.
    let mut guard = guard(&tool(&json!({ "limits": [ { "counter": "c", "window": "minute", "max": 3 } ] })));
    let calls = (0..10).map(|n| ask("t").with(json!({ "amount": if n % 2 == 0 { -1000 } else { 1 } })));
    assert_eq!(calls.filter(|call| admitted(&mut guard, call, [0]) == 1).count(), 3);
}

#[test]
fn defect_06_fractions_are_not_truncated() {
    let mut guard = guard(&tool(&json!({ "deny_if": [
        { "conditions": [ { "path": "args.quantity", "op": "gt", "value": "0.5" } ] } ] })));
    for (quantity, passes) in [
        (json!("0.9"), false),
        (json!(0.9), false),
        (json!("0.50000001"), false),
        (json!(0.500_000_01), false),
        (json!("0.5"), true),
        (json!("0.50000000"), true),
        (json!(0.5), true),
        (json!("0.49999999"), true),
    ] {
        let call = ask("t").with(json!({ "quantity": quantity }));
        assert_eq!(admitted(&mut guard, &call, [0]) == 1, passes, "{quantity}");
    }
}

#[test]
fn defect_07_decimal_strings_compare_as_numbers() {
    amount(json!("500.00000000"), "allow");
    amount(json!("500.00000001"), "deny_if_matched");
    amount(json!("9"), "allow"); // As text it would be more than "500".
    amount(json!("1000"), "deny_if_matched"); // As text it would be less.
    amount(json!("0500"), "allow"); // The exchange reads 500, and so does the rule.
    amount(json!("0501"), "deny_if_matched");
    for sentinel in ["1e9", "Infinity", "NaN", "０.５", "1,000", " 1", "1 ", "+1", "", "0x1", "1."] {
        amount(json!(sentinel), "unevaluable");
    }
}

#[test]
fn defect_08_true_is_not_its_own_name_and_decimals_are_exact() {
    let equals =
        |value: Value| guard(&tool(&json!({ "require": [ { "path": "args.a", "op": "eq", "value": value } ] })));
    ask("t").with(json!({ "a": true })).refused(&mut equals(json!("true")), 0, "/tools/t/require/0", "unevaluable");
    ask("t").with(json!({ "a": "true" })).refused(&mut equals(json!(true)), 0, "/tools/t/require/0", "unevaluable");
    // As floats these two would be equal.
    let exact = || {
        guard(&tool(&json!({ "deny_if": [
        { "conditions": [ { "path": "args.a", "op": "gt", "value": "9007199254740992.00000001" } ] } ] })))
    };
    let _ = ask("t").with(json!({ "a": "9007199254740992.00000001" })).allowed(&mut exact(), 0);
    ask("t").with(json!({ "a": "9007199254740992.00000002" })).refused(
        &mut exact(),
        0,
        "/tools/t/deny_if/0",
        "deny_if_matched",
    );
}

#[test]
fn defect_09_an_omitted_default_and_unknown_keys_are_errors() {
    let errors = Policy::parse(r#"{ "version": "1" }"#).unwrap_err().to_string();
    assert!(errors.contains("`default` is missing"), "{errors}");
    let errors =
        Policy::parse(r#"{ "version": "1", "default": "deny", "tools": { "t": { "denyIf": [] } } }"#).unwrap_err();
    assert_eq!(errors.iter().next().unwrap().remedy(), Some("did you mean `deny_if`?"));
}

#[test]
fn defect_10_a_limit_counts_by_itself_or_is_an_error() {
    for missing in ["counter", "window", "max"] {
        let mut limit = json!({ "counter": "c", "window": "minute", "max": 1 });
        limit.as_object_mut().unwrap().remove(missing);
        let errors = Policy::parse(&tool(&json!({ "limits": [limit] })).to_string()).unwrap_err().to_string();
        assert!(errors.contains(&format!("`{missing}` is missing")), "{errors}");
    }
    // Without any condition beside it, the limit counts.
    let mut guard = guard(&tool(&json!({ "limits": [ { "counter": "c", "window": "minute", "max": 1 } ] })));
    assert_eq!(admitted(&mut guard, &ask("t"), [0, 0, 0]), 1);
}

#[test]
fn defect_11_counters_are_kept_by_identity() {
    let mut guard = guard(&tool(&json!({ "limits": [ { "counter": "c", "window": "minute", "max": 1 } ] })));
    assert_eq!(admitted(&mut guard, &ask("t").grant("a"), [0, 0]), 1);
    assert_eq!(admitted(&mut guard, &ask("t").grant("b"), [0, 0]), 1);
    // Names that would run into one another when joined are different owners.
    let sessions = tool(&json!({ "rate_limit": { "max": 1, "window": 60 } }));
    let mut guard = self::guard(&sessions);
    for (grant, session) in [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc")] {
        assert_eq!(admitted(&mut guard, &ask("t").grant(grant).session(session), [0, 0]), 1, "{grant}+{session}");
    }
}

#[test]
fn defect_12_roll_back_is_exact_and_only_for_what_never_left() {
    let mut guard = guard(&tool(&json!({ "limits": [ { "counter": "c", "window": "minute", "max": 1 } ] })));
    let late = ask("t").allowed(&mut guard, 0);
    let failed = ask("t").allowed(&mut guard, MINUTE);
    guard.settle(late, Outcome::NeverSent); // The new window is not lowered.
    guard.settle(failed, Outcome::Failed); // A failed call may have had its effect.
    ask("t").refused(&mut guard, MINUTE + 1, "/tools/t/limits/0", "limit_reached");
    let timed_out = ask("t").allowed(&mut guard, 2 * MINUTE);
    guard.settle(timed_out, Outcome::Unknown);
    ask("t").refused(&mut guard, 2 * MINUTE + 1, "/tools/t/limits/0", "limit_reached");
}

#[test]
fn defect_14_messages_and_debug_output_hold_no_argument_and_no_identity() {
    let mut guard = guard(&tool(&json!({ "require": [ { "path": "args.amount", "op": "lt", "value": 5 } ] })));
    let call = ask("t").grant("grant-canary").session("session-canary");
    for arguments in [json!({ "amount": "canary" }), json!({ "AMOUNT": "canary" }), json!({ "other": "canary" })] {
        let denial = call.clone().with(arguments).denied(&mut guard, 0);
        let shown = format!("{denial:?} {:?} {guard:?}", denial.public());
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn defect_16_default_deny_takes_unlisted_tools_out_of_the_list() {
    let guard = guard(&listing(&json!({ "bn_ping": {} })));
    assert!(guard.visible("bn_ping"));
    assert!(!guard.visible("bn_new_order"));
}

#[test]
fn defect_20_a_denial_by_a_limit_names_its_rule() {
    let mut guard = guard(&listing(&json!({ "a/b": { "rate_limit": { "max": 0, "window": 1 } } })));
    ask("a/b").refused(&mut guard, 0, "/tools/a~1b/rate_limit", "limit_reached");
}

#[test]
fn defect_21_exists_guards_an_optional_argument() {
    let rules = json!({ "deny_if": [ { "conditions": [
        { "path": "args.limit", "op": "exists", "value": true }, { "path": "args.limit", "op": "gt", "value": 100 } ] } ] });
    let mut guard = guard(&tool(&rules));
    let _ = ask("t").allowed(&mut guard, 0);
    let _ = ask("t").with(json!({ "limit": 100 })).allowed(&mut guard, 0);
    ask("t").with(json!({ "limit": 101 })).refused(&mut guard, 0, "/tools/t/deny_if/0", "deny_if_matched");
    // Unguarded, a missing argument is not judged, and the denial says which one and why.
    let mut unguarded =
        self::guard(&tool(&json!({ "require": [ { "path": "args.limit", "op": "lte", "value": 100 } ] })));
    let denial = ask("t").denied(&mut unguarded, 0);
    assert_eq!(denial.reason.code(), "unevaluable");
    assert_eq!(denial.message, "the policy cannot judge this call (`lte`): `args.limit` is missing");
}

#[test]
fn calendar_edges_let_no_more_pass() {
    let mut guard = guard(&tool(&json!({ "limits": [ { "counter": "c", "window": "day", "max": 10 } ] })));
    let midnight = 20_000 * 24 * 60 * MINUTE;
    let times = (0..10).map(|n| midnight - 100 + n).chain((0..10).map(|n| midnight + 100 + n));
    assert_eq!(admitted(&mut guard, &ask("t"), times), 10);
}

#[test]
fn hidden_and_unlisted_tools_answer_alike() {
    let document = json!({ "version": "1", "default": "deny", "hide": ["hidden"], "tools": { "t": {} } });
    let mut guard = guard(&document);
    let hidden = ask("hidden").denied(&mut guard, 0);
    let unlisted = ask("unlisted").denied(&mut guard, 0);
    assert_eq!(hidden.public(), unlisted.public());
    assert_eq!(
        serde_json::to_value(hidden.public()).unwrap(),
        json!({ "reason": "not_available", "message": "this tool is not available" })
    );
    assert_ne!(hidden.reason, unlisted.reason, "the audit tells them apart");
    // Under default allow, a look-alike of a hidden name answers like the hidden tool itself.
    let mut open = Guard::new(policy(&json!({ "version": "1", "default": "allow", "hide": ["hidden"] })));
    assert_eq!(ask("HIDDEN").denied(&mut open, 0).public(), hidden.public());
}

// The same defects where version "2" counts money.

/// A desk that may spend 600 USDT a day, and the order for which that is just enough.
fn budget() -> (Guard, crate::support::Ask) {
    let limit = json!({ "counter": "spent", "window": "day", "of": "facts.notional", "max": "600" });
    let guard = guard(&desk(&json!({ "bn_new_order": { "limits": [limit] } })));
    (guard, order(&json!({})))
}

#[test]
fn defect_04_an_overflowing_spend_does_not_unlimit_the_budget() {
    let (mut guard, all_of_it) = budget();
    for quantity in [json!("99999999999999999999"), json!(1e30), json!("9".repeat(60)), json!(u64::MAX)] {
        let spend = order(&json!({ "quantity": quantity }));
        assert_eq!(spend.denied(&mut guard, 0).rule, "/tools/bn_new_order/limits/0");
    }
    assert_eq!(admitted(&mut guard, &all_of_it, [0, 0]), 1);
}

#[test]
fn defect_05_negative_spends_refill_no_budget() {
    let (mut guard, all_of_it) = budget();
    drop(all_of_it.allowed(&mut guard, 0));
    for quantity in [json!("-0.01"), json!(-0.01), json!("-1")] {
        order(&json!({ "quantity": quantity })).refused(&mut guard, 0, "/tools/bn_new_order/limits/0", "unevaluable");
    }
    all_of_it.refused(&mut guard, 0, "/tools/bn_new_order/limits/0", "limit_reached");
}

#[test]
fn defect_06_a_fraction_of_a_coin_is_not_free() {
    let (mut guard, _) = budget();
    // 0.9 of the budget, and then 0.9 of it again.
    let most_of_it = order(&json!({ "quantity": "0.009" }));
    assert_eq!(admitted(&mut guard, &most_of_it, [0, 0]), 1);
    // What is finer than can be counted counts as the finest.
    let (mut guard, all_of_it) = budget();
    drop(order(&json!({ "quantity": "0.00000001", "price": "0.00000001" })).allowed(&mut guard, 0));
    all_of_it.refused(&mut guard, 0, "/tools/bn_new_order/limits/0", "limit_reached");
}

#[test]
fn defect_08_money_never_passes_through_a_float() {
    // As floats, ten tenths of a cent are not a cent.
    let limit = json!({ "counter": "spent", "window": "day", "of": "facts.notional", "max": "1" });
    let mut guard = guard(&desk(&json!({ "bn_new_order": { "limits": [limit] } })));
    let tenth = order(&json!({ "quantity": "0.1", "price": "1" }));
    assert_eq!(admitted(&mut guard, &tenth, [0; 20]), 10);
}

#[test]
fn defect_09_a_misspelt_rule_of_version_2_is_an_error() {
    for misspelt in ["own_order_only", "no_selfcross", "open_order", "exposures", "error_streaks", "requires_priors"] {
        let errors = Policy::parse(&desk(&json!({ "bn_new_order": { misspelt: [] } })).to_string()).unwrap_err();
        let remedy = errors.iter().next().unwrap().remedy().unwrap().to_owned();
        assert!(remedy.starts_with("did you mean"), "{misspelt}: {remedy}");
    }
}

#[test]
fn defect_12_a_time_out_keeps_the_budget_charged() {
    for (outcome, again) in [(Outcome::Unknown, 0), (Outcome::Failed, 0), (Outcome::NeverSent, 1)] {
        let (mut guard, all_of_it) = budget();
        let permit = all_of_it.allowed(&mut guard, 0);
        guard.settle(permit, outcome);
        assert_eq!(admitted(&mut guard, &all_of_it, [1, 2]), again, "{outcome:?}");
    }
}

#[test]
fn defect_14_listen_keys_and_ids_are_in_no_message_and_no_debug_output() {
    let own = json!({ "own_listen_keys_only": true });
    let tools = json!({ "bn_create_listen_key": {}, "bn_close_listen_key": own, "bn_cancel_order": { "own_orders_only": true } });
    let mut guard = guard(&desk(&tools));
    let permit = ask("bn_create_listen_key").grant("grant-canary").allowed(&mut guard, 0);
    assert!(!format!("{permit:?}").contains("canary"));
    succeeds(&mut guard, permit, &json!({ "listenKey": "key-canary" }));
    let permit = ask("bn_close_listen_key")
        .grant("grant-canary")
        .with(json!({ "listenKey": "key-canary" }))
        .allowed(&mut guard, 0);
    let denials = [
        ask("bn_close_listen_key").with(json!({ "listenKey": "other-canary" })).denied(&mut guard, 0),
        ask("bn_cancel_order").with(json!({ "symbol": "canary", "origClientOrderId": "canary" })).denied(&mut guard, 0),
    ];
    let shown = format!("{permit:?} {denials:?} {guard:?}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn calendar_edges_let_no_more_be_spent() {
    let (mut guard, all_of_it) = budget();
    let midnight = 20_000 * 24 * 60 * MINUTE;
    assert_eq!(admitted(&mut guard, &all_of_it, [midnight - 100, midnight + 100, midnight + 12 * 60 * MINUTE]), 1);
}

/// The table of the page beside this: each of the 21 defects, and the files with its tests.
#[test]
fn every_defect_has_a_test_in_each_file_that_the_table_names() {
    let here = env!("CARGO_MANIFEST_DIR");
    let page = include_str!("../README.md");
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let number: usize = cells.get(1)?.parse().ok()?;
        Some((number, (*cells.get(3)?).to_owned()))
    });
    let rows: Vec<(usize, String)> = rows.collect();
    assert_eq!(rows.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (1..=21).collect::<Vec<_>>());
    for (number, files) in rows {
        let files: Vec<&str> = files.split(", ").map(|file| file.trim_matches('`')).collect();
        for file in files {
            let path = match file.strip_prefix("gateway/") {
                Some(rest) => format!("{here}/../gateway/tests/gateway/{rest}"),
                None => format!("{here}/tests/{file}"),
            };
            let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(source.contains(&format!("fn defect_{number:02}_")), "{file} has no test of defect {number}");
        }
    }
}
