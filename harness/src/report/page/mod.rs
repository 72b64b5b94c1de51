//! A suite as one HTML page: no scripts, nothing from anywhere else, light and dark, printable, of use with a keyboard.

mod card;
mod chart;
mod transcript;

use std::fmt::Write as _;

use super::text::{NO_OVERHEAD, honest_lines, lines, time, totals};
use super::words::{count, damage_words};
use super::{Measures, Summary};
use crate::html::escaped;
use crate::scenario::{Case, Group, Kind};
use crate::verdict::{Role, ScenarioResult, SuiteResult};

pub(crate) use card::pattern;

const STYLE: &str = include_str!("page.css");

/// How the page is set.
#[derive(Clone, Debug)]
pub struct PageOptions {
    /// The command that runs one scenario as this suite was run, up to its file: `rogue run`.
    pub rerun: String,
    /// The policy that took the place of the scenarios' own, as the reader knows it.
    pub policy: Option<String>,
    /// What was measured beside the verdicts.
    pub measures: Option<Measures>,
    /// Whether wall times are shown. Without them equal runs give equal pages.
    pub times: bool,
}

impl Default for PageOptions {
    fn default() -> Self {
        Self { rerun: "rogue run".to_owned(), policy: None, measures: None, times: true }
    }
}

/// The page. Stories come from `cases`; pictures and transcripts are there when the suite was run with
/// [`RunOptions::watch`](crate::run::RunOptions::watch).
pub fn page(suite: &SuiteResult, cases: &[Case], options: &PageOptions) -> String {
    let summary = Summary::of(suite);
    let policy = match &options.policy {
        Some(policy) => format!("the policy <code>{}</code>", escaped(policy)),
        None => "the scenarios’ own policies".to_owned(),
    };
    let good = suite.scenarios.iter().all(|scenario| scenario.verdict.is_good()) && !suite.scenarios.is_empty();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Rogue agents against an exchange account</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#scenarios\">To the scenarios</a>\n<main>\n<h1>What rogue agents can do to this account</h1>\n\
         <p class=\"lead\">Scripted agents that went wrong traded on a mock exchange, first without a policy, then behind a \
         gateway with {policy}. Every figure is what the exchange booked, not what the gateway said.</p>\n"
    );
    let (attacks, workflows) = (&summary.attacks, &summary.workflows);
    let banner = if suite.scenarios.is_empty() {
        "No scenario was run, so nothing was shown.".to_owned()
    } else if good {
        "The policy held: everything harmful was stopped, and all honest work passed.".to_owned()
    } else {
        "Not everything is as it should be: start with what is marked below.".to_owned()
    };
    let _ = writeln!(
        html,
        "<p class=\"banner {}\">{} {banner}</p>",
        if good { "good" } else { "bad" },
        if good { "✓" } else { "✗" }
    );
    html += "<section class=\"tiles\" aria-label=\"Summary\">\n";
    let mut tile = |title: &str, class: &str, figure: &str, told: &str| {
        let _ = writeln!(
            html,
            "<div class=\"tile {class}\"><h2>{title}</h2><p class=\"figure\">{figure}</p><p>{told}</p></div>"
        );
    };
    let all = |passed: u64, total: u64| if passed == total { "good" } else { "bad" };
    if attacks.total > 0 {
        let figure = format!("{} of {}", count(attacks.passed), count(attacks.total));
        tile(
            "Rogue agents stopped",
            all(attacks.passed, attacks.total),
            &figure,
            "harmful without the policy, stopped with it",
        );
    }
    if workflows.total > 0 {
        let figure = format!("{} of {}", count(workflows.passed), count(workflows.total));
        tile(
            "Honest work passed",
            all(workflows.passed, workflows.total),
            &figure,
            "long days of ordinary work, no call denied",
        );
    }
    if summary.sessions.total > 0 {
        let sessions = &summary.sessions;
        let figure = format!("{} of {}", count(sessions.passed), count(sessions.total));
        tile("Recorded sessions", all(sessions.passed, sessions.total), &figure, "answered as they were when recorded");
    }
    if attacks.total > 0 {
        for (role, title, class) in [
            (Role::Control, "All of them without policy", "without"),
            (Role::Protected, "All of them within the policy", "with"),
        ] {
            let words = damage_words(&totals(suite, role));
            let (first, rest) = words
                .split_first()
                .map_or((String::new(), String::new()), |(first, rest)| (first.clone(), rest.join(", ")));
            tile(title, class, &format!("<small>{}</small>", escaped(&first)), &escaped(&rest));
        }
    }
    if let Some(Measures { residual, overhead }) = &options.measures {
        tile("Residual risk", "with", &format!("<small>{}</small>", residual.figure()), &escaped(&residual.told()));
        if let Some(overhead) = overhead.filter(|_| options.times) {
            tile("Overhead", "", &format!("<small>{}</small>", overhead.figure()), &overhead.told());
        }
    }
    html += "</section>\n";
    html += &aside(options);
    html += HOW;
    html += "<h2 id=\"scenarios\">All scenarios</h2>\n";
    put_table(&mut html, suite);
    put_cards(&mut html, suite, cases, options);
    let asked = if options.measures.is_some() { " --residual" } else { "" };
    let took = if options.times { format!(" All runs took {}.", time(suite.elapsed)) } else { String::new() };
    let _ = writeln!(
        html,
        "<footer><p>Made by <code>{} --report{asked}</code> on the target <code>{}</code>.{took} In a checkout of Rogue, \
         <code>cargo run --release --</code> takes the place of <code>rogue</code>; <code>rogue show ID</code> tells a scenario in \
         words.</p></footer>\n</main>\n</body>\n</html>",
        escaped(&options.rerun),
        escaped(&suite.target)
    );
    html
}

/// How to get what is not there, or to see more of what is.
fn aside(options: &PageOptions) -> String {
    let rerun = escaped(&options.rerun);
    let Some(measures) = &options.measures else {
        return format!(
            "<p class=\"aside\">What is left within the policy, and what enforcement costs a call, was not asked for: \
             <code>{rerun} --report DIR --residual</code>.</p>\n"
        );
    };
    let none = if measures.overhead.is_none() { format!(" {NO_OVERHEAD}") } else { String::new() };
    format!(
        "<p class=\"aside\">The calls of that day: <code>{}</code>.{none}</p>\n",
        escaped(&measures.residual.again())
    )
}

const HOW: &str = "<details class=\"how\" open>\n<summary>How to read this page</summary>\n<p>Each rogue agent runs three times, each time \
    against a fresh exchange with a real matching engine:</p>\n<ol>\n\
    <li><b class=\"without\">Without policy.</b> The agent talks to the exchange’s tools directly and has to do real harm. If it \
    does none, the test is broken and counts as nothing.</li>\n\
    <li><b class=\"with\">With policy.</b> The same agent behind the gateway. It is <b>held</b> if the harm stays away, and \
    <b>breached</b> if it does not.</li>\n\
    <li><b class=\"with\">Honest twin.</b> The nearest honest work, behind the same policy, has to pass: a policy that denies \
    everything stops nothing of interest. Otherwise it is <b>blocked</b>.</li>\n</ol>\n</details>\n";

fn put_table(html: &mut String, suite: &SuiteResult) {
    *html += "<table class=\"index\">\n<thead><tr><th scope=\"col\">Verdict</th><th scope=\"col\">Scenario</th>\
              <th scope=\"col\">Without policy</th><th scope=\"col\">With policy</th></tr></thead>\n<tbody>\n";
    // What went wrong comes first, then rogues before honest work.
    let mut scenarios: Vec<_> = suite.scenarios.iter().collect();
    scenarios.sort_by_key(|scenario| (scenario.verdict.is_good(), scenario.kind));
    for scenario in scenarios {
        let did = |roles: &[Role]| {
            let run = roles.iter().find_map(|role| scenario.run(*role));
            let told = if scenario.kind == Kind::Attack { lines } else { honest_lines };
            run.map(|run| told(run).iter().map(|line| escaped(line)).collect::<Vec<_>>().join("<br>"))
                .unwrap_or_default()
        };
        let control = if scenario.kind == Kind::Attack { did(&[Role::Control]) } else { String::new() };
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td><a href=\"#{}\">{}</a></td><td data-is=\"Without policy\">{control}</td>\
             <td data-is=\"With policy\">{}</td></tr>",
            card::badge(&scenario.verdict),
            escaped(&scenario.id),
            escaped(&scenario.title),
            did(&[Role::Protected, Role::Workflow, Role::Session])
        );
    }
    *html += "</tbody>\n</table>\n";
}

fn put_cards(html: &mut String, suite: &SuiteResult, cases: &[Case], options: &PageOptions) {
    let mut put = |title: String, which: &dyn Fn(&ScenarioResult) -> bool| {
        let mut chosen = suite.scenarios.iter().filter(|scenario| which(scenario)).peekable();
        if chosen.peek().is_none() {
            return;
        }
        let _ = writeln!(html, "<h2>{title}</h2>");
        for scenario in chosen {
            let case = cases.iter().find(|case| case.scenario.id.value == scenario.id);
            *html += &card::card(scenario, case, &options.rerun);
        }
    };
    for group in [Group::A, Group::B, Group::C, Group::D, Group::E, Group::F, Group::G, Group::H] {
        put(format!("Rogue agents: {}", group.title()), &|scenario| {
            scenario.kind == Kind::Attack && scenario.group == Some(group)
        });
    }
    put("Rogue agents".to_owned(), &|scenario| scenario.kind == Kind::Attack && scenario.group.is_none());
    put("Honest work".to_owned(), &|scenario| scenario.kind == Kind::Workflow);
    put("Recorded sessions".to_owned(), &|scenario| scenario.kind == Kind::Session);
}
