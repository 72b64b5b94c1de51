//! Judges the calls of tapes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::BufRead;

use mcp_gateway::mcp_policy::{Call, Decision, Guard, Moment, Outcome, PolicyErrors, Reason, Timestamp};
use serde_json::{Map, Value};

use super::frame::{Body, Frame, Glance, Params, Told};
use super::headroom::Meters;
use super::order::worth;
use super::report::{Change, Changes, Example};
use super::timeline::Timeline;
use crate::cassette::{Direction, Leg, Seen, TapeError, TapeReader};
use crate::scenario::PolicyFile;

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

/// What the person says who is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Approvals {
    /// No, or nothing in time: what is asked for is stopped.
    #[default]
    Denied,
    /// Yes, each time. An approval lifts no other rule, and an approved call is charged as any other.
    Granted,
}

/// Judges tapes by a candidate policy.
#[derive(Debug)]
pub struct Backtest {
    candidate: PolicyFile,
    against: Option<PolicyFile>,
    approvals: Approvals,
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
    /// What was decided.
    word: Cow<'static, str>,
    /// By which rule, where that is known.
    rule: String,
    message: String,
}

impl Verdict {
    fn words(&self) -> String {
        if self.rule.is_empty() { self.word.to_string() } else { format!("{} {}", self.word, self.rule) }
    }
}

/// So many calls wait for their answers at most; the older half of them is counted without one. A tape may be long, and
/// hostile.
const WAITING_MAX: usize = 4_096;

/// A call that waits: whose, and its id.
type Key = (Option<String>, String);

/// The grant and session of a connection of which nothing is known but its name.
fn caller(agent: Option<&str>, agents: &BTreeMap<String, String>) -> (String, String) {
    let name = agent.map(|agent| agent.split('#').next().unwrap_or(agent));
    let grant = name.and_then(|name| agents.get(name)).map_or("desk", String::as_str);
    (grant.to_owned(), agent.unwrap_or("session-1").to_owned())
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
    decided: Option<Verdict>,
}

impl Backtest {
    /// Holds `candidate` against another policy, or against the decisions on the tapes. Both are documents.
    ///
    /// # Errors
    /// One of them is no policy.
    pub fn new(candidate: &PolicyFile, against: Option<&PolicyFile>) -> Result<Self, BacktestError> {
        for document in [Some(candidate), against].into_iter().flatten() {
            document.document().parse()?;
        }
        let against = against.cloned();
        let approvals = Approvals::default();
        Ok(Self { candidate: candidate.clone(), against, approvals, changes: Changes::default() })
    }

    /// The same with another answer of the person who is asked.
    #[must_use]
    pub fn with_approvals(self, approvals: Approvals) -> Self {
        Self { approvals, ..self }
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

    fn judge<R: BufRead>(&mut self, of: &mut Session<'_>, mut tape: TapeReader<R>) -> Result<(), BacktestError> {
        let origin_ms = tape.header().clock_origin_ms;
        let mut candidate = Guard::new(self.candidate.document().parse()?);
        let mut other = self.against.as_ref().map(|file| file.document().parse()).transpose()?.map(Guard::new);
        let mut waiting: BTreeMap<Key, Waiting> = BTreeMap::new();
        let agents = tape.header().agents.clone();
        // Who called is told only by decisions, which come after the call: until then it is whom the header names.
        let mut callers: BTreeMap<Option<String>, (String, String)> = BTreeMap::new();
        while let Some(message) = tape.next_as::<Glance<'_>>() {
            let Glance { seq, at_ms, leg, dir, agent, body: Body::Json(seen), .. } = message? else { continue };
            let Seen(frame) = *seen;
            let agent = agent.map(Cow::into_owned);
            match (leg, dir) {
                (Leg::Agent, Direction::Out) if frame.method.as_deref() == Some("tools/call") => {
                    let Frame { id, call: Params { name: tool, arguments }, .. } = frame;
                    let tool = tool.unwrap_or_default().into_owned();
                    // In the order of the calls, whatever the order of their answers.
                    let (grant, session) =
                        callers.entry(agent.clone()).or_insert_with(|| caller(agent.as_deref(), &agents));
                    let call = Call { tool: &tool, arguments: &arguments, grant, session };
                    let now = Timestamp::from_millis(origin_ms.saturating_add(at_ms));
                    let meters = Some((&mut self.changes.meters, of.name, seq));
                    let after = judged(&mut candidate, &call, now, self.approvals, meters);
                    let before = other.as_mut().map(|guard| judged(guard, &call, now, self.approvals, None));
                    let call = Waiting { seq, at_ms, tool, arguments, after, before, decided: None };
                    // Of two calls under one id the answer is the later one's.
                    if let Some(unanswered) = waiting.insert((agent, id), call) {
                        self.count(of, unanswered, &Told::default());
                    }
                    if waiting.len() > WAITING_MAX {
                        self.let_go(of, &mut waiting, WAITING_MAX / 2);
                    }
                }
                (Leg::Decision, _) => {
                    let (grant, session) =
                        callers.entry(agent.clone()).or_insert_with(|| caller(agent.as_deref(), &agents));
                    for (known, told) in [(grant, &frame.grant), (session, &frame.session)] {
                        if let Some(told) = told {
                            told.as_ref().clone_into(known);
                        }
                    }
                    if let Some(call) = waiting.get_mut(&(agent, frame.id.clone())) {
                        call.decided = Some(decided(&frame));
                    }
                }
                (Leg::Agent, Direction::Back) => {
                    if let Some(call) = waiting.remove(&(agent, frame.id.clone())) {
                        self.count(of, call, &frame.result.told);
                    }
                }
                _ => {}
            }
        }
        // Calls that were never answered.
        self.let_go(of, &mut waiting, 0);
        Ok(())
    }

    /// Counts the oldest calls without an answer, and keeps so many.
    fn let_go(&mut self, of: &mut Session<'_>, waiting: &mut BTreeMap<Key, Waiting>, kept: usize) {
        let mut calls: Vec<_> = std::mem::take(waiting).into_iter().collect();
        calls.sort_by_key(|(_, call)| call.seq);
        let rest = calls.split_off(calls.len().saturating_sub(kept));
        waiting.extend(rest);
        for (_, call) in calls {
            self.count(of, call, &Told::default());
        }
    }

    /// What was found.
    pub fn finish(self) -> Changes {
        self.changes.finish()
    }

    fn count(&mut self, of: &mut Session<'_>, call: Waiting, told: &Told) {
        let Waiting { seq, at_ms, tool, arguments, after, before, decided } = call;
        let before = before.or(decided).unwrap_or_else(|| answered(told));
        let changes = &mut self.changes;
        changes.calls += 1;
        changes.allowed += u64::from(after.passes);
        of.timeline.add(at_ms, before.passes, after.passes);
        let is_order = tool == "bn_new_order";
        let value = worth(&tool, &arguments, told.quote.as_deref());
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
        let kind = (tool.clone(), before.words(), after.words());
        let change = changes.by_kind.entry(kind).or_insert_with(|| Change {
            tool,
            before: before.words(),
            after: after.words(),
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
fn judged(
    guard: &mut Guard,
    call: &Call<'_>,
    now: Timestamp,
    approvals: Approvals,
    mut meters: Option<(&mut Meters, &str, u64)>,
) -> Verdict {
    let mut decision = guard.admit(call, now);
    let asked = match (&decision, approvals) {
        (Decision::Escalate(escalation), Approvals::Granted) => Some(escalation.rule.clone()),
        _ => None,
    };
    if asked.is_some() {
        decision = guard.admit(call, Moment::new(now).approved(true));
    }
    let (passes, word, rule, message) = match decision {
        Decision::Allow(permit) => {
            if let Some((meters, tape, seq)) = &mut meters {
                for charged in guard.charged(&permit) {
                    meters.charge(guard.policy(), &charged, || format!("{tape}:{}", *seq + 1));
                }
            }
            let rule = asked.clone().unwrap_or_else(|| permit.rule().to_owned());
            guard.settle(permit, Outcome::Succeeded);
            (true, if asked.is_some() { "approved" } else { "allow" }, rule, String::new())
        }
        Decision::Deny(denial) => {
            if let Some((meters, ..)) = meters.filter(|_| denial.reason == Reason::LimitReached) {
                meters.refuse(guard.policy(), &denial.rule);
            }
            (false, "deny", denial.rule, denial.message)
        }
        Decision::Escalate(escalation) => (false, "ask", escalation.rule, escalation.message),
    };
    Verdict { passes, word: word.into(), rule, message }
}

/// What a gateway said at the time.
fn decided(frame: &Frame<'_>) -> Verdict {
    let word = frame.decision.as_deref().unwrap_or_default().to_owned();
    let rule = frame.rule.as_deref().unwrap_or_default().to_owned();
    Verdict { passes: word == "allow", word: word.into(), rule, message: String::new() }
}

/// Without the words of a gateway, whatever was not answered with a refusal passed.
fn answered(told: &Told) -> Verdict {
    let word = if told.is_denied { "denied, as recorded" } else { "passed, as recorded" };
    Verdict { passes: !told.is_denied, word: word.into(), rule: String::new(), message: String::new() }
}
