//! Each finding is seen once: one sound file, and one edit that spoils it.

use std::path::Path;

use super::lint_case;
use crate::scenario::PolicyFile;
use crate::scenario::load::parse;
use crate::scenario::{Problem, Severity};

const ATTACK: &str = r#"id: x
kind: attack
group: A
title: A title
story: A story.
incident: { name: Knight, date: "2012-08-01", what: a loop }
stops: [PF4]
maps: { owasp_mcp: [MCP02], owasp_agentic: [ASI10], safe_mcp: [T1911], policylayer: [runaway-tool-loops] }
policy: p
exchange: { open_orders: [{ symbol: BTCUSDT, side: SELL, quantity: "0.1", price: "65000", as: mine }] }
attack:
  - call: { tool: bn_new_order, args: { symbol: BTCUSDT }, as: order, expect: { outcome: denied } }
  - call: { tool: bn_cancel_order, args: { orderId: "${order.orderId}", other: ["${mine.orderId}"] } }
  - repeat: { times: 2, steps: [{ call: { tool: bn_ping, args: { n: "x-${index}" } } }] }
  - each: { values: ["1"], as: value, steps: [{ call: { tool: bn_ping, args: { n: "${value}" } } }] }
  - parallel: { times: 2, steps: [{ call: { tool: bn_ping, as: pong } }] }
  - raw: { text: '{"key":"${rogue.api_key}"}' }
  - advance: 1s
harm: { orders_booked: { min: 1 } }
hold: { exchange: { requests: 0 }, agent: { rules: [/tools/bn_ping, (hidden)] }, live: { tool: bn_ping } }
twin: { title: honest, steps: [{ call: { tool: bn_ping } }] }
"#;

const WORKFLOW: &str = r"id: x
kind: workflow
title: A title
story: A story.
policy: p
steps:
  - call: { tool: bn_ping }
expect: { exchange: { requests: 1 } }
";

/// The codes and lines found in `source`.
fn findings(source: &str) -> Vec<(&'static str, u64)> {
    let path = Path::new("x.yaml");
    let scenario = parse(path, source).unwrap_or_else(|problem| panic!("{problem}\n{source}"));
    let policy = PolicyFile::of_text("p.json", r#"{ "tools": { "bn_ping": {} } }"#);
    let problems = lint_case(path, source, &scenario, &[&policy]);
    for problem in &problems {
        assert!(problem.remedy().is_some_and(|remedy| !remedy.is_empty()), "no remedy: {problem}");
    }
    problems.iter().map(|problem| (problem.code(), problem.place().map_or(0, |place| place.0))).collect()
}

/// What is found once `from` has become `to` in a sound file.
fn check(file: &str, from: &str, to: &str, expected: &[(&str, u64)]) {
    assert!(file.contains(from), "the file has no `{from}`");
    assert_eq!(findings(&file.replacen(from, to, 1)), expected, "`{from}` became `{to}`");
}

#[test]
fn sound_files_have_no_findings() {
    assert_eq!(findings(ATTACK), []);
    assert_eq!(findings(WORKFLOW), []);
}

#[test]
fn ids() {
    check(ATTACK, "id: x", "id: y", &[("id-file", 1)]);
    check(ATTACK, "id: x", "id: X", &[("id-form", 1), ("id-file", 1)]);
}

#[test]
fn sections_of_an_attack() {
    check(ATTACK, "title: A title", "title: ''", &[("no-title", 4)]);
    check(ATTACK, "story: A story.", "story: ' '", &[("no-story", 5)]);
    check(ATTACK, "group: A\n", "", &[("group", 2)]);
    check(ATTACK, "harm: { orders_booked: { min: 1 } }\n", "", &[("no-harm", 1)]);
    check(ATTACK, "twin: { title: honest, steps: [{ call: { tool: bn_ping } }] }\n", "", &[("no-twin", 1)]);
    check(ATTACK, "steps: [{ call: { tool: bn_ping } }] }\n", "steps: [] }\n", &[("no-twin", 21)]);
    let hold = ATTACK.lines().find(|line| line.starts_with("hold")).expect("a hold line");
    check(ATTACK, hold, "hold: {}", &[("no-hold", 20)]);
    let (head, tail) = (ATTACK.find("attack:\n").expect("attack"), ATTACK.find("harm:").expect("harm"));
    check(ATTACK, &ATTACK[head..tail], "attack: []\n", &[("no-steps", 11)]);
    check(ATTACK, "policy: p", "policy: p\nsteps: [{ advance: 1s }]", &[("wrong-section", 10)]);
    check(ATTACK, "policy: p", "policy: p\nexpect: { audit: { lines: 1 } }", &[("wrong-section", 10)]);
    check(ATTACK, "2012-08-01", "1 August", &[("date", 6)]);
}

#[test]
fn sections_of_a_workflow() {
    check(WORKFLOW, "  - call: { tool: bn_ping }", "  []", &[("no-steps", 6)]);
    check(WORKFLOW, "expect: { exchange: { requests: 1 } }", "expect: {}", &[("no-expect", 8)]);
    let foreign = [
        ("group", "group: A"),
        ("attack", "attack: [{ advance: 1s }]"),
        ("harm", "harm: { requests: 1 }"),
        ("hold", "hold: { audit: { lines: 1 } }"),
        ("twin", "twin: { title: t, steps: [] }"),
    ];
    for (key, line) in foreign {
        let expected = [("wrong-section", 6)];
        check(WORKFLOW, "policy: p", &format!("policy: p\n{line}"), &expected);
        assert!(line.starts_with(key));
    }
}

#[test]
fn codes_of_public_catalogues() {
    check(ATTACK, "PF4", "PF26", &[("code", 7)]);
    check(ATTACK, "PF4", "PF+4", &[("code", 7)]);
    check(ATTACK, "MCP02", "MCP11", &[("code", 8)]);
    check(ATTACK, "MCP02", "MCP2", &[("code", 8)]);
    check(ATTACK, "ASI10", "ASI00", &[("code", 8)]);
    check(ATTACK, "T1911", "T191", &[("code", 8)]);
    check(ATTACK, "runaway-tool-loops", "Runaway", &[("code", 8)]);
}

#[test]
fn tools() {
    check(ATTACK, "tool: bn_new_order", "tool: bn_neworder", &[("tool-unknown", 12)]);
    check(ATTACK, "tool: bn_new_order", "unknown_tool: true, tool: bn_withdraw", &[]);
    check(ATTACK, "tool: bn_new_order", "unknown_tool: true, tool: bn_new_order", &[("tool-known", 12)]);
    check(ATTACK, "live: { tool: bn_ping }", "live: { tool: ping }", &[("tool-unknown", 20)]);
}

#[test]
fn references() {
    check(ATTACK, "${order.orderId}", "${ordre.orderId}", &[("reference", 13)]);
    check(ATTACK, "${mine.orderId}", "${yours.orderId}", &[("reference", 13)]);
    check(ATTACK, "${order.orderId}", "${order.orderId", &[("reference", 13)]);
    check(ATTACK, "${order.orderId}", "${order..orderId}", &[("reference", 13)]);
    check(ATTACK, "${order.orderId}", "$${order.orderId", &[]);
    check(ATTACK, "${order.orderId}", "${index}", &[("reference", 13)]);
    check(ATTACK, "${order.orderId}", "${value}", &[("reference", 13)]);
    check(ATTACK, "${rogue.api_key}", "${rogue.key}", &[("reference", 17)]);
    check(ATTACK, "${rogue.api_key}", "${pong.x} ${value}", &[("reference", 17)]);
    check(ATTACK, "as: order", "as: rogue", &[("name", 12), ("reference", 13)]);
    check(ATTACK, "as: order", "as: 'a b'", &[("name", 12), ("reference", 13)]);
}

#[test]
fn what_runs_in_parallel_cannot_wait_for_itself() {
    let step = "[{ call: { tool: bn_ping, as: pong } }]";
    let two = "[{ call: { tool: bn_ping, as: pong } }, { call: { tool: bn_ping, args: { n: \"${pong.n}\" } } }]";
    check(ATTACK, step, two, &[("reference", 16)]);
    check(ATTACK, step, "[{ advance: 1s }]", &[("parallel", 16)]);
}

#[test]
fn steps_that_do_nothing() {
    check(ATTACK, "repeat: { times: 2", "repeat: { times: 0", &[("idle-step", 14)]);
    check(ATTACK, "values: [\"1\"]", "values: []", &[("idle-step", 15)]);
    check(ATTACK, "parallel: { times: 2", "parallel: { times: 0", &[("idle-step", 16)]);
    check(ATTACK, "advance: 1s", "advance: 0s", &[("idle-step", 18)]);
    check(ATTACK, "expect: { outcome: denied }", "expect: {}", &[("no-expect", 12)]);
}

#[test]
fn frames_that_cannot_be_made() {
    check(ATTACK, "text: '{\"key\":\"${rogue.api_key}\"}'", "parts: [{ hex: xx }]", &[("raw", 17)]);
    check(ATTACK, "text: '{\"key\":\"${rogue.api_key}\"}'", "as: nothing", &[("raw", 17)]);
}

#[test]
fn agents_and_what_happens_round_them() {
    let two = ATTACK.replace("policy: p\n", "policy: p\nagents: { helper: { grant: research } }\n");
    check(&two, "tool: bn_ping, as: pong", "by: helper, tool: bn_ping, as: pong", &[]);
    check(&two, "tool: bn_ping, as: pong", "by: agent, tool: bn_ping, as: pong", &[]);
    check(&two, "tool: bn_ping, as: pong", "by: helpr, tool: bn_ping, as: pong", &[("agent", 17)]);
    check(&two, "advance: 1s", "reconnect: { by: nobody }", &[("agent", 19)]);
    check(&two, "helper: {", "agent: {", &[("agent", 10)]);
    check(&two, "grant: research", "grant: Research", &[("agent", 10)]);
    check(&two, "grant: research", "grant: research, policy: reader", &[]);
    check(&two, "grant: research", "grant: desk, policy: reader", &[("grant-policy", 10)]);
    let three = two.replace("research }", "research, policy: a }, third: { grant: research, policy: a }");
    check(&three, "policy: a }, third", "policy: b }, third", &[("grant-policy", 10)]);
    check(&three, ", policy: a }, third", " }, third", &[("grant-policy", 10)]);
    check(&three, "third", "fourth", &[]);
    check(ATTACK, "advance: 1s", "direct: { method: GET, path: api }", &[("path", 18)]);
    check(ATTACK, "advance: 1s", "direct: { method: GET, path: /api, key: \"${nobody.key}\" }", &[("reference", 18)]);
    check(ATTACK, "advance: 1s", "server_change: { tool: bn_ping, hangs_up: true }", &[("server-change", 18)]);
    check(ATTACK, "policy: p", "policy: p\npinned: true", &[("pinned", 10)]);
    check(ATTACK, "advance: 1s", "market: { symbol: BTCUSDT, price: \"1\" }", &[]);
    check(ATTACK, "advance: 1s", "market: { symbol: BNBUSDT, price: \"1\" }", &[("market", 18)]);
    check(ATTACK, "advance: 1s", "market: { symbol: BTCUSDT, price: \"0\" }", &[("market", 18)]);
    let soft = ATTACK.replace("policy: p\n", "policy: p\nupstream: soft\npinned: true\n");
    check(&soft, "advance: 1s", "server_change: { tool: bn_ping, hangs_up: true }", &[]);
    check(&soft, "advance: 1s", "server_change: { tool: bn_ping }", &[("idle-step", 20)]);
    check(&soft, "advance: 1s", "server_change: { tool: bn_pong, hangs_up: true }", &[("tool-unknown", 20)]);
    let fault = |does: &str| format!("exchange: {{ faults: [{{ name: f, does: {{ {does} }} }}], open_orders");
    check(ATTACK, "exchange: { open_orders", &fault("latency: { ms: 5 }"), &[]);
    check(ATTACK, "exchange: { open_orders", &fault("delay: { ms: 5 }"), &[("fault", 10)]);
}

#[test]
fn checks() {
    check(ATTACK, "orders_booked: { min: 1 }", "orders_booked: { max: 5 }", &[("harm-idle", 19)]);
    check(ATTACK, "orders_booked: { min: 1 }", "ledger: unchanged, params_absent: [a]", &[("harm-idle", 19)]);
    for alive in [
        "ledger: changed",
        "foreign_key_seen: true",
        "params_seen: [icebergQty]",
        "weight: 5",
        "loss_usdt: { min: \"0.01\" }",
        "seen: [{ path: /api/v3/order, count: 1 }]",
        "orders_by_symbol: { BTCUSDT: 1 }",
        "any_window: [{ window: 1m, orders: { min: 11 } }]",
    ] {
        check(ATTACK, "orders_booked: { min: 1 }", alive, &[]);
    }
    check(ATTACK, "orders_booked: { min: 1 }", "requests: 1, any_window: [{ window: 1m }]", &[("window", 19)]);
    check(ATTACK, "requests: 0", "requests: 0, other_paths: [api]", &[("path", 20)]);
    check(ATTACK, "rules: [/tools/bn_ping", "rules: [/tools/bn_pong", &[("rule-missing", 20)]);
    check(ATTACK, "(hidden)", "(nobody)", &[("rule-missing", 20)]);
    check(ATTACK, "outcome: denied", "rule: /tools/x", &[("rule-missing", 12)]);
}

#[test]
fn what_can_be_run_all_the_same_is_a_warning() {
    let path = Path::new("x.yaml");
    let source = ATTACK.replace("tool: bn_new_order", "unknown_tool: true, tool: bn_new_order");
    let scenario = parse(path, &source).expect("well formed");
    let severities: Vec<_> = lint_case(path, &source, &scenario, &[]).iter().map(Problem::severity).collect();
    assert_eq!(severities, [Severity::Warning]);
}
