//! Amending an order, and what was amended.

use exchange_engine::{AmendOrder, Amended, Amount, Command, Order, OrderId, OrderRef, Price, Quantity, Reply};
use serde::Serialize;

use super::error::ApiError;
use super::list::ListStatus;
use super::order::{client_id, needed, order_ref};
use super::refusal;
use super::render::{Context, list_id};
use super::route::Call;
use crate::json::{self, Text};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AmendedAnswer<'a> {
    transact_time: u64,
    execution_id: u64,
    amended_order: AmendedOrder<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list_status: Option<ListStatus<'a>>,
}

/// An order as amendments tell it: `cumulativeQuoteQty` has one m here, `qty` no `orig`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AmendedOrder<'a> {
    symbol: &'a str,
    order_id: u64,
    order_list_id: i64,
    orig_client_order_id: &'a str,
    client_order_id: &'a str,
    price: Text<Price>,
    qty: Text<Quantity>,
    executed_qty: Text<Quantity>,
    prevented_qty: Text<Quantity>,
    quote_order_qty: Text<Amount>,
    cumulative_quote_qty: Text<Amount>,
    status: &'static str,
    time_in_force: &'static str,
    #[serde(rename = "type")]
    order_type: &'static str,
    side: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_price: Option<Text<Price>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_time: Option<u64>,
    self_trade_prevention_mode: &'static str,
}

impl<'a> AmendedOrder<'a> {
    fn new(order: &'a Order, before: &'a str, context: Context<'a>) -> Self {
        Self {
            symbol: context.symbols.name(order.symbol),
            order_id: order.id.0,
            order_list_id: list_id(order.list),
            orig_client_order_id: before,
            client_order_id: order.client_order_id.as_str(),
            price: Text(order.price),
            qty: Text(order.quantity),
            executed_qty: Text(order.executed),
            prevented_qty: Text(order.prevented),
            quote_order_qty: Text(order.quote_order_qty),
            cumulative_quote_qty: Text(order.cumulative_quote),
            status: order.status.as_str(),
            time_in_force: order.time_in_force.as_str(),
            order_type: order.order_type.as_str(),
            side: order.side.as_str(),
            stop_price: order.stop_price.map(Text),
            working_time: order.working_time.map(|time| context.unit.of(time)),
            self_trade_prevention_mode: order.prevention.as_str(),
        }
    }
}

/// PUT order/amend/keepPriority.
pub(crate) fn amend(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let (symbol, target) = order_ref(call)?;
    let quantity = needed(call.params, "newQty")?;
    let client_order_id = client_id(call.params, "newClientOrderId")?;
    let command = Command::Amend(AmendOrder { symbol, target, quantity, client_order_id });
    let reply = call.state.apply(call.now, call.account, &command).map_err(refusal::amending)?;
    let Reply::Amended(amended) = reply else {
        return Err(ApiError::Internal);
    };
    let Amended { order, amendment, list } = *amended;
    let context = call.context();
    Ok(json::bytes(&AmendedAnswer {
        transact_time: call.unit.of(amendment.time),
        execution_id: amendment.execution_id,
        amended_order: AmendedOrder::new(&order, amendment.before.as_str(), context),
        list_status: list.as_ref().map(|list| ListStatus::new(list, context)),
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AmendmentRow<'a> {
    symbol: &'a str,
    order_id: u64,
    execution_id: u64,
    orig_client_order_id: &'a str,
    new_client_order_id: &'a str,
    orig_qty: Text<Quantity>,
    new_qty: Text<Quantity>,
    time: u64,
}

/// GET order/amendments.
pub(crate) fn amendments(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let symbol = call.symbol()?;
    let order = OrderId(call.params.digits("orderId")?.ok_or(ApiError::Missing("orderId"))?);
    let from = call.params.digits("fromExecutionId")?.unwrap_or_default();
    let limit = call.limit(500, 1000)?;
    let exchange = &call.state.exchange;
    let all = exchange.amendments(call.account, symbol, OrderRef::Id(order)).map_err(refusal::asking)?;
    let rows: Vec<_> = all
        .iter()
        .filter(|amendment| amendment.execution_id >= from)
        .take(limit)
        .map(|amendment| AmendmentRow {
            symbol: call.state.symbols.name(symbol),
            order_id: order.0,
            execution_id: amendment.execution_id,
            orig_client_order_id: amendment.before.as_str(),
            new_client_order_id: amendment.after.as_str(),
            orig_qty: Text(amendment.quantity_before),
            new_qty: Text(amendment.quantity_after),
            time: call.unit.of(amendment.time),
        })
        .collect();
    Ok(json::bytes(&rows))
}
