//! Many scenarios, one after the other.

use std::io;
use std::time::Instant;

use super::options::RunOptions;
use super::scenario::run_scenario;
use crate::scenario::Case;
use crate::verdict::{ScenarioResult, SuiteResult};

/// A runtime as a scenario needs it: one thread, so that what is ready runs in the order in which it became so.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Runs cases in their order, each on a runtime of its own, and tells of each when it is done.
///
/// # Errors
/// The system gives no runtime.
pub fn run_suite(
    cases: &[Case],
    options: &RunOptions,
    mut progress: impl FnMut(&ScenarioResult),
) -> io::Result<SuiteResult> {
    let begun = Instant::now();
    let mut scenarios = Vec::with_capacity(cases.len());
    for case in cases {
        let result = runtime()?.block_on(run_scenario(case, options));
        progress(&result);
        scenarios.push(result);
    }
    Ok(SuiteResult { target: options.target_name(), scenarios, elapsed: begun.elapsed() })
}
