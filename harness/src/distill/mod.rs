//! A tape as a scenario: what the agent did as steps on the recorded clock, what it was told as expectations.
//!
//! ```text
//!  tape ─▶ [`Session`]: turns, each a frame of the agent with its answer ─▶ steps ─▶ Scenario of the kind `session`
//!                          what the exchange was asked, what was decided ─▶ expect ─┘
//! ```
//!
//! Nothing is copied that a run makes anew: the handshake is the agent's, ids of orders and listen keys become references
//! to the answers that told them. What happened at the exchange past the agent is not on a tape, and so not in a
//! scenario.

mod expect;
mod policy;
mod session;
mod steps;
mod values;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use crate::cassette::tools::{FileError, open};
use crate::cassette::{TapeError, TapeReader};
use crate::scenario::{
    Case, ExchangeSetup, Kind, Maps, Problem, Scenario, Upstream, UtcTime, lint_case, parse, to_yaml,
};

pub use policy::{policies_near, policy_of};
pub use session::{Session, Turn};
pub(crate) use steps::Script;

/// Why a tape is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum DistillError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It cannot be read to its end.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// It was cut off.
    #[error("the tape was cut off after message {0}: what followed is unknown, so nothing can be expected of it")]
    Cut(u64),
    /// Nobody knows how its exchange began.
    #[error(
        "the tape does not tell how its exchange began: record with `rogue serve` in a market that stands still, or with `rogue run --record`"
    )]
    NoExchange,
    /// Its exchange is none that this version can set up.
    #[error("the tape's exchange cannot be set up: {0}")]
    Exchange(String),
    /// The agent did nothing.
    #[error("the agent did nothing on this tape")]
    Nothing,
    /// It has several agents, or one that connected again.
    #[error(
        "the tape has several connections, of which one is `{0}`: a tape of one agent's only connection can be a scenario"
    )]
    Agents(String),
    /// Nobody judged.
    #[error("the tape was recorded without a policy: there is no decision to hold a policy to")]
    NoPolicy,
    /// The policy is not at hand.
    #[error("no policy in {folders} has the tape's digest {digest}: say which one with `--policy NAME`")]
    UnknownPolicy {
        /// That of the tape.
        digest: String,
        /// Where it was looked for.
        folders: String,
    },
    /// What came out cannot be written or read.
    #[error("the scenario cannot be written: {0}")]
    Written(String),
}

/// Makes a scenario of a session. `policy` is the policy's name.
///
/// # Errors
/// The session is not one that can be played again.
pub fn scenario(session: &Session, id: &str, policy: &str) -> Result<Scenario, DistillError> {
    if session.turns.is_empty() {
        return Err(DistillError::Nothing);
    }
    let script = Script::of(session);
    let steps = script.steps(|_| true);
    let expect = expect::expect(session, &script, &steps);
    let calls = session.turns.len();
    let (name, made) = match &session.header.scenario {
        Some(name) => (name.clone(), "`rogue run`"),
        None => (id.to_owned(), "`rogue serve`"),
    };
    Ok(Scenario {
        id: id.to_owned().into(),
        kind: Kind::Session,
        group: None,
        title: format!("As recorded: {name}"),
        story: format!(
            "Recorded by {made} ({}), {calls} frames of the agent. Each is to be answered as it was.",
            session.header.writer
        ),
        incident: None,
        stops: Vec::new(),
        maps: Maps::default(),
        policy: policy.to_owned().into(),
        upstream: session.upstream(),
        pinned: false,
        agents: BTreeMap::new(),
        exchange: session.exchange()?,
        attack: Vec::new(),
        harm: crate::scenario::ExchangeCheck::default(),
        hold: crate::scenario::Expect::default(),
        twin: None,
        steps,
        expect,
    })
}

/// A tape as a case that can be run, with the policy of its digest from the folders `policies`.
///
/// # Errors
/// The tape is no scenario, or its policy is not there.
pub fn case(tape: &Path, policies: &[PathBuf]) -> Result<Case, DistillError> {
    let session = Session::read(open(tape)?)?;
    let policy = policy_of(&session.header, policies)?;
    let name = policy.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let scenario = scenario(&session, &id_of(tape), &name)?;
    // Read again, so that what went wrong has lines.
    let text = to_yaml(&scenario).map_err(DistillError::Written)?;
    let scenario = parse(tape, &text).map_err(|problem| DistillError::Written(problem.to_string()))?;
    Ok(Case { scenario, path: tape.to_owned(), policy, reloads: BTreeMap::new(), grants: BTreeMap::new() })
}

/// The id that a tape's name makes: `daily-buyer.workflow.jsonl.zst` is `daily-buyer-workflow`.
pub fn id_of(tape: &Path) -> String {
    let name = tape.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".zst").unwrap_or(&name);
    let name = name.strip_suffix(".jsonl").unwrap_or(name);
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    name.chars().map(plain).collect::<String>().trim_matches('-').to_owned()
}

/// What is wrong with a scenario that was just written, were it to stand at `path`.
pub fn check(path: &Path, text: &str, case: &Case) -> Vec<Problem> {
    match parse(path, text) {
        Ok(scenario) => lint_case(path, text, &scenario, &[&case.policy]),
        Err(problem) => vec![problem],
    }
}

impl Session {
    /// How the exchange is to begin.
    fn exchange(&self) -> Result<ExchangeSetup, DistillError> {
        let kept = self.header.exchange.clone().ok_or(DistillError::NoExchange)?;
        let mut exchange: ExchangeSetup =
            serde_json::from_value(kept).map_err(|error| DistillError::Exchange(error.to_string()))?;
        exchange.clock = UtcTime::from_millis(self.header.clock_origin_ms);
        if let Some(seed) = self.header.seed {
            exchange.seed = seed;
        }
        Ok(exchange)
    }

    fn upstream(&self) -> Upstream {
        if self.server.as_deref() == Some("soft-binance") { Upstream::Soft } else { Upstream::Ours }
    }

    /// Reads a tape to its end.
    ///
    /// # Errors
    /// It cannot be read, or was cut off.
    pub fn read<R: BufRead>(tape: TapeReader<R>) -> Result<Self, DistillError> {
        session::read(tape)
    }
}
