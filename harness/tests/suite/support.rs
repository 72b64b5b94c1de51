//! Cases from text, and runs of them.

use std::path::PathBuf;

use rogue_harness::run::{RunOptions, run_scenario, runtime};
use rogue_harness::scenario::{Case, PolicyFile, parse};
use rogue_harness::target::TargetKind;
use rogue_harness::verdict::{Role, RunResult, ScenarioResult};

/// Allows everything.
pub(crate) const ALLOW: &str = r#"{ "version": "1", "default": "allow" }"#;

/// What every scenario needs and no test here is about.
const HEAD: &str = "id: probe\ntitle: Probe\nstory: A probe.\npolicy: inline\n";

/// A case from the rest of its file.
pub(crate) fn case(body: &str, policy: &str) -> Case {
    let path = PathBuf::from("probe.yaml");
    let scenario = parse(&path, &format!("{HEAD}{body}")).unwrap_or_else(|problem| panic!("{problem}"));
    let policy = PolicyFile::of_text("inline.json", policy);
    Case {
        scenario,
        path,
        policy,
        reloads: std::collections::BTreeMap::new(),
        grants: std::collections::BTreeMap::new(),
    }
}

/// A workflow on the naive server, from its steps and what is expected of it.
pub(crate) fn workflow(steps: &str, expect: &str) -> Case {
    case(&format!("kind: workflow\nupstream: soft\nsteps:\n{steps}\nexpect: {expect}\n"), ALLOW)
}

pub(crate) fn run_on(target: TargetKind, case: &Case) -> ScenarioResult {
    run_with(&RunOptions { target, ..RunOptions::default() }, case)
}

pub(crate) fn run_with(options: &RunOptions, case: &Case) -> ScenarioResult {
    runtime().unwrap().block_on(run_scenario(case, options))
}

/// The run of a workflow on the MCP server alone.
pub(crate) fn played(case: &Case) -> RunResult {
    let result = run_on(TargetKind::Bare, case);
    let run = result.run(Role::Workflow).cloned().unwrap();
    assert_eq!(run.error, None, "{:#?}", run.transcript);
    run
}

/// A step that buys so much BTC at market.
pub(crate) fn buy(quantity: &str) -> String {
    format!(
        "  - call: {{ tool: bn_new_order, args: {{ symbol: BTCUSDT, side: BUY, type: MARKET, quantity: \"{quantity}\" }} }}"
    )
}
