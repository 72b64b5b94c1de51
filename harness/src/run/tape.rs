//! The tape of a run: every leg of it, with the gateway's decisions.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::one::Plan;
use super::stage::Stage;
use crate::agent::transcript::{self, Event, Frame, Transcript};
use crate::cassette::{Body, Direction, Header, Leg, Redactor, TapeWriter};
use crate::record::{Proxy, Speaks};
use crate::target::Capability;

/// Puts a recorder between the MCP server and the exchange.
pub(super) async fn tap(exchange: &str, transcript: &Transcript) -> Result<Proxy, String> {
    let transcript = transcript.clone();
    let observe = move |_, dir, frame: &[u8]| {
        let direction = match dir {
            Direction::Out => transcript::Direction::ToServer,
            Direction::Back => transcript::Direction::ToClient,
        };
        transcript.frame(transcript::Leg::Rest, direction, frame);
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let started = Proxy::start(address, exchange, Speaks::Exchange, Arc::new(observe)).await;
    started.map_err(|error| format!("the run cannot be recorded: {error}"))
}

/// Takes note of what a listener heard, at the moment that the event itself tells.
pub(super) fn heard(transcript: &Transcript, stream: &str, frame: &str) {
    let at_ms = serde_json::from_str::<Value>(frame).ok().and_then(|event| event.get("E")?.as_u64());
    let told = json!({ "stream": stream, "frame": Body::of(frame.as_bytes()) }).to_string();
    let (leg, direction) = (transcript::Leg::Ws, transcript::Direction::ToClient);
    match at_ms {
        Some(at_ms) => transcript.frame_at(at_ms, leg, direction, told.as_bytes()),
        None => transcript.frame(leg, direction, told.as_bytes()),
    }
}

/// Writes `SCENARIO.ROLE.jsonl`, in place of one that is there.
pub(super) fn write(
    folder: &Path,
    plan: &Plan<'_>,
    stage: &Stage,
    events: &[Event],
    start_ms: u64,
) -> Result<(), String> {
    let scenario = &plan.case.scenario;
    let path = folder.join(format!("{}.{}.jsonl", scenario.id.value, plan.role.word()));
    let failed = |error: &dyn std::fmt::Display| format!("the tape `{}` cannot be written: {error}", path.display());
    let header = Header {
        seed: Some(plan.seed.unwrap_or(scenario.exchange.seed)),
        target: Some(plan.target_name.to_owned()),
        scenario: Some(scenario.id.value.clone()),
        policy: plan.target.capabilities().contains(&Capability::Policy).then(|| plan.policy.digest()),
        tools: events.iter().find_map(tools),
        exchange: serde_json::to_value(&scenario.exchange).ok(),
        agents: scenario.agents.iter().map(|(name, agent)| (name.clone(), agent.grant.value.clone())).collect(),
        ..Header::new(concat!("rogue ", env!("CARGO_PKG_VERSION")), start_ms)
    };
    let mut redactor = Redactor::new(&[]).map_err(|error| failed(&error))?;
    stage.tell(&mut redactor);
    fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    let file = File::create(&path).map_err(|error| failed(&error))?;
    let mut tape = TapeWriter::new(BufWriter::new(file), &header, redactor).map_err(|error| failed(&error))?;
    for event in events {
        let Event::Frame(frame) = event else { continue };
        let (leg, dir) = way(frame);
        tape.message_of(frame.agent.as_deref(), frame.at_ms, leg, dir, &frame.bytes).map_err(|error| failed(&error))?;
    }
    tape.finish().and_then(|mut file| file.flush()).map_err(|error| failed(&error))
}

pub(super) fn way(frame: &Frame) -> (Leg, Direction) {
    let leg = match frame.leg {
        transcript::Leg::Agent => Leg::Agent,
        transcript::Leg::Upstream => Leg::Upstream,
        transcript::Leg::Rest => Leg::Rest,
        transcript::Leg::Ws => Leg::Ws,
        transcript::Leg::Decision => Leg::Decision,
    };
    let dir = match frame.direction {
        transcript::Direction::ToServer => Direction::Out,
        transcript::Direction::ToClient => Direction::Back,
    };
    (leg, dir)
}

/// The digest of the tools that a server listed.
fn tools(event: &Event) -> Option<String> {
    let Event::Frame(frame) = event else { return None };
    let value: Value = serde_json::from_slice(&frame.bytes).ok()?;
    let tools = value.pointer("/result/tools")?;
    Some(digest(tools.to_string().as_bytes()))
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
