//! The MCP client of a script, with the answers read off the wire.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientConfig, ClientNotification, ClientRequest,
    CustomNotification, CustomRequest, Implementation,
};
use rmcp::service::{PeerRequestOptions, RoleClient, RunningService, ServiceExt};
use serde_json::{Map, Value};

use super::answer::Answer;
use super::tap::{PipeEnd, Tap, pipe};
use super::transcript::{Leg, Transcript};
use crate::soft::requests_in;

/// How long an answer may take by the machine's clock. Everything runs in one process, so only a target that lost
/// the request takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long after the barrier an answer to a raw frame may still come. Only a server that never answers what it
/// cannot read makes a run wait for this.
const GRACE: Duration = Duration::from_millis(400);

/// Why the agent could not do its part.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    /// No session came about.
    #[error("the target does not open an MCP session: {0}")]
    Handshake(String),
    /// The client could not be stopped.
    #[error("the MCP client did not end: {0}")]
    Close(String),
    /// The pipe broke.
    #[error("the pipe to the target broke: {0}")]
    Pipe(#[from] io::Error),
}

/// Yields often enough that everything which is ready to run has run: the longest way through a stack is a dozen
/// tasks, and what still waits then waits for a socket.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// A connected agent.
pub(crate) struct Agent {
    client: RunningService<RoleClient, ClientConfig>,
    tap: Tap,
    behind_gateway: bool,
}

/// Something that was sent and may be answered.
pub(crate) enum Sent {
    /// A request of the client, by the JSON text of its id. Nothing when the session had ended before.
    Request(Option<String>),
    /// A raw frame with the ids of the requests in it, and how many nameless errors there were before.
    Raw { ids: BTreeSet<String>, nameless: usize },
}

impl Agent {
    /// Opens a session over a pipe to the target.
    pub(crate) async fn connect(
        transcript: Transcript,
        server: PipeEnd,
        behind_gateway: bool,
    ) -> Result<Self, AgentError> {
        let (ours, tapped) = pipe();
        let tap = Tap::open(Leg::Agent, transcript, tapped, server);
        let info = ClientConfig::new(ClientCapabilities::default(), Implementation::new("rogue-agent", "1"));
        let client = tokio::time::timeout(PATIENCE, info.serve(ours))
            .await
            .map_err(|_| AgentError::Handshake("no answer".to_owned()))?
            .map_err(|error| AgentError::Handshake(error.to_string()))?;
        // The client says that it is ready without waiting for anybody; from here on everybody has heard it.
        settle().await;
        Ok(Self { client, tap, behind_gateway })
    }

    /// Sends a tool call without waiting.
    pub(crate) async fn send_call(&self, tool: &str, arguments: Map<String, Value>) -> Sent {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        self.send(ClientRequest::CallToolRequest(CallToolRequest::new(params))).await
    }

    /// Sends any request without waiting.
    pub(crate) async fn send_request(&self, method: &str, params: Map<String, Value>) -> Sent {
        let params = (!params.is_empty()).then_some(Value::Object(params));
        self.send(ClientRequest::CustomRequest(CustomRequest::new(method, params))).await
    }

    async fn send(&self, request: ClientRequest) -> Sent {
        let sent = self.client.peer().send_cancellable_request(request, PeerRequestOptions::no_options()).await;
        let id = sent.ok().and_then(|handle| serde_json::to_string(&handle.id).ok());
        if let Some(id) = &id {
            // An answer that a raw frame of the same id left behind is not the answer to this.
            self.tap.forget(id);
        }
        Sent::Request(id)
    }

    /// Sends exactly these bytes as a frame.
    pub(crate) async fn send_raw(&self, bytes: &[u8]) -> Sent {
        let ids: BTreeSet<String> = requests_in(bytes).iter().map(ToString::to_string).collect();
        let nameless = self.tap.nameless();
        for id in &ids {
            self.tap.forget(id);
        }
        // A broken pipe shows as silence.
        let _ = self.tap.inject(bytes, &ids).await;
        Sent::Raw { ids, nameless }
    }

    /// Sends a notification.
    pub(crate) async fn notify(&self, method: &str, params: Map<String, Value>) {
        let params = (!params.is_empty()).then_some(Value::Object(params));
        let notification = ClientNotification::CustomNotification(CustomNotification::new(method, params));
        // A session that has ended hears nothing, and the transcript shows that nothing was sent.
        let _ = self.client.peer().send_notification(notification).await;
        self.tap.barrier(PATIENCE).await;
    }

    /// Waits for the answers to what was sent, in that order.
    pub(crate) async fn answers(&self, sent: &[&Sent]) -> Vec<Answer> {
        if sent.iter().any(|sent| matches!(sent, Sent::Raw { .. })) {
            self.tap.barrier(PATIENCE).await;
        }
        let mut answers = Vec::with_capacity(sent.len());
        for sent in sent {
            let frame = match *sent {
                Sent::Request(None) => None,
                Sent::Request(Some(id)) => {
                    self.tap.wait(PATIENCE, |answers| answers.has(id)).await;
                    self.tap.take_answer(id)
                }
                Sent::Raw { ids, nameless } => {
                    let answered = |answers: &super::tap::Answers<'_>| {
                        answers.nameless() > *nameless || ids.iter().all(|id| answers.has(id))
                    };
                    self.tap.wait(GRACE, answered).await;
                    let named = ids.iter().find_map(|id| self.tap.take_answer(id));
                    named.or_else(|| self.tap.take_nameless(*nameless))
                }
            };
            answers.push(frame.map_or_else(Answer::silent, |frame| Answer::read(&frame, self.behind_gateway)));
        }
        answers
    }

    /// Hangs up and waits until the target has hung up as well.
    pub(crate) async fn close(self) -> Result<(), AgentError> {
        self.client.cancel().await.map_err(|error| AgentError::Close(error.to_string()))?;
        self.tap.ended().await?;
        Ok(())
    }
}
