//! The exchange as witness: what really happened, in its own words.
//!
//! A gateway may say that it blocked an order; the exchange knows whether one was booked. So nothing here asks the
//! gateway. [`Witness`] remembers how the exchange stood before the first step; once the whole stack has ended it
//! makes [`Evidence`] from the exchange's transcript and journal; [`check()`] holds an expectation against that.

mod check;
mod evidence;
mod ledger;
mod listen_keys;
mod watch;

pub(crate) use check::check;
pub(crate) use evidence::{Evidence, LiveMark, Witness};
#[cfg(feature = "embedded")]
pub(crate) use ledger::decimal;
pub(crate) use watch::Watch;
