//! Holds a run against what was expected of it, and against what is expected of every run.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::said::{Said, tally, word};
use super::secrets::Secrets;
use crate::agent::transcript::Frame;
use crate::scenario::{AgentCheck, AuditCheck, Count, Expect, Located, Outcome, Step, Upstream};
use crate::soft::tools;
use crate::verdict::AgentTally;
use crate::witness::{self, Evidence};

/// Everything that a run left behind, without what the check of liveness added.
pub(crate) struct Traces<'a> {
    pub(crate) evidence: &'a Evidence,
    pub(crate) said: &'a [Said],
    /// Notifications sent, which a gateway may put on record.
    pub(crate) notified: u64,
    /// Frames to the agent.
    pub(crate) to_agent: &'a [Frame],
    /// Tool calls that reached the MCP server, by name and arguments; nothing without a gateway.
    pub(crate) upstream_calls: Option<&'a [(String, Map<String, Value>)]>,
    /// The audit's lines; nothing without a gateway.
    pub(crate) audit: Option<&'a [String]>,
    /// Whether the audit's chain is whole; nothing where none is kept.
    pub(crate) chain: Option<Result<(), String>>,
    pub(crate) secrets: &'a Secrets,
}

/// What was expected and does not hold, one line each.
pub(crate) fn expectations(expect: &Expect, traces: &Traces<'_>) -> Vec<String> {
    let mut failures = witness::check(&expect.exchange, traces.evidence);
    agent(&expect.agent, traces, &mut failures);
    if let Some(calls) = &expect.upstream.calls {
        match traces.upstream_calls {
            Some(seen) => bound("calls that reached the MCP server", Some(calls), length(seen), &mut failures),
            None => failures.push("calls behind the gateway: there is no gateway".to_owned()),
        }
    }
    audit(&expect.audit, traces, &mut failures);
    for text in &expect.absent {
        failures.extend(
            places_of(traces, |seen| seen.contains(text.as_str())).map(|place| format!("`{text}` stands in {place}")),
        );
    }
    failures
}

/// The reason of a denial by a gateway whose record takes nothing.
const OFF_RECORD: &str = "audit_unavailable";

/// What is expected of every run behind a gateway.
pub(crate) fn defaults(
    steps: &[Located<Step>],
    expect: &Expect,
    upstream: Upstream,
    traces: &Traces<'_>,
) -> Vec<String> {
    let mut failures = Vec::new();
    paths(steps, expect, upstream, traces, &mut failures);
    for place in places_of(traces, |seen| !traces.secrets.leaked_in(seen).is_empty()) {
        failures.push(format!("a key, secret or signature of the run stands in {place}"));
    }
    if let Some(lines) = traces.audit {
        one_line_each(lines, traces, &mut failures);
    }
    if let Some(calls) = traces.upstream_calls {
        stopped_means_stopped(calls, traces.said, &expect.upstream.own_calls, &mut failures);
    }
    failures
}

/// What is expected of honest work besides: every call is carried out.
pub(crate) fn honest(expect: &AgentCheck, said: &[Said]) -> Vec<String> {
    let excused = |outcome: Outcome| match outcome {
        Outcome::Allowed => true,
        Outcome::Denied => expect.denied.is_some(),
        Outcome::Error => expect.errors.is_some(),
        Outcome::Refused => expect.refused.is_some(),
        Outcome::Silent => expect.silent.is_some(),
    };
    let stopped = said.iter().filter(|said| !said.outcome_is_expected() && !excused(said.answer.outcome));
    let described = stopped.map(|said| {
        let rule = said.answer.rule.as_ref().map(|rule| format!(" by `{rule}`")).unwrap_or_default();
        format!("{} at line {}: {}{rule}, must be allowed", said.who_and_what(), said.line, word(said.answer.outcome))
    });
    described.collect()
}

fn agent(expect: &AgentCheck, traces: &Traces<'_>, failures: &mut Vec<String>) {
    let AgentTally { sent: _, allowed, denied, errors, refused, silent } = tally(traces.said);
    let bytes = traces.to_agent.iter().map(|frame| length(&frame.bytes)).sum();
    for (what, expected, observed) in [
        ("answers allowed", &expect.allowed, allowed),
        ("answers denied", &expect.denied, denied),
        ("errors from behind the gateway", &expect.errors, errors),
        ("frames refused", &expect.refused, refused),
        ("frames unanswered", &expect.silent, silent),
        ("bytes sent to the agent", &expect.bytes, bytes),
    ] {
        bound(what, expected.as_ref(), observed, failures);
    }
    let named = |of: fn(&Said) -> Option<&String>| -> BTreeSet<&str> {
        traces.said.iter().filter_map(of).map(String::as_str).collect()
    };
    let rules = named(|said| said.answer.rule.as_ref().filter(|_| said.answer.outcome == Outcome::Denied));
    let reasons = named(|said| said.answer.reason.as_ref());
    for (what, expected, observed) in [("rule", &expect.rules, rules), ("reason", &expect.reasons, reasons)] {
        for name in expected.iter().filter(|name| !observed.contains(name.as_str())) {
            let seen = observed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let seen = if seen.is_empty() { "none was".to_owned() } else { format!("named were {seen}") };
            failures.push(format!("{what} `{name}`: not named by any answer ({seen})"));
        }
    }
    shown_tools(expect, traces.said, failures);
}

fn shown_tools(expect: &AgentCheck, said: &[Said], failures: &mut Vec<String>) {
    if expect.lists.is_empty() && expect.hides.is_empty() {
        return;
    }
    let lists = said.iter().rfind(|said| said.lists_tools && said.answer.outcome == Outcome::Allowed);
    let Some(list) = lists.and_then(|said| said.answer.value.get("tools")?.as_array()) else {
        failures.push("`tools/list` was not answered: add the step `request: { method: tools/list }`".to_owned());
        return;
    };
    let names: BTreeSet<&str> = list.iter().filter_map(|tool| tool.get("name")?.as_str()).collect();
    for tool in expect.lists.iter().filter(|tool| !names.contains(tool.as_str())) {
        failures.push(format!("`tools/list` does not show `{tool}`"));
    }
    for tool in expect.hides.iter().filter(|tool| names.contains(tool.as_str())) {
        failures.push(format!("`tools/list` shows `{tool}`"));
    }
}

fn audit(expect: &AuditCheck, traces: &Traces<'_>, failures: &mut Vec<String>) {
    if *expect == AuditCheck::default() {
        return;
    }
    let Some(lines) = traces.audit else {
        failures.push("audit: the target keeps none".to_owned());
        return;
    };
    let decided = |decisions: &[&str]| {
        let fitting = lines.iter().filter(|line| decision(line).is_some_and(|seen| decisions.contains(&seen.as_str())));
        fitting.fold(0, |count, _| count + 1)
    };
    bound("audit lines", expect.lines.as_ref(), length(lines), failures);
    bound("audit lines that allow", expect.allowed.as_ref(), decided(&["allow"]), failures);
    // A call that waits for a person has been stopped as well.
    bound("audit lines that deny", expect.denied.as_ref(), decided(&["deny", "escalate"]), failures);
    let shadowed = lines.iter().filter(|line| member(line, "shadow").is_some()).count();
    bound("audit lines with rules in shadow", expect.shadowed.as_ref(), count(shadowed), failures);
    let policies: BTreeSet<String> = lines.iter().filter_map(|line| member(line, "policy")).collect();
    bound("policies that decided", expect.policies.as_ref(), count(policies.len()), failures);
    if let Some(whole) = expect.chain_whole {
        match (&traces.chain, whole) {
            (None, _) => failures.push("the chain of the audit: the target keeps none".to_owned()),
            (Some(Err(damage)), true) => failures.push(format!("the chain of the audit is not whole: {damage}")),
            (Some(Ok(())), false) => failures.push("the chain of the audit is whole, must be broken".to_owned()),
            _ => {}
        }
    }
}

/// A member of an audit line, as text.
fn member(line: &str, name: &str) -> Option<String> {
    let value: Value = serde_json::from_str(line).ok()?;
    value.get(name).map(ToString::to_string)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn decision(line: &str) -> Option<String> {
    let value: Value = serde_json::from_str(line).ok()?;
    value.get("decision")?.as_str().map(str::to_owned)
}

/// Which requests the script's tools may cause.
fn paths(
    steps: &[Located<Step>],
    expect: &Expect,
    upstream: Upstream,
    traces: &Traces<'_>,
    failures: &mut Vec<String>,
) {
    let script = serde_json::to_string(steps).unwrap_or_default();
    let mut known: BTreeSet<&str> = tools()
        .iter()
        .filter(|tool| script.contains(tool.name) || expect.upstream.own_calls.iter().any(|own| own == tool.name))
        .map(|tool| tool.path)
        .collect();
    known.extend(expect.exchange.other_paths.iter().map(String::as_str));
    if upstream == Upstream::Soft {
        known.insert("/api/v3/time");
    }
    let seen: BTreeSet<&str> = traces.evidence.requests.iter().map(|request| request.path.as_str()).collect();
    // What the agent asks past everybody stands in the script with its path.
    let direct = |path: &str| script.contains(&json!({ "path": path }).to_string().replace(['{', '}'], ""));
    for path in seen.difference(&known).filter(|path| !direct(path)) {
        failures.push(format!("`{path}` was asked of the exchange, and belongs to no tool that the script names"));
    }
}

/// One line for each call and each refused frame. What was not answered, and notifications, may have one, and so may a call
/// that was denied because it could not be put on record.
fn one_line_each(lines: &[String], traces: &Traces<'_>, failures: &mut Vec<String>) {
    for line in lines {
        if !serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object()) {
            failures.push(format!("an audit line is not one JSON object: `{}`", traces.secrets.redact(line)));
        }
    }
    let (mut least, mut doubtful) = (0, traces.notified);
    for said in traces.said {
        match said.answer.outcome {
            Outcome::Refused => least += 1,
            Outcome::Silent => doubtful += 1,
            Outcome::Denied if said.answer.reason.as_deref() == Some(OFF_RECORD) => doubtful += 1,
            Outcome::Allowed | Outcome::Denied | Outcome::Error => least += u64::from(!said.calls.is_empty()),
        }
    }
    let expected = if doubtful == 0 { Count::exactly(least) } else { Count::at_least(least) };
    let observed = length(lines);
    if observed > least + doubtful || !expected.holds(&observed) {
        failures.push(format!("audit lines: {observed}, must be {expected}, one for each call and refused frame"));
    }
}

/// No call that was denied or refused may have reached the MCP server. Those of the gateway's own are none of the script's.
fn stopped_means_stopped(
    calls: &[(String, Map<String, Value>)],
    said: &[Said],
    own: &[String],
    failures: &mut Vec<String>,
) {
    let passed = |said: &&Said| match said.answer.outcome {
        Outcome::Allowed | Outcome::Error => true,
        Outcome::Silent => said.answerable,
        Outcome::Denied | Outcome::Refused => false,
    };
    let mut permitted: Vec<_> = said.iter().filter(passed).flat_map(|said| &said.calls).collect();
    for call in calls {
        match permitted.iter().position(|permitted| *permitted == call) {
            Some(at) => drop(permitted.swap_remove(at)),
            None if own.contains(&call.0) => {}
            None => failures
                .push(format!("a call of `{}` reached the MCP server, and no such call was let through", call.0)),
        }
    }
}

/// Where a text was found that must not be there.
fn places_of(traces: &Traces<'_>, found: impl Fn(&str) -> bool) -> impl Iterator<Item = &'static str> {
    let to_agent = traces.to_agent.iter().any(|frame| found(&String::from_utf8_lossy(&frame.bytes)));
    let in_audit = traces.audit.is_some_and(|lines| lines.iter().any(|line| found(line)));
    [(to_agent, "a frame to the agent"), (in_audit, "the audit")]
        .into_iter()
        .filter_map(|(found, place)| found.then_some(place))
}

fn bound(what: &str, expected: Option<&Count>, observed: u64, failures: &mut Vec<String>) {
    if let Some(expected) = expected
        && !expected.holds(&observed)
    {
        failures.push(format!("{what}: {observed}, must be {expected}"));
    }
}

fn length<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::answer::Answer;
    use crate::agent::transcript::{Direction, Leg};

    const SECRET: &str = "hush-hush";

    fn said(tool: &str, outcome: Outcome) -> Said {
        Said {
            by: None,
            what: tool.to_owned(),
            line: 1,
            calls: vec![(tool.to_owned(), Map::new())],
            answerable: true,
            answer: Answer { outcome, ..Answer::silent() },
            expect: None,
            lists_tools: false,
        }
    }

    fn frame(text: &str) -> Frame {
        let bytes = text.as_bytes().to_vec();
        Frame { at_ms: 0, leg: Leg::Agent, direction: Direction::ToClient, agent: None, bytes }
    }

    fn check(said: &[Said], to_agent: &[Frame], upstream: &[&str], audit: &[&str], notified: u64) -> Vec<String> {
        let calls: Vec<_> = upstream.iter().map(|tool| ((*tool).to_owned(), Map::new())).collect();
        let audit: Vec<_> = audit.iter().map(|line| (*line).to_owned()).collect();
        let secrets = Secrets::new(vec![(SECRET.to_owned(), "the owner's secret")]);
        let traces = Traces {
            evidence: &Evidence::default(),
            said,
            notified,
            to_agent,
            upstream_calls: Some(&calls),
            audit: Some(&audit),
            chain: None,
            secrets: &secrets,
        };
        defaults(&[], &Expect::default(), Upstream::Ours, &traces)
    }

    const ALLOW: &str = r#"{"decision":"allow"}"#;
    const DENY: &str = r#"{"decision":"deny"}"#;

    #[test]
    fn a_sound_run_has_nothing_against_it() {
        let said = [said("a", Outcome::Allowed), said("b", Outcome::Denied), said("c", Outcome::Refused)];
        assert_eq!(check(&said, &[frame("{}")], &["a"], &[ALLOW, DENY, DENY], 0), [] as [String; 0]);
    }

    #[test]
    fn a_secret_in_sight_is_named_without_being_shown() {
        let in_frame = check(&[], &[frame(SECRET)], &[], &[], 0);
        assert_eq!(in_frame, ["a key, secret or signature of the run stands in a frame to the agent"]);
        let in_audit = check(&[said("a", Outcome::Denied)], &[], &[], &[&json!({ "x": SECRET }).to_string()], 0);
        assert_eq!(in_audit, ["a key, secret or signature of the run stands in the audit"]);
    }

    #[test]
    fn the_audit_has_one_line_each() {
        let one = [said("a", Outcome::Denied)];
        let wrong = |observed: u64| {
            vec![format!("audit lines: {observed}, must be exactly 1, one for each call and refused frame")]
        };
        assert_eq!(check(&one, &[], &[], &[], 0), wrong(0));
        assert_eq!(check(&one, &[], &[], &[DENY, DENY], 0), wrong(2));
        assert_eq!(check(&one, &[], &[], &["{\"a\":1} {"], 0), ["an audit line is not one JSON object: `{\"a\":1} {`"]);
        // A notification may have been put on record, and nothing more.
        assert_eq!(check(&one, &[], &[], &[DENY, DENY], 1), [] as [String; 0]);
        assert_eq!(check(&one, &[], &[], &[DENY, DENY, DENY], 1).len(), 1);
    }

    #[test]
    fn what_was_stopped_must_not_reach_the_server() {
        for outcome in [Outcome::Denied, Outcome::Refused] {
            let failures = check(&[said("a", outcome)], &[], &["a"], &[DENY], 0);
            assert_eq!(failures, ["a call of `a` reached the MCP server, and no such call was let through"]);
        }
        let twice = check(&[said("a", Outcome::Allowed)], &[], &["a", "a"], &[ALLOW], 0);
        assert_eq!(twice.len(), 1, "{twice:?}");
        let unanswerable = Said { answerable: false, ..said("a", Outcome::Silent) };
        assert_eq!(check(&[unanswerable], &[], &["a"], &[DENY], 0).len(), 1);
    }
}
