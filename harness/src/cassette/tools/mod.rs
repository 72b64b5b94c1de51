//! What a person does with tapes.

mod diff;
mod edit;
mod file;
mod show;
mod stats;
mod trace;
mod verify;
mod words;

pub use diff::{Difference, diff};
pub use edit::{cut, join, scrub};
pub use file::{FileError, create, open};
pub use show::show;
pub use stats::{Stats, stats};
pub use trace::trace;
pub use verify::{Finding, verify};
pub(crate) use words::words;
