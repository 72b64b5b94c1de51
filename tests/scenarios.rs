//! Every scenario file is one test: `cargo test --test scenarios`, or any of them by name.
//!
//! The folder and the file's name are the test's name (`attacks::ra-01-fat-finger`). A failure shows what was
//! expected and seen, the transcript, the exchange's journal, and the command that runs the file again.

#![allow(clippy::print_stderr, reason = "a test binary without a harness tells what is wrong itself")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use rogue_harness::report::{self, TextOptions};
use rogue_harness::run::{RunOptions, run_scenario, runtime};
use rogue_harness::scenario::{discover, load};
use rogue_harness::verdict::Verdict;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = match exactly_one(&arguments, &folder) {
        Some(file) => vec![file],
        None => match discover(std::slice::from_ref(&folder)) {
            Ok(files) => files,
            Err(problems) => {
                eprintln!("{}", lines(&problems));
                return ExitCode::FAILURE;
            }
        },
    };
    let trials = files.into_iter().map(|file| trial(&folder, file)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runners that start one process for each test name it exactly: then only that file is opened.
fn exactly_one(arguments: &Arguments, folder: &Path) -> Option<PathBuf> {
    let name = arguments.filter.as_ref().filter(|_| arguments.exact)?;
    let file = folder.join(format!("{}.yaml", name.replace("::", "/")));
    file.is_file().then_some(file)
}

fn trial(folder: &Path, file: PathBuf) -> Trial {
    let name = file.strip_prefix(folder).unwrap_or(&file).with_extension("");
    let parts: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
    Trial::test(parts.join("::"), move || run(&file))
}

fn run(file: &Path) -> Result<(), Failed> {
    let (case, warnings) = load(file).map_err(|problems| lines(&problems))?;
    if !warnings.is_empty() {
        return Err(lines(&warnings).into());
    }
    let result = runtime()?.block_on(run_scenario(&case, &RunOptions::default()));
    match result.verdict {
        Verdict::Held | Verdict::Passed => Ok(()),
        _ => Err(report::failure(&result, &TextOptions::default()).into()),
    }
}

fn lines<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join("\n")
}
