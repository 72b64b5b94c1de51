//! `rogue cassette`.

use std::io::{BufWriter, Write as _};
use std::path::Path;

use rogue_harness::cassette::tools::{self, Difference};
use rogue_harness::cassette::{Header, Redactor};
use rogue_harness::scenario::Problem;
use rogue_harness::verdict::ExitClass;

use crate::args::{Cassette, Cut, Scrub};
use crate::output::{Failure, Output};

pub(crate) fn cassette(args: &Cassette, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    match args {
        Cassette::Show { tape } => {
            // A tape may be longer than what fits into memory.
            let mut out = BufWriter::new(output.out());
            let shown = tools::show(open(tape)?, &mut out);
            out.flush()?;
            drop(out);
            shown.map_err(|error| bad(tape, &error))??;
            Ok(ExitClass::Good)
        }
        Cassette::Trace { tape, output: path } => trace(tape, path),
        Cassette::Stats { tape, json } => stats(tape, *json, output),
        Cassette::Verify { tapes, rules } => verify(tapes, rules, output),
        Cassette::Diff { one, other } => {
            let differences = tools::diff(open(one)?, open(other)?).map_err(|error| bad(one, &error))?;
            output.print(&differences_in_words(&differences))?;
            Ok(if differences.is_empty() { ExitClass::Good } else { ExitClass::Breached })
        }
        Cassette::ToScenario(args) => super::to_scenario::to_scenario(args, folder, output),
        Cassette::Scrub(args) => scrub(args),
        Cassette::Cut(args) => cut(args),
        Cassette::Shrink(args) => super::shrink::shrink(args, folder, output),
        Cassette::Join { one, other, output: path } => {
            let (first, second) = (open(one)?, open(other)?);
            let origin = first.header().clock_origin_ms.min(second.header().clock_origin_ms);
            // Two exchanges have no one beginning.
            let header = Header { clock_origin_ms: origin, writer: writer(), exchange: None, ..first.header().clone() };
            let out = create(path, &header, &[])?;
            tools::join(first, second, out).map_err(|error| bad(one, &error))??;
            Ok(ExitClass::Good)
        }
    }
}

fn stats(tape: &Path, json: bool, output: &mut Output) -> Result<ExitClass, Failure> {
    let stats = tools::stats(open(tape)?).map_err(|error| bad(tape, &error))?;
    if json {
        let text = serde_json::to_string_pretty(&stats)
            .map_err(|error| Failure::Broken(format!("the numbers cannot be written: {error}")))?;
        output.print(&format!("{text}\n"))?;
        return Ok(ExitClass::Good);
    }
    let mut text = Vec::new();
    let cut = if stats.cut { ", cut off" } else { "" };
    writeln!(text, "{} messages in {} ms{cut}", stats.messages, stats.span_ms)?;
    let legs = stats.legs.iter().map(|(leg, count)| (leg.word().to_owned(), *count)).collect();
    for (title, counts) in [
        ("wires", &legs),
        ("calls", &stats.tools),
        ("decisions", &stats.decisions),
        ("requests", &stats.requests),
        ("statuses", &stats.statuses),
    ] {
        for (place, (name, count)) in counts.iter().enumerate() {
            let title = if place == 0 { title } else { "" };
            writeln!(text, "{title:<10} {count:>7}  {name}")?;
        }
    }
    output.print(&String::from_utf8_lossy(&text))?;
    Ok(ExitClass::Good)
}

fn trace(tape: &Path, path: &Path) -> Result<ExitClass, Failure> {
    let opened = open(tape)?;
    let file = std::fs::File::create(path).map_err(|error| {
        let remedy = "name a place that can be written to";
        Failure::usage(format!("`{}` cannot be written: {error}", path.display()), remedy)
    })?;
    let mut out = BufWriter::new(file);
    tools::trace(opened, &mut out).map_err(|error| bad(tape, &error))??;
    out.flush()?;
    Ok(ExitClass::Good)
}

fn verify(tapes: &[std::path::PathBuf], rules: &[String], output: &mut Output) -> Result<ExitClass, Failure> {
    let mut class = ExitClass::Good;
    for path in tapes {
        let findings = tools::verify(open(path)?, rules).map_err(|error| rule(&error))?;
        for finding in &findings {
            output.note(&format!("{}:{}: {}", path.display(), finding.line, finding.what));
            class = ExitClass::BadFile;
        }
        if findings.is_empty() {
            output.print(&format!("{}: whole, and nothing that looks like a secret\n", path.display()))?;
        }
    }
    Ok(class)
}

fn scrub(args: &Scrub) -> Result<ExitClass, Failure> {
    let tape = open(&args.tape)?;
    let header = Header { writer: writer(), ..tape.header().clone() };
    let out = create(&args.output, &header, &args.rules)?;
    tools::scrub(tape, out).map_err(|error| bad(&args.tape, &error))??;
    Ok(ExitClass::Good)
}

fn cut(args: &Cut) -> Result<ExitClass, Failure> {
    let tape = open(&args.tape)?;
    let mut header = Header { writer: writer(), ..tape.header().clone() };
    if args.first > 1 {
        // What went before the part changed it.
        header.exchange = None;
    }
    let out = create(&args.output, &header, &[])?;
    let last = args.last.unwrap_or(u64::MAX);
    tools::cut(tape, out, args.first, last).map_err(|error| bad(&args.tape, &error))??;
    Ok(ExitClass::Good)
}

fn differences_in_words(differences: &[Difference]) -> String {
    let mut lines = Vec::new();
    for Difference { leg, one, other, fields, said } in differences {
        let leg = leg.word();
        match (one, other) {
            (Some(one), Some(other)) => {
                lines.push(format!("{leg} {one} | {other}  {said}"));
                lines.extend(fields.iter().map(|(at, a, b)| format!("    {at}\n      - {a}\n      + {b}")));
            }
            (Some(one), None) => lines.push(format!("{leg} {one} | -  only on the first: {said}")),
            (None, other) => lines.push(format!("{leg} - | {}  only on the second: {said}", other.unwrap_or_default())),
        }
    }
    let count = match differences.len() {
        0 => "no difference".to_owned(),
        1 => "1 difference".to_owned(),
        count => format!("{count} differences"),
    };
    lines.push(count);
    lines.join("\n") + "\n"
}

pub(super) fn writer() -> String {
    concat!("rogue ", env!("CARGO_PKG_VERSION")).to_owned()
}

type Reader = rogue_harness::cassette::TapeReader<Box<dyn std::io::BufRead>>;
pub(super) type Writer = rogue_harness::cassette::TapeWriter<Box<dyn std::io::Write + Send>>;

pub(super) fn open(path: &Path) -> Result<Reader, Failure> {
    tools::open(path).map_err(|error| bad(path, &error))
}

pub(super) fn create(path: &Path, header: &Header, rules: &[String]) -> Result<Writer, Failure> {
    let redactor = Redactor::new(rules).map_err(|error| rule(&error))?;
    tools::create(path, header, redactor).map_err(|error| bad(path, &error))
}

pub(super) fn rule(error: &rogue_harness::cassette::BadRule) -> Failure {
    Failure::usage(error.to_string(), "write a regular expression, such as 'desk-[0-9]+'")
}

pub(super) fn bad(path: &Path, error: &impl std::fmt::Display) -> Failure {
    Failure::Files(vec![Problem::error("tape", path, error.to_string())])
}
