//! What was said on every wire of a session, as a file.
//!
//! ```text
//!  message ─▶ cause ─▶ Redactor ─▶ TapeWriter ─▶ tape.jsonl ─▶ TapeReader ─▶ Message …, then whole or cut
//! ```
//!
//! A tape is JSON Lines: a [`Header`], one [`Message`] a line, and an end that tells how many there were, so that a
//! tape which was cut off is known from one that is whole. Both directions stream; a tape's length costs no memory.
//! Secrets are replaced before anything is written.
//!
//! The types of [`mod@format`] are those of the file and no others: what a run holds is put into them by hand, so that a
//! change at run time cannot change the format unnoticed.

pub mod format;
pub mod tools;

mod causes;
mod read;
mod redact;
mod scan;
mod strict;
mod write;

#[cfg(test)]
mod tests;

pub use format::{Body, Direction, FORMAT, Header, Leg, Message};
#[cfg(feature = "embedded")]
pub(crate) use read::Line;
pub use read::{End, LINE_BYTES_MAX, TapeError, TapeReader};
pub(crate) use redact::is_placeholder;
pub use redact::{BadRule, Redactor};
pub(crate) use strict::without_doubles;
#[cfg(feature = "embedded")]
pub(crate) use strict::{NoDoubles, Pick, Seen, Whole};
pub use write::TapeWriter;
