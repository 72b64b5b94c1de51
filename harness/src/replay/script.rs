//! An MCP session on tape as a deck of requests, each with what the server said because of it.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde_json::Value;

use super::deck::{Deck, Repeat};
use super::fingerprint::{Fingerprint, frame_value};
use crate::cassette::{Body, Direction, End, Leg, TapeError, TapeReader};

#[derive(Debug)]
pub(super) struct Script {
    pub(super) deck: Deck<Turn>,
    /// What the server said before it was asked anything.
    pub(super) opening: Vec<Step>,
    pub(super) cut: bool,
    pub(super) dialect: Dialect,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Mcp,
    /// That of an exchange.
    WebSocket,
}

impl Dialect {
    pub(super) fn fingerprint(self, frame: &Body) -> Fingerprint {
        match self {
            Self::Mcp => Fingerprint::of_mcp(frame),
            Self::WebSocket => Fingerprint::of_websocket(frame),
        }
    }
}

/// What a message of the client brought about.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) at_ms: u64,
    /// Whether it is a request, which is to be answered.
    pub(super) asks: bool,
    /// The client took it back, so that it need not be answered.
    pub(super) cancelled: bool,
    pub(super) progress_token: Option<Value>,
    pub(super) steps: Vec<Step>,
}

/// What a server does, one thing after the other.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// It says something.
    Say {
        at_ms: u64,
        body: Body,
        /// Whether this is the answer to the request.
        answers: bool,
        /// The request of another wire that it followed.
        gate: Option<u64>,
    },
    /// It waits until the client has answered a request of its own.
    Await {
        at_ms: u64,
        /// The tape's message.
        seq: u64,
        id: Value,
        answer: Value,
    },
}

impl Script {
    /// Reads the session between the gateway and its server, or that of the agent when there was no gateway.
    ///
    /// # Errors
    /// The tape cannot be read.
    pub(super) fn read<R: BufRead>(mut tape: TapeReader<R>, repeat: Repeat) -> Result<Self, TapeError> {
        // Both in one pass: whether there was a gateway is known at the end only.
        let (mut agent, mut upstream) = (Reading::new(repeat, Dialect::Mcp), Reading::new(repeat, Dialect::Mcp));
        let mut behind_gateway = false;
        for message in tape.by_ref() {
            let message = message?;
            let reading = match message.leg {
                Leg::Agent => &mut agent,
                Leg::Upstream => {
                    behind_gateway = true;
                    &mut upstream
                }
                Leg::Rest | Leg::Ws | Leg::Decision => continue,
            };
            match message.dir {
                Direction::Out => reading.out(message.seq, message.at_ms, &message.body),
                Direction::Back => reading.back(message.at_ms, message.body, None),
            }
        }
        let reading = if behind_gateway { upstream } else { agent };
        Ok(Self { cut: matches!(tape.end(), Some(End::Cut { .. })), ..reading.script() })
    }
}

/// A session as it is read, message by message.
#[derive(Debug)]
pub(super) struct Reading {
    dialect: Dialect,
    deck: Deck<Turn>,
    opening: Vec<Step>,
    /// Requests of the client without an answer so far, the oldest first.
    open: Vec<(String, usize)>,
    /// Requests of the server without an answer so far, and whose turn they are part of.
    asked: BTreeMap<String, Option<usize>>,
    tokens: BTreeMap<String, usize>,
    last: Option<usize>,
}

impl Reading {
    pub(super) fn new(repeat: Repeat, dialect: Dialect) -> Self {
        Self {
            dialect,
            deck: Deck::new(repeat),
            opening: Vec::new(),
            open: Vec::new(),
            asked: BTreeMap::new(),
            tokens: BTreeMap::new(),
            last: None,
        }
    }

    pub(super) fn out(&mut self, seq: u64, at_ms: u64, body: &Body) {
        let value = frame_value(body);
        let kind = Kind::of(value.as_ref());
        if let (Kind::Answer(id), Some(answer)) = (&kind, &value)
            && let Some(owner) = self.asked.remove(&id.to_string())
        {
            let step = Step::Await { at_ms, seq, id: id.clone(), answer: answer.clone() };
            self.steps(owner).push(step);
            return;
        }
        let cancelled = value.as_ref().filter(|value| value["method"] == "notifications/cancelled");
        if let Some(id) = cancelled.and_then(|value| value.pointer("/params/requestId")).map(Value::to_string)
            && let Some(place) = self.open.iter().rfind(|(open, _)| *open == id).map(|(_, place)| *place)
            && let Some(entry) = self.deck.get_mut(place)
        {
            entry.content.cancelled = true;
        }
        let progress_token = value.as_ref().and_then(|value| value.pointer("/params/_meta/progressToken")).cloned();
        let asks = matches!(kind, Kind::Request(_));
        let token = progress_token.as_ref().map(Value::to_string);
        let turn = Turn { at_ms, asks, cancelled: false, progress_token, steps: Vec::new() };
        let place = self.deck.push(seq, self.dialect.fingerprint(body), turn);
        if let Some(token) = token {
            self.tokens.insert(token, place);
        }
        if let Kind::Request(id) = kind {
            self.open.push((id.to_string(), place));
        }
        self.last = Some(place);
    }

    pub(super) fn back(&mut self, at_ms: u64, body: Body, gate: Option<u64>) {
        let value = frame_value(&body);
        let (owner, answers) = match Kind::of(value.as_ref()) {
            Kind::Answer(id) => {
                let id = id.to_string();
                match self.open.iter().position(|(open, _)| *open == id) {
                    Some(at) => (Some(self.open.remove(at).1), true),
                    None => (self.owner(value.as_ref()), false),
                }
            }
            Kind::Request(id) => {
                let owner = self.owner(value.as_ref());
                self.asked.insert(id.to_string(), owner);
                (owner, false)
            }
            Kind::Other => (self.owner(value.as_ref()), false),
        };
        self.steps(owner).push(Step::Say { at_ms, body, answers, gate });
    }

    pub(super) fn script(self) -> Script {
        Script { deck: self.deck, opening: self.opening, cut: false, dialect: self.dialect }
    }

    /// Whose turn a message of the server is part of: the request whose progress it tells, else the oldest that is
    /// still open, as with a server that does one thing after the other, else whatever the client said last.
    fn owner(&self, value: Option<&Value>) -> Option<usize> {
        let token = value.and_then(|value| value.pointer("/params/progressToken")).map(Value::to_string);
        let told = token.and_then(|token| self.tokens.get(&token).copied());
        told.or_else(|| self.open.first().map(|(_, place)| *place)).or(self.last)
    }

    fn steps(&mut self, owner: Option<usize>) -> &mut Vec<Step> {
        match owner.and_then(|place| self.deck.get_mut(place)) {
            Some(entry) => &mut entry.content.steps,
            None => &mut self.opening,
        }
    }
}

/// What kind of message a frame is.
pub(super) enum Kind {
    Request(Value),
    Answer(Value),
    /// A notification, or no message at all.
    Other,
}

impl Kind {
    pub(super) fn of(value: Option<&Value>) -> Self {
        let Some(id) = value.and_then(|value| value.get("id")).filter(|id| !id.is_null()) else { return Self::Other };
        if value.is_some_and(|value| value.get("method").is_some()) {
            Self::Request(id.clone())
        } else {
            Self::Answer(id.clone())
        }
    }
}
