//! Scenarios, targets, the exchange as witness, and verdicts.
//!
//! A scenario is a file ([`scenario`]); the runner plays it against a target and asks the exchange what
//! happened; a [`verdict`] says what that comes to. A [`cassette`] is what was said, as a file.

mod agent;
#[cfg(feature = "embedded")]
pub mod audit;
#[cfg(feature = "embedded")]
pub mod backtest;
pub mod baseline;
pub mod cassette;
pub mod course;
pub mod distill;
mod html;
#[cfg(feature = "embedded")]
pub mod mutate;
mod pointer;
#[cfg(feature = "embedded")]
pub mod policy;
pub mod record;
pub mod replay;
pub mod report;
#[cfg(feature = "embedded")]
pub mod residual;
pub mod run;
pub mod scenario;
#[cfg(feature = "embedded")]
pub mod serve;
pub mod soft;
pub mod target;
#[cfg(feature = "testing")]
pub mod testing;
pub mod verdict;
#[cfg(feature = "embedded")]
pub mod watch;
mod witness;

#[cfg(feature = "embedded")]
pub use mcp_gateway::mcp_policy;
