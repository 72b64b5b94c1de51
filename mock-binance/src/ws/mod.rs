//! The WebSocket face: user data streams and market streams, on the port of the REST face.
//!
//! Reading order: [`streams`] (who listens to what, with [`listeners`] and [`written`]), [`user`] and [`market`] (what an event looks like), [`cadence`] (streams that
//! speak at intervals, with [`book`], [`candle`] and [`stats`]), [`request`]
//! (SUBSCRIBE and friends), [`subscriptions`] (user data over the WebSocket API), [`server`] (sockets).

pub(crate) mod book;
pub(crate) mod cadence;
pub(crate) mod candle;
pub(crate) mod lifetimes;
mod listeners;
pub(crate) mod market;
pub(crate) mod request;
pub(crate) mod server;
pub(crate) mod stats;
pub(crate) mod streams;
pub(crate) mod subscriptions;
mod tell;
pub(crate) mod user;
mod written;

pub(crate) use cadence::Cadence;
pub(crate) use lifetimes::Lifetimes;
pub(crate) use streams::Streams;
pub(crate) use subscriptions::Subscriptions;
pub(crate) use tell::{Sources, tell};
#[cfg(test)]
pub(crate) use written::Units;
pub(crate) use written::Written;
