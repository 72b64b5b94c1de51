//! What another policy would have said to the calls on tapes.
//!
//! ```text
//!  tape ─▶ the agent's calls, each at its recorded time ─┬─▶ guard of the candidate ─▶ ┐
//!                                                        └─▶ guard of the policy it    ├─▶ what changes
//!                                                            is held against, or the   │
//!                                                            recorded decision ──────▶ ┘
//! ```
//!
//! Counters count what each policy itself lets through, and what the recorded results tell it learns from them: whose an
//! order is, and what a price. A call that a policy cannot judge because the tape tells no fresh price is counted apart. A tape is read once, message by message, so its length costs no
//! memory.

mod court;
mod frame;
mod headroom;
mod hearing;
mod judge;
mod order;
mod page;
mod report;
mod timeline;

#[cfg(test)]
mod tests;

pub use headroom::Headroom;
pub use judge::{Approvals, Backtest, BacktestError};
pub use report::{Change, Changes, Example, Unpriced, Worth};
pub use timeline::{Span, Timeline};
