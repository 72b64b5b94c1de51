//! A client on one end of a pipe, the server on the other, a mock HTTP server behind it.
#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod raw;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use binance_mcp::{BinanceMcp, Config, Credentials, ServeError, serve};
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService, ServiceError};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

pub(crate) const API_KEY: &str = "canaryKeyVmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7";
pub(crate) const SECRET_KEY: &str = "canarySecretNhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAb";
pub(crate) const NOW_MS: u64 = 1_700_000_000_123;

/// A configuration for `base_url` with keys and a clock that stands still.
pub(crate) fn config(base_url: &str) -> Config {
    let mut config = Config::new(base_url);
    config.credentials = Some(Credentials::new(API_KEY, SECRET_KEY).unwrap());
    config.clock = Arc::new(|| NOW_MS);
    config
}

/// A clock that moves on by a millisecond with every look at it.
pub(crate) fn ticking(config: &mut Config) {
    let next = AtomicU64::new(NOW_MS);
    config.clock = Arc::new(move || next.fetch_add(1, Ordering::SeqCst));
}

/// One MCP session.
pub(crate) struct Session {
    pub(crate) client: RunningService<RoleClient, ()>,
    pub(crate) served: JoinHandle<Result<(), ServeError>>,
}

impl Session {
    pub(crate) async fn open(config: Config) -> Self {
        let server = BinanceMcp::new(config).unwrap();
        let (near, far) = tokio::io::duplex(1 << 20);
        let (read, write) = tokio::io::split(far);
        let served = tokio::spawn(serve(server, read, write));
        let client = ().serve(near).await.unwrap();
        Self { client, served }
    }

    pub(crate) async fn try_call(&self, tool: &str, arguments: Value) -> Result<CallToolResult, ServiceError> {
        self.client.peer().call_tool(params(tool, arguments)).await
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> CallToolResult {
        self.try_call(tool, arguments).await.unwrap()
    }

    /// Calls, expects an error result, and returns its `error` object and its text.
    pub(crate) async fn error(&self, tool: &str, arguments: Value) -> (Value, String) {
        let result = self.call(tool, arguments.clone()).await;
        assert_eq!(result.is_error, Some(true), "{tool} {arguments}: {result:?}");
        let text = text(&result);
        let error = result.structured_content.unwrap()["error"].clone();
        assert_eq!(error["message"], json!(text));
        (error, text)
    }

    /// Calls, expects success, and returns the structured content.
    pub(crate) async fn ok(&self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments.clone()).await;
        assert_eq!(result.is_error, Some(false), "{tool} {arguments}: {result:?}");
        let text = text(&result);
        let content = result.structured_content.unwrap();
        assert_eq!(content.to_string(), text, "text and structured content differ");
        content
    }

    pub(crate) async fn close(self) {
        self.client.cancel().await.unwrap();
        self.served.await.unwrap().unwrap();
    }
}

pub(crate) fn params(tool: &str, arguments: Value) -> CallToolRequestParams {
    let Value::Object(arguments) = arguments else {
        panic!("arguments are an object");
    };
    CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments)
}

pub(crate) fn text(result: &CallToolResult) -> String {
    assert_eq!(result.content.len(), 1);
    result.content[0].as_text().unwrap().text.clone()
}

/// Answers everything with the same status and body.
pub(crate) async fn answering(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(matchers::any()).respond_with(response).mount(&server).await;
    server
}

pub(crate) fn json_answer(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body.to_owned(), "application/json;charset=UTF-8")
}

/// The requests seen, oldest first.
pub(crate) async fn seen(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

/// A required-only, valid set of arguments for every tool.
pub(crate) fn minimal_arguments(tool: &str) -> Value {
    match tool {
        "bn_klines" => json!({"symbol": "BTCUSDT", "interval": "1m"}),
        "bn_new_order" | "bn_test_order" => json!({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}),
        "bn_keepalive_listen_key" | "bn_close_listen_key" => json!({"listenKey": "pqia91ma19a5s61cv6a81va65sd"}),
        "bn_order_book"
        | "bn_recent_trades"
        | "bn_aggregate_trades"
        | "bn_avg_price"
        | "bn_query_order"
        | "bn_cancel_order"
        | "bn_cancel_all_orders"
        | "bn_all_orders"
        | "bn_my_trades" => {
            json!({"symbol": "BTCUSDT"})
        }
        _ => json!({}),
    }
}
