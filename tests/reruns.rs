//! Tapes of runs against today's stack: nothing differs, and what is made to differ is told.

#![expect(clippy::expect_used, reason = "helpers of tests may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};

use rogue_harness::cassette::tools::open;
use rogue_harness::cassette::{Redactor, TapeReader, TapeWriter};
use rogue_harness::replay::agent::{Keeps, Rerun, RerunError, Rules, Shrunk, Stand, rerun, shrink};
use rogue_harness::run::{RunOptions, run_suite, runtime};
use rogue_harness::scenario::{Case, load_all};

fn cases(wanted: impl Fn(&str) -> bool) -> Vec<Case> {
    let mut cases = load_all(&["scenarios".into()]).expect("the scenarios are sound").cases;
    cases.retain(|case| wanted(&case.scenario.id));
    assert!(!cases.is_empty());
    cases
}

/// Records every run of the cases, and gives the tapes in order.
fn recorded(cases: &[Case], folder: &Path) -> Vec<PathBuf> {
    let options = RunOptions { record: Some(folder.to_owned()), ..RunOptions::default() };
    run_suite(cases, &options, |_| {}).expect("a runtime");
    let entries = fs::read_dir(folder).expect("a folder");
    let mut tapes: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    tapes.sort();
    tapes
}

fn again(cases: &[Case], tape: &Path, change: impl FnOnce(&mut Stand), ignored: &[&str]) -> Rerun {
    let reader = open(tape).expect("a tape");
    let header = reader.header().clone();
    let case = cases.iter().find(|case| Some(case.scenario.id.as_str()) == header.scenario.as_deref()).expect("a case");
    let mut stand = Stand::of_scenario(&header, case, None).expect("a target");
    change(&mut stand);
    let ignored: Vec<String> = ignored.iter().map(|pointer| (*pointer).to_owned()).collect();
    let rules = Rules::new(&ignored).expect("pointers");
    runtime().expect("a runtime").block_on(rerun(reader, &stand, &rules)).expect("it runs")
}

#[test]
fn every_tape_of_today_is_met_again_by_today() {
    // The largest ones take long in a build for tests and add nothing.
    let large = ["ra-18-fan-out", "ra-32-ping-the-book", "ra-33-fee-burn"];
    let cases = cases(|id| !large.contains(&id));
    let folder = tempfile::tempdir().expect("a folder");
    for tape in recorded(&cases, folder.path()) {
        let rerun = again(&cases, &tape, |_| {}, &[]);
        assert!(rerun.sent >= 2, "{}", tape.display());
        // What no tape holds is told, and is the only reason for which anything differs.
        assert!(rerun.differences.is_empty() || !rerun.notes.is_empty(), "{}\n{rerun}", tape.display());
    }
}

#[test]
fn what_differs_is_told_call_by_call() {
    let cases = cases(|id| id == "ra-01-fat-finger");
    let folder = tempfile::tempdir().expect("a folder");
    let tapes = recorded(&cases, folder.path());
    let twin = tapes.iter().find(|tape| tape.to_string_lossy().contains(".twin.")).expect("a tape");

    let closed = r#"{ "version": "1", "default": "deny", "tools": { "bn_ping": {} } }"#;
    let told = again(&cases, twin, |stand| stand.policy = closed.into(), &[]).to_string();
    let expected = include_str!("data/rerun-denied.txt");
    assert_eq!(told, expected.trim_end(), "{told}");

    // Another price at the exchange: the same decisions, other effects.
    let dearer = |stand: &mut Stand| {
        let price = stand.exchange.prices.get_mut("BTCUSDT").expect("a price");
        *price = serde_json::from_str("\"61000.00\"").expect("a decimal");
    };
    let rerun = again(&cases, twin, dearer, &[]);
    let told = rerun.to_string();
    assert!(
        told.contains(
            "exchange's answer, message 11\n    /body/cummulativeQuoteQty\n      - \"90.00900000\"\n      + \""
        ),
        "{told}"
    );
    assert!(told.contains("    /result/structuredContent/cummulativeQuoteQty\n"), "{told}");
    assert!(!told.contains("decision"), "{told}");
    let ignored = [
        "/body/cummulativeQuoteQty",
        "/body/fills",
        "/result/structuredContent/cummulativeQuoteQty",
        "/result/structuredContent/fills",
    ];
    let rerun = again(&cases, twin, dearer, &ignored);
    assert!(!rerun.to_string().contains("/result/structuredContent"), "{rerun}");
}

/// A case, what it records, and a function that makes one of its tapes smaller.
fn shrunk(
    cases: &[Case],
    tape: &Path,
    keeps: Keeps,
    change: impl FnOnce(&mut Stand),
) -> Result<(Shrunk, String), RerunError> {
    let reader = open(tape).expect("a tape");
    let header = reader.header().clone();
    let case = cases.iter().find(|case| Some(case.scenario.id.as_str()) == header.scenario.as_deref()).expect("a case");
    let mut stand = Stand::of_scenario(&header, case, None).expect("a target");
    change(&mut stand);
    let rules = Rules::new(&[]).expect("no pointers");
    let runtime = runtime().expect("a runtime");
    let small = runtime.block_on(shrink(reader, &stand, &rules, keeps, |_| {}))?;
    let mut bytes = Vec::new();
    let out = TapeWriter::new(&mut bytes, small.header(), Redactor::new(&[]).expect("no rules")).expect("a tape");
    small.clone().write(out).expect("a tape");
    // What was written is whole, and shows the same.
    let again = TapeReader::new(bytes.as_slice()).expect("a tape");
    let again = runtime.block_on(shrink(again, &stand, &rules, keeps, |_| {}))?;
    assert_eq!((again.before, again.after), (small.after, small.after), "nothing more can be left out");
    Ok((small, String::from_utf8(bytes).expect("text")))
}

fn calls_of(tape: &str) -> Vec<&str> {
    let out = |line: &&str| line.contains(r#""leg":"agent","dir":"out""#) && line.contains("tools/call");
    tape.lines().filter(out).collect()
}

#[test]
fn a_breach_is_shrunk_to_the_calls_that_it_takes() {
    let cases = cases(|id| id == "ra-06-illiquid-drain" || id == "ra-10-window-edge");
    let folder = tempfile::tempdir().expect("a folder");
    let tapes = recorded(&cases, folder.path());
    let of = |name: &str| tapes.iter().find(|tape| tape.ends_with(name)).expect("a tape");

    // Of six orders one is already the harm that the story tells.
    let control = of("ra-06-illiquid-drain.control.jsonl");
    let (small, tape) = shrunk(&cases, control, Keeps::Breach, |_| {}).expect("a breach");
    assert_eq!((small.before, small.after), (6, 1));
    let calls = calls_of(&tape);
    assert!(calls.len() == 1 && calls.iter().all(|call| call.contains("BNBUSDT")), "{tape}");

    // Behind a sound gateway nothing is breached, so that there is nothing to keep; behind a broken one the fewest calls
    // that break the window are left.
    let protected = of("ra-10-window-edge.protected.jsonl");
    let sound = shrunk(&cases, protected, Keeps::Breach, |_| {});
    assert!(matches!(sound, Err(RerunError::NotSo(_))), "{sound:?}");
    let broken = |stand: &mut Stand| stand.mutation = Some("calendar-window".to_owned());
    let (small, _) = shrunk(&cases, protected, Keeps::Breach, broken).expect("a breach");
    assert!(small.after <= small.before, "{} of {}", small.after, small.before);
    let (small, tape) = shrunk(&cases, protected, Keeps::Difference, broken).expect("a difference");
    assert!(small.after < small.before, "{} of {}\n{tape}", small.after, small.before);
}
