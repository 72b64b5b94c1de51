//! A reverse proxy that records: requests and answers pass unchanged, so that signatures survive.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body as HttpBody, Bytes, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::recorder::Observe;
use super::rest::{self, RestRequest, RestResponse};
use super::sse::Events;
use super::tunnel;
use crate::cassette::{Direction, Leg};

/// The longest request that is passed on.
const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Of an answer that is longer, the beginning is written down; all of it is passed on.
const RECORDED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Headers that are about one connection and not about what is sent over it.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Gives the answers that need not be asked for.
pub type Known = Arc<dyn Fn(&RestRequest) -> Option<Response> + Send + Sync>;

/// What is spoken over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// MCP over streamable HTTP: the frames are the bodies and the events of streams.
    Mcp,
    /// An exchange's REST and WebSocket.
    Exchange,
}

/// Why a proxy could not start.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not the address of a server.
    #[error("`{url}` is no address of a server: write http://HOST:PORT, and a path where the server has one")]
    Url {
        /// What was given.
        url: String,
    },
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(reqwest::Error),
}

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// What stands behind, and who is told of what goes by.
pub(crate) struct Wire {
    /// Without the slash at its end.
    pub(super) target: String,
    speaks: Speaks,
    client: reqwest::Client,
    pub(super) observe: Observe,
    known: Option<Known>,
    requests: AtomicU64,
    pub(super) connections: AtomicU64,
}

impl Proxy {
    /// Listens on `address` and passes everything on to `target`, such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// The address cannot be listened on, or `target` is none.
    pub async fn start(
        address: SocketAddr,
        target: &str,
        speaks: Speaks,
        observe: Observe,
    ) -> Result<Self, ProxyError> {
        Self::start_knowing(address, target, speaks, observe, None).await
    }

    /// The same with answers that are known: requests that have one are neither passed on nor told.
    ///
    /// # Errors
    /// The address cannot be listened on, or `target` is none.
    pub async fn start_knowing(
        address: SocketAddr,
        target: &str,
        speaks: Speaks,
        observe: Observe,
        known: Option<Known>,
    ) -> Result<Self, ProxyError> {
        let wire = Wire { known, ..Wire::new(target, speaks, observe)? };
        let listener = TcpListener::bind(address).await;
        let bound = |source| ProxyError::Bind { address, source };
        let listener = listener.map_err(bound)?;
        let address = listener.local_addr().map_err(bound)?;
        let router = Router::new().fallback(answer).with_state(Arc::new(wire));
        let task = tokio::spawn(async move {
            // Errors of single connections are theirs.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, task })
    }

    /// Where clients are pointed, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(wire): State<Arc<Wire>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    if parts.headers.contains_key(header::SEC_WEBSOCKET_KEY) {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => tunnel::accept(wire, &parts, upgrade).await,
            Err(refusal) => refusal.into_response(),
        };
    }
    let Ok(body) = to_bytes(body, REQUEST_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    pass_on(wire, parts, body).await
}

async fn pass_on(wire: Arc<Wire>, parts: Parts, body: Bytes) -> Response {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let id = wire.requests.fetch_add(1, Ordering::Relaxed) + 1;
    if let Some(known) = &wire.known {
        let asked = RestRequest {
            id,
            method: parts.method.to_string(),
            target: target.clone(),
            headers: rest::request_headers(&parts.headers),
            body: rest::body(&body),
        };
        if let Some(answer) = known(&asked) {
            return answer;
        }
    }
    wire.asked(id, &parts, &target, &body);
    match wire.send(parts.method, &target, parts.headers, body).await {
        Ok(response) => relayed(wire, id, response),
        Err(error) => {
            wire.broke(id);
            unanswered(error)
        }
    }
}

/// What a client is told when nobody answers.
pub(crate) fn unanswered(error: reqwest::Error) -> Response {
    let why = format!("the server behind the recorder does not answer: {}\n", error.without_url());
    (StatusCode::BAD_GATEWAY, why).into_response()
}

/// A server whose address has a path is reached by any path here: clients are given the address of this proxy.
fn mcp_url(target: &str, asked: &str) -> String {
    let has_path = target.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    if has_path { target.to_owned() } else { format!("{target}{asked}") }
}

/// Passes an answer on as it comes, and tells it.
pub(crate) fn relayed(wire: Arc<Wire>, id: u64, response: reqwest::Response) -> Response {
    let status = response.status();
    let mut headers = response.headers().clone();
    strip(&mut headers);
    let streams = is_stream(&headers);
    let mut heard = Heard {
        wire,
        id,
        status: status.as_u16(),
        headers: headers.clone(),
        body: Vec::new(),
        events: streams.then(Events::default),
        told: false,
    };
    if heard.wire.speaks == Speaks::Mcp && streams {
        heard.told = true;
    }
    let parts = stream::unfold((response, heard), |(mut response, mut heard)| async move {
        match response.chunk().await {
            Ok(Some(bytes)) => {
                heard.push(&bytes);
                Some((Ok(bytes), (response, heard)))
            }
            Ok(None) => {
                heard.end();
                None
            }
            Err(error) => {
                heard.end();
                Some((Err(error), (response, heard)))
            }
        }
    });
    let mut answer = Response::new(HttpBody::from_stream(parts));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// Whether events follow, and not one body.
pub(crate) fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"))
}

/// What was heard of an answer so far. It is told when the answer ends, or when its reader goes away.
struct Heard {
    wire: Arc<Wire>,
    id: u64,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    events: Option<Events>,
    told: bool,
}

impl Heard {
    fn push(&mut self, bytes: &[u8]) {
        if let (Speaks::Mcp, Some(events)) = (self.wire.speaks, &mut self.events) {
            let observe = &self.wire.observe;
            events.push(bytes, |data| observe(Leg::Agent, Direction::Back, data));
        } else if self.body.len() < RECORDED_BYTES_MAX {
            self.body.extend_from_slice(bytes);
        }
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        match self.wire.speaks {
            Speaks::Mcp if self.body.is_empty() => {}
            Speaks::Mcp => (self.wire.observe)(Leg::Agent, Direction::Back, &self.body),
            Speaks::Exchange => self.wire.tell_rest(
                Direction::Back,
                &RestResponse {
                    id: self.id,
                    status: self.status,
                    headers: rest::response_headers(&self.headers),
                    body: rest::body(&self.body),
                },
            ),
        }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.end();
    }
}

impl Wire {
    /// A wire to `target`, such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// That is no address of a server.
    pub(crate) fn new(target: &str, speaks: Speaks, observe: Observe) -> Result<Self, ProxyError> {
        let url = || ProxyError::Url { url: target.to_owned() };
        let parsed: reqwest::Url = target.parse().map_err(|_| url())?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() || parsed.query().is_some() {
            return Err(url());
        }
        // What the answer is, a redirection too, is the client's to see.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        Ok(Self {
            target: target.trim_end_matches('/').to_owned(),
            speaks,
            client: client.map_err(ProxyError::Client)?,
            observe,
            known: None,
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        })
    }

    /// Sends a request, and tells nobody.
    pub(crate) async fn send(
        &self,
        method: Method,
        target: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> reqwest::Result<reqwest::Response> {
        strip(&mut headers);
        // Those of the client name this proxy, and are told anew.
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let url = match self.speaks {
            Speaks::Mcp => mcp_url(&self.target, target),
            Speaks::Exchange => format!("{}{target}", self.target),
        };
        self.client.request(method, url).headers(headers).body(body).send().await
    }

    /// Tells of a frame of MCP.
    pub(crate) fn tell(&self, dir: Direction, frame: &[u8]) {
        (self.observe)(Leg::Agent, dir, frame);
    }

    fn asked(&self, id: u64, parts: &Parts, target: &str, body: &Bytes) {
        match self.speaks {
            Speaks::Mcp if body.is_empty() => {}
            Speaks::Mcp => (self.observe)(Leg::Agent, Direction::Out, body),
            Speaks::Exchange => self.tell_rest(
                Direction::Out,
                &RestRequest {
                    id,
                    method: parts.method.as_str().to_owned(),
                    target: target.to_owned(),
                    headers: rest::request_headers(&parts.headers),
                    body: rest::body(body),
                },
            ),
        }
    }

    fn broke(&self, id: u64) {
        if self.speaks == Speaks::Exchange {
            self.tell_rest(Direction::Back, &RestResponse { id, status: 0, headers: BTreeMap::new(), body: None });
        }
    }

    fn tell_rest(&self, dir: Direction, told: &impl serde::Serialize) {
        // These types always serialise.
        if let Ok(frame) = serde_json::to_vec(told) {
            (self.observe)(Leg::Rest, dir, &frame);
        }
    }
}

fn strip(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}
