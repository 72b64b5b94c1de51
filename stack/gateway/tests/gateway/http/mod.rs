//! Streamable HTTP in front: who may come in, whose answer is whose, and what never reaches the server.

mod asked;
mod bodies;
mod door;
#[cfg(feature = "tls")]
mod encrypted;
mod grants;
mod restart;
mod sessions;
mod several;
mod stateless;
mod upstream;

use std::sync::{Arc, Mutex};

use mcp_gateway::http::{HttpConfig, HttpGateway};
use mcp_gateway::{Connection, Durability, GrantBook, StateDir, Token, Upstream};
use reqwest::{Method, RequestBuilder, Response};
use rmcp::ServiceExt as _;
use serde_json::{Value, json};
use tokio::io::{duplex, split};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::support::server::Fixture;
use crate::support::{Bench, Line, in_time};

const BOTH: &str = "application/json, text/event-stream";

/// A gateway that is listening, and what its tests talk to it with.
struct Site {
    bench: Bench,
    url: String,
    client: reqwest::Client,
    token: String,
    grants: GrantBook,
    /// The server's ends of the connections that were opened, where the test is the server.
    servers: mpsc::UnboundedReceiver<Line>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<std::io::Result<()>>,
    _folder: tempfile::TempDir,
}

fn token(byte: u8) -> Token {
    Token::from_bytes([byte; 32])
}

impl Site {
    /// In front of a server on rmcp.
    async fn new(fixture: &Fixture) -> Self {
        Self::with(Bench::new(), Some(fixture.clone()), |_| {}).await
    }

    /// In front of a server that is the test itself.
    async fn by_hand() -> Self {
        Self::with(Bench::new(), None, |_| {}).await
    }

    async fn with(bench: Bench, fixture: Option<Fixture>, change: impl FnOnce(&mut HttpConfig)) -> Self {
        let (opened, servers) = mpsc::unbounded_channel();
        let upstream = move || {
            let (ours, theirs) = duplex(1 << 16);
            match fixture.clone() {
                Some(fixture) => drop(tokio::spawn(async move {
                    if let Ok(running) = fixture.serve(split(theirs)).await {
                        let _ = running.waiting().await;
                    }
                })),
                None => opened.send(Line::new(theirs)).unwrap(),
            }
            let (read, write) = split(ours);
            Ok(Connection::new(read, write))
        };
        Self { servers, ..Self::start(bench, Arc::new(upstream), change).await }
    }

    /// In front of a server at some other place.
    async fn before(bench: Bench, upstream: Arc<dyn Upstream>) -> Self {
        Self::start(bench, upstream, |_| {}).await
    }

    async fn start(bench: Bench, upstream: Arc<dyn Upstream>, change: impl FnOnce(&mut HttpConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut grants = GrantBook::open(&state).unwrap();
        grants.add("desk", &token(1), 0, None).unwrap();
        let mut config = HttpConfig::with_grants(GrantBook::open(&state).unwrap());
        let named = Mutex::new(0);
        config.session_ids = Arc::new(move || {
            let mut last = named.lock().unwrap();
            *last += 1;
            Ok(format!("session-{last}"))
        });
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let gateway = HttpGateway::new(bench.gateway.clone(), upstream, config);
        let serving = tokio::spawn(gateway.serve(listener, async {
            let _ = stopped.await;
        }));
        let token = token(1).reveal().to_owned();
        let client = reqwest::Client::new();
        let (_, servers) = mpsc::unbounded_channel();
        Self { bench, url, client, token, grants, servers, stop: Some(stop), serving, _folder: folder }
    }

    fn request(&self, method: Method) -> RequestBuilder {
        self.client.request(method, &self.url).bearer_auth(&self.token).header("accept", BOTH)
    }

    /// A POST of bytes, without a session.
    fn bytes(&self, body: impl Into<Vec<u8>>) -> RequestBuilder {
        self.request(Method::POST).header("content-type", "application/json").body(body.into())
    }

    fn post(&self, body: &Value) -> RequestBuilder {
        self.bytes(body.to_string())
    }

    fn in_session(&self, session: &str, body: &Value) -> RequestBuilder {
        self.post(body).header("mcp-session-id", session)
    }

    /// A POST of a client that keeps no session.
    fn alone(&self, body: &Value) -> RequestBuilder {
        let post = self.post(body).header("mcp-protocol-version", "2026-07-28");
        let post = post.header("mcp-method", body["method"].as_str().unwrap());
        match body["params"]["name"].as_str() {
            Some(name) => post.header("mcp-name", name),
            None => post,
        }
    }

    /// Opens a session with the fixture; its id.
    async fn open(&self) -> String {
        let answered = send(self.post(&initialize())).await;
        assert_eq!(answered.status(), 200);
        let session = answered.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let told = json_of(answered).await;
        assert_eq!(told["result"]["serverInfo"]["name"], "fixture");
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(send(self.in_session(&session, &ready)).await.status(), 202);
        session
    }

    /// Opens `session-1` with the test as the server.
    async fn open_by_hand(&mut self) -> Line {
        let opening = tokio::spawn(send(self.post(&initialize())));
        let mut server = self.servers.recv().await.unwrap();
        let asked = server.next().await;
        server.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {}}).to_string()).await;
        assert_eq!(opening.await.unwrap().headers()["mcp-session-id"], "session-1");
        server
    }

    /// Stops listening and waits for the end.
    async fn stop(mut self) -> Bench {
        let _ = self.stop.take().unwrap().send(());
        in_time(self.serving).await.unwrap().unwrap();
        self.bench
    }
}

async fn send(request: RequestBuilder) -> Response {
    in_time(request.send()).await.unwrap()
}

async fn json_of(response: Response) -> Value {
    let text = in_time(response.text()).await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The messages of a stream of events that has ended.
async fn events_of(response: Response) -> Vec<Value> {
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = in_time(response.text()).await.unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}})
}

fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> Value {
    serde_json::from_str(&crate::support::call(id, tool, arguments)).unwrap()
}

/// What a client of 2026-07-28 sends in every request.
fn modern(mut request: Value) -> Value {
    request["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}});
    request
}
