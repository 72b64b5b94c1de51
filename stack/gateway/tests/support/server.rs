//! A small MCP server on rmcp.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};

/// Echoes arguments; `slow` reports progress and waits to be cancelled.
#[derive(Clone, Default)]
pub(crate) struct Fixture {
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) cancelled: Arc<tokio::sync::Notify>,
}

fn tool(name: &'static str) -> Tool {
    let schema = json!({"type": "object"}).as_object().unwrap().clone();
    let tool = Tool::new(name, "a fixture", schema.clone());
    if name == "typed" { tool.with_raw_output_schema(Arc::new(schema)) } else { tool }
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let everything = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .enable_completions()
            .build();
        ServerConfig::new(everything).with_server_info(Implementation::new("fixture", "1"))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let names = ["echo", "slow", "typed", "place_order", "withdraw", "unlisted", "twice"];
        Ok(ListToolsResult::with_all_items(names.into_iter().map(tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        if request.name == "slow" {
            if let Some(token) = context.meta.get_progress_token() {
                for step in 1..=3 {
                    let progress = ProgressNotificationParam::new(token.clone(), f64::from(step));
                    context.peer.notify_progress(progress).await.unwrap();
                }
            }
            if arguments.get("forever").is_some() {
                context.ct.cancelled().await;
                self.cancelled.notify_one();
            }
        }
        Ok(CallToolResult::success(vec![ContentBlock::text(arguments.to_string())]).into())
    }
}
