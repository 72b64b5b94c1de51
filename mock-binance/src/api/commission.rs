//! What trading costs the account: for one symbol, and for an order before it is placed.

use exchange_engine::{Commissions, Ratio, SymbolId};
use serde::Serialize;

use super::error::ApiError;
use super::route::Call;
use crate::json::{self, Text, ZERO};

/// Rates of one kind as `account/commission` tells them.
#[derive(Serialize)]
struct Rates {
    maker: Text<Ratio>,
    taker: Text<Ratio>,
    buyer: &'static str,
    seller: &'static str,
}

impl Rates {
    /// What a side pays for buying or selling as such is not played.
    const fn of(rates: Commissions) -> Self {
        Self { maker: Text(rates.maker), taker: Text(rates.taker), buyer: ZERO, seller: ZERO }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountRates<'a> {
    symbol: &'a str,
    standard_commission: Rates,
    special_commission: Rates,
    tax_commission: Rates,
    discount: Rebate,
}

/// Rates of one kind as `order/test` tells them.
#[derive(Serialize)]
struct OrderRates {
    maker: Text<Ratio>,
    taker: Text<Ratio>,
}

impl OrderRates {
    const fn of(rates: Commissions) -> Self {
        Self { maker: Text(rates.maker), taker: Text(rates.taker) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TestAnswer {
    standard_commission_for_order: OrderRates,
    special_commission_for_order: OrderRates,
    tax_commission_for_order: OrderRates,
    discount: Rebate,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rebate {
    enabled_for_account: bool,
    enabled_for_symbol: bool,
    discount_asset: &'static str,
    discount: &'static str,
}

/// Paying in BNB is not played.
const NO_REBATE: Rebate =
    Rebate { enabled_for_account: false, enabled_for_symbol: false, discount_asset: "BNB", discount: ZERO };

/// The standard rates; there are no special ones and no taxes.
fn standard(call: &Call<'_>, symbol: SymbolId) -> Result<Commissions, ApiError> {
    call.state.exchange.spec().symbol(symbol).map(|spec| spec.commissions).ok_or(ApiError::Symbol)
}

/// GET account/commission.
pub(crate) fn rates(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let symbol = call.symbol()?;
    Ok(json::bytes(&AccountRates {
        symbol: call.state.symbols.name(symbol),
        standard_commission: Rates::of(standard(call, symbol)?),
        special_commission: Rates::of(Commissions::default()),
        tax_commission: Rates::of(Commissions::default()),
        discount: NO_REBATE,
    }))
}

/// What `order/test` tells when it is asked for `computeCommissionRates`.
pub(crate) fn for_order(call: &Call<'_>, symbol: SymbolId) -> Result<Vec<u8>, ApiError> {
    Ok(json::bytes(&TestAnswer {
        standard_commission_for_order: OrderRates::of(standard(call, symbol)?),
        special_commission_for_order: OrderRates::of(Commissions::default()),
        tax_commission_for_order: OrderRates::of(Commissions::default()),
        discount: NO_REBATE,
    }))
}
