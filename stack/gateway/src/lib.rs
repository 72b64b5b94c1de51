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
//! * [`AuditSink`] takes one line of JSON for each decision, one for what became of each call, and one for each frame
//!   that was refused. [`trail`] reads them again.
//!
//! ```
//! use mcp_gateway::{Gateway, GatewayConfig, Identity, MemoryAudit, Outbox, Session, system_clock};
//! use mcp_policy::{Guard, Policy};
//!
//! let policy = Policy::parse(r#"{"version": "1", "default": "deny", "tools": {"bn_ping": {}}}"#)?;
//! let audit = MemoryAudit::new();
//! let gateway = Gateway::new(Guard::new(policy), GatewayConfig::new(system_clock(), audit.clone(), "binance"));
//!
//! let mut session = Session::new(gateway, Identity::new("desk", "session-1"));
//! let mut out = Outbox::default();
//! let call = br#"{"jsonrpc":"2.0", "id":"a", "method":"tools/call", "params":{"name":"bn_ping"}}"#;
//! session.from_client(call, 1_767_225_600_000, &mut out);
//! assert_eq!(
//!     out.to_upstream.pending(),
//!     b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"bn_ping\"}}\n",
//! );
//!
//! let call = br#"{"jsonrpc":"2.0", "id":"b", "method":"tools/call", "params":{"name":"bn_new_order"}}"#;
//! session.from_client(call, 1_767_225_600_000, &mut out);
//! let told = String::from_utf8_lossy(out.to_client.pending());
//! assert!(told.contains("[POLICY DENIED] this tool is not available"));
//! assert_eq!(audit.len(), 2);
//! # Ok::<(), mcp_policy::PolicyErrors>(())
//! ```
//!
//! What passes: `initialize`, `server/discover`, `ping`, `tools/list`, `tools/call`, the
//! notifications `initialized` and `cancelled`, and from the server `progress`, `message` and
//! `tools/list_changed`. Everything else is answered with an error and goes no further.

#[cfg(feature = "http")]
pub mod admin;
mod approval;
mod ask;
mod audit;
mod back_off;
mod clock;
mod config;
mod error;
mod gateway;
mod grant;
mod held;
#[cfg(feature = "http")]
pub mod http;
mod judges;
mod kill;
mod ledger;
mod messages;
#[cfg(feature = "mutants")]
mod mutants;
mod pins;
mod prices;
mod reload;
mod results;
mod seam;
mod serve;
mod session;
mod shared;
#[cfg(feature = "http")]
mod socket;
mod source;
mod state_dir;
#[cfg(feature = "tls")]
mod tls;
pub mod trail;
mod upstream;
mod usage;
#[cfg(feature = "http")]
pub mod webhook;
mod wire;

pub use approval::{
    Approval, ApprovalBook, ApprovalChange, ApprovalError, ApprovalState, Asked, NotOpen, Notice, Notifier,
};
pub use audit::{
    AuditKey, AuditKeyTooShort, AuditSink, ChainedAudit, ChainedAuditError, FileAudit, MAX_LINE_BYTES, MemoryAudit,
    Rotation, SharedAudit, WriterAudit, is_decision, policy_digest,
};
pub use clock::{NowMs, system_clock};
pub use config::{GatewayConfig, GatewayLimits, Identity, RestartLimits};
pub use error::GatewayError;
pub use gateway::Gateway;
pub use grant::{Grant, GrantBook, GrantError, Token};
pub use judges::GrantJudge;
pub use kill::KillSwitch;
pub use ledger::Ledger;
/// The policy crate, for whoever puts a gateway together without naming it as a dependency.
pub use mcp_policy;
#[cfg(feature = "mutants")]
pub use mutants::{GatewayMutation, UnknownGatewayMutation};
pub use pins::{Pins, PinsError};
pub use reload::{Policies, ReloadError, Reloaded, SpansGrants, check_own, reload_together};
pub use session::{Lane, Outbox, Session, SessionSummary, VERDICT_META_KEY};
pub use shared::{Asking, Charge, SharedError, SharedLimits, Unshared, check_shared};
#[cfg(feature = "redis")]
pub use shared::{BadRedis, RedisLimits};
pub use source::PolicyDocument;
pub use state_dir::{Durability, StateDir, StateError};
#[cfg(feature = "tls")]
pub use tls::{BadTls, CertificateFiles, ServerTls, TlsRenewal};
#[cfg(feature = "http")]
pub use upstream::{BadUpstream, HttpUpstream};
pub use upstream::{Connecting, Connection, Ended, Upstream};
pub use usage::LimitUsage;
pub use wire::{MAX_ID_BYTES, Queue, Refusal, RequestId};
