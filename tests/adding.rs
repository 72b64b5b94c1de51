//! `rogue record --mode new_episodes`: what the tape knows is answered from it, what it does not know is asked and added.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::path::Path;
use std::process::Stdio;

use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

const ROGUE: &str = env!("CARGO_BIN_EXE_rogue");

struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
}

async fn start(folder: &Path, args: &[&str], marks: &str) -> Running {
    let mut command = Command::new(ROGUE);
    command.args(args).current_dir(folder).kill_on_drop(true).env_remove("ROGUE_RECORD_MODE").env_remove("CI");
    command.env("ROGUE_SCENARIOS", Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"));
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    loop {
        line.clear();
        assert!(stdout.read_line(&mut line).await.expect("text") > 0, "it ended: {:?}", child.wait().await);
        if let Some(url) = line.trim().strip_prefix(marks) {
            let url = url.trim().to_owned();
            return Running { child, stdout, url };
        }
    }
}

async fn stop(mut running: Running) -> (Option<i32>, String) {
    let id = running.child.id().expect("it runs").to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let mut told = String::new();
    running.stdout.read_to_string(&mut told).await.expect("text");
    running.child.stderr.take().expect("a pipe").read_to_string(&mut told).await.expect("text");
    (running.child.wait().await.expect("it ends").code(), told)
}

type Client = RunningService<RoleClient, ()>;

async fn client(url: &str) -> Client {
    ().serve(StreamableHttpClientTransport::from_uri(url.to_owned())).await.expect("a handshake")
}

async fn call(client: &Client, tool: &'static str, arguments: Value) -> Value {
    let Value::Object(arguments) = arguments else { panic!("an object") };
    let result = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.expect("an answer");
    assert_ne!(result.is_error, Some(true), "{result:?}");
    result.structured_content.unwrap_or(Value::Object(Map::new()))
}

fn order(quantity: &str) -> Value {
    json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": quantity })
}

#[tokio::test]
async fn a_tape_of_a_server_over_http_grows_by_what_it_lacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let mut server = Command::new(ROGUE);
    server.args(["serve", "--listen", "127.0.0.1:0", "--json", "--clock", "standing"]).current_dir(here);
    server.env("ROGUE_SCENARIOS", Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")).kill_on_drop(true);
    let mut server =
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut told = BufReader::new(server.stderr.take().expect("a pipe"));
    let mut line = String::new();
    told.read_line(&mut line).await.expect("a line");
    let serving: Value = serde_json::from_str(&line).expect("JSON");
    let url = serving["serving"]["client"]["mcpServers"]["rogue"]["url"].as_str().expect("an address").to_owned();
    let record = ["record", "-o", "tape.jsonl", "--url", &url, "--mode"];
    let in_mode = |mode: &'static str| [&record[..], &[mode]].concat();

    // A first tape, of one order.
    let recorder = start(here, &in_mode("once"), "point clients at").await;
    let agent = client(&recorder.url).await;
    let first = call(&agent, "bn_new_order", order("0.001")).await;
    agent.cancel().await.expect("it ends");
    assert_eq!(stop(recorder).await.0, Some(0));
    let before = std::fs::read_to_string(here.join("tape.jsonl")).expect("a tape");

    // All of it is known: the server is not asked at all.
    let extends = start(here, &in_mode("new_episodes"), "MCP").await;
    let agent = client(&extends.url).await;
    assert_eq!(call(&agent, "bn_new_order", order("0.001")).await, first);
    agent.cancel().await.expect("it ends");
    let (code, said) = stop(extends).await;
    assert_eq!(code, Some(0), "{said}");
    let same = std::fs::read_to_string(here.join("tape.jsonl")).expect("a tape");
    assert_eq!(same, before, "nothing was added");

    // One call is known, the other one is not, and neither is the second time of the known one.
    let extends = start(here, &in_mode("new_episodes"), "MCP").await;
    let agent = client(&extends.url).await;
    assert_eq!(call(&agent, "bn_new_order", order("0.001")).await, first);
    let second = call(&agent, "bn_new_order", order("0.002")).await;
    assert_eq!(second["executedQty"], "0.00200000");
    let third = call(&agent, "bn_new_order", order("0.001")).await;
    assert_ne!(third["orderId"], first["orderId"], "it was placed anew");
    agent.cancel().await.expect("it ends");
    let (code, said) = stop(extends).await;
    assert_eq!(code, Some(0), "{said}");

    // The exchange has seen three orders, and not the one that the tape answered twice.
    let id = server.id().expect("it runs").to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let mut ended = String::new();
    told.read_to_string(&mut ended).await.expect("text");
    let ended: Value = serde_json::from_str(ended.lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!((&ended["ended"]["calls"], &ended["ended"]["exchange"]["orders"]), (&json!(3), &json!(3)), "{ended}");

    // Without the server all three are played, and the greeting is on the tape once.
    let plays = start(here, &in_mode("none"), "MCP").await;
    let agent = client(&plays.url).await;
    for (quantity, expected) in [("0.001", &first), ("0.002", &second), ("0.001", &third)] {
        assert_eq!(call(&agent, "bn_new_order", order(quantity)).await, *expected);
    }
    agent.cancel().await.expect("it ends");
    let (code, said) = stop(plays).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("0 not asked for, 0 not on the tape"), "{said}");
    let tape = std::fs::read_to_string(here.join("tape.jsonl")).expect("a tape");
    assert_eq!(tape.matches(r#""method":"initialize""#).count(), 1, "{tape}");
    assert!(tape.starts_with(&before[..before.rfind(r#"{"messages""#).expect("an end")]), "what was there stays");
}

#[tokio::test]
async fn without_its_server_what_is_not_on_the_tape_fails_and_the_tape_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let header = r#"{"rogue_tape":1,"writer":"w","clock_origin_ms":0}"#;
    let tape = format!("{header}\n{{\"messages\":0}}\n");
    std::fs::write(folder.path().join("tape.jsonl"), &tape).expect("a file");
    let args = ["record", "-o", "tape.jsonl", "--url", "http://127.0.0.1:1/mcp", "--mode", "new_episodes"];
    let extends = start(folder.path(), &args, "MCP").await;
    let asks = reqwest::Client::builder().no_proxy().build().expect("a client");
    let asked = asks.post(&extends.url).body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    assert_eq!(asked.send().await.expect("an answer").status(), 502);
    // A page of another origin starts nothing.
    let asked = asks.post(&extends.url).header("origin", "http://evil.example").body("{}");
    assert_eq!(asked.send().await.expect("an answer").status(), 403);
    assert_eq!(stop(extends).await.0, Some(0));
}
