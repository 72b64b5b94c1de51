//! The exchange: requests in; replies, events and facts out.

use crate::command::{Command, NewOrder};
use crate::decide::{self, Match};
use crate::event::{CanceledOrder, Event, ExecutionKind, Outcome, Reply};
use crate::fact::{Closing, Fact, Request};
use crate::ids::{AccountId, AssetId, OrderId, SymbolId};
use crate::journal::Journal;
use crate::order::{ExpiryReason, Fill};
use crate::rejection::Rejection;
use crate::report::{self, Touched};
use crate::spec::{ExchangeSpec, SpecError, SymbolStatus};
use crate::state::{Slot, State};
use crate::time::Timestamp;

/// A spot exchange. Two are equal when they have lived through the same.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub(crate) state: State,
    journal: Journal,
    room: Room,
}

/// Lists that are used again for every command; empty between commands.
#[derive(Debug, Clone, Default)]
struct Room {
    plan: Vec<Fact>,
    matches: Vec<Match>,
    touched: Touched,
}

impl PartialEq for Exchange {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state && self.journal == other.journal
    }
}

impl Eq for Exchange {}

/// A journal that this specification could not have written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The specification itself is at fault.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// An entry that does not follow from those before it.
    #[error("journal entry {seq} does not follow from those before it: replay it with the specification that wrote it")]
    Entry {
        /// Its place.
        seq: u64,
    },
}

impl Exchange {
    /// An exchange on which nothing has happened; only the account of the commissions exists.
    pub fn new(spec: ExchangeSpec) -> Result<Self, SpecError> {
        spec.validate()?;
        Ok(Self { state: State::new(spec), journal: Journal::default(), room: Room::default() })
    }

    /// The exchange that has lived through this journal.
    pub fn replay(spec: ExchangeSpec, journal: &Journal) -> Result<Self, ReplayError> {
        let mut exchange = Self::new(spec)?;
        for entry in journal {
            let evolved = exchange.state.evolve(entry.at, &entry.fact);
            evolved.map_err(|_| ReplayError::Entry { seq: entry.seq })?;
            exchange.journal.push(entry.at, &entry.fact);
        }
        Ok(exchange)
    }

    /// What the exchange was built from.
    pub const fn spec(&self) -> &ExchangeSpec {
        &self.state.spec
    }

    /// Everything that happened.
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The latest moment at which anything happened.
    pub const fn clock(&self) -> Timestamp {
        self.state.clock
    }

    /// Opens an account with nothing in it. Refusal: `Overflow`, when there are too many.
    pub fn open_account(&mut self, now: Timestamp) -> Result<AccountId, Rejection> {
        self.open(now, false)
    }

    /// Opens the account of a liquidity provider: as any other, except that its orders are not counted.
    pub fn open_provider(&mut self, now: Timestamp) -> Result<AccountId, Rejection> {
        self.open(now, true)
    }

    fn open(&mut self, now: Timestamp, provider: bool) -> Result<AccountId, Rejection> {
        let now = now.max(self.state.clock);
        let account = u32::try_from(self.state.account_count()).map(AccountId).map_err(|_| Rejection::Overflow)?;
        self.commit(now, &Fact::AccountOpened { account, provider });
        Ok(account)
    }

    /// Carries out one request: decides what happens, or refuses and changes nothing but the journal.
    ///
    /// Deadlines up to `now` are met first. Time never runs backwards: an earlier `now` counts as the latest one.
    pub fn apply(&mut self, now: Timestamp, account: AccountId, command: &Command) -> Outcome {
        let mut events = Vec::new();
        let reply = self.apply_into(now, account, command, &mut events);
        Outcome { reply, events }
    }

    /// As [`apply`](Self::apply), with the events appended to a list that the caller may use again.
    pub fn apply_into(
        &mut self,
        now: Timestamp,
        account: AccountId,
        command: &Command,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let now = now.max(self.state.clock);
        self.meet_deadlines(now, events);
        let mut room = std::mem::take(&mut self.room);
        room.plan.clear();
        room.touched.clear();
        let decided = self.decide(now, account, command, &mut room);
        let reply = match decided {
            Ok(answer) => {
                let tops = report::top_of(&self.state, command);
                let first = events.len();
                self.carry_out(now, &mut room, events);
                // The answer is about the request alone; what it sets off beyond that comes after.
                let reply = self.answer(answer, account, events.get(first..).unwrap_or_default());
                if let Command::Place(order) = command {
                    self.release_stops(now, order.symbol, &mut room, events);
                }
                report::balances(&self.state, now, &room.touched, events);
                report::book_top(&self.state, now, tops, events);
                reply
            }
            Err(cause) => {
                let fact = Fact::Rejected { account, request: Request::of(command), cause };
                self.commit(now, &fact);
                Err(cause)
            }
        };
        self.room = room;
        reply
    }

    fn decide(
        &self,
        now: Timestamp,
        account: AccountId,
        command: &Command,
        room: &mut Room,
    ) -> Result<Answer, Rejection> {
        let Room { plan, matches, .. } = room;
        match command {
            Command::Place(order) => decide::place(&self.state, now, account, order, matches, plan).map(Answer::Placed),
            Command::Cancel(request) => {
                plan.push(decide::cancel(&self.state, now, account, request)?);
                Ok(Answer::Canceled)
            }
            Command::CancelAll { symbol } => {
                decide::cancel_all(&self.state, now, account, *symbol, plan)?;
                Ok(Answer::CanceledAll)
            }
            Command::Deposit { asset, amount } => {
                plan.push(decide::deposit(&self.state, account, *asset, *amount)?);
                Ok(Answer::Balance(*asset))
            }
            Command::Withdraw { asset, amount } => {
                plan.push(decide::withdraw(&self.state, account, *asset, *amount)?);
                Ok(Answer::Balance(*asset))
            }
        }
    }

    fn carry_out(&mut self, now: Timestamp, room: &mut Room, events: &mut Vec<Event>) {
        for fact in &room.plan {
            self.commit(now, fact);
            report::fact(&self.state, now, fact, &mut room.touched, events);
        }
    }

    /// Places the orders whose stop prices were reached, one after the other, and those that they set off in turn.
    /// Each order is triggered once, so this comes to an end.
    fn release_stops(&mut self, now: Timestamp, symbol: SymbolId, room: &mut Room, events: &mut Vec<Event>) {
        while let Some(slot) = self.state.market(symbol).and_then(|market| market.stops.next_due()) {
            let order = slot.id();
            room.plan.clear();
            room.plan.push(Fact::Triggered { order });
            self.carry_out(now, room, events);
            room.plan.clear();
            let Room { plan, matches, .. } = room;
            if decide::release(&self.state, now, slot, matches, plan).is_err() {
                plan.clear();
                plan.push(Fact::Closed { order, closing: Closing::Expired(ExpiryReason::Rejected) });
            }
            self.carry_out(now, room, events);
        }
    }

    /// Makes a decided fact so, and writes it down.
    fn commit(&mut self, now: Timestamp, fact: &Fact) {
        let evolved = self.state.evolve(now, fact);
        assert!(evolved.is_ok(), "a decided fact does not fit the state it was decided on: {fact}");
        self.journal.push(now, fact);
    }

    fn answer(&self, answer: Answer, account: AccountId, events: &[Event]) -> Result<Reply, Rejection> {
        let canceled = |event: &Event| match event {
            Event::Execution(execution) => match execution.kind {
                ExecutionKind::Canceled(cancel_id) => Some(CanceledOrder { order: execution.order, cancel_id }),
                _ => None,
            },
            _ => None,
        };
        match answer {
            Answer::Placed(id) => {
                let order = Slot::of(id).and_then(|slot| self.state.view(slot)).ok_or(Rejection::UnknownOrder)?;
                let fills: Vec<Fill> = events.iter().filter_map(|event| report::fill_of(event, id)).collect();
                Ok(Reply::Placed { order, fills })
            }
            Answer::Canceled => events.iter().find_map(canceled).map(Reply::Canceled).ok_or(Rejection::UnknownOrder),
            Answer::CanceledAll => Ok(Reply::CanceledAll(events.iter().filter_map(canceled).collect())),
            Answer::Balance(asset) => self.balance(account, asset).map(Reply::Balance).ok_or(Rejection::UnknownAsset),
        }
    }

    /// Whether an order would pass the symbol's rules and filters, as `order/test` asks: neither balances nor the
    /// book nor order counts are looked at.
    pub fn check(&self, now: Timestamp, account: AccountId, order: &NewOrder) -> Result<(), Rejection> {
        decide::check(&self.state, now.max(self.state.clock), account, order)
    }

    /// The operator changes a symbol's status, for good or until a moment at which TRADING comes back by itself.
    pub fn set_status(
        &mut self,
        now: Timestamp,
        symbol: SymbolId,
        status: SymbolStatus,
        until: Option<Timestamp>,
    ) -> Result<Vec<Event>, Rejection> {
        let now = now.max(self.state.clock);
        let mut events = Vec::new();
        self.meet_deadlines(now, &mut events);
        self.state.market(symbol).ok_or(Rejection::UnknownSymbol)?;
        self.change_status(now, symbol, status, until, &mut events);
        self.meet_deadlines(now, &mut events);
        Ok(events)
    }

    fn change_status(
        &mut self,
        now: Timestamp,
        symbol: SymbolId,
        status: SymbolStatus,
        until: Option<Timestamp>,
        events: &mut Vec<Event>,
    ) {
        self.commit(now, &Fact::StatusChanged { symbol, status, until });
        events.push(Event::Status { time: now, symbol, status });
    }

    /// The next moment at which something happens by itself.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.state.resumptions.first().map(|(due, _)| *due)
    }

    /// Lets happen what is due, each at its own moment.
    pub fn on_time(&mut self, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        self.meet_deadlines(now, &mut events);
        events
    }

    fn meet_deadlines(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        while let Some(&(due, symbol)) = self.state.resumptions.first().filter(|(due, _)| *due <= now) {
            let at = due.max(self.state.clock);
            self.change_status(at, symbol, SymbolStatus::Trading, None, events);
        }
    }
}

/// What a decided command will be answered with, once its facts are so.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Placed(OrderId),
    Canceled,
    CanceledAll,
    Balance(AssetId),
}
