//! The records of an audit, with what became of each call.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::{Lines, TrailError};

/// What became of a call that was let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// `succeeded`, `failed`, `unknown` or `never_sent`; `unknown` as well where the audit does not say.
    pub outcome: String,
    /// From the decision to the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// The audit has a record of it.
    pub recorded: bool,
}

/// A decision with its outcome, or an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: u64,
    /// The record as it stands.
    pub record: Value,
    /// Of a call that was let through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

impl Entry {
    /// A text of the record.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.record.get(member)?.as_str()
    }

    /// A number of the record.
    pub fn number(&self, member: &str) -> Option<u64> {
        self.record.get(member)?.as_u64()
    }
}

/// The records of an audit in their order.
#[derive(Debug, Default, Serialize)]
pub struct Entries {
    /// Decisions and events.
    pub entries: Vec<Entry>,
    /// Lines that are no records.
    pub unreadable: u64,
    /// Outcomes of calls of which there is no decision, as when older files are gone.
    pub orphans: u64,
}

impl Entries {
    /// How many calls were let through of which the audit does not say what became.
    pub fn unknown(&self) -> usize {
        let outcomes = self.entries.iter().filter_map(|entry| entry.outcome.as_ref());
        outcomes.filter(|outcome| outcome.outcome == "unknown").count()
    }
}

/// Reads the records of `files`, which are in the order of their chain.
///
/// A call that was let through and has no record of its outcome is `unknown`: it may have had its effect.
///
/// # Errors
/// A file cannot be read.
pub fn entries(files: &[PathBuf]) -> Result<Entries, TrailError> {
    let mut all = Entries::default();
    // The calls that wait for their outcome, by session and `seq`.
    let mut open: BTreeMap<(String, u64), usize> = BTreeMap::new();
    let mut lines = Lines::new(files);
    while let Some(line) = lines.next()? {
        let record = serde_json::from_str::<Value>(&line.text).ok().filter(Value::is_object);
        let Some(record) = record else {
            all.unreadable += 1;
            continue;
        };
        let text = |member: &str| record.get(member).and_then(Value::as_str);
        let number = |member: &str| record.get(member).and_then(Value::as_u64);
        let call = text("session").zip(number("seq")).map(|(session, seq)| (session.to_owned(), seq));
        if let Some(outcome) = text("outcome") {
            let outcome = Outcome { outcome: outcome.to_owned(), latency_ms: number("latency_ms"), recorded: true };
            match call.and_then(|call| open.remove(&call)).and_then(|index| all.entries.get_mut(index)) {
                Some(entry) => entry.outcome = Some(outcome),
                None => all.orphans += 1,
            }
            continue;
        }
        // Of a message that is no call, only the decision is on record.
        let allowed = text("decision") == Some("allow") && record.get("tool").is_some();
        if let (true, Some(call)) = (allowed, call) {
            open.insert(call, all.entries.len());
        }
        let unknown = || Outcome { outcome: "unknown".to_owned(), latency_ms: None, recorded: false };
        let file = files.get(line.file).cloned().unwrap_or_default();
        all.entries.push(Entry { file, line: line.number, record, outcome: allowed.then(unknown) });
    }
    Ok(all)
}
