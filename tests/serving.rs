//! `rogue serve` as a live agent meets it: the printed configuration works, an honest order is booked, a rogue one is
//! denied, and the tape is whole however it ends.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::path::Path;
use std::process::{Output, Stdio};

use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

const ROGUE: &str = env!("CARGO_BIN_EXE_rogue");

fn rogue(folder: &Path, args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = std::process::Command::new(ROGUE);
    command.args(args).current_dir(folder).env("ROGUE_SCENARIOS", root.join("scenarios"));
    command.output().expect("the command runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn order(client: &RunningService<RoleClient, ()>, quantity: &str) -> CallToolResult {
    let Value::Object(arguments) =
        json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": quantity })
    else {
        panic!("an object")
    };
    let request = CallToolRequestParams::new("bn_new_order").with_arguments(arguments);
    client.call_tool(request).await.expect("an answer")
}

/// An honest order, and one a thousand times too large.
async fn trade(client: &RunningService<RoleClient, ()>) {
    let tools: Vec<_> = client.list_all_tools().await.expect("a list").into_iter().map(|tool| tool.name).collect();
    assert_eq!(tools.len(), 23, "the policy hides nothing: {tools:?}");
    let passed = order(client, "0.0015").await;
    assert_ne!(passed.is_error, Some(true), "{passed:?}");
    assert_eq!(passed.structured_content.expect("an order")["status"], "FILLED");
    let denied = order(client, "1.5").await;
    assert_eq!(denied.is_error, Some(true), "{denied:?}");
    assert_eq!(denied.structured_content.expect("fields")["rule"], "/tools/bn_new_order/require/2");
}

/// The tape is whole, holds no secret, and its decisions are those of the policy on recorded time.
fn tape_holds(folder: &Path, tape: &str) {
    let verified = rogue(folder, &["cassette", "verify", tape]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    let shown = said(&rogue(folder, &["cassette", "show", tape]));
    for line in ["quantity=0.0015", "exchange > POST /api/v3/order", "= deny  /tools/bn_new_order/require/2"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/policies/binance.json");
    let policy = policy.to_string_lossy();
    let judged = rogue(folder, &["backtest", "--policy", &policy, "--json", tape]);
    assert_eq!(judged.status.code(), Some(0), "{}", said(&judged));
    let changes: Value = serde_json::from_slice(&judged.stdout).expect("JSON");
    assert_eq!(changes["calls"], 2, "{changes}");
    // What happened once happens again, step by step, in a scenario that is written from the tape alone.
    std::fs::create_dir(folder.join("policies")).expect("a folder");
    std::fs::copy(&*policy, folder.join("policies/binance.json")).expect("a copy");
    let file = "live.yaml";
    let written = rogue(folder, &["cassette", "to-scenario", tape, "--output", file]);
    assert_eq!(written.status.code(), Some(0), "{}", said(&written));
    let again = rogue(folder, &["run", file]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert!(said(&again).contains("1 of 1 recorded sessions were answered as they were"), "{}", said(&again));
}

fn ended(stderr: &str) -> Value {
    let last = stderr.lines().last().unwrap_or_default();
    let summary: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("no summary: {stderr}"));
    summary["ended"].clone()
}

fn summary_holds(ended: &Value) {
    assert_eq!((&ended["calls"], &ended["allowed"]), (&json!(2), &json!(1)), "{ended}");
    assert_eq!(ended["denied"]["/tools/bn_new_order/require/2"]["calls"], 1, "{ended}");
    assert_eq!((&ended["exchange"]["orders"], &ended["exchange"]["trades"]), (&json!(1), &json!(1)), "{ended}");
    assert_eq!(ended["balances"]["BTC"], "2.0014985", "two, and the order's worth less a thousandth: {ended}");
}

#[tokio::test]
async fn the_printed_configuration_starts_a_stack_over_stdio() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let printed = rogue(here, &["serve", "--json", "--output", "tape.jsonl", "--print-config"]);
    assert!(printed.status.success(), "{}", said(&printed));
    let config: Value = serde_json::from_slice(&printed.stdout).expect("JSON and nothing else");
    let server = &config["mcpServers"]["rogue"];
    let mut command = Command::new(server["command"].as_str().expect("a program"));
    // Clients start servers where they like.
    command.args(server["args"].as_array().expect("words").iter().filter_map(Value::as_str)).current_dir("/");

    let (process, stderr) =
        TokioChildProcess::builder(command).stderr(Stdio::piped()).spawn().expect("the server starts");
    let client = ().serve(process).await.expect("a handshake");
    trade(&client).await;
    client.cancel().await.expect("the server ends");
    let mut told = String::new();
    stderr.expect("a pipe").read_to_string(&mut told).await.expect("text");
    summary_holds(&ended(&told));
    tape_holds(here, "tape.jsonl");
}

fn serve(folder: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(ROGUE);
    command.arg("serve").args(args).current_dir(folder).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the server starts")
}

async fn interrupted(mut server: Child, mut stderr: impl tokio::io::AsyncRead + Unpin) -> (Option<i32>, String) {
    let id = server.id().expect("it runs").to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let mut told = String::new();
    stderr.read_to_string(&mut told).await.expect("text");
    (server.wait().await.expect("it ends").code(), told)
}

#[tokio::test]
async fn the_same_stack_over_http() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = serve(folder.path(), &["--listen", "127.0.0.1:0", "--json", "-o", "tape.jsonl.zst"]);
    let mut stderr = BufReader::new(server.stderr.take().expect("a pipe"));
    let mut line = String::new();
    stderr.read_line(&mut line).await.expect("a line");
    let serving: Value = serde_json::from_str(&line).expect("JSON");
    let url = serving["serving"]["client"]["mcpServers"]["rogue"]["url"].as_str().expect("an address").to_owned();

    let client = ().serve(StreamableHttpClientTransport::from_uri(url.clone())).await.expect("a handshake");
    trade(&client).await;
    client.cancel().await.expect("the client ends");

    // A web page of another origin, and a name that was made to point here, get nowhere.
    let asks = reqwest::Client::builder().no_proxy().build().expect("a client");
    let frame = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"page","version":"1"}}}"#;
    for (name, value) in [("origin", "http://evil.example"), ("origin", "http://127.0.0.1:1"), ("host", "evil.example")]
    {
        let asked = asks.post(&url).header("content-type", "application/json").body(frame);
        let asked = asked.header("accept", "application/json, text/event-stream").header(name, value);
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status(), 403, "{name}: {value}");
    }
    // One frame, two readings: the SDK's parser would let it by, so it is the gateway that must have seen it.
    let doubled = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"bn_ping","name":"bn_new_order","_meta":{}}}}}"#,
        r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#
    );
    let asked = asks.post(&url).header("content-type", "application/json").body(doubled);
    let asked = asked.header("accept", "application/json, text/event-stream").header("mcp-method", "tools/call");
    let asked = asked.header("mcp-protocol-version", "2026-07-28").header("mcp-name", "bn_new_order");
    let answer = asked.send().await.expect("an answer").text().await.expect("text");
    assert!(answer.contains("duplicate_key"), "{answer}");

    let (code, told) = interrupted(server, stderr).await;
    assert_eq!(code, Some(0), "{told}");
    let ended = ended(&told);
    summary_holds(&ended);
    assert_eq!(ended["refused"], 1, "{ended}");
    tape_holds(folder.path(), "tape.jsonl.zst");
}

#[tokio::test]
async fn an_interrupt_answers_what_was_asked_and_ends_the_tape() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = serve(folder.path(), &["--clock", "2026-01-05T00:00:00Z", "-o", "tape.jsonl"]);
    let stderr = BufReader::new(server.stderr.take().expect("a pipe"));
    let mut input = server.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(server.stdout.take().expect("a pipe")).lines();
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    input.write_all(format!("{hello}\n").as_bytes()).await.expect("it reads");
    let answer = answers.next_line().await.expect("a line").expect("an answer");
    assert!(answer.contains("binance-mcp"), "{answer}");
    // Standard input stays open.
    let (code, told) = interrupted(server, stderr).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("stands at 2026-01-05T00:00:00Z") && told.contains("0 calls: 0 allowed"), "{told}");
    let verified = rogue(folder.path(), &["cassette", "verify", "tape.jsonl"]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    drop(input);
}

#[test]
fn what_cannot_be_served_is_told_with_a_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    for (args, code, told) in [
        (&["--balances", "USDT=1e3"][..], 2, "not a plain decimal"),
        (&["--balances", "NOPE=1"], 2, "NOPE"),
        (&["--prices", "NOPE=1"], 2, "there is no symbol `NOPE`"),
        (&["--market", "BTCUSDT"], 2, "SYMBOL=PROCESS"),
        (&["--clock", "noon"], 2, "2026-01-05T00:00:00Z"),
        (&["--scenario", "nope"], 2, "rogue list"),
        (&["--listen", "0.0.0.0:0"], 2, "127.0.0.1"),
        (&["--listen", "127.0.0.1:0", "--print-config"], 2, "name a port"),
        (&["--policy", "nothing.json"], 65, "nothing.json"),
        (&["-o", "no/such/folder/tape.jsonl"], 65, "tape.jsonl"),
        (&["-o", "tape.jsonl", "--redact", "("], 2, "regular expression"),
    ] {
        let output = rogue(here, &[&["serve"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(told), "{args:?}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    let config = rogue(here, &["serve", "--listen", "127.0.0.1:8700", "--print-config"]);
    let config: Value = serde_json::from_slice(&config.stdout).expect("JSON");
    assert_eq!(config["mcpServers"]["rogue"]["url"], "http://127.0.0.1:8700/mcp");
    let scenario =
        rogue(here, &["serve", "--scenario", "ra-24-wipe-the-book", "--clock", "standing", "--print-config"]);
    let config: Value = serde_json::from_slice(&scenario.stdout).expect("JSON");
    let words: Vec<_> =
        config["mcpServers"]["rogue"]["args"].as_array().expect("words").iter().filter_map(Value::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let root = root.to_string_lossy();
    let expected = ["serve", "--scenario", "ra-24-wipe-the-book", "--scenarios", &root, "--clock", "standing"];
    assert_eq!(words, expected);
}
