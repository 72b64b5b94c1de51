//! The guard: judges calls and holds what they were charged.

use crate::decision::{Call, Decision, Denial, Outcome, Permit, Reason, Timestamp};
use crate::document::Policy;

/// How much a guard may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardLimits {
    /// How many live counters there may be at once; a call that needs one more is denied.
    pub counters_max: usize,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self { counters_max: 1_000_000 }
    }
}

/// Judges calls by one policy and counts what it lets through.
#[derive(Debug)]
pub struct Guard {
    policy: Option<Policy>,
    limits: GuardLimits,
}

impl Guard {
    /// A guard of `policy` with nothing counted yet.
    pub fn new(policy: Policy) -> Self {
        Self::with_limits(policy, GuardLimits::default())
    }

    /// A guard of `policy` that holds no more than `limits` allow.
    pub fn with_limits(policy: Policy, limits: GuardLimits) -> Self {
        Self { policy: Some(policy), limits }
    }

    /// A guard that denies every call with [`Reason::NoPolicy`].
    pub fn without_policy() -> Self {
        Self { policy: None, limits: GuardLimits::default() }
    }

    /// The policy it judges by.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// How much it may hold.
    pub fn limits(&self) -> GuardLimits {
        self.limits
    }

    /// Judges `call` and, if it may pass, charges it in the same step.
    pub fn admit(&mut self, call: &Call<'_>, now: Timestamp) -> Decision {
        let _ = (call, now);
        Decision::Deny(Denial {
            reason: Reason::NoPolicy,
            rule: "(no policy)".to_owned(),
            message: "no policy is in force".to_owned(),
            retry_after_ms: None,
        })
    }

    /// Takes a permit back. Only [`Outcome::NeverSent`] gives back what the call was charged.
    pub fn settle(&mut self, permit: Permit, outcome: Outcome) {
        let _ = (permit, outcome);
    }

    /// Whether `tools/list` may show the tool. This is a courtesy: [`Guard::admit`] judges again.
    pub fn visible(&self, tool: &str) -> bool {
        let _ = tool;
        false
    }

    /// A guard with one deliberate defect, to prove that a suite notices.
    #[cfg(feature = "mutants")]
    pub fn mutant(policy: Policy, mutation: crate::Mutation) -> Self {
        let _ = mutation;
        Self::new(policy)
    }
}
