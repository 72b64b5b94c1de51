//! What an author of policies asks of one: whether it is sound, how it would judge a call, and whether its tests hold.
//!
//! What the language means is the gateway's business: this asks its guard.

mod diff;
mod import;
mod read;
mod suggest;
mod suite;
mod words;

pub use diff::{Before, Callers, Change, Difference, Said, Sequence, diff};
pub use import::{Imported, import};
pub use read::read_policy;
pub use suggest::{BadList, Class, Judged, Tool, judge, policy_for, shipped_tools, tools_of};
pub use suite::{Failure, Suite, TestRun, Tested, load, policy_of_tests};
pub use words::{in_words, message_in_words};
