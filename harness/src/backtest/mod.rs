//! What another policy would have said to the calls on tapes.
//!
//! ```text
//!  tape ─▶ the agent's calls, each at its recorded time ─┬─▶ guard of the candidate ─▶ ┐
//!                                                        └─▶ guard of the policy it    ├─▶ what changes
//!                                                            is held against, or the   │
//!                                                            recorded decision ──────▶ ┘
//! ```
//!
//! Counters count what each policy itself lets through. A tape is read once, message by message, so its length costs no
//! memory.

mod frame;
mod headroom;
mod judge;
mod order;
mod page;
mod report;
mod timeline;

#[cfg(test)]
mod tests;

pub use headroom::Headroom;
pub use judge::{Approvals, Backtest, BacktestError};
pub use report::{Change, Changes, Example, Worth};
pub use timeline::{Span, Timeline};
