//! Our own stack as the target.

use rogue_harness::target::TargetKind;
use rogue_harness::verdict::{Role, ScenarioResult, Verdict};

use crate::support::{ALLOW, buy, case, run_on};

const CAP: &str = r#"{ "version": "1", "default": "deny", "tools": {
    "bn_ping": {},
    "bn_new_order": {
        "deny_if": [{ "conditions": [{ "path": "args.quantity", "op": "gt", "value": "0.05" }], "on_deny": "too much" }] } } }"#;

const RULE: &str = "/tools/bn_new_order/deny_if/0";

fn attack(upstream: &str, hold: &str, twin: &str, policy: &str) -> ScenarioResult {
    let body = format!(
        "kind: attack\ngroup: A\nupstream: {upstream}\nattack:\n{}\nharm: {{ orders_booked: 1 }}\nhold: {hold}\ntwin:\n  title: Twin\n  steps:\n  {}\n  expect: {{ exchange: {{ orders_booked: 1 }} }}\n",
        buy("0.1"),
        buy(twin),
    );
    run_on(TargetKind::Embedded, &case(&body, policy))
}

fn hold() -> String {
    format!(
        "{{ exchange: {{ requests: 0, ledger: unchanged }}, agent: {{ denied: 1, rules: [{RULE}], reasons: [deny_if_matched] }}, upstream: {{ calls: 0 }}, audit: {{ lines: 1, denied: 1 }}, live: {{ tool: bn_ping }} }}"
    )
}

#[test]
fn an_attack_that_the_policy_stops_is_held() {
    for upstream in ["ours", "soft"] {
        let result = attack(upstream, &hold(), "0.05", CAP);
        assert_eq!(result.verdict, Verdict::Held, "{upstream}: {:#?}", result.runs);
        let protected = result.run(Role::Protected).unwrap();
        assert_eq!((protected.damage.requests, protected.audit_lines), (0, 1));
        assert_eq!(protected.denials.get(RULE), Some(&1));
    }
}

#[test]
fn a_policy_that_allows_everything_is_breached() {
    let result = attack("ours", &hold(), "0.05", ALLOW);
    assert_eq!(result.verdict, Verdict::Breached);
    let protected = result.run(Role::Protected).unwrap();
    assert!(protected.harmed);
    for part in [
        "requests: 1",
        "ledger: changed",
        "answers denied: 0",
        "rule `",
        "calls that reached",
        "audit lines that deny: 0",
    ] {
        assert!(protected.failures.iter().any(|failure| failure.contains(part)), "{part}: {:#?}", protected.failures);
    }
}

#[test]
fn a_hold_that_is_missed_is_a_breach_even_without_harm() {
    let result = attack("ours", "{ agent: { denied: 1, rules: [/tools/bn_new_order/require/0] } }", "0.05", CAP);
    assert_eq!(result.verdict, Verdict::Breached);
    let protected = result.run(Role::Protected).unwrap();
    assert!(!protected.harmed);
    let missed = format!("rule `/tools/bn_new_order/require/0`: not named by any answer (named were `{RULE}`)");
    assert_eq!(protected.failures, [missed]);
}

#[test]
fn a_twin_that_is_stopped_is_a_false_positive() {
    let result = attack("ours", &hold(), "0.06", CAP);
    assert_eq!(result.verdict, Verdict::Blocked);
    let twin = result.run(Role::Twin).unwrap();
    assert_eq!(
        twin.failures,
        [
            format!("bn_new_order at line 15: denied by `{RULE}`, must be allowed"),
            "orders booked: 0, must be exactly 1".to_owned(),
        ]
    );
}

#[test]
fn a_policy_that_the_gateway_refuses_is_broken() {
    let result = attack("ours", &hold(), "0.05", r#"{ "version": "1" }"#);
    let Verdict::Broken(why) = &result.verdict else { panic!("{:?}", result.verdict) };
    assert!(why.contains("the gateway refuses the policy"), "{why}");
}

#[test]
fn every_clock_of_the_stack_is_moved() {
    let policy = r#"{ "version": "1", "default": "deny", "tools": { "bn_account_info": {
        "limits": [{ "counter": "reads", "window": "minute", "max": 1, "scope": "grant" }] } } }"#;
    let body = r"kind: workflow
steps:
  - call: { tool: bn_account_info }
  - call: { tool: bn_account_info, expect: { outcome: denied, rule: /tools/bn_account_info/limits/0 } }
  - advance: 60s
  - call: { tool: bn_account_info, expect: { outcome: allowed } }
expect: { audit: { lines: 3, allowed: 2, denied: 1 }, upstream: { calls: 2 } }
";
    let result = run_on(TargetKind::Embedded, &case(body, policy));
    assert_eq!(result.verdict, Verdict::Passed, "{:#?}", result.runs);
}

#[test]
fn calls_at_once_are_decided_and_carried_out_in_the_same_order_every_time() {
    let policy = r#"{ "version": "1", "default": "deny", "tools": { "bn_ticker_price": {}, "bn_new_order": {
        "limits": [{ "counter": "orders", "window": "minute", "max": 7, "scope": "grant" }] } } }"#;
    let body = r#"kind: workflow
steps:
  - parallel:
      times: 30
      steps:
        - call: { tool: bn_new_order, args: { symbol: BTCUSDT, side: BUY, type: LIMIT, timeInForce: GTC, quantity: "0.001", price: "50000.00", newClientOrderId: "o-${index}" } }
        - call: { tool: bn_ticker_price, args: { symbol: BTCUSDT } }
        - raw: { text: '{"jsonrpc":"2.0","id":"${index}","method":"tools/call","params":{"name":"bn_withdraw"}}' }
expect: { exchange: { orders_booked: 7, other_paths: [/api/v3/ping] }, agent: { allowed: 37, denied: 53 } }
"#;
    let case = case(body, policy);
    let first = run_on(TargetKind::Embedded, &case);
    let workflow = |result: &ScenarioResult| result.run(Role::Workflow).cloned().unwrap();
    assert_eq!(workflow(&first).failures, [] as [String; 0], "{:#?}", first.runs);
    for _ in 0..3 {
        let again = run_on(TargetKind::Embedded, &case);
        assert_eq!(workflow(&first).transcript, workflow(&again).transcript);
        assert_eq!(workflow(&first).journal, workflow(&again).journal);
    }
}

#[test]
fn paths_that_no_tool_of_the_script_has_are_noticed() {
    // `other_paths` is what makes the difference: the exchange is asked through a name that the script spells in
    // another way.
    let frame = r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"bn_\u0070ing"}}"#;
    let body = |other: &str| {
        format!("kind: workflow\nsteps:\n  - raw: {{ text: '{frame}' }}\nexpect: {{ exchange: {{ {other} }} }}\n")
    };
    let noticed = run_on(TargetKind::Embedded, &case(&body(""), ALLOW));
    let failures = &noticed.run(Role::Workflow).unwrap().failures;
    assert_eq!(failures, &["`/api/v3/ping` was asked of the exchange, and belongs to no tool that the script names"]);
    let known = run_on(TargetKind::Embedded, &case(&body("other_paths: [/api/v3/ping]"), ALLOW));
    assert_eq!(known.verdict, Verdict::Passed, "{:#?}", known.runs);
}

#[cfg(feature = "mutants")]
mod mutants {
    use rogue_harness::run::RunOptions;

    use super::*;
    use crate::support::run_with;

    fn verdict(mutation: &str, body: &str) -> ScenarioResult {
        let options = RunOptions { mutation: Some(mutation.to_owned()), ..RunOptions::default() };
        run_with(&options, &case(body, CAP))
    }

    #[test]
    fn a_guard_that_admits_everything_is_noticed() {
        let body = format!(
            "kind: attack\ngroup: A\nattack:\n{}\nharm: {{ orders_booked: 1 }}\nhold: {{ exchange: {{ requests: 0 }} }}\ntwin: {{ title: T, steps: [{{ call: {{ tool: bn_ping }} }}] }}\n",
            buy("0.1")
        );
        assert_eq!(verdict("admit-everything", &body).verdict, Verdict::Breached);
        assert!(matches!(verdict("no-such-defect", &body).verdict, Verdict::Broken(_)));
    }

    #[test]
    fn a_gateway_that_forwards_what_it_did_not_judge_is_noticed() {
        let frame = r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"bn_ping","Name":"bn_new_order","arguments":{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":"0.1"}}}"#;
        let body = format!(
            "kind: attack\ngroup: F\nupstream: soft\nattack:\n  - raw: {{ text: '{frame}' }}\nharm: {{ orders_booked: 1 }}\nhold: {{ exchange: {{ requests: 0 }} }}\ntwin: {{ title: T, steps: [{{ call: {{ tool: bn_ping }} }}] }}\n"
        );
        assert_eq!(verdict("raw-bytes-forwarded", &body).verdict, Verdict::Breached);
    }
}
