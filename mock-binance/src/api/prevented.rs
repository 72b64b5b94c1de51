//! Trades that were prevented.

use exchange_engine::{OrderId, PreventedMatch, PreventionMode, Price, Quantity};
use serde::Serialize;

use super::error::ApiError;
use super::route::Call;
use crate::json::{self, Text};

/// What the exchange tells of accounts that are in no trade group.
pub(crate) const NO_TRADE_GROUP: i64 = -1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    symbol: &'a str,
    prevented_match_id: u64,
    taker_order_id: u64,
    maker_symbol: &'a str,
    maker_order_id: u64,
    trade_group_id: i64,
    self_trade_prevention_mode: &'static str,
    price: Text<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taker_prevented_quantity: Option<Text<Quantity>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maker_prevented_quantity: Option<Text<Quantity>>,
    transact_time: u64,
}

/// GET myPreventedMatches: of one id, or of one order from an id on.
pub(crate) fn matches(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let symbol = call.symbol()?;
    let id = call.params.digits("preventedMatchId")?;
    let order = call.params.digits("orderId")?.map(OrderId);
    let from = call.params.digits("fromPreventedMatchId")?;
    let limit = call.limit(500, 1000)?;
    match (id, order, from, call.params.has("limit")) {
        (Some(_), None, None, false) | (None, Some(_), Some(_), _) | (None, Some(_), None, false) => {}
        _ => return Err(ApiError::Combination),
    }
    let asked = |found: &PreventedMatch| id.is_none_or(|id| found.id == id) && from.is_none_or(|from| found.id >= from);
    let name = call.state.symbols.name(symbol);
    let found = call.state.exchange.prevented_matches(call.account, symbol, order);
    let rows: Vec<Row<'_>> = found
        .filter(asked)
        .take(limit)
        .map(|found| Row {
            symbol: name,
            prevented_match_id: found.id,
            taker_order_id: found.taker.0,
            maker_symbol: name,
            maker_order_id: found.maker.0,
            trade_group_id: NO_TRADE_GROUP,
            self_trade_prevention_mode: found.mode.as_str(),
            price: Text(found.price),
            taker_prevented_quantity: (found.mode != PreventionMode::ExpireMaker).then_some(Text(found.taker_quantity)),
            maker_prevented_quantity: (found.mode != PreventionMode::ExpireTaker).then_some(Text(found.maker_quantity)),
            transact_time: call.unit.of(found.time),
        })
        .collect();
    Ok(json::bytes(&rows))
}
