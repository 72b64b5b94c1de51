//! A suite as Markdown: the summary under a pull request, or in a job's page.

use std::fmt::Write as _;

use super::Summary;
use super::failure::reasons;
use super::text::{honest_lines, lines, totals};
use super::words::{count, damage_words};
use crate::scenario::Kind;
use crate::verdict::{Role, ScenarioResult, SuiteResult, Verdict};

/// The summary, in GitHub's Markdown, which GitLab reads as well. `rerun` is the command that runs one scenario, up to its
/// file. Wall times are left out, so that equal runs give equal text.
pub fn markdown(suite: &SuiteResult, rerun: &str) -> String {
    let summary = Summary::of(suite);
    let bad: Vec<_> = suite.scenarios.iter().filter(|scenario| !scenario.verdict.is_good()).collect();
    let mut text = String::from("## Rogue agents against this policy\n\n");
    let (attacks, workflows, sessions) = (&summary.attacks, &summary.workflows, &summary.sessions);
    for (tally, what) in [
        (attacks, "rogue agents stopped"),
        (workflows, "honest workflows passed"),
        (sessions, "recorded sessions answered as they were"),
    ] {
        if tally.total > 0 {
            let sign = if tally.passed == tally.total { "✅" } else { "❌" };
            let _ = writeln!(text, "- {sign} **{} of {}** {what}", count(tally.passed), count(tally.total));
        }
    }
    if attacks.total > 0 {
        for (role, title) in [(Role::Control, "without the policy"), (Role::Protected, "within the policy")] {
            let _ = writeln!(text, "- {title}: {}", plain(&damage_words(&totals(suite, role)).join(", ")));
        }
    }
    if suite.scenarios.is_empty() {
        text += "No scenario was run, so nothing was shown.\n";
    }
    if !bad.is_empty() {
        text += "\n| verdict | scenario | what is wrong |\n|---|---|---|\n";
        for scenario in &bad {
            let _ = writeln!(
                text,
                "| **{}** | {}<br>`{}` | {} |",
                scenario.verdict.word(),
                plain(&scenario.title),
                coded(&scenario.id),
                wrong(scenario)
            );
        }
        if let Some(first) = bad.first() {
            let path: Vec<_> = first.path.iter().map(|part| part.to_string_lossy()).collect();
            let _ = writeln!(text, "\nStart here: `{} {}`", coded(rerun), coded(&path.join("/")));
        }
    }
    text += "\n<details>\n<summary>All scenarios</summary>\n\n| verdict | scenario | without policy | with policy |\n|---|---|---|---|\n";
    for scenario in &suite.scenarios {
        let did = |roles: &[Role]| {
            let run = roles.iter().find_map(|role| scenario.run(*role));
            let told = if scenario.kind == Kind::Attack { lines } else { honest_lines };
            run.map(|run| plain(&told(run).join(", "))).unwrap_or_default()
        };
        let control = if scenario.kind == Kind::Attack { did(&[Role::Control]) } else { String::new() };
        let _ = writeln!(
            text,
            "| {} | {}<br>`{}` | {control} | {} |",
            scenario.verdict.word(),
            plain(&scenario.title),
            coded(&scenario.id),
            did(&[Role::Protected, Role::Workflow, Role::Session])
        );
    }
    text += "\n</details>\n";
    text
}

/// The first reasons; a report has the others.
fn wrong(scenario: &ScenarioResult) -> String {
    const SHOWN: usize = 3;
    let mut told = Vec::new();
    if let Verdict::Broken(why) | Verdict::Untestable(why) = &scenario.verdict {
        told.push(why.clone());
    } else {
        told.extend(scenario.runs.iter().filter(|run| run.role != Role::Control).flat_map(reasons));
    }
    let more = told.len().saturating_sub(SHOWN);
    let mut words: Vec<String> = told.iter().take(SHOWN).map(|why| format!("`{}`", coded(why))).collect();
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    words.join("<br>")
}

/// What stands between backticks: nothing in it is read as anything but text, and no cell or line ends there.
fn coded(text: &str) -> String {
    let clean = text.chars().map(|letter| match letter {
        '`' => '\'',
        '|' => '¦',
        letter if letter.is_whitespace() || letter.is_control() => ' ',
        letter => letter,
    });
    let clean: String = clean.collect();
    if clean.trim().is_empty() { " ".to_owned() } else { clean }
}

/// Text in which no letter means anything to Markdown or HTML.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '#' | '!' => {
                out.push('\\');
                out.push(letter);
            }
            // Nobody is called, nothing is linked.
            '@' => out.push_str("@\u{200b}"),
            letter if letter.is_whitespace() || letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out.replace("://", ":\u{200b}//")
}
