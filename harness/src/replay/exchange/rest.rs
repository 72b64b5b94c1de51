//! Answers to requests, from a tape.

use serde_json::json;

use super::super::bindings::Bindings;
use super::super::deck::Deck;
use super::super::fingerprint::{Fingerprint, frame_value};
use super::super::miss::{Miss, Why};
use super::super::outcome::{Outcome, Played};
use super::super::overlay::{Act, Overlay};
use super::super::rest;
use super::super::stand_ins::StandIns;
use super::moments::move_on;
use super::tape::Answered;
use crate::cassette::{Body, Redactor};
use crate::record::RestRequest;

/// The code of an answer that the tape does not have. No code of the exchange is as low.
const NOT_ON_TAPE: i64 = -32_040;

/// The status of such an answer: the client is told that nobody here can do it.
const NOT_IMPLEMENTED: u16 = 501;

/// An answer as it is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status; 0 when the connection is to break instead.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long after the request it came on the tape, in milliseconds.
    pub after_ms: u64,
    /// How long a fault keeps it back besides, in milliseconds.
    pub delay_ms: u64,
}

/// Plays an exchange's REST side. It does no IO.
#[derive(Debug)]
pub(super) struct Rest {
    deck: Deck<Answered>,
    bindings: Bindings,
    redactor: Redactor,
    origin_ms: u64,
    requests: u64,
    misses: Vec<Miss>,
    overlay: Overlay,
}

/// Longer than any client waits.
const NEVER_MS: u64 = 86_400_000;

impl Rest {
    pub(super) fn new(deck: Deck<Answered>, redactor: Redactor, origin_ms: u64, overlay: Overlay) -> Self {
        Self { deck, bindings: Bindings::default(), redactor, origin_ms, requests: 0, misses: Vec::new(), overlay }
    }

    /// The answer to a request, and the tape's message that it is the answer to. With `now_ms` its times are moved to
    /// that moment.
    pub(super) fn answer(
        &mut self,
        request: &RestRequest,
        words: &mut StandIns,
        now_ms: Option<u64>,
    ) -> (Reply, Option<u64>) {
        self.requests += 1;
        let number = self.requests;
        let request = self.in_tape_words(request, words);
        let mut asked = rest::fingerprint(&request);
        self.bindings.in_tape_words(&mut asked.value);
        let asked = Fingerprint::new(asked.label, asked.value);
        let place = match self.deck.take(number, &asked, &mut self.bindings) {
            Ok(place) => place,
            Err(miss) => return (self.missed(miss), None),
        };
        let Some(entry) = self.deck.get(place) else { return (self.missed(nothing(number, &asked.label)), None) };
        let seq = entry.seq;
        let Some((at_ms, answer)) = &entry.content.answer else {
            let miss = Miss { request: number, label: asked.label, why: Why::Unanswered { seq } };
            return (self.missed(miss), Some(seq));
        };
        let after_ms = at_ms.saturating_sub(entry.content.asked_ms);
        let passed_ms = now_ms.map(|now_ms| {
            let then_ms = self.origin_ms.saturating_add(*at_ms);
            i64::try_from(i128::from(now_ms) - i128::from(then_ms)).unwrap_or_default()
        });
        let headers = answer.headers.iter().map(|(name, value)| (name.clone(), words.hand_out(value))).collect();
        let body = answer.body.as_ref().map_or_else(Vec::new, |body| self.body(body, words, passed_ms));
        let reply = Reply { status: answer.status, headers, body, after_ms, delay_ms: 0 };
        (self.met(reply, &asked.label), Some(seq))
    }

    /// The answer to a request that is on the tape, with its answer, and is to be had.
    pub(super) fn answer_known(&mut self, request: &RestRequest, words: &mut StandIns) -> Option<Reply> {
        let before = self.misses.len();
        let (reply, _) = self.answer(request, words, None);
        if self.misses.len() == before {
            return Some(reply);
        }
        self.misses.truncate(before);
        None
    }

    /// The answer with what goes wrong with it. An answer of HTTP cannot come twice.
    fn met(&mut self, mut reply: Reply, label: &str) -> Reply {
        match self.overlay.meet(label) {
            None | Some(Act::Duplicate) => {}
            Some(Act::DelayMs(ms)) => reply.delay_ms = ms.min(NEVER_MS),
            Some(Act::Timeout) => reply.delay_ms = NEVER_MS,
            Some(Act::Malformed) => reply.body.truncate(reply.body.len() / 2),
            Some(Act::Disconnect) => reply.status = 0,
            Some(Act::Error { code, message, status, retry_after }) => {
                let wait = retry_after.map(|seconds| ("retry-after".to_owned(), seconds.to_string()));
                reply = told(status.unwrap_or(400), code, &message);
                reply.headers.extend(wait);
            }
        }
        reply
    }

    fn body(&self, body: &Body, words: &mut StandIns, passed_ms: Option<i64>) -> Vec<u8> {
        let text = match (frame_value(body), body) {
            (Some(before), Body::Json(_) | Body::Text(_)) => {
                let mut value = before.clone();
                self.bindings.in_live_words(&mut value);
                if let Some(passed_ms) = passed_ms {
                    move_on(&mut value, passed_ms);
                }
                match body {
                    // What needs no change is sent as it was.
                    Body::Text(text) if value == before => text.clone(),
                    _ => value.to_string(),
                }
            }
            (_, Body::Text(text)) => text.clone(),
            (_, Body::Hex(digits)) => return hex::decode(digits).unwrap_or_default(),
            (None, Body::Json(value)) => value.to_string(),
        };
        words.hand_out(&text).into_bytes()
    }

    /// Redacted as the writer of the tape did, as one message.
    fn in_tape_words(&mut self, request: &RestRequest, words: &StandIns) -> RestRequest {
        let Ok(text) = serde_json::to_string(request) else { return request.clone() };
        let Ok(value) = serde_json::from_str(&words.take_back(&text)) else { return request.clone() };
        let Body::Json(value) = self.redactor.body(Body::Json(value)) else { return request.clone() };
        serde_json::from_value(value).unwrap_or_else(|_| request.clone())
    }

    fn missed(&mut self, miss: Miss) -> Reply {
        let reply = told(NOT_IMPLEMENTED, NOT_ON_TAPE, &format!("[NOT ON TAPE] {miss}"));
        self.misses.push(miss);
        reply
    }

    /// Adds how it went to an outcome.
    pub(super) fn tell(&self, outcome: &mut Outcome) {
        outcome.misses.extend(self.misses.iter().cloned());
        outcome.unmet.extend(self.overlay.unmet());
        for entry in self.deck.entries() {
            let played = Played { seq: entry.seq, label: entry.asked.label.clone(), request: entry.given_to };
            let list = if entry.given_to.is_some() { &mut outcome.played } else { &mut outcome.unplayed };
            list.push(played);
        }
    }
}

/// An error as the exchange tells it.
fn told(status: u16, code: i64, message: &str) -> Reply {
    Reply {
        status,
        headers: vec![("content-type".to_owned(), "application/json;charset=UTF-8".to_owned())],
        body: json!({ "code": code, "msg": message }).to_string().into_bytes(),
        after_ms: 0,
        delay_ms: 0,
    }
}

fn nothing(request: u64, label: &str) -> Miss {
    Miss { request, label: label.to_owned(), why: Why::Unknown { nearest: None } }
}
