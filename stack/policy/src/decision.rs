//! What the guard is asked and what it answers.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::breakers::Held;
use crate::counters::Charge;
use crate::facts;
use crate::register::Trace;

/// Milliseconds since an epoch of the caller's choice, usually Unix time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The instant `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

/// One tool call, as the gateway parsed it.
///
/// `grant` names the holder of the token and must come from the gateway's own authentication, never from the call.
/// `session` tells apart the connections of one grant.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The tool's name, exactly as it will be forwarded.
    pub tool: &'a str,
    /// The tool's arguments, exactly as they will be forwarded.
    pub arguments: &'a Map<String, Value>,
    /// Whose token the call came with.
    pub grant: &'a str,
    /// Which connection of that grant the call came over.
    pub session: &'a str,
}

impl fmt::Debug for Call<'_> {
    /// Without arguments and names, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("tool", &self.tool).finish_non_exhaustive()
    }
}

/// The guard's answer to one call.
#[derive(Debug)]
#[must_use = "a call may be forwarded only with the permit of an `Allow`"]
pub enum Decision {
    /// Forward the call, then settle the permit.
    Allow(Permit),
    /// Do not forward the call.
    Deny(Denial),
    /// Do not forward the call unless a person approves it: see [`Moment::approved`](crate::Moment::approved).
    Escalate(Escalation),
}

/// The right to forward one call. Only a guard mints it.
///
/// It holds what the call was charged. Hand it to [`Guard::settle`](crate::Guard::settle) with what became of the
/// call; dropping it keeps the charge.
#[must_use = "forward the call and settle the permit; dropping it keeps the charge"]
pub struct Permit {
    rule: Arc<str>,
    charged_at: u64,
    charges: Vec<Charge>,
    /// What is to be remembered of the call, and which breakers follow it.
    pub(crate) trace: Option<Box<Trace>>,
    pub(crate) held: Held,
    shadows: Vec<Denial>,
    /// How many documents its guard had replaced when it was minted.
    pub(crate) generation: usize,
}

impl Permit {
    pub(crate) fn new(rule: Arc<str>, charged_at: u64, charges: Vec<Charge>) -> Self {
        Self { rule, charged_at, charges, trace: None, held: Held::new(), shadows: Vec::new(), generation: 0 }
    }

    pub(crate) fn in_shadow(self, shadows: Vec<Denial>) -> Self {
        Self { shadows, ..self }
    }

    /// Gives what it speaks of the places that it has in another document.
    pub(crate) fn relocate(
        &mut self,
        counter: impl Fn(usize) -> Option<usize>,
        breaker: impl Fn(usize) -> Option<usize>,
    ) {
        self.charges = self.charges.iter().filter_map(|charge| charge.relocated(&counter)).collect();
        self.held = self.held.iter().filter_map(|key| Some(key.at(breaker(key.limit())?))).collect();
    }

    pub(crate) fn charged_at(&self) -> u64 {
        self.charged_at
    }

    /// What rules in shadow would have refused: the call is let through, and this belongs on record.
    pub fn shadows(&self) -> &[Denial] {
        &self.shadows
    }

    pub(crate) fn charges(&self) -> &[Charge] {
        &self.charges
    }

    /// Whether the guard would learn something from the call's result: only then it need be parsed and handed to
    /// [`Guard::settle`](crate::Guard::settle).
    pub fn wants_value(&self) -> bool {
        self.trace.as_ref().is_some_and(|trace| trace.wants_value())
    }

    /// What let the call pass: the pointer of the tool's entry, `/default`, or `/shadow` where a policy in shadow would
    /// have denied it.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

impl fmt::Debug for Permit {
    /// Without the names of grants and sessions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("rule", &self.rule)
            .field("charged_at", &self.charged_at)
            .field("charges", &self.charges.len())
            .finish_non_exhaustive()
    }
}

/// What one limit was charged for a call, and how close that has brought it to refusing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charged<'a> {
    /// The limit's pointer; where the document shares a counter, the first that speaks of it.
    pub limit: &'a str,
    /// What is counted, as the document writes it; calls if `None`.
    pub of: Option<&'a str>,
    /// What this call was charged: calls, or units of 10⁻⁸ of what is counted.
    pub amount: u64,
    /// What is counted since, this call included.
    pub used: u64,
    /// What may be counted within the window.
    pub max: u64,
}

impl Charged<'_> {
    /// One of its numbers as people write it.
    pub fn text(&self, number: u64) -> String {
        if self.of.is_some() { facts::text_of_units(number) } else { number.to_string() }
    }
}

/// What became of a call that was permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The call provably never left this process. The only outcome that gives the charge back.
    NeverSent,
    /// The server answered that the call succeeded.
    Succeeded,
    /// The server answered that the call failed. It may have had its effect all the same.
    Failed,
    /// No answer, or one that does not tell: a time-out, a lost connection, a 5xx.
    Unknown,
}

/// Why a call was not let through. [`Reason::code`] is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// There is no policy, so nothing is allowed.
    NoPolicy,
    /// The kill switch is on, and the tool is none of the policy's `safety_tools`.
    Halted,
    /// The policy hides the tool.
    Hidden,
    /// The policy does not list the tool and denies by default.
    Unlisted,
    /// The tool's name differs from one that the policy names only by case or surrounding blanks.
    AmbiguousTool,
    /// The tool's `action` is `deny`.
    ActionDenied,
    /// An argument's key differs only by case from one that the tool's rules mention.
    AmbiguousArgument,
    /// The manifest does not name one of the arguments.
    UndeclaredArgument,
    /// A `deny_if` rule matched.
    DenyIfMatched,
    /// A `require` rule did not hold.
    RequireFailed,
    /// A rule could not be evaluated on this call.
    Unevaluable,
    /// No matching call of another tool has succeeded just before.
    PriorMissing,
    /// The order or the listen key is not the grant's own.
    NotOwn,
    /// The order would meet an open one of the same grant.
    SelfCross,
    /// As many orders are open as may be.
    OpenOrders,
    /// The order could move the grant's position in an asset too far.
    Exposure,
    /// There are too many cancels for the orders that traded.
    CancelToFill,
    /// A call was denied just now.
    CoolingDown,
    /// Calls in a row have failed.
    ErrorStreak,
    /// As many calls are under way as may be.
    UnderWay,
    /// A limit is used up.
    LimitReached,
    /// The guard holds as many live counters as it may.
    StateFull,
    /// The tool's `action` is `require_approval`.
    ApprovalRequired,
}

impl Reason {
    /// Every reason, in the order in which the guard looks for them.
    pub const ALL: [Self; 23] = [
        Self::NoPolicy,
        Self::Halted,
        Self::Hidden,
        Self::Unlisted,
        Self::AmbiguousTool,
        Self::ActionDenied,
        Self::AmbiguousArgument,
        Self::UndeclaredArgument,
        Self::DenyIfMatched,
        Self::RequireFailed,
        Self::Unevaluable,
        Self::PriorMissing,
        Self::NotOwn,
        Self::SelfCross,
        Self::OpenOrders,
        Self::Exposure,
        Self::CancelToFill,
        Self::CoolingDown,
        Self::ErrorStreak,
        Self::UnderWay,
        Self::LimitReached,
        Self::StateFull,
        Self::ApprovalRequired,
    ];

    /// The stable name of the reason, for audit records and machines.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoPolicy => "no_policy",
            Self::Halted => "halted",
            Self::Hidden => "hidden",
            Self::Unlisted => "unlisted",
            Self::AmbiguousTool => "ambiguous_tool",
            Self::ActionDenied => "action_denied",
            Self::AmbiguousArgument => "ambiguous_argument",
            Self::UndeclaredArgument => "undeclared_argument",
            Self::DenyIfMatched => "deny_if_matched",
            Self::RequireFailed => "require_failed",
            Self::Unevaluable => "unevaluable",
            Self::PriorMissing => "prior_missing",
            Self::NotOwn => "not_own",
            Self::SelfCross => "self_cross",
            Self::OpenOrders => "open_orders",
            Self::Exposure => "exposure",
            Self::CancelToFill => "cancel_to_fill",
            Self::CoolingDown => "cooling_down",
            Self::ErrorStreak => "error_streak",
            Self::UnderWay => "under_way",
            Self::LimitReached => "limit_reached",
            Self::StateFull => "state_full",
            Self::ApprovalRequired => "approval_required",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A refusal, as the audit records it. What the agent may be told is [`Denial::public`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// The rule that refused: a JSON pointer (RFC 6901) into the policy document, or `(hidden)`, `(default deny)`,
    /// `(no policy)`, `(halted)`.
    pub rule: String,
    /// The rule's own message if it has one, otherwise the guard's.
    pub message: String,
    /// After how many milliseconds the same call would pass if nothing else were called until then. Only for
    /// [`Reason::LimitReached`], and absent when no waiting helps.
    pub retry_after_ms: Option<u64>,
}

impl Denial {
    /// What the agent may be told. Hidden tools and tools that the policy does not know answer alike, so that
    /// probing names does not reveal which exist.
    pub fn public(&self) -> PublicDenial {
        match self.reason {
            Reason::Hidden | Reason::Unlisted | Reason::AmbiguousTool => PublicDenial {
                reason: "not_available",
                rule: None,
                message: "this tool is not available".to_owned(),
                retry_after_ms: None,
            },
            reason => PublicDenial {
                reason: reason.code(),
                rule: Some(self.rule.clone()),
                message: self.message.clone(),
                retry_after_ms: self.retry_after_ms,
            },
        }
    }
}

/// A call that passed every hard check and waits for a person. Nothing is charged for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Escalation {
    /// The pointer of the `action`, or of the rule of `approve_if`, that asks for approval.
    pub rule: String,
    /// The policy's `reason`, or the guard's own words.
    pub message: String,
}

impl Escalation {
    /// What a policy in shadow takes down.
    pub(crate) fn as_denial(&self) -> Denial {
        Denial {
            reason: Reason::ApprovalRequired,
            rule: self.rule.clone(),
            message: self.message.clone(),
            retry_after_ms: None,
        }
    }

    /// What the agent may be told while nobody has approved.
    pub fn public(&self) -> PublicDenial {
        PublicDenial {
            reason: Reason::ApprovalRequired.code(),
            rule: Some(self.rule.clone()),
            message: self.message.clone(),
            retry_after_ms: None,
        }
    }
}

/// The part of a refusal that the agent may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PublicDenial {
    /// A [`Reason::code`], or `not_available`.
    pub reason: &'static str,
    /// The rule's pointer, where naming it reveals nothing about other tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// A sentence for the agent.
    pub message: String,
    /// See [`Denial::retry_after_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}
