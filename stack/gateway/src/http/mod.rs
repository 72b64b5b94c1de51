//! Streamable HTTP in front of a gateway: many clients at one address, each with a token of its own.
//!
//! ```text
//!  POST ─▶ listen ─▶ meter ─▶ door: origin, token ─▶ post: media, size, strict JSON, headers ─▶ table: whose session?
//!                                                                                       │
//!  answer, or events until it is there ◀── front: lanes ◀── Session ◀──▶ upstream ◀────┘
//! ```
//!
//! Clients of both eras are served: those that `initialize` (2025-03-26 to 2025-11-25) get a session and a connection to
//! the server of their own; those that name their version in every request (2026-07-28) share one connection per grant,
//! in which each request is a [`Lane`](crate::Lane) with ids of its own. No answer can reach another request than its own.

mod agree;
mod config;
mod door;
mod events;
mod front;
mod get;
mod listen;
mod meter;
mod post;
mod table;

pub use config::{Doorkeeper, Holder, HttpConfig, HttpLimits, Open, SessionIds};
pub(crate) use door::without_port;
pub use listen::{HttpGateway, Served};
