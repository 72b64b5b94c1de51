//! The rules of a symbol that every new order passes, in the order of [`Filter`].

use crate::command::{MarketSize, NewOrder, OrderKind, Side, TimeInForce};
use crate::money::{Amount, Price, Quantity, SCALE};
use crate::rejection::Rejection;
use crate::spec::{Filter, Filters, LotSize, NotionalFilter, PercentPriceBySide, PriceFilter};

/// What filters look at besides the order.
pub(super) struct Surroundings<F> {
    /// The average price over so many minutes; none when nothing ever traded and no opening price was told.
    pub(super) average: F,
    /// The account's open orders on the symbol.
    pub(super) open_orders: usize,
}

/// The first filter that fails.
pub(super) fn pass<F: Fn(u32) -> Option<Price>>(
    filters: &Filters,
    order: &NewOrder,
    around: &Surroundings<F>,
) -> Result<(), Rejection> {
    let failed = |filter, fine: bool| if fine { Ok(()) } else { Err(Rejection::Filter(filter)) };
    let (price, quantity, rests) = match order.kind {
        OrderKind::Limit { time_in_force, quantity, price } => {
            (Some(price), Some(quantity), time_in_force == TimeInForce::Gtc)
        }
        OrderKind::LimitMaker { quantity, price } => (Some(price), Some(quantity), true),
        OrderKind::Market { size: MarketSize::Base(quantity) } => (None, Some(quantity), false),
        OrderKind::Market { size: MarketSize::Quote(_) } => (None, None, false),
    };
    let is_market = price.is_none();

    if let (Some(filter), Some(price)) = (&filters.price, price) {
        failed(Filter::Price, price_fits(filter, price))?;
    }
    if let (Some(filter), Some(price)) = (&filters.percent_price_by_side, price)
        && let Some(average) = (around.average)(filter.avg_price_mins)
    {
        failed(Filter::PercentPriceBySide, percent_fits(filter, order.side, price, average))?;
    }
    // The quantity of a MARKET order by quote amount is worked out from the lot size and cannot break it.
    if let (Some(filter), Some(quantity)) = (&filters.lot, quantity) {
        failed(Filter::LotSize, lot_fits(filter, quantity))?;
    }
    if let (Some(filter), Some(quantity)) = (&filters.market_lot, quantity)
        && is_market
    {
        failed(Filter::MarketLotSize, lot_fits(filter, quantity))?;
    }
    if let Some(filter) = &filters.notional {
        let notional = match order.kind {
            OrderKind::Market { size: MarketSize::Quote(amount) } => Some(scaled(amount)),
            _ => price
                .or_else(|| (around.average)(filter.avg_price_mins))
                .zip(quantity)
                .map(|(price, quantity)| price.product(quantity)),
        };
        failed(Filter::Notional, notional.is_none_or(|notional| notional_fits(filter, notional, is_market)))?;
    }
    if let Some(most) = filters.max_num_orders
        && rests
    {
        failed(Filter::MaxNumOrders, u32::try_from(around.open_orders).is_ok_and(|open| open < most))?;
    }
    Ok(())
}

/// An amount in units of 10^-16, to compare with exact products.
fn scaled(amount: Amount) -> i128 {
    i128::from(amount.units()) * i128::from(SCALE)
}

fn price_fits(filter: &PriceFilter, price: Price) -> bool {
    price >= filter.min && (filter.max.is_zero() || price <= filter.max) && price.is_multiple_of(filter.tick)
}

fn percent_fits(filter: &PercentPriceBySide, side: Side, price: Price, average: Price) -> bool {
    let (up, down) = match side {
        Side::Buy => (filter.bid_up, filter.bid_down),
        Side::Sell => (filter.ask_up, filter.ask_down),
    };
    // In `i128`, because an average times a generous multiplier may not fit into a price.
    let bound = |factor: i64| i128::from(average.units()) * i128::from(factor);
    let price = i128::from(price.units()) * i128::from(SCALE);
    bound(down.units()) <= price && price <= bound(up.units())
}

fn lot_fits(filter: &LotSize, quantity: Quantity) -> bool {
    quantity >= filter.min && (filter.max.is_zero() || quantity <= filter.max) && quantity.is_multiple_of(filter.step)
}

fn notional_fits(filter: &NotionalFilter, notional: i128, is_market: bool) -> bool {
    let min_binds = !is_market || filter.apply_min_to_market;
    let max_binds = !filter.max.is_zero() && (!is_market || filter.apply_max_to_market);
    (!min_binds || notional >= scaled(filter.min)) && (!max_binds || notional <= scaled(filter.max))
}
