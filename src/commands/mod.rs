//! The commands, one file each.

mod audit;
mod backtest;
mod bridge;
mod cassette;
mod compare;
mod lint;
mod list;
mod mutate;
mod policy;
mod record;
mod record_modes;
mod replay;
mod run;
mod schema;
mod serve;
mod serve_config;
mod show;
mod shrink;
mod signal;
mod to_scenario;

pub(crate) use audit::audit;
pub(crate) use backtest::backtest;
pub(crate) use bridge::bridge;
pub(crate) use cassette::cassette;
pub(crate) use compare::compare;
pub(crate) use lint::lint;
pub(crate) use list::list;
pub(crate) use mutate::mutate;
pub(crate) use policy::policy;
pub(crate) use record::record;
pub(crate) use replay::replay;
pub(crate) use run::run;
pub(crate) use schema::{completions, schema};
pub(crate) use serve::serve;
pub(crate) use show::show;
