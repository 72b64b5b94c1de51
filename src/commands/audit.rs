//! `rogue audit`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rogue_harness::audit::{self, AuditKey, Entries, Entry, Query, TrailError};
use rogue_harness::scenario::Problem;
use rogue_harness::verdict::ExitClass;
use serde_json::{Value, json};

use crate::args::{Audit, AuditFile, AuditQuery};
use crate::output::{Failure, Output};

pub(crate) fn audit(args: &Audit, output: &mut Output) -> Result<ExitClass, Failure> {
    match args {
        Audit::Verify { file, key_file } => verify(file, key_file.as_deref(), output),
        Audit::Show { file } => show(file, &Query::default(), output),
        Audit::Query(args) => show(&args.file, &query(args), output),
    }
}

fn verify(file: &AuditFile, key_file: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let key = key_file.map(key).transpose()?;
    let files = files(&file.path)?;
    let unread = |error: TrailError| bad(&file.path, &error);
    let verified = audit::verify(&files, key.as_ref()).map_err(unread)?;
    let unknown = audit::entries(&files).map_err(unread)?.unknown();
    let class = if verified.finding.is_none() { ExitClass::Good } else { ExitClass::Breached };
    if file.json {
        let mut report = serde_json::to_value(&verified).unwrap_or_default();
        if let Value::Object(members) = &mut report {
            members.insert("whole".to_owned(), json!(verified.finding.is_none()));
            members.insert("keyed".to_owned(), json!(key.is_some()));
            members.insert("unknown_outcomes".to_owned(), json!(unknown));
        }
        output.print(&format!("{report:#}\n"))?;
        return Ok(class);
    }
    let path = file.path.display();
    if let Some(finding) = &verified.finding {
        output.print(&format!("{finding}\n"))?;
        output.note(&format!("{} records before it are in order", verified.records));
    } else {
        let mut text = format!("{path}: whole, {} records, the last {}\n", verified.records, verified.last_hash);
        if verified.first > 1 {
            let _ = writeln!(text, "it begins with record {}: older files are gone", verified.first);
        }
        output.print(&text)?;
    }
    if verified.finding.is_none() && !verified.has_head {
        output.note("there is no file `.head` beside it, so a cut end would not show");
    }
    if key.is_none() && verified.finding.is_none() {
        output.note("the chain has no key: whoever can write the file could have written all of it anew");
    }
    if unknown > 0 {
        output.note(&format!("{unknown} calls were let through of which nobody knows what became"));
    }
    Ok(class)
}

fn show(file: &AuditFile, query: &Query, output: &mut Output) -> Result<ExitClass, Failure> {
    let all = audit::entries(&files(&file.path)?).map_err(|error| bad(&file.path, &error))?;
    let fitting = || all.entries.iter().filter(|entry| query.fits(entry));
    if file.json {
        let fitting: Vec<&Entry> = fitting().collect();
        let report = json!({"entries": fitting, "unreadable": all.unreadable, "orphans": all.orphans});
        output.print(&format!("{report:#}\n"))?;
        return Ok(ExitClass::Good);
    }
    for entry in fitting() {
        output.print(&in_words(entry))?;
    }
    note(&all, output);
    Ok(ExitClass::Good)
}

fn note(all: &Entries, output: &mut Output) {
    if all.unreadable > 0 {
        output.note(&format!("{} lines are no records: look with `rogue audit verify`", all.unreadable));
    }
    if all.orphans > 0 {
        output.note(&format!("{} outcomes are of calls that were decided in files that are gone", all.orphans));
    }
}

/// One line for people. Texts are shown escaped, as they stand in the record: they are other people's.
fn in_words(entry: &Entry) -> String {
    let text = |member: &str| entry.text(member).map(|text| text.escape_default().to_string()).unwrap_or_default();
    let mut line = format!("{:>13}  ", entry.number("ts_ms").unwrap_or_default());
    if let Some(event) = entry.text("event") {
        let _ = write!(line, "event     {}", event.escape_default());
        for (member, value) in entry.record.as_object().into_iter().flatten() {
            if !["ts_ms", "event", "server", "n", "prev", "hash", "hmac"].contains(&member.as_str()) {
                let _ = write!(line, " {member}={}", value.as_str().unwrap_or_default().escape_default());
            }
        }
        return line + "\n";
    }
    let what = if entry.text("tool").is_some() { text("tool") } else { text("method") };
    let _ = write!(line, "{:<8}  {}/{}  {what}", text("decision"), text("grant"), text("session"));
    if let Some(shown) = entry.record.get("shown").and_then(Value::as_object) {
        for (name, value) in shown {
            let _ = write!(line, " {}={}", name.escape_default(), value.as_str().unwrap_or_default().escape_default());
        }
    }
    for member in ["rule", "reason", "message"] {
        if entry.text(member).is_some() {
            let _ = write!(line, "  {}", text(member));
        }
    }
    if let Some(outcome) = &entry.outcome {
        let _ = write!(line, "  => {}", outcome.outcome.escape_default());
        match outcome.latency_ms {
            Some(latency_ms) => drop(write!(line, " in {latency_ms} ms")),
            None => line.push_str(" (not on record)"),
        }
    }
    line + "\n"
}

fn query(args: &AuditQuery) -> Query {
    Query {
        tool: args.tool.clone(),
        decision: args.decision.clone(),
        grant: args.grant.clone(),
        session: args.session.clone(),
        reason: args.reason.clone(),
        rule: args.rule.clone(),
        outcome: args.outcome.clone(),
        event: args.event.clone(),
        since_ms: args.since,
        until_ms: args.until,
    }
}

fn key(path: &Path) -> Result<AuditKey, Failure> {
    let bytes = std::fs::read(path).map_err(|error| bad(path, &error))?;
    AuditKey::new(&bytes).map_err(|error| Failure::usage(error.to_string(), "give the file that the gateway was given"))
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    audit::files(path).map_err(|error| bad(path, &error))
}

fn bad(path: &Path, error: &impl std::fmt::Display) -> Failure {
    Failure::Files(vec![Problem::error("audit", path, error.to_string())])
}
