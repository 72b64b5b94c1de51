//! What scenarios there are, and one of them in words.

use std::fmt::Write as _;

use anstyle::Style;
use serde_json::{Value, json};

use super::table::{Fit, render};
use super::words::wrapped;
use crate::scenario::{Case, Kind, Located, Upstream};

const STRONG: Style = Style::new().bold();
/// No line of prose is longer than this, however wide the terminal.
const READABLE: u16 = 100;

/// A table of scenarios.
pub fn text(cases: &[Case], width: u16) -> String {
    let columns =
        [("Scenario", Fit::Whole), ("What it is", Fit::Share(1)), ("Group", Fit::Number), ("Policy", Fit::Whole)];
    let row = |case: &Case| {
        let scenario = &case.scenario;
        let other = if scenario.kind == Kind::Session { "recorded" } else { "honest" };
        let group = scenario.group.map_or_else(|| other.to_owned(), |group| format!("{group:?}"));
        vec![scenario.id.to_string(), scenario.title.clone(), group, scenario.policy.to_string()]
    };
    let mut text = render(width, &columns, cases.iter().map(row).collect(), false);
    let number = |kind: Kind| cases.iter().filter(|case| case.scenario.kind == kind).count();
    let sessions = match number(Kind::Session) {
        0 => String::new(),
        sessions => format!(", {sessions} recorded sessions"),
    };
    let _ = writeln!(
        text,
        "\n{} attacks, {} honest workflows{sessions}. `rogue show ID` tells one of them.",
        number(Kind::Attack),
        number(Kind::Workflow),
    );
    text
}

/// The same as JSON: `rogue.list/1`.
pub fn json(cases: &[Case]) -> Value {
    let item = |case: &Case| {
        let scenario = &case.scenario;
        let parts: Vec<_> = case.path.iter().map(|part| part.to_string_lossy()).collect();
        json!({
            "id": scenario.id,
            "kind": scenario.kind,
            "group": scenario.group,
            "title": scenario.title,
            "policy": scenario.policy,
            "upstream": scenario.upstream,
            "stops": scenario.stops,
            "maps": scenario.maps,
            "path": parts.join("/"),
        })
    };
    json!({ "format": "rogue.list/1", "scenarios": cases.iter().map(item).collect::<Vec<_>>() })
}

/// One scenario in words.
pub fn story(case: &Case, width: u16) -> String {
    let scenario = &case.scenario;
    let width = width.min(READABLE);
    let mut text = String::new();
    let _ = writeln!(text, "{STRONG}{}{STRONG:#}  {}\n", scenario.id, scenario.title);
    text.push_str(&wrapped(&scenario.story, width));
    if let Some(incident) = &scenario.incident {
        text.push('\n');
        let told = format!("{}, {}: {}", incident.name, incident.date, incident.what);
        text.push_str(&wrapped(&told, width));
    }
    text.push('\n');
    let codes = |codes: &[Located<String>]| codes.iter().map(|code| code.value.clone()).collect::<Vec<_>>().join(", ");
    let kind = match (scenario.kind, scenario.group) {
        (Kind::Attack, Some(group)) => format!("attack, group {group:?}: {}", group.title()),
        (Kind::Attack, None) => "attack".to_owned(),
        (Kind::Workflow, _) => "honest workflow".to_owned(),
        (Kind::Session, _) => "recorded session".to_owned(),
    };
    let upstream = match scenario.upstream {
        Upstream::Ours => "a strict one",
        Upstream::Soft => "a naive one",
    };
    let maps = &scenario.maps;
    let lines = [
        ("kind", kind),
        ("stopped by", codes(&scenario.stops)),
        ("honest twin", scenario.twin.as_ref().map(|twin| twin.title.clone()).unwrap_or_default()),
        ("policy", case.policy.path.display().to_string()),
        ("MCP server", upstream.to_owned()),
        ("OWASP MCP", codes(&maps.owasp_mcp)),
        ("OWASP Agentic", codes(&maps.owasp_agentic)),
        ("SAFE-MCP", codes(&maps.safe_mcp)),
        ("PolicyLayer", codes(&maps.policylayer)),
        ("file", case.path.display().to_string()),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "{name:>13}  {value}");
    }
    text
}
