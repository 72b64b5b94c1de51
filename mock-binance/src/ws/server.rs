//! Sockets: one task for each connection.
//!
//! A connection is entered into [`Streams`](super::streams::Streams) before its handshake is answered, so a client that
//! is connected misses nothing of what happens afterwards.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use exchange_engine::Timestamp;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::lifetimes::FRAMES_PER_SECOND;
use super::request;
use super::streams::{ConnectionId, Outgoing};
use crate::api::error::ApiError;
use crate::api::render::TimeUnit;
use crate::state::{Hub, State};

/// Requests are small; anything larger is not one.
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Takes a connection on. It ends when the client has enough, or with
/// [`disconnect_all`](super::streams::Streams::disconnect_all); `alive` goes away with it.
pub(crate) fn accept(
    hub: Arc<Hub>,
    peer: IpAddr,
    uri: &Uri,
    upgrade: WebSocketUpgrade,
    alive: watch::Receiver<bool>,
) -> Response {
    let query = uri.query().unwrap_or_default();
    let (combined, names) = asked_for(uri.path(), query);
    let unit = TimeUnit::asked_for(query.split('&').find_map(|pair| pair.strip_prefix("timeUnit=")));
    let (id, frames) = match unit.and_then(|unit| enter(&hub, peer, combined, unit, names)) {
        Ok(entered) => entered,
        Err(error) => return refusal(&error),
    };
    let leaver = hub.clone();
    upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .on_failed_upgrade(move |_| leaver.lock().0.streams.disconnect(id))
        .on_upgrade(move |socket| async move {
            converse(&hub, id, socket, frames).await;
            hub.lock().0.streams.disconnect(id);
            drop(alive);
        })
}

fn enter(
    hub: &Hub,
    peer: IpAddr,
    combined: bool,
    unit: TimeUnit,
    names: Vec<String>,
) -> Result<(ConnectionId, UnboundedReceiver<Outgoing>), ApiError> {
    let (mut state, now) = hub.lock();
    let source = state.sources.id(peer);
    state.lifetimes.admit(source, now)?;
    let entered = state.streams.connect(combined, unit, names);
    state.lifetimes.watch(entered.0, now, Some(FRAMES_PER_SECOND));
    state.follow_streams(now);
    drop(state);
    hub.deadline_moved.notify_one();
    Ok(entered)
}

/// What a client is told whose connection is not taken on.
pub(crate) fn refusal(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, error.body()).into_response();
    if let Some(seconds) = error.retry_after_s() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// What the address asks for: `/ws/<name>[/<name>..]` is raw, `/stream?streams=<name>[/<name>..]` is combined. Other
/// paths are taken as `/ws` with no stream: clients append things of their own.
fn asked_for(path: &str, query: &str) -> (bool, Vec<String>) {
    let names = |list: &str| list.split('/').filter(|name| !name.is_empty()).map(decode).collect::<Vec<_>>();
    // Some clients are given an address that ends in `/stream.binance.com`.
    let path = path.strip_prefix("/stream.binance.com").unwrap_or(path);
    if path == "/stream" || path == "/stream/" {
        let streams = query.split('&').find_map(|pair| pair.strip_prefix("streams=")).unwrap_or_default();
        return (true, names(&streams.replace("%2F", "/").replace("%2f", "/")));
    }
    (false, path.strip_prefix("/ws/").map(names).unwrap_or_default())
}

/// Stream names hold one character that clients escape.
fn decode(name: &str) -> String {
    name.replace("%40", "@")
}

/// Counts a frame from the client. One too many ends the connection, by way of its frames.
fn may_speak(state: &mut State, id: ConnectionId, now: Timestamp) -> bool {
    state.lifetimes.count(id, now, &mut state.streams)
}

/// Carries frames both ways until either side has enough.
async fn converse(hub: &Hub, id: ConnectionId, socket: WebSocket, mut frames: UnboundedReceiver<Outgoing>) {
    let (mut sink, mut source) = socket.split();
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                Some(Outgoing::Text(text)) => {
                    if sink.send(Message::Text(text)).await.is_err() {
                        return;
                    }
                }
                Some(Outgoing::Ping(payload)) => {
                    if sink.send(Message::Ping(payload.into())).await.is_err() {
                        return;
                    }
                }
                Some(Outgoing::Refuse(reason)) => {
                    let frame = CloseFrame { code: close_code::POLICY, reason: reason.into() };
                    let _ = sink.send(Message::Close(Some(frame))).await;
                    // What the client still has on its way would reset the connection before it reads the farewell.
                    while let Some(Ok(_)) = source.next().await {}
                    return;
                }
                Some(Outgoing::BreakOff) => return,
                Some(Outgoing::Close) | None => {
                    // Whoever has gone already needs no farewell.
                    let _ = sink.send(Message::Close(None)).await;
                    return;
                }
            },
            incoming = source.next() => match incoming {
                Some(Ok(Message::Text(text))) => {
                    let (mut state, now) = hub.lock();
                    if !may_speak(&mut state, id, now) {
                        continue;
                    }
                    let answer = request::answer(&mut state.streams, id, &text);
                    state.streams.answer(id, answer);
                    state.follow_streams(now);
                    drop(state);
                    hub.deadline_moved.notify_one();
                }
                Some(Ok(Message::Pong(payload))) => {
                    let (mut state, now) = hub.lock();
                    if may_speak(&mut state, id, now) {
                        state.lifetimes.pong(id, &payload);
                    }
                }
                // Pings are answered underneath; binary frames say nothing.
                Some(Ok(Message::Ping(_) | Message::Binary(_))) => {
                    let (mut state, now) = hub.lock();
                    may_speak(&mut state, id, now);
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::asked_for;

    #[test]
    fn addresses_name_streams() {
        let check = |path: &str, query: &str, combined: bool, names: &[&str]| {
            let names = names.iter().map(ToString::to_string).collect();
            assert_eq!(asked_for(path, query), (combined, names), "{path}?{query}");
        };
        check("/ws", "", false, &[]);
        check("/ws/btcusdt@trade", "", false, &["btcusdt@trade"]);
        check("/ws/a@trade/b@bookTicker", "", false, &["a@trade", "b@bookTicker"]);
        check("/ws/btcusdt%40trade", "", false, &["btcusdt@trade"]);
        check("/stream", "streams=", true, &[]);
        check("/stream", "streams=a@trade/b@trade", true, &["a@trade", "b@trade"]);
        check("/stream", "timeUnit=x&streams=a%40trade%2Fb@trade", true, &["a@trade", "b@trade"]);
        check("/stream.binance.com/ws/0", "", false, &["0"]);
        check("/anything", "", false, &[]);
    }
}
