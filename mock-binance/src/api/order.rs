//! From parameters to an order.
//!
//! An order type needs some parameters and does not take others; what an absent or idle parameter is answered with
//! is the exchange's own choice. Instructions that the engine does not play are refused in the words in which the
//! exchange refuses them on symbols that do not have them: pegged prices.

use exchange_engine::{
    ClientOrderId, Instructions, LimitTerms, MarketSize, NewOrder, OrderKind, OrderRef, ParseDecimalError,
    PreventionMode, Price, Quantity, Side, StopGoal, SymbolId, TimeInForce,
};

use super::error::ApiError;
use super::params::Params;
use super::render::ResponseType;
use super::route::Call;
use crate::strategy::Strategy;

/// An order type as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Limit,
    LimitMaker,
    Market,
    /// A type that waits for a price, and whether it becomes a LIMIT order.
    Stop {
        goal: StopGoal,
        limit: bool,
    },
}

/// What the parameters of one order are called: those of an order list have a prefix for each of its orders.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) side: &'static str,
    pub(crate) order_type: &'static str,
    pub(crate) time_in_force: &'static str,
    pub(crate) quantity: &'static str,
    pub(crate) price: &'static str,
    pub(crate) stop_price: &'static str,
    pub(crate) trailing_delta: &'static str,
    pub(crate) iceberg_qty: &'static str,
    pub(crate) client_id: &'static str,
    pub(crate) strategy_id: &'static str,
    pub(crate) strategy_type: &'static str,
    pub(crate) peg: [&'static str; 3],
}

/// The names of an order outside of lists.
pub(crate) const PLAIN: Names = Names {
    side: "side",
    order_type: "type",
    time_in_force: "timeInForce",
    quantity: "quantity",
    price: "price",
    stop_price: "stopPrice",
    trailing_delta: "trailingDelta",
    iceberg_qty: "icebergQty",
    client_id: "newClientOrderId",
    strategy_id: "strategyId",
    strategy_type: "strategyType",
    peg: ["pegPriceType", "pegOffsetValue", "pegOffsetType"],
};

/// Only single orders may be sized in the quote asset.
const QUOTE_ORDER_QTY: &str = "quoteOrderQty";

/// What a request for a new order asks for.
pub(crate) struct Asked {
    pub(crate) order: NewOrder,
    pub(crate) response_type: ResponseType,
    pub(crate) strategy: Strategy,
}

/// The order that the parameters describe, and how it is to be answered.
pub(crate) fn read(call: &Call<'_>) -> Result<Asked, ApiError> {
    let params = call.params;
    let symbol = call.symbol()?;
    let side = side(params, PLAIN.side)?;
    let order_type = order_type(params, PLAIN.order_type)?;
    let response_type = response_type(params)?.unwrap_or_else(|| ResponseType::of_order(order_type));
    let (order, strategy) = leg(params, symbol, side, order_type, &PLAIN, Size::Asked)?;
    Ok(Asked { order, response_type, strategy })
}

/// Where the quantity of an order comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Size {
    /// From its own parameters.
    Asked,
    /// From what another order buys.
    Later,
}

/// One order, whose type and side are known.
pub(crate) fn leg(
    params: &Params<'_>,
    symbol: SymbolId,
    side: Side,
    order_type: Type,
    names: &Names,
    size: Size,
) -> Result<(NewOrder, Strategy), ApiError> {
    let time_in_force = time_in_force(params, names.time_in_force)?;
    let strategy = strategy(params, names)?;
    check_given(params, order_type, names)?;
    let quantity = || match size {
        Size::Asked => needed::<Quantity>(params, names.quantity),
        Size::Later => Ok(Quantity::ZERO),
    };
    let kind = match order_type {
        Type::Limit => OrderKind::Limit {
            time_in_force: time_in_force.ok_or(ApiError::Missing(names.time_in_force))?,
            quantity: quantity()?,
            price: needed(params, names.price)?,
        },
        Type::LimitMaker => OrderKind::LimitMaker { quantity: quantity()?, price: needed(params, names.price)? },
        Type::Market => OrderKind::Market {
            size: match size {
                Size::Asked => market_size(params, names)?,
                Size::Later => MarketSize::Base(Quantity::ZERO),
            },
        },
        Type::Stop { goal, limit } => {
            if limit && time_in_force.is_none() {
                return Err(ApiError::Missing(names.time_in_force));
            }
            let quantity = quantity()?;
            let price = if limit { Some(needed(params, names.price)?) } else { None };
            let stop_price = match decimal::<Price>(params, names.stop_price)? {
                // Zero stands for none in the engine.
                Some(Price::ZERO) => return Err(ApiError::Message("Invalid price.".into())),
                Some(stop_price) => stop_price,
                None if params.has(names.trailing_delta) => Price::ZERO,
                None => return Err(ApiError::MissingEither(names.stop_price, names.trailing_delta)),
            };
            let limit = time_in_force.zip(price).map(|(time_in_force, price)| LimitTerms { time_in_force, price });
            OrderKind::Stop { goal, stop_price, quantity, limit }
        }
    };
    // A delta beyond all bounds is one that the filter refuses.
    let delta = params.digits(names.trailing_delta)?.map(|delta| u16::try_from(delta).unwrap_or(u16::MAX));
    let instructions = Instructions {
        prevention: prevention(params)?,
        iceberg: decimal(params, names.iceberg_qty)?,
        trailing_delta: delta,
    };
    let client_order_id = client_id(params, names.client_id)?;
    Ok((NewOrder { symbol, side, kind, client_order_id, instructions }, strategy))
}

pub(crate) fn side(params: &Params<'_>, name: &'static str) -> Result<Side, ApiError> {
    match params.require(name)? {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(ApiError::Side),
    }
}

pub(crate) fn order_type(params: &Params<'_>, name: &'static str) -> Result<Type, ApiError> {
    let stop = |goal, limit| Ok(Type::Stop { goal, limit });
    match params.require(name)? {
        "LIMIT" => Ok(Type::Limit),
        "LIMIT_MAKER" => Ok(Type::LimitMaker),
        "MARKET" => Ok(Type::Market),
        "STOP_LOSS" => stop(StopGoal::Loss, false),
        "STOP_LOSS_LIMIT" => stop(StopGoal::Loss, true),
        "TAKE_PROFIT" => stop(StopGoal::Profit, false),
        "TAKE_PROFIT_LIMIT" => stop(StopGoal::Profit, true),
        _ => Err(ApiError::OrderType),
    }
}

fn time_in_force(params: &Params<'_>, name: &'static str) -> Result<Option<TimeInForce>, ApiError> {
    match params.get(name) {
        None => Ok(None),
        Some("GTC") => Ok(Some(TimeInForce::Gtc)),
        Some("IOC") => Ok(Some(TimeInForce::Ioc)),
        Some("FOK") => Ok(Some(TimeInForce::Fok)),
        Some(_) => Err(ApiError::TimeInForce),
    }
}

/// `newOrderRespType`, when it is given.
pub(crate) fn response_type(params: &Params<'_>) -> Result<Option<ResponseType>, ApiError> {
    match params.get("newOrderRespType") {
        None => Ok(None),
        Some("ACK") => Ok(Some(ResponseType::Ack)),
        Some("RESULT") => Ok(Some(ResponseType::Result)),
        Some("FULL") => Ok(Some(ResponseType::Full)),
        Some(_) => Err(ApiError::Invalid("newOrderRespType")),
    }
}

fn strategy(params: &Params<'_>, names: &Names) -> Result<Strategy, ApiError> {
    let strategy =
        Strategy { strategy_id: params.digits(names.strategy_id)?, strategy_type: params.digits(names.strategy_type)? };
    match strategy.strategy_type {
        Some(..1_000_000) => Err(ApiError::StrategyType),
        _ => Ok(strategy),
    }
}

/// `selfTradePreventionMode`.
fn prevention(params: &Params<'_>) -> Result<Option<PreventionMode>, ApiError> {
    let known = |name| PreventionMode::ALL.into_iter().find(|mode| mode.as_str() == name);
    params
        .get("selfTradePreventionMode")
        .map(|name| known(name).ok_or(ApiError::Invalid("selfTradePreventionMode")))
        .transpose()
}

/// Refuses what this order type does not take.
fn check_given(params: &Params<'_>, order_type: Type, names: &Names) -> Result<(), ApiError> {
    let Names { time_in_force, price, stop_price, trailing_delta, iceberg_qty, .. } = *names;
    let idle: &[&'static str] = match order_type {
        Type::Limit => &[QUOTE_ORDER_QTY, stop_price, trailing_delta],
        Type::LimitMaker => &[time_in_force, QUOTE_ORDER_QTY, stop_price, trailing_delta],
        Type::Market => &[time_in_force, price, stop_price, trailing_delta, iceberg_qty],
        Type::Stop { limit: true, .. } => &[QUOTE_ORDER_QTY],
        Type::Stop { limit: false, .. } => &[time_in_force, QUOTE_ORDER_QTY, price, iceberg_qty],
    };
    if let Some(name) = idle.iter().find(|name| params.has(name)) {
        return Err(ApiError::NotRequired(name));
    }
    if names.peg.iter().any(|name| params.has(name)) {
        return Err(ApiError::OrderRejected("Pegged orders are not supported for this symbol."));
    }
    Ok(())
}

fn market_size(params: &Params<'_>, names: &Names) -> Result<MarketSize, ApiError> {
    match (decimal(params, names.quantity)?, decimal(params, QUOTE_ORDER_QTY)?) {
        (Some(quantity), None) => Ok(MarketSize::Base(quantity)),
        (None, Some(amount)) => Ok(MarketSize::Quote(amount)),
        (Some(_), Some(_)) => Err(ApiError::Combination),
        (None, None) => Err(ApiError::MissingEither(names.quantity, QUOTE_ORDER_QTY)),
    }
}

/// A decimal of at most eight places that fits.
fn decimal<T>(params: &Params<'_>, name: &'static str) -> Result<Option<T>, ApiError>
where
    T: std::str::FromStr<Err = ParseDecimalError>,
{
    params
        .get(name)
        .map(|text| {
            text.parse().map_err(|error| match error {
                ParseDecimalError::TooPrecise => ApiError::Precision(name),
                ParseDecimalError::OutOfRange => ApiError::Overflow(name),
                // The characters were checked long before.
                ParseDecimalError::Malformed => ApiError::Invalid(name),
            })
        })
        .transpose()
}

pub(crate) fn needed<T>(params: &Params<'_>, name: &'static str) -> Result<T, ApiError>
where
    T: std::str::FromStr<Err = ParseDecimalError>,
{
    decimal(params, name)?.ok_or(ApiError::Missing(name))
}

pub(crate) fn client_id(params: &Params<'_>, name: &'static str) -> Result<Option<ClientOrderId>, ApiError> {
    params.get(name).map(|text| text.parse().map_err(|_| ApiError::Invalid(name))).transpose()
}

/// The order that a query or cancel is about.
pub(crate) fn order_ref(call: &Call<'_>) -> Result<(SymbolId, OrderRef), ApiError> {
    order_ref_by(call, "orderId", "origClientOrderId")
}

/// The order that parameters of these names are about.
pub(crate) fn order_ref_by(
    call: &Call<'_>,
    id_name: &'static str,
    client_name: &'static str,
) -> Result<(SymbolId, OrderRef), ApiError> {
    let symbol = call.symbol()?;
    let id = call.params.digits(id_name)?.map(exchange_engine::OrderId);
    let client = client_id(call.params, client_name)?;
    let target = match (id, client) {
        (Some(id), None) => OrderRef::Id(id),
        (None, Some(client)) => OrderRef::Client(client),
        (Some(id), Some(client)) => OrderRef::Both(id, client),
        (None, None) => return Err(ApiError::MissingEither(client_name, id_name)),
    };
    Ok((symbol, target))
}
