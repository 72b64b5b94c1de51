//! Reading an exchange: nothing here changes anything.

use crate::command::OrderRef;
use crate::event::{Balance, BookTop, Depth};
use crate::exchange::Exchange;
use crate::ids::{AccountId, AssetId, OrderId, SymbolId, TradeId};
use crate::limits::WindowLimit;
use crate::market::{AggregateTrade, Kline, KlineQuery, WindowStats};
use crate::money::Price;
use crate::order::{Fill, Order, Trade};
use crate::rejection::Rejection;
use crate::spec::SymbolStatus;
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

impl Exchange {
    /// One balance; nothing for an unknown account or asset.
    pub fn balance(&self, account: AccountId, asset: AssetId) -> Option<Balance> {
        let _ = (account, asset);
        todo!()
    }
    /// Every balance of an account, zero or not, in the order of the assets.
    pub fn balances(&self, account: AccountId) -> Vec<Balance> {
        let _ = account;
        todo!()
    }
    /// How many accounts there are, the one of the commissions included; ids count up to here.
    pub fn account_count(&self) -> usize {
        todo!()
    }
    /// When an account's balances last changed.
    pub fn account_update_time(&self, account: AccountId) -> Option<Timestamp> {
        let _ = account;
        todo!()
    }
    /// What an account has used of each order count.
    pub fn order_counts(&self, account: AccountId, now: Timestamp) -> Vec<(WindowLimit, u32)> {
        let _ = (account, now);
        todo!()
    }
    /// An order of this account on this symbol, open or not. By client id: the latest of that name.
    /// Refusals: `UnknownOrder`, `ClientOrderIdMismatch`.
    pub fn order(&self, account: AccountId, symbol: SymbolId, order: OrderRef) -> Result<Order, Rejection> {
        let _ = (account, symbol, order);
        todo!()
    }
    /// Any order by its id alone, whoever owns it.
    pub fn any_order(&self, order: OrderId) -> Option<Order> {
        let _ = order;
        todo!()
    }
    /// How many orders were ever accepted; the next one gets this and one as its id.
    pub fn order_count(&self) -> u64 {
        todo!()
    }
    /// An account's open orders, oldest first, on one symbol or on all.
    pub fn open_orders(&self, account: AccountId, symbol: Option<SymbolId>) -> Vec<Order> {
        let _ = (account, symbol);
        todo!()
    }
    /// An account's orders on a symbol, open or not; times are those of placing.
    pub fn orders(&self, account: AccountId, symbol: SymbolId, page: Page) -> Vec<Order> {
        let _ = (account, symbol, page);
        todo!()
    }
    /// An account's sides of trades on a symbol; a trade with itself shows twice.
    pub fn fills(&self, account: AccountId, symbol: SymbolId, order: Option<OrderId>, page: Page) -> Vec<Fill> {
        let _ = (account, symbol, order, page);
        todo!()
    }
    /// A symbol's status at this moment.
    pub fn status(&self, symbol: SymbolId, now: Timestamp) -> Option<SymbolStatus> {
        let _ = (symbol, now);
        todo!()
    }
    /// The best `limit` levels of each side.
    pub fn depth(&self, symbol: SymbolId, limit: usize) -> Option<Depth> {
        let _ = (symbol, limit);
        todo!()
    }
    /// The best bid and ask.
    pub fn book_top(&self, symbol: SymbolId) -> Option<BookTop> {
        let _ = symbol;
        todo!()
    }
    /// Trades of a symbol.
    pub fn trades(&self, symbol: SymbolId, page: Page) -> Vec<Trade> {
        let _ = (symbol, page);
        todo!()
    }
    /// One trade.
    pub fn trade(&self, symbol: SymbolId, id: TradeId) -> Option<Trade> {
        let _ = (symbol, id);
        todo!()
    }
    /// Aggregate trades of a symbol; ids are those of the aggregates.
    pub fn aggregate_trades(&self, symbol: SymbolId, page: Page) -> Vec<AggregateTrade> {
        let _ = (symbol, page);
        todo!()
    }
    /// The last price, or the opening price before the first trade.
    pub fn last_price(&self, symbol: SymbolId) -> Option<Price> {
        let _ = symbol;
        todo!()
    }
    /// The volume-weighted average of the last minutes, counted from a whole second; without trades in them, or
    /// with `mins` 0, the last price.
    pub fn average_price(&self, symbol: SymbolId, mins: u32, now: Timestamp) -> Option<Price> {
        let _ = (symbol, mins, now);
        todo!()
    }
    /// Candles, oldest first, up to the one that holds `now`.
    pub fn klines(&self, symbol: SymbolId, now: Timestamp, query: &KlineQuery) -> Vec<Kline> {
        let _ = (symbol, now, query);
        todo!()
    }
    /// What traded from `from` to before `to`, both taken down to whole seconds.
    pub fn window_stats(&self, symbol: SymbolId, from: Timestamp, to: Timestamp) -> Option<WindowStats> {
        let _ = (symbol, from, to);
        todo!()
    }
}
