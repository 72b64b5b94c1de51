//! What people and pipelines read: a table, a summary, the story of a failure, and JSON.
//!
//! ```text
//!  SuiteResult ─▶ text     one table of attacks, one of workflows, a summary in words, what to do next
//!              ├▶ failure  one scenario that went wrong: what failed, what was said, what the exchange wrote down
//!              ├▶ json     `rogue.report/1`, with a JSON Schema
//!              ├▶ page     one HTML page with stories, pictures and transcripts
//!              └▶ junit, markdown, sarif   for CI systems, pull requests, code-scanning pages
//!              ├▶ measures beside the verdicts, when asked: what is left within the policy, what enforcement costs
//!              └▶ outcomes a verdict a scenario, to be kept and to be put side by side with those of other gateways
//!  cases ──────▶ catalogue  the scenarios as a page of the documentation
//! ```
//!
//! Text carries ANSI colours; whoever prints it strips them where they do not belong. Wall time appears in the
//! text, and in JSON only under `timing`, so that the rest of two equal runs is equal byte by byte.

mod catalogue;
mod failure;
mod json;
mod junit;
pub mod listing;
pub mod lists;
mod markdown;
mod measures;
mod outcomes;
mod page;
mod sarif;
mod table;
mod text;
mod words;

pub use catalogue::catalogue;
pub use failure::failure;
#[cfg(feature = "embedded")]
pub(crate) use failure::reasons;
pub use json::{FORMAT, Report, RunReport, ScenarioReport, Summary, Tally, Timing, json_schema};
pub use junit::junit;
pub use markdown::markdown;
pub use measures::{Measures, Overhead, Residual};
pub use outcomes::{Outcomes, compare};
pub use page::{PageOptions, page};
pub use sarif::sarif;
pub use text::{TextOptions, text};
#[cfg(feature = "embedded")]
pub(crate) use words::plural;
pub use words::{amount, count, damage_words};
