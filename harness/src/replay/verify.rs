//! A tape against what the same requests are answered with today.

use std::fmt;
use std::io::BufRead;

use serde_json::Value;

use super::agent::{Ids, Rules};
use super::bindings::Bindings;
use super::deck::{Deck, Repeat};
use super::fingerprint::{Fingerprint, frame_value};
use super::miss::Miss;
use super::pointers::{FieldDifference, differences};
use super::rest;
use crate::cassette::{Body, Direction, Leg, Message, TapeError, TapeReader};
use crate::record::RestRequest;

/// What became of the answers on a tape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verification {
    /// How many answers are the same.
    pub same: usize,
    /// Answers that are not.
    pub changed: Vec<Changed>,
    /// Requests that were not made today, each with its message.
    pub missing: Vec<(u64, String)>,
    /// Requests that are not on the tape.
    pub extra: Vec<Miss>,
}

/// An answer that is another one today.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The message of the request.
    pub seq: u64,
    /// What was asked.
    pub label: String,
    /// An error where there was a result, or the other way round.
    pub kind_changed: bool,
    /// Where the answers differ.
    pub fields: Vec<FieldDifference>,
}

struct Asked {
    leg: Leg,
    seq: u64,
    print: Fingerprint,
    answer: Option<Value>,
}

/// Compares a tape with another one of the same requests. Only the outermost wire is compared: the agent's where there
/// is one, else that to the exchange.
///
/// # Errors
/// One of them cannot be read.
pub fn verify<A: BufRead, B: BufRead>(
    tape: TapeReader<A>,
    today: TapeReader<B>,
    rules: &Rules,
) -> Result<Verification, TapeError> {
    let rules = rules.of(tape.header());
    let mut deck = Deck::new(Repeat::Fail);
    for Asked { leg, seq, print, answer } in asked(tape)? {
        deck.push(seq, print, (leg, answer));
    }
    let mut verification = Verification::default();
    let (mut bindings, mut ids) = (Bindings::default(), Ids::default());
    for (number, Asked { mut print, answer, .. }) in (1..).zip(asked(today)?) {
        ids.in_tape_words(&mut print.value);
        let print = Fingerprint::new(print.label, print.value);
        let entry = match deck.take(number, &print, &mut bindings) {
            Ok(place) => deck.get(place),
            Err(miss) => {
                verification.extra.push(miss);
                continue;
            }
        };
        let Some(entry) = entry else { continue };
        let (leg, before) = &entry.content;
        let (before, mut now) = (before.clone().unwrap_or_default(), answer.unwrap_or_default());
        ids.learn(&before, &now);
        ids.in_tape_words(&mut now);
        let fields = differences(&rules.clean(*leg, before), &rules.clean(*leg, now));
        if fields.is_empty() {
            verification.same += 1;
            continue;
        }
        let kinds = ["", "/result", "/error", "/result/isError", "/status"];
        let kind_changed = fields.iter().any(|field| kinds.contains(&field.pointer.as_str()));
        verification.changed.push(Changed { seq: entry.seq, label: print.label, kind_changed, fields });
    }
    for entry in deck.entries().filter(|entry| entry.given_to.is_none()) {
        verification.missing.push((entry.seq, entry.asked.label.clone()));
    }
    Ok(verification)
}

/// The requests of a tape with their answers.
fn asked<R: BufRead>(tape: TapeReader<R>) -> Result<Vec<Asked>, TapeError> {
    let messages = tape.collect::<Result<Vec<Message>, _>>()?;
    let has_agent = messages.iter().any(|message| message.leg == Leg::Agent);
    let outermost = if has_agent { Leg::Agent } else { Leg::Rest };
    let mut asked: Vec<Asked> = Vec::new();
    for message in messages.iter().filter(|message| message.leg == outermost) {
        let Some(value) = frame_value(&message.body) else { continue };
        match message.dir {
            Direction::Back => {
                let of = message.cause.and_then(|cause| asked.binary_search_by_key(&cause, |asked| asked.seq).ok());
                if let Some(asked) = of.and_then(|place| asked.get_mut(place)) {
                    asked.answer = Some(rest::unwrapped(value));
                }
            }
            Direction::Out if outermost == Leg::Rest => {
                let Ok(request) = serde_json::from_value::<RestRequest>(value) else { continue };
                let print = rest::fingerprint(&request);
                asked.push(Asked { leg: outermost, seq: message.seq, print, answer: None });
            }
            Direction::Out if value.get("method").is_some() && value.get("id").is_some() => {
                let print = Fingerprint::of_mcp(&Body::Json(value));
                asked.push(Asked { leg: outermost, seq: message.seq, print, answer: None });
            }
            Direction::Out => {}
        }
    }
    Ok(asked)
}

impl Verification {
    /// Whether everything is as it is on the tape.
    pub fn is_same(&self) -> bool {
        self.changed.is_empty() && self.missing.is_empty() && self.extra.is_empty()
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Changed { seq, label, kind_changed, fields } in &self.changed {
            let what = if *kind_changed { "is answered in another way" } else { "has another answer" };
            writeln!(f, "message {seq}, `{label}`, {what}")?;
            for field in fields {
                writeln!(f, "{field}")?;
            }
        }
        for (seq, label) in &self.missing {
            writeln!(f, "message {seq}, `{label}`, was not asked today")?;
        }
        for miss in &self.extra {
            writeln!(f, "{miss}")?;
        }
        let (same, changed, missing, extra) = (self.same, self.changed.len(), self.missing.len(), self.extra.len());
        write!(f, "{same} the same, {changed} changed, {missing} not asked, {extra} not on the tape")
    }
}
