//! A policy in front of any MCP server.
//!
//! The gateway is a proxy over *frames*. Each line of a client is parsed as closed JSON, read as a
//! JSON-RPC message with a closed set of members, judged if it is a tool call, put on record, and
//! written anew from the value that was judged. Bytes of a client never reach the server.
//!
//! ```text
//!  client ──▶ strict parse ──▶ known message? ──▶ Guard::admit ──▶ audit ──▶ canonical frame ──▶ server
//!     ◀───────── error ◀────────────┘    ◀─ [POLICY DENIED] ─┘                                     │
//!     ◀─────────────── checked, tools and capabilities filtered, ids mapped back ◀─────────────────┘
//! ```
//!
//! * [`Gateway`] holds what connections share: guard, audit, limits. [`Gateway::serve`] runs one
//!   connection over any byte streams.
//! * [`Session`] is the same without IO, for other transports.
//! * [`AuditSink`] takes one line of JSON for each call and each refused frame.
//!
//! What passes: `initialize`, `server/discover`, `ping`, `tools/list`, `tools/call`, the
//! notifications `initialized` and `cancelled`, and from the server `progress`, `message` and
//! `tools/list_changed`. Everything else is answered with an error and goes no further.

mod audit;
mod clock;
mod config;
mod error;
mod gateway;
#[cfg(feature = "mutants")]
mod mutants;
mod serve;
mod session;
mod wire;

pub use audit::{
    AuditKey, AuditKeyTooShort, AuditSink, FileAudit, MAX_LINE_BYTES, MemoryAudit, WriterAudit, policy_digest,
};
pub use clock::{NowMs, system_clock};
pub use config::{GatewayConfig, GatewayLimits, Identity};
pub use error::GatewayError;
pub use gateway::Gateway;
/// The policy crate, for whoever puts a gateway together without naming it as a dependency.
pub use mcp_policy;
#[cfg(feature = "mutants")]
pub use mutants::{GatewayMutation, UnknownGatewayMutation};
pub use session::{Outbox, Session, SessionSummary, VERDICT_META_KEY};
pub use wire::{MAX_ID_BYTES, Queue, Refusal, RequestId};
