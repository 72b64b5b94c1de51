//! A suite as `JUnit` XML, which nearly every CI system reads.
//!
//! The elements and attributes are those that `JUnit`'s own Ant task writes and that consumers agree on: `testsuites`,
//! `testsuite`, `testcase`, `failure`, `error`, `system-out`. What could not be tested is an error and not `skipped`, which
//! most consumers count as a pass.

use std::fmt::Write as _;
use std::time::Duration;

use super::failure::reasons;
use crate::scenario::Kind;
use crate::verdict::{ScenarioResult, SuiteResult, Verdict};

/// The document. Wall times are in it, so that two runs differ.
pub fn junit(suite: &SuiteResult) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all = Counts::of(suite.scenarios.iter());
    let _ = writeln!(xml, "<testsuites name=\"rogue\" {all} time=\"{}\">", seconds(suite.elapsed));
    for (kind, name) in
        [(Kind::Attack, "rogue agents"), (Kind::Workflow, "honest work"), (Kind::Session, "recorded sessions")]
    {
        let of = || suite.scenarios.iter().filter(move |scenario| scenario.kind == kind);
        if of().next().is_none() {
            continue;
        }
        let elapsed = of().map(|scenario| scenario.elapsed).sum();
        let _ = writeln!(xml, "  <testsuite name=\"{name}\" {} time=\"{}\">", Counts::of(of()), seconds(elapsed));
        for scenario in of() {
            put_case(&mut xml, scenario);
        }
        xml += "  </testsuite>\n";
    }
    xml += "</testsuites>\n";
    xml
}

fn put_case(xml: &mut String, scenario: &ScenarioResult) {
    let class = match (scenario.kind, scenario.group) {
        (Kind::Attack, Some(group)) => format!("rogue.attacks.{group:?}"),
        (Kind::Attack, None) => "rogue.attacks".to_owned(),
        (Kind::Workflow, _) => "rogue.workflows".to_owned(),
        (Kind::Session, _) => "rogue.sessions".to_owned(),
    };
    let path: Vec<_> = scenario.path.iter().map(|part| part.to_string_lossy()).collect();
    let _ = write!(
        xml,
        "    <testcase classname=\"{class}\" name=\"{}\" file=\"{}\" time=\"{}\"",
        escaped(&scenario.id),
        escaped(&path.join("/")),
        seconds(scenario.elapsed)
    );
    let (element, kind) = match &scenario.verdict {
        Verdict::Held | Verdict::Passed => {
            *xml += "/>\n";
            return;
        }
        Verdict::Breached => ("failure", "breached"),
        Verdict::Blocked => ("failure", "blocked"),
        Verdict::Broken(_) => ("error", "broken"),
        Verdict::Untestable(_) => ("error", "untestable"),
    };
    let mut told = Vec::new();
    for run in scenario.runs.iter().filter(|run| !run.is_clean()) {
        told.push(format!("{}:", run.role.with_article()));
        told.extend(reasons(run).iter().map(|reason| format!("- {reason}")));
    }
    let message = match &scenario.verdict {
        Verdict::Broken(why) | Verdict::Untestable(why) => format!("{}: {why}", scenario.title),
        _ => scenario.title.clone(),
    };
    let _ = writeln!(
        xml,
        ">\n      <{element} message=\"{}\" type=\"{kind}\">{}</{element}>",
        escaped(&message),
        escaped(&told.join("\n"))
    );
    let mut out = Vec::new();
    for run in scenario.runs.iter().filter(|run| !run.is_clean()) {
        for (title, lines) in [("what was said", &run.transcript), ("what the exchange wrote down", &run.journal)] {
            if !lines.is_empty() {
                out.push(format!("{}, {title}:", run.role.with_article()));
                out.extend(lines.iter().cloned());
            }
        }
    }
    if !out.is_empty() {
        let _ = writeln!(xml, "      <system-out>{}</system-out>", escaped(&out.join("\n")));
    }
    *xml += "    </testcase>\n";
}

struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
}

impl Counts {
    fn of<'a>(scenarios: impl Iterator<Item = &'a ScenarioResult>) -> Self {
        let mut counts = Self { tests: 0, failures: 0, errors: 0 };
        for scenario in scenarios {
            counts.tests += 1;
            match scenario.verdict {
                Verdict::Held | Verdict::Passed => {}
                Verdict::Breached | Verdict::Blocked => counts.failures += 1,
                Verdict::Broken(_) | Verdict::Untestable(_) => counts.errors += 1,
            }
        }
        counts
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tests, failures, errors } = self;
        write!(f, "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\"")
    }
}

fn seconds(elapsed: Duration) -> String {
    format!("{}.{:03}", elapsed.as_secs(), elapsed.subsec_millis())
}

/// Text and attributes. What XML 1.0 cannot hold at all, not even escaped, is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                // As it is, an attribute would turn it into a blank.
                let _ = write!(out, "&#{};", u32::from(letter));
            }
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}
