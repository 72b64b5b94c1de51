//! GET exchangeInfo: what the exchange trades and by which rules.

use exchange_engine::{LimitsSpec, SymbolId, WindowLimit};
use serde::Serialize;

use super::error::ApiError;
use super::interval::Interval;
use super::route::Call;
use crate::json;
use crate::symbols::{ExchangeFilterRow, SymbolRow};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExchangeInfo<'a> {
    timezone: &'static str,
    server_time: u64,
    rate_limits: Vec<LimitRow>,
    exchange_filters: &'a [ExchangeFilterRow],
    symbols: Vec<SymbolRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LimitRow {
    rate_limit_type: &'static str,
    interval: &'static str,
    interval_num: u32,
    limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
}

/// The one permission that the mock's symbols have.
const SPOT: &str = "SPOT";

/// GET exchangeInfo.
pub(crate) fn exchange_info(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let show_permission_sets = call.params.flag("showPermissionSets")?.unwrap_or(true);
    let symbols = selected(call)?
        .into_iter()
        .filter_map(|symbol| {
            let mut row = call.state.symbols.row(symbol)?.clone();
            if let Some(status) = call.status(symbol) {
                status.clone_into(&mut row.status);
            }
            if !show_permission_sets {
                row.permission_sets = None;
            }
            Some(row)
        })
        .collect();
    Ok(json::bytes(&ExchangeInfo {
        timezone: "UTC",
        server_time: call.unit.of(call.server_time),
        rate_limits: rate_limits(&call.state.exchange.spec().limits),
        exchange_filters: call.state.symbols.exchange_filter_rows(),
        symbols,
    }))
}

/// Which symbols were asked for: one, a list, those with a permission or status, or all.
fn selected(call: &Call<'_>) -> Result<Vec<SymbolId>, ApiError> {
    let params = call.params;
    let ways = ["symbol", "symbols", "permissions"];
    let narrowed = params.has("symbol") || params.has("symbols");
    if ways.into_iter().filter(|way| params.has(way)).count() > 1 || (narrowed && params.has("symbolStatus")) {
        return Err(ApiError::Combination);
    }
    if params.has("symbol") {
        return Ok(vec![call.symbol()?]);
    }
    if let Some(list) = params.get("symbols") {
        return call.symbol_ids(list, usize::MAX);
    }
    let spot = params.get("permissions").is_none_or(|permissions| {
        let bare = permissions.trim_matches(['[', ']']);
        bare.split(',').any(|permission| permission.trim_matches('"') == SPOT)
    });
    let wanted = call.symbol_status()?;
    Ok(call
        .state
        .symbols
        .ids()
        .filter(|_| spot)
        .filter(|symbol| wanted.is_none() || wanted == call.status(*symbol))
        .collect())
}

/// GET rateLimit/order: how many orders count against each of the account's limits.
#[expect(clippy::unnecessary_wraps, reason = "all endpoints are called alike")]
pub(crate) fn order_counts(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let counts = call.state.exchange.order_counts(call.account, call.now);
    let rows = counts.into_iter().map(|(limit, count)| {
        let Interval { unit, num } = Interval::of(limit);
        let (interval, interval_num) = (unit, num);
        LimitRow { rate_limit_type: "ORDERS", interval, interval_num, limit: limit.limit, count: Some(count) }
    });
    Ok(json::bytes(&rows.collect::<Vec<_>>()))
}

fn rate_limits(limits: &LimitsSpec) -> Vec<LimitRow> {
    let row = |rate_limit_type, limit: WindowLimit| {
        let interval = Interval::of(limit);
        LimitRow {
            rate_limit_type,
            interval: interval.unit,
            interval_num: interval.num,
            limit: limit.limit,
            count: None,
        }
    };
    let orders = limits.orders.iter().map(|limit| row("ORDERS", *limit));
    std::iter::once(row("REQUEST_WEIGHT", limits.request_weight))
        .chain(orders)
        .chain(std::iter::once(row("RAW_REQUESTS", limits.raw_requests)))
        .collect()
}
