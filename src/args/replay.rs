//! The words of `rogue replay`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rogue_harness::replay::{Days, Pace, Repeat};

pub(super) const HELP: &str = "\
Examples:
  rogue replay --as upstream tape.jsonl          an MCP server on standard input and output, from the tape
  rogue replay --as upstream tape.jsonl --listen 127.0.0.1:8700        the same over streamable HTTP
  rogue replay --as upstream tape.jsonl --policy candidate.json        with the gateway in front of it
  rogue replay --as exchange tape.jsonl          REST and WebSocket of an exchange, from the tape
  rogue replay --as agent tape.jsonl             what its agent sent, to the stack in this build: what differs?
  rogue replay --as agent tape.jsonl --policy candidate.json --ignore /result/structuredContent/price

Each request is answered by the oldest message of the tape that asks the same and was not given yet. What is not on
the tape is an error, which shows what comes nearest.

Exit codes:
   0  everything on the tape was asked for, and nothing else; as agent: no difference
   1  something was not on the tape, or was not asked for; as agent: something differs
  65  the tape cannot be read";

/// Whose part the tape plays.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Part {
    /// The MCP server, for an agent or a gateway.
    Upstream,
    /// The exchange, for any client.
    Exchange,
    /// The agent, for the stack in this build; what it does is compared with the tape.
    Agent,
}

/// What happens when a request comes more often than it is on the tape.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Repeats {
    /// It is an error.
    Fail,
    /// Its last answer is given again.
    Last,
    /// Its answers are given again from the first one on.
    Cycle,
}

impl From<Repeats> for Repeat {
    fn from(repeats: Repeats) -> Self {
        match repeats {
            Repeats::Fail => Self::Fail,
            Repeats::Last => Self::Last,
            Repeats::Cycle => Self::Cycle,
        }
    }
}

/// What is done with a tape that is older than it may be. It is never recorded anew unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhenOld {
    /// It is an error.
    Fail,
    /// It is told, and played all the same.
    Warn,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Whose part the tape plays
    #[arg(long = "as", value_name = "PART")]
    pub(crate) part: Part,

    /// The tape
    pub(crate) tape: PathBuf,

    /// When a request comes more often than it is on the tape
    #[arg(long, value_name = "HOW", default_value = "fail")]
    pub(crate) repeat: Repeats,

    /// Whether a part of the tape may be left over
    #[arg(long)]
    pub(crate) allow_unplayed: bool,

    /// How much of the recorded time passes: `instant`, `recorded`, or a factor such as `0.25`
    #[arg(long, value_name = "PACE", default_value_t)]
    pub(crate) pace: Pace,

    /// As agent: a policy file in place of the scenario's own. As upstream: the gateway stands in front, with this policy
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// As agent: a field that does not count, as a JSON pointer from the top of its message, with `*` for any name;
    /// repeat it for each
    #[arg(long = "ignore", value_name = "POINTER")]
    pub(crate) ignored: Vec<String>,

    /// As exchange: where requests are answered [default: a free port of 127.0.0.1]. As upstream: streamable HTTP there, in
    /// place of standard input and output
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,

    /// As exchange: where WebSocket connections are [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen_websocket: Option<SocketAddr>,

    /// As exchange: whether the times in answers are moved to now
    #[arg(long)]
    pub(crate) refresh_times: bool,

    /// As exchange: whether streams go on without the requests that they followed on the tape
    #[arg(long)]
    pub(crate) free_streams: bool,

    /// As upstream or exchange: a file of faults, which stand beside the tape
    #[arg(long, value_name = "FILE")]
    pub(crate) overlay: Option<PathBuf>,

    /// How many days old the tape may be
    #[arg(long, value_name = "DAYS")]
    pub(crate) max_age: Option<Days>,

    /// What an older one does
    #[arg(long, value_name = "WHAT", default_value = "fail", requires = "max_age")]
    pub(crate) when_old: WhenOld,

    /// A regular expression that was taken out of the tape as a secret; repeat it for each
    #[arg(long = "redact", value_name = "REGEX")]
    pub(crate) rules: Vec<String>,
}
