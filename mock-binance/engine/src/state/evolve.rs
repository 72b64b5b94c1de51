//! How a fact changes the state: the one place that does.
//!
//! Facts come from a decision, which is always right, or from a journal, which may belong to another specification:
//! so everything is checked, and a fact that does not fit is [`Inconsistent`].
//!
//! Why nothing is ever lost in rounding: an order's lock is a function of what remains of it. A BUY at limit `L`
//! with `r` remaining holds `ceil(L*r)`. A trade of `q` at `p <= L` pays `floor(p*q)`, and since
//! `ceil(a + b) >= ceil(a) + floor(b)`, what is set free, `ceil(L*r) - ceil(L*(r-q)) - floor(p*q)`, is never
//! negative. The seller receives the same `floor(p*q)`, and each commission moves to the account of the commissions.

use crate::command::Side;
use crate::fact::{Accepted, AccountKind, Closing, Fact, Prevented, Traded};
use crate::ids::{AccountId, AssetId, OrderId, SymbolId};
use crate::money::{Amount, Overflow, Quantity};
use crate::order::{OrderStatus, PreventedMatch};
use crate::state::book::PartId;
use crate::state::stops::Wait;
use crate::state::trades::TradeRecord;
use crate::state::world::Market;
use crate::state::{Account, OrderRecord, Purse, Slot, State};
use crate::time::Timestamp;

/// A fact that does not follow from what is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inconsistent;

impl From<Overflow> for Inconsistent {
    fn from(_: Overflow) -> Self {
        Self
    }
}

pub(super) type Evolved = Result<(), Inconsistent>;

/// One party of a trade, taken from its order before and after.
struct Party {
    account: AccountId,
    /// Whether this was the order's first trade.
    first: bool,
    /// What the order held before and holds now; the same for a MARKET order: nothing.
    lock_before: Amount,
    lock_after: Amount,
}

impl State {
    /// Makes a fact so. After an error the state is not to be used.
    pub(crate) fn evolve(&mut self, now: Timestamp, fact: &Fact) -> Evolved {
        self.clock = self.clock.max(now);
        match fact {
            Fact::AccountOpened { account, kind } => self.open_account(now, *account, *kind),
            Fact::Deposited { account, asset, amount } => self.transfer(now, *account, *asset, *amount, true),
            Fact::Withdrawn { account, asset, amount } => self.transfer(now, *account, *asset, *amount, false),
            Fact::Accepted(accepted) => self.accept(now, accepted),
            Fact::Booked { order } => self.book_order(*order),
            Fact::Triggered { order } => self.trigger(now, *order),
            Fact::Traded(traded) => self.trade(now, traded),
            Fact::Prevented(prevented) => self.prevent(now, prevented),
            Fact::ListOpened(opened) => self.open_list(now, opened),
            Fact::Released { order, quantity, twin_holds } => self.release(now, *order, *quantity, *twin_holds),
            Fact::ListClosed { list } => self.close_list(now, *list),
            Fact::Amended { order, quantity, client_order_id } => self.amend(now, *order, *quantity, *client_order_id),
            Fact::NotAttempted { account } => self.count_order(now, *account),
            Fact::Closed { order, closing } => self.close(now, *order, closing),
            Fact::Rejected { .. } => Ok(()),
            Fact::StatusChanged { symbol, status, until } => {
                let market = self.market_mut(*symbol)?;
                market.status = *status;
                let before = std::mem::replace(&mut market.until, *until);
                if let Some(before) = before {
                    self.resumptions.remove(&(before, *symbol));
                }
                self.resumptions.extend(until.map(|until| (until, *symbol)));
                Ok(())
            }
        }
    }

    pub(super) fn market_mut(&mut self, symbol: SymbolId) -> Result<&mut Market, Inconsistent> {
        self.markets.get_mut(usize::from(symbol.0)).ok_or(Inconsistent)
    }

    pub(super) fn account_mut(&mut self, id: AccountId) -> Result<&mut Account, Inconsistent> {
        usize::try_from(id.0).ok().and_then(|place| self.accounts.get_mut(place)).ok_or(Inconsistent)
    }

    pub(super) fn purse_mut(&mut self, id: AccountId, asset: AssetId) -> Result<&mut Purse, Inconsistent> {
        self.account_mut(id)?.purse_mut(asset).ok_or(Inconsistent)
    }

    pub(super) fn order_mut(&mut self, slot: Slot) -> Result<&mut OrderRecord, Inconsistent> {
        self.orders.open_mut(slot).ok_or(Inconsistent)
    }

    pub(super) fn assets(&self, symbol: SymbolId) -> Result<(AssetId, AssetId), Inconsistent> {
        self.spec.symbol(symbol).map(|spec| (spec.base, spec.quote)).ok_or(Inconsistent)
    }

    fn open_account(&mut self, now: Timestamp, account: AccountId, kind: AccountKind) -> Evolved {
        if usize::try_from(account.0) != Ok(self.accounts.len()) {
            return Err(Inconsistent);
        }
        self.accounts.push(Account::new(&self.spec, now, kind));
        Ok(())
    }

    fn transfer(&mut self, now: Timestamp, id: AccountId, asset: AssetId, amount: Amount, comes_in: bool) -> Evolved {
        let supply = self.supply.get_mut(usize::from(asset.0)).ok_or(Inconsistent)?;
        *supply = if comes_in { supply.checked_add(amount)? } else { supply.checked_sub(amount)? };
        let account = self.account_mut(id)?;
        account.updated = now;
        let purse = account.purse_mut(asset).ok_or(Inconsistent)?;
        let moved = if comes_in { purse.add(amount) } else { purse.take(amount) };
        Ok(moved?)
    }

    fn accept(&mut self, now: Timestamp, accepted: &Accepted) -> Evolved {
        if self.next_order() != Some(accepted.order) {
            return Err(Inconsistent);
        }
        self.check_member(accepted)?;
        let slot = Slot::of(accepted.order).ok_or(Inconsistent)?;
        let name = match &accepted.client_order_id {
            Some(name) => {
                let kept = self.names.add(accepted.account, accepted.symbol, name, slot);
                Some(kept.ok_or(Inconsistent)?)
            }
            None => None,
        };
        let record = OrderRecord::new(accepted, name, now);
        let wait = record.wait();
        let is_pending = record.pending;
        let lock = record.lock(record.quantity)?;
        let (base, quote) = self.assets(accepted.symbol)?;
        let paid_with = if accepted.side == Side::Buy { quote } else { base };
        self.orders.push(record).ok_or(Inconsistent)?;
        self.executions += 1;
        let Self { accounts, spec, .. } = self;
        let place = usize::try_from(accepted.account.0).map_err(|_| Inconsistent)?;
        let account = accounts.get_mut(place).ok_or(Inconsistent)?;
        account.counts.add(&spec.limits.orders, now);
        let desk = account.desk_mut(accepted.symbol).ok_or(Inconsistent)?;
        desk.orders.push(slot).ok_or(Inconsistent)?;
        if wait.is_some() || is_pending {
            desk.open.insert(slot);
        }
        if !lock.is_zero() {
            account.purse_mut(paid_with).ok_or(Inconsistent)?.lock(lock)?;
            account.updated = now;
        }
        self.watch(now, slot, accepted.symbol, wait)
    }

    /// Lets an order wait for its price, if it is of such a type.
    pub(super) fn watch(&mut self, now: Timestamp, slot: Slot, symbol: SymbolId, wait: Option<Wait>) -> Evolved {
        let Some(wait) = wait else { return Ok(()) };
        let market = self.market_mut(symbol)?;
        let last = market.tape.last_price();
        if market.stops.add(wait, slot, last) {
            self.order_mut(slot)?.special_mut().trailing_since = Some(now);
        }
        Ok(())
    }

    fn count_order(&mut self, now: Timestamp, id: AccountId) -> Evolved {
        let Self { accounts, spec, .. } = self;
        let place = usize::try_from(id.0).map_err(|_| Inconsistent)?;
        accounts.get_mut(place).ok_or(Inconsistent)?.counts.add(&spec.limits.orders, now);
        Ok(())
    }

    fn trigger(&mut self, now: Timestamp, order: OrderId) -> Evolved {
        let slot = Slot::of(order).ok_or(Inconsistent)?;
        let record = self.order_mut(slot)?;
        if record.wait().is_none() || !record.status.is_open() {
            return Err(Inconsistent);
        }
        let before = record.lock(record.remaining())?;
        record.waiting = false;
        record.working = now;
        record.updated = now;
        let released = before.checked_sub(record.lock(record.remaining())?)?;
        let (id, symbol, side) = (record.account, record.symbol, record.side);
        self.market_mut(symbol)?.stops.take_due(slot).ok_or(Inconsistent)?;
        self.executions += 1;
        let (base, quote) = self.assets(symbol)?;
        let account = self.account_mut(id)?;
        account.desk_mut(symbol).ok_or(Inconsistent)?.open.remove(slot);
        if !released.is_zero() {
            account.updated = now;
            account.purse_mut(if side == Side::Buy { quote } else { base }).ok_or(Inconsistent)?.release(released)?;
        }
        Ok(())
    }

    fn book_order(&mut self, order: OrderId) -> Evolved {
        let slot = Slot::of(order).ok_or(Inconsistent)?;
        let record = self.order_mut(slot)?;
        let rests = record.is_placed() && !record.order_type.takes_any_price();
        if !record.status.is_open() || record.part != PartId::NONE || !rests {
            return Err(Inconsistent);
        }
        let (symbol, account, side) = (record.symbol, record.account, record.side);
        let (price, resting) = (record.price(), record.resting());
        let part = self.market_mut(symbol)?.book.join(side, price, slot, resting).ok_or(Inconsistent)?;
        self.order_mut(slot)?.part = part;
        self.account_mut(account)?.desk_mut(symbol).ok_or(Inconsistent)?.open.insert(slot);
        Ok(())
    }

    fn trade(&mut self, now: Timestamp, traded: &Traded) -> Evolved {
        let maker_slot = Slot::of(traded.maker).ok_or(Inconsistent)?;
        let taker_slot = Slot::of(traded.taker).ok_or(Inconsistent)?;
        // Of the two orders of an OCO the other one is closed first: what it holds is then this one's.
        if self.open_twin(maker_slot).is_some() || self.open_twin(taker_slot).is_some() {
            return Err(Inconsistent);
        }
        let (maker, taker) = (self.fill(now, maker_slot, traded)?, self.fill(now, taker_slot, traded)?);
        let order = self.order_mut(maker_slot)?;
        let (symbol, maker_side, part, left) = (order.symbol, order.side, order.part, order.remaining());
        let at_makers_price = order.price() == traded.price;
        let taker_order = self.order_mut(taker_slot)?;
        let fits = taker_order.symbol == symbol && taker_order.side == maker_side.opposite();
        if !fits || !at_makers_price || part == PartId::NONE || traded.price.times(traded.quantity) != Ok(traded.quote)
        {
            return Err(Inconsistent);
        }

        let (base, quote) = self.assets(symbol)?;
        let trade_id = self.market_mut(symbol)?.tape.next();
        let discounts = self.spec.discount.map(|discount| discount.asset);
        let pays_in = |discounted: bool| if discounted { discounts.ok_or(Inconsistent).map(Some) } else { Ok(None) };
        for (party, slot, side, commission, paid_in, is_maker) in [
            (&maker, maker_slot, maker_side, traded.maker_commission, pays_in(traded.maker_discounted)?, true),
            (
                &taker,
                taker_slot,
                maker_side.opposite(),
                traded.taker_commission,
                pays_in(traded.taker_discounted)?,
                false,
            ),
        ] {
            let (gives, given, gets, got) = match side {
                Side::Buy => (quote, traded.quote, base, traded.quantity.as_amount()),
                Side::Sell => (base, traded.quantity.as_amount(), quote, traded.quote),
            };
            let account = self.account_mut(party.account)?;
            account.updated = now;
            let purse = account.purse_mut(gives).ok_or(Inconsistent)?;
            purse.release(party.lock_before.checked_sub(party.lock_after)?)?;
            purse.take(given)?;
            let paid_in = paid_in.unwrap_or(gets);
            let received = if paid_in == gets { got.checked_sub(commission)? } else { got };
            account.purse_mut(gets).ok_or(Inconsistent)?.add(received)?;
            if paid_in != gets {
                account.purse_mut(paid_in).ok_or(Inconsistent)?.take(commission)?;
            }
            let fill = trade_id.checked_mul(2).and_then(|id| id.checked_add(is_maker.into())).ok_or(Inconsistent)?;
            account.desk_mut(symbol).ok_or(Inconsistent)?.fills.push(fill).ok_or(Inconsistent)?;
            self.purse_mut(AccountId::FEES, paid_in)?.add(commission)?;
            self.hold_proceeds(slot, received)?;
            if party.first {
                let credit = if is_maker { self.spec.limits.maker_fill_credit } else { 1 };
                self.take_off_count(now, party.account, credit)?;
            }
        }

        let record = TradeRecord {
            price: traded.price,
            quantity: traded.quantity,
            time: now,
            maker: maker_slot,
            taker: taker_slot,
            maker_commission: traded.maker_commission,
            taker_commission: traded.taker_commission,
            maker_discounted: traded.maker_discounted,
            taker_discounted: traded.taker_discounted,
        };
        let market = self.market_mut(symbol)?;
        market.tape.push(record, traded.quote, maker_side == Side::Sell).ok_or(Inconsistent)?;
        let followers = market.stops.reach(traded.price);
        market.book.reduce(part, traded.quantity).ok_or(Inconsistent)?;
        for follower in followers {
            self.order_mut(follower)?.special_mut().trailing_since = Some(now);
        }
        if left.is_zero() {
            self.leave_book(maker_slot)?;
        } else {
            self.show_next(maker_slot, traded.quantity)?;
        }
        for slot in [maker_slot, taker_slot] {
            if !self.order_mut(slot)?.status.is_open() {
                self.orders.retire(slot).ok_or(Inconsistent)?;
            }
        }
        self.executions += 2;
        Ok(())
    }

    /// Shows the next part of an iceberg order whose shown part has traded; it loses its place in the queue.
    fn show_next(&mut self, slot: Slot, traded: Quantity) -> Evolved {
        let order = self.order_mut(slot)?;
        if order.special().iceberg.is_zero() {
            return Ok(());
        }
        let remaining = order.remaining();
        let special = order.special_mut();
        special.shown = special.shown.checked_sub(traded)?;
        if special.shown.is_positive() {
            return Ok(());
        }
        special.shown = special.iceberg.min(remaining);
        let shown = special.shown;
        let (symbol, side, price, part) = (order.symbol, order.side, order.price(), order.part);
        let book = &mut self.market_mut(symbol)?.book;
        book.leave(side, price, (part, slot), Quantity::ZERO).ok_or(Inconsistent)?;
        let part = book.join(side, price, slot, shown).ok_or(Inconsistent)?;
        self.order_mut(slot)?.part = part;
        Ok(())
    }

    fn prevent(&mut self, now: Timestamp, prevented: &Prevented) -> Evolved {
        let Prevented { maker, taker, mode, price, maker_quantity, taker_quantity } = *prevented;
        let maker_slot = Slot::of(maker).ok_or(Inconsistent)?;
        let symbol = self.order_mut(maker_slot)?.symbol;
        let market = self.market_mut(symbol)?;
        let id = market.prevented_count;
        market.prevented_count = id.checked_add(1).ok_or(Inconsistent)?;
        let (told, time) = (u64::from(id), now);
        let one = PreventedMatch { id: told, taker, maker, mode, price, taker_quantity, maker_quantity, time };
        market.prevented.push(one);
        for (order, quantity) in [(taker, taker_quantity), (maker, maker_quantity)] {
            if !quantity.is_zero() {
                self.take_off(now, Slot::of(order).ok_or(Inconsistent)?, quantity, id)?;
            }
        }
        Ok(())
    }

    /// Takes a quantity off an order that a prevented trade would have been of; it ends when nothing is left.
    fn take_off(&mut self, now: Timestamp, slot: Slot, quantity: Quantity, id: u32) -> Evolved {
        let order = self.order_mut(slot)?;
        let (before, resting) = (order.remaining(), order.resting());
        if !order.status.is_open() || !order.is_placed() || quantity > before || !quantity.is_positive() {
            return Err(Inconsistent);
        }
        let lock = order.lock(before)?;
        let special = order.special_mut();
        special.prevented = special.prevented.checked_add(quantity)?;
        special.prevented_match = Some(id);
        order.updated = now;
        let ends = order.remaining().is_zero();
        if ends {
            order.status = OrderStatus::ExpiredInMatch;
        }
        let released = lock.checked_sub(order.lock(order.remaining())?)?;
        let (account, symbol, side, price) = (order.account, order.symbol, order.side, order.price());
        let (part, less) = (order.part, resting.checked_sub(order.resting())?);
        if part != PartId::NONE {
            let book = &mut self.market_mut(symbol)?.book;
            if ends {
                book.leave(side, price, (part, slot), resting).ok_or(Inconsistent)?;
                self.order_mut(slot)?.part = PartId::NONE;
                self.account_mut(account)?.desk_mut(symbol).ok_or(Inconsistent)?.open.remove(slot);
            } else {
                book.reduce(part, less).ok_or(Inconsistent)?;
            }
        }
        self.executions += 1;
        let (base, quote) = self.assets(symbol)?;
        if !released.is_zero() {
            let account = self.account_mut(account)?;
            account.updated = now;
            account.purse_mut(if side == Side::Buy { quote } else { base }).ok_or(Inconsistent)?.release(released)?;
        }
        if ends {
            self.left_by(now, slot)?;
            self.orders.retire(slot).ok_or(Inconsistent)?;
        }
        Ok(())
    }

    /// Books a trade's quantities into one of its orders.
    fn fill(&mut self, now: Timestamp, slot: Slot, traded: &Traded) -> Result<Party, Inconsistent> {
        let order = self.order_mut(slot)?;
        let before = order.remaining();
        let after = before.checked_sub(traded.quantity)?;
        let works = order.status.is_open() && order.is_placed();
        if !works || !traded.quantity.is_positive() || after < Quantity::ZERO {
            return Err(Inconsistent);
        }
        let party = Party {
            account: order.account,
            first: order.executed.is_zero(),
            lock_before: order.lock(before)?,
            lock_after: order.lock(after)?,
        };
        order.executed = order.executed.checked_add(traded.quantity)?;
        order.cumulative_quote = order.cumulative_quote.checked_add(traded.quote)?;
        order.updated = now;
        order.status = if after.is_zero() { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        Ok(party)
    }

    fn take_off_count(&mut self, now: Timestamp, id: AccountId, credit: u32) -> Evolved {
        let Self { accounts, spec, .. } = self;
        let place = usize::try_from(id.0).map_err(|_| Inconsistent)?;
        let account = accounts.get_mut(place).ok_or(Inconsistent)?;
        account.counts.take_off(&spec.limits.orders, now, credit);
        Ok(())
    }

    fn close(&mut self, now: Timestamp, order: OrderId, closing: &Closing) -> Evolved {
        let slot = Slot::of(order).ok_or(Inconsistent)?;
        let record = self.order_mut(slot)?;
        if !record.status.is_open() {
            return Err(Inconsistent);
        }
        let lock = record.lock(record.remaining())?;
        let (wait, is_booked) = (record.wait(), record.part != PartId::NONE);
        record.updated = now;
        match closing {
            Closing::Canceled(_) => record.status = OrderStatus::Canceled,
            Closing::Expired(reason) => {
                record.status = OrderStatus::Expired;
                record.expiry_reason = Some(*reason);
            }
        }
        let (id, symbol, side) = (record.account, record.symbol, record.side);
        if is_booked {
            self.leave_book(slot)?;
        } else {
            self.account_mut(id)?.desk_mut(symbol).ok_or(Inconsistent)?.open.remove(slot);
        }
        if let Some(wait) = wait {
            self.market_mut(symbol)?.stops.remove(wait, slot);
        }
        let (base, quote) = self.assets(symbol)?;
        self.executions += 1;
        if !lock.is_zero() {
            let account = self.account_mut(id)?;
            account.updated = now;
            account.purse_mut(if side == Side::Buy { quote } else { base }).ok_or(Inconsistent)?.release(lock)?;
        }
        self.left_by(now, slot)?;
        self.orders.retire(slot).ok_or(Inconsistent)
    }

    /// Takes an order out of the book with whatever of it still rests.
    fn leave_book(&mut self, slot: Slot) -> Evolved {
        let order = self.order_mut(slot)?;
        let part = std::mem::replace(&mut order.part, PartId::NONE);
        let (symbol, id, side) = (order.symbol, order.account, order.side);
        let (price, resting) = (order.price(), order.resting());
        self.market_mut(symbol)?.book.leave(side, price, (part, slot), resting).ok_or(Inconsistent)?;
        self.account_mut(id)?.desk_mut(symbol).ok_or(Inconsistent)?.open.remove(slot);
        Ok(())
    }
}
