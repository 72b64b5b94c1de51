//! The library as a whole: sessions over byte streams.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]
#![allow(clippy::needless_pass_by_value, clippy::float_arithmetic, reason = "a test")]

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "http")]
mod admin;
mod approvals;
mod audit;
mod defects;
mod frames;
mod fuzz;
mod grants;
#[cfg(feature = "http")]
mod http;
mod ledger;
mod lifecycle;
mod methods;
#[cfg(feature = "mutants")]
mod mutants;
mod not_json;
mod passing;
mod peers;
mod pins;
mod prices;
mod reload;
mod restart;
mod results;
mod server_side;
mod shared;
mod trail;
#[cfg(feature = "http")]
mod usage;
#[cfg(feature = "http")]
mod webhook;
mod without_io;
