//! `rogue policy` as a person meets it.

#![expect(clippy::expect_used, reason = "helpers of tests may fail loudly")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn rogue(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rogue")).args(args).current_dir(folder).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_rule_of_the_shipped_policy_refuses_in_a_test_of_it() {
    let file = "scenarios/policies/binance.tests.yaml";
    let (code, told, errors) = rogue(here(), &["policy", "test", "--all-rules", "--json", file]);
    assert_eq!(code, Some(0), "{told}{errors}");
    let report: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(report.pointer("/0/rules/untested"), Some(&Value::Array(Vec::new())));
    assert!(report.pointer("/0/tests").and_then(Value::as_array).is_some_and(|tests| tests.len() > 20));
}

/// Each of these changes one word or number, and the search finds a call that it changes, in the right direction.
#[test]
fn a_search_finds_what_another_policy_judges_differently() {
    let policy = include_str!("data/diff-policy.json");
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    write("before.json", policy);
    let diff = |after: &str| {
        write("after.json", after);
        rogue(folder.path(), &["policy", "diff", "before.json", "after.json"])
    };
    // The same in other words is the same.
    let (code, told, errors) = diff(&policy.replace("\"500\"", "\"500.00\"").replace('\n', " "));
    assert_eq!(code, Some(0), "{told}{errors}");
    assert!(told.starts_with("no difference is found among "), "{told}");
    for (from, to, expected, says) in [
        (r#""value": "500""#, r#""value": "500.00000001""#, 1, r#""quoteOrderQty":"500.00000001""#),
        (r#""value": "500""#, r#""value": "499.99999999""#, 4, "(require_failed)"),
        (r#""window": 40"#, r#""window": 41"#, 4, "ms after the first of"),
        (r#""max": 6"#, r#""max": 7"#, 1, "0 ms after the first of 6 such calls"),
        (r#""max": 3"#, r#""max": 2"#, 4, "2 such calls (under way)"),
        (r#""no_self_cross": true,"#, "", 1, "calls of every tool"),
        (r#""bn_ping": {},"#, "", 4, "bn_ping: allowed by /tools/bn_ping → denied by (default deny) (unlisted)"),
        (
            r#""bn_ping": {},"#,
            r#""bn_ping": { "action": "require_approval" },"#,
            4,
            "asks a person by /tools/bn_ping/action",
        ),
        (
            r#""tools""#,
            r#""methods": { "resources/read": { "only": ["file:///a/*"] } }, "tools""#,
            1,
            "resources/read: denied by (no methods) (method_refused) → allowed by /methods/resources~1read\n    {\"names\":\"file:///a/x\"}",
        ),
        (
            r#""tools""#,
            r#""methods": { "notifications/message": "hide" }, "tools""#,
            4,
            "denied by /methods/notifications~1message (hidden)",
        ),
        (r#""tools""#, r#""safety_tools": ["bn_ping"], "tools""#, 1, "denied by (halted)"),
    ] {
        assert_eq!(policy.matches(from).count(), 1, "{from}");
        let (code, told, errors) = diff(&policy.replace(from, to));
        assert_eq!(code, Some(expected), "{from} as {to}: {told}{errors}");
        assert!(told.contains(says), "{from} as {to}: {told}");
    }
    let (code, _, _) = diff("{}");
    assert_eq!(code, Some(65));
}

/// A counter that counts others than before is found, whichever way it is changed: also one of amounts that only several
/// grants together come to, in the shipped policy.
#[test]
fn a_search_finds_that_a_counter_counts_others() {
    let shipped = fs::read_to_string(here().join("scenarios/policies/binance.json")).expect("a policy");
    let small = r#"{ "version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {
        "bn_ping": { "limits": [{ "counter": "pings", "window": "minute", "max": 4, "scope": "grant" }] } } }"#;
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    let (all, own, session) = (r#""scope": "organisation""#, r#""scope": "grant""#, r#""scope": "session""#);
    for (policy, from, to, expected, says) in [
        (shipped.as_str(), all, own, 1, "by four grants in turn"),
        (small, own, session, 1, "by two sessions in turn"),
        (small, own, all, 4, "by four grants in turn"),
    ] {
        assert_eq!(policy.matches(from).count(), 1, "{from}");
        write("before.json", policy);
        write("after.json", &policy.replace(from, to));
        let (code, told, errors) = rogue(folder.path(), &["policy", "diff", "before.json", "after.json"]);
        assert_eq!(code, Some(expected), "{from} as {to}: {told}{errors}");
        assert!(told.contains(says), "{from} as {to}: {told}");
    }
}

#[test]
fn the_tests_of_a_policy_with_live_prices_hold_and_notice_what_is_changed() {
    let policy = fs::read_to_string(here().join("scenarios/policies/live-collar.json")).expect("a policy");
    let tests = fs::read_to_string(here().join("scenarios/policies/live-collar.tests.yaml")).expect("tests");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("tests.yaml"), &tests).expect("a file");
    let run = |policy: &str| {
        fs::write(folder.path().join("live-collar.json"), policy).expect("a file");
        rogue(folder.path(), &["policy", "test", "tests.yaml"])
    };
    assert_eq!(run(&policy).0, Some(0));
    for (from, to) in [
        (r#""max_age": 10"#, r#""max_age": 11"#),
        (r#""max_move_percent": "20""#, r#""max_move_percent": "21""#),
        (r#""max_move_percent": "20""#, r#""max_move_percent": "19""#),
        (r#""value": "2" }"#, r#""value": "3" }"#),
    ] {
        assert_eq!(policy.matches(from).count(), 1, "{from}");
        assert_eq!(run(&policy.replace(from, to)).0, Some(1), "{from} as {to}");
    }
    let args = r#"{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":"0.001"}"#;
    let explain = |price: &str| {
        rogue(
            here(),
            &["policy", "explain", "scenarios/policies/live-collar.json", "bn_new_order", args, "--price", price],
        )
    };
    let (code, told, _) = explain("BTCUSDT=61000");
    assert!(code == Some(0) && told.contains("reference_price  61000"), "{told}");
    let (code, told, _) = explain("ETHUSDT=3000");
    assert!(code == Some(4) && told.contains("no fresh one is to be had"), "{told}");
    for bad in ["DOGEUSDT=1", "BTCUSDT=x", "BTCUSDT=-1", "BTCUSDT"] {
        let (code, _, errors) = explain(bad);
        assert!(code == Some(64) || code == Some(2), "{bad}: {code:?} {errors}");
    }
}

/// Each of these is the shipped policy with one number or word changed, and some test of it notices.
#[test]
fn a_test_notices_what_is_changed_in_the_policy() {
    let policy = fs::read_to_string(here().join("scenarios/policies/binance.json")).expect("a policy");
    let tests = fs::read_to_string(here().join("scenarios/policies/binance.tests.yaml")).expect("tests");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("tests.yaml"), tests).expect("a file");
    for (from, to) in [
        (r#""max": "5000""#, r#""max": "5250""#),
        (r#"["10", "500"], "on_deny""#, r#"["10", "501"], "on_deny""#),
        (r#""max": 10, "scope": "grant""#, r#""max": 11, "scope": "grant""#),
        (r#""no_self_cross": true,"#, ""),
        (r#""max": "0.05""#, r#""max": "0.06""#),
        (r#""window": 1800"#, r#""window": 1801"#),
        (r#""scope": "organisation""#, r#""scope": "grant""#),
        (r#""concurrency": [{ "max": 8 }]"#, r#""concurrency": [{ "max": 9 }]"#),
    ] {
        assert_eq!(policy.matches(from).count(), 1, "{from}");
        fs::write(folder.path().join("binance.json"), policy.replace(from, to)).expect("a file");
        let (code, told, errors) = rogue(folder.path(), &["policy", "test", "tests.yaml"]);
        assert_eq!(code, Some(1), "{from} as {to}: {told}{errors}");
        assert!(told.contains("FAILED "), "{told}");
    }
}

/// The shipped policy cut in two stops what the shipped policy stops, under a name of its own.
#[test]
fn a_policy_in_several_files_is_run_and_served() {
    let policy = fs::read_to_string(here().join("scenarios/policies/binance.json")).expect("a policy");
    let folder = tempfile::tempdir().expect("a folder");
    let references = r#""references": {"#;
    let start = policy.find(references).expect("references");
    let end = start + policy[start..].find('}').expect("an end") + 1;
    let (part, rest) =
        (&policy[start..end], format!(r#"{}"include": ["parts/prices.json"]{}"#, &policy[..start], &policy[end..]));
    fs::create_dir(folder.path().join("parts")).expect("a folder");
    fs::write(folder.path().join("parts/prices.json"), format!("{{ {part} }}")).expect("a file");
    fs::write(folder.path().join("cut.json"), rest).expect("a file");
    let cut = folder.path().join("cut.json");
    let run = |policy: &str| {
        let record = folder.path().join("tapes");
        let args = [
            "run",
            "--policy",
            policy,
            "--record",
            record.to_str().expect("text"),
            "scenarios/attacks/ra-05-price-blind.yaml",
        ];
        let (code, told, errors) = rogue(here(), &args);
        let tape = fs::read_to_string(record.join("ra-05-price-blind.protected.jsonl")).unwrap_or_default();
        let header: Value = serde_json::from_str(tape.lines().next().unwrap_or_default()).unwrap_or_default();
        (code, told, errors, header["policy"].clone())
    };
    let (code, told, errors, name) = run(cut.to_str().expect("text"));
    assert_eq!(code, Some(0), "{told}{errors}");
    let (code, _, _, whole) = run("scenarios/policies/binance.json");
    assert_eq!(code, Some(0));
    assert!(name.is_string() && whole.is_string() && name != whole, "{name} {whole}");

    fs::write(folder.path().join("parts/prices.json"), r#"{ "references": { "BTCUSDT": "1e5" } }"#).expect("a file");
    let (code, _, errors, _) = run(cut.to_str().expect("text"));
    assert_eq!(code, Some(65));
    assert!(errors.contains("parts/prices.json#/references/BTCUSDT"), "{errors}");
}

/// The shipped policy with its comments written as YAML writes them, which makes YAML of it.
fn shipped_as_yaml() -> String {
    let policy = fs::read_to_string(here().join("scenarios/policies/binance.json")).expect("a policy");
    let lines = policy.lines().map(|line| match line.trim_start().strip_prefix("//") {
        Some(remark) => format!("#{remark}\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn a_policy_in_yaml_is_checked_explained_tested_run_and_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    let yaml = shipped_as_yaml();
    write("binance.yaml", &yaml);
    let (code, told, errors) = rogue(folder.path(), &["policy", "check", "--strict", "binance.yaml"]);
    assert_eq!((code, told.as_str()), (Some(0), "binance.yaml: sound\n"), "{errors}");
    let (code, told, _) = rogue(folder.path(), &["policy", "explain", "binance.yaml", "bn_all_orders"]);
    assert!(code == Some(4) && told.contains("DENIED by /tools/bn_all_orders/require/0"), "{told}");
    let tests = fs::read_to_string(here().join("scenarios/policies/binance.tests.yaml")).expect("tests");
    let tests = tests.replace("binance.json", "binance.yaml");
    assert!(tests.contains("binance.yaml"));
    write("tests.yaml", &tests);
    let test = || rogue(folder.path(), &["policy", "test", "--all-rules", "tests.yaml"]);
    let (code, told, errors) = test();
    assert_eq!(code, Some(0), "{told}{errors}");
    write("binance.yaml", &yaml.replace("no_self_cross\": true", "no_self_cross\": yes"));
    let (code, told, errors) = test();
    assert_eq!(code, Some(65), "{told}");
    let place = errors.contains("binance.yaml:") && errors.contains("may be read in several ways");
    assert!(place && errors.contains("write `true`, or the word in quotes"), "{errors}");

    // A scenario finds its policy in either notation, and not in both.
    let scenario = fs::read_to_string(here().join("scenarios/attacks/ra-05-price-blind.yaml")).expect("a scenario");
    write("attacks/ra-05-price-blind.yaml", &scenario);
    assert!(scenario.contains("policy: binance\n"));
    write("policies/binance.yaml", &yaml);
    let (code, told, errors) = rogue(folder.path(), &["run", "attacks/ra-05-price-blind.yaml"]);
    assert_eq!(code, Some(0), "{told}{errors}");
    write("policies/binance.json", "{}");
    let (code, _, errors) = rogue(folder.path(), &["run", "attacks/ra-05-price-blind.yaml"]);
    assert!(code == Some(65) && errors.contains("are both the policy"), "{errors}");
}

#[test]
fn a_policy_is_checked_with_place_and_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    write("good.json", r#"{ "version": "1", "default": "deny", "tools": { "bn_ping": {} } }"#);
    write("vain.json", r#"{ "version": "1", "default": "deny", "hide": ["bn_ping"] }"#);
    write("bad.json", "{ \"version\": \"1\", \"default\": \"deny\",\n  \"tool\": {} }");
    write(
        "whole.json",
        r#"{ "version": "2", "default": "deny", "manifest": "binance-mcp", "include": ["part.json"] }"#,
    );
    write("part.json", r#"{ "tools": { "bn_ping": {} } }"#);
    let (code, told, _) = rogue(folder.path(), &["policy", "check", "good.json", "whole.json"]);
    assert_eq!((code, told.as_str()), (Some(0), "good.json: sound\nwhole.json: sound\n"));
    let (code, told, warned) = rogue(folder.path(), &["policy", "check", "vain.json"]);
    assert_eq!((code, told.as_str()), (Some(0), "vain.json: sound, with 1 warning\n"));
    assert!(warned.contains("warning[denies_everything]"), "{warned}");
    assert_eq!(rogue(folder.path(), &["policy", "check", "--strict", "vain.json"]).0, Some(1));
    let (code, _, errors) = rogue(folder.path(), &["policy", "check", "bad.json", "good.json"]);
    assert_eq!(code, Some(65));
    assert!(errors.contains("bad.json:2:3") && errors.contains("tools"), "{errors}");
}

#[test]
fn a_call_is_explained_rule_by_rule() {
    let policy = "scenarios/policies/binance.json";
    let order =
        r#"{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.05","price":"200000"}"#;
    let (code, told, _) = rogue(here(), &["policy", "explain", policy, "bn_new_order", order]);
    assert_eq!(code, Some(4));
    for part in [
        "DENIED by /tools/bn_new_order/require/2 (require_failed): an order is worth 10 to 500 USDT\n",
        "  notional         10000\n",
        "  passes   /tools/bn_new_order/require/0\n",
        "  DECIDES  /tools/bn_new_order/require/2: an order is worth 10 to 500 USDT\n",
        "  refuses  /tools/bn_new_order/require/3: the price",
        "  -        /tools/bn_new_order/limits/2\n",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let (code, told, _) = rogue(here(), &["policy", "explain", policy, "bn_ping"]);
    assert_eq!(code, Some(0));
    assert!(told.starts_with("ALLOWED by /tools/bn_ping\n"), "{told}");
    let (code, told, _) = rogue(here(), &["policy", "explain", policy, "bn_ping", "--halted"]);
    assert_eq!(code, Some(4));
    assert!(told.starts_with("DENIED by (halted) (halted): the kill switch is on"), "{told}");
    let (code, _, errors) = rogue(here(), &["policy", "explain", policy, "bn_ping", r#"{"a":1,"a":2}"#]);
    assert_eq!(code, Some(2), "{errors}");
}

#[test]
fn a_message_that_is_no_call_is_explained_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = r#"{ "version": "2", "default": "deny", "manifest": "binance-mcp", "tools": { "bn_ping": {} },
        "methods": { "resources/*": "allow", "prompts/get": { "only": ["daily_*"], "reason": "daily ones" },
                     "sampling/createMessage": "deny" } }"#;
    fs::write(folder.path().join("p.json"), policy).expect("a file");
    for (args, code, says) in [
        (&["resources/list"][..], 0, "ALLOWED by /methods/resources~1*\n"),
        (&["resources/list", "--halted"], 4, "DENIED by (halted) (halted): "),
        (&["prompts/get", "--names", "daily_news"], 0, "ALLOWED by /methods/prompts~1get\n"),
        (
            &["prompts/get", "--names", "secret"],
            4,
            "DENIED by /methods/prompts~1get/only (require_failed): daily ones\n",
        ),
        (&["sampling/createMessage"], 4, "DENIED by /methods/sampling~1createMessage (action_denied): "),
        (&["completion/complete"], 4, "DENIED by (default deny) (unlisted): "),
        (&["ping"], 0, "ALLOWED: no entry speaks of it"),
    ] {
        let args: Vec<&str> = ["policy", "explain", "p.json", "--method"].iter().chain(args).copied().collect();
        let (got, told, errors) = rogue(folder.path(), &args);
        assert_eq!(got, Some(code), "{args:?}: {told}{errors}");
        assert!(told.starts_with(says), "{args:?}: {told}");
    }
    let shipped = "scenarios/policies/binance.json";
    let (code, told, _) = rogue(here(), &["policy", "explain", shipped, "--method", "prompts/get"]);
    assert_eq!((code, told.as_str()), (Some(4), "DENIED: the policy has no `methods`, so that tools alone pass\n"));
    let (code, _, _) = rogue(here(), &["policy", "explain", shipped]);
    assert_eq!(code, Some(2), "neither a tool nor a method");
}

#[test]
fn tests_that_make_no_sense_are_refused_with_their_line() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("p.json"), r#"{ "version": "1", "default": "deny" }"#).expect("a file");
    for (step, says) in [
        ("{ call: bn_ping }", "the call has no verdict"),
        ("{ advance: 1m, expect: deny }", "time passes without a verdict"),
        ("{ call: bn_ping, advance: 1m, expect: deny }", "a step is a `call`, an `advance` or `prices`"),
        ("{ call: bn_ping, expect: deny, times: 0 }", "`times: 0` does nothing"),
        ("{ call: bn_ping, expects: deny }", "expects"),
    ] {
        let file = format!("policy: p.json\ntests:\n  - name: one\n    steps:\n      - {step}\n");
        fs::write(folder.path().join("tests.yaml"), file).expect("a file");
        let (code, _, errors) = rogue(folder.path(), &["policy", "test", "tests.yaml"]);
        assert_eq!(code, Some(65), "{step}");
        assert!(errors.contains(says) && errors.contains("tests.yaml:5"), "{errors}");
    }
}
