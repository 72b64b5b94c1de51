//! The words of the command line.

mod audit;
mod mutate;
mod new;
mod policy;
mod replay;
mod residual;
mod serve;
mod tapes;
mod watch;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use rogue_harness::replay::{Days, Mode};
use rogue_harness::target::{TargetError, TargetKind};

pub(crate) use self::audit::{Audit, AuditFile, AuditQuery};
pub(crate) use self::mutate::Mutate;
pub(crate) use self::new::New;
pub(crate) use self::policy::{Explain, Policy};
pub(crate) use self::replay::{Part, Repeats, Replay, WhenOld};
pub(crate) use self::residual::Residual;
pub(crate) use self::serve::{ClockChoice, Serve};
pub(crate) use self::tapes::ToScenario;
pub(crate) use self::watch::Watch;

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
    /// Run again what a changed file touches, and tell what is different
    #[command(after_help = watch::HELP)]
    Watch(Watch),
    /// List scenarios
    List(List),
    /// Check scenario and policy files without running them
    Lint(Lint),
    /// Tell one scenario in words
    Show(Show),
    /// Begin a repository of your own: a policy, an attack and honest work, as the tests of a crate
    #[command(after_help = new::HELP)]
    New(New),
    /// Serve the whole stack to a live agent: a policy, the 23 tools and a mock exchange, as one MCP server
    #[command(after_help = serve::EXAMPLES)]
    Serve(Serve),
    /// Record an agent and its MCP server, or a client and its exchange, as a tape
    #[command(after_help = RECORD_EXAMPLES)]
    Record(Record),
    /// Put what the scenarios came to on several gateways side by side, as Markdown
    Compare(Compare),
    /// Play a tape again: as the MCP server, as the exchange, or as the agent
    #[command(after_help = replay::HELP)]
    Replay(Replay),
    /// Judge the calls on tapes by another policy, at their recorded times
    #[command(after_help = BACKTEST_HELP)]
    Backtest(Backtest),
    /// Look at tapes, compare them, and make new ones of them
    #[command(subcommand)]
    Cassette(Cassette),
    /// Read the audit of `mcp-gateway`: is its chain whole, what was decided, what became of it
    #[command(subcommand)]
    Audit(Audit),
    /// Check policies, explain what they say of a call, and test them
    #[command(subcommand)]
    Policy(Policy),
    /// Weaken a policy rule by rule, and tell which scenario notices, and which rule nothing protects
    #[command(after_help = mutate::HELP)]
    Mutate(Mutate),
    /// Search for the worst that an agent could do within a policy in a day
    #[command(after_help = residual::HELP)]
    Residual(Residual),
    /// Print a JSON Schema, for editors and pipelines
    Schema(Schema),
    /// Print completions for a shell
    Completions(Completions),
    /// Carry bytes between standard streams and a port: what a gateway under test starts as its server
    #[command(hide = true)]
    Bridge {
        /// Where the harness listens
        address: SocketAddr,
    },
}

/// What is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TargetChoice {
    /// One of the targets that are built in.
    Kind(TargetKind),
    /// A gateway that a file describes.
    File(PathBuf),
}

impl Default for TargetChoice {
    fn default() -> Self {
        Self::Kind(TargetKind::default())
    }
}

impl fmt::Display for TargetChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl FromStr for TargetChoice {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let is_file = Path::new(text).extension().is_some_and(|extension| extension == "yaml");
        if is_file { Ok(Self::File(text.into())) } else { text.parse().map(Self::Kind) }
    }
}

#[derive(Debug, Default, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) choice: Choice,

    /// What is tested: `embedded` is the stack in this build, `http` the same over HTTP, `bare` an MCP server without a
    /// gateway; or a file ending in .yaml that describes a gateway, as in scenarios/targets
    #[arg(long, value_name = "TARGET", default_value_t)]
    pub(crate) target: TargetChoice,

    /// Where the gateways are installed that are described by files, each in a folder of its name
    #[arg(long, value_name = "DIR", env = "ROGUE_GATEWAYS", default_value = "target/gateways")]
    pub(crate) gateways: PathBuf,

    /// Test any gateway that speaks MCP on standard streams, in place of a target: its command, in which `{upstream}`
    /// becomes the server's command, `{policy}` the scenario's policy file, `{audit}` a file for its decisions, `{folder}`
    /// an empty folder. Scenarios that move the clock are untestable then
    #[arg(long, value_name = "COMMAND", conflicts_with = "target")]
    pub(crate) gateway: Option<String>,

    /// Libfaketime's library, by which the clock of a gateway that is a command is moved. Without it, scenarios that move the
    /// clock are untestable there
    #[arg(long, value_name = "LIB", env = "ROGUE_FAKETIME")]
    pub(crate) faketime: Option<PathBuf>,

    /// Write what each scenario came to on a gateway that a file describes, for `rogue compare`
    #[arg(long, value_name = "FILE")]
    pub(crate) outcomes: Option<PathBuf>,

    /// A policy file in place of the scenarios' own
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// What the target is known not to do, with reasons. Failures that are not listed fail the command, and so do entries
    /// that are failures no more; the rest makes the exit code 0
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// A seed for the books in place of the scenarios' own
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// Write a tape of each run into this folder, named SCENARIO.ROLE.jsonl; secrets never get onto it
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,

    /// Write one HTML page into this folder, as index.html: stories, pictures, transcripts
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,

    /// Write `JUnit` XML, as CI systems read it
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// Write SARIF 2.1.0, as code-scanning pages read it
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,

    /// Write a summary for a pull request
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,

    /// Tell also what is left within the policy, as `rogue residual` finds it in so many days, and what enforcement costs a
    /// call: honest work without the gateway against the same with it, by the wall clock. Without `--policy` it is the
    /// policy of most of the scenarios
    #[arg(long, value_name = "DAYS", num_args = 0..=1, require_equals = true, default_missing_value = "200")]
    pub(crate) residual: Option<NonZeroUsize>,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Do not show progress, which is otherwise shown on terminals
    #[arg(long)]
    pub(crate) no_progress: bool,
}

const RECORD_EXAMPLES: &str = "\
Examples:
  rogue record -o tape.jsonl -- npx my-mcp-server       between an agent and a server on standard input and output:
                                                        give this line to the agent in place of the server's
  rogue record -o tape.jsonl --url http://127.0.0.1:8700/mcp
  rogue record -o tape.jsonl.zst --exchange http://127.0.0.1:8080
                                                        REST and WebSocket, between a client and the mock

Nothing of the traffic changes. API keys, signatures, secrets, listen keys and tokens are replaced on the tape.";

#[derive(Debug, Args)]
pub(crate) struct Record {
    /// The tape; packed when its name ends in .zst. One that is there is replaced
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// An MCP server that speaks streamable HTTP
    #[arg(long, value_name = "URL", conflicts_with_all = ["exchange", "command"])]
    pub(crate) url: Option<String>,

    /// An exchange: the mock, or whatever speaks as it does
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    pub(crate) exchange: Option<String>,

    /// Where clients are pointed, with --url and --exchange [default: 127.0.0.1 and a port chosen by the system]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "command")]
    pub(crate) listen: Option<SocketAddr>,

    /// A regular expression of something else that must not be on the tape; repeat it for each
    #[arg(long = "redact", value_name = "REGEX")]
    pub(crate) rules: Vec<String>,

    /// What to do with a tape that is there: `all` records it anew, `once` plays it, `new_episodes` plays it and adds what
    /// is not on it, `verify` compares it with what is recorded; `none` plays it and never records.
    /// `ROGUE_RECORD_MODE` beats this [default: all, and none where `CI` is set]
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<Mode>,

    /// How many days old a tape may be that is played or compared
    #[arg(long, value_name = "DAYS")]
    pub(crate) max_age: Option<Days>,

    /// What an older one does
    #[arg(long, value_name = "WHAT", default_value = "fail", requires = "max_age")]
    pub(crate) when_old: WhenOld,

    /// The command that starts an MCP server on standard input and output
    #[arg(last = true, value_name = "COMMAND", required_unless_present_any = ["url", "exchange"])]
    pub(crate) command: Vec<OsString>,
}

const BACKTEST_HELP: &str = "\
Examples:
  rogue backtest --policy candidate.json tapes/*.jsonl
  rogue backtest --policy candidate.json --against current.json --json tapes/*.jsonl
  rogue backtest --policy candidate.json --html page.html --honest tapes/desk-day.jsonl tapes/*.jsonl

Without --against, the candidate is held against the decisions on the tapes.

Exit codes: 0 no call changes its verdict, 1 something that was stopped would pass, 4 something that passed would be
stopped and nothing the other way round.";

/// What a person says to a call that is to be approved.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Answer {
    /// No, or nothing in time: the call is stopped
    Denied,
    /// Yes; other rules still hold, and the call is charged
    Granted,
}

#[derive(Debug, Args)]
pub(crate) struct Backtest {
    /// The policy that judges
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,

    /// The policy that it is held against [default: the decisions on the tapes]
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,

    /// What the person says who is asked for an approval
    #[arg(long, value_name = "ANSWER", default_value = "denied")]
    pub(crate) approvals: Answer,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Write a page to look at: what changes, how close each limit came, every tape over time
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// A tape of honest work, judged with the others: what would break of it is told apart; repeat it for each
    #[arg(long, value_name = "TAPE")]
    pub(crate) honest: Vec<PathBuf>,

    /// The tapes; each begins with nothing counted
    #[arg(required_unless_present = "honest", value_name = "TAPE")]
    pub(crate) tapes: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cassette {
    /// Tell a tape as a timeline: who said what, what was decided, what reached the exchange
    Show {
        /// The tape
        tape: PathBuf,
    },
    /// Write a tape as a trace that Perfetto and other viewers open: a track a wire, each request as long as it took
    Trace {
        /// The tape
        tape: PathBuf,
        /// The new file
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Count what is on a tape
    Stats {
        /// The tape
        tape: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check that tapes are whole and hold nothing that looks like a secret; 65 when one does not
    Verify {
        /// The tapes
        #[arg(required = true, value_name = "TAPE")]
        tapes: Vec<PathBuf>,
        /// A regular expression of something else that must not be on them; repeat it for each
        #[arg(long = "redact", value_name = "REGEX")]
        rules: Vec<String>,
    },
    /// Show where two tapes differ; 1 when they do
    Diff {
        /// The first tape
        one: PathBuf,
        /// The second tape
        other: PathBuf,
    },
    /// Write what an agent did on a tape as a scenario, with what it was told as expectations
    ToScenario(ToScenario),
    /// Take secrets out of a tape
    Scrub(Scrub),
    /// Cut a part out of a tape
    #[command(visible_alias = "split")]
    Cut(Cut),
    /// Leave out of a tape all that its agent need not have sent for it to show the same
    Shrink(Shrink),
    /// Join two tapes in the order of their times
    #[command(visible_alias = "merge")]
    Join {
        /// The first tape
        one: PathBuf,
        /// The second tape
        other: PathBuf,
        /// The new tape
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Scrub {
    /// The tape
    pub(crate) tape: PathBuf,
    /// The new tape
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// A regular expression of something else to take out; repeat it for each
    #[arg(long = "redact", value_name = "REGEX")]
    pub(crate) rules: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Cut {
    /// The tape
    pub(crate) tape: PathBuf,
    /// The number of the first message
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) first: u64,
    /// The number of the last message [default: the last there is]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) last: Option<u64>,
    /// The new tape
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// What a smaller tape must still show.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Keep {
    /// The harm of its scenario at the exchange; without a scenario, a request to the exchange that is not on the tape
    Breach,
    /// Something that differs from the tape
    Difference,
}

#[derive(Debug, Args)]
pub(crate) struct Shrink {
    /// The tape
    pub(crate) tape: PathBuf,
    /// What it must still show when its agent meets the stack in this build
    #[arg(long, value_name = "WHAT", default_value = "breach")]
    pub(crate) keeps: Keep,
    /// A policy file in place of the scenario's own
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// A field that does not count as a difference, as for `rogue replay`; repeat it for each
    #[arg(long = "ignore", value_name = "POINTER")]
    pub(crate) ignored: Vec<String>,
    /// The new tape
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// A page in which the tables replace what stands between the lines `<!-- compared -->` and
    /// `<!-- end of what is compared -->` [default: print them]
    #[arg(long, value_name = "FILE")]
    pub(crate) into: Option<PathBuf>,

    /// What `rogue run --outcomes FILE` has written, a file for each gateway
    #[arg(required = true, value_name = "FILE")]
    pub(crate) outcomes: Vec<PathBuf>,
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
    /// Descriptions of gateways, for `rogue run --target`.
    Target,
    /// Known failures, for `rogue run --baseline`.
    Baseline,
    /// Weakenings that nobody can notice, for `rogue mutate --equivalent`.
    Equivalent,
    /// Policies of version "2".
    Policy,
    /// Policies of version "1".
    #[value(name = "policy-v1")]
    PolicyV1,
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
