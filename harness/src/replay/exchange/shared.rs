//! What the two hosts of a tape share.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::super::bindings::Bindings;
use super::super::deck::Deck;
use super::super::miss::Miss;
use super::super::outcome::{Outcome, Played};
use super::super::player::Player;
use super::super::script::Reading;
use super::super::stand_ins::StandIns;
use super::host::ExchangeOptions;
use super::rest::{Reply, Rest};
use super::tape::{Connection, Said, address};
use crate::cassette::{BadRule, Redactor};
use crate::record::RestRequest;

/// A tape that is served.
pub(super) struct Shared {
    state: Mutex<State>,
    /// The requests of the tape that were given an answer.
    given: watch::Sender<BTreeSet<u64>>,
    /// Messages of streams that wait for their time, or for what they followed.
    pub(super) unsent: AtomicUsize,
    pub(super) options: ExchangeOptions,
    origin_ms: u64,
}

struct State {
    rest: Rest,
    words: StandIns,
    connections: Deck<Connection>,
    streams: Vec<Connection>,
    opened: u64,
    misses: Vec<Miss>,
    players: Vec<Arc<Mutex<Player>>>,
}

/// A connection of the tape, for a live one.
pub(super) struct Opened {
    pub(super) player: Arc<Mutex<Player>>,
    /// With which code it is closed when everything has been said, if it is.
    pub(super) closed: Option<u16>,
    /// When it was opened on the tape.
    pub(super) since_ms: u64,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(said: Said, options: ExchangeOptions) -> Result<Self, BadRule> {
        let redactor = Redactor::new(&options.redact)?;
        let Said { requests, connections, streams, origin_ms } = said;
        let state = State {
            rest: Rest::new(requests, redactor, origin_ms, options.overlay.clone()),
            words: StandIns::default(),
            connections,
            streams,
            opened: 0,
            misses: Vec::new(),
            players: Vec::new(),
        };
        let (given, _) = watch::channel(BTreeSet::new());
        Ok(Self { state: Mutex::new(state), given, unsent: AtomicUsize::new(0), options, origin_ms })
    }

    /// The answer to a request.
    pub(super) fn answer(&self, request: &RestRequest) -> Reply {
        let now_ms = self.options.refresh.as_ref().map(|now| now());
        let (reply, seq) = {
            let State { rest, words, .. } = &mut *lock(&self.state);
            rest.answer(request, words, now_ms)
        };
        if let Some(seq) = seq {
            self.given.send_modify(|given| {
                given.insert(seq);
            });
        }
        reply
    }

    /// The connection of the tape for a live one, or why there is none.
    pub(super) fn open(&self, target: &str) -> Result<Opened, String> {
        let state = &mut *lock(&self.state);
        state.opened += 1;
        let target = state.words.take_back(target);
        let taken = state.connections.take(state.opened, &address(&target), &mut Bindings::default());
        let (reading, closed, since_ms) = match taken {
            Ok(place) => {
                let entry = state.connections.get_mut(place).map(|entry| &mut entry.content);
                entry.map_or((None, None, 0), |entry| (entry.reading.take(), entry.closed, entry.since_ms))
            }
            // How these were opened is not on the tape, so that any way is theirs.
            Err(_) if !state.streams.is_empty() => (state.streams.remove(0).reading, None, 0),
            Err(miss) => {
                let told = miss.to_string();
                state.misses.push(miss);
                return Err(told);
            }
        };
        let redactor = Redactor::new(&self.options.redact).map_err(|error| error.to_string())?;
        let script = reading.map(Reading::script).ok_or("the connection was given before")?;
        let player = Arc::new(Mutex::new(Player::of(script, redactor).with_overlay(self.options.overlay.clone())));
        state.players.push(player.clone());
        Ok(Opened { player, closed, since_ms })
    }

    /// A frame of a client in the words of the tape.
    pub(super) fn take_back(&self, frame: &str) -> String {
        lock(&self.state).words.take_back(frame)
    }

    /// A frame of the tape as a client is told it.
    pub(super) fn hand_out(&self, frame: &str) -> String {
        lock(&self.state).words.hand_out(frame)
    }

    /// By how much the times of a connection that was opened then are moved, if they are.
    pub(super) fn passed_ms(&self, opened_ms: u64) -> Option<i64> {
        let now_ms = self.options.refresh.as_ref().map(|now| now())?;
        let then_ms = self.origin_ms.saturating_add(opened_ms);
        i64::try_from(i128::from(now_ms) - i128::from(then_ms)).ok()
    }

    /// Waits until a request of the tape was given.
    pub(super) async fn followed(&self, gate: Option<u64>) {
        let Some(gate) = gate.filter(|_| !self.options.free_streams) else { return };
        let mut given = self.given.subscribe();
        // The sender lives as long as this does.
        let _ = given.wait_for(|given| given.contains(&gate)).await;
    }

    pub(super) fn outcome(&self) -> Outcome {
        let state = lock(&self.state);
        let mut outcome = Outcome { unsent: self.unsent.load(Ordering::Relaxed), ..Outcome::default() };
        state.rest.tell(&mut outcome);
        outcome.misses.extend(state.misses.iter().cloned());
        for entry in state.connections.entries() {
            let played = Played { seq: entry.seq, label: entry.asked.label.clone(), request: entry.given_to };
            let list = if entry.given_to.is_some() { &mut outcome.played } else { &mut outcome.unplayed };
            list.push(played);
        }
        for player in &state.players {
            outcome.extend(lock(player).outcome());
        }
        // Every wire tells of the same faults.
        outcome.unmet = self.options.overlay.unmet();
        outcome
    }
}
