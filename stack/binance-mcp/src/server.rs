//! The MCP face.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool as McpTool,
};
use rmcp::service::{QuitReason, RequestContext, RoleServer, ServerInitializeError};
use rmcp::{ServerHandler, ServiceExt as _};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use crate::args::{quote, read};
use crate::client::Client;
use crate::config::Config;
use crate::error::{CallError, ConfigError, ServeError};
use crate::result::{failed, shape};
use crate::tools::{Tool, catalogue};

const INSTRUCTIONS: &str = "Tools for Binance spot. Market-data tools need no key; account and order tools act on the \
     account whose keys this server was started with, and bn_new_order spends real money on a real exchange. \
     Write prices and quantities as decimal strings, symbols in upper case. Lists come as {\"items\": [...]}; \
     use _fields and limit to keep answers short. An error with outcomeUnknown true means that the exchange may \
     have acted: look the order up before trying again.";

/// The 23 tools over one exchange. Clones share the connection pool and the limit of requests in flight.
#[derive(Clone)]
pub struct BinanceMcp {
    client: Arc<Client>,
    /// Held by every handler of one connection, so that [`serve_until`] can wait for the last of them.
    alive: Option<mpsc::Sender<Infallible>>,
}

impl BinanceMcp {
    /// Checks the configuration. Nothing is sent.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        // Compiles the schemas now rather than in the first call.
        catalogue();
        Ok(Self { client: Arc::new(Client::new(config)?), alive: None })
    }

    async fn call(
        &self,
        tool: &'static Tool,
        arguments: Map<String, Value>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<CallToolResult, CallError> {
        let arguments = read(tool, arguments)?;
        let answer = self.client.call(tool.spec, &arguments, cancelled).await?;
        shape(tool.spec, arguments.fields.as_deref(), answer)
    }
}

impl fmt::Debug for BinanceMcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BinanceMcp").field("base_url", &self.client.base_url()).finish_non_exhaustive()
    }
}

fn find(name: &str) -> Option<&'static Tool> {
    catalogue().iter().find(|tool| tool.spec.name == name)
}

impl ServerHandler for BinanceMcp {
    fn get_info(&self) -> ServerConfig {
        let implementation = Implementation::new("binance-mcp", env!("CARGO_PKG_VERSION"))
            .with_title("Binance spot")
            .with_description(env!("CARGO_PKG_DESCRIPTION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(implementation)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|request| request.cursor.is_some()) {
            return Err(ErrorData::invalid_params("unknown cursor: all tools are on the first page", None));
        }
        Ok(ListToolsResult::with_all_items(catalogue().iter().map(|tool| tool.definition.clone()).collect()))
    }

    /// Only an unknown tool is a protocol error. Everything that the model can put right comes as a
    /// result with `isError`, which clients show to it.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = find(&request.name) else {
            return Err(ErrorData::invalid_params(format!("unknown tool {}", quote(&request.name)), None));
        };
        let arguments = request.arguments.unwrap_or_default();
        let result = match self.call(tool, arguments, context.ct.cancelled()).await {
            Ok(result) => {
                tracing::debug!(tool = tool.spec.name, "answered");
                result
            }
            Err(error) => {
                tracing::info!(
                    tool = tool.spec.name,
                    kind = error.kind(),
                    sent = error.was_sent(),
                    %error,
                    "failed"
                );
                failed(tool.spec, &error)
            }
        };
        Ok(result.into())
    }

    fn get_tool(&self, name: &str) -> Option<McpTool> {
        find(name).map(|tool| tool.definition.clone())
    }
}

/// Serves one client over a pair of byte streams, one JSON-RPC message a line.
///
/// Returns when the peer has closed its side and every call that had begun has ended, at once if none
/// is under way. Both eras of MCP are spoken: `initialize`, and self-contained requests.
pub async fn serve<R, W>(server: BinanceMcp, read: R, write: W) -> Result<(), ServeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    serve_until(server, read, write, std::future::pending()).await
}

/// Like [`serve`], but also ends when `shutdown` does: no further call is taken, those that wait for
/// their turn are dropped, and requests that are on their way are seen through.
pub async fn serve_until<R, W>(
    mut server: BinanceMcp,
    read: R,
    write: W,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (alive, mut last) = mpsc::channel(1);
    server.alive = Some(alive);
    let mut shutdown = std::pin::pin!(shutdown);
    let opened = tokio::select! {
        opened = server.serve((read, write)) => opened,
        () = &mut shutdown => return Ok(()),
    };
    let running = match opened {
        Ok(running) => running,
        // Gone before a session began: nothing to serve, nothing wrong.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        // Its text would repeat the whole message.
        Err(ServerInitializeError::ExpectedInitializeRequest(_)) => {
            return Err(ServeError::Handshake { why: "the first message was no request".to_owned() });
        }
        Err(error) => {
            return Err(ServeError::Handshake { why: error.to_string() });
        }
    };
    let stop = running.cancellation_token();
    let mut ended = std::pin::pin!(running.waiting());
    let quit = tokio::select! {
        quit = &mut ended => quit,
        () = &mut shutdown => {
            stop.cancel();
            ended.await
        }
    };
    // The library drains for a few seconds at most; an order may take longer, and is waited for.
    while last.recv().await.is_some() {}
    match quit {
        Ok(QuitReason::JoinError(error)) | Err(error) => Err(ServeError::Broken { why: error.to_string() }),
        Ok(_) => Ok(()),
    }
}
