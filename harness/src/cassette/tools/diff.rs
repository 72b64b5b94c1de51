//! Where two tapes differ.

use std::io::BufRead;

use serde_json::Value;

use super::super::{Body, Leg, Message, TapeError, TapeReader};
use super::words::words;
use crate::pointer::below;

/// A place where two tapes say different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which wire.
    pub leg: Leg,
    /// The message's number on the first tape, when it has one there.
    pub one: Option<u64>,
    /// The message's number on the second tape, when it has one there.
    pub other: Option<u64>,
    /// The fields that differ, as JSON pointers with both values; empty when a message is missing.
    pub fields: Vec<(String, String, String)>,
    /// What is said there.
    pub said: String,
}

/// Fields that differ from run to run without meaning anything.
const VOLATILE: [&str; 4] = ["user-agent", "progressToken", "policy", "seq"];

/// Compares two tapes wire by wire, message by message.
///
/// # Errors
/// One of them cannot be read.
pub fn diff<A: BufRead, B: BufRead>(one: TapeReader<A>, other: TapeReader<B>) -> Result<Vec<Difference>, TapeError> {
    let read = |tape: &mut dyn Iterator<Item = Result<Message, TapeError>>| tape.collect::<Result<Vec<_>, _>>();
    let (one, other) = (read(&mut { one })?, read(&mut { other })?);
    let mut differences = Vec::new();
    for leg in [Leg::Agent, Leg::Decision, Leg::Upstream, Leg::Rest, Leg::Ws] {
        let of = |tape: &[Message]| tape.iter().filter(|message| message.leg == leg).cloned().collect::<Vec<_>>();
        let (one, other) = (of(&one), of(&other));
        for place in 0..one.len().max(other.len()) {
            let (a, b) = (one.get(place), other.get(place));
            let mut fields = Vec::new();
            if let (Some(a), Some(b)) = (a, b) {
                if a.at_ms != b.at_ms {
                    fields.push(("at_ms".to_owned(), a.at_ms.to_string(), b.at_ms.to_string()));
                }
                compare("", &json(&a.body), &json(&b.body), &mut fields);
                if fields.is_empty() {
                    continue;
                }
            }
            let said = a.or(b).map(words).unwrap_or_default();
            let number = |message: Option<&Message>| message.map(|message| message.seq);
            differences.push(Difference { leg, one: number(a), other: number(b), fields, said });
        }
    }
    differences.sort_by_key(|difference| difference.one.or(difference.other));
    Ok(differences)
}

/// A body as a value; the JSON inside of a tool's text is compared as JSON.
fn json(body: &Body) -> Value {
    serde_json::to_value(body).unwrap_or_default()
}

fn compare(at: &str, one: &Value, other: &Value, fields: &mut Vec<(String, String, String)>) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            for name in names.filter(|name| !VOLATILE.contains(&name.as_str())) {
                let at = below(at, name);
                compare(&at, a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null), fields);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for place in 0..a.len().max(b.len()) {
                let of = |list: &[Value]| list.get(place).cloned().unwrap_or_default();
                compare(&format!("{at}/{place}"), &of(a), &of(b), fields);
            }
        }
        (Value::String(a), Value::String(b)) if a != b => match (serde_json::from_str(a), serde_json::from_str(b)) {
            (Ok(a @ Value::Object(_)), Ok(b @ Value::Object(_))) => compare(at, &a, &b, fields),
            _ => fields.push((at.to_owned(), a.clone(), b.clone())),
        },
        _ if one == other => {}
        _ => fields.push((at.to_owned(), one.to_string(), other.to_string())),
    }
}
