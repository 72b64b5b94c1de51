//! A tape is a scenario: whatever the suite recorded can be written as one, which is sound and passes.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};

use rogue_harness::cassette::tools::open;
use rogue_harness::distill::{Session, id_of, policy_of, scenario};
use rogue_harness::report::{self, TextOptions};
use rogue_harness::run::{RunOptions, run_scenario, run_suite, runtime};
use rogue_harness::scenario::{Case, Kind, Scenario, Step, load, load_all, to_yaml};
use rogue_harness::verdict::{ScenarioResult, Verdict};

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");

/// What the suite's tapes are, behind the gateway.
fn recorded(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut cases = load_all(&[SCENARIOS.into()]).expect("sound scenarios").cases;
    cases.retain(|case| wanted(&case.scenario.id));
    let options = RunOptions { record: Some(folder.to_owned()), ..RunOptions::default() };
    run_suite(&cases, &options, |_| {}).expect("a runtime");
    let mut tapes: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    tapes.retain(|tape| !tape.to_string_lossy().contains(".control."));
    tapes.sort();
    tapes
}

fn policies() -> Vec<PathBuf> {
    vec![Path::new(SCENARIOS).join("policies")]
}

/// The tape as a file that was written and read again, with no warning.
fn distilled(tape: &Path, into: &Path) -> Case {
    let session = Session::read(open(tape).expect("a tape")).expect("a session");
    let policy = policy_of(&session.header, &policies()).expect("the policy");
    fs::create_dir_all(into.join("policies")).expect("a folder");
    fs::copy(&policy.path, into.join("policies").join(policy.path.file_name().expect("a name"))).expect("a copy");
    let id = id_of(tape);
    let name = policy.path.file_stem().expect("a name").to_string_lossy();
    let written = to_yaml(&scenario(&session, &id, &name).expect("a scenario")).expect("YAML");
    let file = into.join(format!("{id}.yaml"));
    fs::write(&file, &written).expect("a file");
    let (case, warnings) = load(&file).unwrap_or_else(|problems| {
        panic!("{}\n{written}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    });
    assert!(warnings.is_empty(), "{warnings:?}");
    case
}

fn run(case: &Case, options: &RunOptions) -> ScenarioResult {
    runtime().expect("a runtime").block_on(run_scenario(case, options))
}

/// Tapes that do not tell all that happened, each with what they leave out. The list is strict.
const UNTOLD: &[(&str, &str)] = &[];

/// Whether all that happens in a scenario is one agent's doing, on one connection: only then is all of it on its tapes.
fn is_told(scenario: &Scenario) -> bool {
    let beside = |step: &Step| {
        matches!(
            step,
            Step::Reconnect(_) | Step::Operator(_) | Step::ServerChange(_) | Step::Direct(_) | Step::Market(_)
        )
    };
    scenario.agents.is_empty() && scenario.exchange.faults.is_empty() && !scenario.pinned && !scenario.has_step(beside)
}

#[test]
fn a_tape_of_several_connections_is_no_scenario() {
    let folder = tempfile::tempdir().expect("a folder");
    for tape in recorded(folder.path(), |id| id == "ra-21-ping-pong") {
        let refused = Session::read(open(&tape).expect("a tape")).expect_err("two agents").to_string();
        assert!(refused.contains("of which one is `janitor`"), "{refused}");
    }
}

#[test]
fn what_the_suite_recorded_is_a_scenario_that_passes() {
    let folder = tempfile::tempdir().expect("a folder");
    let large = ["ra-18-fan-out", "ra-32-ping-the-book", "ra-33-fee-burn"];
    let cases = load_all(&[SCENARIOS.into()]).expect("sound scenarios").cases;
    let told = |id: &str| cases.iter().any(|case| case.scenario.id.value == id && is_told(&case.scenario));
    let tapes = recorded(&folder.path().join("tapes"), |id| !large.contains(&id) && told(id));
    assert!(tapes.len() > 40, "{}", tapes.len());
    let mut failed = Vec::new();
    for tape in &tapes {
        let case = distilled(tape, folder.path());
        assert_eq!(case.scenario.kind, Kind::Session);
        let result = run(&case, &RunOptions::default());
        let known = UNTOLD.iter().any(|(id, _)| *id == case.scenario.id.value);
        if (result.verdict == Verdict::Passed) == known {
            failed.push(report::failure(&result, &TextOptions::default()));
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), tapes.len(), failed.join("\n"));
}

#[test]
fn a_session_fails_when_it_is_answered_otherwise() {
    let folder = tempfile::tempdir().expect("a folder");
    let tapes = recorded(&folder.path().join("tapes"), |id| id == "ra-01-fat-finger");
    let verdict = |role: &str, policy: &str| {
        let tape = tapes.iter().find(|tape| tape.to_string_lossy().contains(role)).expect("a tape");
        let case = distilled(tape, folder.path());
        run(&case, &RunOptions { policy: Some(policy.into()), ..RunOptions::default() })
    };
    let open = r#"{ "version": "1", "default": "allow" }"#;
    let closed = r#"{ "version": "1", "default": "deny" }"#;
    let breached = verdict("protected", open);
    assert_eq!(breached.verdict, Verdict::Breached, "what was denied passes");
    let told = report::failure(&breached, &TextOptions::default());
    assert!(told.contains("something passed that was stopped"), "{told}");
    assert!(told.contains("bn_new_order at line") && told.contains("allowed, must be denied"), "{told}");
    assert_eq!(verdict("twin", closed).verdict, Verdict::Blocked, "what passed is denied");
}
