//! rmcp on both sides: clients and servers that do not know that there is a gateway.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use crate::support::server::Fixture;
use crate::support::{Bench, in_time};
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientConfig, ClientRequest, Implementation,
    ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::{ClientLifecycleMode, NotificationContext, PeerRequestOptions, RoleClient, RunningService};
use rmcp::{ClientHandler, ClientServiceExt, ServiceExt};
use serde_json::{Value, json};
use tokio::io::duplex;

/// A client that keeps the progress it is told.
#[derive(Clone, Default)]
struct Watcher {
    steps: Arc<Mutex<Vec<f64>>>,
    all_told: Arc<tokio::sync::Notify>,
}

impl ClientHandler for Watcher {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(ClientCapabilities::default(), Implementation::new("watcher", "1"))
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        let mut steps = self.steps.lock().unwrap();
        steps.push(params.progress);
        if steps.len() == 3 {
            self.all_told.notify_one();
        }
    }
}

fn handshakes() -> [ClientLifecycleMode; 2] {
    [
        ClientLifecycleMode::Initialize,
        ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
    ]
}

async fn connect(bench: &Bench, handshake: ClientLifecycleMode) -> (RunningService<RoleClient, Watcher>, Fixture) {
    let (client, front) = duplex(4096);
    let (back, server) = duplex(4096);
    let fixture = Fixture::default();
    let handler = fixture.clone();
    tokio::spawn(async move { handler.serve(server).await.unwrap().waiting().await });
    bench.serve("s", front, back);
    (Watcher::default().serve_with_lifecycle(client, handshake).await.unwrap(), fixture)
}

fn params(tool: &'static str, arguments: Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments.as_object().unwrap().clone())
}

#[tokio::test]
async fn listing_and_calling_in_both_eras() {
    for handshake in handshakes() {
        let bench = Bench::new();
        let (client, fixture) = connect(&bench, handshake).await;
        let capabilities = client.peer_info().unwrap().capabilities.clone();
        assert!(capabilities.tools.is_some());
        assert!(capabilities.prompts.is_none() && capabilities.resources.is_none(), "{capabilities:?}");

        let tools: Vec<_> = client.list_all_tools().await.unwrap().into_iter().map(|tool| tool.name).collect();
        assert_eq!(tools, ["echo", "slow", "typed", "place_order", "twice"]);

        let echoed = client.call_tool(params("echo", json!({"a": [1, "\u{2028}"]}))).await.unwrap();
        assert_eq!(echoed.is_error, Some(false));
        assert_eq!(echoed.content[0].as_text().unwrap().text, "{\"a\":[1,\"\u{2028}\"]}");

        for hidden in ["withdraw", "unlisted"] {
            let denial = client.call_tool(params(hidden, json!({}))).await.unwrap();
            assert_eq!(denial.is_error, Some(true));
            assert!(denial.content[0].as_text().unwrap().text.starts_with("[POLICY DENIED]"));
        }
        assert_eq!(fixture.calls.load(Ordering::SeqCst), 1, "only the echo reached the server");
        assert_eq!(bench.audit.len(), 3);
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn methods_that_do_not_pass_are_errors_to_the_client() {
    let (client, _) = connect(&Bench::new(), ClientLifecycleMode::Initialize).await;
    let error = client.list_all_prompts().await.unwrap_err().to_string();
    assert!(error.contains("does not pass this gateway"), "{error}");
    assert!(client.list_all_resources().await.is_err());
}

#[tokio::test]
async fn progress_reaches_the_client_in_order() {
    for handshake in handshakes() {
        let (client, _) = connect(&Bench::new(), handshake).await;
        client.call_tool(params("slow", json!({}))).await.unwrap();
        in_time(client.service().all_told.notified()).await;
        assert_eq!(*client.service().steps.lock().unwrap(), [1.0, 2.0, 3.0]);
    }
}

#[tokio::test]
async fn cancellation_reaches_the_server() {
    let (client, fixture) = connect(&Bench::new(), ClientLifecycleMode::Initialize).await;
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(params("slow", json!({"forever": true}))));
    let handle = client.send_cancellable_request(request, PeerRequestOptions::no_options()).await.unwrap();
    // Its progress shows that the call has begun.
    in_time(client.service().all_told.notified()).await;
    handle.cancel(Some("enough".to_owned())).await.unwrap();
    in_time(fixture.cancelled.notified()).await;
    let echoed = client.call_tool(params("echo", json!({}))).await.unwrap();
    assert_eq!(echoed.is_error, Some(false));
}

#[tokio::test]
async fn a_call_needs_no_handshake_to_be_judged() {
    let bench = Bench::new();
    let (client, front) = duplex(4096);
    let (back, server) = duplex(4096);
    let fixture = Fixture::default();
    let handler = fixture.clone();
    tokio::spawn(async move {
        if let Ok(running) = handler.serve(server).await {
            let _ = running.waiting().await;
        }
    });
    bench.serve("s", front, back);
    let mut client = crate::support::Line::new(client);
    // rmcp serves a first line like this one if `_meta` names a version and capabilities.
    for (tool, denied) in [("withdraw", true), ("echo", false)] {
        let frame = json!({"jsonrpc": "2.0", "id": tool, "method": "tools/call", "params": {"name": tool, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {}}}});
        client.send(&frame.to_string()).await;
        let told = client.next().await;
        assert_eq!(told["id"], tool);
        assert_eq!(told["result"]["isError"], denied, "{told}");
    }
    assert_eq!(fixture.calls.load(Ordering::SeqCst), 1);
}
