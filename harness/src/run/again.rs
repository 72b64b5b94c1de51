//! A run that is made of a tape: what its agent sent is sent again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mock_binance::ManualClock;
use serde_json::Value;
use tokio::io::{AsyncWriteExt, DuplexStream, WriteHalf};
use tokio::task::JoinHandle;

use super::stage::Stage;
use super::tape;
use crate::agent::client::{PATIENCE, settle};
use crate::agent::tap::{Tap, pipe};
use crate::agent::transcript::{Event, Leg, Transcript};
use crate::cassette::{Body, Direction, Header, Leg as TapeLeg, Message, Redactor, TapeWriter};
use crate::replay::agent::Ids;
use crate::scenario::{ExchangeSetup, FIRST_AGENT, FIRST_GRANT, PolicyFile, Upstream};
use crate::soft::{Guise, requests_in};
use crate::target::{Caller, Setting, Stack, Target};
use crate::witness::Evidence;

/// What is run.
pub(crate) struct Again<'a> {
    pub(crate) exchange: &'a ExchangeSetup,
    pub(crate) seed: Option<u64>,
    pub(crate) target: &'a dyn Target,
    pub(crate) policy: &'a PolicyFile,
    pub(crate) grants: &'a BTreeMap<String, PolicyFile>,
    pub(crate) upstream: Upstream,
    pub(crate) mutation: Option<&'a str>,
    pub(crate) durable: bool,
    pub(crate) pinned: bool,
}

/// What came of it.
pub(crate) struct Played {
    pub(crate) tape: Vec<u8>,
    /// What the exchange has to say.
    pub(crate) evidence: Evidence,
}

/// Frames that were sent at once.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    at_ms: u64,
    pub(crate) frames: Vec<Frame<'a>>,
}

#[derive(Debug)]
pub(crate) struct Frame<'a> {
    agent: Option<&'a str>,
    body: &'a Body,
    /// The answer on the tape.
    answer: Option<&'a Value>,
}

/// What the agent of a tape sent, in the portions in which it did not wait for anything.
pub(crate) fn groups<'a>(messages: impl IntoIterator<Item = &'a Message> + Clone) -> Vec<Group<'a>> {
    let answers: BTreeMap<u64, &Value> = messages
        .clone()
        .into_iter()
        .filter(|message| (message.leg, message.dir) == (TapeLeg::Agent, Direction::Back))
        .filter_map(|message| match &message.body {
            Body::Json(value) => Some((message.cause?, value)),
            Body::Text(_) | Body::Hex(_) => None,
        })
        .collect();
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut goes_on = false;
    for message in messages {
        if (message.leg, message.dir) != (TapeLeg::Agent, Direction::Out) {
            goes_on = false;
            continue;
        }
        let frame =
            Frame { agent: message.agent.as_deref(), body: &message.body, answer: answers.get(&message.seq).copied() };
        match groups.last_mut().filter(|group| goes_on && group.at_ms == message.at_ms) {
            Some(group) => group.frames.push(frame),
            None => groups.push(Group { at_ms: message.at_ms, frames: vec![frame] }),
        }
        // Nothing may be said before the greeting is answered.
        let greets = |value: &Value| value.get("method").is_some_and(|method| method == "initialize");
        goes_on = !matches!(&message.body, Body::Json(value) if greets(value));
    }
    groups
}

/// Sends the groups one after the other to a fresh stack.
pub(crate) async fn play(
    again: &Again<'_>,
    header: &Header,
    groups: &[Group<'_>],
    ids: &mut Ids,
) -> Result<Played, String> {
    let clock = ManualClock::new(again.exchange.clock.as_millis());
    let stage = Stage::on(again.exchange, again.seed, clock.clone(), |builder| builder).await;
    let stage = stage.map_err(|error| error.to_string())?;
    // On tapes of other exchanges these stand for other keys.
    if header.exchange.is_some() {
        for (placeholder, secret) in stage.placeholders() {
            ids.secret(placeholder, secret);
        }
    }
    let start_ms = clock.now_ms();
    let transcript = Transcript::new(stage.clock());
    let tapped = tape::tap(&stage.mock.rest_url(), &transcript).await?;
    let rest_url = tapped.url();
    let setting = Setting {
        rest_url: &rest_url,
        keys: &stage.owner,
        clock: stage.clock(),
        upstream: again.upstream,
        policy: again.policy,
        grants: again.grants,
        mutation: again.mutation,
        durable: again.durable,
        pinned: again.pinned,
        guise: Guise::default(),
        transcript: transcript.clone(),
    };
    let mut stack = again.target.open(&setting).map_err(|error| error.to_string())?;
    if let Some(audit) = &stack.audit {
        transcript.follow(audit.clone());
    }
    let mut lines: BTreeMap<Option<&str>, Line> = BTreeMap::new();
    for group in groups {
        let due = start_ms.saturating_add(group.at_ms);
        if let Some(passed) = due.checked_sub(clock.now_ms()).filter(|passed| *passed > 0) {
            clock.advance(Duration::from_millis(passed));
        }
        for agent in group.frames.iter().map(|frame| frame.agent) {
            if lines.contains_key(&agent) {
                continue;
            }
            // Who connects again has hung up before.
            if let Some(before) = lines.keys().copied().find(|before| name_of(*before) == name_of(agent))
                && let Some(line) = lines.remove(&before)
            {
                line.hang_up().await?;
                settle().await;
            }
            let grant = agent.and_then(|_| header.agents.get(name_of(agent))).map_or(FIRST_GRANT, String::as_str);
            lines.insert(agent, Line::open(&mut stack, Caller { name: agent, grant }, &transcript)?);
        }
        send(group, &lines, ids).await?;
        settle().await;
        transcript.end_section();
    }
    for line in lines.into_values() {
        line.hang_up().await?;
    }
    stack.ended().await?;
    transcript.end_section();
    let taped = written(header, &stage, &transcript.events(), start_ms).map_err(|error| error.to_string())?;
    let evidence = stage.witness.evidence(&stage.mock, None);
    // The exchange waits for connections that are still open.
    drop(tapped);
    stage.mock.shutdown().await;
    Ok(Played { tape: taped, evidence })
}

/// The connection of one agent of the tape.
struct Line {
    tap: Tap,
    to_stack: WriteHalf<DuplexStream>,
    drained: JoinHandle<std::io::Result<u64>>,
}

impl Line {
    fn open(stack: &mut Stack, caller: Caller<'_>, transcript: &Transcript) -> Result<Self, String> {
        let front = stack.connect(caller).map_err(|error| error.to_string())?;
        let transcript = caller.name.map_or_else(|| transcript.clone(), |name| transcript.by(name));
        let ((mut from_stack, to_stack), tapped) = pipe();
        let tap = Tap::open(Leg::Agent, transcript, tapped, front);
        // Answers are read off the tap; what else comes has to go somewhere.
        let drained = tokio::spawn(async move { tokio::io::copy(&mut from_stack, &mut tokio::io::sink()).await });
        Ok(Self { tap, to_stack, drained })
    }

    async fn hang_up(mut self) -> Result<(), String> {
        // The other half of this end is still read, so that hanging up has to be said.
        let _ = self.to_stack.shutdown().await;
        self.tap.ended().await.map_err(|error| broken(&error))?;
        let _ = self.drained.await;
        Ok(())
    }
}

fn broken(error: &dyn std::fmt::Display) -> String {
    format!("the pipe to the stack broke: {error}")
}

/// Whose connection it is: what stands before the number.
fn name_of(agent: Option<&str>) -> &str {
    agent.and_then(|agent| agent.split('#').next()).unwrap_or(FIRST_AGENT)
}

async fn send(group: &Group<'_>, lines: &BTreeMap<Option<&str>, Line>, ids: &mut Ids) -> Result<(), String> {
    let mut awaited = Vec::new();
    let mut silent = BTreeSet::new();
    for Frame { agent, body, answer } in &group.frames {
        let Some(Line { tap, .. }) = lines.get(agent) else { continue };
        let bytes = ids.to_send(body);
        let named: BTreeSet<String> = requests_in(&bytes).iter().map(ToString::to_string).collect();
        for id in &named {
            tap.forget(id);
        }
        tap.inject(&bytes, &named).await.map_err(|error| broken(&error))?;
        match (named.first(), answer) {
            (Some(id), Some(answer)) => awaited.push((tap, id.clone(), *answer)),
            _ => drop(silent.insert(*agent)),
        }
    }
    for agent in silent {
        // Whatever is made of them has been made by then.
        if let Some(Line { tap, .. }) = lines.get(&agent) {
            tap.barrier(PATIENCE).await;
        }
    }
    for (tap, id, recorded) in awaited {
        tap.wait(PATIENCE, |answers| answers.has(&id)).await;
        // An answer that stays away shows in the comparison.
        if let Some(answer) = tap.take_answer(&id) {
            ids.learn(recorded, &answer);
        }
    }
    Ok(())
}

fn written(header: &Header, stage: &Stage, events: &[Event], start_ms: u64) -> std::io::Result<Vec<u8>> {
    let mut redactor = Redactor::new(&[]).map_err(std::io::Error::other)?;
    stage.tell(&mut redactor);
    let header = Header { clock_origin_ms: start_ms, ..header.clone() };
    let mut tape = TapeWriter::new(Vec::new(), &header, redactor)?;
    for event in events {
        let Event::Frame(frame) = event else { continue };
        let (leg, dir) = tape::way(frame);
        tape.message_of(frame.agent.as_deref(), frame.at_ms, leg, dir, &frame.bytes)?;
    }
    tape.finish()
}
