//! Closed JSON: what two parsers could read differently is refused.
//!
//! A gateway that judges one reading of a frame and forwards another judges nothing. Refused are therefore duplicate
//! keys, keys that are equal after case folding (some parsers match keys without regard to case, among them those
//! that fold `ſ` U+017F to `s` and `K` U+212A to `k`), keys that hold U+0000, byte order marks, invalid UTF-8, lone
//! surrogates, numbers out of range, anything after the value, and texts that are too deep or too long.
//!
//! Integers that fit an `i64` or a `u64` are exact. Every other number is the nearest `f64`, and its shortest form is
//! what is judged *and* what is forwarded: forward [`canonical`] of the parsed value, never the bytes that came in.

mod error;
mod fold;
mod parse;
mod place;

pub use error::{StrictError, StrictErrorKind};
pub use parse::{Limits, canonical, parse};
pub use place::{Place, place_of};

pub(crate) use fold::{eq_folded, fold};
pub(crate) use parse::parse_observed;
pub(crate) use place::Outline;
