//! The WebSocket API (`/ws-api/v3`): the endpoints of [`api`](crate::api), asked for by method name, one answer for each
//! request, each with the rate limits.
//!
//! ```text
//! frame ─▶ request (id, method, params) ─▶ ban? ─▶ weight ─▶ endpoint
//!   ◀── {"id", "status", "result" | "error", "rateLimits"} ◀──┘
//! ```
//!
//! Reading order: [`server`] (the socket), [`request`] (what a frame says), [`methods`] (what there is), [`session`] (who a
//! connection is, and what it hears), [`answer`].

mod answer;
mod methods;
mod request;
pub(crate) mod server;
mod session;
