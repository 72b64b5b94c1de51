//! The words of `rogue watch`.

use std::path::PathBuf;

use clap::Args;

use super::{Choice, TargetChoice};

pub(super) const HELP: &str = "\
Examples:
  rogue watch
  rogue watch --policy my-policy.json                   your policy against the shipped agents, at each change of it
  rogue watch scenarios/attacks/ra-01-fat-finger.yaml
  rogue watch --json                                    a line of JSON for each event

What is watched: the scenarios, their policies and what these include, tests (NAME.tests.yaml) and reasons
(NAME.equivalent.yaml) beside the policies unless `--filter` asks for scenarios alone, and the files of `--policy` and `--target`. First
everything is run; then a change runs what is made of the changed file, and what is different from the last time is told.
While a file is wrong, its error is told, and what is made of it waits.

Ctrl-C ends it, with exit code 0 whatever failed; `rogue run` is the judge. 2: the command line makes no sense.";

#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) choice: Choice,

    /// What is tested, as for `rogue run`: a target that is built in, or a file that describes a gateway
    #[arg(long, value_name = "TARGET", default_value_t)]
    pub(crate) target: TargetChoice,

    /// Where the gateways are installed that are described by files, each in a folder of its name
    #[arg(long, value_name = "DIR", env = "ROGUE_GATEWAYS", default_value = "target/gateways")]
    pub(crate) gateways: PathBuf,

    /// A policy file in place of the scenarios' own
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// A seed for the books in place of the scenarios' own
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// Print a line of JSON for each event
    #[arg(long)]
    pub(crate) json: bool,
}
