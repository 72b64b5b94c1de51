//! Case files: a document, calls with their times, and what must become of each.
//!
//! ```json
//! { "title": "what it shows", "policy": { … },
//!   "calls": [ { "at_ms": 0, "tool": "t", "args": {}, "grant": "g", "session": "s", "repeat": 3,
//!                "expect": "allow", "rule": "/tools/t", "settle": "never_sent" },
//!              { "at_ms": 5, "tool": "t", "expect": "deny", "rule": "/tools/t/limits/0",
//!                "reason": "limit_reached", "retry_after_ms": 59995 } ] }
//! ```
//!
//! `expect` and `rule` are needed; `reason` is needed of a denial. A `repeat` makes the same call several times at the
//! same moment, all with the same outcome. `settle` hands the permit back at once.

use std::path::Path;

use mcp_policy::{Decision, Guard, Outcome, Policy};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::support::ask;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    title: String,
    policy: Value,
    calls: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    at_ms: u64,
    tool: String,
    #[serde(default)]
    args: Map<String, Value>,
    #[serde(default)]
    grant: String,
    #[serde(default)]
    session: String,
    #[serde(default = "once")]
    repeat: usize,
    expect: String,
    rule: String,
    reason: Option<String>,
    retry_after_ms: Option<u64>,
    settle: Option<Settle>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Settle {
    NeverSent,
    Succeeded,
    Failed,
    Unknown,
}

fn once() -> usize {
    1
}

fn check(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let case: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let policy = Policy::parse(&case.policy.to_string());
    let mut guard = Guard::new(policy.unwrap_or_else(|errors| panic!("{}:\n{errors}", path.display())));
    for (index, row) in case.calls.iter().enumerate() {
        for _ in 0..row.repeat {
            let call = ask(&row.tool).with(Value::Object(row.args.clone())).grant(&row.grant).session(&row.session);
            let decision = call.of(&mut guard, row.at_ms);
            let decided = match &decision {
                Decision::Allow(permit) => ("allow", permit.rule(), None, None),
                Decision::Escalate(escalation) => ("escalate", escalation.rule.as_str(), None, None),
                Decision::Deny(denial) => {
                    ("deny", denial.rule.as_str(), Some(denial.reason.code()), denial.retry_after_ms)
                }
            };
            let expected = (row.expect.as_str(), row.rule.as_str(), row.reason.as_deref(), row.retry_after_ms);
            assert_eq!(decided, expected, "{}, {}: call {index} at {} ms", path.display(), case.title, row.at_ms);
            if let (Decision::Allow(permit), Some(settle)) = (decision, row.settle) {
                let outcome = match settle {
                    Settle::NeverSent => Outcome::NeverSent,
                    Settle::Succeeded => Outcome::Succeeded,
                    Settle::Failed => Outcome::Failed,
                    Settle::Unknown => Outcome::Unknown,
                };
                guard.settle(permit, outcome);
            }
        }
    }
}

#[test]
fn every_case_file() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for path in files {
        check(&path);
    }
}
