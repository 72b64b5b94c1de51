//! Judges the calls of tapes.

use std::collections::BTreeMap;
use std::io::BufRead;

use mcp_gateway::mcp_policy::{Call, Decision, Guard, Outcome, Policy, PolicyErrors, Reason, Timestamp};
use serde_json::{Map, Value};

use super::headroom::Meters;
use super::order::worth;
use super::report::{Change, Changes, Example};
use super::timeline::Timeline;
use crate::cassette::{Body, Direction, Leg, Message, TapeError, TapeReader};

/// Why a backtest could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// A policy is none.
    #[error(transparent)]
    Policy(#[from] PolicyErrors),
    /// A tape cannot be read.
    #[error(transparent)]
    Tape(#[from] TapeError),
}

/// Judges tapes by a candidate policy.
#[derive(Debug)]
pub struct Backtest {
    candidate: String,
    against: Option<String>,
    changes: Changes,
}

/// The tape that is being judged.
struct Session<'a> {
    name: &'a str,
    is_honest: bool,
    timeline: Timeline,
}

/// A verdict and who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    passes: bool,
    words: String,
    message: String,
}

/// A call that was judged and waits for its recorded decision and its answer.
struct Waiting {
    seq: u64,
    at_ms: u64,
    tool: String,
    arguments: Map<String, Value>,
    /// What the candidate says, and the policy that it is held against.
    after: Verdict,
    before: Option<Verdict>,
    decided: Option<Value>,
}

impl Backtest {
    /// Holds `candidate` against another policy, or against the decisions on the tapes. Both are documents.
    ///
    /// # Errors
    /// One of them is no policy.
    pub fn new(candidate: &str, against: Option<&str>) -> Result<Self, BacktestError> {
        for document in [Some(candidate), against].into_iter().flatten() {
            Policy::parse(document)?;
        }
        let against = against.map(ToOwned::to_owned);
        Ok(Self { candidate: candidate.to_owned(), against, changes: Changes::default() })
    }

    /// Judges one tape; each begins with nothing counted.
    ///
    /// # Errors
    /// The tape cannot be read; what was read is judged.
    pub fn tape<R: BufRead>(&mut self, name: &str, tape: TapeReader<R>) -> Result<(), BacktestError> {
        let mut session = Session { name, is_honest: false, timeline: Timeline::new(name) };
        let judged = self.judge(&mut session, tape);
        self.changes.timelines.push(session.timeline);
        judged
    }

    /// The same for a tape of honest work: what the candidate stops of it is told apart.
    ///
    /// # Errors
    /// The tape cannot be read; what was read is judged.
    pub fn honest_tape<R: BufRead>(&mut self, name: &str, tape: TapeReader<R>) -> Result<(), BacktestError> {
        let mut session = Session { name, is_honest: true, timeline: Timeline::new(name) };
        let judged = self.judge(&mut session, tape);
        self.changes.timelines.push(session.timeline);
        judged
    }

    fn judge<R: BufRead>(&mut self, of: &mut Session<'_>, tape: TapeReader<R>) -> Result<(), BacktestError> {
        let origin_ms = tape.header().clock_origin_ms;
        let mut candidate = Guard::new(Policy::parse(&self.candidate)?);
        let mut other = self.against.as_deref().map(Policy::parse).transpose()?.map(Guard::new);
        let mut waiting: BTreeMap<String, Waiting> = BTreeMap::new();
        // Who called is told only by decisions, which come after the call: until then it is the usual one.
        let (mut grant, mut session) = ("desk".to_owned(), "session-1".to_owned());
        for message in tape {
            let message = message?;
            let Message { seq, at_ms, leg, dir, body: Body::Json(value), .. } = message else { continue };
            let id = value.get("id").map(Value::to_string).unwrap_or_default();
            match (leg, dir) {
                (Leg::Agent, Direction::Out) if value.get("method").is_some_and(|method| method == "tools/call") => {
                    let name_of = value.pointer("/params/name").and_then(Value::as_str).unwrap_or_default();
                    let arguments = value.pointer("/params/arguments").and_then(Value::as_object);
                    let (tool, arguments) = (name_of.to_owned(), arguments.cloned().unwrap_or_default());
                    // In the order of the calls, whatever the order of their answers.
                    let call = Call { tool: &tool, arguments: &arguments, grant: &grant, session: &session };
                    let now = Timestamp::from_millis(origin_ms.saturating_add(at_ms));
                    let meters = Some((&mut self.changes.meters, of.name, seq));
                    let after = judged(&mut candidate, &call, now, meters);
                    let before = other.as_mut().map(|guard| judged(guard, &call, now, None));
                    waiting.insert(id, Waiting { seq, at_ms, tool, arguments, after, before, decided: None });
                }
                (Leg::Decision, _) => {
                    let text = |name: &str| value.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
                    (grant, session) = (text("grant").unwrap_or(grant), text("session").unwrap_or(session));
                    if let Some(call) = waiting.get_mut(&id) {
                        call.decided = Some(value);
                    }
                }
                (Leg::Agent, Direction::Back) => {
                    if let Some(call) = waiting.remove(&id) {
                        self.count(of, call, Some(&value));
                    }
                }
                _ => {}
            }
        }
        // Calls that were never answered.
        let mut left: Vec<_> = waiting.into_values().collect();
        left.sort_by_key(|call| call.seq);
        for call in left {
            self.count(of, call, None);
        }
        Ok(())
    }

    /// What was found.
    pub fn finish(self) -> Changes {
        self.changes.finish()
    }

    fn count(&mut self, of: &mut Session<'_>, call: Waiting, answer: Option<&Value>) {
        let Waiting { seq, at_ms, tool, arguments, after, before, decided } = call;
        let before = before.unwrap_or_else(|| recorded(decided.as_ref(), answer));
        let changes = &mut self.changes;
        changes.calls += 1;
        changes.allowed += u64::from(after.passes);
        of.timeline.add(at_ms, before.passes, after.passes);
        let told = answer.and_then(|answer| answer.pointer("/result/structuredContent"));
        let is_order = tool == "bn_new_order";
        let value = worth(&tool, &arguments, told);
        if after.passes {
            changes.largest_order = changes.largest_order.max(value.unwrap_or_default());
        }
        if before.passes == after.passes {
            return;
        }
        if before.passes && of.is_honest {
            changes.honest_stopped.add(is_order, value);
        }
        let side = if before.passes { &mut changes.stopped } else { &mut changes.let_through };
        side.add(is_order, value);
        let kind = (tool.clone(), before.words.clone(), after.words.clone());
        let change = changes.by_kind.entry(kind).or_insert_with(|| Change {
            tool,
            before: before.words,
            after: after.words,
            calls: 0,
            example: Example {
                tape: of.name.to_owned(),
                seq,
                arguments: Value::Object(arguments).to_string(),
                message: after.message,
            },
        });
        change.calls += 1;
    }
}

/// `meters` are told what a limit was charged or refused, by the call of this number on this tape.
fn judged(guard: &mut Guard, call: &Call<'_>, now: Timestamp, meters: Option<(&mut Meters, &str, u64)>) -> Verdict {
    match guard.admit(call, now) {
        Decision::Allow(permit) => {
            if let Some((meters, tape, seq)) = meters {
                for charged in guard.charged(&permit) {
                    meters.charge(&charged, || format!("{tape}:{}", seq + 1));
                }
            }
            let words = format!("allow {}", permit.rule());
            guard.settle(permit, Outcome::Succeeded);
            Verdict { passes: true, words, message: String::new() }
        }
        Decision::Deny(denial) => {
            if let Some((meters, ..)) = meters.filter(|_| denial.reason == Reason::LimitReached) {
                meters.refuse(&denial.rule);
            }
            Verdict { passes: false, words: format!("deny {}", denial.rule), message: denial.message }
        }
        Decision::Escalate(escalation) => {
            Verdict { passes: false, words: format!("ask {}", escalation.rule), message: escalation.message }
        }
    }
}

/// What a gateway said at the time; without one, whatever was answered without an error passed.
fn recorded(decided: Option<&Value>, answer: Option<&Value>) -> Verdict {
    let Some(decided) = decided else {
        let refused = answer.is_some_and(|answer| answer.pointer("/result/structuredContent/denied").is_some());
        let words = if refused { "denied, as recorded" } else { "passed, as recorded" };
        return Verdict { passes: !refused, words: words.to_owned(), message: String::new() };
    };
    let text = |name: &str| decided.get(name).and_then(Value::as_str).unwrap_or_default();
    let words = format!("{} {}", text("decision"), text("rule"));
    Verdict { passes: text("decision") == "allow", words, message: String::new() }
}
