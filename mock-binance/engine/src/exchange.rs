//! The exchange: requests in; replies, events and facts out.

use std::collections::VecDeque;

use crate::command::{CancelReplace, Command, NewOrder};
use crate::decide::{self, Match};
use crate::event::{Amended, Canceled, CanceledOrder, Event, ExecutionKind, Outcome, Placed, Replaced, Reply};
use crate::fact::{AccountKind, Closing, Fact, Request};
use crate::history::History;
use crate::ids::{AccountId, AssetId, ListId, OrderId, SymbolId};
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
    history: History,
    room: Room,
}

/// Lists that are used again for every command; empty between commands.
#[derive(Debug, Clone, Default)]
struct Room {
    plan: Vec<Fact>,
    matches: Vec<Match>,
    /// Lists of which an order was filled or closed.
    lists: VecDeque<ListId>,
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
    /// Its oldest entries were dropped, so what they did is not known.
    #[error("the journal starts at entry {first}, since it was capped: only a journal that is kept whole replays")]
    Capped {
        /// The oldest entry that is left.
        first: u64,
    },
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
        let (journal, history) = (Journal::default(), History::default());
        Ok(Self { state: State::new(spec), journal, history, room: Room::default() })
    }

    /// Keeps at most so many bytes of the journal, and at least [`Journal::CAP_MIN`]: its oldest entries are dropped,
    /// and what is left does not replay.
    ///
    /// What the journal has dropped, readers cannot ask for some time later: closed orders, trades, lists, amendments,
    /// prevented trades. Candles and statistics keep at least a day. What the exchange decides is the same as ever, so
    /// memory is bounded by the cap, by what is open, and by a day of seconds in which something traded.
    pub fn cap_journal(&mut self, bytes: usize) {
        self.journal.cap(bytes);
        self.history.begin(&self.journal, &self.state);
    }

    /// The exchange that has lived through this journal.
    pub fn replay(spec: ExchangeSpec, journal: &Journal) -> Result<Self, ReplayError> {
        let mut exchange = Self::new(spec)?;
        if journal.first() > 0 {
            return Err(ReplayError::Capped { first: journal.first() });
        }
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
        self.open(now, AccountKind::Ordinary)
    }

    /// Opens an account that pays commissions in the discount's asset while it has enough of it.
    pub fn open_discounted(&mut self, now: Timestamp) -> Result<AccountId, Rejection> {
        self.open(now, AccountKind::Discounted)
    }

    /// Opens the account of a liquidity provider: as any other, except that its orders are not counted
    /// and may be worth as little or as much as it likes.
    pub fn open_provider(&mut self, now: Timestamp) -> Result<AccountId, Rejection> {
        self.open(now, AccountKind::Provider)
    }

    fn open(&mut self, now: Timestamp, kind: AccountKind) -> Result<AccountId, Rejection> {
        let now = now.max(self.state.clock);
        let account = u32::try_from(self.state.account_count()).map(AccountId).map_err(|_| Rejection::Overflow)?;
        self.commit(now, &Fact::AccountOpened { account, kind });
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
        room.touched.clear();
        let tops = report::top_of(&self.state, command);
        let reply = match command {
            Command::CancelReplace(request) => self.cancel_replace(now, account, request, &mut room, events),
            _ => self.carry_out_one(now, account, command, &mut room, events),
        };
        // The answer is about the request alone; what it sets off beyond that comes after.
        if reply.is_ok() {
            if let Some(symbol) = command.symbol() {
                self.follow_up(now, symbol, &mut room, events);
            }
            report::balances(&self.state, now, &room.touched, events);
            report::book_top(&self.state, now, tops, events);
        }
        self.room = room;
        self.history.keep_up(&self.journal, &mut self.state);
        reply
    }

    /// Decides one request and carries it out, or writes down why not.
    fn carry_out_one(
        &mut self,
        now: Timestamp,
        account: AccountId,
        command: &Command,
        room: &mut Room,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        room.plan.clear();
        match self.decide(now, account, command, room) {
            Ok(answer) => {
                let first = events.len();
                self.carry_out(now, room, events);
                self.answer(answer, account, events.get(first..).unwrap_or_default())
            }
            Err(cause) => Err(self.reject(now, account, command, cause)),
        }
    }

    fn reject(&mut self, now: Timestamp, account: AccountId, command: &Command, cause: Rejection) -> Rejection {
        self.commit(now, &Fact::Rejected { account, request: Request::of(command), cause });
        cause
    }

    /// Cancels one order and places another. What forbids the new order whatever became of the old one is found
    /// before anything is done.
    fn cancel_replace(
        &mut self,
        now: Timestamp,
        account: AccountId,
        request: &CancelReplace,
        room: &mut Room,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let limited = match decide::check_replace(&self.state, now, account, request) {
            Ok(limited) => limited,
            Err(cause) => {
                let command = Command::CancelReplace(Box::new(*request));
                return Err(self.reject(now, account, &command, cause));
            }
        };
        let cancel = match self.carry_out_one(now, account, &Command::Cancel(request.cancel), room, events) {
            Ok(Reply::Canceled(canceled)) => Ok(canceled),
            Ok(_) => Err(Rejection::UnknownOrder),
            Err(cause) => Err(cause),
        };
        let order = if cancel.is_err() && request.stop_on_failure {
            self.commit(now, &Fact::NotAttempted { account });
            None
        } else if let Some(hit) = limited {
            Some(Err(self.reject(now, account, &Command::Place(request.order), Rejection::TooManyOrders(hit))))
        } else {
            Some(match self.carry_out_one(now, account, &Command::Place(request.order), room, events) {
                Ok(Reply::Placed(placed)) => Ok(placed),
                Ok(_) => Err(Rejection::UnknownOrder),
                Err(cause) => Err(cause),
            })
        };
        Ok(Reply::Replaced(Box::new(Replaced { cancel, order, limited })))
    }

    fn decide(
        &self,
        now: Timestamp,
        account: AccountId,
        command: &Command,
        room: &mut Room,
    ) -> Result<Answer, Rejection> {
        let Room { plan, matches, .. } = room;
        let state = &self.state;
        match command {
            Command::Place(order) => decide::place(state, now, account, order, matches, plan).map(Answer::Placed),
            Command::Cancel(request) => decide::cancel(state, now, account, request, plan).map(Answer::Canceled),
            Command::PlaceList(list) => {
                decide::place_list(state, now, account, list, matches, plan).map(Answer::ListPlaced)
            }
            Command::CancelList(request) => {
                decide::cancel_list(state, now, account, request, plan).map(|list| Answer::Canceled(Some(list)))
            }
            // Carried out as a cancel and a new order.
            Command::CancelReplace(request) => {
                decide::place(state, now, account, &request.order, matches, plan).map(Answer::Placed)
            }
            Command::Amend(request) => decide::amend(state, now, account, request, plan).map(Answer::Amended),
            Command::CancelAll { symbol } => {
                decide::cancel_all(state, now, account, *symbol, plan)?;
                Ok(Answer::CanceledAll)
            }
            Command::Deposit { asset, amount } => {
                plan.push(decide::deposit(state, account, *asset, *amount)?);
                Ok(Answer::Balance(*asset))
            }
            Command::Withdraw { asset, amount } => {
                plan.push(decide::withdraw(state, account, *asset, *amount)?);
                Ok(Answer::Balance(*asset))
            }
        }
    }

    fn carry_out(&mut self, now: Timestamp, room: &mut Room, events: &mut Vec<Event>) {
        for planned in &room.plan {
            let discounted = match planned {
                Fact::Traded(traded) => decide::with_discounts(&self.state, traded).map(Fact::Traded),
                _ => None,
            };
            let fact = discounted.as_ref().unwrap_or(planned);
            let (one, other) = match fact {
                Fact::Traded(traded) => (Some(traded.maker), Some(traded.taker)),
                Fact::Prevented(prevented) => (Some(prevented.maker), Some(prevented.taker)),
                Fact::Closed { order, .. } => (Some(*order), None),
                _ => (None, None),
            };
            // Looked up while the orders are open: a closed one has to be unpacked.
            let concerned = [one, other].map(|order| {
                let slot = Slot::of(order?)?;
                Some((slot, self.state.open_record(slot)?.list?))
            });
            self.commit(now, fact);
            report::fact(&self.state, now, fact, &mut room.touched, events);
            for (slot, list) in concerned.into_iter().flatten() {
                if self.state.open_record(slot).is_none_or(|record| !record.status.is_open()) {
                    room.lists.push_back(list);
                }
            }
        }
    }

    /// Lets happen what a command has set off on its symbol: the next steps of lists of which an order was filled or
    /// closed, then the orders whose stop prices were reached, and what these set off in turn. Each order is released
    /// and triggered once, so this comes to an end.
    fn follow_up(&mut self, now: Timestamp, symbol: SymbolId, room: &mut Room, events: &mut Vec<Event>) {
        loop {
            if let Some(list) = room.lists.pop_front() {
                let Room { plan, matches, .. } = room;
                plan.clear();
                // A list that is done takes no further step.
                if decide::next_step(&self.state, now, list, matches, plan).is_ok() && !plan.is_empty() {
                    self.carry_out(now, room, events);
                    room.lists.push_front(list);
                }
            } else if let Some(slot) = self.state.market(symbol).and_then(|market| market.stops.next_due()) {
                self.release_stop(now, slot, room, events);
            } else {
                return;
            }
        }
    }

    /// Places an order whose stop price was reached.
    fn release_stop(&mut self, now: Timestamp, slot: Slot, room: &mut Room, events: &mut Vec<Event>) {
        let order = slot.id();
        room.plan.clear();
        let twin = self.state.open_twin(slot).map(Slot::id);
        let closing = Closing::Expired(ExpiryReason::OcoTrigger);
        room.plan.extend(twin.map(|twin| Fact::Closed { order: twin, closing }));
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
        let placed = |id: OrderId| {
            let order = Slot::of(id).and_then(|slot| self.state.view(slot)).ok_or(Rejection::UnknownOrder)?;
            let fills: Vec<Fill> = events.iter().filter_map(|event| report::fill_of(event, id)).collect();
            Ok(Placed { order, fills })
        };
        match answer {
            Answer::Placed(id) => placed(id).map(Reply::Placed),
            Answer::ListPlaced(id) => {
                let list = self.state.list_view(id).ok_or(Rejection::UnknownList)?;
                let orders = list.orders.iter().map(|(order, _)| placed(*order)).collect::<Result<_, Rejection>>()?;
                Ok(Reply::ListPlaced { list, orders })
            }
            Answer::Canceled(None) => {
                let order = events.iter().find_map(canceled).ok_or(Rejection::UnknownOrder)?;
                Ok(Reply::Canceled(Canceled::Order(order)))
            }
            Answer::Canceled(Some(id)) => {
                let list = self.state.list_view(id).ok_or(Rejection::UnknownList)?;
                let orders = events.iter().filter_map(canceled).collect();
                Ok(Reply::Canceled(Canceled::List { list, orders }))
            }
            Answer::Amended(id) => {
                let slot = Slot::of(id).ok_or(Rejection::UnknownOrder)?;
                let order = self.state.view(slot).ok_or(Rejection::UnknownOrder)?;
                let amendment = *self.state.lists.amendments(slot).last().ok_or(Rejection::UnknownOrder)?;
                let list = order.list.and_then(|list| self.state.list_view(list));
                Ok(Reply::Amended(Box::new(Amended { order, amendment, list })))
            }
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
    ListPlaced(ListId),
    /// One order, or those of a list.
    Canceled(Option<ListId>),
    Amended(OrderId),
    CanceledAll,
    Balance(AssetId),
}
