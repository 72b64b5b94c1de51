//! Judges tapes.

use std::io::BufRead;

use mcp_gateway::mcp_policy::PolicyErrors;

use super::court::Court;
use super::frame::{Brief, Full};
use super::hearing::Hearing;
use super::report::Changes;
use crate::cassette::{TapeError, TapeReader};
use crate::scenario::PolicyFile;

/// Why a backtest could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// A policy is none.
    #[error(transparent)]
    Policy(#[from] PolicyErrors),
    /// A tape cannot be read.
    #[error(transparent)]
    Tape(#[from] TapeError),
}

/// What the person says who is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Approvals {
    /// No, or nothing in time: what is asked for is stopped.
    #[default]
    Denied,
    /// Yes, each time. An approval lifts no other rule, and an approved call is charged as any other.
    Granted,
}

/// Judges tapes by a candidate policy.
#[derive(Debug)]
pub struct Backtest {
    candidate: PolicyFile,
    against: Option<PolicyFile>,
    approvals: Approvals,
    changes: Changes,
}

impl Backtest {
    /// Holds `candidate` against another policy, or against the decisions on the tapes. Both are documents.
    ///
    /// # Errors
    /// One of them is no policy.
    pub fn new(candidate: &PolicyFile, against: Option<&PolicyFile>) -> Result<Self, BacktestError> {
        for document in [Some(candidate), against].into_iter().flatten() {
            document.document().parse()?;
        }
        let against = against.cloned();
        let approvals = Approvals::default();
        Ok(Self { candidate: candidate.clone(), against, approvals, changes: Changes::default() })
    }

    /// The same with another answer of the person who is asked.
    #[must_use]
    pub fn with_approvals(self, approvals: Approvals) -> Self {
        Self { approvals, ..self }
    }

    /// Judges one tape; each begins with nothing counted.
    ///
    /// # Errors
    /// The tape cannot be read; what was read is judged.
    pub fn tape<R: BufRead>(&mut self, name: &str, tape: TapeReader<R>) -> Result<(), BacktestError> {
        self.judge(name, false, tape)
    }

    /// The same for a tape of honest work: what the candidate stops of it is told apart.
    ///
    /// # Errors
    /// The tape cannot be read; what was read is judged.
    pub fn honest_tape<R: BufRead>(&mut self, name: &str, tape: TapeReader<R>) -> Result<(), BacktestError> {
        self.judge(name, true, tape)
    }

    fn judge<R: BufRead>(&mut self, name: &str, is_honest: bool, tape: TapeReader<R>) -> Result<(), BacktestError> {
        let court = |file: &PolicyFile| Ok::<_, PolicyErrors>(Court::new(file.document().parse()?, self.approvals));
        let candidate = court(&self.candidate)?;
        let other = self.against.as_ref().map(court).transpose()?;
        let learns = candidate.learns() || other.as_ref().is_some_and(Court::learns);
        let hearing = Hearing::new((name, is_honest), tape.header(), candidate, other, &mut self.changes);
        // Results may be long: they are read whole only for whom it matters.
        if learns { hearing.judge::<_, Full>(tape) } else { hearing.judge::<_, Brief>(tape) }
    }

    /// What was found.
    pub fn finish(self) -> Changes {
        self.changes.finish()
    }
}
