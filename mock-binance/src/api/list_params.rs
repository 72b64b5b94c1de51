//! From parameters to an order list. The parameters of each order have a prefix that says which one it is.

use exchange_engine::{ListLegs, NewOrder, NewOrderList, OcoLegs, PendingLegs, Side, StopGoal, SymbolId};

use super::error::ApiError;
use super::order::{self, Names, PLAIN, Size, Type};
use super::params::Field;
use super::render::ResponseType;
use super::route::Call;
use crate::strategy::Strategy;

/// What a request for a new list asks for.
pub(crate) struct AskedList {
    pub(crate) list: NewOrderList,
    /// The client's marks of its orders, as they are numbered.
    pub(crate) strategies: Vec<Strategy>,
    pub(crate) response_type: Option<ResponseType>,
}

/// The names of an order whose parameters begin with a prefix; side and quantity may be shared by two.
macro_rules! names {
    ($prefix:literal, side: $side:expr, quantity: $quantity:expr) => {
        Names {
            side: $side,
            order_type: concat!($prefix, "Type"),
            time_in_force: concat!($prefix, "TimeInForce"),
            quantity: $quantity,
            price: concat!($prefix, "Price"),
            stop_price: concat!($prefix, "StopPrice"),
            trailing_delta: concat!($prefix, "TrailingDelta"),
            iceberg_qty: concat!($prefix, "IcebergQty"),
            client_id: concat!($prefix, "ClientOrderId"),
            strategy_id: concat!($prefix, "StrategyId"),
            strategy_type: concat!($prefix, "StrategyType"),
            peg: [
                concat!($prefix, "PegPriceType"),
                concat!($prefix, "PegOffsetValue"),
                concat!($prefix, "PegOffsetType"),
            ],
        }
    };
}

const ABOVE: Names = names!("above", side: "side", quantity: "quantity");
const BELOW: Names = names!("below", side: "side", quantity: "quantity");
const WORKING: Names = names!("working", side: "workingSide", quantity: "workingQuantity");
const PENDING: Names = names!("pending", side: "pendingSide", quantity: "pendingQuantity");
const PENDING_ABOVE: Names = names!("pendingAbove", side: "pendingSide", quantity: "pendingQuantity");
const PENDING_BELOW: Names = names!("pendingBelow", side: "pendingSide", quantity: "pendingQuantity");
/// The order of the elder OCO that takes a profit.
const ELDER_LIMIT: Names = Names {
    iceberg_qty: "limitIcebergQty",
    client_id: "limitClientOrderId",
    strategy_id: "limitStrategyId",
    strategy_type: "limitStrategyType",
    // It takes none of these, whatever the other order takes.
    time_in_force: "limitTimeInForce",
    stop_price: "limitStopPrice",
    trailing_delta: "limitTrailingDelta",
    ..PLAIN
};
/// The order of the elder OCO that stops a loss.
const ELDER_STOP: Names = Names {
    time_in_force: "stopLimitTimeInForce",
    price: "stopLimitPrice",
    iceberg_qty: "stopIcebergQty",
    client_id: "stopClientOrderId",
    strategy_id: "stopStrategyId",
    strategy_type: "stopStrategyType",
    ..PLAIN
};

/// The parameters of an order with these names, without side and quantity.
const fn own(names: &Names) -> [Field; 12] {
    let [peg_type, peg_value, peg_offset] = names.peg;
    [
        Field::word(names.order_type),
        Field::word(names.time_in_force),
        Field::decimal(names.price),
        Field::decimal(names.stop_price),
        Field::digits(names.trailing_delta),
        Field::decimal(names.iceberg_qty),
        Field::client_id(names.client_id),
        Field::digits(names.strategy_id),
        Field::digits(names.strategy_type),
        Field::word(peg_type),
        Field::digits(peg_value),
        Field::word(peg_offset),
    ]
}

/// The parameters that every list has.
const SHARED: [Field; 4] = [
    Field::symbol().mandatory(),
    Field::client_id("listClientOrderId"),
    Field::word("newOrderRespType"),
    Field::word("selfTradePreventionMode"),
];

/// Puts lists of parameters together.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which tells a place out of bounds")]
pub(crate) const fn joined<const N: usize>(parts: &[&[Field]]) -> [Field; N] {
    let mut all = [Field::word(""); N];
    let (mut part, mut at) = (0, 0);
    while part < parts.len() {
        let mut place = 0;
        while place < parts[part].len() {
            all[at] = parts[part][place];
            place += 1;
            at += 1;
        }
        part += 1;
    }
    assert!(at == N, "the parts fill the whole");
    all
}

/// A parameter by name, made mandatory in a list of parameters.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which tells a place out of bounds")]
const fn needs<const N: usize>(mut fields: [Field; N], place: usize) -> [Field; N] {
    fields[place] = fields[place].mandatory();
    fields
}

const fn sized(side: &'static str, quantity: &'static str) -> [Field; 2] {
    [Field::word(side).mandatory(), Field::decimal(quantity).mandatory()]
}

/// Of `orderList/oco`.
pub(crate) const OCO: [Field; 30] =
    joined(&[&SHARED, &sized("side", "quantity"), &needs(own(&ABOVE), 0), &needs(own(&BELOW), 0)]);
/// Of `orderList/oto`.
pub(crate) const OTO: [Field; 32] = joined(&[
    &SHARED,
    &sized("workingSide", "workingQuantity"),
    &needs(own(&WORKING), 0),
    &sized("pendingSide", "pendingQuantity"),
    &needs(own(&PENDING), 0),
]);
/// Of `orderList/otoco`.
pub(crate) const OTOCO: [Field; 44] = joined(&[
    &SHARED,
    &sized("workingSide", "workingQuantity"),
    &needs(own(&WORKING), 0),
    &sized("pendingSide", "pendingQuantity"),
    &needs(own(&PENDING_ABOVE), 0),
    &own(&PENDING_BELOW),
]);
/// Of `orderList/opo`.
pub(crate) const OPO: [Field; 31] = joined(&[
    &SHARED,
    &sized("workingSide", "workingQuantity"),
    &needs(own(&WORKING), 0),
    &[Field::word("pendingSide").mandatory()],
    &needs(own(&PENDING), 0),
]);
/// Of `orderList/opoco`.
pub(crate) const OPOCO: [Field; 43] = joined(&[
    &SHARED,
    &sized("workingSide", "workingQuantity"),
    &needs(own(&WORKING), 0),
    &[Field::word("pendingSide").mandatory()],
    &needs(own(&PENDING_ABOVE), 0),
    &own(&PENDING_BELOW),
]);
/// Of `order/oco`.
pub(crate) const ELDER_OCO: [Field; 19] = joined(&[
    &SHARED,
    &sized("side", "quantity"),
    &[
        Field::decimal("price").mandatory(),
        Field::client_id("limitClientOrderId"),
        Field::digits("limitStrategyId"),
        Field::digits("limitStrategyType"),
        Field::decimal("limitIcebergQty"),
        Field::digits("trailingDelta"),
        Field::client_id("stopClientOrderId"),
        Field::decimal("stopPrice").mandatory(),
        Field::digits("stopStrategyId"),
        Field::digits("stopStrategyType"),
        Field::decimal("stopLimitPrice"),
        Field::decimal("stopIcebergQty"),
        Field::word("stopLimitTimeInForce"),
    ],
]);

pub(crate) fn oco(call: &Call<'_>) -> Result<AskedList, ApiError> {
    let symbol = call.symbol()?;
    let (legs, strategies) = pair(call, symbol, &ABOVE, &BELOW, Size::Asked)?;
    asked(call, symbol, &ListLegs::Oco(legs), strategies.to_vec())
}

pub(crate) fn elder_oco(call: &Call<'_>) -> Result<AskedList, ApiError> {
    let symbol = call.symbol()?;
    let params = call.params;
    let side = order::side(params, "side")?;
    let limit = params.has(ELDER_STOP.price);
    if limit && !params.has(ELDER_STOP.time_in_force) {
        return Err(ApiError::Missing(ELDER_STOP.time_in_force));
    }
    let stop_type = Type::Stop { goal: StopGoal::Loss, limit };
    let (profit, profit_mark) = order::leg(params, symbol, side, Type::LimitMaker, &ELDER_LIMIT, Size::Asked)?;
    let (loss, loss_mark) = order::leg(params, symbol, side, stop_type, &ELDER_STOP, Size::Asked)?;
    let legs = match side {
        Side::Sell => OcoLegs { above: profit, below: loss },
        Side::Buy => OcoLegs { above: loss, below: profit },
    };
    asked(call, symbol, &ListLegs::Oco(legs), vec![loss_mark, profit_mark])
}

pub(crate) fn oto(call: &Call<'_>, pays_other: bool) -> Result<AskedList, ApiError> {
    let symbol = call.symbol()?;
    let (working, working_mark) = working(call, symbol)?;
    let params = call.params;
    let side = order::side(params, PENDING.side)?;
    let order_type = order::order_type(params, PENDING.order_type)?;
    let (order, mark) = order::leg(params, symbol, side, order_type, &PENDING, size(pays_other))?;
    check_paid(pays_other, &working, side)?;
    let legs = ListLegs::Oto { working, pending: PendingLegs::One(order), pays_other };
    asked(call, symbol, &legs, vec![working_mark, mark])
}

pub(crate) fn otoco(call: &Call<'_>, pays_other: bool) -> Result<AskedList, ApiError> {
    let symbol = call.symbol()?;
    let (working, working_mark) = working(call, symbol)?;
    let (pending, [one, other]) = pair(call, symbol, &PENDING_ABOVE, &PENDING_BELOW, size(pays_other))?;
    check_paid(pays_other, &working, pending.above.side)?;
    let legs = ListLegs::Oto { working, pending: PendingLegs::Oco(pending), pays_other };
    asked(call, symbol, &legs, vec![working_mark, one, other])
}

const fn size(pays_other: bool) -> Size {
    if pays_other { Size::Later } else { Size::Asked }
}

fn asked(call: &Call<'_>, symbol: SymbolId, legs: &ListLegs, strategies: Vec<Strategy>) -> Result<AskedList, ApiError> {
    let client_id = order::client_id(call.params, "listClientOrderId")?;
    let list = NewOrderList { symbol, client_id, legs: *legs };
    Ok(AskedList { list, strategies, response_type: order::response_type(call.params)? })
}

fn working(call: &Call<'_>, symbol: SymbolId) -> Result<(NewOrder, Strategy), ApiError> {
    let side = order::side(call.params, WORKING.side)?;
    match order::order_type(call.params, WORKING.order_type)? {
        order_type @ (Type::Limit | Type::LimitMaker) => {
            order::leg(call.params, symbol, side, order_type, &WORKING, Size::Asked)
        }
        _ => Err(ApiError::OrderType),
    }
}

fn check_paid(pays_other: bool, working: &NewOrder, pending: Side) -> Result<(), ApiError> {
    match (working.side, pending) {
        (Side::Sell, _) if pays_other => Err(ApiError::OpoWorkingSells),
        (_, Side::Buy) if pays_other => Err(ApiError::OpoPendingBuys),
        _ => Ok(()),
    }
}

/// The two orders of an OCO, and their marks as the orders are numbered: the one that stops a loss first.
fn pair(
    call: &Call<'_>,
    symbol: SymbolId,
    above: &Names,
    below: &Names,
    size: Size,
) -> Result<(OcoLegs, [Strategy; 2]), ApiError> {
    let params = call.params;
    let side = order::side(params, above.side)?;
    let types = [order::order_type(params, above.order_type)?, order::order_type(params, below.order_type)?];
    check_pair(side, types)?;
    let (above_order, above_mark) = order::leg(params, symbol, side, types[0], above, size)?;
    let (below_order, below_mark) = order::leg(params, symbol, side, types[1], below, size)?;
    let above_is_first = matches!(types[0], Type::Stop { goal: StopGoal::Loss, .. });
    let marks = if above_is_first { [above_mark, below_mark] } else { [below_mark, above_mark] };
    Ok((OcoLegs { above: above_order, below: below_order }, marks))
}

/// Which types go together, and on which side of the last price each of them has to be.
fn check_pair(side: Side, [above, below]: [Type; 2]) -> Result<(), ApiError> {
    let loss = |order_type| matches!(order_type, Type::Stop { goal: StopGoal::Loss, .. });
    let profit = |order_type| matches!(order_type, Type::Stop { goal: StopGoal::Profit, .. });
    let maker = |order_type| matches!(order_type, Type::LimitMaker);
    if [above, below].iter().any(|order_type| matches!(order_type, Type::Limit | Type::Market)) {
        return Err(ApiError::OcoType);
    }
    if maker(above) && maker(below) {
        return Err(ApiError::BothLimit);
    }
    match side {
        Side::Buy if maker(above) => Err(ApiError::BuyLimitAbove),
        Side::Sell if maker(below) => Err(ApiError::SellLimitBelow),
        Side::Buy if loss(below) => Err(ApiError::BuyStopBelow),
        Side::Sell if loss(above) => Err(ApiError::SellStopAbove),
        Side::Buy if profit(above) => Err(ApiError::BuyProfitAbove),
        Side::Sell if profit(below) => Err(ApiError::SellProfitBelow),
        _ => Ok(()),
    }
}
