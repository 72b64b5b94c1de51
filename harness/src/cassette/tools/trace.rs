//! A tape for trace viewers: JSON in the Trace Event Format, which Perfetto and others open.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use serde_json::{Value, json};

use super::super::{Body, Direction, Leg, Message, TapeError, TapeReader};
use super::words::words;

/// What a message is on its track.
enum Mark {
    /// A request: it lasts until it is answered.
    Begins(String),
    /// The answer to the request of this number.
    Ends(u64),
    /// Anything else.
    Stands(String),
}

/// The requests that wait for their answers, by wire, by who asked, by id: their number and name.
type Waiting = BTreeMap<(Leg, bool, String), (u64, String)>;

/// Writes one track a wire, in the order of a call's way. A request lasts until its answer; whatever else was said stands at
/// its moment. Times are those of the tape in microseconds, and messages of one millisecond stand one microsecond apart, so
/// that virtual time, in which a whole call takes none, can be looked at.
///
/// # Errors
/// The tape cannot be read to its end or cut; what is written by then is no JSON.
pub fn trace<R: BufRead>(mut tape: TapeReader<R>, out: &mut impl Write) -> Result<io::Result<()>, TapeError> {
    let header = tape.header();
    let name = header.scenario.clone().unwrap_or_else(|| "rogue tape".to_owned());
    let mut written = begin(out, &name);
    let (mut waiting, mut at_ms, mut step) = (Waiting::new(), u64::MAX, 0);
    for message in tape.by_ref() {
        let message = message?;
        // A thousand messages of one millisecond are not told apart any more; their order stays.
        step = if message.at_ms == at_ms { (step + 1).min(999) } else { 0 };
        at_ms = message.at_ms;
        let ts = at_ms.saturating_mul(1000).saturating_add(step);
        if written.is_ok() {
            written = writeln!(out, ",\n{}", event(&message, ts, &mut waiting)).map(drop);
        }
    }
    if written.is_ok() {
        written = out.write_all(b"]}\n");
    }
    Ok(written)
}

fn begin(out: &mut impl Write, name: &str) -> io::Result<()> {
    writeln!(out, "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    write!(out, "{}", json!({"ph": "M", "pid": 1, "tid": 0, "name": "process_name", "args": {"name": name}}))?;
    for leg in [Leg::Agent, Leg::Decision, Leg::Upstream, Leg::Rest, Leg::Ws] {
        let (tid, name) = track(leg);
        let told = json!({"ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": {"name": name}});
        write!(out, ",\n{told}")?;
    }
    Ok(())
}

const fn track(leg: Leg) -> (u8, &'static str) {
    match leg {
        Leg::Agent => (1, "agent"),
        Leg::Decision => (2, "decision"),
        Leg::Upstream => (3, "upstream"),
        Leg::Rest => (4, "exchange"),
        Leg::Ws => (5, "stream"),
    }
}

fn event(message: &Message, ts: u64, waiting: &mut Waiting) -> Value {
    let (tid, category) = track(message.leg);
    let args = json!({"seq": message.seq, "cause": message.cause, "said": words(message)});
    let (phase, id, name) = match mark(message, waiting) {
        Mark::Begins(name) => ("b", Some(message.seq), name),
        Mark::Ends(begun) => ("e", Some(begun), ended(waiting, begun)),
        Mark::Stands(name) => ("i", None, name),
    };
    let mut event = json!({"ph": phase, "pid": 1, "tid": tid, "ts": ts, "cat": category, "name": name, "args": args});
    if let Some(members) = event.as_object_mut() {
        match id {
            // The beginning and the end of one request are found by category and id.
            Some(id) => members.insert("id".to_owned(), json!(id)),
            None => members.insert("s".to_owned(), json!("t")),
        };
    }
    event
}

/// The name under which a request began, which is over now.
fn ended(waiting: &mut Waiting, begun: u64) -> String {
    let key = waiting.iter().find(|(_, (seq, _))| *seq == begun).map(|(key, _)| key.clone());
    key.and_then(|key| waiting.remove(&key)).map(|(_, name)| name).unwrap_or_default()
}

fn mark(message: &Message, waiting: &mut Waiting) -> Mark {
    let Body::Json(value) = &message.body else { return Mark::Stands("no plain JSON".to_owned()) };
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let out = message.dir == Direction::Out;
    let id = message.id.as_ref().map(Value::to_string);
    let asks = match message.leg {
        Leg::Decision => return Mark::Stands(text("/decision").to_owned()),
        Leg::Ws => return Mark::Stands(id.unwrap_or_else(|| "frame".to_owned())),
        Leg::Rest => out.then(|| {
            let path = text("/target").split('?').next().unwrap_or_default();
            format!("{} {path}", text("/method"))
        }),
        Leg::Agent | Leg::Upstream => value.get("method").map(|_| match text("/method") {
            "tools/call" => text("/params/name").to_owned(),
            method => method.to_owned(),
        }),
    };
    match (asks, id) {
        (Some(name), Some(id)) => {
            waiting.insert((message.leg, out, id), (message.seq, name.clone()));
            Mark::Begins(name)
        }
        (Some(name), None) => Mark::Stands(name),
        (None, Some(id)) => match waiting.get(&(message.leg, !out, id)) {
            Some((begun, _)) => Mark::Ends(*begun),
            None => Mark::Stands("an answer to nothing".to_owned()),
        },
        (None, None) => Mark::Stands("an answer to nothing".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cassette::{Header, Redactor, TapeWriter};

    fn traced(messages: &[(u64, Leg, Direction, &str)]) -> Vec<Value> {
        let mut tape = TapeWriter::new(Vec::new(), &Header::new("test", 0), Redactor::new(&[]).unwrap()).unwrap();
        for (at_ms, leg, dir, frame) in messages {
            tape.message(*at_ms, *leg, *dir, frame.as_bytes()).unwrap();
        }
        let tape = tape.finish().unwrap();
        let mut out = Vec::new();
        trace(TapeReader::new(tape.as_slice()).unwrap(), &mut out).unwrap().unwrap();
        let trace: Value = serde_json::from_slice(&out).unwrap();
        let events = trace["traceEvents"].as_array().unwrap().clone();
        events.into_iter().filter(|event| event["ph"] != "M").collect()
    }

    #[test]
    fn requests_last_until_their_answers_and_the_rest_stands_at_its_moment() {
        let events = traced(&[
            (5, Leg::Agent, Direction::Out, r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#),
            (5, Leg::Agent, Direction::Out, r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#),
            (5, Leg::Decision, Direction::Out, r#"{"decision":"allow"}"#),
            (6, Leg::Agent, Direction::Back, r#"{"jsonrpc":"2.0","id":2,"method":"roots/list"}"#),
            (7, Leg::Agent, Direction::Back, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#),
            (8, Leg::Agent, Direction::Out, r#"{"jsonrpc":"2.0","id":2,"result":{"roots":[]}}"#),
            (9, Leg::Agent, Direction::Back, r#"{"jsonrpc":"2.0","id":9,"result":{}}"#),
            (9, Leg::Agent, Direction::Out, "{ odd"),
        ]);
        let told: Vec<_> = events
            .iter()
            .map(|event| {
                let text = |name: &str| event[name].as_str().unwrap().to_owned();
                (text("ph"), text("name"), event["ts"].as_u64().unwrap(), event["id"].as_u64())
            })
            .collect();
        let own = |ph: &str, name: &str, ts, id| (ph.to_owned(), name.to_owned(), ts, id);
        let expected = [
            own("b", "a", 5000, Some(1)),
            own("b", "ping", 5001, Some(2)),
            own("i", "allow", 5002, None),
            own("b", "roots/list", 6000, Some(4)),
            own("e", "ping", 7000, Some(2)),
            own("e", "roots/list", 8000, Some(4)),
            own("i", "an answer to nothing", 9000, None),
            own("i", "no plain JSON", 9001, None),
        ];
        assert_eq!(told, expected);
    }
}
