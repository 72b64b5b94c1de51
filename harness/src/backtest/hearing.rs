//! The calls of one tape, in their order.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use mcp_gateway::mcp_policy::{Outcome, PriceRequest, Timestamp};
use serde_json::Value;

use super::court::{Court, Recorded, Ruling, Verdict};
use super::frame::{Answer, Body, Frame, Glance, Params, Told};
use super::judge::BacktestError;
use super::order::worth;
use super::report::{Change, Changes, Example};
use super::timeline::Timeline;
use crate::cassette::{Direction, Header, Leg, Seen, TapeReader};

/// So many calls wait for their answers at most; the older half of them is counted without one. A tape may be long, and
/// hostile.
const WAITING_MAX: usize = 4_096;

/// A call that waits: whose, and its id.
type Key = (Option<String>, String);

/// A call that was heard and waits for its recorded decision and its answer.
struct Waiting {
    seq: u64,
    at_ms: u64,
    call: Recorded,
    /// What the candidate says, and the policy that it is held against.
    after: Ruling,
    before: Option<Ruling>,
    decided: Option<Verdict>,
}

/// Somebody's look at a price, on its way.
struct Asked {
    request: PriceRequest,
    at: Timestamp,
}

pub(super) struct Hearing<'a> {
    name: &'a str,
    is_honest: bool,
    origin_ms: u64,
    /// Which agent holds which grant.
    agents: BTreeMap<String, String>,
    candidate: Court,
    other: Option<Court>,
    changes: &'a mut Changes,
    timeline: Timeline,
    /// Who called is told only by decisions, which come after the call: until then it is whom the header names.
    callers: BTreeMap<Option<String>, (String, String)>,
    waiting: BTreeMap<Key, Waiting>,
    /// Those of them that wait for a price, in the order of the calls.
    unpriced: BTreeSet<(u64, Key)>,
    asked: BTreeMap<(Leg, Key), Asked>,
}

/// The grant and session of a connection of which nothing is known but its name.
fn caller(agent: Option<&str>, agents: &BTreeMap<String, String>) -> (String, String) {
    let name = agent.map(|agent| agent.split('#').next().unwrap_or(agent));
    let grant = name.and_then(|name| agents.get(name)).map_or("desk", String::as_str);
    (grant.to_owned(), agent.unwrap_or("session-1").to_owned())
}

impl<'a> Hearing<'a> {
    pub(super) fn new(
        (name, is_honest): (&'a str, bool),
        header: &Header,
        candidate: Court,
        other: Option<Court>,
        changes: &'a mut Changes,
    ) -> Self {
        Self {
            name,
            is_honest,
            origin_ms: header.clock_origin_ms,
            agents: header.agents.clone(),
            candidate,
            other,
            changes,
            timeline: Timeline::new(name),
            callers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            unpriced: BTreeSet::new(),
            asked: BTreeMap::new(),
        }
    }

    /// Judges the calls, and says of the answers no more than an `A` keeps.
    pub(super) fn judge<R: BufRead, A: Answer>(mut self, mut tape: TapeReader<R>) -> Result<(), BacktestError> {
        let mut read = Ok(());
        while let Some(message) = tape.next_as::<Glance<'_, A>>() {
            match message {
                Ok(message) => self.message(message),
                Err(error) => {
                    read = Err(error.into());
                    break;
                }
            }
        }
        // Calls that were never answered.
        self.let_go(0);
        self.changes.timelines.push(self.timeline);
        read
    }

    fn message<A: Answer>(&mut self, message: Glance<'_, A>) {
        let Glance { seq, at_ms, leg, dir, agent, body: Body::Json(seen), .. } = message else { return };
        let Seen(frame) = *seen;
        let key = (agent.map(Cow::into_owned), frame.id.clone());
        let now = Timestamp::from_millis(self.origin_ms.saturating_add(at_ms));
        match (leg, dir) {
            (Leg::Agent | Leg::Upstream, Direction::Out) if frame.method.as_deref() == Some("tools/call") => {
                let Params { name: tool, arguments } = frame.call;
                let tool = tool.unwrap_or_default().into_owned();
                let (grant, session) = self.caller(&key).clone();
                let call = Recorded { tool, arguments, grant, session };
                self.look_at_a_price((leg, &key), &call, now);
                if leg == Leg::Agent {
                    self.call(key, (seq, at_ms), call, now);
                }
            }
            (Leg::Decision, _) => {
                let caller = self.caller(&key);
                for (known, told) in [(&mut caller.0, &frame.grant), (&mut caller.1, &frame.session)] {
                    if let Some(told) = told {
                        told.as_ref().clone_into(known);
                    }
                }
                // What was fetched for it stands before the decision.
                self.hear_again(&key, now);
                if let Some(call) = self.waiting.get_mut(&key) {
                    call.decided = Some(Verdict::decided(&frame));
                }
            }
            (Leg::Agent | Leg::Upstream, Direction::Back) => self.answer((leg, key), frame, now),
            _ => {}
        }
    }

    fn caller(&mut self, (agent, _): &Key) -> &mut (String, String) {
        self.callers.entry(agent.clone()).or_insert_with(|| caller(agent.as_deref(), &self.agents))
    }

    /// In the order of the calls, whatever the order of their answers.
    fn call(&mut self, key: Key, (seq, at_ms): (u64, u64), call: Recorded, now: Timestamp) {
        let after = self.candidate.hear(&call, now, false, Some((&mut self.changes.meters, self.name, seq)));
        let before = self.other.as_mut().map(|court| court.hear(&call, now, false, None));
        if matches!(after, Ruling::Waits) || matches!(before, Some(Ruling::Waits)) {
            self.unpriced.insert((seq, key.clone()));
        }
        // Of two calls under one id the answer is the later one's.
        let unanswered = self.waiting.insert(key.clone(), Waiting { seq, at_ms, call, after, before, decided: None });
        if let Some(unanswered) = unanswered {
            self.unpriced.remove(&(unanswered.seq, key));
            self.count(unanswered, now, &Told::default(), Outcome::Unknown, None);
        }
        if self.waiting.len() > WAITING_MAX {
            self.let_go(WAITING_MAX / 2);
        }
    }

    /// The gateway's own requests stand on the leg behind it; an agent that asks learns the same.
    fn look_at_a_price(&mut self, (leg, key): (Leg, &Key), call: &Recorded, at: Timestamp) {
        let other = || self.other.as_ref().and_then(|court| court.asks(call));
        let Some(request) = self.candidate.asks(call).or_else(other) else { return };
        // Of so many looks without an answer none will have one.
        if self.asked.len() >= WAITING_MAX {
            self.asked.clear();
        }
        self.asked.insert((leg, key.clone()), Asked { request, at });
    }

    fn answer<A: Answer>(&mut self, (leg, key): (Leg, Key), frame: Frame<'_, A>, now: Timestamp) {
        let result = frame.result;
        let (told, outcome) = (result.told().clone(), result.outcome());
        let asked = self.asked.remove(&(leg, key.clone()));
        let value = result.value();
        if let Some(Asked { request, at }) = asked.filter(|_| !told.is_denied) {
            // A failure tells no price, whatever stands in it; of a failed order it may tell that it was not booked.
            let price = value.as_ref().filter(|_| outcome == Outcome::Succeeded);
            for court in std::iter::once(&mut self.candidate).chain(&mut self.other) {
                court.tell(&request, price, at);
            }
            for (_, key) in self.unpriced.clone() {
                self.hear_again(&key, now);
            }
        }
        if leg == Leg::Agent
            && let Some(call) = self.waiting.remove(&key)
        {
            self.unpriced.remove(&(call.seq, key));
            self.count(call, now, &told, outcome, value.as_ref());
        }
    }

    /// Judges what waits for a price, if there is one now.
    fn hear_again(&mut self, key: &Key, now: Timestamp) {
        let Some(call) = self.waiting.get_mut(key).filter(|call| self.unpriced.contains(&(call.seq, key.clone())))
        else {
            return;
        };
        if matches!(call.after, Ruling::Waits) {
            let meters = Some((&mut self.changes.meters, self.name, call.seq));
            call.after = self.candidate.hear(&call.call, now, false, meters);
        }
        if let (Some(Ruling::Waits), Some(court)) = (&call.before, &mut self.other) {
            call.before = Some(court.hear(&call.call, now, false, None));
        }
        if !matches!(call.after, Ruling::Waits) && !matches!(call.before, Some(Ruling::Waits)) {
            self.unpriced.remove(&(call.seq, key.clone()));
        }
    }

    /// Counts the oldest calls without an answer, and keeps so many.
    fn let_go(&mut self, kept: usize) {
        let mut calls: Vec<_> = std::mem::take(&mut self.waiting).into_iter().collect();
        calls.sort_by_key(|(_, call)| call.seq);
        let rest = calls.split_off(calls.len().saturating_sub(kept));
        self.waiting.extend(rest);
        for (key, call) in calls {
            self.unpriced.remove(&(call.seq, key));
            let now = Timestamp::from_millis(self.origin_ms.saturating_add(call.at_ms));
            self.count(call, now, &Told::default(), Outcome::Unknown, None);
        }
    }

    /// A call and what became of it when it was recorded.
    fn count(&mut self, call: Waiting, now: Timestamp, told: &Told, outcome: Outcome, value: Option<&Value>) {
        let Waiting { seq, at_ms, call, after, before, decided } = call;
        // What a gateway stopped when it was recorded had no outcome; a policy that lets it through supposes the best.
        let ran = decided.as_ref().is_none_or(|decided| decided.passes) && !told.is_denied;
        let outcome = if ran { outcome } else { Outcome::Succeeded };
        let mut ended = |court: &mut Court, ruling: Ruling, of_candidate: bool| {
            let ruling = match ruling {
                Ruling::Waits => {
                    let meters = of_candidate.then_some((&mut self.changes.meters, self.name, seq));
                    court.hear(&call, now, true, meters)
                }
                said @ Ruling::Said(..) => said,
            };
            // At its last chance a call is judged.
            let Ruling::Said(verdict, permit) = ruling else { return None };
            if let Some(permit) = permit {
                court.settle(permit, outcome, value.filter(|_| ran));
            }
            Some(verdict)
        };
        let Some(after) = ended(&mut self.candidate, after, true) else { return };
        let before = before.zip(self.other.as_mut()).and_then(|(ruling, court)| ended(court, ruling, false));
        let before = before.or(decided).unwrap_or_else(|| Verdict::answered(told));
        self.changes.calls += 1;
        if after.lacks_price || before.lacks_price {
            self.timeline.add(at_ms, before.passes, before.passes);
            self.changes.unpriced.add(|| format!("{}:{}", self.name, seq + 1));
            return;
        }
        self.compare(&call, (seq, at_ms), &before, after, told);
    }

    fn compare(
        &mut self,
        Recorded { tool, arguments, .. }: &Recorded,
        (seq, at_ms): (u64, u64),
        before: &Verdict,
        after: Verdict,
        told: &Told,
    ) {
        let changes = &mut *self.changes;
        changes.allowed += u64::from(after.passes);
        self.timeline.add(at_ms, before.passes, after.passes);
        let is_order = tool == "bn_new_order";
        let value = worth(tool, arguments, told.quote.as_deref());
        if after.passes {
            changes.largest_order = changes.largest_order.max(value.unwrap_or_default());
        }
        if before.passes == after.passes {
            return;
        }
        if before.passes && self.is_honest {
            changes.honest_stopped.add(is_order, value);
        }
        let side = if before.passes { &mut changes.stopped } else { &mut changes.let_through };
        side.add(is_order, value);
        let kind = (tool.clone(), before.words(), after.words());
        let change = changes.by_kind.entry(kind).or_insert_with(|| Change {
            tool: tool.clone(),
            before: before.words(),
            after: after.words(),
            calls: 0,
            example: Example {
                tape: self.name.to_owned(),
                seq,
                arguments: Value::Object(arguments.clone()).to_string(),
                message: after.message,
            },
        });
        change.calls += 1;
    }
}
