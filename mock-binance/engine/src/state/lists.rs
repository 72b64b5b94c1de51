//! Order lists, and how the facts about them change the state.
//!
//! What a list holds: of the two orders of an OCO only one ever trades, so only one of them, the dearer, holds
//! anything. When it closes while the other is still open, the other takes over. An OPO holds what its working order
//! has bought until the pending orders are placed.

use std::collections::BTreeMap;

use crate::command::Side;
use crate::fact::{Accepted, ListOpened, Member};
use crate::ids::{AccountId, ClientOrderId, ListId, OrderId, SymbolId};
use crate::list::{ListKind, OrderList};
use crate::money::{Amount, Quantity};
use crate::order::{Amendment, OrderStatus};
use crate::state::book::PartId;
use crate::state::evolve::{Evolved, Inconsistent};
use crate::state::{Slot, State};
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListRecord {
    pub(crate) account: AccountId,
    pub(crate) symbol: SymbolId,
    pub(crate) kind: ListKind,
    pub(crate) client_id: ClientOrderId,
    /// The first of its orders; the others follow it.
    pub(crate) first: Slot,
    /// What the working order of an OPO has bought, as long as its pending orders wait.
    pub(crate) held: Amount,
    pub(crate) time: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) is_done: bool,
}

impl ListRecord {
    /// The order at a place.
    pub(crate) fn order(&self, place: u32) -> Option<Slot> {
        self.first.0.checked_add(place).map(Slot)
    }

    /// Its orders.
    pub(crate) fn orders(&self) -> impl Iterator<Item = Slot> + use<> {
        let first = self.first;
        (0..self.kind.order_count()).filter_map(move |place| first.0.checked_add(place).map(Slot))
    }

    /// Those that wait for the working order.
    pub(crate) fn pending(&self) -> impl Iterator<Item = Slot> + use<> {
        self.orders().skip(usize::from(self.kind.has_working()))
    }

    /// The other order of this one's OCO.
    pub(crate) fn twin(&self, order: Slot) -> Option<Slot> {
        let (one, other) = self.kind.pair()?;
        let (one, other) = (self.order(one)?, self.order(other)?);
        if order == one {
            Some(other)
        } else if order == other {
            Some(one)
        } else {
            None
        }
    }
}

/// Every list that is not forgotten, and what is found by something else than a list's id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Lists {
    records: BTreeMap<ListId, ListRecord>,
    /// How many there were.
    count: u32,
    /// The latest list of a name.
    names: BTreeMap<(AccountId, ClientOrderId), ListId>,
    /// Amendments by order, oldest first.
    amendments: BTreeMap<Slot, Vec<Amendment>>,
}

impl Lists {
    pub(crate) fn get(&self, list: ListId) -> Option<&ListRecord> {
        self.records.get(&list)
    }

    fn get_mut(&mut self, list: ListId) -> Result<&mut ListRecord, Inconsistent> {
        self.records.get_mut(&list).ok_or(Inconsistent)
    }

    /// The id that the next list gets.
    pub(crate) fn next(&self) -> Option<ListId> {
        (self.count < u32::MAX).then_some(ListId(self.count))
    }

    /// The lists that are not done.
    pub(super) fn open(&self) -> impl Iterator<Item = &ListRecord> {
        self.records.values().filter(|list| !list.is_done)
    }

    /// Forgets the lists of which no order is known any more, and what became of forgotten orders.
    pub(super) fn forget(&mut self, knows: impl Fn(Slot) -> bool) {
        self.records.retain(|_, list| !list.is_done || list.orders().any(&knows));
        self.names.retain(|_, list| self.records.contains_key(list));
        self.amendments.retain(|order, _| knows(*order));
    }

    /// The latest list of this name.
    pub(crate) fn named(&self, account: AccountId, name: ClientOrderId) -> Option<ListId> {
        self.names.get(&(account, name)).copied()
    }

    /// Every amendment of an order, oldest first.
    pub(crate) fn amendments(&self, order: Slot) -> &[Amendment] {
        self.amendments.get(&order).map(Vec::as_slice).unwrap_or_default()
    }
}

impl State {
    /// The other order of this one's OCO, while it is open.
    pub(crate) fn open_twin(&self, order: Slot) -> Option<Slot> {
        let list = self.open_record(order)?.list?;
        let twin = self.lists.get(list)?.twin(order)?;
        self.open_record(twin).filter(|record| record.status.is_open()).map(|_| twin)
    }

    /// A list as readers see it.
    pub(crate) fn list_view(&self, id: ListId) -> Option<OrderList> {
        let list = self.lists.get(id)?;
        let named = |slot: Slot| self.record(slot).map(|record| (slot.id(), self.client_order_id(slot, &record)));
        Some(OrderList {
            id,
            account: list.account,
            symbol: list.symbol,
            kind: list.kind,
            client_id: list.client_id,
            orders: list.orders().filter_map(named).collect(),
            time: list.time,
            update_time: list.updated,
            is_done: list.is_done,
        })
    }

    pub(super) fn open_list(&mut self, now: Timestamp, opened: &ListOpened) -> Evolved {
        let ListOpened { list, account, symbol, kind, client_id } = *opened;
        if self.lists.next() != Some(list) {
            return Err(Inconsistent);
        }
        let first = Slot::of(self.next_order().ok_or(Inconsistent)?).ok_or(Inconsistent)?;
        let held = Amount::ZERO;
        let record =
            ListRecord { account, symbol, kind, client_id, first, held, time: now, updated: now, is_done: false };
        self.lists.records.insert(list, record);
        self.lists.count += 1;
        self.lists.names.insert((account, client_id), list);
        let account = self.account_mut(account)?;
        account.lists.push(list);
        account.open_lists.insert(list);
        Ok(())
    }

    /// Whether an order that is taken on belongs to the list that it names.
    pub(super) fn check_member(&self, accepted: &Accepted) -> Evolved {
        let Some(Member { list, pending, .. }) = accepted.member else { return Ok(()) };
        let list = self.lists.get(list).ok_or(Inconsistent)?;
        let slot = Slot::of(accepted.order).ok_or(Inconsistent)?;
        let belongs = list.account == accepted.account && list.symbol == accepted.symbol;
        let is_pending = list.pending().any(|order| order == slot) && list.kind.has_working();
        if belongs && list.orders().any(|order| order == slot) && pending == is_pending {
            Ok(())
        } else {
            Err(Inconsistent)
        }
    }

    pub(super) fn close_list(&mut self, now: Timestamp, id: ListId) -> Evolved {
        let list = self.lists.get(id).ok_or(Inconsistent)?;
        let open = |slot| self.record(slot).is_none_or(|record| record.status.is_open());
        if list.is_done || list.orders().any(open) {
            return Err(Inconsistent);
        }
        let account = list.account;
        let list = self.lists.get_mut(id)?;
        list.is_done = true;
        list.updated = now;
        self.account_mut(account)?.open_lists.remove(&id);
        Ok(())
    }

    /// Places a pending order: it holds what it pays with, and waits for its price if it is of such a type.
    pub(super) fn release(&mut self, now: Timestamp, order: OrderId, quantity: Quantity, twin_holds: bool) -> Evolved {
        let slot = Slot::of(order).ok_or(Inconsistent)?;
        let record = self.order_mut(slot)?;
        if !record.pending || !record.status.is_open() || !quantity.is_positive() {
            return Err(Inconsistent);
        }
        record.pending = false;
        record.status = OrderStatus::New;
        record.quantity = quantity;
        if let Some(special) = &mut record.special {
            special.shown = special.iceberg.min(quantity);
        }
        record.twin_holds = twin_holds;
        record.working = now;
        record.updated = now;
        let lock = record.lock(record.remaining())?;
        let wait = record.wait();
        let (id, symbol, side) = (record.account, record.symbol, record.side);
        let list = record.list.ok_or(Inconsistent)?;
        self.executions += 1;
        self.let_go(list)?;
        if wait.is_none() {
            self.account_mut(id)?.desk_mut(symbol).ok_or(Inconsistent)?.open.remove(slot);
        }
        self.watch(now, slot, symbol, wait)?;
        self.set_lock(now, id, symbol, side, lock)
    }

    /// Sets free what an OPO holds for its pending orders.
    pub(super) fn let_go(&mut self, id: ListId) -> Evolved {
        let list = self.lists.get_mut(id)?;
        let held = std::mem::replace(&mut list.held, Amount::ZERO);
        let (account, symbol) = (list.account, list.symbol);
        if !held.is_zero() {
            let (base, _) = self.assets(symbol)?;
            self.purse_mut(account, base)?.release(held)?;
        }
        Ok(())
    }

    /// Holds what the working order of an OPO has bought.
    pub(super) fn hold_proceeds(&mut self, order: Slot, received: Amount) -> Evolved {
        let Some(list) = self.open_record(order).and_then(|record| record.list) else { return Ok(()) };
        let list = self.lists.get_mut(list)?;
        if !list.kind.pays_other() || list.first != order {
            return Ok(());
        }
        list.held = list.held.checked_add(received)?;
        let (account, symbol) = (list.account, list.symbol);
        let (base, _) = self.assets(symbol)?;
        Ok(self.purse_mut(account, base)?.lock(received)?)
    }

    /// What the closing of one order means to the others of its list.
    pub(super) fn left_by(&mut self, now: Timestamp, order: Slot) -> Evolved {
        let Some(id) = self.open_record(order).and_then(|record| record.list) else { return Ok(()) };
        if let Some(twin) = self.open_twin(order) {
            let record = self.order_mut(twin)?;
            if record.twin_holds {
                record.twin_holds = false;
                let lock = record.lock(record.remaining())?;
                let (account, symbol, side) = (record.account, record.symbol, record.side);
                self.set_lock(now, account, symbol, side, lock)?;
            }
        }
        let list = self.lists.get(id).ok_or(Inconsistent)?;
        if list.kind.has_working() && list.first != order { self.let_go(id) } else { Ok(()) }
    }

    fn set_lock(&mut self, now: Timestamp, id: AccountId, symbol: SymbolId, side: Side, lock: Amount) -> Evolved {
        if lock.is_zero() {
            return Ok(());
        }
        let (base, quote) = self.assets(symbol)?;
        let account = self.account_mut(id)?;
        account.updated = now;
        Ok(account.purse_mut(if side == Side::Buy { quote } else { base }).ok_or(Inconsistent)?.lock(lock)?)
    }

    /// Makes an order smaller where it stands.
    pub(super) fn amend(&mut self, now: Timestamp, order: OrderId, quantity: Quantity, name: ClientOrderId) -> Evolved {
        let slot = Slot::of(order).ok_or(Inconsistent)?;
        let record = self.record(slot).ok_or(Inconsistent)?;
        let before = self.client_order_id(slot, &record);
        let (account, symbol) = (record.account, record.symbol);
        let name_id = if name == before {
            record.name
        } else {
            Some(self.names.add(account, symbol, &name, slot).ok_or(Inconsistent)?)
        };
        let record = self.order_mut(slot)?;
        let quantity_before = record.quantity;
        if !record.status.is_open()
            || quantity >= quantity_before
            || record.executed.checked_add(record.special().prevented)? > quantity
        {
            return Err(Inconsistent);
        }
        let (released, resting) = (record.lock(record.remaining())?, record.resting());
        record.quantity = quantity;
        let shown = record.resting();
        if let Some(special) = &mut record.special {
            special.shown = shown;
        }
        record.name = name_id;
        record.updated = now;
        let released = released.checked_sub(record.lock(record.remaining())?)?;
        let (side, part) = (record.side, record.part);
        let now_resting = record.resting();
        if part != PartId::NONE {
            let less = resting.checked_sub(now_resting)?;
            self.market_mut(symbol)?.book.reduce(part, less).ok_or(Inconsistent)?;
        }
        let (base, quote) = self.assets(symbol)?;
        if !released.is_zero() {
            let account = self.account_mut(account)?;
            account.updated = now;
            account.purse_mut(if side == Side::Buy { quote } else { base }).ok_or(Inconsistent)?.release(released)?;
        }
        self.executions += 1;
        self.lists.amendments.entry(slot).or_default().push(Amendment {
            execution_id: self.executions,
            before,
            after: name,
            quantity_before,
            quantity_after: quantity,
            time: now,
        });
        Ok(())
    }
}
