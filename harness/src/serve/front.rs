//! The face of a stack over HTTP: the SDK keeps the transport, the gateway gets the agent's own frames.
//!
//! The SDK reads a body into types and would write another one; what two parsers read differently would be gone before
//! the gateway could refuse it. So each body travels along as it came, and is what the gateway is given.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::request::Parts;
use binance_mcp::BinanceMcp;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelledNotificationParam, CompleteRequestParams,
    CompleteResult, CustomNotification, CustomRequest, CustomResult, DiscoverResult, ErrorData, Extensions,
    GetPromptRequestParams, GetPromptResponse, InitializeRequestParams, InitializeResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ServerConfig, Tool,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Mutex as AsyncMutex, OnceCell, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::stack::Served;
use crate::agent::tap::pipe;

/// The body of a request, as it came.
#[derive(Clone)]
pub(super) struct Frame(pub(super) Bytes);

/// One session over HTTP, or one request of a client that keeps none.
pub(super) struct Front {
    stack: Served,
    server: BinanceMcp,
    /// Held until the session behind has ended.
    alive: mpsc::Sender<Infallible>,
    link: OnceCell<Link>,
}

/// A pipe to a session of the gateway.
struct Link {
    to_gateway: AsyncMutex<WriteHalf<DuplexStream>>,
    waiting: Arc<Mutex<Waiting>>,
    reader: JoinHandle<()>,
}

type Waiting = BTreeMap<String, oneshot::Sender<Value>>;

impl Front {
    pub(super) fn new(stack: Served, server: BinanceMcp, alive: mpsc::Sender<Infallible>) -> Self {
        Self { stack, server, alive, link: OnceCell::new() }
    }

    /// A client that keeps no session shares one identity with all such clients, so that limits by session hold it.
    async fn link(&self, keeps_session: bool) -> &Link {
        self.link.get_or_init(async || Link::open(self.stack.clone(), keeps_session, self.alive.clone())).await
    }

    async fn asked<T: DeserializeOwned>(&self, context: &RequestContext<RoleServer>) -> Result<T, ErrorData> {
        self.asked_as(context, false).await
    }

    /// Hands the agent's frame to the gateway and waits for the answer.
    async fn asked_as<T: DeserializeOwned>(
        &self,
        context: &RequestContext<RoleServer>,
        keeps_session: bool,
    ) -> Result<T, ErrorData> {
        let frame = frame(&context.extensions)?;
        let id = serde_json::to_string(&context.id).map_err(|error| broken(&error))?;
        let answer = self.link(keeps_session).await.ask(id, &frame).await?;
        let read = match (answer.get("result"), answer.get("error")) {
            (Some(result), None) => serde_json::from_value(result.clone()),
            (_, Some(error)) => return Err(serde_json::from_value(error.clone()).map_err(|error| broken(&error))?),
            (None, None) => return Err(broken(&"the gateway gave an answer that is none")),
        };
        read.map_err(|error| broken(&error))
    }

    async fn said(&self, context: &NotificationContext<RoleServer>) {
        // Whoever only tells something hears nothing back, not even that it was lost.
        if let Ok(frame) = frame(&context.extensions) {
            let _ = self.link(false).await.send(&frame).await;
        }
    }
}

fn broken(why: &dyn std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(why.to_string(), None)
}

fn frame(extensions: &Extensions) -> Result<Vec<u8>, ErrorData> {
    let frame = extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Frame>());
    let frame = frame.ok_or_else(|| broken(&"the request came without its body"))?;
    // On a pipe a frame is a line. Between the tokens of JSON, and nowhere else in it, a line end is a blank.
    Ok(frame.0.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect())
}

impl Link {
    fn open(stack: Served, keeps_session: bool, alive: mpsc::Sender<Infallible>) -> Self {
        let ((from_gateway, to_gateway), (input, output)) = pipe();
        tokio::spawn(async move {
            // Its end is the end of the pipe, which whoever waits hears of.
            let _ = stack.session(keeps_session, input, output, std::future::pending()).await;
            drop(alive);
        });
        let waiting: Arc<Mutex<Waiting>> = Arc::default();
        let reader = tokio::spawn(read(from_gateway, waiting.clone()));
        Self { to_gateway: AsyncMutex::new(to_gateway), waiting, reader }
    }

    async fn ask(&self, id: String, frame: &[u8]) -> Result<Value, ErrorData> {
        let (tell, told) = oneshot::channel();
        match lock(&self.waiting).entry(id) {
            Entry::Vacant(free) => {
                free.insert(tell);
            }
            // Two answers under one id could be taken for each other.
            Entry::Occupied(taken) => {
                let why = format!("the id {} is that of a request that waits for its answer", taken.key());
                return Err(ErrorData::invalid_request(why, None));
            }
        }
        self.send(frame).await?;
        told.await.map_err(|_| broken(&"the session ended before the answer: whether anything happened is unknown"))
    }

    async fn send(&self, frame: &[u8]) -> Result<(), ErrorData> {
        let mut line = frame.to_vec();
        line.push(b'\n');
        let mut pipe = self.to_gateway.lock().await;
        pipe.write_all(&line).await.map_err(|error| broken(&error))?;
        pipe.flush().await.map_err(|error| broken(&error))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The pipe is closed when both of its halves are gone.
        self.reader.abort();
    }
}

fn lock(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands answers to those who wait for them. The server behind tells nothing of its own accord.
async fn read(from_gateway: ReadHalf<DuplexStream>, waiting: Arc<Mutex<Waiting>>) {
    let mut lines = BufReader::new(from_gateway);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        if let Ok(answer) = serde_json::from_slice::<Value>(&line) {
            deliver(&waiting, answer);
        }
        line.clear();
    }
    lock(&waiting).clear();
}

fn deliver(waiting: &Mutex<Waiting>, answer: Value) {
    let mut waiting = lock(waiting);
    let whose = match answer.get("id").filter(|id| !id.is_null()) {
        Some(id) => waiting.remove(&id.to_string()),
        // A refusal of a frame whose id could not be told. Where several wait it is nobody's, and all are let go.
        None if answer.get("method").is_none() => {
            let only = waiting.len() == 1;
            let first = waiting.pop_first().map(|(_, tell)| tell);
            waiting.clear();
            first.filter(|_| only)
        }
        None => None,
    };
    if let Some(tell) = whose {
        // A client that waits no longer has hung up.
        let _ = tell.send(answer);
    }
}

impl ServerHandler for Front {
    fn get_info(&self) -> ServerConfig {
        self.server.get_info()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.server.get_tool(name)
    }

    async fn initialize(
        &self,
        _: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        self.asked_as(&context, true).await
    }

    async fn discover(&self, context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        self.asked(&context).await
    }

    async fn ping(&self, context: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.asked::<Value>(&context).await.map(drop)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.asked(&context).await
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.asked::<CallToolResult>(&context).await.map(Into::into)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        self.asked(&context).await
    }

    async fn get_prompt(
        &self,
        _: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.asked::<rmcp::model::GetPromptResult>(&context).await.map(Into::into)
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.asked(&context).await
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        self.asked(&context).await
    }

    async fn read_resource(
        &self,
        _: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.asked::<rmcp::model::ReadResourceResult>(&context).await.map(Into::into)
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.asked(&context).await
    }

    async fn on_custom_request(
        &self,
        _: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.asked(&context).await
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.said(&context).await;
    }

    async fn on_cancelled(&self, _: CancelledNotificationParam, context: NotificationContext<RoleServer>) {
        self.said(&context).await;
    }

    async fn on_custom_notification(&self, _: CustomNotification, context: NotificationContext<RoleServer>) {
        self.said(&context).await;
    }
}
