//! `rogue mutate` as a person meets it: a small policy of one's own, and its scenarios.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const POLICY: &str = r#"{
  // A third rule, which the second makes idle.
  "version": "2", "default": "deny", "manifest": "binance-mcp",
  "tools": {
    "bn_ping": { "limits": [{ "counter": "pings", "window": "minute", "max": 3, "scope": "grant" }] },
    "bn_order_book": {
      "require": [
        { "path": "args.limit", "op": "lte", "value": 100, "if_present": true },
        { "path": "args.limit", "op": "lte", "value": 1000, "if_present": true }
      ]
    }
  }
}"#;

const PINGS: &str = r"
id: pings
kind: attack
group: B
title: Four pings, after half a minute and over a new connection
story: One too many.
policy: small
attack:
  - repeat: { times: 2, steps: [{ call: { tool: bn_ping } }] }
  - advance: 35s
  - reconnect: {}
  - repeat: { times: 2, steps: [{ call: { tool: bn_ping } }] }
harm: { requests: 4 }
hold: { exchange: { requests: 3 }, agent: { denied: 1, rules: [/tools/bn_ping/limits/0] } }
twin:
  title: Three
  steps:
    - repeat: { times: 3, steps: [{ call: { tool: bn_ping } }] }
  expect: { exchange: { requests: 3 } }
";

const UNLISTED: &str = r"
id: unlisted
kind: attack
group: F
title: A tool that nobody allowed
story: It reads the account.
policy: small
attack:
  - call: { tool: bn_account_info }
harm: { requests: 1 }
hold: { exchange: { requests: 0 }, agent: { denied: 1 } }
twin:
  title: A tool that somebody did
  steps: [{ call: { tool: bn_ping } }]
";

const BOOK: &str = r"
id: book
kind: attack
group: B
title: One level too many
story: It weighs twice as much.
policy: small
attack:
  - call: { tool: bn_order_book, args: { symbol: BTCUSDT, limit: 101 } }
harm: { requests: 1 }
hold: { exchange: { requests: 0 }, agent: { denied: 1 } }
twin:
  title: As many as are allowed
  steps: [{ call: { tool: bn_order_book, args: { symbol: BTCUSDT, limit: 100 } } }]
";

fn folder(policy: &str, scenarios: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let policies = folder.path().join("scenarios/policies");
    fs::create_dir_all(&policies).expect("a folder");
    fs::write(policies.join("small.json"), policy).expect("a policy");
    for (name, text) in scenarios {
        fs::write(folder.path().join(format!("scenarios/{name}.yaml")), text).expect("a scenario");
    }
    folder
}

fn rogue(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rogue"))
        .args(args)
        .current_dir(folder)
        .env_remove("ROGUE_SCENARIOS")
        .output()
        .expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn mutate(folder: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    rogue(folder, &[&["mutate", "--policy", "scenarios/policies/small.json"], more].concat())
}

/// Each mutant's pointer, kind and fate.
fn fates(folder: &Path, more: &[&str]) -> Vec<(String, String, Value)> {
    let (_, told, errors) = mutate(folder, &[&["--json"], more].concat());
    let report: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}{errors}"));
    let text = |mutant: &Value, name: &str| mutant[name].as_str().unwrap_or_default().to_owned();
    let mutants = report["mutants"].as_array().expect("mutants");
    mutants.iter().map(|one| (text(one, "pointer"), text(one, "kind"), one["fate"].clone())).collect()
}

#[test]
fn a_redundant_rule_survives_until_there_is_a_reason() {
    let folder = folder(POLICY, &[("pings", PINGS), ("unlisted", UNLISTED), ("book", BOOK)]);
    let (code, told, errors) = mutate(folder.path(), &[]);
    assert_eq!(code, Some(1), "{told}{errors}");
    let survivors: Vec<&str> = told.lines().filter(|line| line.starts_with("SURVIVED")).collect();
    assert_eq!(survivors.len(), 1, "{told}");
    assert!(survivors.iter().all(|line| line.contains("/tools/bn_order_book/require/1 remove")), "{told}");
    assert!(told.contains("a rule that nothing protects, or a redundant rule"), "{told}");
    assert!(told.contains(r#"  before: {"path":"args.limit","op":"lte","value":1000,"if_present":true}"#), "{told}");
    for killed in [
        "killed   /tools/* allow",
        "killed   /tools/bn_ping/limits/0 remove",
        "killed   /tools/bn_ping/limits/0/max off-by-one: 3 → 4",
        "killed   /tools/bn_ping/limits/0/window shorten",
        "killed   /tools/bn_ping/limits/0/scope narrow-scope",
        "killed   /tools/bn_order_book/require/0/value off-by-one: 100 → 101",
    ] {
        assert!(told.contains(killed), "`{killed}` is not in {told}");
    }

    let reasons = folder.path().join("reasons.yaml");
    let reason =
        "- pointer: /tools/bn_order_book/require/1\n  kind: remove\n  reason: the rule before it asks for less\n";
    fs::write(&reasons, reason).expect("a file");
    let (code, told, errors) = mutate(folder.path(), &["--equivalent", "reasons.yaml"]);
    assert_eq!(code, Some(0), "{told}{errors}");
    assert!(told.contains("the rule before it asks for less"), "{told}");

    // A reason for what is noticed, for what is not there, none at all, and one twice.
    for (wrong, says) in [
        (reason.replace("require/1", "require/0"), "`book` notices it"),
        (reason.replace("require/1", "require/7"), "the policy has no such rule"),
        (reason.replace("the rule before it asks for less", "''"), "has no reason"),
        (reason.repeat(2), "stands here twice"),
        (reason.replace("kind: remove", "kind: removed"), "`removed` has no meaning here"),
    ] {
        fs::write(&reasons, &wrong).expect("a file");
        let (code, told, errors) = mutate(folder.path(), &["--equivalent", "reasons.yaml"]);
        assert_eq!(code, Some(65), "{wrong}{told}{errors}");
        assert!(errors.contains(says) && errors.contains("reasons.yaml:"), "{wrong}{errors}");
    }
}

#[test]
fn the_scenario_that_is_proposed_notices_the_rule() {
    let policy = POLICY.replace(r#""value": 1000"#, r#""value": 99"#);
    let folder = folder(&policy, &[("pings", PINGS), ("unlisted", UNLISTED)]);
    let before = fates(folder.path(), &[]);
    let proposed: Vec<&str> = before.iter().filter_map(|(_, _, fate)| fate["scenario"].as_str()).collect();
    // Of two rules over one argument the stricter one alone decides, so that the other survives whatever is tried.
    assert_eq!(proposed.len(), 2, "{before:?}");
    for text in proposed {
        let id = text.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id");
        fs::write(folder.path().join(format!("scenarios/{id}.yaml")), text).expect("a file");
    }
    let (code, told, errors) = rogue(folder.path(), &["lint"]);
    assert_eq!(code, Some(0), "{told}{errors}");
    let (code, told, errors) = rogue(folder.path(), &["run", "--color", "never"]);
    assert_eq!(code, Some(0), "{told}{errors}");
    let after = fates(folder.path(), &[]);
    let fate = |pointer: &str, kind: &str| {
        let found = after.iter().find(|(at, what, _)| at == pointer && what == kind);
        found.map(|(_, _, fate)| fate["is"].clone())
    };
    assert_eq!(fate("/tools/bn_order_book/require/1", "remove"), Some("killed".into()), "{after:?}");
    assert_eq!(fate("/tools/bn_order_book/require/0", "remove"), Some("survived".into()), "{after:?}");
}

#[test]
fn a_rule_in_a_part_is_weakened_where_it_stands() {
    let (head, tools) = POLICY.split_once("\"tools\": {").expect("tools");
    let (ping, book) = tools.split_once("\"bn_order_book\"").expect("a book");
    // The document has the pings, and two files within each other the book; the one is JSON, and the other YAML.
    let policy =
        format!("{head}\"include\": [\"desk/orders.json\"], \"tools\": {{{} }} }}", ping.trim().trim_end_matches(','));
    let book = book.rsplit_once('}').expect("an end").0.rsplit_once('}').expect("an end").0;
    let rules: Value = serde_json::from_str(&format!("{{ \"bn_order_book\"{book} }}")).expect("JSON");
    let folder = folder(&policy, &[("pings", PINGS), ("unlisted", UNLISTED), ("book", BOOK)]);
    let policies = folder.path().join("scenarios/policies");
    fs::create_dir(policies.join("desk")).expect("a folder");
    fs::write(policies.join("desk/orders.json"), r#"{ "include": ["book.yaml"] }"#).expect("a part");
    fs::write(policies.join("desk/book.yaml"), format!("# Written by a person.\ntools: {rules}\n")).expect("a part");

    let (code, told, errors) = mutate(folder.path(), &[]);
    assert_eq!(code, Some(1), "{told}{errors}");
    for line in [
        "killed   /tools/bn_ping/limits/0/max off-by-one: 3 → 4",
        "killed   /tools/* allow",
        "killed   desk/book.yaml#/tools/bn_order_book/require/0/value off-by-one: 100 → 101: by book",
        "SURVIVED desk/book.yaml#/tools/bn_order_book/require/1 remove",
    ] {
        assert!(told.contains(line), "`{line}` is not in {told}");
    }
    // The same weakenings with the same fates as in one piece.
    let one_piece = self::folder(POLICY, &[("pings", PINGS), ("unlisted", UNLISTED), ("book", BOOK)]);
    let fates_of = |folder: &Path| {
        let mut fates = fates(folder, &[]);
        for (pointer, _, fate) in &mut fates {
            *pointer = pointer.replace("desk/book.yaml#", "");
            let is = fate["is"].take();
            let by = fate["by"]["pointer"].as_str().map(|by| by.replace("desk/book.yaml#", ""));
            *fate = by.map_or_else(|| is.clone(), |by| format!("{is} {by}").into());
        }
        fates
    };
    assert_eq!(fates_of(folder.path()), fates_of(one_piece.path()));
    let (_, told, _) = mutate(folder.path(), &["--json"]);
    let report: Value = serde_json::from_str(&told).expect("JSON");
    let file = |pointer: &str| {
        let mutant = report["mutants"].as_array().expect("mutants").iter().find(|one| one["pointer"] == pointer);
        mutant.expect("a mutant")["file"].as_str().expect("a file").to_owned()
    };
    assert_eq!(file("/tools/bn_ping/limits/0"), "scenarios/policies/small.json");
    assert_eq!(file("desk/book.yaml#/tools/bn_order_book/require/1"), "scenarios/policies/desk/book.yaml");

    // A reason names the part, and is stale where it names none.
    let reason = "- pointer: desk/book.yaml#/tools/bn_order_book/require/1\n  kind: remove\n  reason: the rule before it asks for less\n";
    for (text, code) in [(reason.to_owned(), 0), (reason.replace("desk/book.yaml#", ""), 65)] {
        fs::write(folder.path().join("reasons.yaml"), text).expect("a file");
        let (ended, told, errors) = mutate(folder.path(), &["--equivalent", "reasons.yaml"]);
        assert_eq!(ended, Some(code), "{told}{errors}");
    }
}

#[test]
fn what_cannot_be_weakened_is_said() {
    let folder = folder(POLICY, &[("pings", PINGS)]);
    let with_parts = POLICY.replace(r#""tools": {"#, r#""include": ["part.json"], "tools": {"#);
    fs::write(folder.path().join("parts.json"), with_parts).expect("a file");
    let (code, _, errors) = rogue(folder.path(), &["mutate", "--policy", "parts.json"]);
    assert_eq!(code, Some(65), "{errors}");
    assert!(errors.contains("`part.json` cannot be loaded"), "{errors}");
    let (code, told, errors) = rogue(folder.path(), &["mutate", "--policy", "no-such-file.json"]);
    assert_eq!(code, Some(65), "{told}{errors}");
}
