//! Placing and cancelling.

use exchange_engine::{CancelOrder, CancelRestriction, Command, OrderId, Reply};
use serde::Serialize;

use super::error::ApiError;
use super::order::{self, Asked};
use super::render::{Canceled, Placed};
use super::route::Call;
use crate::json::{self, ZERO};

/// POST order.
pub(crate) fn place(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let Asked { order: new_order, response_type, strategy } = order::read(call)?;
    // The first event already tells the marks, so they are made under the id that the order is going to have.
    let next = OrderId(call.state.exchange.order_count().saturating_add(1));
    call.state.strategies.mark(next, strategy);
    let reply = call.state.apply(call.now, call.account, &Command::Place(new_order)).map_err(|rejection| {
        call.state.strategies.unmark(next);
        order::placing_refused(rejection, &new_order, call.now)
    })?;
    let Reply::Placed { order, fills } = reply else {
        return Err(ApiError::Internal);
    };
    Ok(json::bytes(&Placed::new(&order, &fills, response_type, call.context())))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TestAnswer {
    standard_commission_for_order: Rates,
    special_commission_for_order: Rates,
    tax_commission_for_order: Rates,
    discount: Rebate,
}

#[derive(Serialize)]
struct Rates {
    maker: String,
    taker: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rebate {
    enabled_for_account: bool,
    enabled_for_symbol: bool,
    discount_asset: &'static str,
    discount: &'static str,
}

/// POST order/test: everything but the order itself; neither balances nor the book are looked at.
pub(crate) fn test(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let compute_rates = call.params.flag("computeCommissionRates")?.unwrap_or(false);
    let new_order = order::read(call)?.order;
    let exchange = &call.state.exchange;
    exchange
        .check(call.now, call.account, &new_order)
        .map_err(|rejection| order::placing_refused(rejection, &new_order, call.now))?;
    if !compute_rates {
        return Ok(b"{}".to_vec());
    }
    let rates = exchange.spec().symbol(new_order.symbol).map(|symbol| symbol.commissions).ok_or(ApiError::Symbol)?;
    let none = || Rates { maker: ZERO.to_owned(), taker: ZERO.to_owned() };
    Ok(json::bytes(&TestAnswer {
        standard_commission_for_order: Rates { maker: rates.maker.to_string(), taker: rates.taker.to_string() },
        special_commission_for_order: none(),
        tax_commission_for_order: none(),
        // Paying in BNB is not played.
        discount: Rebate {
            enabled_for_account: false,
            enabled_for_symbol: false,
            discount_asset: "BNB",
            discount: ZERO,
        },
    }))
}

/// DELETE order.
pub(crate) fn cancel(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let restriction = match call.params.get("cancelRestrictions") {
        None => None,
        Some("ONLY_NEW") => Some(CancelRestriction::OnlyNew),
        Some("ONLY_PARTIALLY_FILLED") => Some(CancelRestriction::OnlyPartiallyFilled),
        Some(_) => return Err(ApiError::CancelRestrictions),
    };
    let (symbol, target) = order::order_ref(call)?;
    let command = Command::Cancel(CancelOrder {
        symbol,
        target,
        cancel_id: order::client_id(call.params, "newClientOrderId")?,
        restriction,
    });
    let reply = call.state.apply(call.now, call.account, &command).map_err(order::canceling_refused)?;
    let Reply::Canceled(canceled) = reply else {
        return Err(ApiError::Internal);
    };
    Ok(json::bytes(&Canceled::new(&canceled, call.context())))
}

/// DELETE openOrders.
pub(crate) fn cancel_all(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let symbol = call.symbol()?;
    let reply =
        call.state.apply(call.now, call.account, &Command::CancelAll { symbol }).map_err(order::canceling_refused)?;
    let Reply::CanceledAll(all) = reply else {
        return Err(ApiError::Internal);
    };
    let rows: Vec<_> = all.iter().map(|canceled| Canceled::new(canceled, call.context())).collect();
    Ok(json::bytes(&rows))
}
