//! Order lists: placing, cancelling, querying.

use exchange_engine::{CancelList, Canceled, Command, ListId, ListRef, OrderId, OrderList, Page, Reply};
use serde::Serialize;

use super::account::times;
use super::error::ApiError;
use super::list_params::{self, AskedList};
use super::order::client_id;
use super::refusal;
use super::render::{Context, PlacedAnswer, ResponseType};
use super::route::Call;
use super::trading::one_or_list;
use crate::json;

/// A list; `R` is how its orders are reported, where they are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListAnswer<'a, R> {
    order_list_id: u32,
    contingency_type: &'static str,
    list_status_type: &'static str,
    list_order_status: &'static str,
    list_client_order_id: &'a str,
    transaction_time: u64,
    symbol: &'a str,
    orders: Vec<ListedOrder<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_reports: Option<Vec<R>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedOrder<'a> {
    symbol: &'a str,
    order_id: u64,
    client_order_id: &'a str,
}

fn listed<'a>(list: &'a OrderList, symbol: &'a str) -> Vec<ListedOrder<'a>> {
    let one = |(id, name): &'a (OrderId, _)| ListedOrder { symbol, order_id: id.0, client_order_id: name_of(name) };
    list.orders.iter().map(one).collect()
}

fn name_of(name: &exchange_engine::ClientOrderId) -> &str {
    name.as_str()
}

impl<'a, R> ListAnswer<'a, R> {
    pub(crate) fn new(list: &'a OrderList, order_reports: Option<Vec<R>>, context: Context<'a>) -> Self {
        let symbol = context.symbols.name(list.symbol);
        Self {
            order_list_id: list.id.0,
            contingency_type: list.kind.contingency(),
            list_status_type: list.status_type(),
            list_order_status: list.order_status(),
            list_client_order_id: list.client_id.as_str(),
            transaction_time: context.unit.of(list.update_time),
            symbol,
            orders: listed(list, symbol),
            order_reports,
        }
    }
}

/// A list as the answer to an amendment tells it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListStatus<'a> {
    order_list_id: u32,
    contingency_type: &'static str,
    list_order_status: &'static str,
    list_client_order_id: &'a str,
    symbol: &'a str,
    orders: Vec<ListedOrder<'a>>,
}

impl<'a> ListStatus<'a> {
    pub(crate) fn new(list: &'a OrderList, context: Context<'a>) -> Self {
        let symbol = context.symbols.name(list.symbol);
        Self {
            order_list_id: list.id.0,
            contingency_type: list.kind.contingency(),
            list_order_status: list.order_status(),
            list_client_order_id: list.client_id.as_str(),
            symbol,
            orders: listed(list, symbol),
        }
    }
}

/// POST orderList/oco.
pub(crate) fn oco(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let asked = list_params::oco(call)?;
    place(call, asked)
}

/// POST order/oco, the elder way to place the same.
pub(crate) fn elder_oco(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let asked = list_params::elder_oco(call)?;
    place(call, asked)
}

/// POST orderList/oto.
pub(crate) fn oto(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let asked = list_params::oto(call, false)?;
    place(call, asked)
}

/// POST orderList/otoco.
pub(crate) fn otoco(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let asked = list_params::otoco(call, false)?;
    place(call, asked)
}

/// POST orderList/opo.
pub(crate) fn opo(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let asked = list_params::oto(call, true)?;
    place(call, asked)
}

/// POST orderList/opoco.
pub(crate) fn opoco(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let asked = list_params::otoco(call, true)?;
    place(call, asked)
}

fn place(call: &mut Call<'_>, asked: AskedList) -> Result<Vec<u8>, ApiError> {
    let AskedList { list, strategies, response_type } = asked;
    // The first events already tell the marks, so they are made under the ids that the orders are going to have.
    let next = call.state.exchange.order_count().saturating_add(1);
    let ids: Vec<OrderId> = (next..).map(OrderId).take(strategies.len()).collect();
    for (id, strategy) in ids.iter().zip(strategies) {
        call.state.mark_strategy(*id, strategy);
    }
    let reply = call.state.apply(call.now, call.account, &Command::PlaceList(Box::new(list))).map_err(|rejection| {
        for id in &ids {
            call.state.strategies.unmark(*id);
        }
        refusal::placing_list(rejection, call.now)
    })?;
    let Reply::ListPlaced { list, orders } = reply else {
        return Err(ApiError::Internal);
    };
    // The documentation's answers to lists are those of RESULT, whatever the types of the orders.
    let response_type = response_type.unwrap_or(ResponseType::Result);
    let reports = orders
        .iter()
        .map(|placed| PlacedAnswer::new(&placed.order, &placed.fills, response_type, call.context()))
        .collect();
    Ok(json::bytes(&ListAnswer::new(&list, Some(reports), call.context())))
}

/// The list that a request is about; `name` is what the parameter of the client's id is called.
fn list_ref(call: &Call<'_>, name: &'static str) -> Result<ListRef, ApiError> {
    // An id beyond all lists is of none.
    let id = call.params.digits("orderListId")?.map(|id| ListId(u32::try_from(id).unwrap_or(u32::MAX)));
    match (id, client_id(call.params, name)?) {
        (Some(id), None) => Ok(ListRef::Id(id)),
        (None, Some(client)) => Ok(ListRef::Client(client)),
        (Some(id), Some(client)) => Ok(ListRef::Both(id, client)),
        (None, None) => Err(ApiError::MissingEither(name, "orderListId")),
    }
}

/// DELETE orderList.
pub(crate) fn cancel(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let symbol = call.symbol()?;
    let target = list_ref(call, "listClientOrderId")?;
    let cancel_id = client_id(call.params, "newClientOrderId")?;
    let command = Command::CancelList(CancelList { symbol, target, cancel_id });
    let reply = call.state.apply(call.now, call.account, &command).map_err(refusal::canceling)?;
    let Reply::Canceled(canceled @ Canceled::List { .. }) = reply else {
        return Err(ApiError::Internal);
    };
    Ok(json::bytes(&one_or_list(&canceled, call)))
}

/// GET orderList.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let target = list_ref(call, "origClientOrderId")?;
    let list = call.state.exchange.list(call.account, target).map_err(refusal::asking)?;
    Ok(json::bytes(&ListAnswer::<()>::new(&list, None, call.context())))
}

/// GET allOrderList.
pub(crate) fn all(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let page = Page { from_id: call.params.digits("fromId")?, limit: call.limit(500, 1000)?, ..times(call)? };
    if page.from_id.is_some() && (page.from.is_some() || page.to.is_some()) {
        return Err(ApiError::Combination);
    }
    let lists = call.state.exchange.lists(call.account, page);
    Ok(tell(call, &lists))
}

/// GET openOrderList.
#[expect(clippy::unnecessary_wraps, reason = "all endpoints have one shape")]
pub(crate) fn open(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let lists = call.state.exchange.open_lists(call.account);
    Ok(tell(call, &lists))
}

fn tell(call: &Call<'_>, lists: &[OrderList]) -> Vec<u8> {
    let rows: Vec<_> = lists.iter().map(|list| ListAnswer::<()>::new(list, None, call.context())).collect();
    json::bytes(&rows)
}
