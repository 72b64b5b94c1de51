//! Runs scenarios and judges them.
//!
//! ```text
//!  Case ─▶ suite ─▶ scenario: control, protected, twin ─▶ one run ─┬─ stage: a fresh exchange, accounts, clock
//!                                                                  ├─ stack: a fresh target
//!                                                                  ├─ script: the steps
//!                                                                  └─ judge: evidence against expectations
//! ```
//!
//! Nothing is shared between runs. A run is judged only after the agent has hung up and every part of the stack has
//! ended, so that what leaks slowly is seen as well.

pub(crate) mod again;
mod cast;
mod judge;
mod one;
mod options;
mod said;
mod scenario;
mod script;
mod secrets;
mod stage;
mod suite;
pub(crate) mod tape;
mod watching;

pub(crate) use one::durable;
pub use options::RunOptions;
#[cfg(feature = "embedded")]
pub(crate) use scenario::run_alone;
pub use scenario::run_scenario;
#[cfg(feature = "embedded")]
pub(crate) use stage::{Stage, StageError};
pub use suite::{run_suite, runtime};
