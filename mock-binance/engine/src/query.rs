//! Reading an exchange: nothing here changes anything.

use std::ops::Range;

use crate::command::{OrderRef, Side};
use crate::decide::{find_list, find_order};
use crate::event::{Balance, BookTop, Depth};
use crate::exchange::Exchange;
use crate::ids::{AccountId, AssetId, ListId, OrderId, SymbolId, TradeId};
use crate::limits::WindowLimit;
use crate::list::{ListRef, OrderList};
use crate::market::{AggregateTrade, Kline, KlineQuery, WindowStats};
use crate::money::Price;
use crate::order::{Amendment, Fill, Order, PreventedMatch, Trade};
use crate::rejection::Rejection;
use crate::report;
use crate::spec::SymbolStatus;
use crate::state::{Slot, Tape};
use crate::time::Timestamp;

/// Which part of a list. The list is always told oldest first.
///
/// With `from_id` or `from`: the oldest `limit` from there on; with neither: the newest `limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Page {
    /// Ids from here on.
    pub from_id: Option<u64>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Up to and including this moment.
    pub to: Option<Timestamp>,
    /// How many at most.
    pub limit: usize,
}

impl Page {
    /// The newest so many.
    pub const fn newest(limit: usize) -> Self {
        Self { from_id: None, from: None, to: None, limit }
    }

    /// The places of the page in a list, of which these can be told, that is sorted by id and by time alike.
    /// `id_place` tells the first place whose id is not below the given one, `time` the time at a place.
    pub(crate) fn places(
        &self,
        all: Range<usize>,
        id_place: impl Fn(u64) -> usize,
        time: impl Fn(usize) -> Timestamp,
    ) -> Range<usize> {
        let by_id = self.from_id.map_or(all.start, id_place).max(all.start);
        let by_time = self.from.map_or(all.start, |from| first_place(all.clone(), |place| time(place) >= from));
        let end = self.to.map_or(all.end, |to| first_place(all.clone(), |place| time(place) > to));
        let start = by_id.max(by_time).min(end);
        if self.from_id.is_some() || self.from.is_some() {
            start..end.min(start.saturating_add(self.limit))
        } else {
            start.max(end.saturating_sub(self.limit))..end
        }
    }

    /// The page of a list in memory.
    fn cut<'a, T>(&self, list: &'a [T], id: impl Fn(&T) -> u64, time: impl Fn(&T) -> Timestamp) -> &'a [T] {
        let id_place = |from| list.partition_point(|item| id(item) < from);
        let time = |place: usize| list.get(place).map(&time).unwrap_or_default();
        list.get(self.places(0..list.len(), id_place, time)).unwrap_or_default()
    }
}

/// The first of some places at which something has come to be so, and is so from there on; their end if nowhere.
fn first_place(all: Range<usize>, is_so: impl Fn(usize) -> bool) -> usize {
    let Range { start: mut low, end: mut high } = all;
    while low < high {
        let middle = usize::midpoint(low, high);
        if is_so(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

/// Accounts and orders.
impl Exchange {
    /// One balance; nothing for an unknown account or asset.
    pub fn balance(&self, account: AccountId, asset: AssetId) -> Option<Balance> {
        let purse = self.state.account(account)?.purse(asset)?;
        Some(Balance { asset, free: purse.free, locked: purse.locked })
    }

    /// Every balance of an account, zero or not, in the order of the assets.
    pub fn balances(&self, account: AccountId) -> Vec<Balance> {
        self.spec().asset_ids().filter_map(|asset| self.balance(account, asset)).collect()
    }

    /// Whether an account pays commissions in the discount's asset while it has enough of it.
    pub fn pays_discounted(&self, account: AccountId) -> bool {
        self.state.account(account).is_some_and(|account| account.pays_discounted)
    }

    /// How many accounts there are, the one of the commissions included; ids count up to here.
    pub fn account_count(&self) -> usize {
        self.state.account_count()
    }

    /// When an account's balances last changed.
    pub fn account_update_time(&self, account: AccountId) -> Option<Timestamp> {
        self.state.account(account).map(|account| account.updated)
    }

    /// What an account has used of each order count.
    pub fn order_counts(&self, account: AccountId, now: Timestamp) -> Vec<(WindowLimit, u32)> {
        let limits = &self.spec().limits.orders;
        self.state.account(account).map(|account| account.counts.used(limits, now).collect()).unwrap_or_default()
    }

    /// An order of this account on this symbol, open or not. By client id: the latest of that name.
    ///
    /// Refusals: `UnknownOrder`, `ClientOrderIdMismatch`.
    pub fn order(&self, account: AccountId, symbol: SymbolId, order: OrderRef) -> Result<Order, Rejection> {
        let slot = find_order(&self.state, account, symbol, order)?;
        self.state.view(slot).ok_or(Rejection::UnknownOrder)
    }

    /// Every amendment of an order of this account on this symbol, oldest first.
    ///
    /// Refusals: `UnknownOrder`, `ClientOrderIdMismatch`.
    pub fn amendments(
        &self,
        account: AccountId,
        symbol: SymbolId,
        order: OrderRef,
    ) -> Result<Vec<Amendment>, Rejection> {
        let slot = find_order(&self.state, account, symbol, order)?;
        Ok(self.state.lists.amendments(slot).to_vec())
    }

    /// The prevented trades of an account on a symbol, oldest first: of one order, or all.
    pub fn prevented_matches(
        &self,
        account: AccountId,
        symbol: SymbolId,
        order: Option<OrderId>,
    ) -> impl Iterator<Item = PreventedMatch> + '_ {
        let all = self.state.market(symbol).map(|market| market.prevented.as_slice()).unwrap_or_default();
        let own = move |one: &&PreventedMatch| {
            let record = Slot::of(one.taker).and_then(|slot| self.state.record(slot));
            record.is_some_and(|record| record.account == account)
                && order.is_none_or(|order| one.taker == order || one.maker == order)
        };
        all.iter().filter(own).copied()
    }

    /// A list of this account, done or not. By client id: the latest of that name.
    ///
    /// Refusal: `UnknownList`.
    pub fn list(&self, account: AccountId, list: ListRef) -> Result<OrderList, Rejection> {
        let id = find_list(&self.state, account, None, list)?;
        self.state.list_view(id).ok_or(Rejection::UnknownList)
    }

    /// An account's lists on all symbols, done or not; times are those of placing.
    pub fn lists(&self, account: AccountId, page: Page) -> Vec<OrderList> {
        let list = self.state.account(account).map(|account| account.lists.as_slice()).unwrap_or_default();
        let time = |id: &ListId| self.state.lists.get(*id).map(|list| list.time).unwrap_or_default();
        let found = page.cut(list, |id| u64::from(id.0), time);
        found.iter().filter_map(|id| self.state.list_view(*id)).collect()
    }

    /// An account's open lists, oldest first.
    pub fn open_lists(&self, account: AccountId) -> Vec<OrderList> {
        let open = self.state.account(account).into_iter().flat_map(|account| &account.open_lists);
        open.filter_map(|id| self.state.list_view(*id)).collect()
    }

    /// Whether an order was placed and is not forgotten, as an exchange whose journal is capped forgets.
    pub fn knows(&self, order: OrderId) -> bool {
        Slot::of(order).is_some_and(|slot| self.state.knows(slot))
    }

    /// Any order by its id alone, whoever owns it.
    pub fn any_order(&self, order: OrderId) -> Option<Order> {
        self.state.view(Slot::of(order)?)
    }

    /// How many orders were ever accepted; the next one gets this and one as its id.
    pub fn order_count(&self) -> u64 {
        self.state.order_count() as u64
    }

    /// An account's open orders, oldest first, on one symbol or, symbol by symbol, on all.
    pub fn open_orders(&self, account: AccountId, symbol: Option<SymbolId>) -> Vec<Order> {
        let Some(account) = self.state.account(account) else { return Vec::new() };
        let symbols = self.spec().symbol_ids().filter(|id| symbol.is_none_or(|symbol| symbol == *id));
        let open = symbols.filter_map(|symbol| account.desk(symbol)).flat_map(|desk| desk.open.iter());
        open.filter_map(|slot| self.state.view(slot)).collect()
    }

    /// How many orders an account has in the book of a symbol.
    pub fn open_order_count(&self, account: AccountId, symbol: SymbolId) -> usize {
        let desk = self.state.account(account).and_then(|account| account.desk(symbol));
        desk.map_or(0, |desk| desk.open.len())
    }

    /// An account's orders on a symbol, open or not; times are those of placing.
    pub fn orders(&self, account: AccountId, symbol: SymbolId, page: Page) -> Vec<Order> {
        let desk = self.state.account(account).and_then(|account| account.desk(symbol));
        let Some(orders) = desk.map(|desk| &desk.orders) else { return Vec::new() };
        let record = |place| orders.get(place).and_then(|slot| self.state.record(slot));
        let time = |place| record(place).map(|record| record.time).unwrap_or_default();
        // An order's slot is its id less one.
        let place_of_id = |id: u64| match u32::try_from(id.saturating_sub(1)) {
            Ok(slot) => orders.place_of(Slot(slot)),
            Err(_) => orders.len(),
        };
        let places = page.places(0..orders.len(), place_of_id, time);
        let slots = orders.since(places.start).take(places.len());
        slots.filter_map(|slot| self.state.view(slot)).collect()
    }

    /// An account's sides of trades on a symbol, of one order or of all; a trade with itself shows twice.
    pub fn fills(&self, account: AccountId, symbol: SymbolId, order: Option<OrderId>, page: Page) -> Vec<Fill> {
        let desk = self.state.account(account).and_then(|account| account.desk(symbol));
        let (Some(fills), Some(tape)) = (desk.map(|desk| &desk.fills), self.tape(symbol)) else { return Vec::new() };
        let all = fills.first()..fills.len();
        let trade = |fill: u32| TradeId(u64::from(fill / 2));
        let view = |fill: u32| self.state.fill_view(symbol, trade(fill), fill % 2 == 1);
        let time_of = |fill: u32| tape.trade(trade(fill)).map(|trade| trade.time).unwrap_or_default();
        let Some(order) = order else {
            let time = |place| fills.get(place).map(time_of).unwrap_or_default();
            let place_of_id = |id| first_place(all.clone(), |place| fills.get(place).is_some_and(|f| trade(f).0 >= id));
            let places = page.places(all.clone(), place_of_id, time);
            return fills.since(places.start).take(places.len()).filter_map(view).collect();
        };
        // An order trades between being placed and changing for the last time.
        let Some(record) = Slot::of(order).and_then(|slot| self.state.record(slot)) else { return Vec::new() };
        let from = first_place(all, |place| fills.get(place).is_some_and(|fill| time_of(fill) >= record.time));
        let until = |fill: &Fill| fill.time <= record.updated;
        let of_order: Vec<Fill> =
            fills.since(from).map_while(view).take_while(until).filter(|fill| fill.order == order).collect();
        page.cut(&of_order, |fill| fill.trade.0, |fill| fill.time).to_vec()
    }
}

/// The market.
impl Exchange {
    fn tape(&self, symbol: SymbolId) -> Option<&Tape> {
        self.state.market(symbol).map(|market| &market.tape)
    }

    /// A symbol's status at this moment.
    pub fn status(&self, symbol: SymbolId, now: Timestamp) -> Option<SymbolStatus> {
        self.state.market(symbol).map(|market| market.status_at(now))
    }

    /// The best `limit` levels of each side.
    pub fn depth(&self, symbol: SymbolId, limit: usize) -> Option<Depth> {
        let book = &self.state.market(symbol)?.book;
        Some(Depth {
            last_update_id: book.update_id(),
            bids: book.depth(Side::Buy).take(limit).collect(),
            asks: book.depth(Side::Sell).take(limit).collect(),
        })
    }

    /// The best bid and ask.
    pub fn book_top(&self, symbol: SymbolId) -> Option<BookTop> {
        report::top(&self.state, self.state.clock, symbol)
    }

    /// Trades of a symbol.
    pub fn trades(&self, symbol: SymbolId, page: Page) -> Vec<Trade> {
        let Some(tape) = self.tape(symbol) else { return Vec::new() };
        tape.page(&page).filter_map(|id| self.state.trade_view(symbol, id)).collect()
    }

    /// One trade.
    pub fn trade(&self, symbol: SymbolId, id: TradeId) -> Option<Trade> {
        self.state.trade_view(symbol, id)
    }

    /// How many trades there were on a symbol; the next one gets this as its id.
    pub fn trade_count(&self, symbol: SymbolId) -> u64 {
        self.tape(symbol).map_or(0, |tape| u64::from(tape.next()))
    }

    /// Aggregate trades of a symbol; ids are those of the aggregates.
    pub fn aggregate_trades(&self, symbol: SymbolId, page: Page) -> Vec<AggregateTrade> {
        let Some(tape) = self.tape(symbol) else { return Vec::new() };
        let maker_buys = |slot| self.state.record(slot).is_some_and(|record| record.side == Side::Buy);
        tape.aggregate_page(&page).filter_map(|id| tape.aggregate(id, maker_buys)).collect()
    }

    /// The last price, or the opening price before the first trade.
    pub fn last_price(&self, symbol: SymbolId) -> Option<Price> {
        self.tape(symbol)?.last_price()
    }

    /// The volume-weighted average of the last minutes, counted from a whole second; without trades in them, or
    /// with `mins` 0, the last price.
    pub fn average_price(&self, symbol: SymbolId, mins: u32, now: Timestamp) -> Option<Price> {
        self.tape(symbol)?.average(mins, now)
    }

    /// Candles, oldest first, from the one of the first trade to the one that holds `now`.
    pub fn klines(&self, symbol: SymbolId, now: Timestamp, query: &KlineQuery) -> Vec<Kline> {
        self.tape(symbol).map(|tape| tape.klines(now, query)).unwrap_or_default()
    }

    /// What traded from `from` to before `to`, both taken down to whole seconds.
    pub fn window_stats(&self, symbol: SymbolId, from: Timestamp, to: Timestamp) -> Option<WindowStats> {
        self.tape(symbol).map(|tape| tape.stats(from, to))
    }
}
