//! What an exchange said on a tape: answers to requests, and streams.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde_json::Value;

use super::super::deck::{Deck, Repeat};
use super::super::fingerprint::Fingerprint;
use super::super::rest;
use super::super::script::{Dialect, Reading};
use crate::cassette::{Body, Direction, Leg, Message, TapeError, TapeReader};
use crate::record::{RestRequest, RestResponse};

/// The code of a connection that was closed without one.
const NORMAL: u16 = 1_000;

/// Everything that an exchange said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) requests: Deck<Answered>,
    pub(super) connections: Deck<Connection>,
    /// Streams of which the tape does not tell how they were opened.
    pub(super) streams: Vec<Connection>,
    pub(super) origin_ms: u64,
}

/// A request's answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) asked_ms: u64,
    /// When, and what; nothing when the tape was cut off before.
    pub(super) answer: Option<(u64, RestResponse)>,
}

/// What was said over a WebSocket.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) reading: Option<Reading>,
    /// With which code the exchange hung up, if it did so first.
    pub(super) closed: Option<u16>,
    pub(super) since_ms: u64,
    hung_up: bool,
}

impl Connection {
    fn new(repeat: Repeat, since_ms: u64) -> Self {
        Self { reading: Some(Reading::new(repeat, Dialect::WebSocket)), closed: None, since_ms, hung_up: false }
    }
}

impl Said {
    /// Reads what an exchange said.
    ///
    /// # Errors
    /// The tape cannot be read.
    pub(super) fn read<R: BufRead>(tape: TapeReader<R>, repeat: Repeat) -> Result<Self, TapeError> {
        let origin_ms = tape.header().clock_origin_ms;
        let mut said =
            Self { requests: Deck::new(repeat), connections: Deck::new(Repeat::Fail), streams: Vec::new(), origin_ms };
        let mut reader = Reader {
            repeat,
            open: BTreeMap::new(),
            opened: BTreeMap::new(),
            named: BTreeMap::new(),
            asked: Vec::new(),
        };
        for message in tape {
            let message = message?;
            let Body::Json(value) = &message.body else { continue };
            match message.leg {
                Leg::Rest => reader.rest(&mut said, &message, value),
                Leg::Ws => reader.ws(&mut said, &message, value),
                Leg::Agent | Leg::Upstream | Leg::Decision => {}
            }
        }
        Ok(said)
    }
}

struct Reader {
    repeat: Repeat,
    /// Requests without an answer so far.
    open: BTreeMap<u64, usize>,
    /// Connections by their numbers, and streams by their names.
    opened: BTreeMap<u64, usize>,
    named: BTreeMap<String, usize>,
    /// When each request came, with its message.
    asked: Vec<(u64, u64)>,
}

impl Reader {
    fn rest(&mut self, said: &mut Said, message: &Message, value: &Value) {
        if message.dir == Direction::Out {
            let Ok(request) = serde_json::from_value::<RestRequest>(value.clone()) else { return };
            let entry = Answered { asked_ms: message.at_ms, answer: None };
            let place = said.requests.push(message.seq, rest::fingerprint(&request), entry);
            self.open.insert(request.id, place);
            self.asked.push((message.at_ms, message.seq));
        } else if let Ok(answer) = serde_json::from_value::<RestResponse>(value.clone())
            && let Some(entry) = self.open.remove(&answer.id).and_then(|place| said.requests.get_mut(place))
        {
            entry.content.answer = Some((message.at_ms, answer));
        }
    }

    fn ws(&mut self, said: &mut Said, message: &Message, value: &Value) {
        let Message { seq, at_ms, dir, .. } = *message;
        if let Some(name) = value.get("stream").and_then(Value::as_str) {
            // Written down after the run: its time and not its place tells what it followed.
            let gate = self.asked.iter().rev().find(|(asked_ms, _)| *asked_ms <= at_ms).map(|(_, seq)| *seq);
            let place = *self.named.entry(name.to_owned()).or_insert_with(|| {
                said.streams.push(Connection::new(self.repeat, 0));
                said.streams.len() - 1
            });
            if let Some(Connection { reading: Some(reading), .. }) = said.streams.get_mut(place)
                && let Some(body) = frame(value)
            {
                reading.back(at_ms, body, gate);
            }
            return;
        }
        let Some(number) = value.get("connection").and_then(Value::as_u64) else { return };
        if let Some(target) = value.get("open").and_then(Value::as_str) {
            let place = said.connections.push(seq, address(target), Connection::new(self.repeat, at_ms));
            self.opened.insert(number, place);
            return;
        }
        let Some(entry) = self.opened.get(&number).and_then(|place| said.connections.get_mut(*place)) else { return };
        let Connection { reading, closed, hung_up, .. } = &mut entry.content;
        if let Some(code) = value.get("close") {
            let code = code.as_u64().and_then(|code| u16::try_from(code).ok());
            if dir == Direction::Back && !*hung_up {
                *closed = Some(code.unwrap_or(NORMAL));
            }
            *hung_up = true;
        }
        let (Some(reading), Some(body)) = (reading, frame(value)) else { return };
        match dir {
            Direction::Out => reading.out(seq, at_ms, &body),
            Direction::Back => reading.back(at_ms, body, self.asked.last().map(|(_, seq)| *seq)),
        }
    }
}

/// What a connection is opened with.
pub(super) fn address(target: &str) -> Fingerprint {
    let request = RestRequest {
        id: 0,
        method: "WebSocket".to_owned(),
        target: target.to_owned(),
        headers: BTreeMap::new(),
        body: None,
    };
    rest::fingerprint(&request)
}

fn frame(value: &Value) -> Option<Body> {
    serde_json::from_value(value.get("frame")?.clone()).ok()
}
