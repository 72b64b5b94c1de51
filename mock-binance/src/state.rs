//! Everything that a mock holds, behind one short lock that both faces share.
//!
//! ```text
//!  REST (axum tasks) ─────────┐                      ┌──▶ streams: a channel to each connection
//!  WebSocket (axum tasks) ────┼─▶ Mutex<State> ──────┤
//!  the test itself ───────────┘   engine, keys, ..   └──▶ transcript
//! ```
//!
//! Nothing waits while it holds the lock: what goes to a socket goes through a channel.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use exchange_engine::{
    AccountId, Command, Commissions, Event, Exchange, OrderId, Outcome, Price, Rejection, Reply, RequestWeights,
    Timestamp,
};
use tokio::sync::Notify;

use crate::account::Accounts;
use crate::bans::{Bans, Sources as Addresses};
use crate::clock::{Clock, Deadlines};
use crate::faults::{Faults, Timers};
use crate::house::{House, MoveError};
use crate::listen_keys::{ListenKeyStore, ListenKeys};
use crate::market::Markets;
use crate::mover::Deal;
use crate::snapshot::Snapshots;
use crate::strategy::{Strategies, Strategy};
use crate::symbols::Symbols;
use crate::transcript::{Asked, REDACTED, RequestRecord, Transcript, is_secret_name};
use crate::ws::streams::ConnectionId;
use crate::ws::subscriptions::{Subscription, envelope};
use crate::ws::{Cadence, Lifetimes, Sources, Streams, Subscriptions, tell, user};

/// What the faces share.
pub(crate) struct Hub {
    state: Mutex<State>,
    clock: Clock,
    /// Locked after the state, never before it.
    pub(crate) snapshots: Mutex<Snapshots>,
    /// Told whenever the next deadline may have changed.
    pub(crate) deadline_moved: Notify,
}

/// What the lock guards.
pub(crate) struct State {
    pub(crate) exchange: Exchange,
    pub(crate) symbols: Symbols,
    pub(crate) accounts: Accounts,
    pub(crate) house: House,
    pub(crate) markets: Markets,
    pub(crate) reference_prices: BTreeMap<String, Price>,
    /// Of symbols that have none of their own: what an account is told to pay.
    pub(crate) commissions: Commissions,
    pub(crate) weights: RequestWeights,
    pub(crate) sources: Addresses,
    pub(crate) bans: Bans,
    pub(crate) listen_keys: ListenKeyStore,
    pub(crate) listen_key_mode: ListenKeys,
    pub(crate) streams: Streams,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) timers: Timers,
    pub(crate) cadence: Cadence,
    pub(crate) transcript: Transcript,
    pub(crate) strategies: Strategies,
    // Used again for each command, so that an order costs no allocation for its events.
    pub(crate) events: Vec<Event>,
}

/// The parts of a [`State`] that are chosen from outside.
pub(crate) struct Parts {
    pub(crate) exchange: Exchange,
    pub(crate) symbols: Symbols,
    pub(crate) accounts: Accounts,
    pub(crate) house: House,
    pub(crate) markets: Markets,
    pub(crate) reference_prices: BTreeMap<String, Price>,
    pub(crate) commissions: Commissions,
    pub(crate) bans: Bans,
    pub(crate) listen_key_mode: ListenKeys,
    /// How many connections an address may open in five minutes, where the rules of connections hold.
    pub(crate) connections_max: Option<u32>,
    pub(crate) seed: u64,
    pub(crate) keep_requests: usize,
}

impl State {
    pub(crate) fn new(parts: Parts) -> Self {
        let weights = RequestWeights::new(&parts.exchange.spec().limits);
        Self {
            exchange: parts.exchange,
            symbols: parts.symbols,
            accounts: parts.accounts,
            house: parts.house,
            markets: parts.markets,
            reference_prices: parts.reference_prices,
            commissions: parts.commissions,
            weights,
            sources: Addresses::default(),
            bans: parts.bans,
            listen_keys: ListenKeyStore::new(parts.seed),
            listen_key_mode: parts.listen_key_mode,
            streams: Streams::new(Faults::new(parts.seed)),
            subscriptions: Subscriptions::default(),
            lifetimes: Lifetimes::new(parts.connections_max),
            timers: Timers::default(),
            cadence: Cadence::default(),
            transcript: Transcript::new(parts.keep_requests),
            strategies: Strategies::default(),
            events: Vec::new(),
        }
    }

    /// Marks an order that is about to be placed.
    pub(crate) fn mark_strategy(&mut self, order: OrderId, strategy: Strategy) {
        let Self { strategies, exchange, .. } = self;
        strategies.mark(order, strategy, |one| exchange.knows(one));
    }

    /// Carries out a command and tells the streams what came of it.
    pub(crate) fn apply(&mut self, now: Timestamp, account: AccountId, command: &Command) -> Result<Reply, Rejection> {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        let reply = self.exchange.apply_into(now, account, command, &mut events);
        self.house.after(&mut self.exchange, now, &mut events);
        self.tell(&events);
        self.events = events;
        reply
    }

    /// As [`apply`](Self::apply), for a caller who wants to see the events of the command itself.
    pub(crate) fn apply_and_show(&mut self, now: Timestamp, account: AccountId, command: &Command) -> Outcome {
        let mut outcome = self.exchange.apply(now, account, command);
        let shown = outcome.events.len();
        self.house.after(&mut self.exchange, now, &mut outcome.events);
        self.tell(&outcome.events);
        outcome.events.truncate(shown);
        outcome
    }

    /// Moves a symbol's market to a price: the last price, the book round it and what follows from a trade there.
    /// Clients' orders on the way trade, and stop orders that are reached are placed; what these trade comes after.
    pub(crate) fn move_market(&mut self, now: Timestamp, symbol: &str, price: Price) -> Result<(), MoveError> {
        let name = || symbol.to_owned();
        let id = self.symbols.id(symbol).ok_or_else(|| MoveError::NoProvider { symbol: name() })?;
        let price = self.exchange.spec().symbol(id).map_or(price, |spec| crate::market::on_tick(spec, price));
        if !price.is_positive() {
            return Err(MoveError::PriceNotPositive { symbol: name() });
        }
        let mut events = Vec::new();
        let moved = self.house.move_to(&mut self.exchange, now, id, Deal::at(price), &mut events);
        self.tell(&events);
        match moved {
            None => Err(MoveError::NoProvider { symbol: name() }),
            Some(outcome) => outcome.map_err(|source| MoveError::Refused { symbol: name(), price, source }),
        }
    }

    /// Lets happen what is due: orders that end by themselves, markets that move, listen keys that expire.
    pub(crate) fn run_due(&mut self, now: Timestamp) {
        let mut events = Vec::new();
        self.markets.run_due(now, &mut self.exchange, &mut self.house, &mut events);
        events.append(&mut self.exchange.on_time(now));
        self.house.after(&mut self.exchange, now, &mut events);
        self.tell(&events);
        for key in self.listen_keys.expire(now) {
            self.streams.publish(&key, |unit| user::listen_key_expired(&key, now, unit));
            self.streams.unsubscribe_all(&key);
        }
        self.lifetimes.run_due(now, &mut self.streams);
        self.cadence.run_due(now, &self.exchange, &self.symbols, &mut self.streams);
        self.timers.run_due(now);
    }

    /// Ends those subscriptions of a connection that are meant, each with a last word. Gives how many there were.
    pub(crate) fn end_subscriptions(
        &mut self,
        connection: ConnectionId,
        now: Timestamp,
        meant: impl Fn(&Subscription) -> bool,
    ) -> usize {
        let ended = self.subscriptions.close(connection, meant);
        for id in &ended {
            self.streams.tell_one(connection, |unit| envelope(*id, &user::event_stream_terminated(now, unit)));
        }
        ended.len()
    }

    /// Remembers a request without its secrets.
    pub(crate) fn record(&mut self, now: Timestamp, asked: &Asked<'_>) {
        let clean = |text: &str| -> String {
            let secret = self.accounts.are_told_by(text);
            if secret { REDACTED.to_owned() } else { self.listen_keys.label(text).unwrap_or_else(|| text.to_owned()) }
        };
        let params = asked
            .params
            .iter()
            .map(|(name, value)| {
                let value = if is_secret_name(name) { REDACTED.to_owned() } else { clean(value) };
                (clean(name), value)
            })
            .collect();
        let key = asked
            .key
            .filter(|key| !key.is_empty())
            .map(|key| self.accounts.get(key).map_or_else(|| "unknown".to_owned(), |account| account.label.clone()));
        let record = RequestRecord {
            seq: 0,
            at_ms: now.as_millis(),
            method: asked.method.to_owned(),
            path: clean(asked.path),
            params,
            key,
            status: asked.status,
            code: asked.code,
            weight: asked.weight,
            faults: asked.faults.to_vec(),
            user_agent: asked.user_agent.map(clean),
        };
        self.transcript.push(record);
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let exchange = self.exchange.next_deadline();
        let keys = self.listen_keys.next_deadline();
        let streams = self.cadence.next_deadline().into_iter().chain(self.lifetimes.next_deadline());
        let others = self.timers.next_deadline().into_iter().chain(self.markets.next_deadline());
        exchange.into_iter().chain(keys).chain(streams).chain(others).min()
    }

    /// Begins to follow the streams that have come to be heard.
    pub(crate) fn follow_streams(&mut self, now: Timestamp) {
        self.cadence.follow(now, &self.exchange, &self.symbols, &self.streams);
    }

    fn tell(&mut self, events: &[Event]) {
        if self.streams.is_empty() && self.subscriptions.is_empty() {
            return;
        }
        let sources = Sources {
            exchange: &self.exchange,
            symbols: &self.symbols,
            keys: &self.listen_keys,
            subscriptions: &self.subscriptions,
            strategies: &self.strategies,
        };
        tell(&mut self.streams, sources, events);
    }
}

impl Hub {
    pub(crate) fn new(state: State, clock: Clock) -> Self {
        let snapshots = Snapshots::new(state.snapshot(clock.now()));
        Self { state: Mutex::new(state), clock, snapshots: Mutex::new(snapshots), deadline_moved: Notify::new() }
    }

    /// The state, and the time at which it is looked at. What fell due before is done first, so that nobody ever
    /// sees a listen key that has expired.
    pub(crate) fn lock(&self) -> (MutexGuard<'_, State>, Timestamp) {
        let mut state = self.lock_as_is();
        let now = self.clock.now();
        if state.next_deadline().is_some_and(|due| due <= now) {
            state.run_due(now);
        }
        (state, now)
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The state as it stands, without what fell due meanwhile.
    pub(crate) fn lock_as_is(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the mock's clock has come so far.
    pub(crate) async fn wait_until(&self, due: Timestamp) {
        let told = {
            let (mut state, now) = self.lock();
            if now >= due {
                return;
            }
            state.timers.at(due)
        };
        self.deadline_moved.notify_one();
        // The sender goes away only with the mock.
        let _ = told.await;
    }
}

impl Deadlines for Hub {
    fn next_deadline_us(&self) -> Option<u64> {
        let state = self.lock_as_is();
        state.next_deadline().map(Timestamp::as_micros)
    }

    fn run_due(&self) {
        // Locking does it.
        drop(self.lock());
    }
}
