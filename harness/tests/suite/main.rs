//! The harness against scenarios written for the purpose: what it must notice, and what it must not make up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test helpers")]

mod checks;
mod runner;
mod soft;
mod steps;
mod support;

#[cfg(feature = "embedded")]
mod agents;
#[cfg(feature = "embedded")]
mod embedded;
