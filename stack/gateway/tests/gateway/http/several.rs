//! Several servers behind one address, each with a policy of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mcp_gateway::http::{HttpConfig, HttpGateway, Served};
use mcp_gateway::{
    ApprovalBook, Connection, Durability, GrantBook, MemoryAudit, Pins, SharedAudit, StateDir, Token, policy_digest,
};
use rmcp::ServiceExt as _;
use serde_json::{Value, json};
use tokio::io::{duplex, split};
use tokio::net::TcpListener;

use super::{BOTH, call, initialize, json_of, modern, send};
use crate::support::Bench;
use crate::support::server::Fixture;

const ONCE: &str = r#"{"version": "1", "default": "deny", "tools": {
    "echo": {"limits": [{"counter": "all", "window": "day", "max": 1, "scope": "grant"}]},
    "slow": {"action": "require_approval", "reason": "a person decides"}}}"#;
const NEVER: &str = r#"{"version": "1", "default": "deny", "tools": {"slow": {"action": "require_approval"}}}"#;

struct Site {
    audit: MemoryAudit,
    benches: Vec<Bench>,
    fixtures: Vec<Fixture>,
    url: String,
    client: reqwest::Client,
    state: StateDir,
    _folder: tempfile::TempDir,
}

impl Site {
    /// Servers `a` and so on, under policies of their own. The first of `pinned` has pins that no tool fits.
    async fn new(policies: &[&str], pinned: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut grants = GrantBook::open(&state).unwrap();
        grants.add("desk", &Token::from_bytes([1; 32]), 0, None).unwrap();
        let audit = MemoryAudit::new();
        let shared = SharedAudit::new(Box::new(audit.clone()));
        let (mut benches, mut fixtures, mut servers) = (Vec::new(), Vec::new(), Vec::new());
        for (name, policy) in ["a", "b"].into_iter().zip(policies) {
            let bench = Bench::under_with(policy, |config| {
                name.clone_into(&mut config.server);
                config.audit = Box::new(shared.clone());
                config.approvals = Some(ApprovalBook::open(&state).unwrap());
                config.pins = (pinned && name == "a").then(|| Pins::of(&[json!({"name": "echo"})]).unwrap());
            });
            let fixture = Fixture::default();
            let serves = fixture.clone();
            let upstream = move || {
                let (ours, theirs) = duplex(1 << 16);
                let fixture = serves.clone();
                tokio::spawn(async move {
                    if let Ok(running) = fixture.serve(split(theirs)).await {
                        let _ = running.waiting().await;
                    }
                });
                let (read, write) = split(ours);
                Ok(Connection::new(read, write))
            };
            let gateway = bench.gateway.clone();
            servers.push(Served { name: name.to_owned(), gateway, upstream: Arc::new(upstream) });
            benches.push(bench);
            fixtures.push(fixture);
        }
        let config = HttpConfig::with_grants(GrantBook::open(&state).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(HttpGateway::several(servers, config).serve(listener, std::future::pending()));
        Self { audit, benches, fixtures, url, client: reqwest::Client::new(), state, _folder: folder }
    }

    fn bare(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let post = self.client.post(format!("{}{path}", self.url)).header("accept", BOTH);
        post.header("content-type", "application/json").body(body.to_string())
    }

    fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.bare(path, body).bearer_auth(Token::from_bytes([1; 32]).reveal())
    }

    /// The reason of a denial, or null, of a call without a session.
    async fn call(&self, server: &str, tool: &str) -> Value {
        let body = modern(call(1, tool, json!({"a": "b"})));
        let post = self.post(&format!("/mcp/{server}"), &body).header("mcp-protocol-version", "2026-07-28");
        let told = json_of(send(post.header("mcp-method", "tools/call").header("mcp-name", tool)).await).await;
        assert!(told["result"].is_object(), "{told}");
        told["result"]["structuredContent"]["reason"].clone()
    }

    fn records(&self) -> Vec<Value> {
        self.audit.all().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_server_is_reached_by_its_name_and_by_no_other_way() {
    let site = Site::new(&[ONCE, NEVER], false).await;
    // Whoever has no token is not even told which servers there are.
    for path in ["/mcp", "/mcp/a", "/mcp/none"] {
        assert_eq!(send(site.bare(path, &initialize())).await.status(), 401, "{path}");
    }
    let unnamed = send(site.post("/mcp", &initialize())).await;
    assert_eq!(unnamed.status(), 404);
    let told = unnamed.text().await.unwrap();
    assert_eq!(told, "several servers are behind this address: name one, as in `/mcp/NAME`\n");
    for path in ["/mcp/none", "/mcp/A", "/mcp/a/b", "/mcp/%61%00"] {
        assert_eq!(send(site.post(path, &initialize())).await.status(), 404, "{path}");
    }
    // A session is of one server.
    let opened = send(site.post("/mcp/a", &initialize())).await;
    assert_eq!(opened.status(), 200);
    let session = opened.headers()["mcp-session-id"].clone();
    let echo = call(1, "echo", json!({}));
    let there = |path| site.post(path, &echo).header("mcp-session-id", &session);
    assert_eq!(send(there("/mcp/b")).await.status(), 404);
    assert_eq!(send(there("/mcp/a")).await.status(), 200);
    let put = site.client.put(format!("{}/mcp/a", site.url));
    assert_eq!(send(put).await.status(), 405);
    let calls = site.fixtures.iter().map(|fixture| fixture.calls.load(Ordering::SeqCst));
    assert_eq!(calls.collect::<Vec<_>>(), [1, 0]);
}

#[tokio::test]
async fn the_only_server_is_reached_with_and_without_its_name() {
    let site = Site::new(&[ONCE], false).await;
    for path in ["/mcp", "/mcp/a"] {
        assert_eq!(send(site.post(path, &initialize())).await.status(), 200, "{path}");
    }
    assert_eq!(send(site.post("/mcp/b", &initialize())).await.status(), 404);
}

#[tokio::test]
async fn a_tool_of_one_name_at_two_servers_shares_no_budget_and_no_policy() {
    let site = Site::new(&[ONCE, ONCE], false).await;
    assert_eq!(site.call("a", "echo").await, Value::Null);
    assert_eq!(site.call("a", "echo").await, "limit_reached");
    assert_eq!(site.call("b", "echo").await, Value::Null, "the other has used up nothing");
    let site = Site::new(&[ONCE, NEVER], false).await;
    assert_eq!(site.call("b", "echo").await, "not_available");
    assert_eq!(site.call("a", "echo").await, Value::Null);
    let decided: Vec<Value> = site.records().into_iter().filter(|record| record.get("decision").is_some()).collect();
    let told: Vec<_> = decided.iter().map(|record| (record["server"].clone(), record["policy"].clone())).collect();
    assert_eq!(told, [(json!("b"), json!(policy_digest(NEVER))), (json!("a"), json!(policy_digest(ONCE)))]);
}

#[tokio::test]
async fn calls_of_two_servers_are_never_taken_for_each_other_in_one_audit() {
    let site = Site::new(&[ONCE, ONCE], false).await;
    assert_eq!(site.call("a", "echo").await, Value::Null);
    assert_eq!(site.call("b", "echo").await, Value::Null);
    let allowed: Vec<Value> = site.records().into_iter().filter(|record| record["decision"] == "allow").collect();
    // What names a record: otherwise the outcome of one call would be told of the other.
    let names: BTreeSet<String> =
        allowed.iter().map(|record| format!("{} {}", record["session"], record["seq"])).collect();
    assert_eq!((allowed.len(), names.len()), (2, 2), "{names:?}");
}

#[tokio::test]
async fn an_approval_for_one_server_is_none_for_another() {
    let site = Site::new(&[ONCE, ONCE], false).await;
    assert_eq!(site.call("a", "slow").await, "approval_required");
    let mut book = ApprovalBook::open(&site.state).unwrap();
    let listed = book.list(0).unwrap();
    assert_eq!((listed.len(), listed[0].0.asked.server.as_str()), (1, "a"));
    let now = site.benches[0].gateway.now_ms();
    book.approve(&listed[0].0.id, now, 60_000, "ada", "").unwrap();
    // The same call, the same policy, the same grant.
    assert_eq!(site.call("b", "slow").await, "approval_required");
    assert_eq!(book.list(0).unwrap()[0].0.asked.server, "b");
    let changes: Vec<Value> = site.records().into_iter().filter(|record| record["event"] == "approval").collect();
    assert_eq!(changes.last().unwrap()["server"], "b", "{changes:?}");
}

#[tokio::test]
async fn pins_of_one_server_hold_no_tool_of_another() {
    let site = Site::new(&[ONCE, ONCE], true).await;
    assert_eq!(site.call("a", "echo").await, "tool_unverified");
    assert_eq!(site.call("b", "echo").await, Value::Null);
}
