//! The mock from outside: every endpoint and stream through real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect shall stop"
)]

mod answers;
mod binary;
mod cadence;
mod commission;
mod control;
mod documents;
mod errors;
mod faults_events;
mod faults_requests;
mod filters;
mod instructions;
mod lifetimes;
mod limits;
mod listen_keys;
mod market;
mod most_hit;
mod order_lists;
mod overlay;
mod placement;
mod public_keys;
mod repeatable;
mod replacing;
mod replay;
mod rules_and_routing;
mod scenarios;
mod sessions;
mod shapes;
mod stop_orders;
mod stream_shapes;
mod streams;
mod support;
mod timing;
mod transcript;
mod windows;
mod wire_checklist;
mod ws_api;
mod ws_methods;
mod ws_shapes;
