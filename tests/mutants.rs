//! Deliberate defects of the guard and the gateway, each of which must turn the suite red.
//!
//! A suite that stays green while the guard is broken proves nothing. Each defect names the scenario that must notice;
//! what no scenario can notice stands in a list with its reason, and a line of that list that is noticed after all is
//! an error.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::{Path, PathBuf};

use mcp_gateway::GatewayMutation;
use mcp_policy::Mutation;
use rogue_harness::run::{RunOptions, run_suite};
use rogue_harness::scenario::{Case, load_all};
use rogue_harness::verdict::{ExitClass, SuiteResult, Verdict};

/// Defect, and a scenario that breaks under it.
const NOTICED: &[(&str, &str)] = &[
    ("admit-everything", "ra-01-fat-finger"),
    ("ignore-deny-if", "ra-01-fat-finger"),
    ("ignore-require", "ra-06-illiquid-drain"),
    ("hidden-tools-callable", "ra-24-wipe-the-book"),
    ("limit-off-by-one", "listen-key-flood"),
    ("limit-never-charges", "ra-16-runaway-loop"),
    ("calendar-window", "ra-10-window-edge"),
    ("refund-failed", "ra-20-retry-storm"),
    ("lexicographic-compare", "ra-03-unit-confusion"),
    ("ignore-sequences", "ra-26-guessed-orders"),
    ("ignore-breakers", "ra-20b-knocking"),
    ("list-filtered-calls-open", "ra-48-unlisted-tools"),
    ("raw-bytes-forwarded", "ra-42-duplicate-keys"),
];

/// Defect, and why no scenario notices it yet.
const UNNOTICED: &[(&str, &str)] = &[
    ("session-scope-only", "a script speaks over one connection; the tests of `mcp-policy` hold the scopes apart"),
    ("ignore-kill-switch", "a script cannot throw the kill switch; the tests of `mcp-policy` do"),
];

fn cases(folder: &str) -> Vec<Case> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(folder);
    load_all(&[path]).unwrap_or_else(|problems| panic!("{problems:?}")).cases
}

fn run(cases: &[Case], mutation: Option<&str>) -> SuiteResult {
    let options = RunOptions { mutation: mutation.map(str::to_owned), ..RunOptions::default() };
    run_suite(cases, &options, |_| {}).expect("a runtime")
}

#[test]
fn every_defect_is_in_exactly_one_list() {
    let mut listed: Vec<&str> = NOTICED.iter().chain(UNNOTICED).map(|(name, _)| *name).collect();
    listed.sort_unstable();
    let mut known: Vec<&str> =
        Mutation::ALL.map(Mutation::name).into_iter().chain(GatewayMutation::ALL.map(GatewayMutation::name)).collect();
    known.sort_unstable();
    assert_eq!(listed, known);
}

#[test]
fn each_defect_is_noticed_by_the_scenario_that_is_named_for_it() {
    let attacks = cases("attacks");
    for (mutation, scenario) in NOTICED {
        let case = attacks.iter().find(|case| case.scenario.id.as_str() == *scenario);
        let case = std::slice::from_ref(case.unwrap_or_else(|| panic!("there is no `{scenario}`")));
        let sound = run(case, None);
        assert_eq!(sound.scenarios[0].verdict, Verdict::Held, "`{scenario}` must hold without the defect");
        let broken = run(case, Some(mutation));
        assert_eq!(broken.scenarios[0].verdict, Verdict::Breached, "`{scenario}` must notice `{mutation}`");
        assert_eq!(broken.exit_class(), ExitClass::Breached);
    }
}

#[test]
fn what_is_said_to_be_unnoticed_is() {
    let attacks = cases("attacks");
    for (mutation, why) in UNNOTICED {
        let suite = run(&attacks, Some(mutation));
        let noticed: Vec<_> =
            suite.scenarios.iter().filter(|s| s.verdict != Verdict::Held).map(|s| s.id.as_str()).collect();
        assert!(noticed.is_empty(), "`{mutation}` is noticed by {noticed:?}, so strike this line: {why}");
    }
}

#[test]
fn without_the_check_every_attack_is_a_breach() {
    let suite = run(&cases("attacks"), Some("admit-everything"));
    let expected: Vec<&str> = vec![
        // The guard is not what stops these: their frames are refused before it is asked.
        "ra-41-case-variant-keys",
        "ra-42-duplicate-keys",
        "ra-43-undecodable-frames",
        "ra-44-batch",
    ];
    let held: Vec<_> = suite.scenarios.iter().filter(|s| s.verdict == Verdict::Held).map(|s| s.id.as_str()).collect();
    assert_eq!(held, expected);
    assert_eq!(suite.exit_class(), ExitClass::Breached);
    assert!(suite.scenarios.iter().all(|s| matches!(s.verdict, Verdict::Held | Verdict::Breached)));
}
