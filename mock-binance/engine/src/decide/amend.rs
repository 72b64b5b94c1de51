//! Amending: an open order is made smaller and keeps its place in the queue.

use crate::command::AmendOrder;
use crate::decide::cancel::{admit, find_order};
use crate::decide::filters::{self, Besides, Surroundings};
use crate::decide::list::asked;
use crate::fact::{Closing, Fact};
use crate::ids::{AccountId, ClientOrderId, OrderId};
use crate::money::Quantity;
use crate::order::ExpiryReason;
use crate::rejection::Rejection;
use crate::spec::Filter;
use crate::state::{Slot, State};
use crate::time::Timestamp;

/// Decides an amendment. Of an OCO both orders become smaller, since their quantities are the same.
pub(crate) fn amend(
    state: &State,
    now: Timestamp,
    account_id: AccountId,
    request: &AmendOrder,
    plan: &mut Vec<Fact>,
) -> Result<OrderId, Rejection> {
    admit(state, now, account_id, request.symbol)?;
    let account = state.account(account_id).ok_or(Rejection::UnknownAccount)?;
    let spec = state.spec.symbol(request.symbol).ok_or(Rejection::UnknownSymbol)?;
    if !spec.features.amend {
        return Err(Rejection::AmendNotAllowed);
    }
    let slot = find_order(state, account_id, request.symbol, request.target)?;
    let record = state.record(slot).filter(|record| record.status.is_open()).ok_or(Rejection::UnknownOrder)?;
    if !request.quantity.is_positive() {
        return Err(Rejection::InvalidQuantity);
    }
    // The pending order of an OPO has no quantity yet.
    if record.quantity.is_zero() {
        return Err(Rejection::AmendNotAllowed);
    }
    if request.quantity == record.quantity {
        return Err(Rejection::AmendNothing);
    }
    if request.quantity > record.quantity {
        return Err(Rejection::AmendIncrease);
    }
    let count = u32::try_from(state.lists.amendments(slot).len()).map_err(|_| Rejection::Overflow)?;
    if spec.filters.max_num_order_amends.is_some_and(|most| count >= most) {
        return Err(Rejection::Filter(Filter::MaxNumOrderAmends));
    }
    let around = Surroundings { state, now, account, spec, symbol: request.symbol, besides: Besides::ITSELF };
    filters::pass(&asked(&record, request.quantity), &around)?;
    if let Some(name) = &request.client_order_id {
        let namesake = state.named(account_id, request.symbol, name).filter(|other| *other != slot);
        if namesake.and_then(|other| state.record(other)).is_some_and(|record| record.status.is_open()) {
            return Err(Rejection::DuplicateOrder);
        }
    }
    if state.is_full() {
        return Err(Rejection::Overflow);
    }
    let name = request.client_order_id.unwrap_or_else(|| ClientOrderId::for_amendment(slot.id(), count + 1));
    become_smaller(state, slot, request.quantity, name, plan);
    if let Some(twin) = state.open_twin(slot)
        && let Some(record) = state.record(twin)
    {
        become_smaller(state, twin, request.quantity, state.client_order_id(twin, &record), plan);
    }
    Ok(slot.id())
}

/// An order of which more has traded than is to be left of it ends at what has traded.
fn become_smaller(state: &State, slot: Slot, to: Quantity, client_order_id: ClientOrderId, plan: &mut Vec<Fact>) {
    let Some(record) = state.record(slot) else { return };
    let done = Quantity::from_units(record.executed.units().saturating_add(record.special().prevented.units()));
    let (order, quantity) = (slot.id(), to.max(done));
    plan.push(Fact::Amended { order, quantity, client_order_id });
    if quantity == done {
        plan.push(Fact::Closed { order, closing: Closing::Expired(ExpiryReason::None) });
    }
}
