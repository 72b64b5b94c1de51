//! The rules that bind an account, and those that orders are carried out by: filters, execution rules and the
//! reference prices on which these rest.

use exchange_engine::SymbolId;
use serde::Serialize;

use super::error::ApiError;
use super::route::Call;
use crate::json;
use crate::symbols::{AssetFilterRow, ExchangeFilterRow, FilterRow};

/// GET myFilters: every filter that an order of the account on the symbol passes, and the only place where the limits of
/// its assets are told.
pub(crate) fn filters(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(clippy::struct_field_names, reason = "the exchange's names")]
    struct MyFilters<'a> {
        exchange_filters: &'a [ExchangeFilterRow],
        symbol_filters: &'a [FilterRow],
        asset_filters: Vec<&'a AssetFilterRow>,
    }
    let symbol = call.symbol()?;
    let symbols = &call.state.symbols;
    Ok(json::bytes(&MyFilters {
        exchange_filters: symbols.exchange_filter_rows(),
        symbol_filters: symbols.row(symbol).map_or(&[], |row| &row.filters),
        asset_filters: symbols.asset_filter_rows(symbol).collect(),
    }))
}

/// GET executionRules. Symbols without a rule are left out, and no symbol of the mock has one.
pub(crate) fn execution_rules(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ExecutionRules {
        symbol_rules: [(); 0],
    }
    let ways = ["symbol", "symbols", "symbolStatus"];
    if ways.into_iter().filter(|way| call.params.has(way)).count() > 1 {
        return Err(ApiError::Combination);
    }
    if call.params.has("symbol") {
        call.symbol()?;
    }
    if let Some(list) = call.params.get("symbols") {
        call.symbol_ids(list, usize::MAX)?;
    }
    call.symbol_status()?;
    Ok(json::bytes(&ExecutionRules { symbol_rules: [] }))
}

/// GET referencePrice and referencePrice/calculation: no symbol was ever given one.
pub(crate) fn reference_price(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let symbol: SymbolId = call.symbol()?;
    call.check_status(symbol)?;
    Err(ApiError::NoReferencePrice)
}
