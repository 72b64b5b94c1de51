//! The socket of one client: frames in, one answer each.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::Uri;
use axum::response::Response;
use futures_util::StreamExt;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::answer::{Answered, Connection};
use super::session::Session;
use crate::api::render::TimeUnit;
use crate::limits::charge;
use crate::state::Hub;
use crate::ws::server::refusal;
use crate::ws::streams::{ConnectionId, Outgoing};

/// Where the WebSocket API is.
pub(crate) const PATH: &str = "/ws-api/v3";
/// What opening a connection weighs.
const CONNECT_WEIGHT: u32 = 2;
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Takes a connection on, until the client has enough or `stop` says so.
pub(crate) fn accept(
    hub: Arc<Hub>,
    peer: IpAddr,
    uri: &Uri,
    upgrade: WebSocketUpgrade,
    stop: watch::Receiver<bool>,
) -> Response {
    let opened = {
        let (mut state, now) = hub.lock();
        let source = state.sources.id(peer);
        state.lifetimes.admit(source, now).and_then(|()| charge(&mut state, now, source, CONNECT_WEIGHT))
    };
    let asked = |name: &str| uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix(name));
    let connection = opened.and_then(|()| {
        let unit = TimeUnit::asked_for(asked("timeUnit="))?;
        let rate_limits = asked("returnRateLimits=") != Some("false");
        let (mut state, now) = hub.lock();
        let entered = state.streams.connect_api(unit);
        state.lifetimes.watch(entered.0, now, None);
        drop(state);
        hub.deadline_moved.notify_one();
        let session = Session::new(entered.0, now, rate_limits);
        Ok((Connection { hub, peer, unit, rate_limits, session }, entered))
    });
    match connection {
        Ok((connection, entered)) => {
            let (leaver, id) = (connection.hub.clone(), entered.0);
            upgrade
                .max_message_size(FRAME_BYTES_MAX)
                .on_failed_upgrade(move |_| leaver.lock().0.streams.disconnect(id))
                .on_upgrade(move |socket| converse(connection, entered, socket, stop))
        }
        Err(error) => refusal(&error),
    }
}

/// Takes a connection off when it goes away, however it goes.
struct Leaver {
    hub: Arc<Hub>,
    id: ConnectionId,
}

impl Drop for Leaver {
    fn drop(&mut self) {
        let (mut state, _) = self.hub.lock();
        state.streams.disconnect(self.id);
        state.subscriptions.forget(self.id);
    }
}

async fn converse(
    mut connection: Connection,
    (id, mut events): (ConnectionId, UnboundedReceiver<Outgoing>),
    mut socket: WebSocket,
    mut stop: watch::Receiver<bool>,
) {
    let _left = Leaver { hub: connection.hub.clone(), id };
    loop {
        let (event, incoming) = tokio::select! {
            // What has happened is told before the next request is looked at.
            biased;
            event = events.recv() => (event, None),
            incoming = socket.next() => (None, incoming),
        };
        let said = match event {
            Some(Outgoing::Text(text)) => Some(Message::Text(text)),
            Some(Outgoing::Ping(payload)) => Some(Message::Ping(payload.into())),
            Some(Outgoing::BreakOff) => return,
            Some(Outgoing::Refuse(reason)) => {
                let frame = CloseFrame { code: close_code::POLICY, reason: reason.into() };
                let _ = socket.send(Message::Close(Some(frame))).await;
                // What the client still has on its way would reset the connection before it reads the farewell.
                while let Some(Ok(_)) = socket.next().await {}
                return;
            }
            // Nothing more will come.
            Some(Outgoing::Close) | None => None,
        };
        if let Some(message) = said {
            if socket.send(message).await.is_err() {
                return;
            }
            continue;
        }
        let text = match incoming {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Pong(payload))) => {
                connection.hub.lock().0.lifetimes.pong(id, &payload);
                continue;
            }
            // Pings are answered underneath; binary frames say nothing.
            Some(Ok(Message::Ping(_) | Message::Binary(_))) => continue,
            Some(Ok(Message::Close(_)) | Err(_)) => return,
            None => {
                // Whoever has gone already needs no farewell.
                let _ = socket.send(Message::Close(None)).await;
                return;
            }
        };
        let Answered { text, ends, delivery } = connection.answer(&text);
        if let Some(due) = delivery.not_before {
            tokio::select! {
                () = connection.hub.wait_until(due) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
        if delivery.drop {
            return;
        }
        if socket.send(Message::Text(text.into())).await.is_err() {
            return;
        }
        if ends {
            let frame = CloseFrame { code: close_code::POLICY, reason: "disconnected".into() };
            let _ = socket.send(Message::Close(Some(frame))).await;
            return;
        }
    }
}
