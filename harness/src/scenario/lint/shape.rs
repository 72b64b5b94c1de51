//! The file's own shape: id, kind, sections, codes of public catalogues.

use mock_binance::Fault;
use serde_json::Value;

use super::Findings;
use crate::scenario::{Agent, ExchangeCheck, Expect, FIRST_AGENT, FIRST_GRANT, Kind, Located, Scenario, Upstream};

pub(super) fn lint(findings: &mut Findings<'_>, scenario: &Scenario) {
    id(findings, scenario);
    agents(findings, scenario);
    faults(findings, scenario);
    sections(findings, scenario);
    codes(findings, scenario);
}

fn id(findings: &mut Findings<'_>, scenario: &Scenario) {
    let id = &scenario.id;
    let place = (id.line, id.column);
    let well_formed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty() || !id.chars().all(well_formed) {
        findings.add("id-form", place, format!("`{id}` is not an id"), "use lower-case letters, digits and `-`");
    }
    let stem = findings.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if stem != id.value {
        let message = format!("the id `{id}` is not the file's name");
        findings.add("id-file", place, message, format!("write `id: {stem}`, or name the file `{id}.yaml`"));
    }
}

fn agents(findings: &mut Findings<'_>, scenario: &Scenario) {
    let word =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    for (name, agent) in &scenario.agents {
        let place = (agent.grant.line, agent.grant.column);
        let help = "use lower-case letters, digits and `-`; `agent` is the first agent";
        if !word(name) || name == FIRST_AGENT {
            findings.add("agent", place, format!("`{name}` cannot be the name of an agent"), help);
        }
        if !word(&agent.grant) {
            findings.add("agent", place, format!("`{}` cannot be the name of a grant", agent.grant), help);
        }
        let named = |agent: &Agent| agent.policy.as_ref().map(|policy| policy.value.clone());
        if agent.policy.is_some() && agent.grant.value == FIRST_GRANT {
            let help = "name it as the scenario's `policy`, or give the agent another grant";
            findings.add("grant-policy", place, format!("`{FIRST_GRANT}` is judged by the scenario's policy"), help);
        }
        let other = scenario.agents.values().find(|other| other.grant.value == agent.grant.value);
        if other.is_some_and(|other| named(other) != named(agent)) {
            let message = format!("agents of the grant `{}` name different policies", agent.grant);
            findings.add("grant-policy", place, message, "a grant has one policy: name it at each of its agents");
        }
    }
}

fn faults(findings: &mut Findings<'_>, scenario: &Scenario) {
    let place = findings.key("exchange");
    for fault in &scenario.exchange.faults {
        if let Err(error) = Fault::from_json(&Value::Object(fault.0.clone()).to_string()) {
            findings.add("fault", place, error.to_string(), "docs/faults.md tells what there is");
        }
    }
    if scenario.pinned && scenario.upstream != Upstream::Soft {
        let place = findings.key("pinned");
        findings.add(
            "pinned",
            place,
            "only the tools of the server `soft` are known beforehand",
            "write `upstream: soft`",
        );
    }
}

fn sections(findings: &mut Findings<'_>, scenario: &Scenario) {
    let mut needs = |holds: bool, code, key: &str, message: &str, help: &str| {
        if !holds {
            let place = findings.key(key);
            findings.add(code, place, message, help);
        }
    };
    needs(!scenario.title.trim().is_empty(), "no-title", "title", "the title is empty", "say it in one line");
    needs(!scenario.story.trim().is_empty(), "no-story", "story", "the story is empty", "say what happens and why");
    match scenario.kind {
        Kind::Attack => {
            let steps = "write what the rogue does under `attack`";
            needs(!scenario.attack.is_empty(), "no-steps", "attack", "the attack has no steps", steps);
            let harm =
                "say under `harm` what the control run does to the exchange: without it a dead attack would pass";
            needs(!scenario.harm.is_empty(), "no-harm", "harm", "the attack does no harm", harm);
            let hold = "say under `hold` what the policy must keep, for example `exchange: { requests: 0 }`";
            needs(!scenario.hold.is_empty(), "no-hold", "hold", "nothing must hold", hold);
            let twin = "add `twin`: the nearest honest work, so that a gateway that blocks everything does not pass";
            let twin_steps = scenario.twin.as_ref().is_some_and(|twin| !twin.steps.is_empty());
            needs(twin_steps, "no-twin", "twin", "the attack has no honest twin", twin);
            needs(scenario.group.is_some(), "group", "kind", "the attack has no group", "add `group: A` to `H`");
            let foreign = "an attack has `attack`, `harm`, `hold` and `twin`; `steps` and `expect` belong to workflows";
            needs(scenario.steps.is_empty(), "wrong-section", "steps", "an attack has no `steps`", foreign);
            needs(
                scenario.expect == Expect::default(),
                "wrong-section",
                "expect",
                "an attack has no `expect`",
                foreign,
            );
        }
        Kind::Workflow => {
            let steps = "write the honest work under `steps`";
            needs(!scenario.steps.is_empty(), "no-steps", "steps", "the workflow has no steps", steps);
            let expect = "say under `expect` what the exchange must have seen: work that does nothing is no proof";
            needs(!scenario.expect.exchange.is_empty(), "no-expect", "expect", "the workflow expects nothing", expect);
            one_part(&mut needs, scenario, "a workflow");
        }
        Kind::Session => {
            let steps = "write what the agent did under `steps`";
            needs(!scenario.steps.is_empty(), "no-steps", "steps", "the session has no steps", steps);
            let expect = "say under `expect` what the exchange must have seen, even if it is `requests: 0`";
            needs(!scenario.expect.exchange.is_empty(), "no-expect", "expect", "the session expects nothing", expect);
            one_part(&mut needs, scenario, "a session");
        }
    }
    if let Some(incident) = &scenario.incident {
        let plain = incident.date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let ok = plain && matches!(incident.date.len(), 4 | 7 | 10) && incident.date.starts_with(['1', '2']);
        let message = format!("`{}` is not a date", incident.date);
        needs(ok, "date", "incident", &message, "write \"2026-02-22\", \"2026-02\" or \"2026\"");
    }
}

/// What has `steps` and `expect` has nothing of an attack.
fn one_part(needs: &mut impl FnMut(bool, &'static str, &str, &str, &str), scenario: &Scenario, what: &str) {
    let foreign = format!("{what} has `steps` and `expect`; this key belongs to attacks");
    for (absent, key) in [
        (scenario.group.is_none(), "group"),
        (scenario.attack.is_empty(), "attack"),
        (scenario.harm == ExchangeCheck::default(), "harm"),
        (scenario.hold == Expect::default(), "hold"),
        (scenario.twin.is_none(), "twin"),
    ] {
        needs(absent, "wrong-section", key, &format!("{what} has no `{key}`"), &foreign);
    }
}

fn codes(findings: &mut Findings<'_>, scenario: &Scenario) {
    let numbered = |prefix: &'static str, top: u32| {
        move |code: &str| {
            let digits = code.strip_prefix(prefix).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
            digits.and_then(|digits| digits.parse().ok()).is_some_and(|n: u32| (1..=top).contains(&n))
        }
    };
    let two_digits =
        |prefix: &'static str| move |code: &str| numbered(prefix, 10)(code) && code.len() == prefix.len() + 2;
    let technique = |code: &str| code.len() == 5 && numbered("T", 9999)(code);
    let page =
        |code: &str| !code.is_empty() && code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let maps = &scenario.maps;
    check(findings, &scenario.stops, numbered("PF", 25), "policy feature", "PF1 to PF25");
    check(findings, &maps.owasp_mcp, two_digits("MCP"), "entry of the OWASP MCP Top 10", "MCP01 to MCP10");
    check(findings, &maps.owasp_agentic, two_digits("ASI"), "entry of the OWASP Agentic Top 10", "ASI01 to ASI10");
    check(findings, &maps.safe_mcp, technique, "SAFE-MCP technique", "T and four digits, such as T1911");
    check(findings, &maps.policylayer, page, "PolicyLayer page", "the page's name, such as `runaway-tool-loops`");
}

fn check(findings: &mut Findings<'_>, codes: &[Located<String>], known: impl Fn(&str) -> bool, what: &str, help: &str) {
    for code in codes.iter().filter(|code| !known(code)) {
        findings.add("code", (code.line, code.column), format!("`{code}` is no {what}"), format!("write {help}"));
    }
}
