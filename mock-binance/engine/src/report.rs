//! What listeners are told of facts. Each function looks at the state right after the fact.

use crate::command::Command;
use crate::event::{Balance, BookTop, Event, Execution, ExecutionKind, ListUpdate, PreventedStep};
use crate::fact::{Accepted, Closing, Fact, Prevented};
use crate::ids::{AccountId, AssetId, ClientOrderId, ListId, OrderId, SymbolId, TradeId};
use crate::list::OrderList;
use crate::money::{Amount, Overflow};
use crate::order::Fill;
use crate::state::{OrderRecord, Slot, State};
use crate::time::Timestamp;

/// Accounts whose balances a command may have changed, in the order of being touched, and the assets concerned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched {
    accounts: Vec<AccountId>,
    assets: [Option<AssetId>; 2],
}

impl Touched {
    pub(crate) fn clear(&mut self) {
        self.accounts.clear();
        self.assets = [None; 2];
    }

    fn add(&mut self, account: AccountId, assets: [Option<AssetId>; 2]) {
        if !self.accounts.contains(&account) {
            self.accounts.push(account);
        }
        self.assets = assets;
    }
}

/// Tells one fact.
pub(crate) fn fact(state: &State, now: Timestamp, fact: &Fact, touched: &mut Touched, events: &mut Vec<Event>) {
    // Every order that a fact names exists, because the fact has just evolved.
    let told = match fact {
        Fact::Accepted(Accepted { order, member, .. }) => {
            let told = execution(state, now, *order, ExecutionKind::New, 0, touched, events);
            // A list is told of when all of its orders are there.
            let is_last = |list: &ListId| state.list_view(*list).is_some_and(|list| is_last(&list, *order));
            if let Some(list) = member.map(|member| member.list).filter(is_last) {
                list_update(state, now, list, false, events);
            }
            told
        }
        Fact::Triggered { order } | Fact::Released { order, .. } => {
            execution(state, now, *order, ExecutionKind::New, 0, touched, events)
        }
        Fact::Prevented(fact) => prevented(state, now, fact, touched, events),
        Fact::Amended { order, .. } => amended(state, now, *order, touched, events),
        Fact::ListClosed { list } => list_update(state, now, *list, false, events),
        Fact::Traded(traded) => trade(state, now, traded.maker, traded.taker, touched, events),
        Fact::Closed { order, closing } => {
            let kind = match closing {
                Closing::Canceled(by) => {
                    ExecutionKind::Canceled(by.unwrap_or_else(|| ClientOrderId::for_cancel(*order)))
                }
                Closing::Expired(_) => ExecutionKind::Expired,
            };
            execution(state, now, *order, kind, 0, touched, events)
        }
        Fact::Deposited { account, asset, amount } => transfer(now, *account, *asset, Ok(*amount), touched, events),
        Fact::Withdrawn { account, asset, amount } => {
            transfer(now, *account, *asset, Amount::ZERO.checked_sub(*amount), touched, events)
        }
        Fact::AccountOpened { .. }
        | Fact::Booked { .. }
        | Fact::Rejected { .. }
        | Fact::ListOpened(_)
        | Fact::NotAttempted { .. }
        | Fact::StatusChanged { .. } => Some(()),
    };
    debug_assert!(told.is_some(), "a fact could not be told: {fact}");
}

fn transfer(
    time: Timestamp,
    account: AccountId,
    asset: AssetId,
    delta: Result<Amount, Overflow>,
    touched: &mut Touched,
    events: &mut Vec<Event>,
) -> Option<()> {
    touched.add(account, [Some(asset), None]);
    events.push(Event::Transfer { time, account, asset, delta: delta.ok()? });
    Some(())
}

/// Whether an order is the last of its list.
fn is_last(list: &OrderList, order: OrderId) -> bool {
    list.orders.len() == usize::try_from(list.kind.order_count()).unwrap_or_default()
        && list.orders.last().is_some_and(|(last, _)| *last == order)
}

fn list_update(state: &State, time: Timestamp, id: ListId, is_renamed: bool, events: &mut Vec<Event>) -> Option<()> {
    events.push(Event::List(ListUpdate { time, list: state.list_view(id)?, is_renamed }));
    Some(())
}

/// Each order of which something was taken off is told, the one that came in first.
fn prevented(
    state: &State,
    now: Timestamp,
    fact: &Prevented,
    touched: &mut Touched,
    events: &mut Vec<Event>,
) -> Option<()> {
    let record = state.record(Slot::of(fact.maker)?)?;
    let id = state.market(record.symbol)?.prevented.last()?.id;
    let both = [(fact.taker, fact.taker_quantity, fact.maker), (fact.maker, fact.maker_quantity, fact.taker)];
    let told = both.into_iter().filter(|(_, quantity, _)| !quantity.is_zero());
    let mut back = told.clone().count() as u64;
    // What the two had in common; when one is untouched, it was worth at least the other's.
    let would_trade = if fact.taker_quantity.is_zero() || fact.maker_quantity.is_zero() {
        fact.taker_quantity.max(fact.maker_quantity)
    } else {
        fact.taker_quantity.min(fact.maker_quantity)
    };
    for (order, quantity, counter) in told {
        back = back.saturating_sub(1);
        let quote = fact.price.times(would_trade).unwrap_or_default();
        let step = PreventedStep { id, quantity, would_trade, price: fact.price, quote, counter };
        execution(state, now, order, ExecutionKind::Prevented(step), back, touched, events)?;
    }
    Some(())
}

fn amended(state: &State, now: Timestamp, id: OrderId, touched: &mut Touched, events: &mut Vec<Event>) -> Option<()> {
    let slot = Slot::of(id)?;
    let amendment = *state.lists.amendments(slot).last()?;
    execution(state, now, id, ExecutionKind::Replaced(amendment.before), 0, touched, events)?;
    match state.record(slot)?.list {
        Some(list) if amendment.before != amendment.after => list_update(state, now, list, true, events),
        _ => Some(()),
    }
}

/// `back` is how many executions of the same fact are still to be told.
fn execution(
    state: &State,
    time: Timestamp,
    id: OrderId,
    kind: ExecutionKind,
    back: u64,
    touched: &mut Touched,
    events: &mut Vec<Event>,
) -> Option<()> {
    let slot = Slot::of(id)?;
    execution_of(state, time, (slot, &*state.record(slot)?), kind, back, touched, events)
}

fn execution_of(
    state: &State,
    time: Timestamp,
    (slot, record): (Slot, &OrderRecord),
    kind: ExecutionKind,
    back: u64,
    touched: &mut Touched,
    events: &mut Vec<Event>,
) -> Option<()> {
    let spec = state.spec.symbol(record.symbol)?;
    touched.add(record.account, [Some(spec.base), Some(spec.quote)]);
    let execution_id = state.executions.saturating_sub(back);
    events.push(Event::Execution(Execution { time, execution_id, kind, order: state.view_of(slot, record) }));
    Some(())
}

/// A trade is told to the taker, to the maker, then to everybody.
fn trade(
    state: &State,
    now: Timestamp,
    maker: OrderId,
    taker: OrderId,
    touched: &mut Touched,
    events: &mut Vec<Event>,
) -> Option<()> {
    let (maker_slot, taker_slot) = (Slot::of(maker)?, Slot::of(taker)?);
    let (maker, taker) = (state.record(maker_slot)?, state.record(taker_slot)?);
    let tape = &state.market(maker.symbol)?.tape;
    let id = TradeId(u64::from(tape.next()).checked_sub(1)?);
    let trade = tape.last_trade()?;
    for (slot, record, is_maker, back) in [(taker_slot, &taker, false, 1), (maker_slot, &maker, true, 0)] {
        let kind = ExecutionKind::Trade(state.fill_of(id, trade, record, is_maker)?);
        execution_of(state, now, (slot, record), kind, back, touched, events)?;
    }
    events.push(Event::Trade(state.trade_of(id, trade, &maker, &taker)?));
    Some(())
}

/// Tells the balances of everybody touched.
pub(crate) fn balances(state: &State, time: Timestamp, touched: &Touched, events: &mut Vec<Event>) {
    for account in &touched.accounts {
        let discounts = state.account(*account).is_some_and(|account| account.pays_discounted);
        let discount = state.spec.discount.filter(|_| discounts).map(|discount| discount.asset);
        // A commission may have been paid in it.
        let discount = discount.filter(|asset| !touched.assets.contains(&Some(*asset)));
        let changes = touched.assets.iter().flatten().copied().chain(discount).filter_map(|asset| {
            let purse = state.account(*account)?.purse(asset)?;
            Some(Balance { asset, free: purse.free, locked: purse.locked })
        });
        events.push(Event::Balances { time, account: *account, changes: changes.collect() });
    }
}

/// The best of a symbol's book.
pub(crate) fn top(state: &State, time: Timestamp, symbol: SymbolId) -> Option<BookTop> {
    use crate::command::Side::{Buy, Sell};
    let book = &state.market(symbol)?.book;
    Some(BookTop { time, symbol, update_id: book.update_id(), bid: book.best(Buy), ask: book.best(Sell) })
}

/// The best of the book that a command is about to change.
pub(crate) fn top_of(state: &State, command: &Command) -> Option<BookTop> {
    let symbol = command.symbol()?;
    top(state, state.clock, symbol)
}

/// Tells the best of a book when it is not what it was.
pub(crate) fn book_top(state: &State, now: Timestamp, before: Option<BookTop>, events: &mut Vec<Event>) {
    let Some(before) = before else { return };
    if let Some(after) = top(state, now, before.symbol)
        && (after.bid, after.ask) != (before.bid, before.ask)
    {
        events.push(Event::BookTop(after));
    }
}

/// The fill that an event tells of this order.
pub(crate) fn fill_of(event: &Event, id: OrderId) -> Option<Fill> {
    match event {
        Event::Execution(Execution { kind: ExecutionKind::Trade(fill), .. }) if fill.order == id => Some(*fill),
        _ => None,
    }
}
