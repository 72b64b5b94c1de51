//! Deliberate defects of the guard and the gateway, each of which must turn the suite red.
//!
//! A suite that stays green while the guard is broken proves nothing. Each defect names the scenario that must notice.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;
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
    ("raw-bytes-forwarded", "ra-42b-the-same-key-escaped"),
    ("session-scope-only", "ra-19-session-hopping"),
    ("grant-scope-only", "ra-19b-colluding-grants"),
    ("grants-share-orders", "ra-21-ping-pong"),
    ("grants-share-orders", "ra-28b-foreign-listen-key"),
    ("ignore-kill-switch", "ra-16c-after-the-halt"),
    ("refund-unknown", "ra-13b-server-falls-over"),
    ("float-compare", "ra-02b-cents-above"),
    ("approval-unbound", "ra-54-approval-swap"),
    ("approval-reused", "ra-54b-approval-replay"),
    ("approval-is-enough", "ra-55-consent-fatigue"),
    ("results-unread", "ra-28c-stream-theft"),
    ("results-unread", "ra-53-secret-echo"),
    ("pins-ignored", "ra-49-rug-pull"),
    ("pins-ignored", "ra-49b-asks-for-one-thing-more"),
    ("reload-forgets", "ra-57-reload-under-fire"),
    ("broken-reload-allows", "ra-57-reload-under-fire"),
    ("ledger-unwritten", "ra-57b-restart-amnesia"),
    ("store-failure-allows", "ra-57c-a-store-that-takes-nothing"),
    ("audit-failure-allows", "ra-58b-full-disk"),
    ("denials-unrecorded", "ra-58-audit-evasion"),
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
fn every_defect_has_a_scenario() {
    let listed: BTreeSet<&str> = NOTICED.iter().map(|(name, _)| *name).collect();
    let known: BTreeSet<&str> =
        Mutation::ALL.map(Mutation::name).into_iter().chain(GatewayMutation::ALL.map(GatewayMutation::name)).collect();
    assert_eq!(listed, known);
}

#[test]
fn each_defect_is_noticed_by_the_scenario_that_is_named_for_it() {
    let attacks = cases("attacks");
    let mut blind = Vec::new();
    for (mutation, scenario) in NOTICED {
        let case = attacks.iter().find(|case| case.scenario.id.as_str() == *scenario);
        let case = std::slice::from_ref(case.unwrap_or_else(|| panic!("there is no `{scenario}`")));
        let sound = run(case, None);
        assert_eq!(sound.scenarios[0].verdict, Verdict::Held, "`{scenario}` must hold without the defect");
        let broken = run(case, Some(mutation));
        if (&broken.scenarios[0].verdict, broken.exit_class()) != (&Verdict::Breached, ExitClass::Breached) {
            blind.push(format!("`{scenario}` is {:?} under `{mutation}`", broken.scenarios[0].verdict));
        }
    }
    assert!(blind.is_empty(), "{blind:#?}");
}

#[test]
fn without_the_check_every_attack_is_a_breach() {
    let suite = run(&cases("attacks"), Some("admit-everything"));
    let mut expected: Vec<&str> = vec![
        // The guard is not what stops these: their frames are refused before it is asked.
        "ra-41-case-variant-keys",
        "ra-42-duplicate-keys",
        "ra-42b-the-same-key-escaped",
        "ra-43-undecodable-frames",
        "ra-44-batch",
        "ra-44b-nested-and-lonely",
        "ra-47-orders-without-an-id",
        // Nor these: pins, the record and what is cut out of results stand beside it.
        "ra-28c-stream-theft",
        "ra-49-rug-pull",
        "ra-49b-asks-for-one-thing-more",
        "ra-53-secret-echo",
        "ra-58b-full-disk",
        "ra-58d-cuts-the-end-off",
    ];
    expected.sort_unstable();
    let held: Vec<_> = suite.scenarios.iter().filter(|s| s.verdict == Verdict::Held).map(|s| s.id.as_str()).collect();
    assert_eq!(held, expected);
    assert_eq!(suite.exit_class(), ExitClass::Breached);
    assert!(suite.scenarios.iter().all(|s| matches!(s.verdict, Verdict::Held | Verdict::Breached)));
}
