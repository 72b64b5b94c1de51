//! Who listens to what: connections, the stream names they subscribed to, and the frames that go to them.
//!
//! This is plain bookkeeping inside the mock's one lock. A connection's task takes its frames from a channel, so
//! nothing here ever waits for a socket, and every listener gets the frames in the order in which things happened.

use std::collections::BTreeMap;

use axum::extract::ws::Utf8Bytes;
use exchange_engine::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::listeners::Listeners;
use super::user;
use super::written::{Units, Written};
use crate::api::render::TimeUnit;
use crate::faults::{Faults, Told};

/// How many streams one connection may hear.
const STREAMS_MAX: usize = 1024;
const TOO_MANY: &str = r#"{"error":{"code":4,"msg":"Too many subscriptions"}}"#;

/// Counts of the WebSocket face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamStats {
    /// Connections since the start.
    pub connections_opened: u64,
    /// Connections now.
    pub connections_open: u64,
    /// Events sent to connections; answers to SUBSCRIBE and the like are not counted.
    pub frames_sent: u64,
}

/// What a connection's task has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outgoing {
    Text(Utf8Bytes),
    /// With this payload.
    Ping(String),
    Close,
    /// To break off, without a word.
    BreakOff,
    /// To close for breaking a rule.
    Refuse(&'static str),
}

/// Names a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(u64);

/// All connections of one mock.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    connections: BTreeMap<ConnectionId, Connection>,
    listeners: BTreeMap<String, Listeners>,
    opened: u64,
    frames_sent: u64,
    /// What may become of events, and of requests to the other faces.
    pub(crate) faults: Faults,
}

#[derive(Debug)]
struct Connection {
    // Whether events come wrapped as {"stream":..,"data":..}.
    combined: bool,
    unit: TimeUnit,
    // Whether it is one of the WebSocket API, which is told of the end in its own way.
    of_api: bool,
    names: Vec<String>,
    out: UnboundedSender<Outgoing>,
}

impl Streams {
    pub(crate) fn new(faults: Faults) -> Self {
        Self { faults, ..Self::default() }
    }

    pub(crate) fn connect(
        &mut self,
        combined: bool,
        unit: TimeUnit,
        names: Vec<String>,
    ) -> (ConnectionId, UnboundedReceiver<Outgoing>) {
        let (id, frames) = self.enter(combined, unit, false);
        self.subscribe(id, names);
        (id, frames)
    }

    /// Takes a connection of the WebSocket API on, which hears only what it is told alone.
    pub(crate) fn connect_api(&mut self, unit: TimeUnit) -> (ConnectionId, UnboundedReceiver<Outgoing>) {
        self.enter(false, unit, true)
    }

    fn enter(&mut self, combined: bool, unit: TimeUnit, of_api: bool) -> (ConnectionId, UnboundedReceiver<Outgoing>) {
        self.opened += 1;
        let id = ConnectionId(self.opened);
        let (out, frames) = unbounded_channel();
        self.connections.insert(id, Connection { combined, unit, of_api, names: Vec::new(), out });
        (id, frames)
    }

    pub(crate) fn disconnect(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.remove(&id) {
            for name in &connection.names {
                self.forget(name, id);
            }
        }
    }

    pub(crate) fn is_open(&self, id: ConnectionId) -> bool {
        self.connections.contains_key(&id)
    }

    pub(crate) fn send(&self, id: ConnectionId, frame: Outgoing) {
        if let Some(connection) = self.connections.get(&id) {
            // A connection whose task has ended is taken off by that task.
            let _ = connection.out.send(frame);
        }
    }

    /// Ends one connection with a last frame.
    pub(crate) fn end(&mut self, id: ConnectionId, farewell: Outgoing) {
        self.send(id, farewell);
        self.disconnect(id);
    }

    /// Tells every connection that the server is about to shut down.
    pub(crate) fn announce_shutdown(&self, now: Timestamp) {
        for connection in self.connections.values() {
            let event = user::server_shutdown(now, connection.unit);
            let text = match (connection.of_api, connection.combined) {
                (true, _) => format!(r#"{{"event":{event}}}"#),
                (false, true) => format!(r#"{{"stream":"!serverShutdown","data":{event}}}"#),
                (false, false) => event,
            };
            let _ = connection.out.send(Outgoing::Text(text.into()));
        }
    }

    /// Ends every connection.
    pub(crate) fn disconnect_all(&mut self) {
        for connection in std::mem::take(&mut self.connections).into_values() {
            // A connection that is gone already needs no farewell.
            let _ = connection.out.send(Outgoing::Close);
        }
        self.listeners.clear();
    }

    pub(crate) fn subscribe(&mut self, id: ConnectionId, names: Vec<String>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        for name in names {
            if !connection.names.contains(&name) {
                if connection.names.len() >= STREAMS_MAX {
                    let _ = connection.out.send(Outgoing::Text(TOO_MANY.into()));
                    self.end(id, Outgoing::Refuse("Too many subscriptions"));
                    return;
                }
                self.listeners.entry(name.clone()).or_default().insert(connection.unit, id);
                connection.names.push(name);
            }
        }
    }

    pub(crate) fn unsubscribe(&mut self, id: ConnectionId, names: &[String]) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.names.retain(|name| !names.contains(name));
        for name in names {
            self.forget(name, id);
        }
    }

    pub(crate) fn subscriptions(&self, id: ConnectionId) -> &[String] {
        self.connections.get(&id).map(|connection| connection.names.as_slice()).unwrap_or_default()
    }

    pub(crate) fn combined(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(|connection| connection.combined)
    }

    pub(crate) fn set_combined(&mut self, id: ConnectionId, combined: bool) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.combined = combined;
        }
    }

    /// Sends an answer to one connection.
    pub(crate) fn answer(&mut self, id: ConnectionId, text: String) {
        if let Some(connection) = self.connections.get(&id) {
            let _ = connection.out.send(Outgoing::Text(text.into()));
        }
    }

    /// Sends an event of an account to one connection of the WebSocket API.
    pub(crate) fn tell_one(&mut self, id: ConnectionId, write: impl Fn(TimeUnit) -> String) {
        let Some(unit) = self.connections.get(&id).map(|connection| connection.unit) else { return };
        let event = Written::of(Units::of(unit), write);
        let told = if self.faults.spare_events() {
            Told::Frames(vec![event])
        } else {
            // No stream is called so; faults know it as user data.
            self.faults.tell(&format!("connection {}", id.0), event)
        };
        match told {
            Told::Frames(frames) => {
                for text in frames.iter().filter_map(|frame| frame.text(unit)) {
                    if let Some(connection) = self.connections.get(&id)
                        && connection.out.send(Outgoing::Text(text.into())).is_ok()
                    {
                        self.frames_sent += 1;
                    }
                }
            }
            Told::Disconnect => self.end(id, Outgoing::BreakOff),
        }
    }

    /// Whether anybody listens at all: events need not even be looked at when nobody does.
    pub(crate) fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// The names of all streams that somebody hears, the ones that do not exist included.
    pub(crate) fn heard(&self) -> impl Iterator<Item = &str> {
        self.listeners.keys().map(String::as_str)
    }

    pub(crate) fn is_heard(&self, name: &str) -> bool {
        self.listeners.contains_key(name)
    }

    /// In which units of time a stream is wanted.
    pub(crate) fn units(&self, name: &str) -> Units {
        self.listeners.get(name).map(Listeners::units).unwrap_or_default()
    }

    /// Sends an event to all listeners of a stream. It is written only when there is one.
    pub(crate) fn publish(&mut self, name: &str, write: impl Fn(TimeUnit) -> String) {
        if self.listeners.contains_key(name) {
            self.publish_written(name, Written::of(self.units(name), write));
        }
    }

    /// Sends an event that is written to all listeners of a stream.
    pub(crate) fn publish_written(&mut self, name: &str, event: Written) {
        if self.faults.spare_events() {
            self.send_event(name, &event);
            return;
        }
        match self.faults.tell(name, event) {
            Told::Frames(frames) => frames.iter().for_each(|frame| self.send_event(name, frame)),
            Told::Disconnect => {
                for id in self.listeners.get(name).cloned().unwrap_or_default().ids() {
                    self.end(id, Outgoing::BreakOff);
                }
            }
        }
    }

    fn send_event(&mut self, name: &str, event: &Written) {
        for unit in [TimeUnit::Milliseconds, TimeUnit::Microseconds] {
            if let Some(text) = event.text(unit) {
                self.send_text(name, unit, text);
            }
        }
    }

    fn send_text(&mut self, name: &str, unit: TimeUnit, text: &str) {
        let Some(listeners) = self.listeners.get(name) else {
            return;
        };
        let raw = Utf8Bytes::from(text);
        let mut wrapped = None;
        for id in listeners.of(unit) {
            let Some(connection) = self.connections.get(id) else {
                continue;
            };
            let frame = if connection.combined {
                wrapped
                    .get_or_insert_with(|| {
                        let name = serde_json::Value::from(name);
                        Utf8Bytes::from(format!(r#"{{"stream":{name},"data":{raw}}}"#))
                    })
                    .clone()
            } else {
                raw.clone()
            };
            // A connection whose task has ended is taken off by that task.
            if connection.out.send(Outgoing::Text(frame)).is_ok() {
                self.frames_sent += 1;
            }
        }
    }

    /// Ends a stream: nobody hears it any more, and a connection that heard nothing else is closed.
    pub(crate) fn close_stream(&mut self, name: &str) {
        for id in self.listeners.remove(name).unwrap_or_default().ids() {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.names.retain(|known| known != name);
                if connection.names.is_empty() {
                    let _ = connection.out.send(Outgoing::Close);
                }
            }
        }
    }

    /// Ends a stream without a word: its connections stay open and hear nothing more of it.
    pub(crate) fn unsubscribe_all(&mut self, name: &str) {
        for id in self.listeners.remove(name).unwrap_or_default().ids() {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.names.retain(|known| known != name);
            }
        }
    }

    pub(crate) fn stats(&self) -> StreamStats {
        StreamStats {
            connections_opened: self.opened,
            connections_open: u64::try_from(self.connections.len()).unwrap_or(u64::MAX),
            frames_sent: self.frames_sent,
        }
    }

    fn forget(&mut self, name: &str, id: ConnectionId) {
        if let Some(listeners) = self.listeners.get_mut(name) {
            listeners.remove(id);
            if listeners.is_empty() {
                self.listeners.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: TimeUnit = TimeUnit::Milliseconds;

    fn texts(frames: &mut UnboundedReceiver<Outgoing>) -> Vec<String> {
        let mut texts = Vec::new();
        while let Ok(frame) = frames.try_recv() {
            texts.push(match frame {
                Outgoing::Text(text) => text.to_string(),
                other => format!("{other:?}").to_lowercase(),
            });
        }
        texts
    }

    #[test]
    fn raw_and_combined_listeners_hear_the_same_event() {
        let mut streams = Streams::default();
        let (_, mut raw) = streams.connect(false, MILLI, vec!["a".into()]);
        let (_, mut combined) = streams.connect(true, MILLI, vec!["b".into(), "a".into(), "a".into()]);
        streams.publish("a", |_| "{}".into());
        assert_eq!(texts(&mut raw), ["{}"]);
        assert_eq!(texts(&mut combined), [r#"{"stream":"a","data":{}}"#]);
        assert_eq!(streams.stats().frames_sent, 2);
    }

    #[test]
    fn nobody_listens_after_unsubscribing_or_leaving() {
        let mut streams = Streams::default();
        let (first, mut frames) = streams.connect(false, MILLI, vec!["a".into(), "b".into()]);
        streams.unsubscribe(first, &["a".into()]);
        streams.publish("a", |_| unreachable!("nobody listens"));
        assert_eq!(streams.subscriptions(first), ["b"]);
        streams.disconnect(first);
        assert!(streams.is_empty());
        assert_eq!(texts(&mut frames), Vec::<String>::new());
        assert_eq!(streams.stats().connections_open, 0);
    }

    #[test]
    fn closing_a_stream_ends_connections_that_heard_nothing_else() {
        let mut streams = Streams::default();
        let (_, mut only) = streams.connect(false, MILLI, vec!["key".into()]);
        let (_, mut more) = streams.connect(false, MILLI, vec!["key".into(), "a".into()]);
        streams.close_stream("key");
        streams.publish("key", |_| unreachable!("nobody listens"));
        streams.publish("a", |_| "1".into());
        assert_eq!(texts(&mut only), ["close"]);
        assert_eq!(texts(&mut more), ["1"]);
    }
}
