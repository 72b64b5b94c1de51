//! Cancelling.

use crate::command::{CancelOrder, CancelRestriction, OrderRef};
use crate::fact::{Closing, Fact};
use crate::ids::{AccountId, SymbolId};
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
        OrderRef::Id(id) | OrderRef::Both(id, _) => Slot::of(id).filter(|slot| {
            state.record(*slot).is_some_and(|record| record.account == account && record.symbol == symbol)
        }),
        OrderRef::Client(name) => state.named(account, symbol, &name),
    };
    let slot = found.ok_or(Rejection::UnknownOrder)?;
    let record = state.record(slot).ok_or(Rejection::UnknownOrder)?;
    match target {
        OrderRef::Both(_, name) if state.client_order_id(slot, record) != name => Err(Rejection::ClientOrderIdMismatch),
        _ => Ok(slot),
    }
}

fn admit(state: &State, now: Timestamp, account: AccountId, symbol: SymbolId) -> Result<(), Rejection> {
    state.account(account).filter(|_| account != AccountId::FEES).ok_or(Rejection::UnknownAccount)?;
    match state.market(symbol).ok_or(Rejection::UnknownSymbol)?.status_at(now) {
        SymbolStatus::Trading | SymbolStatus::CancelOnly => Ok(()),
        SymbolStatus::EndOfDay | SymbolStatus::Halt | SymbolStatus::Break => Err(Rejection::MarketClosed),
    }
}

pub(crate) fn cancel(
    state: &State,
    now: Timestamp,
    account: AccountId,
    request: &CancelOrder,
) -> Result<Fact, Rejection> {
    admit(state, now, account, request.symbol)?;
    let slot = find_order(state, account, request.symbol, request.target)?;
    let status = state.record(slot).ok_or(Rejection::UnknownOrder)?.status;
    let restricted = match (request.restriction, status) {
        (_, OrderStatus::Filled | OrderStatus::Canceled | OrderStatus::Expired) => {
            return Err(Rejection::UnknownOrder);
        }
        (None, _) => false,
        (Some(CancelRestriction::OnlyNew), status) => status != OrderStatus::New,
        (Some(CancelRestriction::OnlyPartiallyFilled), status) => status != OrderStatus::PartiallyFilled,
    };
    if restricted {
        return Err(Rejection::CancelRestricted);
    }
    Ok(Fact::Closed { order: slot.id(), closing: Closing::Canceled(request.cancel_id) })
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
    plan.extend(desk.open.iter().map(|slot| Fact::Closed { order: slot.id(), closing: Closing::Canceled(None) }));
    if plan.is_empty() { Err(Rejection::UnknownOrder) } else { Ok(()) }
}
