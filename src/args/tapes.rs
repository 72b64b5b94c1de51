//! The words of what is made of tapes.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct ToScenario {
    /// The tape, of `rogue serve` or `rogue run --record`
    pub(crate) tape: PathBuf,
    /// The scenario; standard output when left out. Its id is the file's name
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The policy's name [default: the one of the tape's digest in the folders `policies` about the scenario]
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,
}
