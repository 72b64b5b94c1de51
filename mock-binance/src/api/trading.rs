//! Placing and cancelling.

use exchange_engine::{CancelOrder, CancelRestriction, Canceled, Command, ListRef, OrderId, Placed, Reply};
use serde::Serialize;

use super::commission;
use super::error::ApiError;
use super::list::ListAnswer;
use super::order::{self, Asked};
use super::refusal;
use super::render::{CanceledAnswer, PlacedAnswer};
use super::route::Call;
use crate::json;

/// POST order.
pub(crate) fn place(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let Asked { order: new_order, response_type, strategy } = order::read(call)?;
    // The first event already tells the marks, so they are made under the id that the order is going to have.
    let next = OrderId(call.state.exchange.order_count().saturating_add(1));
    call.state.mark_strategy(next, strategy);
    let reply = call.state.apply(call.now, call.account, &Command::Place(new_order)).map_err(|rejection| {
        call.state.strategies.unmark(next);
        refusal::placing(rejection, &new_order, call.now)
    })?;
    let Reply::Placed(Placed { order, fills }) = reply else {
        return Err(ApiError::Internal);
    };
    Ok(json::bytes(&PlacedAnswer::new(&order, &fills, response_type, call.context())))
}

/// POST order/test: everything but the order itself; neither balances nor the book are looked at.
pub(crate) fn test(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let compute_rates = call.params.flag("computeCommissionRates")?.unwrap_or(false);
    let new_order = order::read(call)?.order;
    let exchange = &call.state.exchange;
    exchange
        .check(call.now, call.account, &new_order)
        .map_err(|rejection| refusal::placing(rejection, &new_order, call.now))?;
    if compute_rates { commission::for_order(call, new_order.symbol, new_order.side) } else { Ok(b"{}".to_vec()) }
}

/// DELETE order.
pub(crate) fn cancel(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let restriction = restriction(call)?;
    let (symbol, target) = order::order_ref(call)?;
    let cancel_id = order::client_id(call.params, "newClientOrderId")?;
    let command = Command::Cancel(CancelOrder { symbol, target, cancel_id, restriction });
    let reply = call.state.apply(call.now, call.account, &command).map_err(refusal::canceling)?;
    let Reply::Canceled(canceled) = reply else {
        return Err(ApiError::Internal);
    };
    Ok(json::bytes(&one_or_list(&canceled, call)))
}

/// `cancelRestrictions`.
pub(crate) fn restriction(call: &Call<'_>) -> Result<Option<CancelRestriction>, ApiError> {
    match call.params.get("cancelRestrictions") {
        None => Ok(None),
        Some("ONLY_NEW") => Ok(Some(CancelRestriction::OnlyNew)),
        Some("ONLY_PARTIALLY_FILLED") => Ok(Some(CancelRestriction::OnlyPartiallyFilled)),
        Some(_) => Err(ApiError::CancelRestrictions),
    }
}

/// An order, or the list that was cancelled with it.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum OneOrList<'a> {
    One(CanceledAnswer<'a>),
    List(ListAnswer<'a, CanceledAnswer<'a>>),
}

/// What a cancel is answered with.
pub(crate) fn one_or_list<'a>(canceled: &'a Canceled, call: &'a Call<'_>) -> OneOrList<'a> {
    match canceled {
        Canceled::Order(order) => OneOrList::One(CanceledAnswer::new(order, call.context())),
        Canceled::List { list, orders } => {
            let reports = orders.iter().map(|order| CanceledAnswer::new(order, call.context())).collect();
            OneOrList::List(ListAnswer::new(list, Some(reports), call.context()))
        }
    }
}

/// DELETE openOrders: each order, and each list once with its orders.
pub(crate) fn cancel_all(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let symbol = call.symbol()?;
    let reply = call.state.apply(call.now, call.account, &Command::CancelAll { symbol }).map_err(refusal::canceling)?;
    let Reply::CanceledAll(all) = reply else {
        return Err(ApiError::Internal);
    };
    let grouped: Vec<Canceled> = all
        .chunk_by(|one, next| one.order.list.is_some() && one.order.list == next.order.list)
        .filter_map(|group| match group {
            [only] if only.order.list.is_none() => Some(Canceled::Order(*only)),
            [first, ..] => {
                let list = first.order.list?;
                let list = call.state.exchange.list(call.account, ListRef::Id(list)).ok()?;
                Some(Canceled::List { list, orders: group.to_vec() })
            }
            [] => None,
        })
        .collect();
    let rows: Vec<_> = grouped.iter().map(|canceled| one_or_list(canceled, call)).collect();
    Ok(json::bytes(&rows))
}
