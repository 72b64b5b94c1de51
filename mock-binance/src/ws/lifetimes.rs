//! How long connections live: pings that must be answered, frames a second, and a day at most.

use std::collections::BTreeMap;

use exchange_engine::Timestamp;

use super::streams::{ConnectionId, Outgoing, Streams};
use crate::api::error::ApiError;

const PING_MILLIS: u64 = 20 * 1000;
const PONG_MILLIS: u64 = 60 * 1000;
const DAY_MILLIS: u64 = 24 * 60 * 60 * 1000;
/// How many frames a client of the streams may send in a second; the WebSocket API counts weight instead.
pub(crate) const FRAMES_PER_SECOND: u32 = 5;
/// How many connections an address may open in each of these spans, as live.
pub(crate) const CONNECTIONS_MAX: u32 = 300;
const CONNECTIONS_SECS: u64 = 5 * 60;

/// The watched connections; none where the rules do not hold.
#[derive(Debug)]
pub(crate) struct Lifetimes {
    /// How many connections an address may open in a span, where the rules hold.
    connections_max: Option<u32>,
    watched: BTreeMap<ConnectionId, Watched>,
    /// The span of time in which connections are counted,
    span: u64,
    /// and how many each address has opened in it.
    opened: BTreeMap<u32, u32>,
}

#[derive(Debug)]
struct Watched {
    ends: Timestamp,
    next_ping: Timestamp,
    // The first ping without an answer.
    unanswered: Option<Timestamp>,
    second: u64,
    frames: u32,
    frames_max: Option<u32>,
}

impl Watched {
    fn pong_by(&self) -> Timestamp {
        self.unanswered.map_or(Timestamp::MAX, |ping| ping.plus_millis(PONG_MILLIS))
    }
}

impl Lifetimes {
    pub(crate) const fn new(connections_max: Option<u32>) -> Self {
        Self { connections_max, watched: BTreeMap::new(), span: 0, opened: BTreeMap::new() }
    }

    /// Watches nobody any more.
    pub(crate) fn clear(&mut self) {
        self.watched.clear();
        self.opened.clear();
    }

    /// Whether an address may open one connection more.
    pub(crate) fn admit(&mut self, source: u32, now: Timestamp) -> Result<(), ApiError> {
        let Some(most) = self.connections_max else { return Ok(()) };
        let span = now.as_secs() / CONNECTIONS_SECS;
        if self.span != span {
            self.span = span;
            self.opened.clear();
        }
        let opened = self.opened.entry(source).or_default();
        if *opened >= most {
            let retry_after_s = (span + 1) * CONNECTIONS_SECS - now.as_secs();
            return Err(ApiError::TooManyRequests { retry_after_s });
        }
        *opened += 1;
        Ok(())
    }

    /// Watches a connection, whose client may send so many frames in a second.
    pub(crate) fn watch(&mut self, id: ConnectionId, now: Timestamp, frames_max: Option<u32>) {
        if self.connections_max.is_some() {
            let watched = Watched {
                ends: now.plus_millis(DAY_MILLIS),
                next_ping: now.plus_millis(PING_MILLIS),
                unanswered: None,
                second: now.as_secs(),
                frames: 0,
                frames_max,
            };
            self.watched.insert(id, watched);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.watched.values().map(|watched| watched.ends.min(watched.next_ping).min(watched.pong_by())).min()
    }

    /// Pings whom it is time to ping, and ends what has lived long enough or does not answer.
    pub(crate) fn run_due(&mut self, now: Timestamp, streams: &mut Streams) {
        self.watched.retain(|id, watched| {
            if watched.ends <= now {
                streams.end(*id, Outgoing::Close);
                return false;
            }
            if watched.pong_by() <= now {
                streams.end(*id, Outgoing::Refuse("Pong timeout"));
                return false;
            }
            if watched.next_ping <= now {
                watched.next_ping = now.plus_millis(PING_MILLIS);
                watched.unanswered.get_or_insert(now);
                streams.send(*id, Outgoing::Ping(now.as_millis().to_string()));
            }
            streams.is_open(*id)
        });
    }

    /// Takes a pong. Only one with the payload of a ping is an answer.
    pub(crate) fn pong(&mut self, id: ConnectionId, payload: &[u8]) {
        let sent = std::str::from_utf8(payload).ok().and_then(|text| text.parse::<u64>().ok());
        if let (Some(watched), Some(sent)) = (self.watched.get_mut(&id), sent)
            && watched.unanswered.is_some_and(|ping| ping.as_millis() <= sent)
        {
            watched.unanswered = None;
        }
    }

    /// Counts a frame from the client; whether it may still be looked at.
    pub(crate) fn count(&mut self, id: ConnectionId, now: Timestamp, streams: &mut Streams) -> bool {
        let Some(watched) = self.watched.get_mut(&id) else {
            return true;
        };
        if watched.second != now.as_secs() {
            (watched.second, watched.frames) = (now.as_secs(), 0);
        }
        watched.frames += 1;
        let within = watched.frames_max.is_none_or(|most| watched.frames <= most);
        if !within {
            streams.end(id, Outgoing::Refuse("Too many requests"));
        }
        within
    }
}
