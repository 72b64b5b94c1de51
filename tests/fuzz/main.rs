//! Arguments of every shape through the whole embedded stack.
//!
//! Calls are generated from each tool's JSON Schema (valid, on the boundary, mutated, malformed) and sent through the
//! gateway, with our server and with the soft one behind it. Afterwards an oracle that shares nothing with the policy
//! engine reads the exchange's own records: nothing may stand there that the shipped policy forbids. Besides: no
//! panic, one audit line for each call, and the gateway still answers.
//!
//! What fails is shrunk and written to `scenarios/found/` as a scenario; seeds are kept beside this file.
//! `PROPTEST_CASES=5000 cargo test --test fuzz` looks longer.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod found;
mod generate;
mod oracle;
mod stack;

use std::path::{Path, PathBuf};

use proptest::test_runner::{
    Config, FileFailurePersistence, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner,
};
use rogue_harness::run::{RunOptions, run_scenario, runtime};
use rogue_harness::scenario::load;
use rogue_harness::verdict::Verdict;

use crate::generate::{Turn, turns};
use crate::stack::{Seen, Upstream, play};

/// The policy that is held: the one that the attacks run under.
const POLICY: &str = include_str!("../../scenarios/policies/binance-v1.json");

/// A promise that was broken, with the fewest calls that the search could shrink it to.
struct Finding {
    turns: Vec<Turn>,
    why: String,
    upstream: Upstream,
    seen: Result<Seen, String>,
}

impl Finding {
    fn write(&self, folder: &Path) -> std::io::Result<PathBuf> {
        let seen = self.seen.as_ref().map_err(|why| std::io::Error::other(why.clone()))?;
        found::write(folder, &self.turns, self.upstream, &self.why, seen)
    }
}

/// Searches for turns that break a promise.
fn search(runner: &mut TestRunner, upstream: Upstream, mutation: Option<&str>) -> Result<(), Box<Finding>> {
    let seen = |turns: &[Turn]| runtime().expect("a runtime").block_on(play(turns, upstream, POLICY, mutation));
    let outcome = runner.run(&turns(), |turns| {
        let seen = seen(&turns).map_err(TestCaseError::fail)?;
        oracle::verdict(&turns, &seen).map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(why, turns)) => {
            let seen = seen(&turns);
            Err(Box::new(Finding { turns, why: why.to_string(), upstream, seen }))
        }
        Err(TestError::Abort(why)) => panic!("the search ended early: {why}"),
    }
}

fn hold(upstream: Upstream) {
    let config = Config {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(96),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/fuzz/regressions.txt"))),
        ..Config::default()
    };
    if let Err(finding) = search(&mut TestRunner::new(config), upstream, None) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/found");
        let file = finding.write(&folder).map_or_else(|error| error.to_string(), |file| file.display().to_string());
        panic!("{}\nwritten as a scenario: {file}\n{:#?}", finding.why, finding.turns);
    }
}

#[test]
fn nothing_forbidden_reaches_the_exchange_through_our_server() {
    hold(Upstream::Ours);
}

#[test]
fn nothing_forbidden_reaches_the_exchange_through_a_soft_server() {
    hold(Upstream::Soft);
}

/// The search itself is seen to fail: each defect is found, shrunk, and the scenario that is written of it breaks with
/// the defect and holds without.
#[test]
fn a_broken_guard_is_found_shrunk_and_written_down() {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/policies");
    for mutation in ["ignore-deny-if", "ignore-require", "limit-never-charges"] {
        let config = Config { cases: 600, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let Err(finding) = search(&mut runner, Upstream::Soft, Some(mutation)) else {
            panic!("`{mutation}` was not found");
        };

        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("policies")).expect("a folder for policies");
        std::fs::copy(policies.join("binance-v1.json"), folder.path().join("policies/binance-v1.json"))
            .expect("a policy");
        let file = finding.write(&folder.path().join("found")).expect("the scenario can be written");
        let (case, problems) = load(&file).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert!(problems.is_empty(), "{problems:?}");

        let run = |mutation: Option<&str>| {
            let options = RunOptions { mutation: mutation.map(str::to_owned), ..RunOptions::default() };
            runtime().expect("a runtime").block_on(run_scenario(&case, &options))
        };
        let text = std::fs::read_to_string(&file).expect("the scenario");
        assert_eq!(run(Some(mutation)).verdict, Verdict::Breached, "{mutation}\n{text}");
        assert_eq!(run(None).verdict, Verdict::Held, "{mutation}\n{text}");
    }
}
