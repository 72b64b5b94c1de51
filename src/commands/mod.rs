//! The commands, one file each.

mod lint;
mod list;
mod run;
mod schema;
mod show;

pub(crate) use lint::lint;
pub(crate) use list::list;
pub(crate) use run::run;
pub(crate) use schema::{completions, schema};
pub(crate) use show::show;
