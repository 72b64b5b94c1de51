//! `rogue replay` as a person meets it.

#![expect(clippy::expect_used, reason = "helpers of tests may fail loudly")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn rogue(folder: &Path, args: &[&str], input: &str) -> (Option<i32>, String, String) {
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
    // A command that refuses ends without reading; what it says about that is what counts.
    if let Err(error) = child.stdin.take().expect("a pipe").write_all(input.as_bytes()) {
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "it reads");
    }
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

/// A server that says a word of its own, and answers each line with that line's number.
const SERVER: &str = r#"n=0; while read -r line; do n=$((n+1)); printf '{"jsonrpc":"2.0","method":"notifications/message","params":{"n":%d}}\n{"jsonrpc":"2.0","id":%d,"result":{"n":%d}}\n' $n $n $n; done"#;

fn call(id: u64, tool: &str, arguments: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"{tool}\",\"arguments\":{arguments}}}}}\n"
    )
}

#[test]
fn a_recorded_server_is_replayed_without_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let asked = call(1, "buy", r#"{"secretKey":"hunter2","quantity":"0.10"}"#) + &call(2, "look", "{}");
    let (code, recorded, _) = rogue(here, &["record", "-o", "tape.jsonl", "--", "sh", "-c", SERVER], &asked);
    assert_eq!(code, Some(0));
    assert_eq!(recorded.lines().count(), 4);

    let play = ["replay", "--as", "upstream", "tape.jsonl"];
    let same = rogue(here, &play, &asked);
    let good = "2 requests played, 0 not asked for, 0 not on the tape\n".to_owned();
    assert_eq!(same, (Some(0), recorded, good));

    let (code, answered, told) = rogue(here, &play, &call(9, "buy", r#"{"secretKey":"hunter2","quantity":"0.1"}"#));
    let expected = concat!(
        "request 1, `tools/call buy`, is not on the tape\n",
        "  nearest: message 1, `tools/call buy`\n",
        "    /params/arguments/quantity\n      - \"0.10\"\n      + \"0.1\"\n",
        "message 1, `tools/call buy`, was not asked for\n",
        "message 2, `tools/call look`, was not asked for\n",
        "0 requests played, 2 not asked for, 1 not on the tape\n",
    );
    assert_eq!((code, told.as_str()), (Some(1), expected));
    assert!(
        answered.starts_with(r#"{"jsonrpc":"2.0","id":9,"error":{"code":-32040,"message":"[NOT ON TAPE] request 1"#)
    );

    let (code, _, told) = rogue(here, &[&play[..], &["--allow-unplayed"]].concat(), &call(9, "look", "{}"));
    assert_eq!(code, Some(0), "{told}");
    let twice = call(3, "look", "{}") + &call(4, "look", "{}");
    assert_eq!(rogue(here, &[&play[..], &["--allow-unplayed"]].concat(), &twice).0, Some(1));
    let (code, answered, _) = rogue(here, &[&play[..], &["--allow-unplayed", "--repeat", "last"]].concat(), &twice);
    assert_eq!(code, Some(0));
    assert!(answered.contains(r#""id":4,"result":{"n":2}"#), "{answered}");

    let text = fs::read_to_string(here.join("tape.jsonl")).expect("a tape").replace("\"seq\":3", "\"seq\":4");
    fs::write(here.join("bad.jsonl"), text).expect("a file");
    let (code, _, told) = rogue(here, &["replay", "--as", "upstream", "bad.jsonl"], "");
    assert_eq!(code, Some(65), "{told}");
    assert!(told.contains("line 4: `seq` is 4, and must be 3"), "{told}");
    assert_eq!(rogue(here, &[&play[..], &["--pace", "fast"]].concat(), "").0, Some(2));
}

#[test]
fn the_agent_of_a_tape_meets_the_stack_of_today() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let run = ["--scenarios", scenarios, "run", "--filter", "stream-keep-alive", "--record", "tapes"];
    assert_eq!(rogue(here, &run, "").0, Some(0));
    let tape = "tapes/stream-keep-alive.workflow.jsonl";
    let play = ["--scenarios", scenarios, "replay", "--as", "agent"];
    // Its listen key is another one each time, and not on the tape.
    let (code, told, _) = rogue(here, &[&play[..], &[tape]].concat(), "");
    assert_eq!((code, told.as_str()), (Some(0), "11 messages sent, no difference\n"));

    let shipped = fs::read_to_string(here.join(tape)).expect("a tape");
    let other = shipped.replacen("BTCUSDT\",\"side\":\"BUY\"", "BTCUSDT\",\"side\":\"SELL\"", 1);
    fs::write(here.join("other.jsonl"), other).expect("a file");
    let (code, told, _) = rogue(here, &[&play[..], &["other.jsonl"]].concat(), "");
    assert_eq!(code, Some(1));
    assert!(
        told.contains("passed on, message 16\n    /params/arguments/side\n      - \"BUY\"\n      + \"SELL\"\n"),
        "{told}"
    );
    assert!(told.contains("  request to the exchange, message 17\n    /form/side\n"), "{told}");

    fs::write(here.join("deny.json"), r#"{ "version": "1", "default": "deny", "tools": {} }"#).expect("a file");
    let (code, told, _) = rogue(here, &[&play[..], &[tape, "--policy", "deny.json"]].concat(), "");
    assert_eq!(code, Some(1));
    assert!(told.contains("note: the policy is not the one that the tape was recorded under\n"), "{told}");
    assert!(told.ends_with("11 messages sent, 9 with differences\n"), "{told}");

    let (code, _, told) = rogue(here, &[&play[..], &[tape, "--ignore", "x"]].concat(), "");
    assert_eq!(code, Some(2));
    assert!(told.contains("`x` is no JSON pointer"), "{told}");
    fs::write(here.join("elsewhere.jsonl"), shipped.replacen("stream-keep-alive", "gone", 1)).expect("a file");
    let (code, _, told) = rogue(here, &[&play[..], &["elsewhere.jsonl"]].concat(), "");
    assert_eq!(code, Some(2));
    assert!(told.contains("the tape is of the scenario `gone`, which is not among the scenarios"), "{told}");
    fs::write(here.join("bare.jsonl"), shipped.replacen(r#""scenario":"stream-keep-alive","#, "", 1)).expect("a file");
    let (code, _, told) = rogue(here, &[&play[..], &["bare.jsonl"]].concat(), "");
    assert_eq!(code, Some(2));
    assert!(told.contains("--policy FILE"), "{told}");
}

/// A request over plain HTTP, for which a client library would be much.
fn get(url: &str, path: &str) -> String {
    let address = url.strip_prefix("http://").expect("an address");
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn the_exchange_of_a_tape_answers_until_it_is_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let header = r#"{"rogue_tape":1,"writer":"w","clock_origin_ms":0}"#;
    let asked = r#"{"seq":1,"at_ms":0,"leg":"rest","dir":"out","id":1,"body":{"json":{"id":1,"method":"GET","target":"/api/v3/ping"}}}"#;
    let answered = r#"{"seq":2,"at_ms":0,"leg":"rest","dir":"back","id":1,"cause":1,"body":{"json":{"id":1,"status":418,"headers":{"retry-after":"7"},"body":{"json":{}}}}}"#;
    let tape = format!("{header}\n{asked}\n{answered}\n{{\"messages\":2}}\n");
    fs::write(folder.path().join("tape.jsonl"), tape).expect("a file");
    for (paths, code, told) in [
        (&["/api/v3/ping"][..], 0, "1 request played, 0 not asked for, 0 not on the tape\n"),
        (&["/api/v3/ping", "/api/v3/time"], 1, "request 2, `GET /api/v3/time`, is not on the tape\n"),
        (&[], 1, "message 1, `GET /api/v3/ping`, was not asked for\n"),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rogue"))
            .args(["replay", "--as", "exchange", "tape.jsonl"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map(|line| line.expect("a line"));
        let rest = lines.find_map(|line| line.trim().strip_prefix("REST ").map(|url| url.trim().to_owned()));
        // What stands after that is printed at once.
        lines.find(|line| line == "Stop with Ctrl-C.").expect("it is up");
        let url = rest.expect("an address");
        for path in paths {
            let answer = get(&url, path);
            let expected = if *path == "/api/v3/ping" { "HTTP/1.1 418 " } else { "HTTP/1.1 501 " };
            assert!(answer.starts_with(expected), "{answer}");
            assert_eq!(answer.contains("retry-after: 7"), *path == "/api/v3/ping", "{answer}");
        }
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(said.contains(told), "{said}");
        assert_eq!(output.status.code(), Some(code), "{said}");
    }
}

/// As [`SERVER`], but what it tells counts from another number.
fn server(first: u32) -> String {
    SERVER
        .replacen("n=0", &format!("n=0; k={first}"), 1)
        .replacen(r#""result":{"n":%d}"#, r#""result":{"k":%d}"#, 1)
        .replace("$n $n $n", "$n $n $k")
}

#[test]
fn a_tape_that_is_there_is_used_as_its_mode_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let record = |mode: &str, first: u32, asked: &str| {
        let server = server(first);
        rogue(here, &["record", "-o", "tape.jsonl", "--mode", mode, "--", "sh", "-c", &server], asked)
    };
    let tape = || fs::read_to_string(here.join("tape.jsonl")).expect("a tape");
    let one = call(1, "one", r#"{"secretKey":"first"}"#);
    let two = call(1, "two", r#"{"secretKey":"second"}"#);

    let (code, _, told) = record("none", 1, &one);
    assert_eq!(code, Some(2));
    assert!(told.contains("there is no tape `tape.jsonl`, and the mode `none` does not record one"), "{told}");
    let (code, recorded, _) = record("once", 1, &one);
    assert_eq!(code, Some(0));
    assert!(recorded.contains(r#""result":{"k":1}"#), "{recorded}");
    let before = tape();

    // Played from now on: the server says something else, and nobody asks it.
    for mode in ["once", "none"] {
        assert_eq!(record(mode, 2, &one).1, recorded, "{mode}");
        let (code, _, told) = record(mode, 2, &two);
        assert_eq!(code, Some(1), "{mode}");
        assert!(told.contains("`tools/call two`, is not on the tape"), "{told}");
        assert_eq!(tape(), before, "a tape that does not fit is not recorded anew");
    }
    let (code, _, told) = record("verify", 2, &one);
    assert_eq!(code, Some(1));
    let expected = "message 1, `tools/call one`, has another answer\n    /result/k\n      - 1\n      + 2\n0 the same, 1 changed, 0 not asked, 0 not on the tape\n";
    assert_eq!(told, expected);
    assert_eq!(record("verify", 1, &one).0, Some(0));
    assert_eq!(tape(), before);

    let (code, extended, told) = record("new_episodes", 2, &(one.clone() + &two));
    assert_eq!(code, Some(0), "{told}");
    assert!(extended.contains(r#""result":{"k":1}"#) && extended.contains(r#""result":{"k":2}"#), "{extended}");
    assert_eq!(record("none", 3, &(one.clone() + &two)).0, Some(0));
    assert!(tape().contains("[secret-1]") && tape().contains("[secret-2]"), "{}", tape());
    assert_eq!(rogue(here, &["cassette", "verify", "tape.jsonl"], "").0, Some(0));

    assert!(record("all", 4, &one).1.contains(r#""result":{"k":4}"#));
    assert!(!tape().contains("two"));
    let (code, _, told) = record("rewrite", 1, &one);
    assert_eq!(code, Some(2));
    assert!(told.contains("`rewrite` is no mode of recording"), "{told}");
}

#[test]
fn a_tape_of_a_server_over_http_is_played_over_http() {
    let folder = tempfile::tempdir().expect("a folder");
    let header = r#"{"rogue_tape":1,"writer":"w","clock_origin_ms":0}"#;
    let asked = r#"{"seq":1,"at_ms":0,"leg":"agent","dir":"out","id":1,"body":{"json":{"jsonrpc":"2.0","id":1,"method":"tools/list"}}}"#;
    let answered = r#"{"seq":2,"at_ms":0,"leg":"agent","dir":"back","id":1,"cause":1,"body":{"json":{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}}}"#;
    let tape = format!("{header}\n{asked}\n{answered}\n{{\"messages\":2}}\n");
    fs::write(folder.path().join("tape.jsonl"), tape).expect("a file");
    // Nothing listens at the server's address: whatever is answered is from the tape.
    let record = ["record", "-o", "tape.jsonl", "--url", "http://127.0.0.1:1/mcp", "--mode", "once"];
    let replay = ["replay", "--as", "upstream", "tape.jsonl", "--listen", "127.0.0.1:0"];
    for args in [&record[..], &replay[..]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rogue"))
            .args(args)
            .current_dir(folder.path())
            .env_remove("ROGUE_RECORD_MODE")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map(|line| line.expect("a line"));
        let url = lines.find_map(|line| line.trim().strip_prefix("MCP ").map(|url| url.trim().to_owned()));
        lines.find(|line| line == "Stop with Ctrl-C.").expect("it is up");
        let url = url.expect("an address");
        let address = url.strip_prefix("http://").and_then(|url| url.strip_suffix("/mcp")).expect("an address");
        let mut stream = std::net::TcpStream::connect(address).expect("it listens");
        let frame = r#"{"jsonrpc":"2.0","id":"mine","method":"tools/list"}"#;
        let length = frame.len();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{frame}").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.contains(r#"data: {"jsonrpc":"2.0","id":"mine","result":{"tools":[]}}"#), "{answer}");
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(said.contains("1 request played, 0 not asked for, 0 not on the tape"), "{said}");
        assert_eq!(output.status.code(), Some(0), "{said}");
    }
}

#[test]
fn an_old_tape_fails_or_is_told_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let tape = "{\"rogue_tape\":1,\"writer\":\"w\",\"clock_origin_ms\":0}\n{\"messages\":0}\n";
    fs::write(here.join("tape.jsonl"), tape).expect("a file");
    for command in
        [&["replay", "--as", "upstream", "tape.jsonl"][..], &["record", "-o", "tape.jsonl", "--mode", "once"]]
    {
        let aged = |more: &[&str]| {
            let server = if command.first() == Some(&"record") { &["--", "false"][..] } else { &[] };
            rogue(here, &[command, &["--max-age", "3650"], more, server].concat(), "")
        };
        let (code, _, told) = aged(&[]);
        assert_eq!(code, Some(65), "{told}");
        assert!(told.contains("days ago, and may be 3650 days old: record it anew"), "{told}");
        let (code, _, told) = aged(&["--when-old", "warn"]);
        assert_eq!(code, Some(0), "{told}");
        assert!(told.starts_with("warning: tape.jsonl: the tape was recorded "), "{told}");
    }
    assert_eq!(fs::read_to_string(here.join("tape.jsonl")).expect("a tape"), tape);
}

#[test]
fn a_tape_is_shrunk_to_what_it_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let (tapes, scenarios) = (scenarios.join("tapes"), scenarios.to_string_lossy().into_owned());
    let tape = tapes.join("dry-run-first.workflow.jsonl").to_string_lossy().into_owned();
    let closed = r#"{ "version": "1", "default": "allow", "hide": ["bn_test_order"] }"#;
    fs::write(folder.path().join("closed.json"), closed).expect("a file");
    let shrink = |more: &[&str]| {
        let args =
            ["--scenarios", &scenarios, "cassette", "shrink", &tape, "-o", "small.jsonl", "--keeps", "difference"];
        rogue(folder.path(), &[&args[..], more].concat(), "")
    };
    let (code, _, told) = shrink(&[]);
    assert_eq!(code, Some(65), "{told}");
    assert!(told.contains("the whole tape differs in nothing today"), "{told}");
    let (code, told, errors) = shrink(&["--policy", "closed.json"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(told.starts_with("1 of "), "{told}");
    let again = ["--scenarios", &scenarios, "replay", "--as", "agent", "small.jsonl", "--policy", "closed.json"];
    let (code, told, _) = rogue(folder.path(), &again, "");
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("3 messages sent, 1 with differences"), "{told}");
}
