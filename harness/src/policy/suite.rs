//! Tests of a policy: calls on a clock of their own, and what is to become of each.
//!
//! ```yaml
//! policy: desk.json                 # beside this file
//! clock: "2026-01-05T00:00:00Z"
//! tests:
//!   - name: a second listen key within thirty minutes is one too many
//!     steps:
//!       - { call: bn_create_listen_key, expect: allow }
//!       - { advance: 29m }
//!       - { call: bn_create_listen_key, expect: deny, rule: /tools/bn_create_listen_key/limits/0 }
//!       - { advance: 1m }
//!       - { call: bn_create_listen_key, expect: allow }
//! ```
//!
//! Each test begins with nothing counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mcp_gateway::mcp_policy::{Call, Decision, Guard, Moment, Outcome, Policy, Settlement, Timestamp};
use serde::Deserialize;

use super::read::read_policy;
use crate::scenario::{Args, Data, Dec, Located, Problem, Span, UtcTime, from_yaml};

/// A file of tests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// The policy, relative to the file.
    policy: String,
    /// The time at which each test begins.
    #[serde(default = "usual_clock")]
    clock: UtcTime,
    tests: Vec<Test>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    name: String,
    steps: Vec<Located<Step>>,
}

/// A call, or time that passes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    advance: Option<Span>,
    /// What the tools that are asked for prices tell at this time, symbol by symbol.
    prices: Option<BTreeMap<String, Dec>>,
    call: Option<String>,
    #[serde(default)]
    args: Args,
    expect: Option<Expected>,
    /// Which rule decides, as a pointer into the policy.
    rule: Option<String>,
    /// The code of the reason why not.
    reason: Option<String>,
    /// A part of what the agent is told.
    says: Option<String>,
    /// Rules in shadow that would have refused.
    shadow: Option<Vec<String>>,
    #[serde(default = "once")]
    times: u32,
    #[serde(default = "usual_grant")]
    grant: String,
    #[serde(default = "usual_session")]
    session: String,
    /// The kill switch is on.
    #[serde(default)]
    halted: bool,
    /// A person has approved the call.
    #[serde(default)]
    approved: bool,
    /// What becomes of the call.
    #[serde(default)]
    outcome: Became,
    /// What the tool answers, without the envelope.
    result: Option<Data>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expected {
    Allow,
    Deny,
    /// A person is asked.
    Ask,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Became {
    #[default]
    Succeeded,
    Failed,
    Unknown,
    NeverSent,
    /// It is not settled: it stays under way.
    Pending,
}

fn usual_clock() -> UtcTime {
    UtcTime::from_millis(1_767_571_200_000)
}

const fn once() -> u32 {
    1
}

fn usual_grant() -> String {
    "desk".to_owned()
}

fn usual_session() -> String {
    "session-1".to_owned()
}

impl Expected {
    const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Ask => "ask",
        }
    }
}

/// A file of tests, carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// Its tests.
    pub tests: Vec<TestRun>,
    /// Rules of the policy that refused a call at least once, or would have in shadow.
    pub reached: Vec<String>,
    /// Rules that never did: nothing would be noticed if they were missing.
    pub untested: Vec<String>,
    /// Warnings about the policy.
    pub warnings: Vec<Problem>,
}

/// One test, carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRun {
    /// Its name.
    pub name: String,
    /// What was not as expected.
    pub failures: Vec<Failure>,
}

/// Something that was not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The line of the step in its file.
    pub line: u64,
    /// What.
    pub what: String,
}

impl Tested {
    /// Whether every test holds.
    pub fn holds(&self) -> bool {
        self.tests.iter().all(|test| test.failures.is_empty())
    }
}

/// What was decided of a call.
struct Verdict {
    word: Expected,
    rule: String,
    reason: Option<&'static str>,
    message: String,
    shadow: Vec<String>,
}

/// The policy that a file of tests is about.
///
/// # Errors
/// The file cannot be read or is no file of tests.
pub fn policy_of_tests(path: &Path) -> Result<PathBuf, Problem> {
    let source = fs::read_to_string(path).map_err(|error| Problem::error("unreadable", path, error.to_string()))?;
    from_yaml(path, &source).map(|suite: Suite| suite.policy_beside(path))
}

/// Reads a file of tests and carries them out.
///
/// # Errors
/// The file or its policy cannot be read: everything that is wrong with them.
pub fn load(path: &Path) -> Result<Tested, Vec<Problem>> {
    let source =
        fs::read_to_string(path).map_err(|error| vec![Problem::error("unreadable", path, error.to_string())])?;
    let suite: Suite = from_yaml(path, &source).map_err(|problem| vec![problem])?;
    let problems = suite.problems(path, &source);
    if !problems.is_empty() {
        return Err(problems);
    }
    suite.carry_out(&suite.policy_beside(path))
}

impl Suite {
    fn policy_beside(&self, path: &Path) -> PathBuf {
        path.parent().unwrap_or(Path::new("")).join(&self.policy)
    }

    fn problems(&self, path: &Path, source: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for step in self.tests.iter().flat_map(|test| &test.steps) {
            let mut wrong = |what: &str, help: &str| {
                problems.push(Problem::error("step", path, what).at(source, step.line, step.column).help(help));
            };
            match (&step.advance, &step.prices, &step.call) {
                (Some(_), None, None) | (None, Some(_), None) if step.expect.is_none() => {}
                (Some(_), None, None) => {
                    wrong("time passes without a verdict", "leave `expect` out, or write a `call`");
                }
                (None, Some(_), None) => {
                    wrong("prices are told without a verdict", "leave `expect` out, or write a `call`");
                }
                (None, None, Some(_)) if step.expect.is_some() => {}
                (None, None, Some(_)) => wrong("the call has no verdict", "write `expect: allow`, `deny` or `ask`"),
                _ => wrong("a step is a `call`, an `advance` or `prices`", "write one of them, and not several"),
            }
            if step.times == 0 {
                wrong("`times: 0` does nothing", "leave the step out");
            }
        }
        problems
    }

    fn carry_out(&self, policy: &Path) -> Result<Tested, Vec<Problem>> {
        let (parsed, warnings) = read_policy(policy)?;
        let rules: Vec<String> = parsed.rules_told().into_iter().map(ToOwned::to_owned).collect();
        let mut seen = BTreeSet::new();
        let mut tests = Vec::new();
        for test in &self.tests {
            // A guard keeps its policy, so each has one of its own.
            tests.push(self.run(test, read_policy(policy)?.0, &mut seen));
        }
        let (reached, untested) = rules.into_iter().partition(|rule| seen.contains(rule));
        Ok(Tested { tests, reached, untested, warnings })
    }

    fn run(&self, test: &Test, policy: Policy, seen: &mut BTreeSet<String>) -> TestRun {
        let mut guard = Guard::new(policy);
        let mut now = self.clock.as_millis();
        let mut failures = Vec::new();
        for step in &test.steps {
            if let Some(span) = step.advance {
                now = now.saturating_add(span.as_millis());
            }
            for (symbol, price) in step.prices.iter().flatten() {
                if let Err(error) = guard.suppose_price(symbol, &price.to_string(), Timestamp::from_millis(now)) {
                    failures.push(Failure { line: step.line, what: format!("the price of `{symbol}`: {error}") });
                }
            }
            let Some(tool) = &step.call else { continue };
            for time in 1..=step.times {
                let verdict = step.judge(&mut guard, tool, now);
                seen.extend(verdict.shadow.iter().cloned());
                if verdict.word != Expected::Allow {
                    seen.insert(verdict.rule.clone());
                }
                if let Some(what) = step.differs(&verdict) {
                    let which = if step.times > 1 { format!(", time {time} of {}", step.times) } else { String::new() };
                    failures.push(Failure { line: step.line, what: format!("`{tool}`{which}: {what}") });
                    break;
                }
            }
        }
        TestRun { name: test.name.clone(), failures }
    }
}

impl Step {
    fn judge(&self, guard: &mut Guard, tool: &str, now: u64) -> Verdict {
        let call = Call { tool, arguments: &self.args, grant: &self.grant, session: &self.session };
        let moment = Moment::new(Timestamp::from_millis(now)).halted(self.halted).approved(self.approved);
        match guard.admit(&call, moment) {
            Decision::Allow(permit) => {
                let shadow = permit.shadows().iter().map(|denial| denial.rule.clone()).collect();
                let rule = permit.rule().to_owned();
                let outcome = match self.outcome {
                    Became::Succeeded => Some(Outcome::Succeeded),
                    Became::Failed => Some(Outcome::Failed),
                    Became::Unknown => Some(Outcome::Unknown),
                    Became::NeverSent => Some(Outcome::NeverSent),
                    Became::Pending => None,
                };
                match (outcome, &self.result) {
                    (Some(outcome), Some(Data(value))) => {
                        guard.settle(permit, Settlement::new(outcome).with_value(value));
                    }
                    (Some(outcome), None) => guard.settle(permit, outcome),
                    (None, _) => {}
                }
                Verdict { word: Expected::Allow, rule, reason: None, message: String::new(), shadow }
            }
            Decision::Deny(denial) => Verdict {
                word: Expected::Deny,
                reason: Some(denial.reason.code()),
                rule: denial.rule,
                message: denial.message,
                shadow: Vec::new(),
            },
            Decision::Escalate(escalation) => Verdict {
                word: Expected::Ask,
                rule: escalation.rule,
                reason: None,
                message: escalation.message,
                shadow: Vec::new(),
            },
        }
    }

    fn differs(&self, verdict: &Verdict) -> Option<String> {
        let expected = self.expect?;
        let Verdict { word, rule, reason, message, shadow } = verdict;
        let because = if message.is_empty() { String::new() } else { format!(": {message}") };
        if *word != expected {
            return Some(format!("must be {}, is {} by `{rule}`{because}", expected.word(), word.word()));
        }
        if let Some(wanted) = self.rule.as_ref().filter(|wanted| *wanted != rule) {
            return Some(format!("must be decided by `{wanted}`, is by `{rule}`{because}"));
        }
        if let Some(wanted) = self.reason.as_deref().filter(|wanted| Some(*wanted) != *reason) {
            return Some(format!("must be denied as `{wanted}`, is as `{}`{because}", reason.unwrap_or("none")));
        }
        if let Some(wanted) = self.says.as_ref().filter(|wanted| !message.contains(wanted.as_str())) {
            return Some(format!("must say `{wanted}`, says `{message}`"));
        }
        if let Some(wanted) = self.shadow.as_ref().filter(|wanted| *wanted != shadow) {
            return Some(format!("must be refused in shadow by {wanted:?}, is by {shadow:?}"));
        }
        None
    }
}
