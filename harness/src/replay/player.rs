//! A tape that answers as the MCP server did.

use std::io::BufRead;
use std::time::Duration;

use serde_json::{Value, json};

use super::bindings::Bindings;
use super::deck::{Deck, Repeat};
use super::fingerprint::{Fingerprint, frame_value, sorted};
use super::miss::{Miss, Why};
use super::names;
use super::outcome::{Outcome, Played, WrongAnswer};
use super::overlay::{Act, Overlay};
use super::pace::Pace;
use super::pointers::differences;
use super::script::{Dialect, Kind, Script, Step, Turn};
use crate::cassette::{Body, Redactor, TapeError, TapeReader};

/// The JSON-RPC code of an answer that the tape does not have. Of the range that is left to servers.
const NOT_ON_TAPE: i64 = -32_040;

/// The longest that a fault keeps a frame back: a day.
const DELAY_MS_MAX: u64 = 86_400_000;

/// A frame that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// How long after the frame that brought it about it came on the tape, in milliseconds.
    pub after_ms: u64,
    /// Without its newline.
    pub frame: Vec<u8>,
    /// The message of another wire that it followed, where there are other wires.
    pub(super) gate: Option<u64>,
    /// How long a fault keeps it back besides, whatever the pace, in milliseconds.
    pub delay_ms: u64,
    /// Instead of it, the connection breaks.
    pub hang_up: bool,
}

impl Due {
    pub(super) fn new(after_ms: u64, frame: Vec<u8>) -> Self {
        Self { after_ms, frame, gate: None, delay_ms: 0, hang_up: false }
    }

    /// How long it is kept back at this pace.
    pub(super) fn wait(&self, pace: Pace) -> Duration {
        Duration::from_millis(pace.wait_ms(self.after_ms).saturating_add(self.delay_ms.min(DELAY_MS_MAX)))
    }

    /// What is sent in its place when something goes wrong with it. `error` makes the frame of an error of a code, a
    /// message and a status.
    pub(super) fn met(mut self, act: &Act, error: impl FnOnce(i64, &str, u16) -> Value) -> Vec<Self> {
        match act {
            Act::DelayMs(ms) => self.delay_ms = *ms,
            Act::Timeout => return Vec::new(),
            Act::Error { code, message, status, .. } => {
                self.frame = error(*code, message, status.unwrap_or(400)).to_string().into_bytes();
            }
            Act::Malformed => self.frame.truncate(self.frame.len() / 2),
            Act::Disconnect => self.hang_up = true,
            Act::Duplicate => return vec![self.clone(), self],
        }
        vec![self]
    }
}

/// What a frame is to a player that has somebody else to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It is on the tape, and this is what is said to it.
    Known(Vec<Due>),
    /// It is a request that is not on the tape.
    Unknown,
    /// It asks for nothing: a notification that is not on the tape, or an answer that the tape does not wait for.
    Idle,
}

/// As [`Heard`], with what a miss is made of.
enum Met {
    Known(Vec<Due>),
    Missed(Value, Miss),
    Idle,
}

/// Plays the server's part of an MCP session. It does no IO: it is told what the client says, and tells what to send.
#[derive(Debug)]
pub struct Player {
    deck: Deck<Turn>,
    opening: Vec<Step>,
    cut: bool,
    dialect: Dialect,
    redactor: Redactor,
    bindings: Bindings,
    pending: Vec<Pending>,
    requests: u64,
    misses: Vec<Miss>,
    wrong: Vec<WrongAnswer>,
    overlay: Overlay,
}

/// A turn that waits for the client to answer the server.
#[derive(Debug)]
struct Pending {
    place: usize,
    step: usize,
    awaits: String,
    live: Live,
}

/// What the live client calls things.
#[derive(Debug, Clone, Default)]
struct Live {
    id: Option<Value>,
    progress_token: Option<Value>,
    /// What goes wrong with the answer.
    act: Option<Act>,
}

impl Player {
    /// Reads a tape. `redactor` takes out of live requests what was taken out of the tape's.
    ///
    /// # Errors
    /// The tape cannot be read.
    pub fn new<R: BufRead>(tape: TapeReader<R>, repeat: Repeat, redactor: Redactor) -> Result<Self, TapeError> {
        Ok(Self::of(Script::read(tape, repeat)?, redactor))
    }

    pub(super) fn of(script: Script, redactor: Redactor) -> Self {
        let Script { deck, opening, cut, dialect } = script;
        Self {
            deck,
            opening,
            cut,
            dialect,
            redactor,
            bindings: Bindings::default(),
            pending: Vec::new(),
            requests: 0,
            misses: Vec::new(),
            wrong: Vec::new(),
            overlay: Overlay::default(),
        }
    }

    /// The same, with faults.
    #[must_use]
    pub fn with_overlay(self, overlay: Overlay) -> Self {
        Self { overlay, ..self }
    }

    /// What the server says before it is asked anything.
    pub fn open(&mut self) -> Vec<Due> {
        let steps = std::mem::take(&mut self.opening);
        let said = steps.iter().filter_map(|step| match step {
            Step::Say { at_ms, body, gate, .. } => Some(Due { gate: *gate, ..Due::new(*at_ms, bytes(body)) }),
            Step::Await { .. } => None,
        });
        said.collect()
    }

    /// Takes a frame of the client, without its newline, and tells what the server says to it.
    pub fn hear(&mut self, frame: &[u8]) -> Vec<Due> {
        match self.meet(frame) {
            Met::Known(due) => due,
            Met::Idle => Vec::new(),
            Met::Missed(id, miss) => vec![self.missed(&id, miss)],
        }
    }

    /// The same where a server can be asked for what is not on the tape: that is no miss then.
    pub fn hear_known(&mut self, frame: &[u8]) -> Heard {
        match self.meet(frame) {
            Met::Known(due) => Heard::Known(due),
            Met::Idle => Heard::Idle,
            Met::Missed(..) => Heard::Unknown,
        }
    }

    fn meet(&mut self, frame: &[u8]) -> Met {
        let live = Body::of(frame);
        let value = frame_value(&live);
        match Kind::of(value.as_ref()) {
            Kind::Request(id) => {
                let token = value.as_ref().and_then(|value| value.pointer("/params/_meta/progressToken"));
                let live_names = Live { id: Some(id), progress_token: token.cloned(), act: None };
                self.request(live, live_names)
            }
            Kind::Answer(id) => self.answered(&id, value.unwrap_or_default()),
            Kind::Other => {
                let is_notice = value.as_ref().is_some_and(|value| value.get("method").is_some());
                self.notice(live, is_notice)
            }
        }
    }

    /// Whether everything on the tape was asked for and said.
    pub(super) fn is_over(&self) -> bool {
        self.pending.is_empty() && self.opening.is_empty() && self.deck.entries().all(|entry| entry.given_to.is_some())
    }

    /// How it went so far.
    pub fn outcome(&self) -> Outcome {
        let mut outcome = Outcome {
            played: Vec::new(),
            unplayed: Vec::new(),
            misses: self.misses.clone(),
            wrong_answers: self.wrong.clone(),
            cut: self.cut,
            unsent: 0,
            unmet: self.overlay.unmet(),
        };
        for entry in self.deck.entries() {
            let played = Played { seq: entry.seq, label: entry.asked.label.clone(), request: entry.given_to };
            // A notification that nothing followed may stay away: nothing of the tape is lost with it.
            let counts = entry.content.asks || !entry.content.steps.is_empty();
            if entry.given_to.is_some() {
                outcome.played.push(played);
            } else if counts && (self.dialect != Dialect::Mcp || entry.asked.label != names::LIVENESS) {
                outcome.unplayed.push(played);
            }
        }
        outcome
    }

    fn request(&mut self, live: Body, mut live_names: Live) -> Met {
        self.requests += 1;
        let number = self.requests;
        let asked = self.fingerprint(live);
        let taken = self.deck.take(number, &asked, &mut self.bindings);
        let id = live_names.id.clone().unwrap_or_default();
        let place = match taken {
            Ok(place) => place,
            Err(_) if self.dialect == Dialect::Mcp && asked.label == names::LIVENESS => {
                return Met::Known(vec![now(&json!({ "jsonrpc": "2.0", "id": id, "result": {} }))]);
            }
            Err(miss) => return Met::Missed(id, miss),
        };
        let silent = self.deck.get(place).filter(|entry| {
            let answers = |step: &Step| matches!(step, Step::Say { answers: true, .. });
            !entry.content.cancelled && !entry.content.steps.iter().any(answers)
        });
        if let Some(seq) = silent.map(|entry| entry.seq) {
            let miss = Miss { request: number, label: asked.label, why: Why::Unanswered { seq } };
            return Met::Missed(id, miss);
        }
        let from_ms = self.deck.get(place).map_or(0, |entry| entry.content.at_ms);
        live_names.act = self.overlay.meet(&asked.label);
        Met::Known(self.go_on(place, 0, from_ms, live_names))
    }

    /// A notification, or a frame that is no message at all.
    fn notice(&mut self, live: Body, is_notice: bool) -> Met {
        let asked = self.fingerprint(live);
        if !is_notice {
            self.requests += 1;
        }
        match self.deck.take(self.requests, &asked, &mut self.bindings) {
            Ok(place) => {
                let from_ms = self.deck.get(place).map_or(0, |entry| entry.content.at_ms);
                Met::Known(self.go_on(place, 0, from_ms, Live::default()))
            }
            // Notifications are not answered, so one that is not on the tape asks for nothing that it does not have.
            Err(_) if is_notice => Met::Idle,
            Err(miss) => Met::Missed(Value::Null, miss),
        }
    }

    fn answered(&mut self, id: &Value, answer: Value) -> Met {
        let id = id.to_string();
        let Some(at) = self.pending.iter().position(|pending| pending.awaits == id) else { return Met::Idle };
        let Pending { place, step, live, .. } = self.pending.remove(at);
        let Some(Step::Await { at_ms, seq, answer: recorded, .. }) = self.step(place, step) else { return Met::Idle };
        let Body::Json(answer) = self.redactor.body(Body::Json(answer)) else { return Met::Idle };
        let fields = differences(&sorted(recorded), &sorted(answer));
        if !fields.is_empty() {
            self.wrong.push(WrongAnswer { seq, fields });
        }
        Met::Known(self.go_on(place, step + 1, at_ms, live))
    }

    fn step(&self, place: usize, step: usize) -> Option<Step> {
        self.deck.get(place)?.content.steps.get(step).cloned()
    }

    /// Says what comes next in a turn, up to where it waits for the client.
    fn go_on(&mut self, place: usize, from: usize, from_ms: u64, live: Live) -> Vec<Due> {
        let mut due = Vec::new();
        for number in from.. {
            match self.step(place, number) {
                None => break,
                Some(Step::Say { at_ms, body, answers, gate }) => {
                    let token = self.deck.get(place).and_then(|entry| entry.content.progress_token.clone());
                    let frame = self.in_live_words(&body, answers, token, &live);
                    let said = Due { gate, ..Due::new(at_ms.saturating_sub(from_ms), frame) };
                    match &live.act {
                        Some(act) if answers => {
                            let id = live.id.clone().unwrap_or_default();
                            due.extend(said.met(act, |code, message, status| self.error(&id, code, message, status)));
                        }
                        _ => due.push(said),
                    }
                }
                Some(Step::Await { id, .. }) => {
                    self.pending.push(Pending { place, step: number, awaits: id.to_string(), live });
                    break;
                }
            }
        }
        due
    }

    fn error(&self, id: &Value, code: i64, message: &str, status: u16) -> Value {
        match self.dialect {
            Dialect::Mcp => json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }),
            Dialect::WebSocket => json!({ "id": id, "status": status, "error": { "code": code, "msg": message } }),
        }
    }

    /// A frame of the tape with the ids of the live session.
    fn in_live_words(&self, body: &Body, answers: bool, token: Option<Value>, live: &Live) -> Vec<u8> {
        let Some(before) = frame_value(body) else { return bytes(body) };
        let mut value = before.clone();
        if let (true, Some(id), Some(slot)) = (answers, &live.id, value.get_mut("id")) {
            slot.clone_from(id);
        }
        if let (Some(token), Some(slot)) = (token, value.pointer_mut("/params/progressToken"))
            && *slot == token
            && let Some(live) = &live.progress_token
        {
            slot.clone_from(live);
        }
        self.bindings.in_live_words(&mut value);
        // What needs no change is sent as it was, odd spacing and all.
        if value == before { bytes(body) } else { value.to_string().into_bytes() }
    }

    fn fingerprint(&mut self, live: Body) -> Fingerprint {
        let live = match live {
            Body::Json(mut value) => {
                self.bindings.in_tape_words(&mut value);
                Body::Json(value)
            }
            body => body,
        };
        self.dialect.fingerprint(&self.redactor.body(live))
    }

    fn missed(&mut self, id: &Value, miss: Miss) -> Due {
        let message = format!("[NOT ON TAPE] {miss}");
        self.misses.push(miss);
        now(&self.error(id, NOT_ON_TAPE, &message, 501))
    }
}

fn now(message: &Value) -> Due {
    Due::new(0, message.to_string().into_bytes())
}

/// The bytes that were on the wire.
fn bytes(body: &Body) -> Vec<u8> {
    match body {
        Body::Json(value) => value.to_string().into_bytes(),
        Body::Text(text) => text.clone().into_bytes(),
        Body::Hex(digits) => hex::decode(digits).unwrap_or_default(),
    }
}
