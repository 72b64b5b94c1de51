//! WebSocket connections of a tape.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::super::player::Due;
use super::moments::move_on;
use super::shared::{Opened, Shared, lock};

/// Listens on an address, and serves on a task of its own.
pub(super) async fn serve(address: SocketAddr, shared: Arc<Shared>) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(answer).with_state(shared);
    let task = tokio::spawn(async move {
        // Errors of single connections are theirs.
        let _ = axum::serve(listener, router).await;
    });
    Ok((address, task))
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    if !parts.headers.contains_key(header::SEC_WEBSOCKET_KEY) {
        return (StatusCode::UPGRADE_REQUIRED, "only WebSockets are served here\n").into_response();
    }
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refusal.into_response(),
    };
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    match shared.open(target) {
        Ok(opened) => upgrade.on_upgrade(move |socket| session(shared, opened, socket)),
        Err(miss) => (StatusCode::NOT_IMPLEMENTED, format!("[NOT ON TAPE] {miss}\n")).into_response(),
    }
}

/// A frame that waits; nothing stands for the end of the connection.
struct Waiting {
    at: Instant,
    gate: Option<u64>,
    frame: Option<Vec<u8>>,
}

struct Session {
    shared: Arc<Shared>,
    passed_ms: Option<i64>,
    waiting: VecDeque<Waiting>,
}

async fn session(shared: Arc<Shared>, opened: Opened, mut socket: WebSocket) {
    let Opened { player, closed, since_ms } = opened;
    let passed_ms = shared.passed_ms(since_ms);
    let mut session = Session { shared, passed_ms, waiting: VecDeque::new() };
    let mut greeting = lock(&player).open();
    for due in &mut greeting {
        due.after_ms = due.after_ms.saturating_sub(since_ms);
    }
    session.push(greeting);
    loop {
        if let (true, Some(code)) = (session.waiting.is_empty() && lock(&player).is_over(), closed) {
            let frame = CloseFrame { code, reason: "".into() };
            let _ = socket.send(Message::Close(Some(frame))).await;
            return;
        }
        tokio::select! {
            biased;
            frame = session.next(), if !session.waiting.is_empty() => {
                let Some(frame) = frame else { continue };
                // Without a frame the connection breaks, without a word.
                let Some(frame) = frame else { return };
                if socket.send(frame).await.is_err() {
                    return;
                }
            }
            heard = socket.recv() => {
                let frame = match heard {
                    Some(Ok(Message::Text(text))) => session.shared.take_back(text.as_str()).into_bytes(),
                    Some(Ok(Message::Binary(bytes))) => bytes.to_vec(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                };
                let due = lock(&player).hear(&frame);
                session.push(due);
            }
        }
    }
}

impl Session {
    fn push(&mut self, due: Vec<Due>) {
        let now = Instant::now();
        let due: Vec<Due> = due.into_iter().flat_map(|due| self.faulty(due)).collect();
        for due in due {
            self.shared.unsent.fetch_add(1, Ordering::Relaxed);
            let at = now + due.wait(self.shared.options.pace);
            self.waiting.push_back(Waiting { at, gate: due.gate, frame: (!due.hang_up).then_some(due.frame) });
        }
    }

    /// What becomes of an event; answers have met their faults already.
    fn faulty(&self, due: Due) -> Vec<Due> {
        let act = event_label(&due.frame).and_then(|label| self.shared.options.overlay.meet(&label));
        let error = |code, message: &str, _| json!({ "id": null, "error": { "code": code, "msg": message } });
        match act {
            Some(act) => due.met(&act, error),
            None => vec![due],
        }
    }

    /// The first frame, when its time has come and what it followed has happened; within, nothing when the connection is
    /// to break.
    async fn next(&mut self) -> Option<Option<Message>> {
        let Waiting { at, gate, .. } = self.waiting.front()?;
        let (at, gate) = (*at, *gate);
        sleep_until(at).await;
        self.shared.followed(gate).await;
        let Waiting { frame, .. } = self.waiting.pop_front()?;
        self.shared.unsent.fetch_sub(1, Ordering::Relaxed);
        let Some(frame) = frame else { return Some(None) };
        let mut text = match String::from_utf8(frame) {
            Ok(text) => text,
            Err(error) => return Some(Some(Message::Binary(error.into_bytes().into()))),
        };
        if let Some(passed_ms) = self.passed_ms
            && let Ok(mut value) = serde_json::from_str(&text)
        {
            move_on(&mut value, passed_ms);
            text = value.to_string();
        }
        Some(Some(Message::Text(self.shared.hand_out(&text).into())))
    }
}

/// What faults call an event: `stream btcusdt@trade` where the frame names its stream, else its type, as
/// `event executionReport`. Nothing for answers.
fn event_label(frame: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(frame).ok()?;
    if let Some(stream) = value.get("stream").and_then(Value::as_str) {
        return Some(format!("stream {stream}"));
    }
    let event = value.get("event").unwrap_or(&value);
    event.get("e").and_then(Value::as_str).map(|kind| format!("event {kind}"))
}
