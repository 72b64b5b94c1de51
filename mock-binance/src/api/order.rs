//! From parameters to an order, and from the engine's refusals to the exchange's texts.
//!
//! An order type needs some parameters and does not take others; what an absent or idle parameter is answered with
//! is the exchange's own choice. Order types that a symbol does not have, and instructions that the engine does not
//! play, are refused in the words in which the exchange refuses them on symbols that do not have them.

use exchange_engine::{
    ClientOrderId, LimitTerms, MarketSize, NewOrder, OrderCountHit, OrderKind, OrderRef, OrderType, ParseDecimalError,
    Price, Rejection, Side, StopGoal, SymbolId, TimeInForce, Timestamp,
};

use super::error::ApiError;
use super::params::Params;
use super::render::{NO_PREVENTION, ResponseType};
use super::route::Call;
use crate::strategy::Strategy;

/// An order type as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Limit,
    LimitMaker,
    Market,
    /// A type that waits for a price, and whether it becomes a LIMIT order.
    Stop {
        goal: StopGoal,
        limit: bool,
    },
}

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
    let side = side(params)?;
    let order_type = order_type(params)?;
    let time_in_force = time_in_force(params)?;
    let response_type = response_type(params, order_type)?;
    let strategy = strategy(params)?;
    check_prevention(params)?;
    check_given(params, order_type)?;
    let kind = match order_type {
        Type::Limit => OrderKind::Limit {
            time_in_force: time_in_force.ok_or(ApiError::Missing("timeInForce"))?,
            quantity: needed(params, "quantity")?,
            price: needed(params, "price")?,
        },
        Type::LimitMaker => {
            OrderKind::LimitMaker { quantity: needed(params, "quantity")?, price: needed(params, "price")? }
        }
        Type::Market => OrderKind::Market { size: market_size(params)? },
        Type::Stop { goal, limit } => stop(params, goal, limit, time_in_force)?,
    };
    if params.has("icebergQty") {
        decimal::<Price>(params, "icebergQty")?;
        return Err(ApiError::OrderRejected("Iceberg orders are not supported for this symbol."));
    }
    let order = NewOrder { symbol, side, kind, client_order_id: client_id(params, "newClientOrderId")? };
    Ok(Asked { order, response_type, strategy })
}

fn side(params: &Params<'_>) -> Result<Side, ApiError> {
    match params.require("side")? {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(ApiError::Side),
    }
}

fn order_type(params: &Params<'_>) -> Result<Type, ApiError> {
    let stop = |goal, limit| Ok(Type::Stop { goal, limit });
    match params.require("type")? {
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

fn time_in_force(params: &Params<'_>) -> Result<Option<TimeInForce>, ApiError> {
    match params.get("timeInForce") {
        None => Ok(None),
        Some("GTC") => Ok(Some(TimeInForce::Gtc)),
        Some("IOC") => Ok(Some(TimeInForce::Ioc)),
        Some("FOK") => Ok(Some(TimeInForce::Fok)),
        Some(_) => Err(ApiError::TimeInForce),
    }
}

/// FULL for LIMIT and MARKET, ACK for the others, unless something else is asked for.
fn response_type(params: &Params<'_>, order_type: Type) -> Result<ResponseType, ApiError> {
    match params.get("newOrderRespType") {
        None if matches!(order_type, Type::Limit | Type::Market) => Ok(ResponseType::Full),
        None | Some("ACK") => Ok(ResponseType::Ack),
        Some("RESULT") => Ok(ResponseType::Result),
        Some("FULL") => Ok(ResponseType::Full),
        Some(_) => Err(ApiError::Invalid("newOrderRespType")),
    }
}

fn strategy(params: &Params<'_>) -> Result<Strategy, ApiError> {
    let strategy =
        Strategy { strategy_id: params.digits("strategyId")?, strategy_type: params.digits("strategyType")? };
    match strategy.strategy_type {
        Some(..1_000_000) => Err(ApiError::StrategyType),
        _ => Ok(strategy),
    }
}

fn check_prevention(params: &Params<'_>) -> Result<(), ApiError> {
    match params.get("selfTradePreventionMode") {
        None | Some(NO_PREVENTION) => Ok(()),
        Some("EXPIRE_TAKER" | "EXPIRE_MAKER" | "EXPIRE_BOTH" | "DECREMENT" | "TRANSFER") => {
            Err(ApiError::Message("This symbol does not allow the specified self-trade prevention mode.".into()))
        }
        Some(_) => Err(ApiError::Invalid("selfTradePreventionMode")),
    }
}

/// Refuses what this order type does not take.
fn check_given(params: &Params<'_>, order_type: Type) -> Result<(), ApiError> {
    let idle: &[&'static str] = match order_type {
        Type::Limit => &["quoteOrderQty", "stopPrice", "trailingDelta"],
        Type::LimitMaker => &["timeInForce", "quoteOrderQty", "stopPrice", "trailingDelta"],
        Type::Market => &["timeInForce", "price", "stopPrice", "trailingDelta", "icebergQty"],
        Type::Stop { limit: true, .. } => &["quoteOrderQty"],
        Type::Stop { limit: false, .. } => &["timeInForce", "quoteOrderQty", "price", "icebergQty"],
    };
    if let Some(name) = idle.iter().find(|name| params.has(name)) {
        return Err(ApiError::NotRequired(name));
    }
    let pegged = ["pegPriceType", "pegOffsetValue", "pegOffsetType"];
    if pegged.iter().any(|name| params.has(name)) {
        return Err(ApiError::OrderRejected("Pegged orders are not supported for this symbol."));
    }
    Ok(())
}

fn stop(
    params: &Params<'_>,
    goal: StopGoal,
    limit: bool,
    time_in_force: Option<TimeInForce>,
) -> Result<OrderKind, ApiError> {
    if limit && time_in_force.is_none() {
        return Err(ApiError::Missing("timeInForce"));
    }
    let quantity = needed(params, "quantity")?;
    let price = if limit { Some(needed(params, "price")?) } else { None };
    if params.has("trailingDelta") {
        return Err(ApiError::OrderRejected("Trailing stop orders are not supported for this symbol."));
    }
    let stop_price = decimal(params, "stopPrice")?.ok_or(ApiError::MissingEither("stopPrice", "trailingDelta"))?;
    let limit = time_in_force.zip(price).map(|(time_in_force, price)| LimitTerms { time_in_force, price });
    Ok(OrderKind::Stop { goal, stop_price, quantity, limit })
}

fn market_size(params: &Params<'_>) -> Result<MarketSize, ApiError> {
    match (decimal(params, "quantity")?, decimal(params, "quoteOrderQty")?) {
        (Some(quantity), None) => Ok(MarketSize::Base(quantity)),
        (None, Some(amount)) => Ok(MarketSize::Quote(amount)),
        (Some(_), Some(_)) => Err(ApiError::Combination),
        (None, None) => Err(ApiError::MissingEither("quantity", "quoteOrderQty")),
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

fn needed<T>(params: &Params<'_>, name: &'static str) -> Result<T, ApiError>
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
    let symbol = call.symbol()?;
    let id = call.params.digits("orderId")?.map(exchange_engine::OrderId);
    let client = client_id(call.params, "origClientOrderId")?;
    let target = match (id, client) {
        (Some(id), None) => OrderRef::Id(id),
        (None, Some(client)) => OrderRef::Client(client),
        (Some(id), Some(client)) => OrderRef::Both(id, client),
        (None, None) => return Err(ApiError::MissingEither("origClientOrderId", "orderId")),
    };
    Ok((symbol, target))
}

/// How the exchange words a refusal of a new order.
pub(crate) fn placing_refused(rejection: Rejection, order: &NewOrder, now: Timestamp) -> ApiError {
    let engine = ApiError::OrderRejected;
    match rejection {
        Rejection::MarketClosed => engine("Market is closed."),
        Rejection::OrderTypeNotAllowed => engine(type_not_allowed(order.kind.order_type())),
        Rejection::QuoteOrderQtyNotAllowed => {
            // The missing letters are the exchange's.
            engine("Quote order qty market orders are not support for this symbol.")
        }
        Rejection::DuplicateOrder => engine("Duplicate order sent."),
        Rejection::WouldTrigger => engine("Order would trigger immediately."),
        Rejection::WouldTake => engine("Order would immediately match and take."),
        Rejection::NoLiquidity => engine("Order book liquidity is less than symbol minimum quantity."),
        Rejection::LiquidityBelowLot => engine("Order book liquidity is less than `LOT_SIZE` filter minimum quantity."),
        Rejection::InsufficientBalance => engine("Account has insufficient balance for requested action."),
        Rejection::TooManyOrders(hit) => too_many_orders(hit, now),
        other => refused(other),
    }
}

/// How the exchange refuses a type on a symbol that does not have it.
const fn type_not_allowed(order_type: OrderType) -> &'static str {
    match order_type {
        OrderType::Market => "Market orders are not supported for this symbol.",
        OrderType::Limit | OrderType::LimitMaker => "Unsupported order combination",
        OrderType::StopLoss => "Stop loss orders are not supported for this symbol.",
        OrderType::StopLossLimit => "Stop loss limit orders are not supported for this symbol.",
        OrderType::TakeProfit => "Take profit orders are not supported for this symbol.",
        OrderType::TakeProfitLimit => "Take profit limit orders are not supported for this symbol.",
    }
}

/// How the exchange words a refusal of a cancel.
pub(crate) fn canceling_refused(rejection: Rejection) -> ApiError {
    let engine = ApiError::CancelRejected;
    match rejection {
        Rejection::UnknownOrder => engine("Unknown order sent."),
        Rejection::CancelRestricted => engine("Order was not canceled due to cancel restrictions."),
        Rejection::MarketClosed => engine("Market is closed."),
        other => refused(other),
    }
}

/// How the exchange words a refusal of a query.
pub(crate) fn asking_refused(rejection: Rejection) -> ApiError {
    match rejection {
        Rejection::UnknownOrder => ApiError::NoSuchOrder,
        other => refused(other),
    }
}

fn too_many_orders(hit: OrderCountHit, now: Timestamp) -> ApiError {
    ApiError::TooManyOrders { limit: hit.limit, retry_after_s: hit.resets_at.micros_since(now).div_ceil(1_000_000) }
}

fn refused(rejection: Rejection) -> ApiError {
    match rejection {
        Rejection::UnknownSymbol => ApiError::Symbol,
        Rejection::UnknownAccount => ApiError::KeyRejected,
        Rejection::InvalidQuantity => ApiError::Message("Invalid quantity.".into()),
        Rejection::InvalidPrice => ApiError::Message("Invalid price.".into()),
        Rejection::Filter(filter) => ApiError::Message(format!("Filter failure: {}", filter.as_str()).into()),
        Rejection::ClientOrderIdMismatch => ApiError::ClientIdMismatch,
        Rejection::Overflow => ApiError::Overflow("quantity"),
        // Each of these belongs to one kind of request and is worded there.
        _ => ApiError::Internal,
    }
}
