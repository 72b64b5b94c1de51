//! Documents in several parts.

use std::collections::BTreeMap;

use mcp_policy::{Guard, Policy, PolicyErrors};
use serde_json::{Value, json};

use crate::desk::order;
use crate::support::{admitted, ask};

fn document(include: &Value, more: &Value) -> Value {
    let mut document = json!({ "version": "2", "default": "deny", "manifest": "binance-mcp", "include": include });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

fn read(document: &Value, parts: &Value) -> Result<Policy, PolicyErrors> {
    let parts: BTreeMap<String, String> = parts
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, part)| (path.clone(), part.as_str().map_or_else(|| part.to_string(), str::to_owned)))
        .collect();
    Policy::parse_with(&document.to_string(), &|path| parts.get(path).cloned().ok_or_else(|| "no such file".to_owned()))
}

#[track_caller]
fn refuses(document: &Value, parts: &Value, expected: &str) {
    let errors = read(document, parts).expect_err("a document that is not valid").to_string();
    assert!(errors.contains(expected), "no `{expected}` in:\n{errors}");
}

#[test]
fn parts_make_one_document() {
    let parts = json!({
        "limits.json": "// shared by all desks\n{ \"all_tools\": { \"limits\": [ { \"counter\": \"all\", \"window\": 60, \"max\": 3 } ] } }",
        "desk/orders.json": { "include": ["prices.json"], "hide": ["bn_cancel_*"], "tools": { "bn_new_order": {
            "require": [ { "path": "facts.notional", "op": "lte", "value": "600" } ] } } },
        "desk/prices.json": { "references": { "BTCUSDT": "75000" }, "assets": { "BTCUSDT": { "base": "BTC", "quote": "USDT" } } },
    });
    let document = document(&json!(["limits.json", "desk/orders.json"]), &json!({ "tools": { "bn_*": {} } }));
    let policy = read(&document, &parts).unwrap();
    let names: Vec<&str> = policy.parts().map(|(path, _)| path).collect();
    assert_eq!(names, ["limits.json", "desk/orders.json", "desk/prices.json"]);
    let mut guard = Guard::new(policy);
    // A rule is named by the part that it stands in.
    let dear = order(&json!({ "price": "60000.01" }));
    dear.refused(&mut guard, 0, "desk/orders.json#/tools/bn_new_order/require/0", "require_failed");
    ask("bn_cancel_order").refused(&mut guard, 0, "(hidden)", "hidden");
    assert_eq!(admitted(&mut guard, &ask("bn_ping"), [0; 5]), 3);
    ask("bn_ping").refused(&mut guard, 0, "limits.json#/all_tools/limits/0", "limit_reached");
}

#[test]
fn nothing_is_said_twice_and_nothing_that_is_not_known() {
    let including = document(&json!(["a.json"]), &json!({ "tools": { "bn_ping": {} }, "references": { "X": "1" } }));
    let with = |part: Value| json!({ "a.json": part });
    refuses(
        &including,
        &with(json!({ "tools": { "bn_ping": {} } })),
        "line 1, column 11 at `a.json#/tools/bn_ping`: `bn_ping` has an entry at `/tools/bn_ping` already",
    );
    refuses(
        &including,
        &with(json!({ "references": { "X": "2" } })),
        "at `a.json#/references/X`: `X` has a price in another part",
    );
    for key in ["version", "default", "manifest", "shadow", "safety_tools"] {
        refuses(&including, &with(json!({ key: "x" })), &format!("at `a.json#/{key}`: unknown key `{key}`"));
    }
    refuses(
        &including,
        &with(json!({ "tools": { "bn_server_time": { "denyif": [] } } })),
        "at `a.json#/tools/bn_server_time/denyif`: unknown key",
    );
    refuses(&including, &with(json!([])), "at `a.json#`: a part of a document is an array");
    refuses(
        &including,
        &json!({ "a.json": "{ \"tools\": {" }),
        "at `/include/0`: `a.json` is not closed JSON: line 1, column",
    );
    refuses(&including, &json!({ "a.json": "{ \"tools\": {}, \"Tools\": {} }" }), "two keys differ only by case");
}

#[test]
fn cycles_escapes_and_missing_parts_are_errors() {
    let including = |name: &str| document(&json!([name]), &json!({ "tools": {} }));
    refuses(&including("a.json"), &json!({}), "at `/include/0`: `a.json` cannot be loaded: no such file");
    refuses(
        &including("a.json"),
        &json!({ "a.json": { "include": ["a.json"] } }),
        "at `a.json#/include/0`: `a.json` includes itself",
    );
    let ring = json!({ "a.json": { "include": ["b/c.json"] }, "b/c.json": { "include": ["d.json"] }, "b/d.json": { "include": ["c.json"] } });
    refuses(
        &including("a.json"),
        &ring,
        "at `b/d.json#/include/0`: `b/c.json` includes itself: a.json → b/c.json → b/d.json → b/c.json",
    );
    let twice = document(&json!(["a.json", "a.json"]), &json!({}));
    refuses(&twice, &json!({ "a.json": {} }), "at `/include/1`: `a.json` is included already");
    let everything = json!({ "..": {}, "../secret.json": {}, "/etc/secret.json": {}, "secret.json": {} });
    for escape in [
        "../secret.json",
        "/etc/secret.json",
        "a/../../secret.json",
        "./secret.json",
        "a//b.json",
        "",
        "a\\b.json",
        "a/..",
        "file:secret.json",
        "a#b.json",
        "a.json\0",
        "sécret.json",
        "~/secret.json",
    ] {
        refuses(&including(escape), &everything, "is no path below the document's folder");
    }
    let deep: serde_json::Map<String, Value> =
        (0..20).map(|n| (format!("{n}.json"), json!({ "include": [format!("{}.json", n + 1)] }))).collect();
    refuses(&including("0.json"), &Value::Object(deep), "more than 8 in one another");
    refuses(&document(&json!("a.json"), &json!({})), &json!({}), "`include` is a string");
    // Without a loader there are no parts, and version 1 knows none.
    let alone = Policy::parse(&including("a.json").to_string()).unwrap_err().to_string();
    assert!(alone.contains("without its folder"), "{alone}");
    let v1 = json!({ "version": "1", "default": "deny", "include": ["a.json"] });
    refuses(&v1, &json!({ "a.json": {} }), "unknown key `include`");
}
