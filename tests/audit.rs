//! `rogue audit` on an audit that the gateway wrote.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mcp_gateway::mcp_policy::{Guard, Policy};
use mcp_gateway::{AuditKey, ChainedAudit, Gateway, GatewayConfig, Identity, Outbox, Rotation, Session};
use serde_json::Value;

const KEY: &[u8] = b"thirty-two bytes, all of them so";

/// Two calls that pass, of which one is answered, and one that does not.
fn write(folder: &Path, key: Option<&AuditKey>) -> PathBuf {
    let path = folder.join("audit.jsonl");
    let policy = Policy::parse(r#"{"version": "1", "default": "deny", "tools": {"bn_ping": {}}}"#).expect("a policy");
    let audit = ChainedAudit::open(&path, key, Rotation::default()).expect("an audit");
    let clock = std::sync::Arc::new(|| 1_767_225_600_000);
    let gateway = Gateway::new(Guard::new(policy), GatewayConfig::new(clock, audit, "binance"));
    let mut session = Session::new(gateway, Identity::new("desk", "s-1"));
    let mut out = Outbox::default();
    for (id, tool) in [(1, "bn_ping"), (2, "bn_ping"), (3, "bn_\\u001b[31morder")] {
        let call = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}"}}}}"#);
        session.from_client(call.as_bytes(), 1_767_225_600_000, &mut out);
    }
    session.from_upstream(br#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#, &mut out);
    // As after a kill: nobody says what became of the second.
    std::mem::forget(session);
    path
}

fn rogue(arguments: &[&str], audit: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rogue"));
    command.args(["--color", "never", "audit"]).args(arguments).arg(audit);
    let output = command.output().expect("the command runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn verify_says_whether_the_chain_is_whole_and_where_it_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), None);
    let (code, said, noted) = rogue(&["verify"], &path);
    assert_eq!(code, Some(0), "{said}{noted}");
    assert!(said.contains("whole, 4 records"), "{said}");
    assert!(noted.contains("no key") && noted.contains("1 calls were let through"), "{noted}");

    let whole = fs::read_to_string(&path).expect("the audit");
    fs::write(&path, whole.replacen("\"tool\":\"bn_ping\"", "\"tool\":\"bn_time\"", 1)).expect("a change");
    let (code, said, _) = rogue(&["verify"], &path);
    assert_eq!(code, Some(1));
    assert!(said.ends_with("audit.jsonl:1: this record was changed\n"), "{said}");
    let (code, said, _) = rogue(&["verify", "--json"], &path);
    let report: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &report["finding"]["line"]), (Some(1), &Value::from(1)));
    assert_eq!((&report["finding"]["damage"]["is"], &report["whole"]), (&Value::from("changed"), &Value::from(false)));

    let cut: String = whole.lines().take(2).map(|line| line.to_owned() + "\n").collect();
    fs::write(&path, cut).expect("a change");
    let (code, said, _) = rogue(&["verify"], &path);
    assert!(code == Some(1) && said.contains(":2: the end was cut: 2 records are missing"), "{said}");

    let (code, _, noted) = rogue(&["verify"], &folder.path().join("absent"));
    assert!(code == Some(65) && noted.contains("absent"), "{noted}");
}

#[test]
fn a_chain_with_a_key_needs_the_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), Some(&AuditKey::new(KEY).expect("a key")));
    let key_file = folder.path().join("key");
    fs::write(&key_file, KEY).expect("the key");
    let key = key_file.to_str().expect("a path");
    let (code, said, noted) = rogue(&["verify", "--key-file", key], &path);
    assert_eq!(code, Some(0), "{said}{noted}");
    let (code, said, _) = rogue(&["verify"], &path);
    assert!(code == Some(1) && said.contains("--key-file"), "{said}");
    fs::write(&key_file, "short").expect("a bad key");
    assert_eq!(rogue(&["verify", "--key-file", key], &path).0, Some(2));
}

#[test]
fn show_and_query_tell_decisions_with_their_outcomes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), None);
    let (code, said, _) = rogue(&["show"], &path);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((code, lines.len()), (Some(0), 3), "{said}");
    assert!(lines[0].contains("allow") && lines[0].contains("desk/s-1  bn_ping"), "{said}");
    assert!(lines[0].ends_with("=> succeeded in 0 ms") && lines[1].ends_with("=> unknown (not on record)"), "{said}");
    assert!(said.is_ascii() && !said.contains('\u{1b}'), "what an agent named a tool reaches no terminal: {said}");

    let (_, said, _) = rogue(&["query", "--outcome", "unknown"], &path);
    assert_eq!(said.lines().count(), 1, "{said}");
    let (_, said, _) = rogue(&["query", "--decision", "deny", "--json"], &path);
    let report: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(report["entries"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["entries"][0]["record"]["reason"], "unlisted");
    assert_eq!(rogue(&["query", "--decision", "maybe"], &path).0, Some(2));
}
