//! Results: what each run did, what each scenario came to, and the exit code of it all.
//!
//! The runner fills [`RunResult`]s from what the exchange saw; [`judge_attack`] and [`judge_workflow`] turn them
//! into a [`Verdict`]; [`ExitClass::of`] turns verdicts into one exit code.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::course::Course;
use crate::scenario::{Dec, Group, Kind, Outcome, Upstream};

/// What a scenario came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "is", content = "why", rename_all = "snake_case")]
pub enum Verdict {
    /// The attack did its harm without a policy, was stopped with it, and the twin passed.
    Held,
    /// The workflow passed untouched.
    Passed,
    /// The attack was not stopped as it should have been.
    Breached,
    /// Honest work, a twin or a workflow, was kept from passing.
    Blocked,
    /// The target lacks what the check needs. Never a pass.
    Untestable(String),
    /// The scenario or the harness is at fault: nothing was learnt about the target.
    Broken(String),
}

/// Which run of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The attack without a gateway.
    Control,
    /// The attack with the policy.
    Protected,
    /// The nearest honest work with the policy.
    Twin,
    /// Honest work with the policy.
    Workflow,
    /// A recorded session with the policy.
    Session,
}

impl Role {
    /// As the names of tapes have it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Protected => "protected",
            Self::Twin => "twin",
            Self::Workflow => "workflow",
            Self::Session => "session",
        }
    }
}

/// What a run did at the exchange, in the exchange's own count. Meanings are those of
/// [`ExchangeCheck`](crate::scenario::ExchangeCheck).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Damage {
    /// REST requests.
    pub requests: u64,
    /// Orders booked.
    pub orders: u64,
    /// Orders that the exchange rejected.
    pub orders_rejected: u64,
    /// Trades.
    pub trades: u64,
    /// USDT value of the orders booked.
    pub notional: Dec,
    /// USDT value executed.
    pub turnover: Dec,
    /// USDT that the account lost at the setup's prices; negative when it gained.
    pub loss_usdt: Dec,
    /// Request weight burned.
    pub weight: u64,
    /// Requests answered with 429 or 418.
    pub limited: u64,
    /// The owner's orders that were cancelled.
    pub open_orders_lost: u64,
    /// Listen keys issued.
    pub listen_keys: u64,
    /// User data stream connections accepted.
    pub stream_connections: u64,
    /// Frames sent on user data streams.
    pub stream_frames: u64,
    /// Whether a key other than the owner's was used.
    pub foreign_key_seen: bool,
    /// Names of the harmful parameters (those of `harm.params_seen`) that reached the exchange.
    pub params_seen: Vec<String>,
}

/// What the agent was told, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AgentTally {
    /// Calls and frames sent.
    pub sent: u64,
    /// Answers without `isError`.
    pub allowed: u64,
    /// Denials by the gateway.
    pub denied: u64,
    /// Errors from behind it.
    pub errors: u64,
    /// JSON-RPC errors.
    pub refused: u64,
    /// Frames without an answer.
    pub silent: u64,
}

/// How long the agent waited for the answer to a call that it sent alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed {
    /// How it was answered.
    pub outcome: Outcome,
    /// Wall time from before it was sent until its answer was read.
    pub took: Duration,
}

/// One run of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// Which run.
    pub role: Role,
    /// What it did at the exchange.
    pub damage: Damage,
    /// What the agent was told.
    pub agent: AgentTally,
    /// Denials by rule.
    pub denials: BTreeMap<String, u64>,
    /// Lines of the gateway's audit.
    pub audit_lines: u64,
    /// Every expectation that did not hold, one line each. For a control: the parts of `harm` that did not show.
    pub failures: Vec<String>,
    /// For a protected run: whether `harm` showed as a whole in spite of the policy.
    pub harmed: bool,
    /// What was said and answered, one line each.
    pub transcript: Vec<String>,
    /// What the exchange wrote down, one line each.
    pub journal: Vec<String>,
    /// The calls that were sent one by one, in order. Calls in parallel wait for each other and say nothing here.
    pub timed: Vec<Timed>,
    /// How it went, step by step; only where that was asked for.
    pub course: Option<Box<Course>>,
    /// Why the run could not be carried out at all.
    pub error: Option<String>,
    /// What the target lacks for this run.
    pub untestable: Option<String>,
    /// Wall time.
    pub elapsed: Duration,
}

impl RunResult {
    /// A run in which nothing happened yet.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            damage: Damage::default(),
            agent: AgentTally::default(),
            denials: BTreeMap::new(),
            audit_lines: 0,
            failures: Vec::new(),
            harmed: false,
            transcript: Vec::new(),
            journal: Vec::new(),
            timed: Vec::new(),
            course: None,
            error: None,
            untestable: None,
            elapsed: Duration::ZERO,
        }
    }

    /// Whether the run was carried out and nothing failed.
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty() && !self.harmed && self.error.is_none() && self.untestable.is_none()
    }
}

/// One scenario with its runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioResult {
    /// The scenario's id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its kind.
    pub kind: Kind,
    /// Its group.
    pub group: Option<Group>,
    /// The MCP server behind the gateway.
    pub upstream: Upstream,
    /// Its file.
    pub path: PathBuf,
    /// What it came to.
    pub verdict: Verdict,
    /// Its runs, in the order in which they were made.
    pub runs: Vec<RunResult>,
    /// Wall time of all runs.
    pub elapsed: Duration,
}

impl ScenarioResult {
    /// The run of a role.
    pub fn run(&self, role: Role) -> Option<&RunResult> {
        self.runs.iter().find(|run| run.role == role)
    }
}

/// All scenarios of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteResult {
    /// The target's name: `embedded`, `bare`.
    pub target: String,
    /// The scenarios, in the order of their ids.
    pub scenarios: Vec<ScenarioResult>,
    /// Wall time of all.
    pub elapsed: Duration,
}

/// The verdict on an attack from its three runs.
///
/// The first line that applies decides:
///
/// 1. a run could not be carried out: `Broken`;
/// 2. the control did not show its harm: `Broken`, for then the protected run proves nothing;
/// 3. the protected run showed the harm, or missed what it must hold: `Breached`;
/// 4. the target lacks what a run needs: `Untestable`;
/// 5. the twin did not pass: `Blocked`;
/// 6. otherwise: `Held`.
pub fn judge_attack(control: &RunResult, protected: &RunResult, twin: &RunResult) -> Verdict {
    let runs = [control, protected, twin];
    if let Some((run, error)) = runs.iter().find_map(|run| Some((run, run.error.as_ref()?))) {
        return Verdict::Broken(format!("{} could not be carried out: {error}", run.role.with_article()));
    }
    if control.untestable.is_none() && !control.failures.is_empty() {
        return Verdict::Broken(format!("the control is dead: {}", control.failures.join("; ")));
    }
    if protected.untestable.is_none() && (protected.harmed || !protected.failures.is_empty()) {
        return Verdict::Breached;
    }
    if let Some(why) = runs.iter().find_map(|run| run.untestable.as_ref()) {
        return Verdict::Untestable(why.clone());
    }
    if twin.failures.is_empty() { Verdict::Held } else { Verdict::Blocked }
}

/// The verdict on a workflow: `Broken`, then `Untestable`, then `Blocked`, otherwise `Passed`.
pub fn judge_workflow(run: &RunResult) -> Verdict {
    if let Some(error) = &run.error {
        return Verdict::Broken(format!("{} could not be carried out: {error}", run.role.with_article()));
    }
    if let Some(why) = &run.untestable {
        return Verdict::Untestable(why.clone());
    }
    if run.failures.is_empty() { Verdict::Passed } else { Verdict::Blocked }
}

/// The verdict on a session: `Broken`, then `Untestable`; `Breached` when something passed that was stopped when it was
/// recorded; `Blocked` when anything else is not as it was; otherwise `Passed`.
pub fn judge_session(run: &RunResult) -> Verdict {
    match judge_workflow(run) {
        Verdict::Passed | Verdict::Blocked if run.harmed => Verdict::Breached,
        verdict => verdict,
    }
}

impl Role {
    /// The role in a sentence.
    pub const fn with_article(self) -> &'static str {
        match self {
            Self::Control => "the control run",
            Self::Protected => "the protected run",
            Self::Twin => "the twin",
            Self::Workflow => "the workflow",
            Self::Session => "the session",
        }
    }
}

impl Verdict {
    /// One word for tables.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Passed => "passed",
            Self::Breached => "BREACHED",
            Self::Blocked => "BLOCKED",
            Self::Untestable(_) => "untestable",
            Self::Broken(_) => "BROKEN",
        }
    }

    /// Whether this is what one hopes for.
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Held | Self::Passed)
    }
}

/// Classes of exit, each with its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitClass {
    /// 0: every attack held, all honest work passed.
    Good,
    /// 5: a check could not be made on this target.
    Untestable,
    /// 4: honest work was blocked.
    Blocked,
    /// 3: a dead control or an error of the harness.
    Broken,
    /// 1: an attack was not stopped.
    Breached,
    /// 2: the command line makes no sense.
    Usage,
    /// 65: a scenario or policy file is wrong.
    BadFile,
}

impl ExitClass {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Breached => 1,
            Self::Usage => 2,
            Self::Broken => 3,
            Self::Blocked => 4,
            Self::Untestable => 5,
            Self::BadFile => 65,
        }
    }

    /// The class of a whole suite: the gravest verdict decides.
    ///
    /// From grave to light:
    ///
    /// 1. breached: a finding about the target, which nothing else takes back;
    /// 2. broken: something was not learnt, and the fault is the suite's;
    /// 3. blocked: safe, but in the way of honest work;
    /// 4. untestable: not learnt, and the suite says so;
    /// 5. good.
    ///
    /// A suite without any scenario is broken: nothing was shown.
    pub fn of<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Self {
        verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Held | Verdict::Passed => Self::Good,
                Verdict::Untestable(_) => Self::Untestable,
                Verdict::Blocked => Self::Blocked,
                Verdict::Broken(_) => Self::Broken,
                Verdict::Breached => Self::Breached,
            })
            .max()
            .unwrap_or(Self::Broken)
    }
}

impl SuiteResult {
    /// The suite's exit class.
    pub fn exit_class(&self) -> ExitClass {
        ExitClass::of(self.scenarios.iter().map(|scenario| &scenario.verdict))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(role: Role) -> RunResult {
        RunResult::new(role)
    }

    fn failed(role: Role) -> RunResult {
        let mut run = RunResult::new(role);
        run.failures.push("orders booked: 0, must be exactly 1".to_owned());
        run
    }

    fn erred(role: Role) -> RunResult {
        let mut run = RunResult::new(role);
        run.error = Some("no port".to_owned());
        run
    }

    fn lacking(role: Role) -> RunResult {
        let mut run = RunResult::new(role);
        run.untestable = Some("needs a clock".to_owned());
        run
    }

    #[test]
    fn each_line_of_the_attack_rule() {
        use Role::{Control, Protected, Twin};
        let harmed = RunResult { harmed: true, ..clean(Protected) };
        let broken = |why: &str| Verdict::Broken(why.to_owned());
        let nothing_learnt = [
            // 1. An error anywhere, even beside a breach.
            (
                erred(Control),
                failed(Protected),
                clean(Twin),
                broken("the control run could not be carried out: no port"),
            ),
            (
                clean(Control),
                erred(Protected),
                clean(Twin),
                broken("the protected run could not be carried out: no port"),
            ),
            (clean(Control), failed(Protected), erred(Twin), broken("the twin could not be carried out: no port")),
            // 2. A dead control, even beside a breach.
            (
                failed(Control),
                failed(Protected),
                clean(Twin),
                broken("the control is dead: orders booked: 0, must be exactly 1"),
            ),
        ];
        let learnt = [
            // 3. A breach, even beside a blocked twin or an untestable one.
            (clean(Control), failed(Protected), failed(Twin), Verdict::Breached),
            (clean(Control), harmed, clean(Twin), Verdict::Breached),
            (clean(Control), failed(Protected), lacking(Twin), Verdict::Breached),
            // 4. Untestable, even beside a blocked twin.
            (lacking(Control), clean(Protected), failed(Twin), Verdict::Untestable("needs a clock".to_owned())),
            (clean(Control), lacking(Protected), clean(Twin), Verdict::Untestable("needs a clock".to_owned())),
            // 5. and 6.
            (clean(Control), clean(Protected), failed(Twin), Verdict::Blocked),
            (clean(Control), clean(Protected), clean(Twin), Verdict::Held),
        ];
        for (line, (control, protected, twin, verdict)) in nothing_learnt.into_iter().chain(learnt).enumerate() {
            assert_eq!(judge_attack(&control, &protected, &twin), verdict, "line {line}");
        }
    }

    #[test]
    fn each_line_of_the_workflow_rule() {
        use Role::Workflow;
        assert_eq!(judge_workflow(&clean(Workflow)), Verdict::Passed);
        assert_eq!(judge_workflow(&failed(Workflow)), Verdict::Blocked);
        assert_eq!(judge_workflow(&lacking(Workflow)), Verdict::Untestable("needs a clock".to_owned()));
        assert!(matches!(judge_workflow(&erred(Workflow)), Verdict::Broken(_)));
    }

    #[test]
    fn each_line_of_the_session_rule() {
        use Role::Session;
        assert_eq!(judge_session(&clean(Session)), Verdict::Passed);
        assert_eq!(judge_session(&failed(Session)), Verdict::Blocked);
        assert_eq!(judge_session(&RunResult { harmed: true, ..failed(Session) }), Verdict::Breached);
        assert_eq!(judge_session(&lacking(Session)), Verdict::Untestable("needs a clock".to_owned()));
        assert!(matches!(judge_session(&RunResult { harmed: true, ..erred(Session) }), Verdict::Broken(_)));
    }

    #[test]
    fn the_gravest_verdict_decides_the_exit_code() {
        let (untestable, broken) = (Verdict::Untestable(String::new()), Verdict::Broken(String::new()));
        let table: [(&[&Verdict], u8); 9] = [
            (&[], 3),
            (&[&Verdict::Held], 0),
            (&[&Verdict::Held, &Verdict::Passed], 0),
            (&[&Verdict::Held, &untestable], 5),
            (&[&Verdict::Blocked, &untestable], 4),
            (&[&Verdict::Blocked, &broken, &untestable], 3),
            (&[&broken, &Verdict::Breached], 1),
            (&[&Verdict::Breached, &Verdict::Blocked], 1),
            (&[&Verdict::Breached], 1),
        ];
        for (verdicts, code) in table {
            assert_eq!(ExitClass::of(verdicts.iter().copied()).code(), code, "{verdicts:?}");
        }
    }
}
