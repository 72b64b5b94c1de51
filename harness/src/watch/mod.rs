//! Runs again what a changed file touches, and tells what is different from the last time.
//!
//! ```text
//!  files ─▶ look: every check that is there, and the files that it is made of ─▶ memory: which of them are due
//!                                                                                   │
//!          event: in words, as JSON ◀─ memory: what is different from the last time ◀─ run
//! ```
//!
//! What says that something changed is the content of files, and never the news of a watcher: a file that is written anew as
//! it was touches nothing, and a piece of news that is missed is made good by the next. `made` and `memory` are pure; `look`
//! reads, and whoever uses this watches (the command `rogue watch`).

mod event;
mod look;
mod made;
mod memory;
mod subject;

pub use event::{Event, Result, Round};
pub use look::{Folder, Found, Under, View, look};
pub use made::Made;
pub use memory::{Change, Due, Memory, Standing};
pub use subject::Subject;
