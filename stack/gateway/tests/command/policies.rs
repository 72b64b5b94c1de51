//! A policy that is replaced while the command runs, and one that stands in several files.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::http::{Listening, run};
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

pub(crate) fn of_grants() {
    let place = Place::new(POLICY);
    let (audit, state) = (place.path("audit.jsonl"), place.path("state"));
    let state = state.to_str().unwrap();
    let only_echo = POLICY.replace(", \"slow\": {}", "");
    let own = place.path("own.json");
    let own_path = own.to_str().unwrap();
    let add = |name: &str, policy: &str| {
        let output = run(&["grant", "add", name, "--state", state, "--policy", policy]);
        (output.status.code(), String::from_utf8(output.stdout.clone()).unwrap().trim().to_owned(), said(&output))
    };
    // What is no policy of one grant is none: no token is given.
    let spanning = r#"{"version": "2", "default": "deny", "manifest": {"echo": {"arguments": ["a"]}},
        "tools": {"echo": {"concurrency": [{"max": 1, "scope": "server"}]}}}"#;
    for (text, remedy) in [("", "own.json"), ("{", "line 1"), (spanning, "/tools/echo/concurrency/0")] {
        if !text.is_empty() {
            fs::write(&own, text).unwrap();
        }
        let (code, token, said) = add("desk", own_path);
        assert!(code == Some(3) && token.is_empty() && said.contains(remedy), "{said}");
    }
    fs::write(&own, &only_echo).unwrap();
    let (code, desk, _) = add("desk", own_path);
    assert_eq!(code, Some(0));
    let other = String::from_utf8(run(&["grant", "add", "other", "--state", state]).stdout).unwrap().trim().to_owned();

    let flags = ["--audit", audit.to_str().unwrap(), "--state", state, "--listen", "127.0.0.1:0"];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let end = |listening: Listening| {
        crate::terminate(&listening.child);
        let mut child = listening.child;
        assert_eq!(child.wait().unwrap().code(), Some(0));
    };
    let events = |name: &str| {
        let lines = fs::read_to_string(&audit).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["event"] == name).collect::<Vec<_>>()
    };
    let hangup = |listening: &Listening, name: &str| {
        let before = events(name).len();
        send(&listening.child, "-HUP");
        while events(name).len() == before {
            std::thread::yield_now();
        }
    };
    let listening = Listening::start(place.before_fixture(&flags, "rmcp"));
    let say = |token: &str, tool: &str| runtime.block_on(listening.call(token, tool));
    assert_eq!(
        [say(&desk, "echo"), say(&desk, "slow"), say(&other, "slow")],
        [Value::Null, "not_available".into(), Value::Null]
    );
    // One that is given while the gateway runs.
    let (_, new, told) = add("new", own_path);
    assert!(told.contains("SIGHUP"), "{told}");
    assert_eq!(say(&new, "echo"), "policy_unavailable");
    hangup(&listening, "policy_reloaded");
    assert_eq!(say(&new, "echo"), Value::Null);
    // All or none: the server's policy is good, that of a grant is not.
    fs::write(place.path("policy.json"), POLICY.replace("\"slow\": {}", "\"slow\": {\"action\": \"deny\"}")).unwrap();
    fs::write(&own, "{").unwrap();
    hangup(&listening, "policy_refused");
    assert_eq!([say(&desk, "echo"), say(&other, "slow")], [Value::Null, Value::Null]);
    end(listening);
    // The gateway starts for the others, and --check tells.
    let listening = Listening::start(place.before_fixture(&flags, "rmcp"));
    let say = |token: &str, tool: &str| runtime.block_on(listening.call(token, tool));
    assert_eq!([say(&desk, "echo"), say(&other, "echo")], ["policy_unavailable".into(), Value::Null]);
    end(listening);
    assert!(events("policy_refused").iter().any(|event| event["grant"] == "desk" && event.get("refused").is_none()));
    let checked = place.gateway(&["--state", state, "--check"]).output().unwrap();
    assert!(checked.status.code() == Some(3) && said(&checked).contains("own.json"), "{}", said(&checked));
}
