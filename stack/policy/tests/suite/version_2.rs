//! Version "2": comments, closed arguments, facts, the operators that it adds, budgets.

use mcp_policy::{Decision, Guard, Outcome, Policy};
use serde_json::{Value, json};

use crate::desk::order;
use crate::support::{DAY, MINUTE, admitted, ask, guard, policy};

/// A document over the shipped manifest whose `bn_new_order` has `rules`.
fn desk(rules: &Value) -> Value {
    json!({ "version": "2", "default": "deny", "manifest": "binance-mcp",
            "references": { "BTCUSDT": "75000", "ETHUSDT": "4000" }, "tools": { "bn_new_order": rules } })
}

#[track_caller]
fn refuses(source: &str, pointer: &str, message: &str) {
    let errors = Policy::parse(source).expect_err("a document that is not valid");
    let found = errors.iter().any(|error| error.pointer() == pointer && error.message().contains(message));
    assert!(found, "no `{message}` at `{pointer}` in:\n{errors}");
}

#[test]
fn comments_are_taken_and_places_stay_true() {
    let text = "// a desk\n{ \"version\": \"2\", /* twice\n */ \"default\": \"deny\", \"manifest\": \"binance-mcp\", // shipped\n  \"tools\": { \"bn_ping\": {} } } // end";
    assert!(Policy::parse(text).is_ok());
    let errors = Policy::parse(&text.replace("\"tools\"", "\"toolz\"")).unwrap_err().to_string();
    assert!(errors.starts_with("line 4, column 3 at `/toolz`: unknown key `toolz`; did you mean `tools`?"), "{errors}");
    // A `//` in a string is no comment, and an open comment ends nothing.
    let hidden = text.replace("\"bn_ping\": {}", "\"bn_ping\": { \"reason\": \"// */ still here\" }");
    assert_eq!(Policy::parse(&hidden).unwrap().warnings().len(), 1);
    assert!(Policy::parse(&text.replace("// end", "/* end")).is_err());
    // Version 1 stays plain, and so do frames.
    assert!(Policy::parse("{ \"version\": \"1\", \"default\": \"deny\" } // no").is_err());
    assert!(mcp_policy::strict::parse(b"{} // no", mcp_policy::strict::Limits::default()).is_err());
    // A comment hides no second key.
    assert!(Policy::parse(&text.replace("// shipped", "\"Default\": \"allow\",")).is_err());
}

#[test]
fn what_version_2_adds_is_unknown_to_version_1() {
    for rules in [
        json!({ "require": [ { "path": "facts.notional", "op": "lte", "value": "5" } ] }),
        json!({ "require": [ { "path": "args.a", "op": "between", "value": ["1", "2"] } ] }),
        json!({ "require": [ { "path": "args.a", "op": "lt", "value": 1, "if_present": true } ] }),
        json!({ "require": [ { "path": "args.a", "op": "lt", "other": "args.b" } ] }),
        json!({ "limits": [ { "counter": "c", "window": "day", "max": 5, "of": "args.a" } ] }),
        json!({ "limits": [ { "counter": "c", "window": "day", "max": 5, "scope": "server" } ] }),
    ] {
        let document = json!({ "version": "1", "default": "deny", "tools": { "t": rules } });
        assert!(Policy::parse(&document.to_string()).is_err(), "{document}");
    }
}

#[test]
fn documents_that_are_refused() {
    let with = |key: &str, value: Value| {
        let mut document = desk(&json!({}));
        document[key] = value;
        document.to_string()
    };
    refuses(&with("default", json!("allow")), "/default", "version 2 closes the arguments");
    refuses(&with("manifest", json!("binance")), "/manifest", "no manifest is called `binance`");
    refuses(&with("references", json!({ "BTCUSDT": "-5" })), "/references/BTCUSDT", "a reference price is `-5`");
    refuses(&with("references", json!({ "BTCUSDT": "0" })), "/references/BTCUSDT", "zero");
    refuses(&with("tools", json!({ "bn_new_orders": {} })), "/tools/bn_new_orders", "does not know the tool");
    let mut without = desk(&json!({}));
    without.as_object_mut().unwrap().remove("manifest");
    refuses(&without.to_string(), "", "`manifest` is missing");
    let rule = |rule: Value| desk(&json!({ "require": [rule] })).to_string();
    let at = "/tools/bn_new_order/require/0";
    for (condition, key, message) in [
        (json!({ "path": "args.qty", "op": "lt", "value": 1 }), "path", "no argument `qty`"),
        (json!({ "path": "facts.worth", "op": "lt", "value": 1 }), "path", "no fact `worth`"),
        (json!({ "path": "facts.notional", "op": "between", "value": ["500", "10"] }), "value", "nothing lies between"),
        (json!({ "path": "facts.notional", "op": "between", "value": ["10"] }), "value", "least and the most"),
        (json!({ "path": "facts.notional", "op": "between", "value": ["1e1", "50"] }), "value/0", "the least is `1e1`"),
        (json!({ "path": "args.symbol", "op": "one_of", "value": ["BTCUSDT", 5] }), "value/1", "a word is a number"),
        (json!({ "path": "args.symbol", "op": "length", "value": [1, "5"] }), "value/1", "whole number"),
        (json!({ "path": "args.symbol", "op": "characters", "value": "upper" }), "value", "no class of characters"),
        (json!({ "path": "args.price", "op": "eq", "other": "args.stopPrice" }), "other", "in place of `value`"),
        (json!({ "path": "args.price", "op": "lt", "value": 1, "if_present": "yes" }), "if_present", "is a string"),
    ] {
        refuses(&rule(condition), &format!("{at}/{key}"), message);
    }
    let limit = |max: Value| {
        desk(&json!({ "limits": [ { "counter": "c", "window": "day", "of": "facts.notional", "max": max } ] }))
            .to_string()
    };
    for max in [json!("0.000000001"), json!("184467440738"), json!("5e3"), json!(-1), json!(0.5)] {
        refuses(&limit(max), "/tools/bn_new_order/limits/0/max", "`max`");
    }
    let mut counted = desk(&json!({}));
    counted["all_tools"] =
        json!({ "limits": [ { "counter": "c", "window": "day", "of": "facts.notional", "max": "1" } ] });
    counted["tools"]["bn_ping"] = json!({});
    refuses(&counted.to_string(), "/tools/bn_ping", "counts a fact `notional`");
}

#[test]
fn a_manifest_of_ones_own_is_held_to_its_arguments() {
    let manifest = |tool: Value| {
        json!({ "version": "2", "default": "deny", "manifest": { "t": tool }, "tools": { "t": {} } }).to_string()
    };
    assert!(Policy::parse(&manifest(json!({ "arguments": ["a"], "facts": { "n": { "decimal": "a" } } }))).is_ok());
    for (tool, pointer, message) in [
        (json!({ "facts": {} }), "/manifest/t", "`arguments` is missing"),
        (json!({ "arguments": ["a", "a"] }), "/manifest/t/arguments/1", "named already"),
        (
            json!({ "arguments": [], "facts": { "n": { "decimal": "a" } } }),
            "/manifest/t/facts/n/decimal",
            "no argument",
        ),
        (json!({ "arguments": [], "facts": { "n": {} } }), "/manifest/t/facts/n", "exactly one form"),
        (json!({ "arguments": [], "facts": { "n": { "sum": [] } } }), "/manifest/t/facts/n/sum", "unknown key `sum`"),
        (
            json!({ "arguments": [], "facts": { "n": { "product": [] } } }),
            "/manifest/t/facts/n/product",
            "fewer than two",
        ),
        (
            json!({ "arguments": [], "facts": { "n": { "cases": [ {} ] } } }),
            "/manifest/t/facts/n/cases/0",
            "`is` is missing",
        ),
        (json!({ "arguments": [], "facts": { "a.b": { "constant": 1 } } }), "/manifest/t/facts/a.b", "no fact's name"),
    ] {
        refuses(&manifest(tool), pointer, message);
    }
}

#[test]
fn undeclared_arguments_are_denied_without_a_rule() {
    let mut guard = guard(&desk(&json!({})));
    drop(order(&json!({})).allowed(&mut guard, 0));
    for key in ["icebergQty", "trailingDelta", "apiKey", "signature", "Symbol", "symbol ", "", "ſymbol"] {
        order(&json!({ key: "1" })).refused(&mut guard, 0, "/tools/bn_new_order", "undeclared_argument");
    }
    // Where a rule mentions the argument, a look-alike is told as what it is.
    let mut guard = Guard::new(policy(&desk(&json!({ "require": [ { "path": "args.symbol", "op": "exists" } ] }))));
    order(&json!({ "Symbol": "1" })).refused(&mut guard, 0, "/tools/bn_new_order", "ambiguous_argument");
}

#[test]
fn notional_is_exact_or_unevaluable() {
    let capped = desk(&json!({ "deny_if": [ { "conditions": [
        { "path": "facts.notional", "op": "gt", "value": "600" } ], "on_deny": "at most 600 USDT an order" } ] }));
    let mut guard = guard(&capped);
    let rule = "/tools/bn_new_order/deny_if/0";
    let market = json!({ "type": "MARKET", "price": null, "timeInForce": null });
    let with = |base: &Value, more: Value| {
        let mut changes = base.clone();
        changes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        order(&changes)
    };
    for (call, expected) in [
        (order(&json!({})), None),
        (order(&json!({ "price": "60000.01" })), Some("deny_if_matched")),
        (order(&json!({ "quantity": "0.010000000000000000" })), None),
        (order(&json!({ "quantity": "0.0100000000000000001" })), Some("deny_if_matched")),
        // A sale may fetch more than it asks: it is valued by the reference price where that is higher.
        (order(&json!({ "side": "SELL", "quantity": "0.008", "price": "1" })), None),
        (order(&json!({ "side": "SELL", "quantity": "0.00800001", "price": "1" })), Some("deny_if_matched")),
        (order(&json!({ "side": "SELL", "quantity": "0.008", "price": "75000.01" })), Some("deny_if_matched")),
        (with(&market, json!({ "quantity": null, "quoteOrderQty": "600" })), None),
        (with(&market, json!({ "quantity": null, "quoteOrderQty": "600.00000001" })), Some("deny_if_matched")),
        (with(&market, json!({ "quantity": "0.008" })), None),
        (with(&market, json!({ "quantity": "0.0081" })), Some("deny_if_matched")),
        // Both boxes filled, a price on a market order, a symbol without a reference, a type nobody defined.
        (with(&market, json!({ "quantity": "0.001", "quoteOrderQty": "1" })), Some("unevaluable")),
        (with(&market, json!({ "quantity": "1000", "price": "0.01" })), Some("unevaluable")),
        (with(&market, json!({ "symbol": "DOGEUSDT", "quantity": "1" })), Some("unevaluable")),
        (order(&json!({ "type": "limit" })), Some("unevaluable")),
        (order(&json!({ "type": "STOP_LOSS", "price": null, "stopPrice": "1" })), Some("unevaluable")),
        (order(&json!({ "side": ["BUY"] })), Some("unevaluable")),
        (order(&json!({ "price": null })), Some("unevaluable")),
    ] {
        match expected {
            None => drop(call.allowed(&mut guard, 0)),
            Some(reason) => call.refused(&mut guard, 0, rule, reason),
        }
    }
    for sentinel in ["-1", "+1", "1e-9", "0x1", " 1", "1 ", "１", "1,0", ".1", "1.", "", "NaN", "Infinity", "1\n"] {
        order(&json!({ "quantity": sentinel })).refused(&mut guard, 0, rule, "unevaluable");
    }
    for number in [json!(-1), json!(1e-9), json!(1e30), json!(true), json!([1]), json!({ "a": 1 })] {
        order(&json!({ "quantity": number })).refused(&mut guard, 0, rule, "unevaluable");
    }
    // Too many digits to be held are not rounded.
    let many = json!({ "quantity": "0.00000000000000000001", "price": "99999999999.00000000000000000001" });
    order(&many).refused(&mut guard, 0, rule, "unevaluable");
}

#[test]
fn operators_of_version_2() {
    let check = |condition: Value, changes: Value, expected: Option<&str>| {
        let mut guard = guard(&desk(&json!({ "require": [condition] })));
        match expected {
            None => drop(order(&changes).allowed(&mut guard, 0)),
            Some(reason) => order(&changes).refused(&mut guard, 0, "/tools/bn_new_order/require/0", reason),
        }
    };
    let failed = Some("require_failed");
    let unevaluable = Some("unevaluable");
    let between = json!({ "path": "args.quantity", "op": "between", "value": ["0.01", "0.02"] });
    check(between.clone(), json!({ "quantity": "0.0100" }), None);
    check(between.clone(), json!({ "quantity": "0.02" }), None);
    check(between.clone(), json!({ "quantity": "0.020000001" }), failed);
    check(between.clone(), json!({ "quantity": "0.009999999" }), failed);
    check(between, json!({ "quantity": null }), unevaluable);
    let one_of = json!({ "path": "facts.symbol", "op": "one_of", "value": ["BTCUSDT", "5"] });
    check(one_of.clone(), json!({}), None);
    check(one_of.clone(), json!({ "symbol": "btcusdt" }), failed);
    check(one_of.clone(), json!({ "symbol": "BTCUSDT " }), failed);
    check(one_of.clone(), json!({ "symbol": "ＢTCUSDT" }), failed);
    check(one_of.clone(), json!({ "symbol": 5 }), unevaluable);
    check(one_of, json!({ "symbol": null }), unevaluable);
    let length = json!({ "path": "args.newClientOrderId", "op": "length", "value": [1, 3], "if_present": true });
    check(length.clone(), json!({}), None);
    check(length.clone(), json!({ "newClientOrderId": "äöü" }), None);
    check(length.clone(), json!({ "newClientOrderId": "" }), failed);
    check(length.clone(), json!({ "newClientOrderId": "abcd" }), failed);
    check(length, json!({ "newClientOrderId": 5 }), unevaluable);
    let characters = |class: &str| json!({ "path": "args.newClientOrderId", "op": "characters", "value": class });
    for (class, good, bad) in [
        ("digits", "0129", "1٣"),
        ("letters", "aZ", "a1"),
        ("alphanumeric", "aZ09", "a-1"),
        ("identifier", "aZ_0-9", "a 1"),
    ] {
        check(characters(class), json!({ "newClientOrderId": good }), None);
        check(characters(class), json!({ "newClientOrderId": bad }), failed);
        check(characters(class), json!({ "newClientOrderId": "a\n" }), failed);
    }
    let stop = json!({ "path": "args.stopPrice", "op": "lte", "other": "args.price" });
    check(stop.clone(), json!({ "stopPrice": "60000" }), None);
    check(stop.clone(), json!({ "stopPrice": "60000.01" }), failed);
    check(stop.clone(), json!({ "stopPrice": "9e1" }), unevaluable);
    check(stop, json!({}), unevaluable);
}

#[test]
fn an_argument_that_is_absent_is_as_if_the_condition_were_not_there() {
    let slow = json!({ "path": "args.recvWindow", "op": "gt", "value": 5000, "if_present": true });
    let mut guard = guard(&desk(&json!({ "deny_if": [ { "conditions": [slow] } ] })));
    drop(order(&json!({})).allowed(&mut guard, 0));
    drop(order(&json!({ "recvWindow": 5000 })).allowed(&mut guard, 0));
    let rule = "/tools/bn_new_order/deny_if/0";
    order(&json!({ "recvWindow": 5001 })).refused(&mut guard, 0, rule, "deny_if_matched");
    order(&json!({ "recvWindow": "soon" })).refused(&mut guard, 0, rule, "unevaluable");
    // A computed fact is never absent: what cannot be computed is no reason to skip a rule.
    let cap = json!({ "path": "facts.notional", "op": "lte", "value": "500", "if_present": true });
    let mut guard = crate::support::guard(&desk(&json!({ "require": [cap] })));
    let rule = "/tools/bn_new_order/require/0";
    order(&json!({ "price": null })).refused(&mut guard, 0, rule, "unevaluable");
}

fn turnover(max: &str) -> Value {
    desk(&json!({ "limits": [ { "counter": "turnover", "window": "day", "of": "facts.notional", "max": max } ] }))
}

const LIMIT: &str = "/tools/bn_new_order/limits/0";

#[test]
fn a_budget_counts_what_is_spent() {
    let mut guard = guard(&turnover("1500"));
    assert_eq!(admitted(&mut guard, &order(&json!({})), [0, 1, 2, 3]), 2);
    // 300 are left to the last digit.
    let denial = order(&json!({ "quantity": "0.005", "price": "60000.00000001" })).denied(&mut guard, 4);
    assert_eq!((denial.rule.as_str(), denial.reason.code()), (LIMIT, "limit_reached"));
    assert_eq!(denial.message, "the budget of 1500 a day has no room for 300.00000001");
    drop(order(&json!({ "quantity": "0.005" })).allowed(&mut guard, 5));
    order(&json!({ "quantity": "0.00000001", "price": "0.00000001" })).refused(&mut guard, 6, LIMIT, "limit_reached");
    // More than the budget never fits, so no wait is promised.
    let never = order(&json!({ "quantity": "1" })).denied(&mut guard, 7);
    assert_eq!(never.retry_after_ms, None);
    let later = order(&json!({})).denied(&mut guard, 7);
    let wait = later.retry_after_ms.expect("a day later there is room");
    order(&json!({})).refused(&mut guard, 7 + wait - 1, LIMIT, "limit_reached");
    drop(order(&json!({})).allowed(&mut guard, 7 + wait));
}

#[test]
fn a_budget_tells_what_is_spent_of_it() {
    let mut guard = guard(&turnover("1500"));
    drop(order(&json!({})).allowed(&mut guard, 0));
    let permit = order(&json!({ "quantity": "0.00000001", "price": "60000.5" })).allowed(&mut guard, 1);
    let charged: Vec<_> = guard.charged(&permit).collect();
    let [charged] = charged.as_slice() else { panic!("{charged:?}") };
    assert_eq!((charged.limit, charged.of), (LIMIT, Some("facts.notional")));
    let words = [charged.amount, charged.used, charged.max].map(|number| charged.text(number));
    assert_eq!(words, ["0.00060001", "600.00060001", "1500"]);
}

#[test]
fn a_budget_gives_back_only_what_never_left() {
    let mut guard = guard(&turnover("600"));
    for (outcome, given_back) in
        [(Outcome::NeverSent, true), (Outcome::Succeeded, false), (Outcome::Failed, false), (Outcome::Unknown, false)]
    {
        let (at, call) = (DAY * 2 * outcome as u64, order(&json!({})));
        let permit = call.allowed(&mut guard, at);
        order(&json!({ "quantity": "0.00001" })).refused(&mut guard, at, LIMIT, "limit_reached");
        guard.settle(permit, outcome);
        assert_eq!(matches!(call.of(&mut guard, at), Decision::Allow(_)), given_back, "{outcome:?}");
    }
}

#[test]
fn a_call_whose_amount_is_unknown_is_denied_and_charges_nothing() {
    let mut guard = guard(&turnover("600"));
    for quantity in [json!("-1"), json!(-1), json!("1e30"), json!("99999999999999999999"), json!(null)] {
        order(&json!({ "quantity": quantity })).refused(&mut guard, 0, LIMIT, "unevaluable");
    }
    assert_eq!(guard.counters(), 0);
    drop(order(&json!({})).allowed(&mut guard, 0));
}

#[test]
fn weights_of_all_tools_share_a_budget() {
    let mut guard = guard(&json!({ "version": "2", "default": "deny", "manifest": "binance-mcp",
        "all_tools": { "limits": [
            { "counter": "weight", "window": "minute", "of": "facts.weight", "max": 100, "scope": "server" } ] },
        "tools": { "bn_order_book": {}, "bn_ticker_24hr": {}, "bn_ping": {} } }));
    let book = |limit: u64| ask("bn_order_book").with(json!({ "symbol": "BTCUSDT", "limit": limit }));
    drop(ask("bn_ticker_24hr").grant("one").allowed(&mut guard, 0));
    book(501).grant("two").refused(&mut guard, 0, "/all_tools/limits/0", "limit_reached");
    book(5001).refused(&mut guard, 0, "/all_tools/limits/0", "unevaluable");
    drop(book(100).grant("two").allowed(&mut guard, 0));
    assert_eq!(admitted(&mut guard, &ask("bn_ping").grant("three"), [0; 30]), 15);
    assert_eq!(guard.counters(), 1);
    assert_eq!(admitted(&mut guard, &ask("bn_ping").grant("three"), [MINUTE - 1; 30]), 0);
    assert_eq!(admitted(&mut guard, &ask("bn_ping").grant("three"), [MINUTE; 30]), 30);
}

#[test]
fn conditions_of_version_2_are_not_taken_for_contradictions() {
    let rules = json!({ "require": [
        { "path": "args.stopPrice", "op": "exists", "value": false },
        { "path": "args.stopPrice", "op": "lte", "value": 5, "if_present": true },
        { "path": "args.price", "op": "eq", "value": 60000 },
        { "path": "args.price", "op": "gt", "other": "args.quantity" } ] });
    assert_eq!(policy(&desk(&rules)).warnings(), []);
    drop(order(&json!({})).allowed(&mut guard(&desk(&rules)), 0));
}

#[test]
fn the_audit_shows_declared_arguments_alone() {
    let document = |show: Value| desk(&json!({ "audit": { "show": show } })).to_string();
    let shown = policy(&desk(&json!({ "audit": { "show": ["symbol", "side", "symbol"] } })));
    assert_eq!(shown.handling("bn_new_order").shown(), ["symbol", "side"]);
    assert_eq!(shown.warnings()[0].code(), "shown_twice");
    assert!(shown.handling("bn_ping").shown().is_empty());
    refuses(&document(json!(["Symbol"])), "/tools/bn_new_order/audit/show/0", "no argument `Symbol`");
    refuses(&document(json!("symbol")), "/tools/bn_new_order/audit/show", "is a string");
    refuses(&document(json!([7])), "/tools/bn_new_order/audit/show/0", "an argument's name is a number");
    refuses(&desk(&json!({ "audit": { "hide": [] } })).to_string(), "/tools/bn_new_order/audit/hide", "unknown key");
    // Version 1 has no such key.
    let old = json!({ "version": "1", "default": "deny", "tools": { "bn_ping": { "audit": {} } } }).to_string();
    refuses(&old, "/tools/bn_ping/audit", "unknown key");
}

#[test]
fn what_of_results_reaches_the_agent_is_read_whole_or_not_at_all() {
    use mcp_policy::Instructions;
    let rules = |result: Value| desk(&json!({ "result": result }));
    let policy = policy(&rules(json!({ "redact": ["listenKey"], "max_bytes": 9, "instructions": "refuse" })));
    let read = policy.handling("bn_new_order").result().unwrap();
    assert_eq!(
        (read.redact(), read.bytes_max(), read.instructions()),
        (["listenKey".to_owned()].as_slice(), Some(9), Instructions::Refuse)
    );
    assert!(policy.handling("bn_ping").result().is_none());
    let at = |key: &str| format!("/tools/bn_new_order/result/{key}");
    refuses(&rules(json!({ "redact": "listenKey" })).to_string(), &at("redact"), "is a string");
    refuses(&rules(json!({ "redact": [""] })).to_string(), &at("redact/0"), "no name");
    refuses(&rules(json!({ "max_bytes": 0 })).to_string(), &at("max_bytes"), "whole number");
    refuses(&rules(json!({ "max_bytes": "9" })).to_string(), &at("max_bytes"), "whole number");
    refuses(&rules(json!({ "instructions": "mrk" })).to_string(), &at("instructions"), "`mrk` is no");
    refuses(&rules(json!({ "redcat": [] })).to_string(), &at("redcat"), "unknown key `redcat`");
}
