//! How orders, trades and books look in an answer: field names and order of the live exchange.

use exchange_engine::{
    Amount, BookLevel, CanceledOrder, ExpiryReason, Fill, ListId, Order, OrderId, Price, Quantity, Timestamp,
};
use serde::ser::SerializeTuple;
use serde::{Serialize, Serializer};

use super::error::ApiError;
use super::order::Type;
use crate::json::Text;
use crate::strategy::{Strategies, Strategy};
use crate::symbols::Symbols;

/// The id of an order's list; orders outside of lists carry -1.
pub(crate) fn list_id(list: Option<ListId>) -> i64 {
    list.map_or(-1, |list| list.0.into())
}

/// In which unit times are told (`X-MBX-TIME-UNIT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Milliseconds,
    Microseconds,
}

impl TimeUnit {
    pub(crate) fn asked_for(header: Option<&str>) -> Result<Self, ApiError> {
        match header {
            None | Some("MILLISECOND" | "millisecond") => Ok(Self::Milliseconds),
            Some("MICROSECOND" | "microsecond") => Ok(Self::Microseconds),
            Some(_) => Err(ApiError::BadTimeUnit),
        }
    }

    pub(crate) fn of(self, time: Timestamp) -> u64 {
        match self {
            Self::Milliseconds => time.as_millis(),
            Self::Microseconds => time.as_micros(),
        }
    }

    /// The last moment before this one.
    pub(crate) fn before(self, time: Timestamp) -> u64 {
        self.of(time).saturating_sub(1)
    }
}

/// What an answer needs besides the order itself.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) symbols: &'a Symbols,
    pub(crate) unit: TimeUnit,
    pub(crate) strategies: &'a Strategies,
}

impl Context<'_> {
    fn strategy(&self, order: &Order) -> Strategy {
        self.strategies.of(order.id)
    }
}

/// What `newOrderRespType` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseType {
    Ack,
    Result,
    Full,
}

impl ResponseType {
    /// FULL for LIMIT and MARKET, ACK for the others, unless something else is asked for.
    pub(crate) const fn of_order(order_type: Type) -> Self {
        match order_type {
            Type::Limit | Type::Market => Self::Full,
            Type::LimitMaker | Type::Stop { .. } => Self::Ack,
        }
    }
}

/// What is told only of orders from which something was taken to prevent a trade.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Prevented {
    #[serde(skip_serializing_if = "Option::is_none")]
    prevented_match_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prevented_quantity: Option<Text<Quantity>>,
}

impl Prevented {
    fn of(order: &Order) -> Self {
        let prevented_quantity = order.prevented_match.map(|_| Text(order.prevented));
        Self { prevented_match_id: order.prevented_match, prevented_quantity }
    }
}

/// What is told only of trailing stop orders; -1 until they follow the price.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trailing {
    #[serde(skip_serializing_if = "Option::is_none")]
    trailing_delta: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trailing_time: Option<WorkingTime>,
}

impl Trailing {
    fn of(order: &Order, unit: TimeUnit) -> Self {
        let since = || order.trailing_time.map_or(WorkingTime::Never(-1), |time| WorkingTime::Since(unit.of(time)));
        Self { trailing_delta: order.trailing_delta, trailing_time: order.trailing_delta.map(|_| since()) }
    }
}

/// When an order was placed; -1 while it waits for a price.
#[derive(Serialize)]
#[serde(untagged)]
enum WorkingTime {
    Since(u64),
    Never(i8),
}

impl WorkingTime {
    fn of(order: &Order, unit: TimeUnit) -> Self {
        order.working_time.map_or(Self::Never(-1), |time| Self::Since(unit.of(time)))
    }
}

/// The answer to a new order; the fields of RESULT and FULL are left out of the shorter kinds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlacedAnswer<'a> {
    symbol: &'a str,
    order_id: u64,
    order_list_id: i64,
    client_order_id: &'a str,
    transact_time: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    result: Option<PlacedResult<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlacedResult<'a> {
    price: Text<Price>,
    /// Not told before it is known, as of the pending orders of an OPO.
    #[serde(skip_serializing_if = "Option::is_none")]
    orig_qty: Option<Text<Quantity>>,
    executed_qty: Text<Quantity>,
    orig_quote_order_qty: Text<Amount>,
    cummulative_quote_qty: Text<Amount>,
    status: &'static str,
    time_in_force: &'static str,
    #[serde(rename = "type")]
    order_type: &'static str,
    side: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_price: Option<Text<Price>>,
    #[serde(flatten)]
    trailing: Trailing,
    #[serde(flatten)]
    strategy: Strategy,
    working_time: WorkingTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    iceberg_qty: Option<Text<Quantity>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fills: Option<Vec<PlacedFill<'a>>>,
    self_trade_prevention_mode: &'static str,
    #[serde(flatten)]
    prevented: Prevented,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlacedFill<'a> {
    price: Text<Price>,
    qty: Text<Quantity>,
    commission: Text<Amount>,
    commission_asset: &'a str,
    trade_id: u64,
}

impl<'a> PlacedAnswer<'a> {
    pub(crate) fn new(order: &'a Order, fills: &[Fill], response_type: ResponseType, context: Context<'a>) -> Self {
        let Context { symbols, unit, .. } = context;
        let result = (response_type != ResponseType::Ack).then(|| PlacedResult {
            price: Text(order.price),
            orig_qty: Some(order.quantity).filter(|quantity| quantity.is_positive()).map(Text),
            executed_qty: Text(order.executed),
            orig_quote_order_qty: Text(order.quote_order_qty),
            cummulative_quote_qty: Text(order.cumulative_quote),
            status: order.status.as_str(),
            time_in_force: order.time_in_force.as_str(),
            order_type: order.order_type.as_str(),
            side: order.side.as_str(),
            stop_price: order.stop_price.map(Text),
            trailing: Trailing::of(order, unit),
            strategy: context.strategy(order),
            working_time: WorkingTime::of(order, unit),
            iceberg_qty: order.iceberg.map(Text),
            fills: (response_type == ResponseType::Full).then(|| {
                fills
                    .iter()
                    .map(|fill| PlacedFill {
                        price: Text(fill.price),
                        qty: Text(fill.quantity),
                        commission: Text(fill.commission),
                        commission_asset: symbols.asset_name(fill.commission_asset),
                        trade_id: fill.trade.0,
                    })
                    .collect()
            }),
            self_trade_prevention_mode: order.prevention.as_str(),
            prevented: Prevented::of(order),
            expiry_reason: order.expiry_reason.map(ExpiryReason::as_str),
        });
        Self {
            symbol: symbols.name(order.symbol),
            order_id: order.id.0,
            order_list_id: list_id(order.list),
            client_order_id: order.client_order_id.as_str(),
            transact_time: unit.of(order.update_time),
            result,
        }
    }
}

/// An order as queries tell it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueriedOrder<'a> {
    symbol: &'a str,
    order_id: u64,
    order_list_id: i64,
    client_order_id: &'a str,
    price: Text<Price>,
    orig_qty: Text<Quantity>,
    executed_qty: Text<Quantity>,
    cummulative_quote_qty: Text<Amount>,
    status: &'static str,
    time_in_force: &'static str,
    #[serde(rename = "type")]
    order_type: &'static str,
    side: &'static str,
    stop_price: Text<Price>,
    iceberg_qty: Text<Quantity>,
    #[serde(flatten)]
    trailing: Trailing,
    #[serde(flatten)]
    strategy: Strategy,
    time: u64,
    update_time: u64,
    is_working: bool,
    working_time: WorkingTime,
    orig_quote_order_qty: Text<Amount>,
    self_trade_prevention_mode: &'static str,
    #[serde(flatten)]
    prevented: Prevented,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_reason: Option<&'static str>,
}

impl<'a> QueriedOrder<'a> {
    pub(crate) fn new(order: &'a Order, context: Context<'a>) -> Self {
        let Context { symbols, unit, .. } = context;
        Self {
            symbol: symbols.name(order.symbol),
            order_id: order.id.0,
            order_list_id: list_id(order.list),
            client_order_id: order.client_order_id.as_str(),
            price: Text(order.price),
            orig_qty: Text(order.quantity),
            executed_qty: Text(order.executed),
            cummulative_quote_qty: Text(order.cumulative_quote),
            status: order.status.as_str(),
            time_in_force: order.time_in_force.as_str(),
            order_type: order.order_type.as_str(),
            side: order.side.as_str(),
            stop_price: Text(order.stop_price.unwrap_or_default()),
            iceberg_qty: Text(order.iceberg.unwrap_or_default()),
            trailing: Trailing::of(order, unit),
            strategy: context.strategy(order),
            time: unit.of(order.time),
            update_time: unit.of(order.update_time),
            is_working: order.working_time.is_some(),
            working_time: WorkingTime::of(order, unit),
            orig_quote_order_qty: Text(order.quote_order_qty),
            self_trade_prevention_mode: order.prevention.as_str(),
            prevented: Prevented::of(order),
            expiry_reason: order.expiry_reason.map(ExpiryReason::as_str),
        }
    }
}

/// A cancelled order: its own name becomes `origClientOrderId`, the cancel's name takes its place.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CanceledAnswer<'a> {
    symbol: &'a str,
    orig_client_order_id: &'a str,
    order_id: u64,
    order_list_id: i64,
    client_order_id: &'a str,
    transact_time: u64,
    price: Text<Price>,
    orig_qty: Text<Quantity>,
    executed_qty: Text<Quantity>,
    orig_quote_order_qty: Text<Amount>,
    cummulative_quote_qty: Text<Amount>,
    status: &'static str,
    time_in_force: &'static str,
    #[serde(rename = "type")]
    order_type: &'static str,
    side: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_price: Option<Text<Price>>,
    #[serde(flatten)]
    trailing: Trailing,
    #[serde(skip_serializing_if = "Option::is_none")]
    iceberg_qty: Option<Text<Quantity>>,
    #[serde(flatten)]
    strategy: Strategy,
    self_trade_prevention_mode: &'static str,
    #[serde(flatten)]
    prevented: Prevented,
}

impl<'a> CanceledAnswer<'a> {
    pub(crate) fn new(canceled: &'a CanceledOrder, context: Context<'a>) -> Self {
        let Context { symbols, unit, .. } = context;
        let order = &canceled.order;
        Self {
            symbol: symbols.name(order.symbol),
            orig_client_order_id: order.client_order_id.as_str(),
            order_id: order.id.0,
            order_list_id: list_id(order.list),
            client_order_id: canceled.cancel_id.as_str(),
            transact_time: unit.of(order.update_time),
            price: Text(order.price),
            orig_qty: Text(order.quantity),
            executed_qty: Text(order.executed),
            orig_quote_order_qty: Text(order.quote_order_qty),
            cummulative_quote_qty: Text(order.cumulative_quote),
            status: order.status.as_str(),
            time_in_force: order.time_in_force.as_str(),
            order_type: order.order_type.as_str(),
            side: order.side.as_str(),
            stop_price: order.stop_price.map(Text),
            trailing: Trailing::of(order, unit),
            iceberg_qty: order.iceberg.map(Text),
            strategy: context.strategy(order),
            self_trade_prevention_mode: order.prevention.as_str(),
            prevented: Prevented::of(order),
        }
    }
}

/// A trade as the account that made it sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MyTrade<'a> {
    symbol: &'a str,
    id: u64,
    order_id: u64,
    order_list_id: i64,
    price: Text<Price>,
    qty: Text<Quantity>,
    quote_qty: Text<Amount>,
    commission: Text<Amount>,
    commission_asset: &'a str,
    time: u64,
    is_buyer: bool,
    is_maker: bool,
    is_best_match: bool,
}

impl<'a> MyTrade<'a> {
    pub(crate) fn new(fill: &Fill, context: Context<'a>) -> Self {
        let Context { symbols, unit, .. } = context;
        let OrderId(order_id) = fill.order;
        Self {
            symbol: symbols.name(fill.symbol),
            id: fill.trade.0,
            order_id,
            order_list_id: list_id(fill.list),
            price: Text(fill.price),
            qty: Text(fill.quantity),
            quote_qty: Text(fill.quote),
            commission: Text(fill.commission),
            commission_asset: symbols.asset_name(fill.commission_asset),
            time: unit.of(fill.time),
            is_buyer: fill.is_buyer,
            is_maker: fill.is_maker,
            is_best_match: true,
        }
    }
}

/// A level of a book: `["price","quantity"]`.
pub(crate) struct Level(pub(crate) BookLevel);

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_tuple(2)?;
        pair.serialize_element(&Text(self.0.price))?;
        pair.serialize_element(&Text(self.0.quantity))?;
        pair.end()
    }
}
