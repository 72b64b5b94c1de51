//! What an account has and did.

use exchange_engine::{Amount, OrderId, Page, Ratio, Timestamp};
use serde::Serialize;

use super::auth::time;
use super::error::ApiError;
use super::order::order_ref;
use super::refusal;
use super::render::{MyTrade, QueriedOrder};
use super::route::Call;
use crate::json::{self, Text};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the exchange tells so many flags")]
struct AccountAnswer<'a> {
    maker_commission: i64,
    taker_commission: i64,
    buyer_commission: i64,
    seller_commission: i64,
    commission_rates: CommissionRates,
    can_trade: bool,
    can_withdraw: bool,
    can_deposit: bool,
    brokered: bool,
    require_self_trade_prevention: bool,
    prevent_sor: bool,
    update_time: u64,
    account_type: &'static str,
    balances: Vec<BalanceRow<'a>>,
    permissions: [&'static str; 1],
    uid: u64,
}

#[derive(Serialize)]
struct CommissionRates {
    maker: Text<Ratio>,
    taker: Text<Ratio>,
    buyer: Text<Ratio>,
    seller: Text<Ratio>,
}

#[derive(Serialize)]
struct BalanceRow<'a> {
    asset: &'a str,
    free: Text<Amount>,
    locked: Text<Amount>,
}

/// Account ids of the exchange have nine digits.
const FIRST_UID: u64 = 100_000_000;
/// A rate of one is ten thousand of the units in which commissions are told as whole numbers.
const UNITS_PER_BIP: i64 = 10_000;

/// GET account.
pub(crate) fn account(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let omit_zero = call.params.flag("omitZeroBalances")?.unwrap_or(false);
    let exchange = &call.state.exchange;
    let rates = call.state.commissions.standard;
    let balances = exchange.balances(call.account);
    Ok(json::bytes(&AccountAnswer {
        maker_commission: rates.maker.units() / UNITS_PER_BIP,
        taker_commission: rates.taker.units() / UNITS_PER_BIP,
        buyer_commission: rates.buyer.units() / UNITS_PER_BIP,
        seller_commission: rates.seller.units() / UNITS_PER_BIP,
        commission_rates: CommissionRates {
            maker: Text(rates.maker),
            taker: Text(rates.taker),
            buyer: Text(rates.buyer),
            seller: Text(rates.seller),
        },
        can_trade: true,
        can_withdraw: true,
        can_deposit: true,
        brokered: false,
        require_self_trade_prevention: false,
        prevent_sor: false,
        update_time: exchange.account_update_time(call.account).map_or(0, |time| call.unit.of(time)),
        account_type: "SPOT",
        balances: balances
            .iter()
            .filter(|balance| !(omit_zero && balance.free.is_zero() && balance.locked.is_zero()))
            .map(|balance| BalanceRow {
                asset: call.state.symbols.asset_name(balance.asset),
                free: Text(balance.free),
                locked: Text(balance.locked),
            })
            .collect(),
        permissions: ["SPOT"],
        uid: FIRST_UID + u64::from(call.account.0),
    }))
}

/// GET order.
pub(crate) fn order(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let (symbol, target) = order_ref(call)?;
    let order = call.state.exchange.order(call.account, symbol, target).map_err(refusal::asking)?;
    Ok(json::bytes(&QueriedOrder::new(&order, call.context())))
}

/// GET openOrders.
pub(crate) fn open_orders(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let symbol = if call.params.has("symbol") { Some(call.symbol()?) } else { None };
    let orders = call.state.exchange.open_orders(call.account, symbol);
    Ok(tell_orders(call, &orders))
}

/// GET allOrders.
pub(crate) fn all_orders(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let symbol = call.symbol()?;
    let page = Page { from_id: call.params.digits("orderId")?, limit: call.limit(500, 1000)?, ..times(call)? };
    let orders = call.state.exchange.orders(call.account, symbol, page);
    Ok(tell_orders(call, &orders))
}

/// GET myTrades.
pub(crate) fn my_trades(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let symbol = call.symbol()?;
    let order = call.params.digits("orderId")?.map(OrderId);
    let page = Page { from_id: call.params.digits("fromId")?, limit: call.limit(500, 1000)?, ..times(call)? };
    let timed = page.from.is_some() || page.to.is_some();
    if timed && (order.is_some() || page.from_id.is_some()) {
        return Err(ApiError::Combination);
    }
    let fills = call.state.exchange.fills(call.account, symbol, order, page);
    let rows: Vec<_> = fills.iter().map(|fill| MyTrade::new(fill, call.context())).collect();
    Ok(json::bytes(&rows))
}

const DAY_MICROS: u64 = 24 * 60 * 60 * 1_000_000;

/// `startTime` and `endTime`, at most a day apart.
pub(crate) fn times(call: &Call<'_>) -> Result<Page, ApiError> {
    let from: Option<Timestamp> = time(call.params, "startTime")?;
    let to = time(call.params, "endTime")?;
    if let (Some(from), Some(to)) = (from, to)
        && to.micros_since(from) > DAY_MICROS
    {
        return Err(ApiError::MoreThan24Hours);
    }
    Ok(Page { from, to, ..Page::default() })
}

fn tell_orders(call: &Call<'_>, orders: &[exchange_engine::Order]) -> Vec<u8> {
    let rows: Vec<_> = orders.iter().map(|order| QueriedOrder::new(order, call.context())).collect();
    json::bytes(&rows)
}
