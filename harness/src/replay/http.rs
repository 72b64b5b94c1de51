//! A player as an MCP server over streamable HTTP, on loopback.
//!
//! Each request is answered with a stream of events, which ends with the answer. What the server says before it is asked,
//! or after that, is for whoever listens with GET. All clients play the one tape. Behind it may stand a server that is asked
//! for what is not on the tape.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use futures_util::stream;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::live::LiveServer;
use super::outcome::Outcome;
use super::pace::Pace;
use super::player::{Due, Heard, Player};
use crate::cassette::LINE_BYTES_MAX;

/// The path of the endpoint.
const PATH: &str = "/mcp";
/// There is one tape, and so one session.
const SESSION: HeaderValue = HeaderValue::from_static("tape");

/// A tape that is served over HTTP until it is stopped.
#[derive(Debug)]
pub struct HttpHost {
    address: SocketAddr,
    table: Arc<Table>,
    tasks: [JoinHandle<()>; 2],
}

/// What is sent to a client: a frame, or nothing for hanging up.
type Sent = Option<Vec<u8>>;

#[derive(Debug)]
struct Table {
    state: Mutex<Round>,
    pace: Pace,
    live: Option<Live>,
}

/// A server behind the tape, and where what it says of itself goes.
#[derive(Debug)]
struct Live {
    server: LiveServer,
    unasked: mpsc::UnboundedSender<Vec<u8>>,
}

/// What becomes of a frame.
enum Next {
    Answered(Response),
    /// It is on the tape, and a server behind it may have to hear of it too.
    Noticed,
    Ask,
    Notify,
}

#[derive(Debug)]
struct Round {
    player: Player,
    /// Those who wait for the answer to their request, by its id as it is written.
    waiting: BTreeMap<String, mpsc::UnboundedSender<(Duration, Sent)>>,
    /// Whoever listens for what nobody asked for.
    listener: Option<mpsc::UnboundedSender<(Duration, Sent)>>,
    /// Until somebody does.
    unheard: VecDeque<(Duration, Sent)>,
}

impl HttpHost {
    /// Serves a tape at `address`; port 0 lets the system choose.
    ///
    /// # Errors
    /// The address is not of this machine alone, or taken.
    pub async fn start(player: Player, pace: Pace, address: SocketAddr) -> io::Result<Self> {
        Self::host(player, pace, address, None).await
    }

    /// The same with a server that is asked for what is not on the tape, and does not hear of what is.
    ///
    /// # Errors
    /// The address is not of this machine alone, or taken.
    pub async fn start_before(server: LiveServer, player: Player, address: SocketAddr) -> io::Result<Self> {
        Self::host(player, Pace::Instant, address, Some(server)).await
    }

    async fn host(mut player: Player, pace: Pace, address: SocketAddr, server: Option<LiveServer>) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            let why = format!("`{address}` can be reached from other machines: use 127.0.0.1 or [::1]");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let opening = player.open();
        let mut state = Round { player, waiting: BTreeMap::new(), listener: None, unheard: VecDeque::new() };
        state.send(opening, None, pace);
        let (unasked, mut said) = mpsc::unbounded_channel();
        let live = server.map(|server| Live { server, unasked });
        let table = Arc::new(Table { state: Mutex::new(state), pace, live });
        let route = post(asked).get(listened).delete(ended);
        let router = Router::new()
            .route(PATH, route)
            .layer(DefaultBodyLimit::max(LINE_BYTES_MAX))
            .with_state((table.clone(), address));
        let task = tokio::spawn(async move {
            // Errors of single connections are theirs.
            let _ = axum::serve(listener, router).await;
        });
        let heard = table.clone();
        let unasked = tokio::spawn(async move {
            while let Some(frame) = said.recv().await {
                heard.lock().send(vec![Due::new(0, frame)], None, Pace::Instant);
            }
        });
        Ok(Self { address, table, tasks: [task, unasked] })
    }

    /// What a client is given, such as `http://127.0.0.1:8700/mcp`.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Stops, and tells how it went.
    pub fn stop(self) -> Outcome {
        self.abort();
        self.table.lock().player.outcome()
    }

    /// The same, and ends the session with the server behind the tape.
    pub async fn stop_before(self) -> Outcome {
        self.abort();
        if let Some(live) = &self.table.live {
            live.server.end().await;
        }
        self.table.lock().player.outcome()
    }

    fn abort(&self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, Round> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Round {
    /// Hands out what is due. An answer ends the stream of its request; other frames go along with the request that
    /// brought them about, or to whoever listens.
    fn send(&mut self, due: Vec<Due>, asked: Option<&str>, pace: Pace) {
        for due in due {
            let wait = due.wait(pace);
            let answers = answered_id(&due.frame);
            let whose = answers.as_deref().filter(|id| self.waiting.contains_key(*id)).or(asked);
            let sent = (wait, (!due.hang_up).then_some(due.frame));
            let to = whose.and_then(|id| self.waiting.get(id)).or(self.listener.as_ref());
            // Whoever has hung up hears no more.
            match to {
                Some(to) => drop(to.send(sent)),
                None => self.unheard.push_back(sent),
            }
        }
    }
}

/// The id of an answer, as it is written; nothing for what is none.
fn answered_id(frame: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(frame).ok()?;
    let is_answer = value.get("method").is_none();
    value.get("id").filter(|id| is_answer && !id.is_null()).map(Value::to_string)
}

/// A page of another origin must not play with what is on loopback.
fn is_foreign(headers: &HeaderMap, address: SocketAddr) -> bool {
    let own = [format!("http://{address}"), format!("http://localhost:{}", address.port())];
    headers.get(header::ORIGIN).is_some_and(|origin| own.iter().all(|own| origin != own.as_str()))
}

async fn asked(State((table, address)): State<(Arc<Table>, SocketAddr)>, headers: HeaderMap, body: Bytes) -> Response {
    if is_foreign(&headers, address) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    let next = hear(&table, &value, &body);
    let Some(Live { server, unasked }) = &table.live else {
        return match next {
            Next::Answered(response) => response,
            Next::Noticed | Next::Ask | Next::Notify => StatusCode::ACCEPTED.into_response(),
        };
    };
    let greets = value.get("method").is_some_and(|method| method == "initialize");
    if greets {
        server.greeted(body.clone()).await;
    }
    let mut response = match next {
        Next::Answered(response) => return response,
        Next::Noticed => server.notify(headers, body, true).await,
        Next::Notify => server.notify(headers, body, false).await,
        Next::Ask => server.ask(headers, body, greets, unasked).await,
    };
    response.headers_mut().insert("mcp-session-id", SESSION);
    response
}

/// Lets the player hear a frame.
fn hear(table: &Arc<Table>, value: &Value, body: &[u8]) -> Next {
    let asks = value.get("method").is_some();
    let id = value.get("id").filter(|id| asks && !id.is_null()).map(Value::to_string);
    let mut state = table.lock();
    let due = if table.live.is_none() {
        state.player.hear(body)
    } else {
        match state.player.hear_known(body) {
            Heard::Known(due) => due,
            Heard::Unknown => return Next::Ask,
            Heard::Idle => return Next::Notify,
        }
    };
    // A frame that is no message at all is answered all the same.
    let is_none = id.is_none() && !asks && answered_id(body).is_none();
    if is_none && let Some(Due { frame, .. }) = due.first() {
        let refused = (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], frame.clone());
        return Next::Answered(refused.into_response());
    }
    let (to, from) = mpsc::unbounded_channel();
    if let Some(id) = &id {
        state.waiting.insert(id.clone(), to);
    }
    state.send(due, id.as_deref(), table.pace);
    drop(state);
    match id {
        None => Next::Noticed,
        Some(id) => Next::Answered(events(from, Some((table.clone(), id)))),
    }
}

async fn ended(State((table, address)): State<(Arc<Table>, SocketAddr)>, headers: HeaderMap) -> StatusCode {
    if is_foreign(&headers, address) {
        return StatusCode::FORBIDDEN;
    }
    if let Some(live) = &table.live {
        live.server.end().await;
    }
    StatusCode::OK
}

async fn listened(State((table, address)): State<(Arc<Table>, SocketAddr)>, headers: HeaderMap) -> Response {
    if is_foreign(&headers, address) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let (to, from) = mpsc::unbounded_channel();
    let mut state = table.lock();
    for sent in state.unheard.drain(..) {
        let _ = to.send(sent);
    }
    state.listener = Some(to);
    drop(state);
    events(from, None)
}

/// A stream of events; that of a request ends with its answer, which a fault may send twice.
fn events(from: mpsc::UnboundedReceiver<(Duration, Sent)>, of: Option<(Arc<Table>, String)>) -> Response {
    let parts = stream::unfold((from, of, false), async |(mut from, of, over)| {
        if over && from.is_empty() {
            return None;
        }
        let (wait, sent) = from.recv().await?;
        sleep(wait).await;
        let Some(frame) = sent else {
            return Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), (from, of, true)));
        };
        let over = of.as_ref().is_some_and(|(table, id)| {
            let is_answer = answered_id(&frame).as_ref() == Some(id);
            if is_answer {
                table.lock().waiting.remove(id);
            }
            is_answer
        });
        // What cannot be told as text could not have come over this wire.
        let event = format!("event: message\ndata: {}\n\n", String::from_utf8_lossy(&frame));
        Some((Ok(event), (from, of, over)))
    });
    let mut response = Response::new(HttpBody::from_stream(parts));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("mcp-session-id", SESSION);
    response
}
