//! The guard: judges calls and holds what they were charged.

use std::fmt;

use crate::counters::Counters;
use crate::decision::{Call, Charged, Decision, Denial, Outcome, Permit, Reason, Timestamp};
use crate::document::{Action, Policy, Standing};
use crate::moment::{Moment, Settlement};
use crate::precedence::{Pass, judge};
use crate::seam::Seam;

/// How much a guard may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardLimits {
    /// How many live counters there may be at once; a call that needs one more is denied. 1,000,000 by default.
    pub counters_max: usize,
}

impl GuardLimits {
    /// The same with another number of counters.
    #[must_use]
    pub const fn with_counters_max(self, counters_max: usize) -> Self {
        Self { counters_max, ..self }
    }
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self { counters_max: 1_000_000 }
    }
}

/// Judges calls by one policy and counts what it lets through.
///
/// ```
/// use mcp_policy::{Call, Decision, Guard, Outcome, Policy, Timestamp};
///
/// let policy = Policy::parse(
///     r#"{ "version": "1", "default": "deny",
///          "tools": { "bn_create_listen_key": { "limits": [
///              { "counter": "bn_create_listen_key_rate", "window": "minute", "max": 1, "scope": "grant" } ] } } }"#,
/// )?;
/// let mut guard = Guard::new(policy);
/// let arguments = serde_json::Map::new();
/// let call = Call { tool: "bn_create_listen_key", arguments: &arguments, grant: "desk", session: "1" };
///
/// let Decision::Allow(permit) = guard.admit(&call, Timestamp::from_millis(0)) else { panic!("the first passes") };
/// guard.settle(permit, Outcome::Succeeded);
///
/// let Decision::Deny(denial) = guard.admit(&call, Timestamp::from_millis(1)) else { panic!("the second does not") };
/// assert_eq!(denial.rule, "/tools/bn_create_listen_key/limits/0");
/// assert_eq!(denial.retry_after_ms, Some(59_999));
/// # Ok::<(), mcp_policy::PolicyErrors>(())
/// ```
pub struct Guard {
    policy: Option<Policy>,
    limits: GuardLimits,
    counters: Counters,
    /// The greatest time that it was ever told: time does not go backwards here.
    now: Timestamp,
    seam: Seam,
}

impl fmt::Debug for Guard {
    /// Without the names of grants and sessions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("limits", &self.limits)
            .field("counters", &self.counters.len())
            .finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard of `policy` with nothing counted yet.
    pub fn new(policy: Policy) -> Self {
        Self::with_limits(policy, GuardLimits::default())
    }

    /// A guard of `policy` that holds no more than `limits` allow.
    pub fn with_limits(policy: Policy, limits: GuardLimits) -> Self {
        Self::build(Some(policy), limits, Seam::default())
    }

    /// A guard that denies every call with [`Reason::NoPolicy`].
    pub fn without_policy() -> Self {
        Self::build(None, GuardLimits::default(), Seam::default())
    }

    /// A guard with one deliberate defect, to prove that a suite notices.
    #[cfg(feature = "mutants")]
    pub fn mutant(policy: Policy, mutation: crate::Mutation) -> Self {
        Self::build(Some(policy), GuardLimits::default(), Seam::with(mutation))
    }

    fn build(policy: Option<Policy>, limits: GuardLimits, seam: Seam) -> Self {
        Self { policy, limits, counters: Counters::new(limits.counters_max), now: Timestamp::default(), seam }
    }

    /// The policy it judges by.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// How much it may hold.
    pub fn limits(&self) -> GuardLimits {
        self.limits
    }

    /// How many counters it holds.
    pub fn counters(&self) -> usize {
        self.counters.len()
    }

    /// Judges `call` and, if it may pass, charges it in the same step.
    ///
    /// A time before an earlier one counts as that one, so that a clock set back opens no window.
    pub fn admit(&mut self, call: &Call<'_>, moment: impl Into<Moment>) -> Decision {
        let moment = moment.into();
        self.now = self.now.max(moment.now());
        let now = self.now.as_millis();
        let Some(policy) = &self.policy else {
            return Decision::Deny(Denial {
                reason: Reason::NoPolicy,
                rule: "(no policy)".to_owned(),
                message: "no policy is in force, so nothing is allowed".to_owned(),
                retry_after_ms: None,
            });
        };
        if self.seam.admits_everything() {
            return Decision::Allow(Permit::new(policy.default_rule().clone(), now, Vec::new()));
        }
        let (counters, seam) = (&mut self.counters, self.seam);
        let verdict = judge(policy, call, moment, seam, |limits, amounts| {
            counters.check(limits, amounts, policy.counters(), call, now, seam)
        });
        match verdict {
            Err(denial) => Decision::Deny(denial),
            Ok(Pass::Ask(escalation)) => Decision::Escalate(escalation),
            Ok(Pass::Allow { rule, limits, amounts }) => {
                let charges = if seam.never_charges() {
                    Vec::new()
                } else {
                    self.counters.charge(limits, &amounts, policy.counters(), call, now, seam)
                };
                Decision::Allow(Permit::new(rule.clone(), now, charges))
            }
        }
    }

    /// What each limit was charged for a permitted call, and what it counts since: how close it is to refusing.
    pub fn charged<'a>(&'a self, permit: &'a Permit) -> impl Iterator<Item = Charged<'a>> {
        let specs = self.policy.as_ref().map(Policy::counters).unwrap_or_default();
        permit.charges().iter().filter_map(|charge| {
            let spec = specs.get(charge.limit())?;
            Some(Charged {
                limit: &spec.rule,
                of: spec.of.as_deref(),
                amount: charge.amount(),
                used: charge.used(),
                max: spec.measure.max(),
            })
        })
    }

    /// Takes a permit back. Only [`Outcome::NeverSent`] gives back what the call was charged, and nothing else: calls
    /// that were charged later stay charged.
    pub fn settle<'v>(&mut self, permit: Permit, settlement: impl Into<Settlement<'v>>) {
        let settlement = settlement.into();
        let refunds = match settlement.outcome() {
            Outcome::NeverSent => true,
            Outcome::Failed => self.seam.refunds_failed(),
            Outcome::Succeeded | Outcome::Unknown => false,
        };
        let Some(policy) = self.policy.as_ref().filter(|_| refunds) else { return };
        let (charged_at, charges) = permit.into_charges();
        for charge in &charges {
            self.counters.refund(charge, policy.counters(), charged_at);
        }
    }

    /// Whether `tools/list` may show the tool. This is a courtesy: [`Guard::admit`] judges again.
    pub fn visible(&self, tool: &str) -> bool {
        match self.policy.as_ref().map(|policy| policy.standing(tool)) {
            Some(Standing::Listed(rules)) => !matches!(rules.action, Action::Deny(_)),
            Some(Standing::Free) => true,
            Some(Standing::Hidden(_) | Standing::Unlisted | Standing::Lookalike) | None => false,
        }
    }
}
