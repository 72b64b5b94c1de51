//! Hosts of a tape: wiremock for requests, axum for connections.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use tokio::task::JoinHandle;
use wiremock::matchers::any;
use wiremock::{Match, Mock, MockServer, Request, Respond, ResponseTemplate};

use super::rest::Reply;
use super::shared::{Shared, lock};
use super::tape::Said;
use super::websocket;
use crate::cassette::{BadRule, Body, TapeError, TapeReader};
use crate::record::RestRequest;
use crate::replay::{Outcome, Overlay, Pace, Repeat};

/// How a tape is served.
#[derive(Clone)]
pub struct ExchangeOptions {
    /// Where requests are answered; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where WebSocket connections are.
    pub listen_websocket: SocketAddr,
    /// When a request comes more often than it is on the tape.
    pub repeat: Repeat,
    /// How much of the recorded time passes.
    pub pace: Pace,
    /// Regular expressions of what else was taken out of the tape.
    pub redact: Vec<String>,
    /// Moves the times in answers to the moment that this tells, milliseconds since the epoch.
    pub refresh: Option<Arc<dyn Fn() -> u64 + Send + Sync>>,
    /// Streams do not wait for the requests that they followed.
    pub free_streams: bool,
    /// Faults for answers to requests, over REST and connections, and for the events of streams.
    pub overlay: Overlay,
}

impl Default for ExchangeOptions {
    fn default() -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: any_port,
            listen_websocket: any_port,
            repeat: Repeat::default(),
            pace: Pace::default(),
            redact: Vec::new(),
            refresh: None,
            free_streams: false,
            overlay: Overlay::default(),
        }
    }
}

impl fmt::Debug for ExchangeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeOptions")
            .field("listen", &self.listen)
            .field("repeat", &self.repeat)
            .finish_non_exhaustive()
    }
}

/// Why a tape cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The tape cannot be read.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// A rule is no regular expression.
    #[error(transparent)]
    Rule(#[from] BadRule),
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// A tape that is served as an exchange until it is stopped.
pub struct ExchangeHost {
    shared: Arc<Shared>,
    server: MockServer,
    websocket: SocketAddr,
    task: JoinHandle<()>,
}

impl ExchangeHost {
    /// Serves a tape.
    ///
    /// # Errors
    /// It cannot be read, or an address cannot be listened on.
    pub async fn start<R: io::BufRead>(tape: TapeReader<R>, options: ExchangeOptions) -> Result<Self, ExchangeError> {
        let said = Said::read(tape, options.repeat)?;
        let (rest, sockets) = (options.listen, options.listen_websocket);
        let shared = Arc::new(Shared::new(said, options)?);
        let listener = TcpListener::bind(rest).map_err(|source| ExchangeError::Bind { address: rest, source })?;
        let server = MockServer::builder().listener(listener).disable_request_recording().start().await;
        let next = Arc::new(Next { shared: shared.clone(), reply: Mutex::new(None) });
        // A broken connection is another kind of mock. This one looks first, and leaves what it does not want.
        let reset = |_: &Request| io::Error::from(io::ErrorKind::ConnectionReset);
        Mock::given(Breaks(next.clone())).respond_with_err(reset).with_priority(1).mount(&server).await;
        Mock::given(any()).respond_with(Answers(next)).with_priority(2).mount(&server).await;
        let bound = |source| ExchangeError::Bind { address: sockets, source };
        let (websocket, task) = websocket::serve(sockets, shared.clone()).await.map_err(bound)?;
        Ok(Self { shared, server, websocket, task })
    }

    /// Where requests are answered, such as `http://127.0.0.1:40123`.
    pub fn rest_url(&self) -> String {
        self.server.uri()
    }

    /// Where WebSocket connections are, such as `ws://127.0.0.1:40124`.
    pub fn websocket_url(&self) -> String {
        format!("ws://{}", self.websocket)
    }

    /// How it went so far.
    pub fn outcome(&self) -> Outcome {
        self.shared.outcome()
    }

    /// Stops, and tells how it went.
    pub fn stop(self) -> Outcome {
        self.task.abort();
        self.shared.outcome()
    }
}

impl fmt::Debug for ExchangeHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeHost").field("websocket", &self.websocket).finish_non_exhaustive()
    }
}

/// The answer to the request that is being matched. The server matches one request at a time.
struct Next {
    shared: Arc<Shared>,
    reply: Mutex<Option<Reply>>,
}

struct Breaks(Arc<Next>);

impl Match for Breaks {
    fn matches(&self, request: &Request) -> bool {
        let reply = self.0.shared.answer(&as_recorded(request));
        let breaks = template(&reply, Pace::Instant).is_none();
        *lock(&self.0.reply) = Some(reply);
        breaks
    }
}

struct Answers(Arc<Next>);

impl Respond for Answers {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let reply = lock(&self.0.reply).take();
        let template = reply.and_then(|reply| template(&reply, self.0.shared.options.pace));
        template.unwrap_or_else(|| ResponseTemplate::new(StatusCode::INTERNAL_SERVER_ERROR))
    }
}

fn as_recorded(request: &Request) -> RestRequest {
    let kind = request.headers.get("content-type").map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
    let target = match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    RestRequest {
        id: 0,
        method: request.method.to_string(),
        target,
        headers: kind.map(|kind| ("content-type".to_owned(), kind)).into_iter().collect::<BTreeMap<_, _>>(),
        body: (!request.body.is_empty()).then(|| Body::of(&request.body)),
    }
}

/// The server's own form of a reply; nothing when the connection is to break. A tape may say anything, and what is no
/// header is left out.
fn template(reply: &Reply, pace: Pace) -> Option<ResponseTemplate> {
    let status = StatusCode::from_u16(reply.status).ok()?;
    let mut template = ResponseTemplate::new(status).set_body_bytes(reply.body.as_slice());
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
            template = template.insert_header(name, value);
        }
    }
    let wait_ms = pace.wait_ms(reply.after_ms).saturating_add(reply.delay_ms);
    Some(if wait_ms > 0 { template.set_delay(Duration::from_millis(wait_ms)) } else { template })
}
