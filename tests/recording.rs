//! `rogue record` and `rogue cassette` as a person meets them.

#![expect(clippy::expect_used, reason = "helpers of tests may fail loudly")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn rogue(folder: &Path, args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rogue"))
        .args(args)
        .current_dir(folder)
        .env_remove("CI")
        .env_remove("ROGUE_RECORD_MODE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

/// A server that answers each line with an error of that line's number.
const SERVER: &str = r#"n=0; while read -r line; do n=$((n+1)); printf '{"jsonrpc":"2.0","id":%d,"error":{"code":-32601,"message":"no"}}\n' $n; done; exit 4"#;

fn record(folder: &Path, tape: &str) -> Output {
    let ask = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"buy","arguments":{{"secretKey":"{SECRET}","n":1}}}}}}"#
    );
    let input = format!("{ask}\n{{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}}\n");
    rogue(folder, &["record", "-o", tape, "--", "sh", "-c", SERVER], input.as_bytes())
}

#[test]
fn a_server_is_recorded_without_noticing_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    for tape in ["a.jsonl", "a.jsonl.zst"] {
        let output = record(here, tape);
        let answers = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#;
        assert!(String::from_utf8_lossy(&output.stdout).starts_with(answers), "{}", said(&output));
        assert_eq!(output.status.code(), Some(4), "it ends as the server does");
        let bytes = fs::read(here.join(tape)).expect("a tape");
        assert!(!String::from_utf8_lossy(&bytes).contains(SECRET));
        let shown = rogue(here, &["cassette", "show", tape], b"");
        assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
        for line in ["buy secretKey=[secret-1] n=1", "agent        < error -32601: no", "> ping", "4 messages."] {
            assert!(said(&shown).contains(line), "{line}: {}", said(&shown));
        }
        assert_eq!(rogue(here, &["cassette", "verify", tape], b"").status.code(), Some(0));
    }
    let stats = rogue(here, &["cassette", "stats", "a.jsonl", "--json"], b"");
    assert!(said(&stats).contains(r#""buy": 1"#), "{}", said(&stats));
}

#[test]
fn tapes_are_cut_joined_scrubbed_and_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    record(here, "a.jsonl");
    let code = |args: &[&str]| {
        let output = rogue(here, args, b"");
        (output.status.code(), said(&output))
    };
    assert_eq!(code(&["cassette", "cut", "a.jsonl", "--first", "2", "--last", "3", "-o", "b.jsonl"]).0, Some(0));
    assert!(code(&["cassette", "show", "b.jsonl"]).1.contains("2 messages."));
    assert_eq!(code(&["cassette", "join", "b.jsonl", "a.jsonl", "-o", "c.jsonl"]).0, Some(0));
    assert!(code(&["cassette", "show", "c.jsonl"]).1.contains("6 messages."));
    assert_eq!(code(&["cassette", "diff", "a.jsonl", "a.jsonl"]), (Some(0), "no difference\n".to_owned()));
    let (differs, told) = code(&["cassette", "diff", "a.jsonl", "b.jsonl"]);
    assert_eq!(differs, Some(1));
    assert!(told.contains("differences"), "{told}");

    // A tape of another hand, with a secret on it, and cut off.
    let text = fs::read_to_string(here.join("a.jsonl")).expect("a tape").replace("[secret-1]", SECRET);
    fs::write(here.join("d.jsonl"), text.split_inclusive('\n').take(4).collect::<String>()).expect("a file");
    let (bad, told) = code(&["cassette", "verify", "d.jsonl"]);
    assert_eq!(bad, Some(65));
    assert!(told.contains("d.jsonl:2: something of the shape of a secret"), "{told}");
    assert!(told.contains("cut off after message 3"), "{told}");
    assert_eq!(code(&["cassette", "scrub", "d.jsonl", "-o", "e.jsonl"]).0, Some(0));
    assert_eq!(code(&["cassette", "verify", "e.jsonl"]).0, Some(0));

    let (none, told) = code(&["cassette", "show", "nothing.jsonl"]);
    assert_eq!(none, Some(65));
    assert!(told.contains("nothing.jsonl"), "{told}");
    assert_eq!(code(&["record", "-o", "x.jsonl"]).0, Some(2));
    assert_eq!(code(&["record", "-o", "x.jsonl", "--", "no-such-server"]).0, Some(2));
    assert_eq!(code(&["record", "-o", "x.jsonl", "--redact", "(", "--", "cat"]).0, Some(2));
}

#[test]
fn where_nobody_watches_nothing_is_recorded_unasked() {
    let folder = tempfile::tempdir().expect("a folder");
    let record = |mode: &[&str]| {
        let args = [&["record", "-o", "tape.jsonl"], mode, &["--", "sh", "-c", SERVER]].concat();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rogue"));
        command.args(args).current_dir(folder.path()).env("CI", "true").env_remove("ROGUE_RECORD_MODE");
        command.stdin(Stdio::null()).output().expect("the command runs")
    };
    let refused = record(&[]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("the mode `none` does not record one"), "{}", said(&refused));
    assert!(!folder.path().join("tape.jsonl").exists());
    assert_eq!(record(&["--mode", "all"]).status.code(), Some(4), "asked for, it records");
    let before = fs::read(folder.path().join("tape.jsonl")).expect("a tape");
    assert_eq!(record(&[]).status.code(), Some(0), "an empty tape is played");
    assert_eq!(fs::read(folder.path().join("tape.jsonl")).expect("a tape"), before);
}
