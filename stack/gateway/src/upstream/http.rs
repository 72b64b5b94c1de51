//! A server behind streamable HTTP, spoken to as if it were on a stream of lines.
//!
//! ```text
//!  Session ─▶ line ─▶ POST ─▶ server          one task for each request, so that a slow one holds up no other
//!  Session ◀─ line ◀─ JSON, or events ◀┘
//!  Session ◀─ line ◀─ events of a GET         what the server says of its own accord
//! ```
//!
//! A request of which no answer came is told to the session as a frame with its id and nothing else in it: that is no
//! answer, so the session reports the outcome as unknown and keeps the charge.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::value::RawValue;
use sse_stream::SseStream;
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split,
};
use tokio::task::JoinSet;

use super::client::{Client, told};
use super::{Connecting, Connection, Upstream};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// How much waits between a session and its requests.
const PIPE: usize = 256 * 1024;

/// The address of a server, and what it is told about who calls.
#[derive(Clone)]
pub struct HttpUpstream {
    client: Client,
    uri: Uri,
    authorization: Option<HeaderValue>,
    answer_bytes_max: usize,
}

/// Why there is nothing at such an address.
#[derive(Debug, thiserror::Error)]
pub enum BadUpstream {
    /// The text is no address of a server.
    #[error("`{0}` is no address of an MCP server: write it as `http://127.0.0.1:9000/mcp`")]
    Url(String),
    /// A token cannot stand in a header.
    #[error("the token for the server holds characters that no header may hold")]
    Token,
    /// The address is encrypted, and the build leaves encryption out.
    #[error("`https` needs encryption, which this build leaves out: build with the feature `tls`")]
    NoTls,
    /// Nothing is encrypted, so nobody proves anything.
    #[cfg(feature = "tls")]
    #[error(
        "`{0}` is not encrypted, so that no authority is asked: write it with `https`, or leave the authorities out"
    )]
    NothingToProve(String),
    /// There is nobody to believe about who the server is.
    #[cfg(feature = "tls")]
    #[error("the server's certificate could not be checked: {0}")]
    Tls(#[from] crate::tls::BadTls),
}

impl HttpUpstream {
    /// The server at `url`; with a token, each request brings it as a bearer. An answer may be `answer_bytes_max` long. A
    /// server at `https` has to prove who it is by an authority that this system believes.
    ///
    /// # Errors
    /// The address or the token is none, or the system has no authorities.
    pub fn new(url: &str, token: Option<&str>, answer_bytes_max: usize) -> Result<Self, BadUpstream> {
        let uri = address(url)?;
        let client = Client::new(&uri)?;
        Self::with(client, uri, token, answer_bytes_max)
    }

    /// The same, where the server has to prove who it is by an authority whose certificate stands in the file, in PEM, and
    /// by no other.
    ///
    /// # Errors
    /// The address or the token is none, or the file holds no authorities.
    #[cfg(feature = "tls")]
    pub fn believing(
        authorities: &std::path::Path,
        url: &str,
        token: Option<&str>,
        answer_bytes_max: usize,
    ) -> Result<Self, BadUpstream> {
        let uri = address(url)?;
        let client = Client::believing(authorities, &uri)?;
        Self::with(client, uri, token, answer_bytes_max)
    }

    fn with(client: Client, uri: Uri, token: Option<&str>, answer_bytes_max: usize) -> Result<Self, BadUpstream> {
        let bearer = |token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| BadUpstream::Token)?;
            value.set_sensitive(true);
            Ok::<_, BadUpstream>(value)
        };
        Ok(Self { client, uri, authorization: token.map(bearer).transpose()?, answer_bytes_max })
    }
}

/// What can be the address of a server: with a scheme that is spoken here, a host, and no password in it.
fn address(url: &str) -> Result<Uri, BadUpstream> {
    let bad = || BadUpstream::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| bad())?;
    let authority = uri.authority().ok_or_else(bad)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || authority.as_str().contains('@') {
        return Err(bad());
    }
    Ok(uri)
}

impl std::fmt::Debug for HttpUpstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpUpstream").field("host", &self.uri.host()).finish_non_exhaustive()
    }
}

impl Upstream for HttpUpstream {
    fn connect(&self) -> Connecting<'_> {
        let (ours, theirs) = duplex(PIPE);
        let (frames, answers) = split(theirs);
        let line = Arc::new(Talk {
            upstream: self.clone(),
            answers: tokio::sync::Mutex::new(answers),
            known: Mutex::default(),
        });
        let talking = tokio::spawn(line.talk(frames));
        let (read, write) = split(ours);
        let ended = async {
            // A panic in it was its own.
            let _ = talking.await;
        };
        Box::pin(std::future::ready(Ok(Connection::new(read, write).ending(ended))))
    }
}

/// What the server has said about the session so far.
#[derive(Debug, Default, Clone)]
struct Known {
    session: Option<HeaderValue>,
    version: Option<HeaderValue>,
}

/// One session with the server.
struct Talk {
    upstream: HttpUpstream,
    answers: tokio::sync::Mutex<WriteHalf<DuplexStream>>,
    known: Mutex<Known>,
}

/// What the headers repeat of a frame. The gateway wrote it, so it can be read.
#[derive(Deserialize)]
struct Frame {
    /// The gateway's own for its requests; the server's where its question is answered.
    id: Option<serde_json::Value>,
    /// Absent in answers.
    #[serde(default)]
    method: String,
    params: Option<Params>,
}

impl Frame {
    /// The id under which an answer is waited for.
    fn asks(&self) -> Option<u64> {
        self.id.as_ref().filter(|_| !self.method.is_empty())?.as_u64()
    }
}

#[derive(Deserialize)]
struct Params {
    name: Option<String>,
    uri: Option<String>,
    #[serde(rename = "_meta")]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<String>,
}

impl Talk {
    /// Sends each frame until the session closes its end.
    async fn talk(self: Arc<Self>, frames: ReadHalf<DuplexStream>) {
        let mut lines = BufReader::new(frames);
        let mut requests = JoinSet::new();
        let mut listening = JoinSet::new();
        loop {
            let mut line = Vec::new();
            match lines.read_until(b'\n', &mut line).await {
                Ok(1..) => {}
                _ => break,
            }
            line.pop();
            let Ok(frame) = serde_json::from_slice::<Frame>(&line) else { continue };
            while requests.try_join_next().is_some() {}
            let talk = self.clone();
            // Nothing may overtake the handshake, and a notification not the request behind it.
            if frame.id.is_some() && frame.method != "initialize" {
                requests.spawn(async move { talk.send(frame, line).await });
                continue;
            }
            let opens = frame.method == "notifications/initialized";
            talk.send(frame, line).await;
            if opens && listening.is_empty() && self.known().session.is_some() {
                listening.spawn(self.clone().listen());
            }
        }
        while requests.join_next().await.is_some() {}
        listening.shutdown().await;
        if self.known().session.is_some() {
            let _ = self.send_bare(Method::DELETE).await;
        }
        let _ = self.answers.lock().await.shutdown().await;
    }

    async fn send(&self, frame: Frame, line: Vec<u8>) {
        let id = frame.asks();
        if let Err(error) = self.exchange(frame, line).await {
            tracing::warn!(%error, "a request to the server failed");
            if let Some(id) = id {
                self.tell(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id}}}").as_bytes()).await;
            }
        }
    }

    /// Sends one frame and passes on what comes back.
    async fn exchange(&self, frame: Frame, line: Vec<u8>) -> io::Result<()> {
        let mut headers = self.headers();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        let params = frame.params.as_ref();
        let version = params.and_then(|params| params.meta.as_ref()).and_then(|meta| meta.version.as_deref());
        if let Some(version) = version {
            headers.extend(repeated(&frame, version));
        }
        let response = self.upstream.client.send(Method::POST, &self.upstream.uri, headers, line).await?;
        let status = response.status();
        if frame.method == "initialize" && status.is_success() {
            self.lock().session = response.headers().get(SESSION).cloned();
        }
        let Some(id) = frame.asks() else {
            return if status.is_success() { Ok(()) } else { Err(refused(status)) };
        };
        let answered = match media(response.headers()) {
            // An error of the protocol's may come with the status of one.
            "application/json" => self.one(response, &frame).await?,
            "text/event-stream" if status.is_success() => self.events(response, &frame).await?,
            _ => return Err(refused(status)),
        };
        if answered { Ok(()) } else { Err(io::Error::other(format!("the server sent no answer to request {id}"))) }
    }

    /// Passes on a body that is one message; whether it is the answer.
    async fn one(&self, response: Response<Incoming>, frame: &Frame) -> io::Result<bool> {
        let mut body = Vec::new();
        let mut chunks = response.into_body().into_data_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|error| told(&error))?);
            if body.len() > self.upstream.answer_bytes_max {
                return Err(io::Error::other("the server's answer is longer than the limit"));
            }
        }
        self.pass(&body, frame).await
    }

    /// Passes on the messages of a stream; whether the answer was among them.
    async fn events(&self, response: Response<Incoming>, frame: &Frame) -> io::Result<bool> {
        let max = self.upstream.answer_bytes_max;
        // What comes between two events counts; a stream as a whole may be of any length.
        let since = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = since.clone();
        let bytes = response.into_body().into_data_stream().map(move |chunk| {
            let chunk = chunk.map_err(|error| told(&error))?;
            let before = counted.fetch_add(chunk.len(), std::sync::atomic::Ordering::Relaxed);
            if before > max {
                Err(io::Error::other("an event of the server is longer than the limit"))
            } else {
                Ok(chunk)
            }
        });
        let mut events = Box::pin(SseStream::from_bytes_stream(bytes));
        let mut answered = false;
        while let Some(event) = events.next().await {
            since.store(0, std::sync::atomic::Ordering::Relaxed);
            let Some(data) = event.map_err(io::Error::other)?.data.filter(|data| !data.is_empty()) else { continue };
            answered |= self.pass(data.as_bytes(), frame).await?;
            if answered {
                break;
            }
        }
        Ok(answered)
    }

    /// Passes on one message; whether it answers `frame`.
    async fn pass(&self, message: &[u8], frame: &Frame) -> io::Result<bool> {
        #[derive(Deserialize)]
        struct Answer {
            id: Option<u64>,
            method: Option<serde::de::IgnoredAny>,
            result: Option<Negotiated>,
        }
        #[derive(Deserialize)]
        struct Negotiated {
            #[serde(rename = "protocolVersion")]
            version: Option<String>,
        }
        // Valid JSON has line ends only between its tokens, where they are blanks.
        serde_json::from_slice::<&RawValue>(message).map_err(io::Error::other)?;
        let line: Vec<u8> =
            message.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
        // What is not understood here is for the session to refuse.
        let answer: Option<Answer> = serde_json::from_slice(&line).ok();
        if frame.method == "initialize"
            && let Some(version) = answer.as_ref().and_then(|answer| answer.result.as_ref()?.version.as_ref())
        {
            self.lock().version = HeaderValue::try_from(version).ok();
        }
        let ours = answer.is_some_and(|answer| answer.method.is_none() && answer.id == frame.asks());
        self.tell(&line).await;
        Ok(ours)
    }

    /// Passes on what the server says of its own accord, where it does.
    async fn listen(self: Arc<Self>) {
        let nothing = Frame { id: None, method: String::new(), params: None };
        match self.send_bare(Method::GET).await {
            Ok(response) if response.status().is_success() => {
                if let Err(error) = self.events(response, &nothing).await {
                    tracing::info!(%error, "the server's own messages have ended");
                }
            }
            // Servers need not have any.
            Ok(response) => tracing::debug!(status = %response.status(), "the server says nothing of its own accord"),
            Err(error) => tracing::info!(%error, "the server's own messages cannot be listened to"),
        }
    }

    /// A request without a frame, about the session as a whole.
    async fn send_bare(&self, method: Method) -> io::Result<Response<Incoming>> {
        let mut headers = self.headers();
        if method == Method::GET {
            headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        }
        self.upstream.client.send(method, &self.upstream.uri, headers, Vec::new()).await
    }

    /// What every request says of who sends it, and of the session.
    fn headers(&self) -> HeaderMap {
        let known = self.known();
        let mut headers = HeaderMap::new();
        headers.extend(self.upstream.authorization.clone().map(|value| (AUTHORIZATION, value)));
        headers.extend(known.session.map(|value| (SESSION, value)));
        headers.extend(known.version.map(|value| (VERSION, value)));
        headers
    }

    async fn tell(&self, line: &[u8]) {
        let mut answers = self.answers.lock().await;
        let mut whole = Vec::with_capacity(line.len() + 1);
        whole.extend_from_slice(line);
        whole.push(b'\n');
        // A session that is over hears nothing any more.
        let _ = answers.write_all(&whole).await;
    }

    fn known(&self) -> Known {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// MCP 2026-07-28 wants version, method and name of a request in its headers as well.
fn repeated(frame: &Frame, version: &str) -> HeaderMap {
    let params = frame.params.as_ref();
    let name = match frame.method.as_str() {
        "tools/call" | "prompts/get" => params.and_then(|params| params.name.as_deref()),
        "resources/read" => params.and_then(|params| params.uri.as_deref()),
        _ => None,
    };
    let mut headers = HeaderMap::new();
    let said = [(VERSION, Some(version)), (METHOD, Some(frame.method.as_str())), (NAME, name)];
    for (header, value) in said {
        headers.extend(value.and_then(encoded).map(|value| (header, value)));
    }
    headers
}

/// What does not fit a header, or looks as if it were encoded, is sent as `=?base64?…?=`.
fn encoded(text: &str) -> Option<HeaderValue> {
    use base64::Engine as _;
    let plain =
        text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.trim() == text && !text.starts_with("=?");
    if plain {
        return HeaderValue::from_str(text).ok();
    }
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    HeaderValue::try_from(format!("=?base64?{encoded}?=")).ok()
}

fn media(headers: &HeaderMap) -> &str {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim()
}

fn refused(status: StatusCode) -> io::Error {
    io::Error::other(format!("the server answered with status {status}"))
}
