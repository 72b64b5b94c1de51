//! WebSocket connections through a recording proxy.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::ws::{CloseFrame as HereClose, Message as Here, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::CloseFrame as ThereClose;
use tokio_tungstenite::tungstenite::{self, Message as There};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::proxy::Wire;
use crate::cassette::{Body, Direction, Leg};

type Upstream = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// Connects to the server first: a connection that it refuses is refused here, with its status.
pub(super) async fn accept(wire: Arc<Wire>, parts: &Parts, upgrade: WebSocketUpgrade) -> Response {
    let path = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let url = format!("{}{path}", wire.target.replacen("http", "ws", 1));
    let there = match tokio_tungstenite::connect_async(url).await {
        Ok((there, _)) => there,
        Err(tungstenite::Error::Http(answer)) => {
            let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
            return (status, answer.into_body().unwrap_or_default()).into_response();
        }
        // The address may hold a listen key, so the library's own words are not repeated.
        Err(_) => return (StatusCode::BAD_GATEWAY, "the server behind the recorder does not answer\n").into_response(),
    };
    let connection = wire.connections.fetch_add(1, Ordering::Relaxed) + 1;
    upgrade.on_upgrade(move |here| relay(wire, connection, path, here, there))
}

async fn relay(wire: Arc<Wire>, connection: u64, path: String, here: WebSocket, there: Upstream) {
    let tell = |dir, what: &str, value: Value| {
        let frame = json!({ "connection": connection, what: value });
        (wire.observe)(Leg::Ws, dir, frame.to_string().as_bytes());
    };
    tell(Direction::Out, "open", path.into());
    let (to_here, from_here) = here.split();
    let (to_there, from_there) = there.split();
    let up = pump(
        from_here,
        to_there,
        |message: &Here| tell_of(message, |what, value| tell(Direction::Out, what, value)),
        |message| Some(to_server(message)),
    );
    let down = pump(
        from_there,
        to_here,
        |message: &There| tell_of_answer(message, |what, value| tell(Direction::Back, what, value)),
        to_client,
    );
    tokio::select! {
        () = up => {}
        () = down => {}
    }
    tell(Direction::Back, "end", Value::Null);
}

async fn pump<A, B, E, F>(
    mut from: impl Stream<Item = Result<A, E>> + Unpin,
    mut to: impl Sink<B, Error = F> + Unpin,
    tell: impl Fn(&A),
    turn: impl Fn(A) -> Option<B>,
) {
    while let Some(Ok(message)) = from.next().await {
        tell(&message);
        if let Some(message) = turn(message)
            && to.send(message).await.is_err()
        {
            break;
        }
    }
    // Whoever has hung up needs no farewell.
    let _ = to.close().await;
}

fn text(text: &str) -> Value {
    serde_json::to_value(Body::of(text.as_bytes())).unwrap_or_default()
}

fn tell_of(message: &Here, tell: impl Fn(&str, Value)) {
    match message {
        Here::Text(frame) => tell("frame", text(frame)),
        Here::Binary(bytes) => tell("frame", json!({ "hex": hex::encode(bytes) })),
        Here::Ping(_) => tell("ping", Value::Null),
        Here::Pong(_) => tell("pong", Value::Null),
        Here::Close(frame) => tell("close", frame.as_ref().map_or(Value::Null, |frame| frame.code.into())),
    }
}

fn tell_of_answer(message: &There, tell: impl Fn(&str, Value)) {
    match message {
        There::Text(frame) => tell("frame", text(frame)),
        There::Binary(bytes) => tell("frame", json!({ "hex": hex::encode(bytes) })),
        There::Ping(_) => tell("ping", Value::Null),
        There::Pong(_) => tell("pong", Value::Null),
        There::Close(frame) => tell("close", frame.as_ref().map_or(Value::Null, |frame| u16::from(frame.code).into())),
        There::Frame(_) => {}
    }
}

fn to_server(message: Here) -> There {
    match message {
        Here::Text(text) => There::text(text.as_str()),
        Here::Binary(bytes) => There::Binary(bytes),
        Here::Ping(bytes) => There::Ping(bytes),
        Here::Pong(bytes) => There::Pong(bytes),
        Here::Close(frame) => There::Close(
            frame.map(|frame| ThereClose { code: frame.code.into(), reason: frame.reason.as_str().into() }),
        ),
    }
}

fn to_client(message: There) -> Option<Here> {
    Some(match message {
        There::Text(text) => Here::Text(text.as_str().into()),
        There::Binary(bytes) => Here::Binary(bytes),
        There::Ping(bytes) => Here::Ping(bytes),
        There::Pong(bytes) => Here::Pong(bytes),
        There::Close(frame) => {
            Here::Close(frame.map(|frame| HereClose { code: frame.code.into(), reason: frame.reason.as_str().into() }))
        }
        There::Frame(_) => return None,
    })
}
