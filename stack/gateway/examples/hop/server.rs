//! The server behind: its tools cost nothing, so that the hop is what is measured.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::serve::ListenerExt as _;
use clap::ValueEnum;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::io::stdio_pipes;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler, ServiceExt as _};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::Outcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Front {
    Stdio,
    Http,
}

/// What it says when it fails.
const ERROR: &str = "out of order";
/// What it says when it refuses.
const REFUSAL: &str = "no such thing";

/// Whether a frame says that the server failed or refused, and nobody else did.
pub fn is_failure(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    [ERROR, REFUSAL].iter().any(|said| text.contains(said))
}

/// Answers orders as filled, and everything else with its arguments.
#[derive(Debug, Clone, Default)]
pub struct Echo {
    faulty: bool,
    calls: Arc<AtomicU64>,
}

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = Arc::new(Map::from_iter([("type".to_owned(), json!("object"))]));
        let tools = ["bn_book_ticker", "bn_new_order", "echo"];
        Ok(ListToolsResult::with_all_items(tools.map(|name| Tool::new(name, name, Arc::clone(&schema))).into()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let arguments = request.arguments.unwrap_or_default();
        // Of an order a failure says nothing: it may stand, so the gateway would remember it until a list of open orders
        // tells, and nobody asks for one here.
        if self.faulty && request.name != "bn_new_order" {
            match call % 10 {
                3 => return Err(ErrorData::internal_error(ERROR, None)),
                6 => return Ok(CallToolResult::error(vec![ContentBlock::text(REFUSAL)]).into()),
                9 => tokio::task::yield_now().await,
                _ => {}
            }
        }
        let text = if request.name == "bn_new_order" { filled(&arguments, call) } else { Value::Object(arguments) };
        Ok(CallToolResult::success(vec![ContentBlock::text(text.to_string())]).into())
    }
}

fn filled(arguments: &Map<String, Value>, order: u64) -> Value {
    let told = |name: &str| arguments.get(name).cloned().unwrap_or_default();
    json!({
        "symbol": told("symbol"), "orderId": order, "orderListId": -1, "clientOrderId": told("newClientOrderId"),
        "transactTime": 1_767_571_200_000_u64, "price": told("price"), "origQty": told("quantity"),
        "executedQty": told("quantity"), "cummulativeQuoteQty": "375.00000000", "status": "FILLED",
        "timeInForce": "GTC", "type": told("type"), "side": told("side")
    })
}

/// Serves until the client goes, or over HTTP until it is killed.
pub fn serve(front: Front, faulty: bool) -> Outcome<()> {
    let echo = Echo { faulty, ..Echo::default() };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async move {
        if front == Front::Stdio {
            echo.serve(stdio_pipes()).await?.waiting().await?;
            return Ok(());
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stderr(), "listening on http://{}/mcp", listener.local_addr()?)?;
        let sessions = Arc::new(LocalSessionManager::default());
        let service =
            StreamableHttpService::new(move || Ok(echo.clone()), sessions, StreamableHttpServerConfig::default());
        // An event would wait for the client to acknowledge the head before it.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, axum::Router::new().nest_service("/mcp", service)).await?)
    })
}
