//! Snapshots: the whole exchange as it stood at one moment, kept under a name.
//!
//! A snapshot holds what follows from requests, control and time: engine and journal, the house, moving markets,
//! request weights and bans, listen keys, faults with what they have met, the transcript, and the time of a manual
//! clock. It does not hold what belongs to sockets: restoring one ends every WebSocket connection, and answers that a
//! fault holds back are given at once.

use std::collections::BTreeMap;

use exchange_engine::{Exchange, RequestWeights, Timestamp};
use serde::Serialize;

use crate::bans::{Bans, Sources};
use crate::faults::Faults;
use crate::house::House;
use crate::listen_keys::ListenKeyStore;
use crate::market::Markets;
use crate::state::State;
use crate::strategy::Strategies;
use crate::transcript::Transcript;
use crate::ws::{Cadence, Subscriptions};

/// How many can be kept; each is a whole copy of the exchange.
pub(crate) const SNAPSHOTS_MAX: usize = 32;

/// What a list of snapshots tells of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotInfo {
    /// Under which it was taken.
    pub name: String,
    /// The mock's time then, in milliseconds since the epoch.
    pub at_ms: u64,
    /// How many facts stood in the journal.
    pub facts: u64,
}

/// The exchange at one moment.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) at: Timestamp,
    exchange: Exchange,
    house: House,
    markets: Markets,
    weights: RequestWeights,
    sources: Sources,
    bans: Bans,
    listen_keys: ListenKeyStore,
    faults: Faults,
    transcript: Transcript,
    strategies: Strategies,
}

/// The snapshots of one mock: the one that was taken at its start, and those with names.
pub(crate) struct Snapshots {
    pub(crate) start: Snapshot,
    pub(crate) named: BTreeMap<String, Snapshot>,
}

impl Snapshots {
    pub(crate) fn new(start: Snapshot) -> Self {
        Self { start, named: BTreeMap::new() }
    }

    pub(crate) fn list(&self) -> Vec<SnapshotInfo> {
        self.named.iter().map(|(name, snapshot)| snapshot.info(name)).collect()
    }
}

impl Snapshot {
    pub(crate) fn info(&self, name: &str) -> SnapshotInfo {
        SnapshotInfo { name: name.to_owned(), at_ms: self.at.as_millis(), facts: self.exchange.journal().len() }
    }
}

impl State {
    pub(crate) fn snapshot(&self, now: Timestamp) -> Snapshot {
        // Each field is named, so that a new one is thought of here.
        let Self {
            exchange,
            house,
            markets,
            weights,
            sources,
            bans,
            listen_keys,
            streams,
            transcript,
            strategies,
            // These do not change while the mock runs,
            symbols: _,
            accounts: _,
            reference_prices: _,
            commissions: _,
            listen_key_mode: _,
            // and these belong to sockets.
            subscriptions: _,
            lifetimes: _,
            timers: _,
            cadence: _,
            events: _,
        } = self;
        Snapshot {
            at: now,
            exchange: exchange.clone(),
            house: house.clone(),
            markets: markets.clone(),
            weights: weights.clone(),
            sources: sources.clone(),
            bans: bans.clone(),
            listen_keys: listen_keys.clone(),
            faults: streams.faults.clone(),
            transcript: transcript.clone(),
            strategies: strategies.clone(),
        }
    }

    /// Makes everything as it was. Connections end; answers that were held back are given.
    pub(crate) fn restore(&mut self, snapshot: Snapshot) {
        let Snapshot {
            at: _,
            exchange,
            house,
            markets,
            weights,
            sources,
            bans,
            listen_keys,
            faults,
            transcript,
            strategies,
        } = snapshot;
        self.exchange = exchange;
        self.house = house;
        self.markets = markets;
        self.weights = weights;
        self.sources = sources;
        self.bans = bans;
        self.listen_keys = listen_keys;
        self.transcript = transcript;
        self.strategies = strategies;
        self.streams.faults = faults;
        self.streams.disconnect_all();
        self.subscriptions = Subscriptions::default();
        self.lifetimes.clear();
        self.cadence = Cadence::default();
        self.timers.release();
    }
}
