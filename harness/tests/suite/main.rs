//! The harness against scenarios written for the purpose: what it must notice, and what it must not make up.

mod checks;
mod runner;
mod soft;
mod steps;
mod support;

#[cfg(feature = "embedded")]
mod embedded;
