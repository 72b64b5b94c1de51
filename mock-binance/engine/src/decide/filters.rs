//! The rules of a symbol that every new order passes, in the order of [`Filter`].

use crate::command::{MarketSize, NewOrder, OrderKind, Side, TimeInForce};
use crate::ids::SymbolId;
use crate::money::{Amount, Price, Quantity, Ratio, SCALE};
use crate::rejection::Rejection;
use crate::spec::{ExchangeFilters, Filter, LotSize, NotionalFilter, PriceFilter, SymbolSpec};
use crate::state::{Account, OrderRecord, State};
use crate::time::Timestamp;

/// What filters look at besides the order.
pub(super) struct Surroundings<'a> {
    pub(super) state: &'a State,
    pub(super) now: Timestamp,
    pub(super) account: &'a Account,
    pub(super) spec: &'a SymbolSpec,
    pub(super) symbol: SymbolId,
    pub(super) besides: Besides,
}

/// How many orders count as open besides those that are: others that are placed together with this one; less than
/// none when the order itself is among the open ones already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Besides {
    pub(super) open: i64,
    /// Of those that wait for a price.
    pub(super) algo: i64,
    pub(super) iceberg: i64,
}

impl Besides {
    /// The order itself is open.
    pub(super) const ITSELF: Self = Self { open: -1, algo: -1, iceberg: -1 };
}

impl Surroundings<'_> {
    /// The average price over so many minutes; none when nothing ever traded and no opening price was told.
    fn average(&self, mins: u32) -> Option<Price> {
        self.state.market(self.symbol)?.tape.average(mins, self.now)
    }

    /// How many of the account's open orders are of a kind, on the symbol and in all.
    fn open_of(&self, kind: impl Fn(&OrderRecord) -> bool) -> (usize, usize) {
        let count = |symbol| {
            let open = self.account.desk(symbol).into_iter().flat_map(|desk| desk.open.iter());
            open.filter_map(|slot| self.state.record(slot)).filter(|record| kind(record)).count()
        };
        (count(self.symbol), self.state.spec.symbol_ids().map(count).sum())
    }

    /// The account's open orders on the symbol.
    fn open_orders(&self) -> usize {
        self.account.desk(self.symbol).map_or(0, |desk| desk.open.len())
    }

    /// The account's open orders on every symbol.
    fn open_orders_in_all(&self) -> usize {
        let desks = self.state.spec.symbol_ids().filter_map(|symbol| self.account.desk(symbol));
        desks.map(|desk| desk.open.len()).sum()
    }

    /// What the account has of the base asset, and what its open orders may still buy of it, on any symbol.
    fn position(&self) -> i128 {
        let purse = self.account.purse(self.spec.base).copied().unwrap_or_default();
        let spec = &self.state.spec;
        let alike = spec.symbol_ids().filter(|id| spec.symbol(*id).is_some_and(|other| other.base == self.spec.base));
        let open = alike.filter_map(|symbol| self.account.desk(symbol)).flat_map(|desk| desk.open.iter());
        let buys = open.filter_map(|slot| self.state.record(slot)).filter(|record| record.side == Side::Buy);
        let bought: i128 = buys.map(|record| i128::from(record.remaining().units())).sum();
        i128::from(purse.free.units()) + i128::from(purse.locked.units()) + bought
    }
}

/// The first filter that fails.
pub(super) fn pass(order: &NewOrder, around: &Surroundings<'_>) -> Result<(), Rejection> {
    let filters = &around.spec.filters;
    let failed = |filter, fine: bool| if fine { Ok(()) } else { Err(Rejection::Filter(filter)) };
    let (price, quantity, rests) = match order.kind {
        OrderKind::Limit { time_in_force, quantity, price } => {
            (Some(price), Some(quantity), time_in_force == TimeInForce::Gtc)
        }
        OrderKind::LimitMaker { quantity, price } => (Some(price), Some(quantity), true),
        OrderKind::Market { size: MarketSize::Base(quantity) } => (None, Some(quantity), false),
        OrderKind::Market { size: MarketSize::Quote(_) } => (None, None, false),
        OrderKind::Stop { quantity, limit, .. } => (limit.map(|limit| limit.price), Some(quantity), true),
    };
    let stop_price = match order.kind {
        OrderKind::Stop { stop_price, .. } => Some(stop_price).filter(|price| price.is_positive()),
        _ => None,
    };
    let is_market = price.is_none();

    if let Some(filter) = &filters.price {
        let fit = [price, stop_price].into_iter().flatten().all(|price| price_fits(filter, price));
        failed(Filter::Price, fit)?;
    }
    if let (Some(filter), Some(price)) = (&filters.percent_price, price)
        && let Some(average) = around.average(filter.avg_price_mins)
    {
        failed(Filter::PercentPrice, percent_fits(filter.up, filter.down, price, average))?;
    }
    if let (Some(filter), Some(price)) = (&filters.percent_price_by_side, price)
        && let Some(average) = around.average(filter.avg_price_mins)
    {
        let (up, down) = match order.side {
            Side::Buy => (filter.bid_up, filter.bid_down),
            Side::Sell => (filter.ask_up, filter.ask_down),
        };
        failed(Filter::PercentPriceBySide, percent_fits(up, down, price, average))?;
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
    pass_instructions(order, around, quantity)?;
    let notional = |avg_price_mins| match order.kind {
        OrderKind::Market { size: MarketSize::Quote(amount) } => Some(scaled(amount)),
        _ => price
            .or_else(|| around.average(avg_price_mins))
            .zip(quantity)
            .map(|(price, quantity)| price.product(quantity)),
    };
    // A provider may trade what was left of orders elsewhere, however little or much that is worth.
    let is_bounded = around.account.counted;
    if let Some(filter) = &filters.min_notional
        && is_bounded
        && (!is_market || filter.apply_to_market)
    {
        let fits = notional(filter.avg_price_mins).is_none_or(|notional| notional >= scaled(filter.min));
        failed(Filter::MinNotional, fits)?;
    }
    if let Some(filter) = &filters.notional
        && is_bounded
    {
        let notional = notional(filter.avg_price_mins);
        failed(Filter::Notional, notional.is_none_or(|notional| notional_fits(filter, notional, is_market)))?;
    }
    if let Some(most) = filters.max_num_orders
        && rests
    {
        failed(Filter::MaxNumOrders, has_room(around.open_orders(), around.besides.open, most))?;
    }
    if let Some(most) = filters.max_position
        && order.side == Side::Buy
    {
        // An offer to spend buys about what it does at the last price.
        let wanted = match order.kind {
            OrderKind::Market { size: MarketSize::Quote(amount) } => around.average(0).map(|last| last.affords(amount)),
            _ => quantity,
        };
        let position = around.position() + i128::from(wanted.unwrap_or_default().units());
        failed(Filter::MaxPosition, position <= i128::from(most.units()))?;
    }
    let ExchangeFilters { max_num_orders, max_asset, .. } = &around.state.spec.filters;
    if let Some(most) = max_num_orders
        && rests
    {
        failed(Filter::ExchangeMaxNumOrders, has_room(around.open_orders_in_all(), around.besides.open, *most))?;
    }
    for most in max_asset {
        let traded = if most.asset == around.spec.base {
            quantity.map(|quantity| scaled(quantity.as_amount()))
        } else if most.asset == around.spec.quote {
            notional(0)
        } else {
            None
        };
        failed(Filter::MaxAsset, traded.is_none_or(|traded| traded <= scaled(most.limit)))?;
    }
    Ok(())
}

/// Whether one more order is within a limit.
fn has_room(open: usize, besides: i64, most: u32) -> bool {
    i64::try_from(open).is_ok_and(|open| open.saturating_add(besides) < i64::from(most))
}

/// The rules of icebergs, trailing deltas, and orders that wait for a price.
fn pass_instructions(order: &NewOrder, around: &Surroundings<'_>, quantity: Option<Quantity>) -> Result<(), Rejection> {
    let (filters, of_all) = (&around.spec.filters, &around.state.spec.filters);
    let failed = |filter, fine: bool| if fine { Ok(()) } else { Err(Rejection::Filter(filter)) };
    if let (Some(shown), Some(quantity)) = (order.instructions.iceberg, quantity) {
        if !shown.is_positive() {
            return Err(Rejection::InvalidQuantity);
        }
        if shown >= quantity {
            return Err(Rejection::IcebergTooLarge);
        }
        if let Some(lot) = &filters.lot {
            failed(Filter::LotSize, lot_fits(lot, shown))?;
        }
        let (whole, part) = (i128::from(quantity.units()), i128::from(shown.units()));
        failed(Filter::IcebergParts, whole <= part * i128::from(filters.iceberg_parts()))?;
        if filters.max_num_iceberg_orders.or(of_all.max_num_iceberg_orders).is_some() {
            let (here, in_all) = around.open_of(|record| record.special().iceberg.is_positive());
            let room = |open, most: Option<u32>| most.is_none_or(|most| has_room(open, around.besides.iceberg, most));
            failed(Filter::MaxNumIcebergOrders, room(here, filters.max_num_iceberg_orders))?;
            failed(Filter::ExchangeMaxNumIcebergOrders, room(in_all, of_all.max_num_iceberg_orders))?;
        }
    }
    let OrderKind::Stop { goal, .. } = order.kind else { return Ok(()) };
    if let (Some(delta), Some(filter)) = (order.instructions.trailing_delta, &filters.trailing_delta) {
        // Above: the trigger is reached by a rise.
        let (min, max) = if goal.waits_for_rise(order.side) {
            (filter.min_above, filter.max_above)
        } else {
            (filter.min_below, filter.max_below)
        };
        failed(Filter::TrailingDelta, (min..=max).contains(&u32::from(delta)))?;
    }
    if filters.max_num_algo_orders.or(of_all.max_num_algo_orders).is_some() {
        let (here, in_all) = around.open_of(|record| record.order_type.stop_goal().is_some());
        let room = |open, most: Option<u32>| most.is_none_or(|most| has_room(open, around.besides.algo, most));
        failed(Filter::MaxNumAlgoOrders, room(here, filters.max_num_algo_orders))?;
        failed(Filter::ExchangeMaxNumAlgoOrders, room(in_all, of_all.max_num_algo_orders))?;
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

fn percent_fits(up: Ratio, down: Ratio, price: Price, average: Price) -> bool {
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
