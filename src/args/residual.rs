//! The words of `rogue residual`.

use std::path::PathBuf;

use clap::Args;
use rogue_harness::residual::Goal;

pub(super) const HELP: &str = "\
Examples:
  rogue residual --policy my-policy.json
  rogue residual --policy my-policy.json --goal loss --seed 7 --budget 1000
  rogue residual --policy scenarios/policies/binance.json --save worst-day.yaml
  rogue residual                                 without a policy: what the same search finds then

The same seed, budget and policy find the same. That no more is found is no proof that there is no more.
Exit codes: 0 the search was made, whatever it found; 65 the policy cannot be read.";

#[derive(Debug, Args)]
pub(crate) struct Residual {
    /// The policy within which harm is searched [default: none, and no gateway]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// Decides every choice of the search
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,

    /// How many days are tried
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub(crate) budget: usize,

    /// What is to be the worst: turnover, orders, loss, listen-keys or weight
    #[arg(long, value_name = "WHAT", default_value_t = Goal::default())]
    pub(crate) goal: Goal,

    /// Write the worst day as a scenario that does it again. It names the policy by its file, which has to be in a folder
    /// `policies` beside it or above it
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Do not show progress, which is otherwise shown on terminals
    #[arg(long)]
    pub(crate) no_progress: bool,
}
