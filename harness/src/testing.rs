//! A folder of scenarios as the tests of a crate, one a file.
//!
//! ```toml
//! [[test]]
//! name = "scenarios"
//! harness = false
//! ```
//!
//! ```no_run
//! // tests/scenarios.rs
//! fn main() -> std::process::ExitCode {
//!     rogue_harness::testing::scenarios(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"))
//! }
//! ```
//!
//! The folder and the file's name are the test's name (`attacks::ra-01-fat-finger`), and the arguments are those of every
//! test binary. A failure shows what was expected and seen, the transcript, the exchange's journal, and the command that
//! runs the file again.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::report::{self, TextOptions};
use crate::run::{RunOptions, run_scenario, runtime};
use crate::scenario::{discover, load};
use crate::verdict::Verdict;

/// Runs every scenario beneath `folder` that the command line asks for, against the best target built in. What is no
/// scenario file, and a folder without any, fails: nothing would be shown.
pub fn scenarios(folder: impl AsRef<Path>) -> ExitCode {
    let folder = folder.as_ref();
    let arguments = Arguments::from_args();
    let files = match exactly_one(&arguments, folder) {
        Some(file) => vec![file],
        None => match discover(&[folder.to_owned()]) {
            Ok(files) if files.is_empty() => {
                return refused(&format!("there is no scenario in `{}`", folder.display()));
            }
            Ok(files) => files,
            Err(problems) => return refused(&lines(&problems)),
        },
    };
    let trials = files.into_iter().map(|file| trial(folder, file)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn refused(why: &str) -> ExitCode {
    // Nobody is left to tell when that fails.
    let _ = writeln!(io::stderr(), "{why}");
    ExitCode::FAILURE
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
