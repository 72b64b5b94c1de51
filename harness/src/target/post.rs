//! The agent's end of a pipe, spoken over streamable HTTP: a line is the body of a POST, byte for byte, whatever it is.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, WriteHalf};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinSet;

use crate::agent::tap::PipeEnd;
use crate::record::Events;

/// How long what is no call, or follows none, waits for what was sent before it. On a pipe nothing is overtaken; over
/// HTTP only a request that is not answered at once can be.
const ORDERED: Duration = Duration::from_millis(50);

/// An endpoint, and what it is told about who calls.
pub(super) struct Endpoint {
    pub(super) url: String,
    /// The bearer's token.
    pub(super) token: Option<String>,
}

struct Talk {
    endpoint: Endpoint,
    client: reqwest::Client,
    session: Mutex<Option<String>>,
    answers: Mutex<WriteHalf<DuplexStream>>,
}

/// Carries lines to the endpoint and its answers back until the agent hangs up.
pub(super) async fn carry(endpoint: Endpoint, (lines, answers): PipeEnd) -> Result<(), String> {
    let client = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
    let talk = Arc::new(Talk { endpoint, client, session: Mutex::default(), answers: Mutex::new(answers) });
    let mut lines = BufReader::new(lines);
    let mut posts = JoinSet::new();
    let mut listening = JoinSet::new();
    let mut before: Option<(Asked, oneshot::Receiver<()>)> = None;
    loop {
        let mut line = Vec::new();
        match lines.read_until(b'\n', &mut line).await {
            Ok(1..) => drop(line.pop()),
            _ => break,
        }
        let asked = Asked::of(&line);
        // Calls may race each other; nothing else may overtake anything.
        if let Some((last, answered)) = before.take()
            && (last, asked) != (Asked::Call, Asked::Call)
        {
            let _ = tokio::time::timeout(ORDERED, answered).await;
        }
        let (answer, answered) = oneshot::channel();
        let sent = talk.clone().post(line, asked == Asked::Opens, answer);
        if matches!(asked, Asked::Call | Asked::Request) {
            posts.spawn(sent);
        } else {
            sent.await?;
        }
        if asked == Asked::Ready && talk.session.lock().await.is_some() {
            listening.spawn(talk.clone().listen());
        }
        before = Some((asked, answered));
    }
    while let Some(posted) = posts.join_next().await {
        posted.map_err(|error| error.to_string())??;
    }
    if talk.session.lock().await.is_some() {
        let ended = talk.request(Method::DELETE).await.send().await;
        ended.map_err(|error| format!("the session cannot be ended: {error}"))?;
    }
    // What the server says of its own accord ends with the session.
    while listening.join_next().await.is_some() {}
    talk.answers.lock().await.shutdown().await.map_err(|error| error.to_string())
}

/// What the order of lines depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// `initialize`: nothing may come before its answer.
    Opens,
    /// A tool call.
    Call,
    /// Any other request.
    Request,
    /// The client is ready: from here on it listens.
    Ready,
    /// A notification, or a raw frame that may be anything.
    Other,
}

impl Asked {
    fn of(line: &[u8]) -> Self {
        let Ok(frame) = serde_json::from_slice::<Value>(line) else { return Self::Other };
        let is_request = frame.get("id").is_some();
        match frame.get("method").and_then(Value::as_str) {
            Some("initialize") if is_request => Self::Opens,
            Some("tools/call") if is_request => Self::Call,
            Some("notifications/initialized") => Self::Ready,
            _ if is_request => Self::Request,
            _ => Self::Other,
        }
    }
}

impl Talk {
    async fn request(&self, method: Method) -> RequestBuilder {
        let mut request = self.client.request(method, &self.endpoint.url);
        request = request.header("accept", "application/json, text/event-stream");
        if let Some(token) = &self.endpoint.token {
            request = request.bearer_auth(token);
        }
        match &*self.session.lock().await {
            Some(session) => request.header("mcp-session-id", session),
            None => request,
        }
    }

    /// Sends one line and passes on what comes back; `answered` hears when the head of the answer is there.
    async fn post(self: Arc<Self>, line: Vec<u8>, opens: bool, answered: oneshot::Sender<()>) -> Result<(), String> {
        let request = self.request(Method::POST).await.header("content-type", "application/json").body(line);
        let response = request.send().await.map_err(|error| format!("a request was not answered: {error}"))?;
        if opens {
            let session = response.headers().get("mcp-session-id").and_then(|session| session.to_str().ok());
            *self.session.lock().await = session.map(str::to_owned);
        }
        let _ = answered.send(());
        self.pass(response).await
    }

    async fn listen(self: Arc<Self>) -> Result<(), String> {
        let response = self.request(Method::GET).await.send().await.map_err(|error| error.to_string())?;
        if response.status().is_success() { self.pass(response).await } else { Ok(()) }
    }

    async fn pass(&self, mut response: Response) -> Result<(), String> {
        let media = response.headers().get("content-type").and_then(|media| media.to_str().ok()).unwrap_or_default();
        if media.starts_with("text/event-stream") {
            let mut events = Events::default();
            while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
                let mut found = Vec::new();
                events.push(&chunk, |data| found.push(data.to_vec()));
                for data in found {
                    self.tell(&data).await?;
                }
            }
        } else if media.starts_with("application/json") {
            let body = response.bytes().await.map_err(|error| error.to_string())?;
            self.tell(&body).await?;
        }
        Ok(())
    }

    async fn tell(&self, message: &[u8]) -> Result<(), String> {
        let mut line: Vec<u8> = message.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
        line.push(b'\n');
        self.answers.lock().await.write_all(&line).await.map_err(|error| error.to_string())
    }
}
