//! The append-only list of everything that happened.
//!
//! Entries are kept as bytes, a few for each number, in chunks that never move: a million orders must not cost a
//! million large structs. [`Entry`](crate::Entry) values are made while reading.

pub(crate) mod codec;
mod log;

pub use log::{Entries, Journal};
