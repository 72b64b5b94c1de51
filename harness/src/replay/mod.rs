//! Tapes that are played again.
//!
//! ```text
//!  tape ─▶ Script: a Deck of requests, each with what followed it ─▶ Player ─▶ serve: an MCP server on any stream
//!                    ▲
//!   live request ─▶ redacted as the tape was, ids in the tape's words ─▶ Fingerprint
//! ```
//!
//! A request is answered by the oldest entry of the tape with its [`Fingerprint`] that was not given yet. One that has
//! none is a [`Miss`], which tells what came nearest; at the end an [`Outcome`] tells what nobody asked for. Nothing is
//! ever made up: what is not on the tape is an error, here and there.

pub mod agent;
pub mod exchange;

mod age;
mod bindings;
mod deck;
mod extend;
mod fingerprint;
#[cfg(feature = "embedded")]
mod gateway;
mod http;
mod live;
mod miss;
mod mode;
mod names;
mod outcome;
mod overlay;
mod pace;
mod player;
mod pointers;
mod rest;
mod script;
mod serve;
mod stand_ins;
mod verify;

#[cfg(test)]
mod tests;

pub use age::{BadDays, Days, Expired, check_age};
pub use deck::Repeat;
pub use extend::extend_stdio;
pub use fingerprint::Fingerprint;
#[cfg(feature = "embedded")]
pub use gateway::{Guarded, GuardedError, serve_guarded};
pub use http::HttpHost;
pub use live::LiveServer;
pub use miss::{Miss, Nearest, Why};
pub use mode::{MODE_VARIABLE, Mode, ModeError, Plan};
pub use outcome::{Outcome, Played, WrongAnswer};
pub use overlay::{Overlay, OverlayError};
pub use pace::{BadPace, Pace, WAIT_MS_MAX};
pub use player::{Due, Heard, Player};
pub use pointers::FieldDifference;
pub use serve::serve;
pub use verify::{Changed, Verification, verify};
