//! What trading costs the account: for one symbol, and for an order before it is placed.

use exchange_engine::{Commissions, Rates, Ratio, Side, SymbolId};
use serde::Serialize;

use super::error::ApiError;
use super::route::Call;
use crate::json::{self, Text};

/// Rates of one kind as `account/commission` tells them.
#[derive(Serialize)]
struct AllRates {
    maker: Text<Ratio>,
    taker: Text<Ratio>,
    buyer: Text<Ratio>,
    seller: Text<Ratio>,
}

impl AllRates {
    const fn of(rates: Rates) -> Self {
        let Rates { maker, taker, buyer, seller } = rates;
        Self { maker: Text(maker), taker: Text(taker), buyer: Text(buyer), seller: Text(seller) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountRates<'a> {
    symbol: &'a str,
    standard_commission: AllRates,
    special_commission: AllRates,
    tax_commission: AllRates,
    discount: Rebate,
}

/// Rates of one kind as `order/test` tells them: those of the order's side are in them.
#[derive(Serialize)]
struct OrderRates {
    maker: Text<Ratio>,
    taker: Text<Ratio>,
}

impl OrderRates {
    fn of(rates: Rates, side: Side) -> Result<Self, ApiError> {
        let rate = |is_maker| rates.of(is_maker, side).map(Text).map_err(|_| ApiError::Internal);
        Ok(Self { maker: rate(true)?, taker: rate(false)? })
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
    discount: Text<Ratio>,
}

impl Rebate {
    fn of(call: &Call<'_>, commissions: &Commissions) -> Self {
        let exchange = &call.state.exchange;
        let discount = exchange.spec().discount;
        Self {
            enabled_for_account: discount.is_some() && exchange.pays_discounted(call.account),
            enabled_for_symbol: discount.is_some() && commissions.discount_allowed,
            discount_asset: "BNB",
            discount: Text(discount.map_or(Ratio::ZERO, |discount| discount.rate)),
        }
    }
}

fn commissions(call: &Call<'_>, symbol: SymbolId) -> Result<Commissions, ApiError> {
    call.state.exchange.spec().symbol(symbol).map(|spec| spec.commissions).ok_or(ApiError::Symbol)
}

/// GET account/commission.
pub(crate) fn rates(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let symbol = call.symbol()?;
    let commissions = commissions(call, symbol)?;
    Ok(json::bytes(&AccountRates {
        symbol: call.state.symbols.name(symbol),
        standard_commission: AllRates::of(commissions.standard),
        special_commission: AllRates::of(commissions.special),
        tax_commission: AllRates::of(commissions.tax),
        discount: Rebate::of(call, &commissions),
    }))
}

/// What `order/test` tells when it is asked for `computeCommissionRates`.
pub(crate) fn for_order(call: &Call<'_>, symbol: SymbolId, side: Side) -> Result<Vec<u8>, ApiError> {
    let commissions = commissions(call, symbol)?;
    Ok(json::bytes(&TestAnswer {
        standard_commission_for_order: OrderRates::of(commissions.standard, side)?,
        special_commission_for_order: OrderRates::of(commissions.special, side)?,
        tax_commission_for_order: OrderRates::of(commissions.tax, side)?,
        discount: Rebate::of(call, &commissions),
    }))
}
