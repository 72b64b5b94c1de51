//! A tape in numbers.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::Serialize;
use serde_json::Value;

use super::super::{Body, Direction, End, Leg, TapeError, TapeReader};

/// What is on a tape.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Messages.
    pub messages: u64,
    /// From the first message to the last, in milliseconds.
    pub span_ms: u64,
    /// Whether the tape was cut off.
    pub cut: bool,
    /// Messages of each wire.
    pub legs: BTreeMap<Leg, u64>,
    /// The agent's calls by tool.
    pub tools: BTreeMap<String, u64>,
    /// Decisions by their word.
    pub decisions: BTreeMap<String, u64>,
    /// Requests to the exchange by method and path.
    pub requests: BTreeMap<String, u64>,
    /// Answers of the exchange by status.
    pub statuses: BTreeMap<String, u64>,
}

/// Counts what is on a tape.
///
/// # Errors
/// It cannot be read to its end or cut.
pub fn stats<R: BufRead>(mut tape: TapeReader<R>) -> Result<Stats, TapeError> {
    let mut stats = Stats::default();
    let count = |counts: &mut BTreeMap<String, u64>, name: &str| *counts.entry(name.to_owned()).or_default() += 1;
    let mut first = None;
    for message in tape.by_ref() {
        let message = message?;
        stats.messages += 1;
        *stats.legs.entry(message.leg).or_default() += 1;
        let begun = *first.get_or_insert(message.at_ms);
        stats.span_ms = stats.span_ms.max(message.at_ms.saturating_sub(begun));
        let Body::Json(value) = &message.body else { continue };
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        match (message.leg, message.dir) {
            (Leg::Agent, Direction::Out) if text("method") == Some("tools/call") => {
                let name = value.pointer("/params/name").and_then(Value::as_str);
                count(&mut stats.tools, name.unwrap_or("(no name)"));
            }
            (Leg::Decision, _) => count(&mut stats.decisions, text("decision").unwrap_or("(none)")),
            (Leg::Rest, Direction::Out) => {
                let path = text("target").unwrap_or_default().split('?').next().unwrap_or_default();
                count(&mut stats.requests, &format!("{} {path}", text("method").unwrap_or_default()));
            }
            (Leg::Rest, Direction::Back) => {
                count(&mut stats.statuses, &value.get("status").map(Value::to_string).unwrap_or_default());
            }
            _ => {}
        }
    }
    stats.cut = matches!(tape.end(), Some(End::Cut { .. }));
    Ok(stats)
}
