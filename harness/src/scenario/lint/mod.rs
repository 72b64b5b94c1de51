//! What a file says that makes no sense, although every key and value is well formed.
//!
//! Each finding has a stable code, a place and a remedy. [`lint_case`] is all there is to call; the parts are by
//! subject: the file's shape and codes, its steps and references, its checks.

mod checks;
mod shape;
mod steps;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::policy_file::PolicyFile;
use super::{Problem, Scenario};

/// Everything that is wrong or doubtful within one scenario. Without its policies, its own and those of grants, rules are not
/// looked up.
pub fn lint_case(path: &Path, source: &str, scenario: &Scenario, policies: &[&PolicyFile]) -> Vec<Problem> {
    let mut findings = Findings { path, source, problems: Vec::new() };
    shape::lint(&mut findings, scenario);
    steps::lint(&mut findings, scenario);
    checks::lint(&mut findings, scenario, policies);
    findings.problems
}

/// Collects problems of one file.
struct Findings<'a> {
    path: &'a Path,
    source: &'a str,
    problems: Vec<Problem>,
}

impl Findings<'_> {
    /// An error at a place.
    fn add(&mut self, code: &'static str, place: (u64, u64), message: impl Into<String>, help: impl Into<String>) {
        let problem = self.problem(code, place, message).help(help);
        self.problems.push(problem);
    }

    /// A warning at a place: the file can be run all the same.
    fn warn(&mut self, code: &'static str, place: (u64, u64), message: impl Into<String>, help: impl Into<String>) {
        let problem = self.problem(code, place, message).help(help).as_warning();
        self.problems.push(problem);
    }

    fn problem(&self, code: &'static str, place: (u64, u64), message: impl Into<String>) -> Problem {
        Problem::error(code, self.path, message).at(self.source, place.0, place.1)
    }

    /// The place of a key of the file's top level; that of the first line when the key is not there.
    fn key(&self, key: &str) -> (u64, u64) {
        let line =
            self.source.lines().position(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
        (line.map_or(1, |index| index as u64 + 1), 1)
    }
}
