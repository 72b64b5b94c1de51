//! A server that dies while its client is there: what is answered, what the next server is told, and when it ends.
//!
//! Time is the runtime's, paused: it moves when nobody has anything to do, and then to the next timer.

use std::sync::Arc;
use std::time::Duration;

use mcp_gateway::{Connection, GatewayError, Identity, Pins, RestartLimits, SessionSummary};
use serde_json::{Value, json};
use tokio::io::{duplex, split};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::{Bench, Line, START_MS, answer, call, in_time};

const POLICY: &str = r#"{"version": "2", "default": "deny",
    "manifest": {"echo": {"arguments": ["a"]}, "twice": {"arguments": []}, "slow": {"arguments": []}},
    "tools": {"echo": {}, "slow": {},
        "twice": {"limits": [{"counter": "twice", "window": "hour", "max": 2, "scope": "session"}]}},
    "methods": {"*": "allow"}}"#;

/// A session whose servers are the test's, one after the other.
struct Stage {
    client: Line,
    servers: mpsc::UnboundedReceiver<Line>,
    serving: JoinHandle<Result<SessionSummary, GatewayError>>,
    /// Servers cannot be started as long as it says so.
    broken: Arc<std::sync::atomic::AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
}

fn stage(bench: &Bench) -> Stage {
    let (opened, servers) = mpsc::unbounded_channel();
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_broken = broken.clone();
    let upstream = move || {
        if is_broken.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        let (ours, theirs) = duplex(1 << 16);
        opened.send(Line::new(theirs)).unwrap();
        let (read, write) = split(ours);
        Ok(Connection::new(read, write))
    };
    let (client, front) = duplex(1 << 16);
    let gateway = bench.gateway.clone();
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(async move {
        let identity = Identity::new("agent", "s");
        let stop = async {
            let _ = stopped.await;
        };
        gateway.serve_upstream(identity, split(front), Arc::new(upstream), stop).await
    });
    Stage { client: Line::new(client), servers, serving, broken, stop: Some(stop) }
}

fn capabilities() -> Value {
    json!({"tools": {"listChanged": true}, "resources": {"subscribe": true, "listChanged": true}, "logging": {}})
}

fn hello() -> Value {
    json!({"protocolVersion": "2025-11-25", "capabilities": {"roots": {"listChanged": true}, "experimental": {"x": {}}},
           "clientInfo": {"name": "t", "version": "1"}, "_meta": {"progressToken": "p", "mine": 1}})
}

async fn result(server: &mut Line, asked: &Value, result: Value) {
    server.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": result}).to_string()).await;
}

async fn agree(server: &mut Line, asked: &Value, version: &str, capabilities: Value) {
    let told =
        json!({"protocolVersion": version, "capabilities": capabilities, "serverInfo": {"name": "x", "version": "1"}});
    result(server, asked, told).await;
}

impl Stage {
    async fn ask(&mut self, id: &str, method: &str, params: Value) {
        let frame = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.client.send(&frame.to_string()).await;
    }

    async fn server(&mut self) -> Line {
        in_time(self.servers.recv()).await.expect("another server")
    }

    /// A first server, after the handshake; what it was asked.
    async fn begin(&mut self) -> (Line, Value) {
        let mut server = self.server().await;
        self.ask("init", "initialize", hello()).await;
        let asked = server.next().await;
        agree(&mut server, &asked, "2025-11-25", capabilities()).await;
        assert_eq!(self.client.next().await["id"], "init");
        self.client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        assert_eq!(server.next().await["method"], "notifications/initialized");
        (server, asked)
    }

    /// Asks something plain, which the server answers.
    async fn passes(&mut self, server: &mut Line) {
        self.client.send(&call("passes", "echo", json!({}))).await;
        let frame = server.next().await;
        assert_eq!((&frame["method"], &frame["params"]["name"]), (&json!("tools/call"), &json!("echo")));
        server.send(&answer(&frame["id"], "done")).await;
        assert_eq!(self.client.next().await["result"]["content"][0]["text"], "done");
    }

    /// The reason for which a request is refused.
    async fn refused(&mut self) -> Value {
        self.client.send(&call("refused", "twice", json!({}))).await;
        let told = self.client.next().await;
        assert_eq!(told["id"], "refused");
        told["error"]["data"]["reason"].clone()
    }

    async fn end(mut self) -> Result<SessionSummary, GatewayError> {
        let _ = self.stop.take().unwrap().send(());
        in_time(self.serving).await.unwrap()
    }
}

fn events(bench: &Bench, name: &str) -> Vec<Value> {
    let records = bench.audit.all();
    let records = records.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.filter(|record| record["event"] == name).collect()
}

#[tokio::test(start_paused = true)]
async fn the_next_server_is_brought_to_where_the_one_before_was() {
    let bench = Bench::under(POLICY);
    let mut stage = stage(&bench);
    let (mut server, first) = stage.begin().await;
    for (method, params) in [
        ("resources/subscribe", json!({"uri": "test://a"})),
        ("resources/subscribe", json!({"uri": "test://b"})),
        ("resources/unsubscribe", json!({"uri": "test://b"})),
        ("logging/setLevel", json!({"level": "debug"})),
        ("tools/list", json!({})),
    ] {
        stage.ask(method, method, params).await;
        let asked = server.next().await;
        let told = if method == "tools/list" { json!({"tools": []}) } else { json!({}) };
        result(&mut server, &asked, told).await;
        assert_eq!(stage.client.next().await["id"], method);
    }
    // A call that is charged, one that reads, and a question of the server's: none of them will be answered.
    stage.client.send(&call("charged", "twice", json!({}))).await;
    server.next().await;
    stage.ask("read", "resources/read", json!({"uri": "test://a"})).await;
    server.next().await;
    server.send(r#"{"jsonrpc":"2.0","id":"mine","method":"roots/list"}"#).await;
    let question = stage.client.next().await;
    assert_eq!(question["method"], "roots/list");
    drop(server);
    let lost = stage.client.next().await;
    assert_eq!(lost["result"]["structuredContent"]["reason"], "outcome_unknown");
    let read = stage.client.next().await;
    assert_eq!((&read["id"], &read["error"]["data"]["reason"]), (&json!("read"), &json!("server_lost")));
    let withdrawn = stage.client.next().await;
    assert_eq!(
        (&withdrawn["method"], &withdrawn["params"]["requestId"]),
        (&json!("notifications/cancelled"), &question["id"])
    );
    assert_eq!(stage.refused().await, "server_restarting");

    let mut server = stage.server().await;
    let again = server.next().await;
    let mut params = first["params"].clone();
    params["_meta"] = json!({"mine": 1});
    assert_eq!((&again["method"], &again["params"]), (&json!("initialize"), &params));
    assert_ne!(again["id"], first["id"]);
    assert_eq!(stage.refused().await, "server_restarting", "not before it has agreed");
    agree(&mut server, &again, "2025-11-25", capabilities()).await;
    assert_eq!(server.next().await["method"], "notifications/initialized");
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(server.next().await);
    }
    let told: Vec<_> = asked.iter().map(|frame| (frame["method"].as_str().unwrap(), frame["params"].clone())).collect();
    assert_eq!(
        told,
        [
            ("resources/subscribe", json!({"uri": "test://a"})),
            ("logging/setLevel", json!({"level": "debug"})),
            ("tools/list", Value::Null)
        ]
    );
    result(&mut server, &asked[0], json!({})).await;
    // A setting that is not taken again holds nothing up.
    let error = json!({"jsonrpc": "2.0", "id": asked[1]["id"], "error": {"code": -32603, "message": "no"}});
    server.send(&error.to_string()).await;
    result(&mut server, &asked[2], json!({"tools": [], "nextCursor": "2"})).await;
    let more = server.next().await;
    assert_eq!((&more["method"], &more["params"]), (&json!("tools/list"), &json!({"cursor": "2"})));
    assert_eq!(stage.refused().await, "server_restarting", "not before everything is answered");
    result(&mut server, &more, json!({"tools": []})).await;
    for method in ["tools/list_changed", "resources/list_changed", "resources/updated"] {
        assert_eq!(stage.client.next().await["method"], format!("notifications/{method}"));
    }
    stage.passes(&mut server).await;
    // Of the three that were refused nothing was charged; the lost one stays charged.
    stage.client.send(&call("second", "twice", json!({}))).await;
    let frame = server.next().await;
    server.send(&answer(&frame["id"], "second")).await;
    assert_eq!(stage.client.next().await["result"]["content"][0]["text"], "second");
    stage.client.send(&call("third", "twice", json!({}))).await;
    assert_eq!(stage.client.next().await["result"]["structuredContent"]["reason"], "limit_reached");

    assert_eq!(
        (&events(&bench, "server_lost")[0]["deaths"], events(&bench, "server_restarted").len()),
        (&json!("1"), 1)
    );
    let ended = stage.end();
    let (summary, ()) = tokio::join!(ended, async {
        in_time(server.expect_end()).await;
        drop(server);
    });
    let summary = summary.unwrap();
    assert_eq!((summary.restarts, summary.server_left_first, summary.unknown_outcomes), (1, false, 1));
}

#[tokio::test(start_paused = true)]
async fn another_server_in_its_place_ends_the_session() {
    let less = json!({"tools": {}, "resources": {"subscribe": true, "listChanged": true}, "logging": {}});
    for (version, capabilities, why) in [
        ("2025-06-18", capabilities(), "it speaks version `2025-06-18` now, not `2025-11-25`"),
        ("2025-11-25", less, "it no longer has the capability `tools.listChanged`"),
    ] {
        let bench = Bench::under(POLICY);
        let mut stage = stage(&bench);
        drop(stage.begin().await);
        let mut server = stage.server().await;
        let asked = server.next().await;
        agree(&mut server, &asked, version, capabilities).await;
        in_time(server.expect_end()).await;
        in_time(stage.client.expect_end()).await;
        let ended = in_time(stage.serving).await.unwrap().unwrap_err();
        assert_eq!(ended.to_string(), format!("the server was lost, and is not started again: {why}"));
        assert!(ended.summary().unwrap().server_left_first);
        assert_eq!(events(&bench, "server_given_up")[0]["why"], why);
        assert!(events(&bench, "server_restarted").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_deaths_in_a_row_end_it_and_the_waits_double() {
    let bench = Bench::under_with(POLICY, |config| {
        config.limits.restart = RestartLimits { max: 4, wait_ms: 100, wait_max_ms: 300, ..RestartLimits::default() };
    });
    let mut stage = stage(&bench);
    let (server, _) = stage.begin().await;
    let mut died = Instant::now();
    drop(server);
    for wait in [100, 200, 300] {
        let server = stage.server().await;
        assert_eq!(died.elapsed(), Duration::from_millis(wait));
        died = Instant::now();
        drop(server);
    }
    // One that holds ends the row.
    let mut server = stage.server().await;
    let asked = server.next().await;
    agree(&mut server, &asked, "2025-11-25", capabilities()).await;
    bench.advance_ms(60_000);
    died = Instant::now();
    drop(server);
    let server = stage.server().await;
    assert_eq!(died.elapsed(), Duration::from_millis(100));
    // What cannot be started counts as dead, however long nobody is there.
    stage.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    bench.advance_ms(30_000);
    died = Instant::now();
    drop(server);
    let ended = in_time(stage.serving).await.unwrap().unwrap_err();
    assert_eq!(died.elapsed(), Duration::from_millis(200 + 300 + 300));
    assert_eq!(ended.to_string(), "the server was lost, and is not started again: it died 5 times in a row");
    let deaths: Vec<Value> = events(&bench, "server_lost").iter().map(|event| event["deaths"].clone()).collect();
    assert_eq!(deaths, ["1", "2", "3", "4", "1", "2", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_the_handshake_is_a_dead_one() {
    let bench = Bench::under(POLICY);
    let mut stage = stage(&bench);
    drop(stage.begin().await);
    let mut silent = stage.server().await;
    assert_eq!(silent.next().await["method"], "initialize");
    bench.advance_ms(10_000);
    in_time(silent.expect_end()).await;
    let mut refusing = stage.server().await;
    let asked = refusing.next().await;
    let error = json!({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32603, "message": "no"}});
    refusing.send(&error.to_string()).await;
    in_time(refusing.expect_end()).await;
    let mut server = stage.server().await;
    let asked = server.next().await;
    agree(&mut server, &asked, "2025-11-25", capabilities()).await;
    assert_eq!(server.next().await["method"], "notifications/initialized");
    for _ in 0..2 {
        stage.client.next().await;
    }
    stage.passes(&mut server).await;
    assert_eq!(events(&bench, "server_lost").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn without_a_handshake_nothing_is_replayed_and_without_an_answer_nothing_is_started() {
    let bench = Bench::under(POLICY);
    let mut era = stage(&bench);
    let mut server = era.server().await;
    era.passes(&mut server).await;
    drop(server);
    let mut server = era.server().await;
    era.passes(&mut server).await;
    assert_eq!(events(&bench, "server_restarted").len(), 1);

    let mut useless = stage(&bench);
    let mut server = useless.server().await;
    useless.ask("init", "initialize", hello()).await;
    server.next().await;
    drop(server);
    assert_eq!(useless.client.next().await["error"]["data"]["reason"], "server_gone");
    let summary = in_time(useless.serving).await.unwrap().unwrap();
    assert!(summary.server_left_first && summary.restarts == 0, "{summary:?}");

    let never = Bench::under_with(POLICY, |config| config.limits.restart.max = 0);
    let mut stage = stage(&never);
    drop(stage.begin().await);
    let ended = in_time(stage.serving).await.unwrap().unwrap_err();
    assert!(ended.summary().unwrap().server_left_first, "{ended}");
}

#[tokio::test(start_paused = true)]
async fn what_was_pinned_is_held_against_the_next_server() {
    let tool = |name: &str, description: &str| json!({"name": name, "description": description, "inputSchema": {}});
    let pins = Pins::of(&[tool("echo", "echoes"), tool("slow", "slow"), tool("twice", "twice")]).unwrap();
    let bench = Bench::under_with(POLICY, |config| config.pins = Some(pins));
    let mut stage = stage(&bench);
    let (mut server, _) = stage.begin().await;
    stage.ask("list", "tools/list", json!({})).await;
    let asked = server.next().await;
    result(&mut server, &asked, json!({"tools": [tool("echo", "echoes"), tool("slow", "!"), tool("twice", "twice")]}))
        .await;
    let shown = stage.client.next().await;
    assert_eq!(shown["result"]["tools"].as_array().unwrap().len(), 2);
    drop(server);

    let mut server = stage.server().await;
    let asked = server.next().await;
    agree(&mut server, &asked, "2025-11-25", capabilities()).await;
    server.next().await;
    let asked = server.next().await;
    assert_eq!(asked["method"], "tools/list");
    // Another definition of one, the pinned one of that which was in quarantine.
    result(&mut server, &asked, json!({"tools": [tool("echo", "echoes"), tool("slow", "slow"), tool("twice", "!")]}))
        .await;
    for _ in 0..2 {
        stage.client.next().await;
    }
    // The client need not list them again.
    stage.passes(&mut server).await;
    for name in ["slow", "twice"] {
        stage.client.send(&call(name, name, json!({}))).await;
        let told = stage.client.next().await;
        assert_eq!(told["result"]["structuredContent"]["reason"], "tool_quarantined", "{name}");
    }
    let quarantined: Vec<Value> =
        events(&bench, "tool_quarantined").iter().map(|event| event["tool"].clone()).collect();
    assert_eq!(quarantined, ["slow", "twice"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_meanwhile_ends_the_session_in_order() {
    let bench = Bench::under(POLICY);
    let mut stage = stage(&bench);
    let (mut server, _) = stage.begin().await;
    stage.client.send(&call("lost", "echo", json!({}))).await;
    server.next().await;
    drop(server);
    assert_eq!(stage.client.next().await["result"]["structuredContent"]["reason"], "outcome_unknown");
    assert_eq!(stage.refused().await, "server_restarting");
    let left = Instant::now();
    stage.client.close().await;
    let summary = in_time(stage.serving).await.unwrap().unwrap();
    assert_eq!(left.elapsed(), Duration::ZERO, "nothing is waited for");
    assert!(!summary.server_left_first && summary.restarts == 0, "{summary:?}");
    assert!(stage.servers.try_recv().is_err(), "no server is started for nobody");
    assert_eq!(bench.clock.load(std::sync::atomic::Ordering::SeqCst), START_MS);
}
