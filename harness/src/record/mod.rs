//! Recorders: they stand on a wire, pass everything on as it is, and write down what went by.
//!
//! ```text
//!  agent ══ stdio ═════════════▶ any MCP server             [`stdio`]
//!  agent ── streamable HTTP ───▶ any MCP server             [`proxy`], as MCP
//!  any client ── REST, WebSocket ─▶ mock, testnet, exchange [`proxy`], as an exchange
//!                    │
//!                    └─▶ [`Recorder`] ─▶ tape
//! ```

mod memory;
mod proxy;
mod recorder;
mod relay;
mod rest;
mod sse;
mod stdio;
mod tunnel;

#[cfg(test)]
mod tests;

pub use memory::Memory;
pub use proxy::{Known, Proxy, ProxyError, Speaks};
pub(crate) use proxy::{Wire, is_stream, relayed, unanswered};
pub use recorder::{Observe, Recorder};
#[cfg(feature = "embedded")]
pub(crate) use relay::relay;
pub use rest::{RestRequest, RestResponse};
pub(crate) use sse::Events;
pub use stdio::record_stdio;
