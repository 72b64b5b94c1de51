//! The reports for people and machines: their shape, and that what an attacker wrote stays text in each.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;
use std::time::Duration;

use rogue_harness::course::{Asked, Course, Moment};
use rogue_harness::report::{Measures, Overhead, PageOptions, Residual, junit, markdown, page, sarif};
use rogue_harness::scenario::{Group, Kind, Outcome, Upstream};
use rogue_harness::verdict::{Damage, Role, RunResult, ScenarioResult, SuiteResult, Verdict};
use serde_json::json;

const HOSTILE: &str = "<script>alert(1)</script> ]]> \"'&| `x` @all [a](http://evil) \u{1b}[31m \u{202e}\nnext";

fn run(role: Role) -> RunResult {
    let mut run = RunResult::new(role);
    let asked = Asked {
        did: HOSTILE.to_owned(),
        outcome: Outcome::Denied,
        rule: Some(HOSTILE.to_owned()),
        why: Some(HOSTILE.to_owned()),
    };
    let moment = |at_ms, equity: &str| Moment {
        at_ms,
        asked: vec![asked.clone()],
        note: None,
        effects: vec![HOSTILE.to_owned()],
        equity: equity.parse().unwrap(),
    };
    let moments = vec![moment(0, "100"), moment(60_000, "40.5")];
    run.course = Some(Box::new(Course { equity_before: "100".parse().unwrap(), moments }));
    run.failures = vec![HOSTILE.to_owned()];
    run.transcript = vec![HOSTILE.to_owned()];
    run
}

fn scenario(id: &str, verdict: Verdict) -> ScenarioResult {
    ScenarioResult {
        id: id.to_owned(),
        title: HOSTILE.to_owned(),
        kind: Kind::Attack,
        group: Some(Group::A),
        upstream: Upstream::Ours,
        path: format!("scenarios/attacks/{id}.yaml").into(),
        verdict,
        runs: [Role::Control, Role::Protected, Role::Twin].map(run).into(),
        elapsed: Duration::from_millis(1_234),
    }
}

fn suite() -> SuiteResult {
    SuiteResult {
        target: "embedded".to_owned(),
        scenarios: vec![
            scenario("ra-01-a", Verdict::Breached),
            scenario("ra-02-b", Verdict::Held),
            scenario("ra-03-c", Verdict::Broken(HOSTILE.to_owned())),
            scenario("ra-04-d", Verdict::Untestable(HOSTILE.to_owned())),
            scenario("ra-05-e", Verdict::Blocked),
        ],
        elapsed: Duration::from_millis(6_170),
    }
}

#[test]
fn the_page_is_whole_and_holds_no_markup_of_others() {
    let html = page(&suite(), &[], &PageOptions { policy: Some(HOSTILE.to_owned()), ..PageOptions::default() });
    for foreign in ["<script", "\u{1b}", "\u{202e}", "src=", "@import", "url(", "onload", "javascript:"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert!(html.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count() > 20);
    for (open, close) in
        [("<article", "</article>"), ("<table", "</table>"), ("<details", "</details>"), ("<svg", "</svg>")]
    {
        assert_eq!(html.matches(open).count(), html.matches(close).count(), "{open}");
    }
    assert!(
        html.contains("1 of 5")
            && html.contains("id=\"ra-01-a\"")
            && html.contains("<span class=\"code\">RA-01</span>")
    );
    assert!(html.contains("Without policy \u{2212}59.50 USDT") && html.contains("1 min later"), "{html}");
    assert!(html.contains("rogue run scenarios/attacks/ra-01-a.yaml"));
    // What went wrong is told first.
    assert!(html.find("href=\"#ra-05-e\"").unwrap() < html.find("href=\"#ra-02-b\"").unwrap());
    let timeless = PageOptions { times: false, ..PageOptions::default() };
    let slower = SuiteResult { elapsed: Duration::from_secs(99), ..suite() };
    assert_eq!(page(&suite(), &[], &timeless), page(&slower, &[], &timeless));
}

#[test]
fn the_page_tells_what_was_measured_or_how_to_measure_it() {
    let without = page(&suite(), &[], &PageOptions::default());
    assert!(without.contains("<code>rogue run --report DIR --residual</code>"), "{without}");
    assert!(!without.contains("<h2>Residual risk</h2>") && !without.contains("<h2>Overhead</h2>"));
    let residual = Residual {
        policy: format!("p/{HOSTILE}"),
        goal: "turnover".to_owned(),
        seed: 1,
        days: 7,
        damage: Damage { turnover: "4494.05".parse().unwrap(), orders: 10, ..Damage::default() },
    };
    let overhead = Overhead {
        calls: 812,
        direct_us: 950,
        through_us: 1_262,
        added_us: 305,
        added_p95_us: 801,
        debug_build: false,
    };
    let told = |overhead, times| {
        let measures = Some(Measures { residual: residual.clone(), overhead });
        page(&suite(), &[], &PageOptions { measures, times, ..PageOptions::default() })
    };
    let html = told(Some(overhead), true);
    for part in [
        "<h2>Residual risk</h2><p class=\"figure\"><small>4,494.05 USDT</small></p>",
        "<h2>Overhead</h2><p class=\"figure\"><small>0.31 ms</small></p>",
        "wall time of this run on this machine</p>",
        "--seed 1 --budget 7</code>",
        "<code>rogue run --report --residual</code>",
    ] {
        assert!(html.contains(part), "{part}\n{html}");
    }
    assert!(!html.contains("<script") && !html.contains("optimisations") && !html.contains("not asked for"));
    assert!(!told(Some(overhead), false).contains("<h2>Overhead</h2>"));
    assert!(told(None, true).contains("Overhead: not measured"));
}

#[test]
fn junit_has_the_elements_that_consumers_read() {
    let xml = junit(&suite());
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"rogue\" tests=\"5\" failures=\"2\" errors=\"2\" skipped=\"0\" time=\"6.170\">"), "{xml}");
    assert!(xml.contains(
        "<testsuite name=\"rogue agents\" tests=\"5\" failures=\"2\" errors=\"2\" skipped=\"0\" time=\"6.170\">"
    ));
    assert!(xml.contains("<testcase classname=\"rogue.attacks.A\" name=\"ra-02-b\" file=\"scenarios/attacks/ra-02-b.yaml\" time=\"1.234\"/>"));
    for (element, kinds) in [("failure", ["breached", "blocked"]), ("error", ["broken", "untestable"])] {
        for kind in kinds {
            assert_eq!(xml.matches(&format!("\" type=\"{kind}\">")).count(), 1, "{kind}");
        }
        assert_eq!(xml.matches(&format!("<{element} message=")).count(), 2);
        assert_eq!(xml.matches(&format!("</{element}>")).count(), 2);
    }
    assert_eq!(xml.matches("<system-out>").count(), 4);
    assert!(!xml.contains("<script") && !xml.contains('\u{1b}') && xml.contains("]]&gt;"));
}

/// What of a SARIF log is not as the standard has it.
fn sarif_wants(log: &serde_json::Value) -> Vec<String> {
    let schema = serde_json::from_str(include_str!("data/sarif-2.1.0-required.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut wants: Vec<String> =
        validator.iter_errors(log).map(|error| format!("{}: {error}", error.instance_path())).collect();
    for run in log["runs"].as_array().into_iter().flatten() {
        let rules =
            run.pointer("/tool/driver/rules").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
        let mut ids: Vec<&str> = rules.iter().filter_map(|rule| rule.get("id")?.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != rules.len() {
            wants.push("two rules have one id".to_owned());
        }
        for result in run["results"].as_array().into_iter().flatten() {
            let place = result["ruleIndex"].as_u64().and_then(|place| usize::try_from(place).ok());
            let named = place.and_then(|place| rules.get(place)).map(|rule| &rule["id"]);
            if named != Some(&result["ruleId"]) {
                wants.push(format!("`ruleIndex` of {} is the place of {named:?}", result["ruleId"]));
            }
        }
    }
    wants
}

#[test]
fn sarif_is_held_against_what_the_standard_requires() {
    let logs = [None, Some(Path::new("policies/my policy.json")), Some(Path::new("/else/where.json"))]
        .map(|policy| sarif(&suite(), &[], policy, "0.1.0"));
    for log in &logs {
        assert_eq!(sarif_wants(log), [] as [String; 0], "{log:#}");
    }
    let held = SuiteResult { scenarios: Vec::new(), ..suite() };
    assert_eq!(sarif_wants(&sarif(&held, &[], None, "0.1.0")), [] as [String; 0]);

    // Each of them is missed: taken out, or written wrong.
    let result = "/runs/0/results/1";
    for (place, key) in [
        ("", "version"),
        ("", "$schema"),
        ("", "runs"),
        ("/runs/0", "tool"),
        ("/runs/0", "results"),
        ("/runs/0/tool", "driver"),
        ("/runs/0/tool/driver", "name"),
        ("/runs/0/tool/driver/rules/0", "id"),
        ("/runs/0/tool/driver/rules/0/shortDescription", "text"),
        ("/runs/0/invocations/0", "executionSuccessful"),
        (result, "message"),
        (result, "ruleId"),
        (result, "ruleIndex"),
        (result, "locations"),
        ("/runs/0/results/1/message", "text"),
        ("/runs/0/results/1/locations/0", "physicalLocation"),
        ("/runs/0/results/1/locations/0/physicalLocation", "artifactLocation"),
        ("/runs/0/results/1/locations/0/physicalLocation", "region"),
        ("/runs/0/results/1/locations/0/physicalLocation/artifactLocation", "uri"),
        ("/runs/0/results/1/locations/0/physicalLocation/region", "startLine"),
    ] {
        let mut log = logs[1].clone();
        let taken = log.pointer_mut(place).and_then(|at| at.as_object_mut()?.remove(key));
        assert!(taken.is_some() && !sarif_wants(&log).is_empty(), "{place}/{key} is not missed");
    }
    for (place, wrong) in [
        ("/version", json!("2.0.0")),
        ("/runs/0/results/1/ruleIndex", json!(0)),
        ("/runs/0/results/1/ruleIndex", json!(99)),
        ("/runs/0/results/1/level", json!("fatal")),
        ("/runs/0/results/1/locations", json!([])),
        ("/runs/0/results/1/locations/0/physicalLocation/region/startLine", json!(0)),
        ("/runs/0/results/1/locations/0/physicalLocation/artifactLocation/uri", json!("my policy.json")),
        ("/runs/0/tool/driver/rules/1/id", json!("ra-01-a")),
    ] {
        let mut log = logs[1].clone();
        *log.pointer_mut(place).unwrap() = wrong;
        assert!(!sarif_wants(&log).is_empty(), "{place} is not seen to be wrong");
    }
}

#[test]
fn sarif_has_the_fields_that_the_standard_asks_for() {
    let log = sarif(&suite(), &[], Some(Path::new("policies/my policy.json")), "0.1.0");
    assert_eq!((&log["version"], log["runs"].as_array().unwrap().len()), (&json!("2.1.0"), 1));
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!((&driver["name"], &driver["semanticVersion"]), (&json!("rogue"), &json!("0.1.0")));
    let rules = driver["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!((rules.len(), results.len()), (5, 4), "what held is no result");
    assert_eq!(rules[0]["name"], "Ra01A");
    for result in results {
        // Each points at its rule.
        let place = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[place]["id"], result["ruleId"]);
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        let expected = json!({ "uri": "policies/my%20policy.json", "uriBaseId": "%SRCROOT%" });
        assert_eq!((&place["artifactLocation"], &place["region"]["startLine"]), (&expected, &json!(1)));
        assert_eq!(result["partialFingerprints"]["rogueScenario/v1"], result["ruleId"]);
    }
    assert_eq!(run["invocations"][0]["executionSuccessful"], false, "one was broken");
    assert!(run["invocations"][0]["exitCode"].as_u64().unwrap() > 0);
    let without = sarif(&suite(), &[], None, "0.1.0");
    let uri = &without["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(uri, "scenarios/attacks/ra-01-a.yaml");
}

#[test]
fn markdown_is_a_summary_in_which_nothing_of_others_is_read() {
    let text = markdown(&suite(), "rogue run --policy p.json");
    assert!(text.contains("- ❌ **1 of 5** rogue agents stopped"), "{text}");
    assert!(text.contains("Start here: `rogue run --policy p.json scenarios/attacks/ra-01-a.yaml`"), "{text}");
    assert!(text.contains("| **BREACHED** | ") && text.contains("<br>`ra-01-a` | "), "{text}");
    for foreign in ["<script", "\u{1b}", "[a](http", "| `x`"] {
        let outside_of_code: String = text.split('`').step_by(2).collect();
        assert!(!outside_of_code.contains(foreign), "{foreign}: {text}");
    }
    // No line of a table is broken.
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let bars = line.replace("\\|", "").matches('|').count();
        assert!([4, 5].contains(&bars), "{line}");
    }
}
