//! The scripted agent: an MCP client, and a tap on its pipe.
//!
//! ```text
//!  script ──▶ rmcp client ══ duplex ══ tap ══ duplex ══ target
//!     │                                 │ │
//!     └──── raw frames ─────────────────┘ └──▶ transcript
//! ```
//!
//! The [`tap`] relays whole lines in both directions and writes each into the [`transcript`]. It also lets the
//! script put bytes on the wire that no MCP library would send, and keeps every answer as it came, so that what is
//! judged is the frame itself and not some library's reading of it. The same tap, without a client, watches the pipe
//! between a gateway and its MCP server.

pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod direct;
pub(crate) mod listener;
pub(crate) mod names;
pub(crate) mod tap;
pub(crate) mod transcript;
