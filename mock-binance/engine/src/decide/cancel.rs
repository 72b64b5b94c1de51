//! Cancelling.

use std::collections::BTreeSet;

use crate::command::{CancelOrder, CancelRestriction, OrderRef};
use crate::fact::{Closing, Fact};
use crate::ids::{AccountId, ClientOrderId, ListId, SymbolId};
use crate::list::{CancelList, ListRef};
use crate::order::OrderStatus;
use crate::rejection::Rejection;
use crate::spec::SymbolStatus;
use crate::state::{Slot, State};
use crate::time::Timestamp;

/// An order of this account on this symbol, open or not.
pub(crate) fn find_order(
    state: &State,
    account: AccountId,
    symbol: SymbolId,
    target: OrderRef,
) -> Result<Slot, Rejection> {
    let found = match target {
        OrderRef::Id(id) | OrderRef::Both(id, _) => Slot::of(id),
        OrderRef::Client(name) => state.named(account, symbol, &name),
    };
    let slot = found.ok_or(Rejection::UnknownOrder)?;
    let record = state.record(slot).filter(|record| record.account == account && record.symbol == symbol);
    let record = record.ok_or(Rejection::UnknownOrder)?;
    match target {
        OrderRef::Both(_, name) if state.client_order_id(slot, &record) != name => {
            Err(Rejection::ClientOrderIdMismatch)
        }
        _ => Ok(slot),
    }
}

pub(super) fn admit(state: &State, now: Timestamp, account: AccountId, symbol: SymbolId) -> Result<(), Rejection> {
    state.account(account).filter(|_| account != AccountId::FEES).ok_or(Rejection::UnknownAccount)?;
    match state.market(symbol).ok_or(Rejection::UnknownSymbol)?.status_at(now) {
        SymbolStatus::Trading | SymbolStatus::CancelOnly => Ok(()),
        SymbolStatus::EndOfDay | SymbolStatus::Halt | SymbolStatus::Break => Err(Rejection::MarketClosed),
    }
}

/// Cancels one order; with it all the others of its list.
pub(crate) fn cancel(
    state: &State,
    now: Timestamp,
    account: AccountId,
    request: &CancelOrder,
    plan: &mut Vec<Fact>,
) -> Result<Option<ListId>, Rejection> {
    admit(state, now, account, request.symbol)?;
    let slot = find_order(state, account, request.symbol, request.target)?;
    let record = state.record(slot).filter(|record| record.status.is_open()).ok_or(Rejection::UnknownOrder)?;
    let restricted = match request.restriction {
        None => false,
        Some(CancelRestriction::OnlyNew) => record.status != OrderStatus::New,
        Some(CancelRestriction::OnlyPartiallyFilled) => record.status != OrderStatus::PartiallyFilled,
    };
    if restricted {
        return Err(Rejection::CancelRestricted);
    }
    match record.list {
        Some(list) => end_list(state, list, request.cancel_id, plan)?,
        None => {
            plan.push(Fact::Closed { order: slot.id(), closing: Closing::Canceled(request.cancel_id) });
        }
    }
    Ok(record.list)
}

/// A list of this account on this symbol, done or not.
pub(crate) fn find_list(
    state: &State,
    account: AccountId,
    symbol: Option<SymbolId>,
    target: ListRef,
) -> Result<ListId, Rejection> {
    let id = match target {
        ListRef::Id(id) | ListRef::Both(id, _) => Some(id),
        ListRef::Client(name) => state.lists.named(account, name),
    };
    let owned = |id: &ListId| {
        let list = state.lists.get(*id)?;
        let named = !matches!(target, ListRef::Both(_, name) if name != list.client_id);
        let here = symbol.is_none_or(|symbol| symbol == list.symbol);
        (list.account == account && here && named).then_some(())
    };
    id.filter(|id| owned(id).is_some()).ok_or(Rejection::UnknownList)
}

pub(crate) fn cancel_list(
    state: &State,
    now: Timestamp,
    account: AccountId,
    request: &CancelList,
    plan: &mut Vec<Fact>,
) -> Result<ListId, Rejection> {
    admit(state, now, account, request.symbol)?;
    let list = find_list(state, account, Some(request.symbol), request.target)?;
    state.lists.get(list).filter(|list| !list.is_done).ok_or(Rejection::UnknownList)?;
    end_list(state, list, request.cancel_id, plan)?;
    Ok(list)
}

/// Cancels whatever of a list is open, all under one name.
fn end_list(
    state: &State,
    id: ListId,
    cancel_id: Option<ClientOrderId>,
    plan: &mut Vec<Fact>,
) -> Result<(), Rejection> {
    let list = state.lists.get(id).ok_or(Rejection::UnknownList)?;
    let by = cancel_id.unwrap_or_else(|| ClientOrderId::for_cancel(list.first.id()));
    let open = list.orders().filter(|slot| state.record(*slot).is_some_and(|record| record.status.is_open()));
    plan.extend(open.map(|slot| Fact::Closed { order: slot.id(), closing: Closing::Canceled(Some(by)) }));
    plan.push(Fact::ListClosed { list: id });
    Ok(())
}

pub(crate) fn cancel_all(
    state: &State,
    now: Timestamp,
    account: AccountId,
    symbol: SymbolId,
    plan: &mut Vec<Fact>,
) -> Result<(), Rejection> {
    admit(state, now, account, symbol)?;
    let desk = state.account(account).and_then(|account| account.desk(symbol)).ok_or(Rejection::UnknownSymbol)?;
    let mut lists = BTreeSet::new();
    for slot in desk.open.iter() {
        match state.record(slot).and_then(|record| record.list) {
            Some(list) => {
                if lists.insert(list) {
                    end_list(state, list, None, plan)?;
                }
            }
            None => plan.push(Fact::Closed { order: slot.id(), closing: Closing::Canceled(None) }),
        }
    }
    if plan.is_empty() { Err(Rejection::UnknownOrder) } else { Ok(()) }
}
