//! One scenario that went wrong, told so that it can be understood without running it again.

use std::fmt::Write as _;

use super::TextOptions;
use super::table::style_of;
use crate::verdict::{Role, RunResult, ScenarioResult, Verdict};

const INDENT: &str = "      ";

/// What failed in which run, what was said, what the exchange wrote down, and how to run it alone.
pub fn failure(scenario: &ScenarioResult, options: &TextOptions) -> String {
    let mut text = String::new();
    let style = style_of(&scenario.verdict);
    let _ = writeln!(text, "{style}{}{style:#}  {}: {}", scenario.verdict.word(), scenario.id, scenario.title);
    if let Verdict::Broken(why) | Verdict::Untestable(why) = &scenario.verdict {
        let _ = writeln!(text, "  {why}");
    }
    for run in scenario.runs.iter().filter(|run| !run.is_clean()) {
        let _ = writeln!(text, "  {}:", run.role.with_article());
        for line in reasons(run) {
            let _ = writeln!(text, "    - {line}");
        }
        tail(&mut text, "what was said", &run.transcript, options);
        tail(&mut text, "what the exchange wrote down", &run.journal, options);
    }
    let _ = writeln!(text, "  rerun: {} {}", options.rerun, scenario.path.display());
    text
}

/// Why a run is not clean, a line for each reason.
pub(crate) fn reasons(run: &RunResult) -> Vec<String> {
    let mut reasons = Vec::new();
    reasons.extend(run.error.clone());
    reasons.extend(run.untestable.clone());
    if run.harmed {
        reasons.push(match run.role {
            Role::Session => "something passed that was stopped when it was recorded".to_owned(),
            _ => "the whole harm of the control run showed in spite of the policy".to_owned(),
        });
    }
    let dead = if run.role == Role::Control { "no harm: " } else { "" };
    reasons.extend(run.failures.iter().map(|failure| format!("{dead}{failure}")));
    reasons
}

/// The last lines, with a word on how many came before. A line is cut where it would fill more than two of the
/// terminal; the JSON report has it whole.
fn tail(text: &mut String, title: &str, lines: &[String], options: &TextOptions) {
    if lines.is_empty() || options.lines == 0 {
        return;
    }
    let _ = writeln!(text, "    {title}:");
    let skipped = lines.len().saturating_sub(options.lines);
    if skipped > 0 {
        let _ = writeln!(text, "      ({skipped} earlier lines left out)");
    }
    let most = usize::from(options.width) * 2 - INDENT.len();
    for line in lines.iter().skip(skipped) {
        let cut: String = line.chars().take(most).collect();
        let more = if cut.len() < line.len() { "…" } else { "" };
        let _ = writeln!(text, "{INDENT}{cut}{more}");
    }
}
