//! A suite as SARIF 2.1.0, which code-scanning pages read.
//!
//! Each scenario is a rule. What went wrong is a result: at the policy, where it was named on the command line, since it is
//! there that something has to change, and else at the scenario. What is as it should be is no result.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::failure::reasons;
use crate::scenario::Case;
use crate::verdict::{Role, ScenarioResult, SuiteResult, Verdict};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The log. `policy` is the file that took the place of the scenarios' own; `cases` tell the stories.
pub fn sarif(suite: &SuiteResult, cases: &[Case], policy: Option<&Path>, version: &str) -> Value {
    let rules: Vec<Value> = suite.scenarios.iter().map(|scenario| rule(scenario, cases)).collect();
    let wrong = suite.scenarios.iter().enumerate().filter(|(_, scenario)| !scenario.verdict.is_good());
    let results: Vec<Value> = wrong.map(|(place, scenario)| result(place, scenario, policy)).collect();
    let broken = suite.scenarios.iter().any(|scenario| matches!(scenario.verdict, Verdict::Broken(_)));
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "rogue",
                "semanticVersion": version,
                "rules": rules,
            } },
            "automationDetails": { "id": format!("rogue/{}/", suite.target) },
            "invocations": [{
                "executionSuccessful": !broken,
                "exitCode": suite.exit_class().code(),
            }],
            "results": results,
        }],
    })
}

fn rule(scenario: &ScenarioResult, cases: &[Case]) -> Value {
    let case = cases.iter().find(|case| case.scenario.id.value == scenario.id).map(|case| &case.scenario);
    let story = case.map_or(scenario.title.as_str(), |case| case.story.trim());
    let tags: Vec<&str> = case
        .map(|case| {
            let maps = &case.maps;
            let codes = [&case.stops, &maps.owasp_mcp, &maps.owasp_agentic, &maps.safe_mcp];
            std::iter::once("security").chain(codes.into_iter().flatten().map(|code| code.value.as_str())).collect()
        })
        .unwrap_or_default();
    json!({
        "id": scenario.id,
        "name": camel(&scenario.id),
        "shortDescription": { "text": scenario.title },
        "fullDescription": { "text": story },
        "help": { "text": format!("{story}\n\nrogue show {}", scenario.id) },
        "defaultConfiguration": { "level": "error" },
        "properties": { "tags": tags },
    })
}

fn result(place: usize, scenario: &ScenarioResult, policy: Option<&Path>) -> Value {
    let level = match scenario.verdict {
        Verdict::Blocked | Verdict::Untestable(_) => "warning",
        _ => "error",
    };
    let what = match &scenario.verdict {
        Verdict::Breached => "was not stopped".to_owned(),
        Verdict::Blocked => "is stopped, but honest work is kept from passing".to_owned(),
        Verdict::Broken(why) => format!("taught nothing: {why}"),
        Verdict::Untestable(why) => format!("could not be tested: {why}"),
        Verdict::Held | Verdict::Passed => String::new(),
    };
    let judged = scenario.runs.iter().filter(|run| run.role != Role::Control);
    let reasons: Vec<String> = judged.flat_map(reasons).collect();
    let mut text = format!("\u{201c}{}\u{201d} {what}.", scenario.title);
    for reason in reasons {
        text += "\n- ";
        text += &reason;
    }
    let mut result = json!({
        "ruleId": scenario.id,
        "ruleIndex": place,
        "kind": "fail",
        "level": level,
        "message": { "text": text },
        "locations": [location(policy.unwrap_or(&scenario.path))],
        "partialFingerprints": { "rogueScenario/v1": scenario.id },
    });
    if policy.is_some()
        && let Some(members) = result.as_object_mut()
    {
        members.insert("relatedLocations".to_owned(), json!([location(&scenario.path)]));
    }
    result
}

/// The beginning of a file; relative ones count from the root of the checkout.
fn location(path: &Path) -> Value {
    let parts: Vec<_> =
        path.iter().map(|part| part.to_string_lossy()).filter(|part| part != "/" && part != ".").collect();
    let uri: Vec<String> = parts.iter().map(|part| percent_encoded(part)).collect();
    let uri = uri.join("/");
    let artifact = if path.is_absolute() {
        json!({ "uri": format!("file:///{uri}") })
    } else {
        json!({ "uri": uri, "uriBaseId": "%SRCROOT%" })
    };
    json!({ "physicalLocation": { "artifactLocation": artifact, "region": { "startLine": 1 } } })
}

fn percent_encoded(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// `ra-01-fat-finger` as `Ra01FatFinger`: rules have a name without blanks or dashes.
fn camel(id: &str) -> String {
    id.split('-').fold(String::new(), |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}
