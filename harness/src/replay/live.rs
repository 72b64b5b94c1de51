//! The MCP server over HTTP that is asked for what is not on a tape.
//!
//! It has a session of its own, which begins when something is asked of it for the first time: the client's `initialize`
//! may have been answered from the tape, and is then said again here without being told.

use std::fmt;
use std::sync::Arc;

use axum::body::{Body as HttpBody, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::cassette::{Direction, LINE_BYTES_MAX};
use crate::record::{Events, Observe, ProxyError, Speaks, Wire, is_stream, relayed, unanswered};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const PATH: &str = "/mcp";

/// A server that stands behind a tape. What it is asked, and what it says, is told.
pub struct LiveServer {
    wire: Arc<Wire>,
    session: Mutex<Session>,
}

#[derive(Default)]
struct Session {
    /// The client's `initialize`.
    greeting: Option<Bytes>,
    open: Option<Open>,
}

/// A session that has begun.
struct Open {
    id: Option<HeaderValue>,
    version: Option<HeaderValue>,
    /// Whether the server knows that the greeting is over.
    is_greeted: bool,
    /// Hears what the server says of itself.
    listening: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl LiveServer {
    /// A server at `url`, such as `http://127.0.0.1:8700/mcp`. Nothing is said to it yet.
    ///
    /// # Errors
    /// That is no address of a server.
    pub fn new(url: &str, observe: Observe) -> Result<Self, ProxyError> {
        let wire = Wire::new(url, Speaks::Mcp, observe)?;
        Ok(Self { wire: Arc::new(wire), session: Mutex::default() })
    }

    /// Takes note of the client's greeting.
    pub(super) async fn greeted(&self, frame: Bytes) {
        self.session.lock().await.greeting = Some(frame);
    }

    /// Asks what is not on the tape, and passes the answer on. What else the server says goes to `unasked`.
    pub(super) async fn ask(
        &self,
        headers: HeaderMap,
        frame: Bytes,
        greets: bool,
        unasked: &mpsc::UnboundedSender<Vec<u8>>,
    ) -> Response {
        let mut session = self.session.lock().await;
        if greets {
            self.wire.tell(Direction::Out, &frame);
            return match self.begin(headers, frame, unasked).await {
                Ok((open, answer)) => {
                    session.open = Some(open);
                    answer.into_response(|frame| self.wire.tell(Direction::Back, frame))
                }
                Err(refusal) => refusal,
            };
        }
        if session.open.is_none()
            && let Some(greeting) = session.greeting.clone()
        {
            let (mut open, _) = match self.begin(headers.clone(), greeting, unasked).await {
                Ok(begun) => begun,
                Err(refusal) => return refusal,
            };
            let told = self.wire.send(Method::POST, PATH, open.headers(headers.clone()), INITIALIZED.into()).await;
            if let Err(error) = told {
                return unanswered(error);
            }
            open.is_greeted = true;
            session.open = Some(open);
        }
        let headers = session.open.as_ref().map_or_else(|| headers.clone(), |open| open.headers(headers.clone()));
        // Whoever waits for an answer holds nobody up.
        drop(session);
        self.wire.tell(Direction::Out, &frame);
        self.pass(headers, frame).await
    }

    /// Passes on what asks for nothing, if there is a session that it can be about. `is_known` when the tape has it, which
    /// then need not be told.
    pub(super) async fn notify(&self, headers: HeaderMap, frame: Bytes, is_known: bool) -> Response {
        let ends_greeting = serde_json::from_slice::<Value>(&frame)
            .is_ok_and(|value| value.get("method").is_some_and(|method| method == "notifications/initialized"));
        let mut session = self.session.lock().await;
        let headers = session.open.as_mut().and_then(|open| {
            let is_due = if ends_greeting {
                // The server has heard it already unless the client greeted it itself.
                !std::mem::replace(&mut open.is_greeted, true)
            } else {
                !is_known
            };
            is_due.then(|| open.headers(headers))
        });
        drop(session);
        let Some(headers) = headers else { return StatusCode::ACCEPTED.into_response() };
        if !is_known {
            self.wire.tell(Direction::Out, &frame);
        }
        self.pass(headers, frame).await
    }

    /// Ends the session, if there is one.
    pub(super) async fn end(&self) {
        let open = self.session.lock().await.open.take();
        if let Some(open) = open.filter(|open| open.id.is_some()) {
            // A server may keep its sessions for itself.
            let _ = self.wire.send(Method::DELETE, PATH, open.headers(HeaderMap::new()), Bytes::new()).await;
        }
    }

    async fn pass(&self, headers: HeaderMap, frame: Bytes) -> Response {
        match self.wire.send(Method::POST, PATH, headers, frame).await {
            Ok(response) => {
                let mut response = relayed(self.wire.clone(), 0, response);
                response.headers_mut().remove(SESSION_ID);
                response
            }
            Err(error) => unanswered(error),
        }
    }

    /// Greets the server, and listens to it from then on.
    async fn begin(
        &self,
        mut headers: HeaderMap,
        greeting: Bytes,
        unasked: &mpsc::UnboundedSender<Vec<u8>>,
    ) -> Result<(Open, Answer), Response> {
        headers.remove(SESSION_ID);
        headers.remove(VERSION);
        let id = serde_json::from_slice::<Value>(&greeting).ok().and_then(|value| value.get("id").cloned());
        let sent = self.wire.send(Method::POST, PATH, headers.clone(), greeting).await.map_err(unanswered)?;
        let answer = Answer::read(sent).await?;
        let is_answer = |value: &Value| value.get("id") == id.as_ref() && value.get("method").is_none();
        let welcome = answer.frames().iter().find_map(|frame| {
            serde_json::from_slice::<Value>(frame)
                .ok()
                .filter(|value| is_answer(value) && value.get("result").is_some())
        });
        let Some(welcome) = welcome else {
            // A refusal is the client's to see.
            return Err(answer.into_response(|frame| self.wire.tell(Direction::Back, frame)));
        };
        let version = welcome.pointer("/result/protocolVersion").and_then(Value::as_str);
        let mut open = Open {
            id: answer.headers.get(SESSION_ID).cloned(),
            version: version.and_then(|version| HeaderValue::from_str(version).ok()),
            is_greeted: false,
            listening: tokio::spawn(async {}),
        };
        let mut listens = open.headers(headers);
        listens.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        listens.remove(header::CONTENT_TYPE);
        open.listening = tokio::spawn(listen(self.wire.clone(), listens, unasked.clone()));
        Ok((open, answer))
    }
}

impl fmt::Debug for LiveServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveServer").finish_non_exhaustive()
    }
}

impl Open {
    /// Those of the client, in the words of this session: the client knows only the tape's.
    fn headers(&self, mut headers: HeaderMap) -> HeaderMap {
        for (name, value) in [(SESSION_ID, &self.id), (VERSION, &self.version)] {
            headers.remove(&name);
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        headers
    }
}

/// Hears what the server says without being asked, for as long as it does; many never do.
async fn listen(wire: Arc<Wire>, headers: HeaderMap, unasked: mpsc::UnboundedSender<Vec<u8>>) {
    let Ok(mut response) = wire.send(Method::GET, PATH, headers, Bytes::new()).await else { return };
    if !response.status().is_success() || !is_stream(response.headers()) {
        return;
    }
    let mut events = Events::default();
    while let Ok(Some(bytes)) = response.chunk().await {
        events.push(&bytes, |frame| {
            wire.tell(Direction::Back, frame);
            // Nobody listens any more when this fails.
            let _ = unasked.send(frame.to_vec());
        });
    }
}

/// An answer that is there as a whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    async fn read(mut response: reqwest::Response) -> Result<Self, Response> {
        let mut answer = Self { status: response.status(), headers: response.headers().clone(), body: Vec::new() };
        while let Some(part) = response.chunk().await.map_err(unanswered)? {
            answer.body.extend_from_slice(&part);
            if answer.body.len() > LINE_BYTES_MAX {
                let why = "the answer of the server behind the tape is longer than any message\n";
                return Err((StatusCode::BAD_GATEWAY, why).into_response());
            }
        }
        Ok(answer)
    }

    fn frames(&self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        if is_stream(&self.headers) {
            Events::default().push(&self.body, |frame| frames.push(frame.to_vec()));
        } else if !self.body.is_empty() {
            frames.push(self.body.clone());
        }
        frames
    }

    fn into_response(self, tell: impl Fn(&[u8])) -> Response {
        for frame in self.frames() {
            tell(&frame);
        }
        let mut response = Response::new(HttpBody::from(self.body));
        *response.status_mut() = self.status;
        if let Some(kind) = self.headers.get(header::CONTENT_TYPE) {
            response.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Locked;

    use axum::Router;
    use axum::extract::State;
    use axum::routing::post;

    use super::*;
    use crate::cassette::{Redactor, TapeReader};
    use crate::replay::{HttpHost, Player, Repeat};

    const TAPE: &str = r#"{"rogue_tape":1,"writer":"w","clock_origin_ms":0}
{"seq":1,"at_ms":0,"leg":"agent","dir":"out","id":1,"body":{"json":{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}}}
{"seq":2,"at_ms":0,"leg":"agent","dir":"back","id":1,"cause":1,"body":{"json":{"jsonrpc":"2.0","id":1,"result":{"live":false}}}}
{"messages":2}
"#;

    type Log = Arc<Locked<Vec<String>>>;

    /// What a request said, and in which session.
    async fn served(State(log): State<Log>, method: Method, headers: HeaderMap, body: String) -> Response {
        let word =
            |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
        let value: Value = serde_json::from_str(&body).unwrap_or_default();
        let what = value.get("method").and_then(Value::as_str).unwrap_or(if body.is_empty() { "" } else { "answer" });
        log.lock().unwrap().push(format!("{method} {what} {} {}", word(&SESSION_ID), word(&VERSION)));
        let events = [(header::CONTENT_TYPE, "text/event-stream")];
        match (method.as_str(), what) {
            ("GET", _) => (events, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n")
                .into_response(),
            ("POST", "initialize") => {
                let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","live":true}}"#;
                ([(SESSION_ID, "theirs")], [(header::CONTENT_TYPE, "application/json")], answer).into_response()
            }
            ("POST", "tools/call") => {
                (events, "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"live\":true}}\n\n").into_response()
            }
            _ => StatusCode::ACCEPTED.into_response(),
        }
    }

    #[tokio::test]
    async fn the_session_behind_is_begun_late_kept_apart_and_ended() {
        let log = Log::default();
        let router = Router::new().route("/mcp", post(served).get(served).delete(served)).with_state(log.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });

        let told = Log::default();
        let heard = told.clone();
        let observe: Observe = Arc::new(move |_, dir, frame| {
            heard.lock().unwrap().push(format!("{dir:?} {}", String::from_utf8_lossy(frame)));
        });
        let tape = TapeReader::new(TAPE.as_bytes()).unwrap();
        let player = Player::new(tape, Repeat::Fail, Redactor::new(&[]).unwrap()).unwrap();
        let live = LiveServer::new(&url, observe).unwrap();
        let host = HttpHost::start_before(live, player, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let say = async |frame: &str| {
            let asked = client.post(host.url()).header(SESSION_ID, "tape").header(VERSION, "2025-06-18");
            let answer = asked.body(frame.to_owned()).send().await.unwrap();
            assert_eq!(answer.headers().get(SESSION_ID).map_or("tape", |id| id.to_str().unwrap()), "tape");
            answer.text().await.unwrap()
        };
        let hello = say(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#).await;
        assert!(hello.contains(r#""live":false"#), "{hello}");
        // There is no session yet that these could be about.
        say(INITIALIZED).await;
        say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#).await;
        assert!(log.lock().unwrap().is_empty());
        let answer = say(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x"}}"#).await;
        assert!(answer.contains(r#""live":true"#), "{answer}");
        say(r#"{"jsonrpc":"2.0","id":"s1","result":{}}"#).await;
        say(INITIALIZED).await;
        // What the server says of itself comes to whoever listens.
        let mut listens = client.get(host.url()).send().await.unwrap();
        let said = listens.chunk().await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&said).contains("list_changed"));
        let outcome = host.stop_before().await;
        assert!(outcome.is_same(false), "{outcome}");
        serving.abort();

        let mut log = log.lock().unwrap().clone();
        // It is opened beside the others.
        let at = log.iter().position(|line| line.starts_with("GET")).unwrap();
        assert_eq!(log.remove(at), "GET  theirs 2025-11-25");
        let expected = [
            "POST initialize - -",
            "POST notifications/initialized theirs 2025-11-25",
            "POST tools/call theirs 2025-11-25",
            "POST answer theirs 2025-11-25",
            "DELETE  theirs 2025-11-25",
        ];
        assert_eq!(log, expected);
        let told = told.lock().unwrap().join("\n");
        let lines =
            ["Out", "tools/call", "Back", "list_changed", r#""id":7,"result""#, r#"Out {"jsonrpc":"2.0","id":"s1""#];
        for part in lines {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("initialize") && told.lines().count() == 4, "{told}");
    }
}
