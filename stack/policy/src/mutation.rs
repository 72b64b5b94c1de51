//! Deliberate defects of a guard.

use std::fmt;
use std::str::FromStr;

/// One deliberate defect. A suite that stays green over it proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mutation {
    /// Lets every call through, whatever the policy says.
    AdmitEverything,
    /// Skips `deny_if`.
    IgnoreDenyIf,
    /// Skips `require`.
    IgnoreRequire,
    /// Hides tools from the list and lets them be called.
    HiddenToolsCallable,
    /// Lets one call more through than a limit allows.
    LimitOffByOne,
    /// Checks limits and never charges them.
    LimitNeverCharges,
    /// Counts by calendar-aligned windows, so that twice the limit passes across an edge.
    CalendarWindow,
    /// Gives the charge of a failed call back, although it may have had its effect.
    RefundFailed,
    /// Counts every limit per session, so that a new session starts from nothing.
    SessionScopeOnly,
    /// Compares decimals as text, so that `9` is more than `10`.
    LexicographicCompare,
    /// Goes on while the kill switch is on.
    IgnoreKillSwitch,
    /// Skips the rules over what went before.
    IgnoreSequences,
    /// Keeps every breaker closed.
    IgnoreBreakers,
    /// Gives the charge back of a call of which nobody knows what became of it.
    RefundUnknown,
    /// Counts for each grant what is to be counted for all of them together.
    GrantScopeOnly,
    /// Lets an approved call through whatever else speaks against it.
    ApprovalIsEnough,
    /// Takes the orders and listen keys of one grant for those of every other.
    GrantsShareOrders,
    /// Compares decimals as numbers of single precision, so that cents above a large bound pass.
    FloatCompare,
}

impl Mutation {
    /// Every mutation.
    pub const ALL: [Self; 18] = [
        Self::AdmitEverything,
        Self::IgnoreDenyIf,
        Self::IgnoreRequire,
        Self::HiddenToolsCallable,
        Self::LimitOffByOne,
        Self::LimitNeverCharges,
        Self::CalendarWindow,
        Self::RefundFailed,
        Self::SessionScopeOnly,
        Self::LexicographicCompare,
        Self::IgnoreKillSwitch,
        Self::IgnoreSequences,
        Self::IgnoreBreakers,
        Self::RefundUnknown,
        Self::GrantScopeOnly,
        Self::ApprovalIsEnough,
        Self::GrantsShareOrders,
        Self::FloatCompare,
    ];

    /// The mutation's name in kebab case, for command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdmitEverything => "admit-everything",
            Self::IgnoreDenyIf => "ignore-deny-if",
            Self::IgnoreRequire => "ignore-require",
            Self::HiddenToolsCallable => "hidden-tools-callable",
            Self::LimitOffByOne => "limit-off-by-one",
            Self::LimitNeverCharges => "limit-never-charges",
            Self::CalendarWindow => "calendar-window",
            Self::RefundFailed => "refund-failed",
            Self::SessionScopeOnly => "session-scope-only",
            Self::LexicographicCompare => "lexicographic-compare",
            Self::IgnoreKillSwitch => "ignore-kill-switch",
            Self::IgnoreSequences => "ignore-sequences",
            Self::IgnoreBreakers => "ignore-breakers",
            Self::RefundUnknown => "refund-unknown",
            Self::GrantScopeOnly => "grant-scope-only",
            Self::ApprovalIsEnough => "approval-is-enough",
            Self::GrantsShareOrders => "grants-share-orders",
            Self::FloatCompare => "float-compare",
        }
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no mutation's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no mutation is called `{name}`: use one of {}", Mutation::ALL.map(Mutation::name).join(", "))]
pub struct UnknownMutation {
    name: String,
}

impl FromStr for Mutation {
    type Err = UnknownMutation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mutation| mutation.name() == name)
            .ok_or_else(|| UnknownMutation { name: name.to_owned() })
    }
}
