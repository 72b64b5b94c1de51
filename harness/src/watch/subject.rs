//! What is run.

use std::path::{Path, PathBuf};

use super::memory::Standing;
use crate::mutate;
use crate::policy;
use crate::report;
use crate::run::{RunOptions, run_scenario};
use crate::scenario::{Case, PolicyFile};
use crate::verdict::{ScenarioResult, Verdict};

/// What is run.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A scenario.
    Scenario(Box<Case>),
    /// The tests of a policy.
    Tests(PathBuf),
    /// The list of weakenings that nobody can notice: whether the policy still has what they are about. That nobody notices
    /// them is what `rogue mutate` finds, which takes too long for this.
    Reasons {
        /// The list.
        path: PathBuf,
        /// The policy.
        policy: Box<PolicyFile>,
    },
}

impl Subject {
    /// Runs it.
    pub async fn run(&self, options: &RunOptions) -> Standing {
        match self {
            Self::Scenario(case) => Standing::of(&run_scenario(case, options).await),
            Self::Tests(path) => tests(path),
            Self::Reasons { path, policy } => reasons(path, policy),
        }
    }
}

impl Standing {
    fn of(result: &ScenarioResult) -> Self {
        let mut why = Vec::new();
        if let Verdict::Broken(reason) | Verdict::Untestable(reason) = &result.verdict {
            why.push(reason.clone());
        } else if !result.verdict.is_good() {
            for run in &result.runs {
                let role = run.role.with_article();
                why.extend(report::reasons(run).into_iter().map(|reason| format!("{role}: {reason}")));
            }
        }
        Self { word: result.verdict.word().to_owned(), good: result.verdict.is_good(), why }
    }

    fn listed(good: &str, bad: &str, why: Vec<String>) -> Self {
        let word = if why.is_empty() { good } else { bad };
        Self { word: word.to_owned(), good: why.is_empty(), why }
    }
}

fn tests(path: &Path) -> Standing {
    let why = match policy::load(path) {
        Ok(tested) => {
            let failures = tested.tests.iter().flat_map(|test| {
                test.failures.iter().map(|failure| format!("line {}, {}: {}", failure.line, test.name, failure.what))
            });
            failures.collect()
        }
        // It was sound when it was looked at, and is looked at again.
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    };
    Standing::listed("tested", "FAILED", why)
}

fn reasons(path: &Path, policy: &PolicyFile) -> Standing {
    let stale = std::fs::read_to_string(path).map_err(|error| error.to_string()).and_then(|source| {
        let told = |problems: Vec<_>| -> String { problems.iter().map(ToString::to_string).collect() };
        let reasons = mutate::read_equivalents(path, &source).map_err(told)?;
        let document = mutate::Document::of(policy).map_err(|problem| problem.to_string())?;
        let changes = mutate::changes(&document);
        let stale = reasons.iter().filter(|reason| !changes.iter().any(|change| reason.is_about(change)));
        let line = |reason: &mutate::Equivalent| {
            let (pointer, kind) = (&reason.pointer, reason.kind);
            format!("line {}: the policy has no `{}` that is weakened as `{kind}`", pointer.line, pointer.value)
        };
        Ok(stale.map(line).collect())
    });
    Standing::listed("in place", "STALE", stale.unwrap_or_else(|error| vec![error]))
}
