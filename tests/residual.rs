//! `rogue residual` as a person meets it: what a search finds within a policy, and that it does find it.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Five hundred an order, five thousand a day; what has no price is valued a little above the market.
const CAPPED: &str = r#"{
  "version": "2", "default": "deny", "manifest": "binance-mcp",
  "references": { "BTCUSDT": "60100", "ETHUSDT": "3010" },
  "tools": {
    "bn_ping": {},
    "bn_new_order": {
      "require": [{ "path": "facts.notional", "op": "lte", "value": "500" }],
      "limits": [
        { "counter": "orders", "window": "minute", "max": 10 },
        { "counter": "turnover", "window": "day", "of": "facts.notional", "max": "5000" }
      ]
    }
  }
}"#;

/// The same caps, but version 1 cannot say what an order comes to: a cap on bitcoin and on dollars, and none on ether.
const WITH_A_HOLE: &str = r#"{
  "version": "1", "default": "deny",
  "tools": {
    "bn_new_order": {
      "deny_if": [
        { "conditions": [
            { "path": "args.symbol", "op": "eq", "value": "BTCUSDT" },
            { "path": "args.quantity", "op": "exists", "value": true },
            { "path": "args.quantity", "op": "gt", "value": "0.008" }] },
        { "conditions": [
            { "path": "args.quoteOrderQty", "op": "exists", "value": true },
            { "path": "args.quoteOrderQty", "op": "gt", "value": "500" }] }
      ],
      "limits": [{ "counter": "orders", "window": "day", "max": 10, "scope": "grant" }]
    }
  }
}"#;

fn rogue(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rogue")).args(args).current_dir(folder).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let policies = folder.path().join("policies");
    fs::create_dir(&policies).expect("a folder");
    fs::write(policies.join("capped.json"), CAPPED).expect("a policy");
    fs::write(policies.join("hole.json"), WITH_A_HOLE).expect("a policy");
    folder
}

fn found(folder: &Path, more: &[&str]) -> Value {
    let (code, told, errors) = rogue(folder, &[&["residual", "--json", "--budget", "15"], more].concat());
    assert_eq!(code, Some(0), "{told}{errors}");
    serde_json::from_str(&told).expect("JSON")
}

/// Whole dollars.
fn dollars(found: &Value, what: &str) -> i64 {
    let text = found["damage"][what].as_str().unwrap_or_else(|| panic!("no {what} in {found:#}"));
    text.split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn a_search_comes_near_the_limits_and_never_beyond_them() {
    let folder = folder();
    let capped = found(folder.path(), &["--policy", "policies/capped.json"]);
    let turnover = dollars(&capped, "turnover");
    assert!((4_000..=5_000).contains(&turnover), "{turnover}");
    let free = found(folder.path(), &[]);
    assert!(dollars(&free, "turnover") > 100 * turnover, "{turnover}: {}", dollars(&free, "turnover"));
    // A cap that is missing for one pair is worth more than all the others together.
    let hole = found(folder.path(), &["--policy", "policies/hole.json"]);
    assert!(dollars(&hole, "turnover") > 10 * turnover, "{turnover}: {}", dollars(&hole, "turnover"));
    let worst = hole["steps"].to_string();
    assert!(worst.contains("ETHUSDT") || worst.contains("BNBUSDT"), "{worst}");
}

#[test]
fn the_same_seed_finds_the_same_and_what_it_found_can_be_done_again() {
    let folder = folder();
    let args =
        ["residual", "--policy", "policies/capped.json", "--budget", "16", "--seed", "5", "--save", "worst.yaml"];
    let (code, told, errors) = rogue(folder.path(), &args);
    assert_eq!(code, Some(0), "{told}{errors}");
    assert!(told.starts_with("within policies/capped.json the worst that we found is "), "{told}");
    let saved = fs::read_to_string(folder.path().join("worst.yaml")).expect("a scenario");
    assert_eq!(rogue(folder.path(), &args).1, told);
    assert_eq!(fs::read_to_string(folder.path().join("worst.yaml")).expect("a scenario"), saved);

    let (code, told, errors) = rogue(folder.path(), &["run", "worst.yaml", "--color", "never"]);
    assert_eq!(code, Some(0), "{told}{errors}");
    // It is exact: another amount is not what was found.
    let place = saved.find("turnover:").expect("the turnover");
    let spoiled = format!("{}turnover: '1'\n{}", &saved[..place], saved[place..].split_once('\n').expect("a line").1);
    fs::write(folder.path().join("worst.yaml"), spoiled).expect("a file");
    assert_eq!(rogue(folder.path(), &["run", "worst.yaml"]).0, Some(4));

    let (code, _, errors) = rogue(folder.path(), &["residual", "--save", "day.yaml"]);
    assert_eq!(code, Some(2), "{errors}");
    let (code, _, errors) = rogue(folder.path(), &["residual", "--goal", "fame"]);
    assert_eq!(code, Some(2), "{errors}");
}
