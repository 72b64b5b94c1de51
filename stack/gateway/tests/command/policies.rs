//! A policy that is replaced while the command runs, and one that stands in several files.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{POLICY, Place, Served, said, send};

pub(crate) fn hangup() {
    let place = Place::new(POLICY);
    let mut served = Served::start(place.before_fixture(&[], "rmcp"));
    assert_eq!(served.event("started")["policy"], mcp_gateway::policy_digest(POLICY));
    assert_eq!(served.call(1, "echo"), Value::Null);
    let without = POLICY.replace("\"echo\": {}, ", "");
    fs::write(place.path("policy.json"), &without).unwrap();
    // What is on disk counts for nothing until it is asked for.
    assert_eq!(served.call(2, "echo"), Value::Null);
    send(&served.child, "-HUP");
    let event = served.event("policy_reloaded");
    assert_eq!(event["policy"], mcp_gateway::policy_digest(&without));
    assert_eq!(served.call(3, "echo"), "not_available");
    fs::write(place.path("policy.json"), without.replace("deny", "allow-all")).unwrap();
    send(&served.child, "-HUP");
    assert!(served.event("policy_refused")["message"].as_str().unwrap().contains("`/default`"));
    assert_eq!(served.call(4, "echo"), "not_available");
    assert_eq!(served.call(5, "slow"), Value::Null);
    served.end();
}

/// A document with comments, in three files.
const IN_PARTS: [(&str, &str); 3] = [
    (
        "policy.json",
        r#"{
  // What the server has.
  "version": "2", "default": "deny", /* and nothing else */
  "manifest": { "echo": { "arguments": ["a"] }, "slow": { "arguments": ["a"] } },
  "include": ["limits.json", "desk/slow.json"],
  "tools": { "echo": {} }
}"#,
    ),
    (
        "limits.json",
        r#"{ "all_tools": { "limits": [{ "counter": "calls", "window": "day", "max": 2 }] } } // two a day"#,
    ),
    ("desk/slow.json", r#"{ "tools": { "slow": {} } }"#),
];

/// What another program makes of the files.
fn digest_of_parts(place: &Place) -> String {
    let script = "sha256sum - limits.json desk/slow.json < policy.json | sha256sum";
    let output = Command::new("sh").args(["-c", script]).current_dir(place.folder.path()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_once(' ').unwrap().0.to_owned()
}

pub(crate) fn several_files() {
    let place = Place::new("");
    fs::create_dir(place.path("desk")).unwrap();
    for (name, text) in IN_PARTS {
        fs::write(place.path(name), text).unwrap();
    }
    let first = digest_of_parts(&place);
    let output = place.gateway(&["--check"]).output().unwrap();
    assert!(output.status.success() && said(&output).contains(&format!("valid, sha256 {first}")), "{}", said(&output));

    let mut served = Served::start(place.before_fixture(&[], "rmcp"));
    assert_eq!(served.event("started")["policy"], first);
    assert_eq!(served.call(1, "slow"), Value::Null, "a part lists it");
    assert_eq!(served.call(2, "echo"), Value::Null);
    assert_eq!(served.call(3, "echo"), "limit_reached", "a part limits it");

    // Only a part has changed: the policy is another, and what was counted stays.
    fs::write(place.path("limits.json"), IN_PARTS[1].1.replace("\"max\": 2", "\"max\": 3")).unwrap();
    send(&served.child, "-HUP");
    let event = served.event("policy_reloaded");
    assert_eq!((event["from"].as_str(), event["policy"].as_str()), (Some(&*first), Some(&*digest_of_parts(&place))));
    assert_ne!(digest_of_parts(&place), first);
    assert_eq!(served.call(4, "echo"), Value::Null);
    assert_eq!(served.call(5, "echo"), "limit_reached");

    // A part that is gone is an error of the whole.
    fs::remove_file(place.path("desk/slow.json")).unwrap();
    send(&served.child, "-HUP");
    let refused = served.event("policy_refused");
    assert!(refused["message"].as_str().unwrap().contains("`desk/slow.json` cannot be loaded"), "{refused}");
    served.end();
    assert_eq!(place.gateway(&["--check"]).output().unwrap().status.code(), Some(3));
}
