//! What a run did, step by step, for a person who wants to see how it went.
//!
//! It is kept only where it was asked for, with [`RunOptions::watch`](crate::run::RunOptions::watch), and decides nothing:
//! verdicts come from what the exchange wrote down in all.

use crate::scenario::{Dec, Outcome};

/// A run from its first step to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// USDT that the account was worth before the first step, at the prices of the set-up.
    pub equity_before: Dec,
    /// The steps in their order; a step of several calls at once is one.
    pub moments: Vec<Moment>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds of the exchange's clock since the run began.
    pub at_ms: u64,
    /// What was sent, each with its answer; empty for a step of the script itself.
    pub asked: Vec<Asked>,
    /// What a step of the script itself was, such as `the clock moves on by 61s`.
    pub note: Option<String>,
    /// What the exchange wrote down meanwhile, in words; empty when nothing reached it.
    pub effects: Vec<String>,
    /// USDT that the account is worth now, at the prices of the set-up.
    pub equity: Dec,
}

/// A call or frame of the agent, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The tool with its arguments, or what the frame was.
    pub did: String,
    /// How it was answered.
    pub outcome: Outcome,
    /// The rule that decided, as a JSON pointer into the policy, where the answer names one.
    pub rule: Option<String>,
    /// The reason of a denial or refusal in words.
    pub why: Option<String>,
}
