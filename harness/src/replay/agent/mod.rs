//! The agent of a tape meets today's stack.
//!
//! ```text
//!  tape: what the agent sent ─▶ its ids made today's ─▶ gateway ─▶ MCP server ─▶ mock, on the tape's clock
//!    │                                                                              │
//!    └─ decisions, requests, results ──▶ compared, call by call ◀── the same of today
//! ```

mod compare;
mod ids;
mod report;
mod rules;
mod shrink;

use std::collections::BTreeMap;
use std::io::BufRead;

use crate::cassette::{End, Header, Message, TapeError, TapeReader};
use crate::run;
use crate::run::again::{self, Again};
use crate::scenario::{Case, ExchangeCheck, ExchangeSetup, Kind, PolicyFile, Step, Upstream, UtcTime};
use crate::target::{TargetError, TargetKind};

pub(crate) use ids::Ids;
pub use report::{CallDifference, Place, Rerun, Said};
pub use rules::{BadPointer, Rules};
pub use shrink::{Keeps, Shrunk, shrink};

/// What the agent of a tape meets.
#[derive(Debug, Clone)]
pub struct Stand {
    /// What stands between it and the exchange.
    pub target: TargetKind,
    /// The MCP server.
    pub upstream: Upstream,
    /// The exchange before the first message.
    pub exchange: ExchangeSetup,
    /// The policy document.
    pub policy: PolicyFile,
    /// The name of a deliberate defect.
    pub mutation: Option<String>,
    /// Whether the gateway keeps something in a folder, and whether it knows the server's tools beforehand.
    durable: bool,
    pinned: bool,
    /// The policies of grants that have one of their own.
    grants: BTreeMap<String, PolicyFile>,
    /// What the scenario of the tape calls harm.
    harm: Option<ExchangeCheck>,
    /// What no tape holds of the scenario.
    notes: Vec<String>,
}

/// Why the agent of a tape could not be played.
#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    /// The tape cannot be read.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// The target cannot be had.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The tape's header has an exchange that cannot be set up.
    #[error("line 1: the exchange of the tape cannot be set up: {0}")]
    Exchange(serde_json::Error),
    /// The tape's agent said nothing.
    #[error("there is no agent on the tape: it was recorded between a client and an exchange")]
    NoAgent,
    /// What is to be kept is not so to begin with.
    #[error("{0}")]
    NotSo(&'static str),
    /// The stack broke.
    #[error("{0}")]
    Broken(String),
}

type Beside = fn(&Step) -> bool;

/// What happens in a run beside its agents.
const BESIDE: [(Beside, &str); 5] = [
    (|step| matches!(step, Step::OwnerOrder(_)), "the owner order at the exchange"),
    (|step| matches!(step, Step::Operator(_)), "the gateway's people do something"),
    (|step| matches!(step, Step::ServerChange(_)), "the server become another"),
    (|step| matches!(step, Step::Direct(_)), "the agent ask the exchange past everybody"),
    (|step| matches!(step, Step::Market(_)), "the market move"),
];

impl Stand {
    /// What the tape's scenario says, with another policy if one is given.
    pub fn of_scenario(header: &Header, case: &Case, policy: Option<PolicyFile>) -> Result<Self, RerunError> {
        let scenario = &case.scenario;
        let policy = policy.unwrap_or_else(|| case.policy.clone());
        let mut notes = policy_note(header, &policy);
        for (is_done, what) in BESIDE {
            if scenario.has_step(is_done) {
                notes.push(format!("the scenario has {what}, which is on no tape and was not done"));
            }
        }
        Ok(Self {
            target: target(header)?,
            upstream: scenario.upstream,
            exchange: scenario.exchange.clone(),
            policy,
            mutation: None,
            durable: run::durable(scenario),
            pinned: scenario.pinned,
            grants: case.grants.clone(),
            harm: (scenario.kind == Kind::Attack).then(|| scenario.harm.clone()),
            notes,
        })
    }

    /// For a tape without a scenario: the exchange as its header has it, or else as it is when a scenario says nothing.
    ///
    /// # Errors
    /// The target is not in this build, or the header's exchange is none.
    pub fn plain(header: &Header, policy: PolicyFile) -> Result<Self, RerunError> {
        let mut notes = policy_note(header, &policy);
        let mut exchange = ExchangeSetup { clock: UtcTime::from_millis(header.clock_origin_ms), ..Default::default() };
        if let Some(begun) = &header.exchange {
            exchange = serde_json::from_value(begun.clone()).map_err(RerunError::Exchange)?;
        } else {
            notes.push("the tape does not say how its exchange began: it had its usual accounts and prices".to_owned());
        }
        Ok(Self {
            target: target(header)?,
            upstream: Upstream::default(),
            exchange,
            policy,
            mutation: None,
            durable: false,
            pinned: false,
            grants: BTreeMap::new(),
            harm: None,
            notes,
        })
    }
}

impl Stand {
    fn plan(&self, seed: Option<u64>) -> Result<Again<'_>, TargetError> {
        Ok(Again {
            exchange: &self.exchange,
            seed,
            target: self.target.target()?,
            policy: &self.policy,
            grants: &self.grants,
            upstream: self.upstream,
            mutation: self.mutation.as_deref(),
            durable: self.durable,
            pinned: self.pinned,
        })
    }
}

fn policy_note(header: &Header, policy: &PolicyFile) -> Vec<String> {
    let other = header.policy.as_ref().is_some_and(|before| *before != policy.digest());
    other.then(|| "the policy is not the one that the tape was recorded under".to_owned()).into_iter().collect()
}

/// The one of the tape, or the best that is built in.
fn target(header: &Header) -> Result<TargetKind, TargetError> {
    let named = header.target.as_deref().and_then(|name| name.parse().ok());
    let kind: TargetKind = named.unwrap_or_default();
    kind.target().map(|_| kind)
}

/// Sends what the agent sent, at the tape's times, and compares what comes of it.
///
/// Needs a current-thread runtime with IO and time, such as [`runtime`](crate::run::runtime) makes.
///
/// # Errors
/// The tape cannot be read, or the stack breaks.
pub async fn rerun<R: BufRead>(mut tape: TapeReader<R>, stand: &Stand, rules: &Rules) -> Result<Rerun, RerunError> {
    let header = tape.header().clone();
    let messages = tape.by_ref().collect::<Result<Vec<Message>, _>>()?;
    let mut notes = stand.notes.clone();
    if let Some(End::Cut { after }) = tape.end() {
        notes.push(format!("the tape was cut off after message {after}: what was on its way then may be missing"));
    }
    let mut ids = Ids::default();
    let plan = stand.plan(header.seed)?;
    let groups = again::groups(&messages);
    if groups.is_empty() {
        return Err(RerunError::NoAgent);
    }
    let sent = groups.iter().map(|group| group.frames.len()).sum();
    let today = again::play(&plan, &header, &groups, &mut ids).await.map_err(RerunError::Broken)?.tape;
    let today = TapeReader::new(today.as_slice())?.collect::<Result<Vec<Message>, _>>()?;
    let differences = compare::compare(&messages, &today, &ids, &rules.of(&header));
    Ok(Rerun { sent, differences, notes })
}
