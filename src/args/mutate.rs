//! The words of `rogue mutate`.

use std::path::PathBuf;

use clap::Args;

use super::Choice;

pub(super) const HELP: &str = "\
Examples:
  rogue mutate --policy my-policy.json
  rogue mutate --policy my-policy.json --equivalent my-policy.equivalent.yaml
  rogue mutate --policy my-policy.json --json scenarios/attacks

A file of reasons is a list, YAML or JSON, of what nobody can notice:

  - pointer: /tools/bn_new_order/require/1
    kind: remove
    reason: the tool takes no other word

Exit codes: 0 each weakening is noticed or has a reason; 1 one is not; 3 no scenario could notice anything; 65 a file is
wrong, or a reason is stale.";

#[derive(Debug, Args)]
pub(crate) struct Mutate {
    #[command(flatten)]
    pub(crate) choice: Choice,

    /// The policy that is weakened
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,

    /// A list of weakenings that nobody can notice, each with a reason; one that is stale is an error
    #[arg(long, value_name = "FILE")]
    pub(crate) equivalent: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Do not show progress, which is otherwise shown on terminals
    #[arg(long)]
    pub(crate) no_progress: bool,
}
