//! Names that end in `*`: which entry a tool gets.

use mcp_policy::{Guard, Policy};
use serde_json::{Value, json};

use crate::support::{MINUTE, admitted, ask, guard, policy};

fn document(tools: &Value) -> Value {
    json!({ "version": "2", "default": "deny", "manifest": "binance-mcp", "tools": tools })
}

/// A tool's entry that denies every call under its own pointer.
fn mark() -> Value {
    json!({ "action": "deny" })
}

#[track_caller]
fn decided_by(tools: &Value, tool: &str, rule: &str) {
    assert_eq!(ask(tool).denied(&mut guard(&document(tools)), 0).rule, rule, "{tool}");
}

#[test]
fn line_1_the_exact_name() {
    let tools = json!({ "bn_*": mark(), "bn_ping": mark(), "bn_ping*": mark() });
    decided_by(&tools, "bn_ping", "/tools/bn_ping/action");
}

#[test]
fn line_2_the_longest_pattern() {
    let tools = json!({ "*": mark(), "bn_cancel_*": mark(), "bn_*": mark(), "bn_c*": mark() });
    decided_by(&tools, "bn_cancel_order", "/tools/bn_cancel_*/action");
    decided_by(&tools, "bn_create_listen_key", "/tools/bn_c*/action");
    decided_by(&tools, "bn_ping", "/tools/bn_*/action");
}

#[test]
fn line_3_the_default() {
    let tools = json!({ "bn_cancel_*": {} });
    decided_by(&tools, "bn_ping", "(default deny)");
    // What is not in the manifest is meant by no pattern.
    for tool in ["bn_cancel_everything", "bn_cancel_", "BN_CANCEL_ORDER", "bn_cancel_*"] {
        decided_by(&tools, tool, "(default deny)");
    }
}

#[test]
fn an_entry_is_read_for_each_tool_that_it_means() {
    let tools =
        json!({ "bn_cancel_*": { "require": [ { "path": "facts.symbol", "op": "one_of", "value": ["BTCUSDT"] } ] } });
    let mut guard = guard(&document(&tools));
    for tool in ["bn_cancel_order", "bn_cancel_all_orders"] {
        drop(ask(tool).with(json!({ "symbol": "BTCUSDT" })).allowed(&mut guard, 0));
        ask(tool).with(json!({ "symbol": "X" })).refused(
            &mut guard,
            0,
            "/tools/bn_cancel_*/require/0",
            "require_failed",
        );
        assert!(guard.visible(tool));
    }
    // What one of them lacks is an error, and says which.
    let tools = json!({ "bn_cancel_*": { "require": [ { "path": "args.orderId", "op": "exists" } ] } });
    let errors = Policy::parse(&document(&tools).to_string()).unwrap_err();
    let messages: Vec<&str> = errors.iter().map(mcp_policy::PolicyError::message).collect();
    assert_eq!(messages, ["the manifest gives `bn_cancel_all_orders` no argument `orderId`"]);
}

#[test]
fn the_limits_of_a_pattern_are_shared_by_its_tools() {
    for limit in [
        json!({ "limits": [ { "counter": "reads", "window": "minute", "max": 2 } ] }),
        json!({ "rate_limit": { "max": 2, "window": 60 } }),
    ] {
        let mut guard = guard(&document(&json!({ "bn_ticker_*": limit })));
        let passed: usize = ["bn_ticker_price", "bn_ticker_24hr", "bn_ticker_price"]
            .into_iter()
            .map(|tool| admitted(&mut guard, &ask(tool), [0]))
            .sum();
        assert_eq!(passed, 2, "{limit}");
    }
}

#[test]
fn hidden_by_pattern() {
    let mut document = document(&json!({ "bn_*": {} }));
    document["hide"] = json!(["bn_cancel_*"]);
    let mut guard = Guard::new(policy(&document));
    for tool in ["bn_cancel_order", "bn_cancel_all_orders", "bn_cancel_whatever"] {
        ask(tool).refused(&mut guard, 0, "(hidden)", "hidden");
        assert!(!guard.visible(tool));
    }
    drop(ask("bn_ping").allowed(&mut guard, 0));
}

#[test]
fn patterns_that_are_refused_or_in_vain() {
    let errors = |tools: Value| Policy::parse(&document(&tools).to_string()).unwrap_err().to_string();
    assert!(errors(json!({ "bx_*": {} })).contains("no tool of the manifest begins with `bx_`"));
    for name in ["bn_*_order", "bn_**", " bn_*", "*order"] {
        let found = errors(json!({ name: {} }));
        assert!(found.contains("is no tool's name"), "{name}: {found}");
    }
    let vain = policy(&document(&json!({ "bn_cancel_*": {}, "bn_cancel_order": {}, "bn_cancel_all_orders": {} })));
    assert_eq!(vain.warnings().iter().map(mcp_policy::Warning::code).collect::<Vec<_>>(), ["never_matches"]);
    let two =
        policy(&document(&json!({ "bn_cancel_*": { "limits": [ { "counter": "c", "window": 60, "max": 0 } ] } })));
    let codes: Vec<&str> = two.warnings().iter().map(mcp_policy::Warning::code).collect();
    assert_eq!(codes, ["denies_everything", "limit_of_zero"], "told once and not for each tool");
    // Version 1 has none.
    assert!(Policy::parse(r#"{ "version": "1", "default": "deny", "tools": { "bn_*": {} } }"#).is_err());
    assert!(Policy::parse(r#"{ "version": "1", "default": "deny", "hide": ["bn_*"] }"#).is_err());
}

#[test]
fn what_is_counted_apart() {
    let each = |each: &str| {
        let limit = json!({ "counter": "c", "window": "minute", "max": 2, "each": each });
        guard(&document(&json!({ "bn_ticker_*": { "limits": [limit] } })))
    };
    let price = |symbol: &str| ask("bn_ticker_price").with(json!({ "symbol": symbol }));
    let day = |symbol: &str| ask("bn_ticker_24hr").with(json!({ "symbol": symbol }));

    // The same tool with the same arguments, however they are ordered.
    let mut by_arguments = each("arguments");
    assert_eq!(admitted(&mut by_arguments, &price("BTCUSDT"), [0, 0, 0]), 2);
    assert_eq!(admitted(&mut by_arguments, &price("ETHUSDT"), [0, 0, 0]), 2);
    assert_eq!(admitted(&mut by_arguments, &day("BTCUSDT"), [0, 0, 0]), 2);
    assert_eq!(admitted(&mut by_arguments, &ask("bn_ticker_price"), [0, 0, 0]), 2);
    let denial = price("BTCUSDT").denied(&mut by_arguments, 1);
    assert_eq!((denial.rule.as_str(), denial.retry_after_ms), ("/tools/bn_ticker_*/limits/0", Some(MINUTE - 1)));
    assert_eq!(admitted(&mut by_arguments, &price("BTCUSDT").grant("another"), [1, 1, 1]), 2);

    let mut by_symbol = each("facts.symbol");
    assert_eq!(admitted(&mut by_symbol, &price("BTCUSDT"), [0]), 1);
    assert_eq!(admitted(&mut by_symbol, &day("BTCUSDT"), [0, 0]), 1);
    assert_eq!(admitted(&mut by_symbol, &price("ETHUSDT"), [0, 0, 0]), 2);
    assert_eq!(admitted(&mut by_symbol, &ask("bn_ticker_price"), [0, 0, 0]), 2);

    // The same counter counts alike wherever it is met.
    let limit = |each: &str| json!({ "limits": [ { "counter": "c", "window": 60, "max": 2, "each": each } ] });
    let tools = json!({ "bn_ticker_price": limit("arguments"), "bn_ticker_24hr": limit("facts.symbol") });
    assert!(Policy::parse(&document(&tools).to_string()).is_err());
}

#[test]
fn an_organisation_is_counted_over_all_grants() {
    let limit = json!({ "counter": "c", "window": "minute", "max": 3, "scope": "organisation" });
    let mut guard = guard(&document(&json!({ "bn_ping": { "limits": [limit] } })));
    let passed: usize =
        ["a", "b", "c", "d"].into_iter().map(|grant| admitted(&mut guard, &ask("bn_ping").grant(grant), [0])).sum();
    assert_eq!((passed, guard.counters()), (3, 1));
}
