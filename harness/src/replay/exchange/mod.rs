//! A tape as the exchange: REST and WebSocket, for clients that run live against it.
//!
//! ```text
//!  client ── REST ──────▶ wiremock ─▶ Rest: a Deck of requests ──┐ which request was given
//!  client ── WebSocket ─▶ axum ─────▶ Player of the connection ◀─┘ opens what followed it
//! ```
//!
//! What a stream told after a request is told after that request is made again. Where the tape has a placeholder the
//! client is handed a word of the shape of the secret, the same each time.

mod host;
mod known;
mod moments;
mod rest;
mod shared;
mod tape;
mod websocket;

#[cfg(test)]
mod tests;

pub use host::{ExchangeError, ExchangeHost, ExchangeOptions};
pub use known::known;
pub use rest::Reply;
