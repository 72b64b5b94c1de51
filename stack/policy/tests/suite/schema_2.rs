//! The schema of version "2" that editors use, and documents that are damaged: whatever is accepted, the schema knows.

use mcp_policy::Policy;
use mcp_policy::strict::{self, Limits};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::docs;
use crate::documents::objects_but;

fn schema() -> jsonschema::Validator {
    let text = include_str!("../../schema/policy.v2.json");
    jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
}

fn value(text: &str) -> Value {
    strict::parse(text.as_bytes(), Limits::default().with_comments()).unwrap()
}

fn shipped() -> Vec<(String, String)> {
    let folder = format!("{}/../../scenarios/policies", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // Beside them stand tests of policies.
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &std::path::PathBuf| (path.display().to_string(), std::fs::read_to_string(path).unwrap());
    paths.iter().map(read).filter(|(_, text)| value(text)["version"] == "2").collect()
}

#[test]
fn the_schema_takes_every_example() {
    let schema = schema();
    let examples = docs::examples().into_iter().map(|(line, text)| (format!("docs/policy.md:{line}"), text));
    let shipped = shipped();
    assert!(shipped.len() >= 3, "{}", shipped.len());
    for (name, text) in examples.chain(shipped).chain([("full".to_owned(), full().to_string())]) {
        let problems: Vec<String> =
            schema.iter_errors(&value(&text)).map(|error| format!("{} at {}", error, error.instance_path())).collect();
        assert!(problems.is_empty(), "{name}: {problems:#?}");
    }
    // The shipped manifest, written out, is one too.
    let manifest = include_str!("../../manifests/binance-mcp.json");
    let mut document = json!({ "version": "2", "default": "deny", "tools": {} });
    document["manifest"] = serde_json::from_str(manifest).unwrap();
    assert!(schema.is_valid(&document));
    assert!(Policy::parse(&document.to_string()).is_ok());
}

#[test]
fn the_shipped_policies_of_version_2_say_nothing_in_vain() {
    for (name, text) in shipped() {
        let policy = Policy::parse(&text).unwrap_or_else(|errors| panic!("{name}: {errors}"));
        assert_eq!(policy.warnings(), [], "{name}");
    }
}

/// A document in which everything stands that the language knows.
fn full() -> Value {
    let on = |mut rule: Value| {
        rule["on_deny"] = json!("no");
        rule["shadow"] = json!(false);
        rule
    };
    let condition = |path: &str, op: &str, value: Value| json!({ "path": path, "op": op, "value": value });
    let answer = json!({ "symbol": "/s", "order_id": "/o", "client_order_id": "/c", "filled": "/f", "placed_at": "/at",
                         "status": { "at": "/t", "open": ["NEW"], "closed": ["FILLED"] } });
    let refused = json!({ "at": "/error", "is": false });
    let arguments = json!(["symbol", "side", "quantity", "price", "name", "id", "key"]);
    let one = json!({ "symbol": "symbol", "order_id": "id", "client_order_id": "name", "answer": answer, "refused": refused });
    let many = json!({ "symbol": "symbol", "items": "/items", "answer": answer, "late_ms": 1000 });
    let breakers = |mut rules: Value| {
        rules["cooldown"] = json!([on(json!({ "after": "denial", "window": 5, "scope": "session" })), { "after": "call", "window": 1 }]);
        rules["error_streak"] = json!([on(json!({ "max": 3, "window": "minute", "pause": 60, "scope": "server" }))]);
        rules["concurrency"] = json!([on(json!({ "max": 3, "scope": "organisation" }))]);
        rules
    };
    json!({
        "$schema": "policy.v2.json", "version": "2", "default": "deny", "shadow": false,
        "references": { "BTCUSDT": "75000", "ETHUSDT": 4000 },
        "live_references": { "tools": ["price", "average"], "max_age": 10, "max_move_percent": "20", "agree_percent": 2 },
        "assets": { "BTCUSDT": { "base": "BTC", "quote": "USDT" } },
        "safety_tools": ["cancel"], "hide": ["secret_*", "hidden"],
        "methods": { "resources/*": "allow", "resources/subscribe": { "action": "hide", "reason": "no" }, "notifications/*": "deny",
                     "prompts/get": { "action": "allow", "only": ["a", "b_*"], "reason": "others are not looked at" } },
        "manifest": {
            "place": { "arguments": arguments,
                "facts": { "symbol": { "argument": "symbol" }, "n": { "product": [ { "decimal": "quantity" }, { "greatest": [
                    { "decimal": "price" }, { "reference": "symbol" } ] } ] },
                    "w": { "cases": [ { "one_of": { "side": ["BUY"] }, "at_most": { "quantity": "5" }, "with": ["price"], "without": ["id"],
                                        "is": { "constant": "1" } } ] } },
                "effect": { "places_order": { "symbol": "symbol", "side": { "argument": "side", "buy": "BUY", "sell": "SELL" },
                    "quantity": "quantity", "price": "price", "client_order_id": "name", "answer": answer, "refused": refused } } },
            "test": { "arguments": arguments },
            "price": { "arguments": ["symbol"], "effect": { "tells_price": { "symbol": "symbol", "answer": { "price": "/p", "symbol": "/s" } } } },
            "average": { "arguments": ["symbol"], "effect": { "tells_price": { "symbol": "symbol", "answer": { "price": "/p" } } } },
            "cancel": { "arguments": arguments, "effect": { "cancels_order": one } },
            "query": { "arguments": arguments, "effect": { "reads_order": one } },
            "cancel_all": { "arguments": arguments, "effect": { "cancels_all_orders": many } },
            "list": { "arguments": arguments, "effect": { "lists_open_orders": many } },
            "key_new": { "arguments": [], "effect": { "issues_listen_key": { "answer": "/key" } } },
            "key_more": { "arguments": ["key"], "effect": { "extends_listen_key": { "argument": "key" } } },
            "key_end": { "arguments": ["key"], "effect": { "closes_listen_key": { "argument": "key" } } }
        },
        "all_tools": breakers(json!({ "limits": [ { "counter": "calls", "window": "minute", "max": 60, "each": "arguments" } ] })),
        "tools": {
            "place": breakers(json!({
                "action": "require_approval", "reason": "a person looks",
                "deny_if": [ on(json!({ "conditions": [ { "not": condition("args.side", "eq", json!("BUY")) },
                    { "any": [ condition("args.name", "length", json!([1, 5])), condition("args.name", "characters", json!("digits")) ] } ] })) ],
                "require": [
                    on(condition("args.quantity", "between", json!(["1", "5"]))),
                    on(json!({ "path": "args.price", "op": "gt", "other": "facts.n" })),
                    on(json!({ "path": "args.price", "op": "within_percent", "other": "facts.n", "value": "5" })),
                    on(json!({ "all": [ condition("facts.symbol", "one_of", json!(["BTCUSDT"])),
                                        { "path": "args.id", "op": "exists", "if_present": true } ] })),
                    on(json!({ "not": condition("args.symbol", "regex", json!("^x$")) })),
                    on(json!({ "conditions": [ condition("args.symbol", "neq", json!("x")), condition("args.price", "lt", json!(5)) ] })) ],
                "limits": [ on(json!({ "counter": "c", "window": 5, "max": "0.5", "of": "facts.n", "each": "facts.symbol", "scope": "organisation" })) ],
                "rate_limit": { "max": 5, "window": "hour" },
                "audit": { "show": ["symbol"] },
                "approve_if": [ on(json!({ "conditions": [ condition("args.price", "gt", json!(5)) ] })) ],
                "result": { "redact": ["listenKey"], "max_bytes": 1000, "instructions": "mark" },
                "requires_prior": [ on(json!({ "tool": "test", "within": 60, "but": ["name"] })) ],
                "no_self_cross": on(json!({})),
                "open_orders": [ on(json!({ "max": 5, "per": "symbol" })) ],
                "exposure": [ on(json!({ "asset": "BTC", "max": "0.5" })) ],
                "cancel_to_fill": [ on(json!({ "window": "day", "max": 5, "free": 5 })) ]
            })),
            "test": {}, "cancel": { "own_orders_only": true }, "key_*": {}, "key_end": { "own_listen_keys_only": on(json!({})) }
        }
    })
}

/// The pointers of all objects whose keys are not the author's choice.
fn closed_objects(document: &Value) -> Vec<String> {
    objects_but(document, |pointer| {
        ["/tools", "/methods", "/manifest", "/references", "/assets"].contains(&pointer)
            || pointer.ends_with("/facts")
            || ["/one_of", "/at_most"].iter().any(|key| pointer.ends_with(key) && pointer.contains("/cases/"))
    })
}

#[test]
fn the_full_document_is_taken() {
    Policy::parse(&full().to_string()).unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn an_unknown_key_is_an_error_in_every_object() {
    let pointers = closed_objects(&full());
    assert!(pointers.len() >= 80, "{}", pointers.len());
    let schema = schema();
    for pointer in pointers {
        let mut document = full();
        document.pointer_mut(&pointer).unwrap()["unknown"] = json!(1);
        let errors = Policy::parse(&document.to_string()).expect_err(&pointer);
        let found =
            errors.iter().any(|error| error.message().contains("unknown") || error.message().contains("exactly one"));
        assert!(found, "{pointer}: {errors}");
        assert!(!schema.is_valid(&document), "the schema accepts an unknown key at {pointer}");
    }
}

/// What both the reader and the schema refuse: a tool's rules, put into a document that is fine without them.
#[test]
fn the_schema_refuses_what_is_malformed() {
    let schema = schema();
    let whole = |tools: Value| json!({ "version": "2", "default": "deny", "manifest": "binance-mcp", "tools": tools });
    let fine = whole(json!({ "bn_new_order": {} }));
    assert!(schema.is_valid(&fine) && Policy::parse(&fine.to_string()).is_ok());
    let condition = |condition: Value| json!({ "require": [condition] });
    let limit = |limit: Value| json!({ "limits": [limit] });
    let rules = [
        json!([]),
        json!(null),
        json!(true),
        json!({ "action": "block" }),
        json!({ "action": true }),
        json!({ "reason": 5, "action": "deny" }),
        json!({ "requires": [] }),
        json!({ "require": {} }),
        json!({ "deny_if": [[]] }),
        json!({ "deny_if": [{ "on_deny": "no" }] }),
        json!({ "approve_if": [{ "conditions": {} }] }),
        condition(json!({ "path": "args.symbol" })),
        condition(json!({ "op": "eq", "value": 1 })),
        condition(json!({ "path": "args.symbol", "op": "equals", "value": "x" })),
        condition(json!({ "path": 5, "op": "eq", "value": "x" })),
        condition(json!({ "path": "args.symbol", "op": "exists", "value": "yes" })),
        condition(json!({ "path": "args.symbol", "op": "exists", "if_present": 1 })),
        condition(json!({ "path": "args.symbol", "op": "one_of", "value": "BTCUSDT" })),
        condition(json!({ "path": "args.price", "op": "between", "value": ["1"] })),
        condition(json!({ "path": "args.newClientOrderId", "op": "characters", "value": "hex" })),
        condition(json!({ "any": [] })),
        condition(json!({ "any": {} })),
        condition(json!({ "not": [] })),
        condition(json!({ "path": "args.symbol", "op": "eq", "value": "x", "shadow": "no" })),
        limit(json!({ "window": "minute", "max": 5 })),
        limit(json!({ "counter": "c", "max": 5 })),
        limit(json!({ "counter": "c", "window": "minute" })),
        limit(json!({ "counter": "c", "window": "week", "max": 5 })),
        limit(json!({ "counter": "c", "window": 0, "max": 5 })),
        limit(json!({ "counter": "c", "window": "minute", "max": -1 })),
        limit(json!({ "counter": "c", "window": "minute", "max": 5, "scope": "everybody" })),
        limit(json!({ "counter": "", "window": "minute", "max": 5 })),
        json!({ "rate_limit": { "max": 5 } }),
        json!({ "rate_limit": [{ "max": 5, "window": 60 }] }),
        json!({ "audit": ["symbol"] }),
        json!({ "result": { "redact": "listenKey" } }),
        json!({ "result": { "max_bytes": 0 } }),
        json!({ "result": { "instructions": "warn" } }),
        json!({ "no_self_cross": false }),
        json!({ "open_orders": { "max": 5 } }),
        json!({ "open_orders": [{ "max": 5, "per": "day" }] }),
        json!({ "cancel_to_fill": [{ "window": "hour", "max": 5 }] }),
        json!({ "cooldown": [{ "after": "lunch", "window": 5 }] }),
        json!({ "concurrency": [{ "max": 0 }] }),
        json!({ "error_streak": [{ "max": 5, "window": "minute" }] }),
    ];
    let documents = rules.into_iter().map(|rules| whole(json!({ "bn_new_order": rules })));
    let with = |key: &str, value: Value| {
        let mut document = fine.clone();
        document[key] = value;
        document
    };
    let tops = [
        with("version", json!(2)),
        with("version", json!("3")),
        with("default", json!("allow")),
        with("default", json!(true)),
        with("manifest", json!(["binance-mcp"])),
        with("hide", json!("bn_ping")),
        with("tools", json!([])),
        with("references", json!({ "BTCUSDT": true })),
        with("assets", json!({ "BTCUSDT": { "base": "BTC" } })),
        with("safety_tools", json!({})),
        with("shadow", json!("true")),
        with("all_tools", json!({ "require": [] })),
        with("live_references", json!({ "tools": [] })),
        with("include", json!("limits.json")),
        with("methods", json!([])),
        with("methods", json!({ "resources/write": "allow" })),
        with("methods", json!({ "Resources/read": "allow" })),
        with("methods", json!({ "tools/call": "allow" })),
        with("methods", json!({ "initialize": "deny" })),
        with("methods", json!({ "resources/*/list": "allow" })),
        with("methods", json!({ "resources/read": "pass" })),
        with("methods", json!({ "resources/read": true })),
        with("methods", json!({ "resources/read": {} })),
        with("methods", json!({ "resources/read": { "only": [] } })),
        with("methods", json!({ "resources/read": { "only": "a" } })),
        with("methods", json!({ "resources/read": { "only": ["*"] } })),
        with("methods", json!({ "resources/read": { "only": ["a*b"] } })),
        with("methods", json!({ "resources/read": { "action": "allow", "names": ["a"] } })),
        with("tols", json!({})),
        json!([]),
        json!({}),
    ];
    let taken: Vec<String> = documents
        .chain(tops)
        .filter(|document| Policy::parse(&document.to_string()).is_ok() || schema.is_valid(document))
        .map(|document| format!("{} {document}", if schema.is_valid(&document) { "schema" } else { "reader" }))
        .collect();
    assert!(taken.is_empty(), "{taken:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1000), ..ProptestConfig::default() })]

    /// A key is taken away, misspelt, made up, or its value exchanged: never a panic, and never accepted beyond what the
    /// schema knows. What is accepted judges a call.
    #[test]
    fn a_damaged_document_never_panics_and_is_never_silently_weaker(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..4), 1..4),
        key in "[a-z_$]{1,8}",
    ) {
        let mut document = full();
        for (at, which, kind) in edits {
            let pointers = closed_objects(&document);
            let pointer = at.get(&pointers).clone();
            let Some(Value::Object(members)) = document.pointer_mut(&pointer) else { continue };
            let keys: Vec<String> = members.keys().cloned().collect();
            if keys.is_empty() {
                continue;
            }
            let values = [json!(null), json!(0), json!("x"), json!([]), json!({}), json!([{}]), json!(-1), json!(true), json!("args.id")];
            let which_key = which.get(&keys).clone();
            match kind {
                0 => { members.shift_remove(&which_key); }
                1 => { members.insert(which_key, which.get(&values).clone()); }
                2 => {
                    let value = members.shift_remove(&which_key).unwrap();
                    members.insert(which_key[..which_key.len() - 1].to_owned(), value);
                }
                _ => { members.insert(key.clone(), json!(1)); }
            }
        }
        if let Ok(policy) = Policy::parse(&document.to_string()) {
            prop_assert!(schema().is_valid(&document), "the schema refuses what is accepted: {}", document);
            let call = crate::support::ask("place").with(json!({ "symbol": "BTCUSDT", "side": "BUY", "quantity": "1", "price": "1" }));
            let _ = call.of(&mut mcp_policy::Guard::new(policy), 0);
        }
    }

    #[test]
    fn a_cut_document_is_never_a_policy(at in any::<prop::sample::Index>()) {
        let text = full().to_string();
        prop_assert!(Policy::parse(&text[..at.index(text.len())]).is_err());
    }
}
