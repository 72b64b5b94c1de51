//! One scenario on the page.

use std::fmt::Write as _;

use super::chart::{Line, figure};
use super::transcript;
use crate::html::escaped;
use crate::report::lists::{List, OWASP_AGENTIC, OWASP_MCP, SAFE_MCP, feature};
use crate::report::text::{honest_lines, lines};
use crate::scenario::{Case, Kind, Located, Upstream};
use crate::verdict::{Role, RunResult, ScenarioResult, Verdict};

/// What a run is called here, and how its line is drawn.
const ROLES: [(Role, &str, &str); 5] = [
    (Role::Control, "Without policy", "without"),
    (Role::Protected, "With policy", "with"),
    (Role::Twin, "Honest twin", "with"),
    (Role::Workflow, "With policy", "with"),
    (Role::Session, "With policy", "with"),
];

/// The code of the pattern: `RA-16` of `ra-16b-same-order-again`.
pub(crate) fn pattern(id: &str) -> Option<String> {
    let digits: String = id.strip_prefix("ra-")?.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("RA-{digits}"))
}

/// A word with a colour and a sign.
pub(super) fn badge(verdict: &Verdict) -> String {
    let (class, sign) = match verdict {
        Verdict::Held | Verdict::Passed => ("good", "✓"),
        Verdict::Breached | Verdict::Blocked => ("bad", "✗"),
        Verdict::Untestable(_) | Verdict::Broken(_) => ("doubtful", "?"),
    };
    format!("<span class=\"badge {class}\">{sign} {}</span>", verdict.word().to_lowercase())
}

/// The card of a scenario. `case` has its story; `rerun` is the command that runs it alone, up to its file.
pub(super) fn card(scenario: &ScenarioResult, case: Option<&Case>, rerun: &str) -> String {
    let id = escaped(&scenario.id);
    let code = pattern(&scenario.id).map(|code| format!("<span class=\"code\">{code}</span> ")).unwrap_or_default();
    let mut html = format!(
        "<article class=\"card\" id=\"{id}\">\n<header><h3>{code}{}</h3>{}</header>\n",
        escaped(&scenario.title),
        badge(&scenario.verdict)
    );
    if let Verdict::Broken(why) | Verdict::Untestable(why) = &scenario.verdict {
        let _ = writeln!(html, "<p class=\"why\">{}</p>", escaped(why));
    }
    if let Some(case) = case {
        let _ = writeln!(html, "<p class=\"story\">{}</p>", escaped(case.scenario.story.trim()));
        if let Some(incident) = &case.scenario.incident {
            let [name, date, what] = [&incident.name, &incident.date, &incident.what].map(|text| escaped(text));
            let _ = writeln!(html, "<p class=\"incident\"><b>It has happened.</b> {name}, {date}: {what}</p>");
        }
    }
    put_outcomes(&mut html, scenario, case);
    put_chart(&mut html, scenario);
    for (role, title, _) in ROLES {
        let course = shown(scenario, role).and_then(|run| run.course.as_deref());
        html += &course.map(|course| transcript::details(title, role, course)).unwrap_or_default();
    }
    if let Some(case) = case {
        put_facts(&mut html, case);
    }
    let path: Vec<_> = scenario.path.iter().map(|part| part.to_string_lossy()).collect();
    let _ = writeln!(
        html,
        "<p class=\"again\">Run it alone: <code>{} {}</code></p>\n</article>",
        escaped(rerun),
        escaped(&path.join("/"))
    );
    html
}

/// The run of a role, if a reader is to see it: honest work without a gateway only shows that the script works.
fn shown(scenario: &ScenarioResult, role: Role) -> Option<&RunResult> {
    scenario.run(role).filter(|_| role != Role::Control || scenario.kind == Kind::Attack)
}

fn put_outcomes(html: &mut String, scenario: &ScenarioResult, case: Option<&Case>) {
    *html += "<div class=\"outcomes\">\n";
    for (role, title, class) in ROLES {
        let Some(run) = shown(scenario, role) else { continue };
        let told = match role {
            Role::Control | Role::Protected => lines(run),
            Role::Twin | Role::Workflow | Role::Session => honest_lines(run),
        };
        let twin = case.and_then(|case| case.scenario.twin.as_ref()).filter(|_| role == Role::Twin);
        let title = twin.map_or_else(|| title.to_owned(), |twin| format!("{title}: {}", escaped(&twin.title)));
        let told: Vec<String> = told.iter().map(|line| escaped(line)).collect();
        let _ = writeln!(html, "<section class=\"{class}\"><h4>{title}</h4><p>{}</p>", told.join("<br>"));
        // What was expected of a control and did not show, or of another run and did not hold.
        let failures = run.error.iter().chain(&run.untestable).chain(&run.failures);
        let failures: String = failures.fold(String::new(), |all, failure| all + "<li>" + &escaped(failure) + "</li>");
        if !failures.is_empty() {
            let _ = writeln!(html, "<ul class=\"failures\">{failures}</ul>");
        }
        if run.harmed {
            *html += "<p class=\"failures\">The harm showed in spite of the policy.</p>\n";
        }
        *html += "</section>\n";
    }
    *html += "</div>\n";
}

fn put_chart(html: &mut String, scenario: &ScenarioResult) {
    let mut drawn = Vec::new();
    for (role, title, class) in ROLES.iter().filter(|(role, ..)| *role != Role::Twin) {
        if let Some(course) = shown(scenario, *role).and_then(|run| run.course.as_deref()) {
            drawn.push(Line { class, title, course });
        }
    }
    let chart = figure(&drawn);
    // Honest work need not change anything.
    if scenario.kind == Kind::Attack || chart.contains("<svg") {
        *html += &chart;
    }
}

fn put_facts(html: &mut String, case: &Case) {
    let scenario = &case.scenario;
    *html += "<dl>\n";
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(html, "<div><dt>{name}</dt><dd>{value}</dd></div>");
        }
    };
    let titled = |code: &Located<String>, title: Option<&str>| match title {
        Some(title) => format!("<abbr title=\"{}\">{}</abbr> {}", escaped(title), escaped(code), escaped(title)),
        None => escaped(code),
    };
    let stops: Vec<String> = scenario.stops.iter().map(|code| titled(code, feature(code))).collect();
    fact("Stopped by", stops.join("<br>"));
    let listed = |list: &List, codes: &[Located<String>]| {
        let codes: Vec<String> = codes.iter().map(|code| titled(code, list.entry(code))).collect();
        if codes.is_empty() {
            return String::new();
        }
        format!("{} <a href=\"{}\" rel=\"noreferrer\">(list)</a>", codes.join("<br>"), list.address)
    };
    let maps = &scenario.maps;
    for (list, codes) in
        [(&OWASP_MCP, &maps.owasp_mcp), (&OWASP_AGENTIC, &maps.owasp_agentic), (&SAFE_MCP, &maps.safe_mcp)]
    {
        fact(list.title, listed(list, codes));
    }
    fact("Policy", format!("<code>{}</code>", escaped(&scenario.policy)));
    if scenario.upstream == Upstream::Soft {
        fact(
            "MCP server",
            "a naive one, as many people run: it lets through what a strict one would refuse itself".to_owned(),
        );
    }
    *html += "</dl>\n";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_from_ids() {
        for (id, code) in [
            ("ra-16-runaway-loop", Some("RA-16")),
            ("ra-16b-same-order-again", Some("RA-16")),
            ("listen-key-flood", None),
            ("ra-x", None),
        ] {
            assert_eq!(pattern(id).as_deref(), code);
        }
    }
}
