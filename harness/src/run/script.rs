//! Plays the steps of a script.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::cast::Cast;
use super::said::{Said, unmet, who_and_what};
use super::stage::{Stage, StageError};
use super::watching::Watching;
use crate::agent::answer::Answer;
use crate::agent::client::{Agent, Sent, settle};
use crate::agent::direct::Asked;
use crate::agent::listener::Listeners;
use crate::agent::names::{NameError, Names};
use crate::agent::transcript::Transcript;
use crate::scenario::{
    Call, Case, Direct, Each, FIRST_AGENT, Listen, Located, MarketMove, Notify, Operator, Outcome, OwnerOrder,
    Parallel, Raw, Reconnect, Repeat, Request, ServerChange, Step, StepExpect,
};
use crate::soft::{Change, Guise, calls_in};
use crate::target::Deed;
use crate::verdict::Timed;

/// Why a script cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("the step at line {line}: {why}")]
pub(crate) struct ScriptError {
    line: u64,
    why: String,
}

/// How a script is played.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Steps are held against their own expectations.
    pub(crate) judged: bool,
    /// A step that has nothing to go on with is a failure. A rogue skips it.
    pub(crate) honest: bool,
    /// In which words something is stopped does not count, so that steps ask only for what honest work gets.
    pub(crate) by_effects: bool,
}

impl Manner {
    fn asks(self, expect: &StepExpect) -> bool {
        let gets = matches!(expect.outcome, None | Some(Outcome::Allowed));
        self.judged && (!self.by_effects || (self.honest && gets))
    }
}

/// A script being played.
pub(crate) struct Script<'a> {
    pub(crate) cast: Cast,
    case: &'a Case,
    guise: Guise,
    stage: &'a mut Stage,
    transcript: Transcript,
    manner: Manner,
    names: Names,
    pub(crate) listeners: Listeners,
    pub(crate) said: Vec<Said>,
    pub(crate) notified: u64,
    pub(crate) failures: Vec<String>,
    /// What was called alone, for what enforcement costs.
    pub(crate) timed: Vec<Timed>,
    pub(crate) watching: Option<Watching>,
    /// What a step of the script itself was.
    noted: Option<String>,
}

/// A step that was sent and waits for its answer.
struct Pending {
    by: Option<String>,
    sent: Sent,
    what: String,
    line: u64,
    calls: Vec<(String, Map<String, Value>)>,
    answerable: bool,
    name: Option<String>,
    expect: Option<StepExpect>,
    lists_tools: bool,
}

type Played<'f> = Pin<Box<dyn Future<Output = Result<(), ScriptError>> + 'f>>;

impl<'a> Script<'a> {
    pub(crate) fn new(
        cast: Cast,
        case: &'a Case,
        guise: Guise,
        stage: &'a mut Stage,
        transcript: Transcript,
        manner: Manner,
        watching: Option<Watching>,
    ) -> Self {
        let mut names = Names::default();
        names.set("rogue", json!({ "api_key": stage.rogue.api_key, "secret": stage.rogue.secret }));
        for (name, order) in &stage.named_orders {
            names.set(name, order.clone());
        }
        Self {
            cast,
            case,
            guise,
            stage,
            transcript,
            manner,
            names,
            listeners: Listeners::default(),
            said: Vec::new(),
            notified: 0,
            failures: Vec::new(),
            timed: Vec::new(),
            watching,
            noted: None,
        }
    }

    /// Plays steps in order.
    pub(crate) fn play<'s>(&'s mut self, steps: &'s [Located<Step>]) -> Played<'s> {
        Box::pin(async move {
            for step in steps {
                self.step(step).await?;
            }
            Ok(())
        })
    }

    async fn step(&mut self, step: &Located<Step>) -> Result<(), ScriptError> {
        let line = step.line;
        match &step.value {
            Step::Repeat(Repeat { times, steps }) => {
                let outer = self.names.keep("index");
                for turn in 0..*times {
                    self.names.set("index", turn.into());
                    self.play(steps).await?;
                }
                self.names.put_back(outer);
                return Ok(());
            }
            Step::Each(Each { values, name, steps }) => {
                let outer = [self.names.keep("index"), self.names.keep(name)];
                for (turn, value) in values.iter().enumerate() {
                    self.names.set("index", turn.into());
                    // The list itself may hold references, to a loop further out for example.
                    match self.names.value(value) {
                        Ok(value) => self.names.set(name, value),
                        Err(error) => {
                            self.cannot(line, None, &error)?;
                            continue;
                        }
                    }
                    self.play(steps).await?;
                }
                for kept in outer {
                    self.names.put_back(kept);
                }
                return Ok(());
            }
            Step::Parallel(parallel) => self.parallel(parallel).await?,
            Step::Call(_) | Step::Raw(_) | Step::Request(_) => {
                let begun = Instant::now();
                if let Some(pending) = self.send(step).await? {
                    self.finish(vec![pending]).await;
                    let answer = self.said.last().filter(|_| matches!(step.value, Step::Call(_)));
                    let took = begun.elapsed();
                    self.timed.extend(answer.map(|said| Timed { outcome: said.answer.outcome, took }));
                }
            }
            Step::Advance(span) => {
                self.note(format!("the clock moves on by {span}"));
                self.stage.mock.advance(span.as_duration());
                let moved = self.cast.stack.door.time_moves(span.as_duration());
                moved.map_err(|why| ScriptError { line, why })?;
            }
            Step::Listen(listen) => self.listen(line, listen).await?,
            Step::OwnerOrder(order) => self.owner_order(line, order)?,
            Step::Reconnect(_) | Step::Notify(_) if self.cast.is_down() => self.nobody_there(line),
            Step::Notify(notify) => self.notify(line, notify).await?,
            Step::Reconnect(Reconnect { by }) => {
                self.note(format!("`{}` connects anew", by.as_deref().unwrap_or(FIRST_AGENT)));
                self.cast.reconnect(by.as_deref()).await.map_err(|why| ScriptError { line, why })?;
            }
            Step::Operator(operator) => self.operate(line, operator).await?,
            Step::ServerChange(change) => self.server_change(line, change)?,
            Step::Direct(direct) => self.direct(line, direct).await?,
            Step::Market(market) => self.market(line, market)?,
        }
        self.end_step().await;
        Ok(())
    }

    /// Lets everything that is ready to run do so, and puts the step's frames in order.
    async fn end_step(&mut self) {
        settle().await;
        self.transcript.end_section();
        let noted = self.noted.take();
        if let Some(watching) = &mut self.watching {
            watching.step(&self.stage.mock, &self.stage.witness, &self.said, noted);
        }
    }

    fn note(&mut self, what: String) {
        self.transcript.note(what.clone());
        self.noted = Some(what);
    }

    async fn parallel(&mut self, parallel: &Parallel) -> Result<(), ScriptError> {
        let mut pending = Vec::new();
        let outer = self.names.keep("index");
        for turn in 0..parallel.times {
            self.names.set("index", turn.into());
            for step in &parallel.steps {
                pending.extend(self.send(step).await?);
            }
        }
        self.names.put_back(outer);
        self.finish(pending).await;
        Ok(())
    }

    /// Sends what a step says, without waiting. Nothing when the step was skipped.
    async fn send(&mut self, step: &Located<Step>) -> Result<Option<Pending>, ScriptError> {
        let line = step.line;
        if self.cast.is_down() {
            self.nobody_there(line);
            return Ok(None);
        }
        let pending = match &step.value {
            Step::Call(call) => self.send_call(line, call).await,
            Step::Raw(raw) => self.send_raw(line, raw).await,
            Step::Request(request) => self.send_request(line, request).await,
            _ => return Err(ScriptError { line, why: "only calls, frames and requests run in parallel".to_owned() }),
        };
        match pending {
            Ok(pending) => Ok(Some(pending)),
            Err(error) => self.cannot(line, step.value.name(), &error).map(|()| None),
        }
    }

    /// With the gateway down there is nobody to speak to: whatever was to be said is not.
    fn nobody_there(&mut self, line: u64) {
        self.transcript.note(format!("the step at line {line} is skipped: the gateway is down"));
        if self.manner.honest {
            self.failures.push(format!("the step at line {line} could not be carried out: the gateway is down"));
        }
    }

    /// A rogue that was stopped skips the steps that build on what it did not get; anything else is a mistake of the
    /// script, and for honest work both are. What builds on the answer that a skipped step would have got is skipped too.
    fn cannot(&mut self, line: u64, name: Option<&str>, error: &NameError) -> Result<(), ScriptError> {
        match error {
            NameError::NothingToGoOnWith { outcome, .. } => {
                if let Some(name) = name {
                    self.names.set_failed(name, *outcome);
                }
                self.transcript.note(format!("the step at line {line} is skipped: {error}"));
                if self.manner.honest {
                    self.failures.push(format!("the step at line {line} could not be carried out: {error}"));
                }
                Ok(())
            }
            _ => Err(ScriptError { line, why: error.to_string() }),
        }
    }

    async fn send_call(&self, line: u64, call: &Call) -> Result<Pending, NameError> {
        let tool = self.names.text(&call.tool)?;
        let args = self.names.map(&call.args)?;
        let sent = self.agent(call.by.as_deref())?.send_call(&tool, args.clone()).await;
        Ok(Pending {
            by: call.by.clone(),
            sent,
            what: tool.clone(),
            line,
            calls: vec![(tool, args)],
            answerable: true,
            name: call.name.clone(),
            expect: self.expectation(call.expect.as_ref())?,
            lists_tools: false,
        })
    }

    async fn send_raw(&self, line: u64, raw: &Raw) -> Result<Pending, NameError> {
        let bytes = raw.bytes(|text| self.names.text(text))?;
        let sent = self.agent(raw.by.as_deref())?.send_raw(&bytes).await;
        let answerable = matches!(&sent, Sent::Raw { ids, .. } if !ids.is_empty());
        Ok(Pending {
            by: raw.by.clone(),
            sent,
            what: "a raw frame".to_owned(),
            line,
            calls: calls_in(&bytes),
            answerable,
            name: raw.name.clone(),
            expect: self.expectation(raw.expect.as_ref())?,
            lists_tools: false,
        })
    }

    async fn send_request(&self, line: u64, request: &Request) -> Result<Pending, NameError> {
        let method = self.names.text(&request.method)?;
        let params = self.names.map(&request.params)?;
        let sent = self.agent(request.by.as_deref())?.send_request(&method, params.clone()).await;
        let call = || {
            let name = params.get("name")?.as_str()?.to_owned();
            let arguments = params.get("arguments").and_then(Value::as_object).cloned().unwrap_or_default();
            Some((name, arguments))
        };
        Ok(Pending {
            by: request.by.clone(),
            sent,
            calls: (method == "tools/call").then(call).flatten().into_iter().collect(),
            lists_tools: method == "tools/list",
            what: method,
            line,
            answerable: true,
            name: request.name.clone(),
            expect: self.expectation(request.expect.as_ref())?,
        })
    }

    /// A step's expectation with its references filled in.
    fn expectation(&self, expect: Option<&StepExpect>) -> Result<Option<StepExpect>, NameError> {
        let Some(expect) = expect else { return Ok(None) };
        let mut expect = expect.clone();
        expect.values.0 = self.names.map(&expect.values)?;
        expect.contains = expect.contains.map(|text| self.names.text(&text)).transpose()?;
        Ok(Some(expect))
    }

    fn agent(&self, by: Option<&str>) -> Result<&Agent, NameError> {
        self.cast.agent(by).map_err(NameError::NoAgent)
    }

    async fn finish(&mut self, pending: Vec<Pending>) {
        for (pending, answer) in self.answered(pending).await {
            let Pending { by, what, line, calls, answerable, name, expect, lists_tools, .. } = pending;
            if let Some(name) = name {
                self.names.set_answer(&name, &answer);
            }
            if let Some(expect) = expect.as_ref().filter(|expect| self.manner.asks(expect)) {
                let (unmet, what) = (unmet(expect, &answer), who_and_what(by.as_deref(), &what));
                self.failures.extend(unmet.into_iter().map(|unmet| format!("{what} at line {line}: {unmet}")));
            }
            self.said.push(Said { by, what, line, calls, answerable, answer, expect, lists_tools });
        }
    }

    /// Waits for the answers, of one agent after the other, and gives them in the order of what was sent.
    async fn answered(&self, pending: Vec<Pending>) -> Vec<(Pending, Answer)> {
        let mut of: BTreeMap<Option<String>, Vec<(usize, Pending)>> = BTreeMap::new();
        for (place, pending) in pending.into_iter().enumerate() {
            of.entry(pending.by.clone()).or_default().push((place, pending));
        }
        let mut answered = Vec::new();
        for (by, pending) in of {
            let sent: Vec<&Sent> = pending.iter().map(|(_, pending)| &pending.sent).collect();
            let answers = match self.cast.agent(by.as_deref()) {
                Ok(agent) => agent.answers(&sent).await,
                Err(_) => sent.iter().map(|_| Answer::silent()).collect(),
            };
            answered.extend(pending.into_iter().zip(answers));
        }
        answered.sort_by_key(|((place, _), _)| *place);
        answered.into_iter().map(|((_, pending), answer)| (pending, answer)).collect()
    }

    async fn notify(&mut self, line: u64, notify: &Notify) -> Result<(), ScriptError> {
        let filled = self.names.text(&notify.method).and_then(|method| Ok((method, self.names.map(&notify.params)?)));
        match filled {
            Ok((method, params)) => {
                let agent = self.cast.agent(notify.by.as_deref()).map_err(|why| ScriptError { line, why })?;
                agent.notify(&method, params).await;
                self.notified += 1;
                Ok(())
            }
            Err(error) => self.cannot(line, None, &error),
        }
    }

    async fn listen(&mut self, line: u64, listen: &Listen) -> Result<(), ScriptError> {
        let name = listen.name.as_deref().unwrap_or("stream");
        let key = match self.names.text(&listen.key) {
            Ok(key) => key,
            Err(error) => return self.cannot(line, None, &error),
        };
        match self.listeners.listen(&self.stage.mock.ws_url(), &key, name).await {
            Ok(()) => self.note(format!("listening to the stream `{name}`")),
            Err(why) => {
                self.transcript.note(why.clone());
                if self.manner.honest {
                    self.failures.push(format!("the step at line {line} could not be carried out: {why}"));
                }
            }
        }
        Ok(())
    }

    /// What the gateway's people do. What they could not do is a failure of a judged run: the script counts on it.
    async fn operate(&mut self, line: u64, operator: &Operator) -> Result<(), ScriptError> {
        let case = self.case;
        let deed = match operator {
            Operator::ThrowKillSwitch => Deed::ThrowKillSwitch,
            Operator::ReleaseKillSwitch => Deed::ReleaseKillSwitch,
            Operator::Reload(name) => match case.reloads.get(&name.value) {
                Some(policy) => Deed::Reload(policy),
                None => return Err(ScriptError { line, why: format!("the policy `{name}` was not read") }),
            },
            Operator::ReloadBroken(text) => Deed::ReloadBroken(text),
            Operator::Approve => Deed::Approve,
            Operator::Deny => Deed::Deny,
            Operator::FillAudit => Deed::Audit(false),
            Operator::EmptyAudit => Deed::Audit(true),
            Operator::Restart => Deed::Restart,
            Operator::RestartRefused => Deed::RestartRefused,
            Operator::BreakStore => Deed::Store(false),
            Operator::MendStore => Deed::Store(true),
            Operator::TamperAudit(tampering) => Deed::Tamper(*tampering),
        };
        match self.cast.operate(deed).await {
            Ok(done) => self.note(done),
            Err(why) => {
                self.note(why.clone());
                if self.manner.judged {
                    self.failures.push(format!("the step at line {line} could not be carried out: {why}"));
                }
            }
        }
        Ok(())
    }

    fn server_change(&mut self, line: u64, change: &ServerChange) -> Result<(), ScriptError> {
        let acts_as = change.acts_as.as_ref();
        let acts_as = acts_as.map(|other| Ok((other.tool.clone(), self.names.map(&other.args)?))).transpose();
        let acts_as = acts_as.map_err(|error: NameError| ScriptError { line, why: error.to_string() })?;
        let ServerChange { tool, description, destructive, argument, answers, dumps_requests, hangs_up, .. } =
            change.clone();
        self.note(format!("the server changes its tool `{tool}`"));
        let change = Change { description, destructive, argument, acts_as, answers, dumps_requests, hangs_up };
        self.guise.change(&tool, change);
        Ok(())
    }

    async fn direct(&mut self, line: u64, direct: &Direct) -> Result<(), ScriptError> {
        let filled = || {
            let key = direct.key.as_deref().map(|key| self.names.text(key)).transpose()?;
            Ok::<_, NameError>((key, self.names.map(&direct.params)?))
        };
        let (key, params) = match filled() {
            Ok(filled) => filled,
            Err(error) => return self.cannot(line, direct.name.as_deref(), &error),
        };
        let asked = Asked { method: &direct.method, path: &direct.path, key: key.as_deref(), params: &params };
        let answer = asked.ask(&self.stage.mock.rest_url()).await.map_err(|why| ScriptError { line, why })?;
        self.note(format!("past everybody, {} {}: {}", direct.method, direct.path, answer.text));
        if let Some(name) = &direct.name {
            self.names.set_answer(name, &answer);
        }
        Ok(())
    }

    fn market(&mut self, line: u64, market: &MarketMove) -> Result<(), ScriptError> {
        let MarketMove { symbol, price } = market;
        let moved = self.stage.move_market(symbol, price);
        moved.map_err(|error: StageError| ScriptError { line, why: error.to_string() })?;
        self.note(format!("the market of {symbol} goes to {}", price.text()));
        Ok(())
    }

    fn owner_order(&mut self, line: u64, order: &OwnerOrder) -> Result<(), ScriptError> {
        let answer =
            self.stage.owner_order(order).map_err(|error: StageError| ScriptError { line, why: error.to_string() })?;
        self.note(format!("the owner places an order at the exchange: {answer}"));
        if let Some(name) = &order.name {
            self.names.set(name, answer);
        }
        Ok(())
    }
}
