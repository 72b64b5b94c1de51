//! Every refusal that the REST face can give: one variant per cause, with the exchange's own status, code and text.
//!
//! The codes and texts are those of Binance's `errors.md`; where the live exchange was seen to say something else,
//! the text is the one that was seen.

use std::borrow::Cow;

use exchange_engine::WindowLimit;
use serde::Serialize;
use serde_json::value::RawValue;

use super::interval::Interval;
use crate::faults::Refusal;
use crate::json;

/// Why a request was refused. `Display` is exactly the `msg` of the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    #[error(
        "Too much request weight used; current limit is {} request weight per {}. \
         Please use WebSocket Streams for live updates to avoid polling the API.",
        .limit.limit, Interval::of(*.limit)
    )]
    TooMuchWeight { limit: WindowLimit, retry_after_s: u64 },
    #[error("Too many requests queued.")]
    TooManyRequests { retry_after_s: u64 },
    #[error(
        "Way too much request weight used; IP banned until {until_ms}. \
         Please use WebSocket Streams for live updates to avoid bans."
    )]
    Banned { until_ms: u64, retry_after_s: u64 },
    #[error("Too many new orders; current limit is {} orders per {}.", .limit.limit, Interval::of(*.limit))]
    TooManyOrders { limit: WindowLimit, retry_after_s: u64 },

    #[error("Illegal characters found in parameter '{name}'; legal range is '{range}'.")]
    IllegalCharacters { name: &'static str, range: &'static str },
    #[error("Illegal characters found in a parameter.")]
    Undecodable,
    #[error("Too many parameters; expected '{expected}' and received '{received}'.")]
    TooManyParameters { expected: usize, received: usize },
    #[error("Duplicate values for a parameter detected.")]
    Duplicate,
    #[error("Too many values sent for parameter '{name}', maximum allowed up to {limit}.")]
    TooManyValues { name: &'static str, limit: usize },
    #[error("Mandatory parameter '{0}' was not sent, was empty/null, or malformed.")]
    Missing(&'static str),
    #[error("Param '{0}' or '{1}' must be sent, but both were empty/null!")]
    MissingEither(&'static str, &'static str),
    #[error("Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.")]
    Unread { read: usize, sent: usize },
    #[error("Parameter '{0}' was empty.")]
    Empty(&'static str),
    #[error("Parameter '{0}' sent when not required.")]
    NotRequired(&'static str),
    #[error("Parameter '{0}' overflowed.")]
    Overflow(&'static str),
    #[error("Parameter '{0}' has too much precision.")]
    Precision(&'static str),
    #[error("Data sent for parameter '{0}' is not valid.")]
    Invalid(&'static str),
    #[error("Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")]
    BadTimeUnit,

    #[error("API-key format invalid.")]
    KeyFormat,
    #[error("Invalid API-key, IP, or permissions for action.")]
    KeyRejected,
    #[error("Invalid Api-Key ID.")]
    KeyUnknown,
    #[error("Timestamp for this request is outside of the recvWindow.")]
    TimestampOutside,
    #[error("Timestamp for this request was 1000ms ahead of the server's time.")]
    TimestampAhead,
    #[error("'recvWindow' must be less than 60000.")]
    RecvWindow,
    #[error("Signature for this request is not valid.")]
    Signature,

    #[error("Invalid symbol.")]
    Symbol,
    #[error("Symbol is present multiple times in the list.")]
    SymbolTwice,
    #[error("Invalid symbolStatus.")]
    SymbolStatus,
    #[error("The symbol's status does not match the requested symbolStatus.")]
    SymbolStatusMismatch,
    #[error("Invalid side.")]
    Side,
    #[error("Invalid orderType.")]
    OrderType,
    #[error("Invalid timeInForce.")]
    TimeInForce,
    #[error("Invalid interval.")]
    Interval,
    #[error("Invalid ticker type.")]
    TickerType,
    #[error("Invalid cancelRestrictions")]
    CancelRestrictions,
    #[error("`strategyType` was less than 1000000.")]
    StrategyType,
    #[error("Combination of optional parameters invalid.")]
    Combination,
    #[error("More than 24 hours between startTime and endTime.")]
    MoreThan24Hours,
    #[error("This symbol doesn't have a reference price.")]
    NoReferencePrice,
    #[error("This listenKey does not exist.")]
    ListenKey,

    /// A frame of the WebSocket API that is no request. The exchange does not document its words.
    #[error("{0}")]
    Malformed(&'static str),
    #[error("Unknown method.")]
    UnknownMethod,
    #[error("User Data Stream subscription already active.")]
    SubscriptionActive,
    #[error("User Data Stream subscription not active.")]
    SubscriptionInactive,
    #[error("Maximum subscription ID reached for this connection.")]
    SubscriptionsMax,

    /// The request did not reach the matching engine.
    #[error("{0}")]
    Message(Cow<'static, str>),
    /// The matching engine refused a new order.
    #[error("{0}")]
    OrderRejected(&'static str),
    /// The matching engine refused a cancel.
    #[error("{0}")]
    CancelRejected(&'static str),
    /// The matching engine refused an amendment.
    #[error("{0}")]
    AmendRejected(&'static str),
    /// A cancel-replace of which the whole or a part failed; `data` is the JSON that says which and why.
    #[error("Order cancel-replace {}failed.", if *.partially { "partially " } else { "" })]
    CancelReplace { partially: bool, data: String, limited_for_s: Option<u64> },
    #[error("Order type not supported in OCO.")]
    OcoType,
    #[error("A limit order in a buy OCO must be below.")]
    BuyLimitAbove,
    #[error("A limit order in a sell OCO must be above.")]
    SellLimitBelow,
    #[error("At least one OCO order must be contingent.")]
    BothLimit,
    #[error("A stop loss order in a buy OCO must be above.")]
    BuyStopBelow,
    #[error("A stop loss order in a sell OCO must be below.")]
    SellStopAbove,
    #[error("A take profit order in a buy OCO must be below.")]
    BuyProfitAbove,
    #[error("A take profit order in a sell OCO must be above.")]
    SellProfitBelow,
    #[error("Working order in an OPO list must be a bid.")]
    OpoWorkingSells,
    #[error("Pending orders in an OPO list must be asks.")]
    OpoPendingBuys,
    #[error("Order does not exist.")]
    NoSuchOrder,
    #[error("Client order ID is not correct for this order ID.")]
    ClientIdMismatch,
    #[error("An unknown error occurred while processing the request.")]
    Internal,
    /// A fault answers in place of the exchange.
    #[error("{}", .0.msg)]
    Fault(Refusal),
}

impl ApiError {
    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::KeyFormat | Self::KeyRejected => 401,
            Self::Banned { .. } => 418,
            Self::TooMuchWeight { .. }
            | Self::TooManyRequests { .. }
            | Self::TooManyOrders { .. }
            | Self::CancelReplace { limited_for_s: Some(_), .. } => 429,
            Self::CancelReplace { partially: true, .. } => 409,
            Self::Internal => 500,
            Self::Fault(refusal) => refusal.status,
            _ => 400,
        }
    }

    /// Binance's error code.
    pub(crate) fn code(&self) -> i32 {
        match self {
            Self::Internal => -1000,
            Self::Fault(refusal) => refusal.code,
            Self::TooMuchWeight { .. } | Self::TooManyRequests { .. } | Self::Banned { .. } => -1003,
            Self::Message(_) => -1013,
            Self::UnknownMethod => -1020,
            Self::TooManyOrders { .. } => -1015,
            Self::TimestampOutside | Self::TimestampAhead => -1021,
            Self::Signature => -1022,
            Self::IllegalCharacters { .. } | Self::Undecodable | Self::Malformed(_) => -1100,
            Self::TooManyParameters { .. } | Self::Duplicate | Self::TooManyValues { .. } => -1101,
            Self::Missing(_) | Self::MissingEither(..) => -1102,
            Self::Unread { .. } => -1104,
            Self::Empty(_) => -1105,
            Self::NotRequired(_) => -1106,
            Self::Overflow(_) => -1108,
            Self::Precision(_) => -1111,
            Self::TimeInForce => -1115,
            Self::OrderType => -1116,
            Self::Side => -1117,
            Self::Interval => -1120,
            Self::Symbol => -1121,
            Self::SymbolStatus => -1122,
            Self::ListenKey => -1125,
            Self::MoreThan24Hours => -1127,
            Self::Combination => -1128,
            Self::Invalid(_) => -1130,
            Self::RecvWindow => -1131,
            Self::StrategyType => -1134,
            Self::TickerType => -1139,
            Self::CancelRestrictions => -1145,
            Self::SymbolTwice => -1151,
            Self::OcoType => -1158,
            Self::BuyLimitAbove => -1165,
            Self::SellLimitBelow => -1166,
            Self::BothLimit => -1168,
            Self::BadTimeUnit => -1194,
            Self::BuyStopBelow => -1196,
            Self::SellStopAbove => -1197,
            Self::BuyProfitAbove => -1198,
            Self::SellProfitBelow => -1199,
            Self::SymbolStatusMismatch => -1220,
            Self::OpoWorkingSells => -1222,
            Self::OpoPendingBuys => -1223,
            Self::KeyUnknown => -2008,
            Self::OrderRejected(_) => -2010,
            Self::CancelRejected(_) => -2011,
            Self::NoSuchOrder => -2013,
            Self::CancelReplace { partially: true, .. } => -2021,
            Self::CancelReplace { partially: false, .. } => -2022,
            Self::AmendRejected(_) => -2038,
            Self::KeyFormat => -2014,
            Self::KeyRejected => -2015,
            Self::SubscriptionActive => -2035,
            Self::SubscriptionInactive => -2036,
            Self::ClientIdMismatch => -2039,
            Self::SubscriptionsMax => -2042,
            Self::NoReferencePrice => -2043,
        }
    }

    /// Seconds for the `Retry-After` header.
    pub(crate) fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::TooMuchWeight { retry_after_s, .. }
            | Self::TooManyRequests { retry_after_s }
            | Self::Banned { retry_after_s, .. }
            | Self::TooManyOrders { retry_after_s, .. }
            | Self::CancelReplace { limited_for_s: Some(retry_after_s), .. } => Some(*retry_after_s),
            Self::Fault(refusal) => refusal.retry_after_s,
            _ => None,
        }
    }

    /// What an answer tells besides code and text, as JSON.
    pub(crate) fn data(&self) -> Option<&RawValue> {
        match self {
            Self::CancelReplace { data, .. } => serde_json::from_str(data).ok(),
            _ => None,
        }
    }

    /// The body of the answer.
    pub(crate) fn body(&self) -> Vec<u8> {
        json::bytes(&self.told())
    }

    /// Code, text and data, as answers tell them, one inside of another too.
    pub(crate) fn told(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct Body<'a> {
            code: i32,
            msg: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'a RawValue>,
        }
        Body { code: self.code(), msg: self.to_string(), data: self.data() }
    }
}
