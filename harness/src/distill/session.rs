//! What an agent said on a tape, each frame with its answer, and what came of it.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde_json::Value;

use super::DistillError;
use crate::cassette::{Body, Direction, End, Header, Leg, Message, TapeReader};
use crate::record::{RestRequest, RestResponse};
use crate::soft::{calls_in, requests_in};

/// A tape, taken apart.
#[derive(Debug, Clone)]
pub struct Session {
    /// The tape's header.
    pub header: Header,
    /// What the agent sent, but for the handshake.
    pub turns: Vec<Turn>,
    /// Requests to the exchange with the status of their answers, 0 for none.
    pub(super) requests: Vec<(RestRequest, u16)>,
    /// Tool calls that reached the MCP server.
    pub(super) upstream_calls: u64,
    /// How many more calls of a tool reached it than the agent made: what the gateway asks for itself.
    pub(super) unasked: BTreeMap<String, i64>,
    /// The decisions, in words.
    pub(super) decisions: Vec<String>,
    /// The MCP server's name for itself.
    pub(super) server: Option<String>,
}

/// A frame of the agent.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Its number on the tape.
    pub seq: u64,
    /// When, by the tape's clock.
    pub at_ms: u64,
    /// What was sent.
    pub body: Body,
    /// What came back, and its number on the tape.
    pub answer: Option<(Value, u64)>,
    /// The ids that it asks under, as JSON.
    ids: Vec<String>,
}

pub(super) fn read<R: BufRead>(mut tape: TapeReader<R>) -> Result<Session, DistillError> {
    let mut session = Session {
        header: tape.header().clone(),
        turns: Vec::new(),
        requests: Vec::new(),
        upstream_calls: 0,
        unasked: BTreeMap::new(),
        decisions: Vec::new(),
        server: None,
    };
    for message in tape.by_ref() {
        let message = message?;
        if let Some(agent) = message.agent {
            return Err(DistillError::Agents(agent));
        }
        session.take(message);
    }
    match tape.end() {
        Some(End::Cut { after }) => Err(DistillError::Cut(after)),
        _ => Ok(session),
    }
}

impl Session {
    fn take(&mut self, message: Message) {
        match (message.leg, message.dir) {
            (Leg::Agent, Direction::Out) => self.said(message),
            (Leg::Agent, Direction::Back) => self.heard(&message),
            (Leg::Upstream, Direction::Out) => {
                let is_call = |value: &Value| value.get("method").and_then(Value::as_str) == Some("tools/call");
                if let Some(value) = json(&message.body).filter(is_call) {
                    self.upstream_calls += 1;
                    let tool = value.pointer("/params/name").and_then(Value::as_str).unwrap_or_default();
                    *self.unasked.entry(tool.to_owned()).or_default() += 1;
                }
            }
            (Leg::Rest, Direction::Out) => {
                if let Some(request) = json(&message.body).and_then(|value| serde_json::from_value(value).ok()) {
                    self.requests.push((request, 0));
                }
            }
            (Leg::Rest, Direction::Back) => {
                let answer = json(&message.body).and_then(|value| serde_json::from_value::<RestResponse>(value).ok());
                if let Some(answer) = answer
                    && let Some((_, status)) = self.requests.iter_mut().rfind(|(asked, _)| asked.id == answer.id)
                {
                    *status = answer.status;
                }
            }
            (Leg::Decision, _) => {
                let word = json(&message.body).and_then(|value| value.get("decision")?.as_str().map(str::to_owned));
                self.decisions.extend(word);
            }
            (Leg::Upstream, Direction::Back) | (Leg::Ws, _) => {}
        }
    }

    fn said(&mut self, message: Message) {
        let value = json(&message.body);
        let method = value.as_ref().and_then(|value| value.get("method")).and_then(Value::as_str);
        // Whoever plays the session again shakes hands itself.
        if self.turns.is_empty() && matches!(method, Some("initialize" | "notifications/initialized")) {
            return;
        }
        let bytes = bytes(&message.body);
        for (tool, _) in calls_in(&bytes) {
            *self.unasked.entry(tool).or_default() -= 1;
        }
        let ids = requests_in(&bytes).iter().map(ToString::to_string).collect();
        self.turns.push(Turn { seq: message.seq, at_ms: message.at_ms, body: message.body, answer: None, ids });
    }

    fn heard(&mut self, message: &Message) {
        let Some(value) = json(&message.body) else { return };
        if let Some(name) = value.pointer("/result/serverInfo/name").and_then(Value::as_str) {
            self.server = Some(name.to_owned());
        }
        let first = value.as_array().and_then(|batch| batch.first()).unwrap_or(&value);
        if first.get("method").is_some() {
            return;
        }
        let id = first.get("id").filter(|id| !id.is_null()).map(Value::to_string);
        let open = |turn: &Turn| turn.answer.is_none();
        let is_odd = |turn: &Turn| matches!(turn.body, Body::Text(_) | Body::Hex(_));
        let at = match id {
            Some(id) => self.turns.iter().position(|turn| open(turn) && turn.ids.contains(&id)),
            // An error about a frame whose id could not be told: an odd one, if there is any.
            None => self
                .turns
                .iter()
                .position(|turn| open(turn) && is_odd(turn))
                .or_else(|| self.turns.iter().rposition(open)),
        };
        let answered = at.and_then(|at| self.turns.get_mut(at));
        if let Some(turn) = answered {
            turn.answer = Some((value, message.seq));
        }
    }
}

impl Turn {
    pub(super) fn is(&self, method: &str) -> bool {
        matches!(&self.body, Body::Json(value) if value.get("method").and_then(Value::as_str) == Some(method))
    }
}

/// The value of a body that holds one, oddly written or not.
pub(super) fn json(body: &Body) -> Option<Value> {
    match body {
        Body::Json(value) => Some(value.clone()),
        Body::Text(text) => serde_json::from_str(text).ok(),
        Body::Hex(_) => None,
    }
}

/// The bytes of a frame.
pub(super) fn bytes(body: &Body) -> Vec<u8> {
    match body {
        Body::Json(value) => value.to_string().into_bytes(),
        Body::Text(text) => text.clone().into_bytes(),
        Body::Hex(digits) => hex::decode(digits).unwrap_or_default(),
    }
}
