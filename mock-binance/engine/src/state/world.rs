//! The whole state, and the views that both readers and events take of it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::command::Side;
use crate::fact::AccountKind;
use crate::ids::{AccountId, AssetId, ClientOrderId, OrderId, SymbolId, TradeId};
use crate::money::Amount;
use crate::order::{Fill, Order, PreventedMatch, Trade};
use crate::spec::{ExchangeSpec, SymbolStatus};
use crate::state::lists::Lists;
use crate::state::names::Names;
use crate::state::stops::Stops;
use crate::state::store::Orders;
use crate::state::tape::Tape;
use crate::state::trades::TradeRecord;
use crate::state::{Account, Book, OrderRecord, Slot};
use crate::time::Timestamp;

/// Everything that is kept for one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Market {
    pub(crate) book: Book,
    pub(crate) tape: Tape,
    pub(crate) stops: Stops,
    /// Trades that were prevented and are not forgotten, oldest first.
    pub(crate) prevented: Vec<PreventedMatch>,
    /// How many there were; also the id of the next one.
    pub(super) prevented_count: u32,
    pub(crate) status: SymbolStatus,
    /// When TRADING comes back by itself.
    pub(crate) until: Option<Timestamp>,
}

impl Market {
    /// The status at a moment that may lie beyond a deadline not met yet.
    pub(crate) fn status_at(&self, now: Timestamp) -> SymbolStatus {
        match self.until {
            Some(until) if until <= now => SymbolStatus::Trading,
            _ => self.status,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) spec: ExchangeSpec,
    /// The latest moment that anything happened.
    pub(crate) clock: Timestamp,
    pub(crate) markets: Vec<Market>,
    pub(super) accounts: Vec<Account>,
    pub(super) orders: Orders,
    pub(crate) names: Names,
    pub(crate) lists: Lists,
    /// Of each asset, all that came in less all that went out. Because this fits, every balance does.
    pub(super) supply: Vec<Amount>,
    /// When symbols come back to TRADING by themselves.
    pub(crate) resumptions: BTreeSet<(Timestamp, SymbolId)>,
    /// How many executions there were.
    pub(crate) executions: u64,
}

impl State {
    pub(crate) fn new(spec: ExchangeSpec) -> Self {
        let markets = spec.symbols.iter().map(|symbol| Market {
            book: Book::new(symbol.filters.price.map(|filter| filter.tick).unwrap_or_default()),
            tape: Tape::new(symbol.opening_price),
            stops: Stops::default(),
            prevented: Vec::new(),
            prevented_count: 0,
            status: symbol.status,
            until: None,
        });
        Self {
            clock: Timestamp::EPOCH,
            markets: markets.collect(),
            accounts: vec![Account::new(&spec, Timestamp::EPOCH, AccountKind::Ordinary)],
            orders: Orders::default(),
            names: Names::default(),
            lists: Lists::default(),
            supply: vec![Amount::ZERO; spec.assets.len()],
            resumptions: BTreeSet::new(),
            executions: 0,
            spec,
        }
    }

    pub(crate) fn market(&self, symbol: SymbolId) -> Option<&Market> {
        self.markets.get(usize::from(symbol.0))
    }

    pub(crate) fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(usize::try_from(id.0).ok()?)
    }

    pub(crate) fn account_count(&self) -> usize {
        self.accounts.len()
    }

    pub(crate) fn supply(&self, asset: AssetId) -> Option<Amount> {
        self.supply.get(usize::from(asset.0)).copied()
    }

    pub(crate) fn record(&self, order: Slot) -> Option<Cow<'_, OrderRecord>> {
        self.orders.get(order)
    }

    /// An open order, without making a copy of it: what a walk through the book or a fact asks for.
    pub(crate) fn open_record(&self, order: Slot) -> Option<&OrderRecord> {
        self.orders.open(order)
    }

    /// Whether an order is neither forgotten nor yet to come.
    pub(crate) fn knows(&self, order: Slot) -> bool {
        self.orders.knows(order)
    }

    /// Whether there is no room for one more order or one more name.
    pub(crate) fn is_full(&self) -> bool {
        self.names.is_full() || self.orders.is_full()
    }

    pub(crate) fn order_count(&self) -> usize {
        self.orders.len()
    }

    pub(crate) fn client_order_id(&self, order: Slot, record: &OrderRecord) -> ClientOrderId {
        let given = record.name.and_then(|name| self.names.get(name));
        given.unwrap_or_else(|| ClientOrderId::for_order(order.id()))
    }

    /// An order as readers see it.
    pub(crate) fn view(&self, slot: Slot) -> Option<Order> {
        Some(self.view_of(slot, &*self.record(slot)?))
    }

    /// As [`view`](Self::view), of a record at hand.
    pub(crate) fn view_of(&self, slot: Slot, record: &OrderRecord) -> Order {
        let special = record.special();
        Order {
            id: slot.id(),
            account: record.account,
            symbol: record.symbol,
            side: record.side,
            order_type: record.order_type,
            time_in_force: record.time_in_force,
            price: record.price(),
            stop_price: Some(special.stop_price).filter(|price| price.is_positive()),
            quantity: record.quantity,
            quote_order_qty: record.quote_order_qty(),
            executed: record.executed,
            cumulative_quote: record.cumulative_quote,
            prevented: special.prevented,
            prevented_match: special.prevented_match.map(u64::from),
            prevention: record.prevention,
            iceberg: Some(special.iceberg).filter(|shown| shown.is_positive()),
            trailing_delta: Some(special.trailing_delta).filter(|delta| *delta > 0),
            trailing_time: special.trailing_since,
            status: record.status,
            expiry_reason: record.expiry_reason,
            client_order_id: self.client_order_id(slot, record),
            time: record.time,
            working_time: Some(record.working).filter(|_| record.is_placed()),
            update_time: record.updated,
            list: record.list,
        }
    }

    /// The latest order of this account on this symbol that goes by this name.
    pub(crate) fn named(&self, account: AccountId, symbol: SymbolId, name: &ClientOrderId) -> Option<Slot> {
        let owned = |slot: Slot| self.record(slot).filter(|r| r.account == account && r.symbol == symbol);
        let given = self
            .names
            .candidates(account, symbol, name)
            .find(|slot| owned(*slot).and_then(|record| record.name).is_some_and(|kept| self.names.is(kept, name)));
        let generated = || {
            let slot = name.generated_for().and_then(Slot::of)?;
            owned(slot).filter(|record| record.name.is_none()).map(|_| slot)
        };
        // A name given to an order may be the generated one of another, which the client then knew and reused.
        given.max(generated())
    }

    /// A trade as the market sees it.
    pub(crate) fn trade_view(&self, symbol: SymbolId, id: TradeId) -> Option<Trade> {
        let trade = self.market(symbol)?.tape.trade(id)?;
        let (maker, taker) = (self.record(trade.maker)?, self.record(trade.taker)?);
        self.trade_of(id, &trade, &maker, &taker)
    }

    /// As [`trade_view`](Self::trade_view), of records at hand.
    pub(crate) fn trade_of(
        &self,
        id: TradeId,
        trade: &TradeRecord,
        maker: &OrderRecord,
        taker: &OrderRecord,
    ) -> Option<Trade> {
        let symbol = maker.symbol;
        Some(Trade {
            symbol,
            id,
            price: trade.price,
            quantity: trade.quantity,
            quote: trade.price.times(trade.quantity).ok()?,
            time: trade.time,
            maker_order: trade.maker.id(),
            taker_order: trade.taker.id(),
            maker_account: maker.account,
            taker_account: taker.account,
            maker_commission: trade.maker_commission,
            taker_commission: trade.taker_commission,
            maker_commission_asset: self.commission_asset(symbol, maker.side, trade.maker_discounted)?,
            taker_commission_asset: self.commission_asset(symbol, taker.side, trade.taker_discounted)?,
            is_buyer_maker: maker.side == Side::Buy,
        })
    }

    fn commission_asset(&self, symbol: SymbolId, side: Side, discounted: bool) -> Option<AssetId> {
        if discounted {
            return self.spec.discount.map(|discount| discount.asset);
        }
        let spec = self.spec.symbol(symbol)?;
        Some(if side == Side::Buy { spec.base } else { spec.quote })
    }

    /// One side of a trade.
    pub(crate) fn fill_view(&self, symbol: SymbolId, id: TradeId, is_maker: bool) -> Option<Fill> {
        let trade = self.market(symbol)?.tape.trade(id)?;
        let record = self.record(if is_maker { trade.maker } else { trade.taker })?;
        self.fill_of(id, &trade, &record, is_maker)
    }

    /// As [`fill_view`](Self::fill_view), of records at hand.
    pub(crate) fn fill_of(
        &self,
        id: TradeId,
        trade: &TradeRecord,
        order: &OrderRecord,
        is_maker: bool,
    ) -> Option<Fill> {
        let (slot, commission, discounted) = if is_maker {
            (trade.maker, trade.maker_commission, trade.maker_discounted)
        } else {
            (trade.taker, trade.taker_commission, trade.taker_discounted)
        };
        let is_buyer = order.side == Side::Buy;
        Some(Fill {
            trade: id,
            order: slot.id(),
            symbol: order.symbol,
            price: trade.price,
            quantity: trade.quantity,
            quote: trade.price.times(trade.quantity).ok()?,
            commission,
            commission_asset: self.commission_asset(order.symbol, order.side, discounted)?,
            is_buyer,
            is_maker,
            time: trade.time,
            list: order.list,
        })
    }

    /// The id that the next order gets.
    pub(crate) fn next_order(&self) -> Option<OrderId> {
        let slot = u32::try_from(self.orders.len()).ok()?;
        Some(Slot(slot).id())
    }
}
