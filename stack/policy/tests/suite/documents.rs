//! Policy documents that are wrong: every error, its place and its remedy. And the schema that editors use.

use mcp_policy::{Policy, PolicyErrors};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{listing, tool};

#[track_caller]
fn errors(document: &Value) -> PolicyErrors {
    match Policy::parse(&document.to_string()) {
        Err(errors) => errors,
        Ok(_) => panic!("accepted: {document:#}"),
    }
}

/// Checks that `document` has one error, at `pointer`, whose text holds each of `parts`.
#[track_caller]
fn check(document: &Value, pointer: &str, parts: &[&str]) {
    let errors = errors(document);
    let [error] = errors.iter().collect::<Vec<_>>()[..] else { panic!("not one error:\n{errors}") };
    assert_eq!(error.pointer(), pointer, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "`{part}` is not in: {error}");
    }
    assert!(error.remedy().is_some_and(|remedy| !remedy.is_empty()), "no remedy: {error}");
    assert!(!schema().is_valid(document) || !is_for_schema(pointer, parts), "the schema accepts {document:#}");
}

/// What a schema cannot say: names that must agree, patterns that must compile, digits that must be few.
fn is_for_schema(_pointer: &str, parts: &[&str]) -> bool {
    !["another window", "regular expression", "held exactly", "no tool's name", "stands twice"]
        .iter()
        .any(|beyond| parts.iter().any(|part| part.contains(beyond)))
}

fn schema() -> jsonschema::Validator {
    let text = include_str!("../../schema/policy.v1.json");
    jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
}

#[test]
fn an_error_shows_its_place_and_what_to_write() {
    let source = "{\n  \"version\": \"1\",\n  \"default\": \"deny\",\n  \"tools\": {\n    \"bn_new_order\": {\n      \
                  \"denyif\": [],\n      \"action\": \"permit\"\n    }\n  }\n}";
    let errors = Policy::parse(source).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "line 6, column 7 at `/tools/bn_new_order/denyif`: unknown key `denyif`; did you mean `deny_if`?\n\
         line 7, column 17 at `/tools/bn_new_order/action`: `permit` is no action; use one of `allow`, `deny`, \
         `require_approval`"
    );
}

#[test]
fn all_errors_are_shown_in_the_order_of_the_text() {
    let document = json!({
        "verison": "1", "default": "maybe", "hide": [1],
        "tools": { "t": { "limits": [ { "counter": "c", "window": "fortnight", "max": -1, "scope": "planet" } ] } }
    });
    let pointers: Vec<String> = errors(&document).iter().map(|error| error.pointer().to_owned()).collect();
    assert_eq!(
        pointers,
        [
            "",
            "/verison",
            "/default",
            "/hide/0",
            "/tools/t/limits/0/window",
            "/tools/t/limits/0/max",
            "/tools/t/limits/0/scope",
        ]
    );
}

#[test]
fn syntax_is_closed_json() {
    for (source, part) in [
        ("", "line 1, column 1"),
        ("{ // comment\n }", "without comments or trailing commas"),
        ("{\"version\":\"1\",}", "without comments"),
        ("{\"version\":\"1\",\"version\":\"1\",\"default\":\"deny\"}", "the key stands twice"),
        ("{\"version\":\"1\",\"Default\":\"allow\",\"default\":\"deny\"}", "two keys differ only by case"),
        ("\u{feff}{}", "byte order mark"),
        ("{} {}", "something follows"),
    ] {
        let errors = Policy::parse(source).unwrap_err().to_string();
        assert!(errors.contains(part), "{source:?}: {errors}");
    }
}

#[test]
fn the_frame_of_a_document() {
    check(&json!([]), "", &["the document is an array", "write an object"]);
    check(&json!({ "default": "deny" }), "", &["`version` is missing"]);
    check(&json!({ "version": "1" }), "", &["`default` is missing", "`\"default\": \"deny\"`"]);
    check(&json!({ "version": "3", "default": "deny" }), "/version", &["version `3` is not known"]);
    check(&json!({ "version": 1, "default": "deny" }), "/version", &["not a string"]);
    check(&json!({ "version": "1", "default": "Deny" }), "/default", &["did you mean `deny`?"]);
    check(&json!({ "version": "1", "default": true }), "/default", &["a boolean", "write a string"]);
    check(&json!({ "version": "1", "default": "deny", "$schema": 1 }), "/$schema", &["a number"]);
    check(&json!({ "version": "1", "default": "deny", "tool": {} }), "/tool", &["did you mean `tools`?"]);
    check(&json!({ "version": "1", "default": "deny", "zebra": {} }), "/zebra", &["known here: `$schema`, `version`"]);
    check(&json!({ "version": "1", "default": "deny", "tools": [] }), "/tools", &["`tools` is an array"]);
    check(
        &json!({ "version": "1", "default": "deny", "all_tools": { "limit": [] } }),
        "/all_tools/limit",
        &["`limits`?"],
    );
}

#[test]
fn names_of_tools() {
    for hidden in ["", "bn_*", " bn_ping", "bn_ping\n"] {
        check(&json!({ "version": "1", "default": "deny", "hide": [hidden] }), "/hide/0", &["no tool's name"]);
    }
    check(&json!({ "version": "1", "default": "deny", "hide": "*" }), "/hide", &["a string", "an array"]);
    check(&json!({ "version": "1", "default": "deny", "hide": [null] }), "/hide/0", &["is null"]);
    check(&listing(&json!({ "bn_*": { "action": "deny" } })), "/tools/bn_*", &["no tool's name", "no patterns"]);
    check(&listing(&json!({ "*": {} })), "/tools/*", &["no tool's name"]);
    check(&listing(&json!({ "bn_ping": null })), "/tools/bn_ping", &["a tool's entry is null"]);
    check(&listing(&json!({ "bn_ping": "allow" })), "/tools/bn_ping", &["a tool's entry is a string"]);
}

#[test]
fn entries_of_tools() {
    check(&tool(&json!({ "requires": [] })), "/tools/t/requires", &["did you mean `require`?"]);
    check(&tool(&json!({ "ratelimit": {} })), "/tools/t/ratelimit", &["did you mean `rate_limit`?"]);
    check(&tool(&json!({ "action": "require-approval" })), "/tools/t/action", &["did you mean `require_approval`?"]);
    check(&tool(&json!({ "action": "deny", "reason": 5 })), "/tools/t/reason", &["`reason` is a number"]);
    check(&tool(&json!({ "deny_if": {} })), "/tools/t/deny_if", &["an object", "an array"]);
    check(&tool(&json!({ "deny_if": [ {} ] })), "/tools/t/deny_if/0", &["`conditions` is missing"]);
    check(&tool(&json!({ "deny_if": [ [] ] })), "/tools/t/deny_if/0", &["a rule is an array"]);
    check(
        &tool(&json!({ "deny_if": [ { "conditions": [], "ondeny": "x" } ] })),
        "/tools/t/deny_if/0/ondeny",
        &["did you mean `on_deny`?"],
    );
    check(&tool(&json!({ "deny_if": [ { "conditions": {} } ] })), "/tools/t/deny_if/0/conditions", &["an object"]);
    check(
        &tool(&json!({ "deny_if": [ { "conditions": [], "on_deny": null } ] })),
        "/tools/t/deny_if/0/on_deny",
        &["is null"],
    );
    check(&tool(&json!({ "require": [ "x" ] })), "/tools/t/require/0", &["a string"]);
}

#[test]
fn conditions() {
    let condition = |condition: Value, below: &str, parts: &[&str]| {
        let pointer = |rule: &str| format!("/tools/t/{rule}{}{below}", if below.is_empty() { "" } else { "/" });
        check(&tool(&json!({ "require": [condition] })), &pointer("require/0"), parts);
        let wrapped = tool(&json!({ "deny_if": [ { "conditions": [condition] } ] }));
        check(&wrapped, &pointer("deny_if/0/conditions/0"), parts);
    };
    condition(json!({ "op": "eq", "value": 1 }), "", &["`path` is missing"]);
    condition(json!({ "path": "args.a", "value": 1 }), "", &["`op` is missing"]);
    condition(json!({ "path": "args.a", "op": "eq" }), "", &["`value` is missing"]);
    condition(json!({ "path": "args.a", "op": "eq", "value": 1, "not": 1 }), "not", &["unknown key `not`"]);
    condition(json!({ "path": "amount", "op": "eq", "value": 1 }), "path", &["did you mean `args.amount`?"]);
    condition(json!({ "path": "$.args.a", "op": "eq", "value": 1 }), "path", &["write `args.`"]);
    condition(json!({ "path": "args", "op": "exists" }), "path", &["the argument's name"]);
    condition(json!({ "path": "args.", "op": "exists" }), "path", &["single points"]);
    condition(json!({ "path": "args.a..b", "op": "exists" }), "path", &["single points"]);
    condition(json!({ "path": 1, "op": "exists" }), "path", &["a number"]);
    condition(json!({ "path": "args.a", "op": "equals", "value": 1 }), "op", &["`equals` is no operator"]);
    condition(json!({ "path": "args.a", "op": "notin", "value": [1] }), "op", &["did you mean `not_in`?"]);
    condition(json!({ "path": "args.a", "op": "==", "value": 1 }), "op", &["use one of `eq`"]);
    condition(json!({ "path": "args.a", "op": "eq", "value": [1] }), "value", &["an array"]);
    condition(json!({ "path": "args.a", "op": "in", "value": "x" }), "value", &["a string", "an array"]);
    condition(json!({ "path": "args.a", "op": "in", "value": [[1]] }), "value/0", &["an array"]);
    condition(json!({ "path": "args.a", "op": "gt", "value": "-5" }), "value", &["cannot be compared by size"]);
    condition(json!({ "path": "args.a", "op": "gt", "value": "5 BTC" }), "value", &["cannot be compared by size"]);
    condition(json!({ "path": "args.a", "op": "gt", "value": true }), "value", &["cannot be compared by size"]);
    condition(json!({ "path": "args.a", "op": "gt", "value": null }), "value", &["cannot be compared by size"]);
    condition(json!({ "path": "args.a", "op": "gt", "value": 1e300 }), "value", &["held exactly"]);
    condition(json!({ "path": "args.a", "op": "exists", "value": "true" }), "value", &["without quotes"]);
    condition(json!({ "path": "args.a", "op": "regex", "value": "(" }), "value", &["no regular expression"]);
    condition(json!({ "path": "args.a", "op": "regex", "value": "(?=x)" }), "value", &["no regular expression"]);
    condition(
        json!({ "path": "args.a", "op": "regex", "value": "a{9999}{9999}" }),
        "value",
        &["no regular expression"],
    );
    condition(json!({ "path": "args.a", "op": "regex", "value": 5 }), "value", &["a number"]);
}

#[test]
fn a_number_that_would_be_rounded_is_no_limit() {
    let with = |number: &str| {
        format!(
            r#"{{"version":"1","default":"deny","tools":{{"t":{{"require":[{{"path":"args.a","op":"lt","value":{number}}}]}}}}}}"#
        )
    };
    let errors = Policy::parse(&with("0.12345678901234567891")).unwrap_err();
    let error = errors.iter().next().unwrap();
    assert_eq!(error.message(), "`0.12345678901234567891` cannot be held exactly");
    assert_eq!(error.remedy(), Some("write fewer digits, or a decimal in quotes"));
    assert!(Policy::parse(&with("123456789012345678901")).is_err());
    for exact in ["0.12345678", "100000000000000000000", "1e-7", "\"0.12345678901234567891\"", "-0.5"] {
        assert!(Policy::parse(&with(exact)).is_ok(), "{exact}");
    }
}

#[test]
fn limits() {
    let limit = |change: Value, below: &str, parts: &[&str]| {
        let mut limit = json!({ "counter": "c", "window": "minute", "max": 1, "scope": "grant" });
        for (key, value) in change.as_object().unwrap() {
            limit[key] = value.clone();
        }
        check(&tool(&json!({ "limits": [limit] })), &format!("/tools/t/limits/0/{below}"), parts);
    };
    limit(json!({ "windw": 1 }), "windw", &["did you mean `window`?"]);
    limit(json!({ "counter": "" }), "counter", &["the counter has no name"]);
    limit(json!({ "counter": 1 }), "counter", &["a number"]);
    limit(json!({ "window": "minutes" }), "window", &["did you mean `minute`?"]);
    limit(json!({ "window": "week" }), "window", &["use one of `minute`, `hour`, `day`"]);
    limit(json!({ "window": "60" }), "window", &["write 60 without quotes"]);
    limit(json!({ "window": 0 }), "window", &["at least 1"]);
    limit(json!({ "window": -1 }), "window", &["at least 1"]);
    limit(json!({ "window": 1.5 }), "window", &["whole number"]);
    limit(json!({ "window": 86_400_000 }), "window", &["too long", "in seconds"]);
    limit(json!({ "window": { "seconds": 60 } }), "window", &["whole number"]);
    limit(json!({ "max": -1 }), "max", &["at least 0"]);
    limit(json!({ "max": 1.5 }), "max", &["whole number"]);
    limit(json!({ "max": "30" }), "max", &["write 30 without quotes"]);
    limit(json!({ "max": null }), "max", &["whole number"]);
    limit(json!({ "scope": "server" }), "scope", &["`server` is no scope", "`grant`, `session`"]);
    limit(json!({ "on_deny": 1 }), "on_deny", &["a number"]);
    check(&tool(&json!({ "rate_limit": { "max": 1 } })), "/tools/t/rate_limit", &["`window` is missing"]);
    check(&tool(&json!({ "rate_limit": { "window": 1 } })), "/tools/t/rate_limit", &["`max` is missing"]);
    check(&tool(&json!({ "rate_limit": 10 })), "/tools/t/rate_limit", &["a number"]);
    let scoped = tool(&json!({ "rate_limit": { "max": 1, "window": 1, "scope": "grant" } }));
    check(&scoped, "/tools/t/rate_limit/scope", &["unknown key `scope`"]);
}

#[test]
fn a_counter_counts_alike_wherever_it_is_named() {
    let base = json!({ "counter": "orders", "window": "minute", "max": 5, "scope": "grant" });
    for (key, value) in [("window", json!("hour")), ("max", json!(6)), ("scope", json!("session"))] {
        let mut other = base.clone();
        other[key] = value;
        let document = listing(&json!({ "a": { "limits": [base] }, "b": { "limits": [other] } }));
        check(&document, "/tools/b/limits/0", &["`orders` has another window, max or scope at `/tools/a/limits/0`"]);
    }
    // A minute is sixty seconds, however it is written.
    let mut same = base.clone();
    same["window"] = json!(60);
    assert!(
        Policy::parse(&listing(&json!({ "a": { "limits": [base] }, "b": { "limits": [same] } })).to_string()).is_ok()
    );
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let key = format!("\u{1b}[31m{}", "x".repeat(5000));
    let shown = errors(&tool(&json!({ key: 1 }))).iter().next().unwrap().message().to_owned();
    assert!(shown.len() < 200 && !shown.contains('\u{1b}'), "{shown:?}");
}

/// A document that uses everything.
pub(crate) fn full() -> Value {
    json!({
        "$schema": "policy.v1.json", "version": "1", "default": "deny", "hide": ["delete_account"],
        "all_tools": { "limits": [ { "counter": "calls", "window": "minute", "max": 60, "scope": "grant" } ] },
        "tools": {
            "bn_ping": {},
            "bn_cancel_all_orders": { "action": "deny", "reason": "one by one" },
            "bn_new_order": {
                "action": "require_approval", "reason": "by a person",
                "require": [
                    { "path": "args.symbol", "op": "in", "value": ["BTCUSDT"] },
                    { "conditions": [ { "path": "args.side", "op": "neq", "value": "SELL" } ], "on_deny": "no sales" }
                ],
                "deny_if": [ { "conditions": [
                    { "path": "args.quantity", "op": "exists" }, { "path": "args.quantity", "op": "gt", "value": "0.5" }
                ], "on_deny": "at most 0.5" } ],
                "limits": [ { "counter": "orders", "window": 90, "max": 5, "scope": "session", "on_deny": "slowly" } ],
                "rate_limit": { "max": 10, "window": 60 }
            }
        }
    })
}

#[test]
fn the_schema_accepts_what_is_accepted() {
    let schema = schema();
    let published = ["accumulate", "binance-v1", "listen-keys", "reader", "supervised"].map(|name| {
        let path = format!("{}/../../scenarios/policies/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap()
    });
    for document in published.iter().chain([&full()]) {
        assert!(Policy::parse(&document.to_string()).is_ok());
        let problems: Vec<String> = schema.iter_errors(document).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{problems:?}\n{document:#}");
    }
}

#[test]
fn the_shipped_policies_say_nothing_in_vain() {
    for name in ["accumulate", "binance-v1", "listen-keys", "reader", "supervised"] {
        let path = format!("{}/../../scenarios/policies/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let policy = Policy::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(policy.warnings().is_empty(), "{name}: {:?}", policy.warnings());
    }
}

/// The pointers of all objects in a document whose keys are not the author's choice.
fn closed_objects(document: &Value) -> Vec<String> {
    objects_but(document, |pointer| pointer == "/tools")
}

/// The pointers of all objects in a document but those that are `open`.
pub(crate) fn objects_but(document: &Value, open: fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![(String::new(), document)];
    while let Some((pointer, value)) = left.pop() {
        match value {
            Value::Object(members) => {
                left.extend(
                    members.iter().map(|(key, value)| (format!("{pointer}/{}", key.replace('/', "~1")), value)),
                );
                if !open(&pointer) {
                    found.push(pointer);
                }
            }
            Value::Array(elements) => {
                left.extend(elements.iter().enumerate().map(|(index, value)| (format!("{pointer}/{index}"), value)));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn an_unknown_key_is_an_error_in_every_object() {
    let pointers = closed_objects(&full());
    assert!(pointers.len() >= 14, "{pointers:?}");
    for pointer in pointers {
        let mut document = full();
        document.pointer_mut(&pointer).unwrap()["unknown"] = json!(1);
        let found = errors(&document);
        assert!(found.iter().any(|error| error.message() == "unknown key `unknown`"), "{pointer}: {found}");
        assert!(!schema().is_valid(&document), "the schema accepts an unknown key at {pointer}");
    }
}

proptest! {
    #[test]
    fn a_damaged_document_never_panics_and_never_hides_an_unknown_key(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..5), 1..4),
        key in "[a-z_$]{1,8}",
    ) {
        let mut document = full();
        let mut unknown = false;
        for (at, which, kind) in edits {
            let pointers = closed_objects(&document);
            let pointer = at.get(&pointers).clone();
            let Some(Value::Object(members)) = document.pointer_mut(&pointer) else { continue };
            let keys: Vec<String> = members.keys().cloned().collect();
            let values = [json!(null), json!(0), json!("x"), json!([]), json!({}), json!([{}]), json!(-1), json!(true)];
            match kind {
                0 if !keys.is_empty() => { members.shift_remove(which.get(&keys)); }
                1 if !keys.is_empty() => { members.insert(which.get(&keys).clone(), which.get(&values).clone()); }
                2 if !keys.is_empty() => {
                    // A typing error: the key loses its last letter.
                    let old = which.get(&keys).clone();
                    let value = members.shift_remove(&old).unwrap();
                    members.insert(old[..old.len() - 1].to_owned(), value);
                }
                3 => { members.insert(key.clone(), json!(1)); }
                _ => {}
            }
            unknown = unknown || has_unknown_key(&document);
        }
        let parsed = Policy::parse(&document.to_string());
        if has_unknown_key(&document) {
            prop_assert!(parsed.is_err(), "accepted with an unknown key: {}", document);
        }
        if parsed.is_ok() {
            prop_assert!(schema().is_valid(&document), "the schema refuses what is accepted: {}", document);
        }
    }

    #[test]
    fn noise_is_never_a_policy(source in "\\PC{0,200}") {
        prop_assert!(Policy::parse(&source).is_err());
    }

    #[test]
    fn a_cut_document_is_never_a_policy(at in any::<prop::sample::Index>()) {
        let text = full().to_string();
        let cut = at.index(text.len());
        prop_assert!(Policy::parse(&text[..cut]).is_err());
    }
}

/// Whether a key stands where the language knows no such key, by its own plain list.
fn has_unknown_key(document: &Value) -> bool {
    fn outside(value: &Value, known: &[&str]) -> bool {
        value.as_object().is_some_and(|members| members.keys().any(|key| !known.contains(&key.as_str())))
    }
    fn each(value: &Value) -> impl Iterator<Item = &Value> {
        value.as_array().into_iter().flatten()
    }
    let condition = |value: &Value| outside(value, &["path", "op", "value"]);
    let rule = |value: &Value| outside(value, &["conditions", "on_deny"]) || each(&value["conditions"]).any(condition);
    let limit = |value: &Value| outside(value, &["counter", "window", "max", "scope", "on_deny"]);
    outside(document, &["$schema", "version", "default", "hide", "all_tools", "tools"])
        || outside(&document["all_tools"], &["limits"])
        || each(&document["all_tools"]["limits"]).any(limit)
        || document["tools"].as_object().into_iter().flat_map(|tools| tools.values()).any(|tool| {
            outside(tool, &["action", "reason", "deny_if", "require", "limits", "rate_limit"])
                || each(&tool["deny_if"]).any(rule)
                || each(&tool["limits"]).any(limit)
                || outside(&tool["rate_limit"], &["max", "window"])
                || each(&tool["require"]).any(|entry| {
                    if entry.get("conditions").is_some() {
                        rule(entry)
                    } else {
                        outside(entry, &["path", "op", "value", "on_deny"])
                    }
                })
        })
}
