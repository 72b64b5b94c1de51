//! What a person may choose about a run.

use std::path::PathBuf;

use crate::scenario::PolicyFile;
use crate::target::{GatewayCommand, TargetKind};

/// What a person may choose about a run. The default is what a scenario's file says, on the best target built in.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// What is tested.
    pub target: TargetKind,
    /// A gateway's command in place of `target`.
    pub command: Option<GatewayCommand>,
    /// A policy document in place of the scenarios' own.
    pub policy: Option<PolicyFile>,
    /// The name of a deliberate defect to test the suite itself with. Needs the feature `mutants`.
    pub mutation: Option<String>,
    /// A seed for the books in place of the scenarios' own.
    pub seed: Option<u64>,
    /// Whether it is taken down how each run goes, step by step: [`RunResult::course`](crate::verdict::RunResult::course).
    pub watch: bool,
    /// A folder that gets a tape of each run, named `SCENARIO.ROLE.jsonl`.
    pub record: Option<PathBuf>,
}

impl RunOptions {
    /// The target's name in reports and on tapes.
    pub fn target_name(&self) -> String {
        self.command.as_ref().map_or_else(|| self.target.to_string(), GatewayCommand::name)
    }
}
