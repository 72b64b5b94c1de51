//! The words of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use rogue_harness::target::TargetKind;

const EXAMPLES: &str = "\
Examples:
  rogue                                          run every scenario against the stack in this build
  rogue run --filter listen-key                  run those whose id or title holds the text
  rogue run scenarios/attacks/ra-01-fat-finger.yaml
  rogue run --policy my-policy.json              judge your own policy by the shipped scenarios
  rogue run --json > report.json                 for pipelines; `rogue schema report` is its JSON Schema
  rogue list                                     what there is
  rogue show ra-01-fat-finger                    one scenario in words
  rogue lint                                     check files without running them

Exit codes, the gravest first when several apply:
   1  breached: an attack was not stopped
   3  broken: a dead control, an error of the harness, or nothing to run
   4  blocked: honest work was kept from passing
   5  untestable: the target lacks what a check needs
   0  every attack held and all honest work passed
   2  the command line makes no sense
  65  a scenario or policy file is wrong; nothing was run";

/// Shows what an AI agent can do to an exchange account, and whether a policy really stops it.
///
/// Every attack is run three times at a mock exchange: without a policy it must do its harm, with the policy it
/// must be stopped, and the nearest honest work must still pass. The exchange's own journal is the witness.
#[derive(Debug, Parser)]
#[command(name = "rogue", version, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Cli {
    /// What to do; `run` when left out
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Folder with the scenarios [default: `scenarios` here or in a folder above]
    #[arg(long, global = true, value_name = "DIR", env = "ROGUE_SCENARIOS")]
    pub(crate) scenarios: Option<PathBuf>,

    /// When to use colours; `auto` means on terminals, unless `NO_COLOR` is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    /// On terminals, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios and judge the target by them
    #[command(after_help = EXAMPLES)]
    Run(Run),
    /// List scenarios
    List(List),
    /// Check scenario and policy files without running them
    Lint(Lint),
    /// Tell one scenario in words
    Show(Show),
    /// Print a JSON Schema, for editors and pipelines
    Schema(Schema),
    /// Print completions for a shell
    Completions(Completions),
}

#[derive(Debug, Default, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) choice: Choice,

    /// What is tested: `embedded` is the stack in this build, `bare` an MCP server without a gateway
    #[arg(long, value_name = "TARGET", default_value_t = TargetKind::default())]
    pub(crate) target: TargetKind,

    /// A policy file in place of the scenarios' own
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// A seed for the books in place of the scenarios' own
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Do not show progress, which is otherwise shown on terminals
    #[arg(long)]
    pub(crate) no_progress: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) choice: Choice,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Scenario files, or folders with them [default: all]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The scenario's id
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Of which kind of document
    #[arg(default_value = "scenario")]
    pub(crate) of: SchemaOf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SchemaOf {
    /// Scenario files.
    Scenario,
    /// The output of `rogue run --json`.
    Report,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

/// Which scenarios.
#[derive(Debug, Default, Args)]
pub(crate) struct Choice {
    /// Scenario files, or folders with them [default: all]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Only scenarios whose id or title holds this text, whatever the case
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
}
