//! Weakens a policy rule by rule, and asks which scenario notices.
//!
//! ```text
//!  document ─▶ rules: every weakening ─▶ hunt: scenarios that it could change, until one fails ─▶ killed, or survived
//!                                          ▲
//!  scenarios ─▶ baseline: those that hold under the policy as it is, by what happens and not by what is told
//! ```
//!
//! What is judged is what happens at the exchange, between gateway and server, and to the agent; the names of rules and
//! reasons in expectations are left out (`names.rs`). So a rule behind which another stops the same calls survives being
//! taken out, which is what its owner wants to know.

mod change;
mod conditions;
mod document;
mod equivalent;
mod hunt;
mod names;
mod report;
mod rules;
mod skeleton;

pub use change::{Change, Kind};
pub use document::Document;
pub use equivalent::{Equivalent, json_schema, read_equivalents};
pub use hunt::{Baseline, Fate, Judged, Mutation, baseline, hunt};
pub use report::{in_json, in_words};
pub use rules::changes;
