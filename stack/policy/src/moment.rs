//! What the guard is told beside a call: the time, the kill switch, and at the end what came of the call.

use serde_json::Value;

use crate::decision::{Outcome, Timestamp};

/// When and under which circumstances a call is judged. A [`Timestamp`] alone is one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Moment {
    now: Timestamp,
    halted: bool,
    approved: bool,
}

impl Moment {
    /// Nothing but the time.
    pub const fn new(now: Timestamp) -> Self {
        Self { now, halted: false, approved: false }
    }

    /// Whether the kill switch is on: then only the policy's `safety_tools` may be called.
    pub const fn halted(self, halted: bool) -> Self {
        Self { halted, ..self }
    }

    /// Whether a person has approved this very call. Then nothing asks for approval; all else is judged as ever.
    pub const fn approved(self, approved: bool) -> Self {
        Self { approved, ..self }
    }

    /// Whether a person has approved this very call.
    pub const fn is_approved(self) -> bool {
        self.approved
    }

    /// The time.
    pub const fn now(self) -> Timestamp {
        self.now
    }

    /// Whether the kill switch is on.
    pub const fn is_halted(self) -> bool {
        self.halted
    }
}

impl From<Timestamp> for Moment {
    fn from(now: Timestamp) -> Self {
        Self::new(now)
    }
}

/// What became of a permitted call, and what its result says. An [`Outcome`] alone is one too.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Settlement<'v> {
    outcome: Outcome,
    value: Option<&'v Value>,
}

impl<'v> Settlement<'v> {
    /// Nothing but the outcome.
    pub const fn new(outcome: Outcome) -> Self {
        Self { outcome, value: None }
    }

    /// With the tool's own result, as it was parsed: not the envelope that a protocol puts round it. A result that
    /// is not handed over tells the guard nothing, so that an order stays one that may be open.
    pub const fn with_value(self, value: &'v Value) -> Self {
        Self { value: Some(value), ..self }
    }

    /// What became of the call.
    pub const fn outcome(self) -> Outcome {
        self.outcome
    }

    /// The tool's own result.
    pub const fn value(self) -> Option<&'v Value> {
        self.value
    }
}

impl From<Outcome> for Settlement<'static> {
    fn from(outcome: Outcome) -> Self {
        Self::new(outcome)
    }
}
