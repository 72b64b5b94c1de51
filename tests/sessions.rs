//! Every tape is one test: `cargo test --test sessions`, or any of them by name. Put one into `scenarios/tapes/`, and it runs.
//!
//! The agent's calls are made again against the whole stack, on the recorded clock, and each must be answered as it was. A
//! failure shows what was expected and seen, the transcript and the exchange's journal.

#![allow(clippy::print_stderr, reason = "a test binary without a harness tells what is wrong itself")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use rogue_harness::distill::{case, check};
use rogue_harness::report::{self, TextOptions};
use rogue_harness::run::{RunOptions, run_scenario, runtime};
use rogue_harness::scenario::to_yaml;
use rogue_harness::verdict::Verdict;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = Path::new(HERE).join("scenarios/tapes");
    let tapes = match exactly_one(&arguments, &folder).map_or_else(|| tapes(&folder), |tape| Ok(vec![tape])) {
        Ok(tapes) => tapes,
        Err(error) => {
            eprintln!("`{}`: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    };
    let trials = tapes.into_iter().map(|tape| Trial::test(name(&tape), move || run(&tape))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn tapes(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut tapes = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".jsonl") || path.to_string_lossy().ends_with(".jsonl.zst") {
            tapes.push(path);
        }
    }
    tapes.sort();
    Ok(tapes)
}

fn name(tape: &Path) -> String {
    let name = tape.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.trim_end_matches(".zst").trim_end_matches(".jsonl").to_owned()
}

/// Runners that start one process for each test name it exactly: then only that tape is opened.
fn exactly_one(arguments: &Arguments, folder: &Path) -> Option<PathBuf> {
    let name = arguments.filter.as_ref().filter(|_| arguments.exact)?;
    let files = [".jsonl", ".jsonl.zst"].map(|end| folder.join(format!("{name}{end}")));
    files.into_iter().find(|file| file.is_file())
}

fn run(tape: &Path) -> Result<(), Failed> {
    let case = case(tape, &[Path::new(HERE).join("scenarios/policies")])?;
    let text = to_yaml(&case.scenario)?;
    let file = tape.with_file_name(format!("{}.yaml", case.scenario.id));
    let problems = check(&file, &text, &case);
    if !problems.is_empty() {
        return Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").into());
    }
    let result = runtime()?.block_on(run_scenario(&case, &RunOptions::default()));
    match result.verdict {
        Verdict::Passed => Ok(()),
        _ => Err(report::failure(&result, &TextOptions::default()).into()),
    }
}
