//! The command over HTTP: grants are given, used and taken back while it serves.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output};

use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};

use crate::{POLICY, Place, said, terminate};

pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mcp-gateway")).args(arguments).output().unwrap()
}

/// A gateway that listens, and where.
pub(crate) struct Listening {
    pub(crate) child: Child,
    pub(crate) url: String,
    /// Where the admin page is, if there is one.
    pub(crate) admin: Option<String>,
}

impl Listening {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let (mut line, mut admin) = (String::new(), None);
        while !line.starts_with("listening on ") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended before it listened");
            admin = admin.or_else(|| line.strip_prefix("admin page on ").map(|url| url.trim().to_owned()));
        }
        // Nobody reads on, and a full pipe would hold it up.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, url: line.trim_start_matches("listening on ").trim().to_owned(), admin }
    }

    /// The reason of a denial, or null, of a call without a session.
    pub(crate) async fn call(&self, token: &str, tool: &str) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {},
            "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {}}}});
        let post = reqwest::Client::new().post(&self.url).bearer_auth(token).header("mcp-name", tool);
        let post = post.header("accept", "application/json, text/event-stream").header("mcp-method", "tools/call");
        let post = post.header("content-type", "application/json").header("mcp-protocol-version", "2026-07-28");
        let told: Value = post.body(body.to_string()).send().await.unwrap().json().await.unwrap();
        told["result"]["structuredContent"]["reason"].clone()
    }

    async fn post(&self, token: &str, body: &Value) -> reqwest::Response {
        let post = reqwest::Client::new().post(&self.url).bearer_auth(token);
        let post =
            post.header("accept", "application/json, text/event-stream").header("content-type", "application/json");
        let post =
            post.header("mcp-protocol-version", "2026-07-28").header("mcp-method", body["method"].as_str().unwrap());
        post.body(body.to_string()).send().await.unwrap()
    }
}

pub(crate) fn serves_holders_of_grants() {
    let place = Place::new(POLICY);
    let (audit, state) = (place.path("audit.jsonl"), place.path("state"));
    let state = state.to_str().unwrap();
    let added = run(&["grant", "add", "desk", "--state", state]);
    assert_eq!(added.status.code(), Some(0), "{}", said(&added));
    let token = String::from_utf8(added.stdout).unwrap().trim().to_owned();
    assert!(token.starts_with("mgw_") && token.len() == 68, "{token}");

    let flags = ["--audit", audit.to_str().unwrap(), "--state", state, "--listen", "127.0.0.1:0"];
    let listening = Listening::start(place.before_fixture(&flags, "rmcp"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = StreamableHttpClientTransportConfig::with_uri(listening.url.clone()).auth_header(token.clone());
        let client = ().serve(StreamableHttpClientTransport::from_config(config)).await.unwrap();
        let tools = client.list_all_tools().await.unwrap();
        assert_eq!(tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["echo", "slow"]);
        let arguments = json!({"a": "canary"}).as_object().unwrap().clone();
        let echoed = client.call_tool(CallToolRequestParams::new("echo").with_arguments(arguments)).await.unwrap();
        assert_eq!(echoed.content[0].as_text().unwrap().text, r#"{"a":"canary"}"#);
        client.cancel().await.unwrap();

        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {}}}});
        assert_eq!(listening.post(&token, &list).await.status(), 200);
        let rotated = run(&["grant", "rotate", "desk", "--state", state]);
        assert_eq!(listening.post(&token, &list).await.status(), 401, "the old token is void at once");
        let token = String::from_utf8(rotated.stdout).unwrap().trim().to_owned();
        assert_eq!(listening.post(&token, &list).await.status(), 200);
        assert_eq!(run(&["grant", "revoke", "desk", "--state", state]).status.code(), Some(0));
        assert_eq!(listening.post(&token, &list).await.status(), 401);
    });
    let listed: Value = serde_json::from_slice(&run(&["grant", "list", "--state", state, "--json"]).stdout).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["state"]), (&json!("desk"), &json!("revoked")));
    terminate(&listening.child);
    let mut child = listening.child;
    assert_eq!(child.wait().unwrap().code(), Some(0));

    let text = std::fs::read_to_string(&audit).unwrap();
    assert!(!text.contains("mgw_") && !text.contains("canary"));
    let called = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let called: Vec<_> = called.filter(|line| line.get("decision").is_some()).collect();
    assert_eq!((called.len(), &called[0]["grant"], &called[0]["tool"]), (1, &json!("desk"), &json!("echo")));
    let verified = mcp_gateway::trail::verify(&mcp_gateway::trail::files(&audit).unwrap(), None).unwrap();
    assert!(verified.has_head && verified.finding.is_none(), "{verified:?}");
}

pub(crate) fn refuses_what_is_not_safe() {
    let place = Place::new(POLICY);
    let state = place.path("state");
    let state = state.to_str().unwrap();
    let refused = |flags: &[&str]| {
        let output = place.before_fixture(flags, "rmcp").output().unwrap();
        (output.status.code(), said(&output))
    };
    let (code, said) = refused(&["--listen", "127.0.0.1:0"]);
    assert!(code == Some(2) && said.contains("--state"), "{said}");
    let (code, said) = refused(&["--listen", "0.0.0.0:0", "--state", state]);
    assert!(code == Some(11) && said.contains("0.0.0.0:0") && said.contains("127.0.0.1"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = refused(&["--listen", &address, "--state", state]);
    assert!(code == Some(11) && said.contains(&address), "{said}");
    let unknown = run(&["grant", "revoke", "nobody", "--state", state]);
    assert!(unknown.status.code() == Some(12), "{unknown:?}");
    let unstartable = ["--listen", "127.0.0.1:0", "--state", state, "--", "/nonexistent/server"];
    let output = place.gateway(&unstartable).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", crate::said(&output));
}
