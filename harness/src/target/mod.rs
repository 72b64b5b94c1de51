//! What is tested: a gateway with an MCP server behind it, or the server alone.
//!
//! ```text
//!  bare       agent ══════════════════════════ MCP server ──▶ exchange
//!  embedded   agent ══ gateway ══ tap ═══════ MCP server ──▶ exchange
//!  http       agent ── POST ─▶ gateway ══ tap ═══════ MCP server ──▶ exchange
//!  command    agent ══ a process ══ bridge ══ tap ═══════ MCP server ──▶ exchange
//! ```
//!
//! A target opens a fresh stack for each run, to which each agent of the script has a connection of its own, and says which [`Capability`] it has; what needs an absent one is
//! untestable, which is not a pass. Another gateway is another implementation of the same trait, and nothing else in
//! the harness knows the difference.

mod bare;
mod command;
#[cfg(feature = "embedded")]
mod defect;
mod description;
#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "embedded")]
mod files;
#[cfg(feature = "embedded")]
mod http;
mod kind;
#[cfg(feature = "embedded")]
mod operated;
#[cfg(feature = "embedded")]
mod post;
mod stack;
mod upstream;

pub use command::{BadCommand, GatewayCommand, bridge};
pub use description::{JudgedBy, TargetFile, json_schema};
pub use kind::{Capability, TargetError, TargetKind};
pub(crate) use stack::{Caller, Deed, Keys, Setting, Stack, Target};
