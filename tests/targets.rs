//! The suite against gateways that are reached in other ways than in process: over HTTP, and as a command.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod built;

use std::path::Path;

use rogue_harness::baseline::Baseline;
use rogue_harness::run::{RunOptions, run_suite};
use rogue_harness::scenario::{Case, Group, load_all};
use rogue_harness::target::{GatewayCommand, TargetFile, TargetKind};
use rogue_harness::verdict::{ExitClass, SuiteResult, Verdict};

fn cases() -> Vec<Case> {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    load_all(&[scenarios.join("attacks"), scenarios.join("workflows")])
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .cases
}

/// Frames that two parsers read differently, and what a gateway writes down: where the way to it matters most.
fn of_the_wire() -> Vec<Case> {
    let wire = |case: &Case| matches!(case.scenario.group, Some(Group::F | Group::H));
    let cases: Vec<Case> = cases().into_iter().filter(wire).collect();
    assert!(cases.len() >= 6, "the groups F and H are there");
    cases
}

fn command(text: &str) -> RunOptions {
    let bridge = vec![env!("CARGO_BIN_EXE_rogue").to_owned(), "bridge".to_owned()];
    let command = GatewayCommand::parse(text, bridge).expect("a command");
    RunOptions { command: Some(command), ..RunOptions::default() }
}

fn run(cases: &[Case], options: &RunOptions) -> SuiteResult {
    run_suite(cases, options, |_| {}).expect("a runtime")
}

fn told(result: &SuiteResult) -> Vec<(&str, &Verdict, Vec<&String>)> {
    let told = result.scenarios.iter().map(|scenario| {
        let failures = scenario.runs.iter().flat_map(|run| run.failures.iter().chain(&run.error)).collect();
        (scenario.id.as_str(), &scenario.verdict, failures)
    });
    told.collect()
}

/// Nothing is expected to fail.
fn nothing_fails(result: &SuiteResult) {
    let departures = Baseline::parse(Path::new("empty.yaml"), "[]").expect("a list").departures(result, true);
    assert_eq!(departures.exit_class(), ExitClass::Good, "{departures:?}: {:?}", told(result));
    assert_eq!(departures.as_listed, 0);
}

#[test]
fn over_http_what_two_parsers_read_differently_is_stopped() {
    let options = RunOptions { target: TargetKind::Http, ..RunOptions::default() };
    let result = run(&of_the_wire(), &options);
    assert!(result.scenarios.iter().all(|scenario| scenario.verdict == Verdict::Held), "{:?}", told(&result));
    nothing_fails(&result);
}

#[test]
fn the_command_holds_over_standard_streams_wherever_the_clock_stands() {
    let (gateway, _) = built::commands();
    let gateway = gateway.display();
    let options =
        command(&format!("'{gateway}' --policy {{policy}} --audit {{audit}} --server binance -- {{upstream}}"));
    let all = cases();
    let result = run(&all, &options);
    let mut judged = 0;
    for (case, scenario) in all.iter().zip(&result.scenarios) {
        match &scenario.verdict {
            Verdict::Held | Verdict::Passed => judged += 1,
            Verdict::Untestable(reason) => {
                // What a process with one input and one output cannot be asked, and nothing else.
                let known = ["clock", "one agent", "nobody runs the target", "which tools"];
                assert!(known.iter().any(|known| reason.contains(known)), "{}: {reason}", scenario.id);
                assert!(case.scenario.group != Some(Group::F), "{}: {reason}", scenario.id);
            }
            _ => panic!("{:?}", told(&result)),
        }
    }
    assert!(judged >= 27, "only {judged} scenarios could be judged");
    nothing_fails(&result);
}

/// A gateway as a file describes it, whose program is in a folder of its name.
fn described(file: &Path, name: &str, program: &Path) -> (tempfile::TempDir, RunOptions) {
    let installed = tempfile::tempdir().expect("a folder");
    let bin = installed.path().join(name).join("bin");
    std::fs::create_dir_all(&bin).expect("a folder");
    std::os::unix::fs::symlink(program, bin.join(name)).expect("a link");
    let bridge = vec![env!("CARGO_BIN_EXE_rogue").to_owned(), "bridge".to_owned()];
    let file = TargetFile::read(file).unwrap_or_else(|problem| panic!("{problem}"));
    let command = GatewayCommand::described(file, installed.path(), bridge).expect("a command");
    (installed, RunOptions { command: Some(command), ..RunOptions::default() })
}

#[test]
fn our_gateway_described_as_a_stranger_is_judged_by_what_happened() {
    let (gateway, _) = built::commands();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/targets/mcp-gateway/target.yaml");
    let (_installed, options) = described(&file, "mcp-gateway", &gateway);
    let result = run(&of_the_wire(), &options);
    assert!(result.scenarios.iter().any(|scenario| scenario.verdict == Verdict::Held), "{:?}", told(&result));
    nothing_fails(&result);
}

#[test]
fn a_stranger_that_stops_nothing_in_other_words_is_found_out_and_one_without_a_policy_is_not_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("target.yaml");
    let head = "{ name: open, version: '1', from: nowhere, about: x, leaves_out: y, command: ['{upstream}']";
    std::fs::write(&file, format!("{head} }}")).expect("a file");
    let (_installed, options) = described(&file, "open", Path::new("/bin/false"));
    let result = run(&of_the_wire(), &options);
    // What is decided by words alone is not asked of a stranger; harm at the exchange is.
    let breached = result.scenarios.iter().filter(|scenario| scenario.verdict == Verdict::Breached).count();
    assert!(breached >= 5, "{:?}", told(&result));
    let stale = Baseline::parse(Path::new("b.yaml"), "[]").expect("a list").departures(&result, true);
    assert_eq!((stale.exit_class(), stale.unlisted.len()), (ExitClass::Breached, breached));

    std::fs::write(folder.path().join("p"), "").expect("a file");
    std::fs::write(&file, format!("{head}, policies: {{ none-of-ours: p }} }}")).expect("a file");
    let (_installed, options) = described(&file, "open", Path::new("/bin/false"));
    let result = run(&of_the_wire(), &options);
    let unasked = |verdict: &Verdict| matches!(verdict, Verdict::Untestable(_));
    assert!(result.scenarios.iter().all(|scenario| unasked(&scenario.verdict)), "{:?}", told(&result));
}

#[test]
fn a_command_that_stops_nothing_is_found_out() {
    // The bridge alone is the most transparent gateway there is.
    let result = run(&of_the_wire(), &command("{upstream}"));
    let found = |verdict: &Verdict| matches!(verdict, Verdict::Breached | Verdict::Untestable(_));
    assert!(result.scenarios.iter().all(|scenario| found(&scenario.verdict)), "{:?}", told(&result));
    let breached = result.scenarios.iter().filter(|scenario| scenario.verdict == Verdict::Breached).count();
    assert!(breached >= 5, "{:?}", told(&result));
}

#[test]
fn a_gateway_that_cannot_be_started_teaches_nothing() {
    let case = of_the_wire().swap_remove(0);
    let result = run(std::slice::from_ref(&case), &command("/nonexistent/gateway {upstream}"));
    let Verdict::Broken(why) = &result.scenarios[0].verdict else { panic!("{:?}", told(&result)) };
    assert!(why.contains("/nonexistent/gateway"), "{why}");
}
