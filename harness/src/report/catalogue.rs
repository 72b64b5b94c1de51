//! The catalogue of scenarios as a page of the documentation: `docs/catalogue.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::lists::{FEATURES, List, OWASP_AGENTIC, OWASP_MCP, SAFE_MCP};
use super::page::pattern;
use crate::scenario::{Case, Group, Kind, Located, Scenario, Step};

/// Entries of lists that no scenario of an exchange and a gateway can show, and why.
const BEYOND: &[(&str, &str)] = &[
    ("MCP04", "what was installed is not what a gateway sees"),
    ("MCP09", "about which servers are run, not about what one of them does"),
    ("ASI06", "the agents are scripts and remember nothing"),
    ("PF20", "the servers here have tools and nothing else, so that no other method does harm (RA-46 below)"),
    ("PF24", "of HTTP alone, and no script writes a header (RA-45 and RA-56 below)"),
];

/// The numbers of the patterns that there are, `RA-01` to this.
const PATTERNS: u32 = 58;

/// Patterns that are shown by no scenario, or in part, and why.
const NOT_SHOWN: &[(&str, &str)] = &[
    (
        "RA-45",
        "headers that say another thing than the body: scripts speak MCP and write no headers, and the servers here read none, so that without a gateway nothing would happen; `stack/gateway/tests/gateway/http/bodies.rs` holds it",
    ),
    (
        "RA-46",
        "methods that are no tools: the servers here have none, so that without a gateway nothing would happen; `stack/gateway/tests/gateway/methods.rs` holds it",
    ),
    (
        "RA-56",
        "in part: who says in a frame that it is another is shown; stolen session ids, tokens for another audience and foreign names of the host stand in headers of HTTP, which no script writes; `stack/gateway/tests/gateway/http` holds them",
    ),
];

/// The patterns that no case is about, and those that are shown in part.
fn missing(cases: &[&Case]) -> Vec<String> {
    let shown: Vec<String> = cases.iter().filter_map(|case| pattern(&case.scenario.id)).collect();
    let is_missing = |code: &String| !shown.contains(code) || NOT_SHOWN.iter().any(|(known, _)| known == code);
    (1..=PATTERNS).map(|number| format!("RA-{number:02}")).filter(is_missing).collect()
}

/// The page. Paths of cases count from the root of the checkout; links are relative to `docs/`.
pub fn catalogue(cases: &[Case]) -> String {
    let attacks: Vec<&Case> = cases.iter().filter(|case| case.scenario.kind == Kind::Attack).collect();
    let workflows: Vec<&Case> = cases.iter().filter(|case| case.scenario.kind == Kind::Workflow).collect();
    let mut text = format!(
        "# Catalogue\n\n<!-- Written from the scenarios: `ROGUE_WRITE_CATALOGUE=1 cargo test --test catalogue`. -->\n\n\
         {} rogue agents and {} honest workflows. Each rogue agent is run three times: without a policy, where it must do its\nharm; \
         with it, where it must not; and as its honest twin, which must pass. `rogue show ID` tells one in words, `rogue run FILE`\nruns \
         it alone.\n\n[Rogue agents](#rogue-agents) · [Honest work](#honest-work) · [Coverage](#coverage) · [Incidents](#incidents) · \
         [What is not shown](#what-is-not-shown)\n",
        attacks.len(),
        workflows.len()
    );
    text += "\n## Rogue agents\n";
    for group in [Group::A, Group::B, Group::C, Group::D, Group::E, Group::F, Group::G, Group::H] {
        let of: Vec<_> = attacks.iter().filter(|case| case.scenario.group == Some(group)).collect();
        if of.is_empty() {
            continue;
        }
        let _ = writeln!(
            text,
            "\n### {group:?}: {}\n\n| pattern | what it does | stopped by | listed as |\n|---|---|---|---|",
            group.title()
        );
        for case in of {
            let scenario = &case.scenario;
            let maps = &scenario.maps;
            let listed = [&maps.owasp_mcp, &maps.owasp_agentic, &maps.safe_mcp].into_iter().flatten();
            let pattern = pattern(&scenario.id).unwrap_or_default();
            let title = link(case, &scenario.title) + &parts(scenario);
            let (stops, listed) =
                (codes(&scenario.stops), listed.map(|code| code.value.as_str()).collect::<Vec<_>>().join(", "));
            let _ = writeln!(text, "| {pattern} | {title} | {stops} | {listed} |");
        }
    }
    text += "\n## Honest work\n\nLong enough to come near the limits; not one call may be denied.\n\n| workflow | policy |\n|---|---|\n";
    for case in workflows {
        let scenario = &case.scenario;
        let title = link(case, &scenario.title) + &parts(scenario);
        let _ = writeln!(text, "| {title} | `{}` |", plain(&scenario.policy));
    }
    text += "\n## Coverage\n";
    put_list(&mut text, &OWASP_MCP, &attacks, |case| &case.scenario.maps.owasp_mcp);
    put_list(&mut text, &OWASP_AGENTIC, &attacks, |case| &case.scenario.maps.owasp_agentic);
    put_list(&mut text, &SAFE_MCP, &attacks, |case| &case.scenario.maps.safe_mcp);
    text += "\n### Policy features\n\nWhat of a policy each scenario needs to be stopped; the codes are those of `stops` in a scenario.\n";
    put_coverage(&mut text, FEATURES, &attacks, |case| &case.scenario.stops);
    text += "\n## Incidents\n\nWhat really happened, and which scenario tells it again.\n\n| incident | when | what | scenario |\n|---|---|---|---|\n";
    let told = attacks.iter().filter_map(|case| Some((case, case.scenario.incident.as_ref()?)));
    for (case, incident) in told {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            plain(&incident.name),
            plain(&incident.date),
            plain(&incident.what),
            link(case, &case.scenario.id)
        );
    }
    text += "\n## What is not shown\n\n| pattern | why |\n|---|---|\n";
    for code in missing(&attacks) {
        let why = NOT_SHOWN.iter().find(|(known, _)| *known == code).map_or("not yet", |(_, why)| why);
        let _ = writeln!(text, "| {code} | {why} |");
    }
    text += "\nWithdrawals, which no tool can make. Package supply chains: by the time a gateway sees a call, \
             what was installed\nhas been. What a language model would have decided: the agents are scripts at their worst.\n";
    text
}

fn put_list(text: &mut String, list: &List, attacks: &[&Case], of: fn(&Case) -> &Vec<Located<String>>) {
    let _ = writeln!(text, "\n### [{}]({})", list.title, list.address);
    if !list.entries.is_empty() {
        put_coverage(text, list.entries, attacks, of);
        return;
    }
    // A list of hundreds: what is named.
    let mut named: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in attacks {
        for code in of(case) {
            named.entry(&code.value).or_default().push(case);
        }
    }
    *text += "\n| entry | scenarios |\n|---|---|\n";
    for (code, cases) in named {
        let _ = writeln!(text, "| {code} | {} |", links(&cases));
    }
}

fn put_coverage(
    text: &mut String,
    entries: &[(&str, &str)],
    attacks: &[&Case],
    of: fn(&Case) -> &Vec<Located<String>>,
) {
    let covered =
        entries.iter().filter(|(code, _)| attacks.iter().any(|case| of(case).iter().any(|named| named.value == *code)));
    let _ = writeln!(text, "\n{} of {} covered.\n\n| | | scenarios |\n|---|---|---|", covered.count(), entries.len());
    for (code, title) in entries {
        let fitting: Vec<&Case> =
            attacks.iter().copied().filter(|case| of(case).iter().any(|named| named.value == *code)).collect();
        let beyond = BEYOND.iter().find(|(known, _)| known == code).map(|(_, why)| *why);
        let scenarios = match (fitting.is_empty(), beyond) {
            (true, Some(why)) => format!("cannot be shown here: {why}"),
            (true, None) => "none yet".to_owned(),
            (false, _) => links(&fitting),
        };
        let _ = writeln!(text, "| {code} | {title} | {scenarios} |");
    }
}

/// Who plays a part beside the first agent.
fn parts(scenario: &Scenario) -> String {
    let mut parts: Vec<String> = scenario.agents.keys().cloned().collect();
    if scenario.has_step(|step| matches!(step, Step::Operator(_))) {
        parts.push("the operator".to_owned());
    }
    if scenario.has_step(|step| matches!(step, Step::ServerChange(_))) {
        parts.push("the server".to_owned());
    }
    if scenario.has_step(|step| matches!(step, Step::Market(_))) {
        parts.push("the market".to_owned());
    }
    if parts.is_empty() { String::new() } else { format!("; with {}", parts.join(", ")) }
}

fn codes(codes: &[Located<String>]) -> String {
    codes.iter().map(|code| code.value.as_str()).collect::<Vec<_>>().join(", ")
}

fn links(cases: &[&Case]) -> String {
    cases.iter().map(|case| link(case, &case.scenario.id)).collect::<Vec<_>>().join(", ")
}

fn link(case: &Case, title: &str) -> String {
    let path: Vec<_> = case.path.iter().map(|part| part.to_string_lossy()).collect();
    format!("[{}](../{})", plain(title), path.join("/"))
}

/// Text in a cell.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('<', "&lt;").replace('[', "\\[")
}
