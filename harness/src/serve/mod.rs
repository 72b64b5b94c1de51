//! The whole stack for a live agent of any make: the gateway with a policy, the 23 tools, a mock exchange.
//!
//! ```text
//!  an agent ══ stdio ═══════════▶ session ─▶ gateway ─▶ MCP server ─▶ exchange
//!  an agent ── streamable HTTP ─▶ [`http`] ──┘  │            │            │
//!                                               └────────────┴────────────┴─▶ tape
//! ```
//!
//! A [`Served`] stack lives until it is finished and serves any number of sessions, at once too: they share the policy's
//! counters, the account and the tape. What it came to is a [`Summary`], in the exchange's own count.

mod front;
mod http;
mod session;
mod setup;
mod stack;
mod summary;

pub use http::{HttpError, HttpFront};
pub use setup::{Market, MarketError, ServeSetup, Time};
pub use stack::{ServeError, Served};
pub use summary::{Denied, Standing, Summary};
