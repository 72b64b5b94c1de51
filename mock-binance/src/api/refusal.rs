//! From the engine's refusals to the exchange's codes and texts.

use exchange_engine::{NewOrder, OrderCountHit, OrderType, Rejection, Timestamp};

use super::error::ApiError;

/// How the exchange words a refusal of a new order.
pub(crate) fn placing(rejection: Rejection, order: &NewOrder, now: Timestamp) -> ApiError {
    match rejection {
        Rejection::OrderTypeNotAllowed => ApiError::OrderRejected(type_not_allowed(order.kind.order_type())),
        other => placing_list(other, now),
    }
}

/// How the exchange words a refusal of a new list, or of an order whatever its type.
pub(crate) fn placing_list(rejection: Rejection, now: Timestamp) -> ApiError {
    let engine = ApiError::OrderRejected;
    match rejection {
        Rejection::MarketClosed => engine("Market is closed."),
        Rejection::OrderTypeNotAllowed | Rejection::ListNotSupported | Rejection::Unsupported => {
            engine("Unsupported order combination")
        }
        Rejection::QuoteOrderQtyNotAllowed => {
            // The missing letters are the exchange's.
            engine("Quote order qty market orders are not support for this symbol.")
        }
        Rejection::IcebergNotAllowed => engine("Iceberg orders are not supported for this symbol."),
        Rejection::IcebergTooLarge => engine("IcebergQty exceeds QTY."),
        Rejection::TrailingNotAllowed => engine("Trailing stop orders are not supported for this symbol."),
        Rejection::OcoNotAllowed => engine("OCO orders are not supported for this symbol"),
        // The exchange documents no words for these two; they follow those for OCO.
        Rejection::OtoNotAllowed => engine("OTO orders are not supported for this symbol"),
        Rejection::OpoNotAllowed => engine("OPO orders are not supported for this symbol"),
        Rejection::CancelReplaceNotAllowed => engine("Order cancel-replace is not supported for this symbol."),
        Rejection::DuplicateOrder | Rejection::DuplicateList => engine("Duplicate order sent."),
        Rejection::ListPrices => engine("The relationship of the prices for the orders is not correct."),
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
pub(crate) fn canceling(rejection: Rejection) -> ApiError {
    let engine = ApiError::CancelRejected;
    match rejection {
        Rejection::UnknownOrder | Rejection::UnknownList => engine("Unknown order sent."),
        Rejection::CancelRestricted => engine("Order was not canceled due to cancel restrictions."),
        Rejection::MarketClosed => engine("Market is closed."),
        other => refused(other),
    }
}

/// How the exchange words a refusal of an amendment.
pub(crate) fn amending(rejection: Rejection) -> ApiError {
    let engine = ApiError::AmendRejected;
    match rejection {
        Rejection::UnknownOrder => engine("Unknown order sent."),
        Rejection::DuplicateOrder => engine("Duplicate order sent."),
        Rejection::MarketClosed => engine("Market is closed."),
        Rejection::AmendNotAllowed => engine("Order amend is not supported for this symbol."),
        Rejection::AmendIncrease => engine("Order amend (quantity increase) is not supported."),
        Rejection::AmendNothing => engine("The requested action would change no state; rejecting."),
        Rejection::Filter(exchange_engine::Filter::MaxNumOrderAmends) => engine("Filter failure: MAX_NUM_ORDER_AMENDS"),
        other => refused(other),
    }
}

/// How the exchange words a refusal of a query.
pub(crate) fn asking(rejection: Rejection) -> ApiError {
    match rejection {
        // The exchange documents no words of its own for a list.
        Rejection::UnknownOrder | Rejection::UnknownList => ApiError::NoSuchOrder,
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
        Rejection::PreventionNotAllowed => {
            ApiError::Message("This symbol does not allow the specified self-trade prevention mode.".into())
        }
        Rejection::InvalidPrice => ApiError::Message("Invalid price.".into()),
        Rejection::Filter(filter) => ApiError::Message(format!("Filter failure: {}", filter.as_str()).into()),
        Rejection::ClientOrderIdMismatch => ApiError::ClientIdMismatch,
        Rejection::Overflow => ApiError::Overflow("quantity"),
        // Each of these belongs to one kind of request and is worded there.
        _ => ApiError::Internal,
    }
}
