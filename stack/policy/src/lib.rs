//! Decides whether a tool call may pass.
//!
//! The crate is pure: it reads no file, asks no clock and takes no lock. A shell parses each frame with [`strict`],
//! asks the [`Guard`] and forwards only what it was handed a [`Permit`] for:
//!
//! ```text
//!  bytes ─▶ strict::parse ─▶ Call { tool, arguments, grant, session }
//!                              │
//!  policy.json ─▶ Policy ─▶ Guard::admit(call, now) ─┬▶ Deny(Denial)
//!                              ▲                     ├▶ Escalate(Escalation)
//!                              │                     └▶ Allow(Permit) ─▶ forward ─▶ Guard::settle(permit, outcome)
//!                              └──────────── a call that never left is given back ◀──────┘
//! ```
//!
//! What cannot be evaluated is denied, a charge is given back only when the call provably never left, and every
//! refusal names the rule that refused by its JSON pointer into the policy document.

pub mod strict;

mod document;

mod arguments;
mod condition;
mod decimal;
mod effects;
mod facts;
mod jcs;
mod term;
mod their_keys;

mod window;

mod breakers;
mod counters;
mod register;

mod carry;
mod decision;
mod docket;
mod dues;
mod explain;
mod guard;
mod methods;
mod moment;
mod notes;
mod precedence;
mod prices;
mod sequence;
mod spanning;

#[cfg(feature = "mutants")]
mod mutation;
mod seam;
mod state;
mod usage;

mod own_keys;
mod pointer;

pub use counters::Reservation;
pub use decision::{Call, Charged, Decision, Denial, Escalation, Outcome, Permit, PublicDenial, Reason, Timestamp};
pub use document::{
    Handling, Instructions, Loader, Place, Policy, PolicyError, PolicyErrors, ResultRules, SCHEMA_OF_VERSION_1,
    SCHEMA_OF_VERSION_2, Warning,
};
pub use dues::Due;
pub use explain::{Explanation, Refused};
pub use guard::{Guard, GuardLimits};
pub use jcs::{Digest, arguments_digest, canonical_json};
pub use methods::{Message, Passage, Sender, methods, passes_unruled};
pub use moment::{Moment, Settlement};
#[cfg(feature = "mutants")]
pub use mutation::{Mutation, UnknownMutation};
pub use notes::{BadNote, Note, NoteKey, NoteKind};
pub use prices::{NoPrice, PriceRequest};
pub use usage::Usage;
