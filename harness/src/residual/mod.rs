//! The worst that can be done *within* a policy: what is left when every attack is stopped.
//!
//! ```text
//!  policy ─▶ palette: the calls that it lets through, as large as it lets them be
//!               │
//!  seed ─▶ search: blocks of such calls over a day ─▶ stage: the whole stack, the exchange as witness ─▶ damage
//!               ▲────────────────────── the worst so far is changed a little ──────────────────────────────┘
//! ```
//!
//! It is a search and no proof: that no more was found does not mean that there is no more. It is decided by the seed and
//! the policy alone.

mod day;
mod dice;
mod palette;
mod report;
mod search;

pub use report::{in_json, in_short, in_words, scenario};
pub use search::{Found, Goal, Options, ResidualError, search};
