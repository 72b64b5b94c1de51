//! A strict policy to begin with, for the tools that a server lists.
//!
//! ```text
//!  tools/list ─▶ listed ─▶ judge (words, arguments, description) ─▶ a class with its reasons ─▶ write ─▶ a policy
//! ```
//!
//! A class is what the worst reading of a tool's words comes to; what nobody can tell is denied. What a server says of
//! its own tools in annotations is never believed: it is only held against the words, and told where the two differ.

mod class;
mod listed;
mod words;

mod judge;

mod manifest;
mod rules;
mod write;

pub use class::Class;
pub use judge::{Judged, judge};
pub use listed::{BadList, Tool, shipped_tools, tools_of};
pub(crate) use manifest::{SHIPPED, shipped_manifest};
pub use write::policy_for;
