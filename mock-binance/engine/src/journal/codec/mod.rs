//! Facts as bytes: a tag, then numbers of variable length.
//!
//! What follows from other numbers is not written: the quote amount of a trade is its price times its quantity, and
//! an order's id is mostly that of the order before and one.

mod context;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use context::Context;

use crate::command::{OrderType, PreventionMode, Side, TimeInForce};
use crate::fact::{Accepted, AccountKind, Closing, Fact, ListOpened, Member, Prevented, Request, Traded};
use crate::ids::{AccountId, AssetId, ClientOrderId, ListId, OrderId, SymbolId};
use crate::limits::{OrderCountHit, WindowLimit};
use crate::list::ListKind;
use crate::money::{Amount, Price, Quantity};
use crate::order::ExpiryReason;
use crate::packing::{Terms, digit, put_delta, put_u64, put_units};
use crate::rejection::Rejection;
use crate::spec::{Filter, SymbolStatus};
use crate::time::Timestamp;

fn put_client(out: &mut Vec<u8>, id: Option<&ClientOrderId>) {
    let text = id.map_or("", ClientOrderId::as_str);
    put_u64(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// The place of a value in the list of all values of its kind.
fn put_one_of<T: PartialEq>(out: &mut Vec<u8>, all: &[T], value: &T) {
    let place = all.iter().position(|one| one == value).unwrap_or(all.len());
    put_u64(out, place as u64);
}

pub(crate) const SIDES: [Side; 2] = [Side::Buy, Side::Sell];
pub(crate) const ORDER_TYPES: [OrderType; 7] = [
    OrderType::Limit,
    OrderType::LimitMaker,
    OrderType::Market,
    OrderType::StopLoss,
    OrderType::StopLossLimit,
    OrderType::TakeProfit,
    OrderType::TakeProfitLimit,
];
pub(crate) const TIMES_IN_FORCE: [TimeInForce; 3] = [TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok];
pub(crate) const EXPIRIES: [ExpiryReason; 7] = [
    ExpiryReason::UnfilledIoc,
    ExpiryReason::UnfilledFok,
    ExpiryReason::InsufficientLiquidity,
    ExpiryReason::Rejected,
    ExpiryReason::OcoTrigger,
    ExpiryReason::OtoPhaseOneExpired,
    ExpiryReason::None,
];
const LIST_KINDS: [ListKind; 5] = [ListKind::Oco, ListKind::Oto, ListKind::Otoco, ListKind::Opo, ListKind::Opoco];
const STATUSES: [SymbolStatus; 5] =
    [SymbolStatus::Trading, SymbolStatus::EndOfDay, SymbolStatus::Halt, SymbolStatus::Break, SymbolStatus::CancelOnly];
const FILTERS: [Filter; 20] = [
    Filter::Price,
    Filter::PercentPriceBySide,
    Filter::LotSize,
    Filter::MarketLotSize,
    Filter::Notional,
    Filter::MaxNumOrders,
    Filter::PercentPrice,
    Filter::MinNotional,
    Filter::MaxPosition,
    Filter::ExchangeMaxNumOrders,
    Filter::MaxAsset,
    Filter::MaxNumOrderLists,
    Filter::ExchangeMaxNumOrderLists,
    Filter::MaxNumOrderAmends,
    Filter::MaxNumAlgoOrders,
    Filter::ExchangeMaxNumAlgoOrders,
    Filter::MaxNumIcebergOrders,
    Filter::ExchangeMaxNumIcebergOrders,
    Filter::IcebergParts,
    Filter::TrailingDelta,
];
/// The causes without particulars. `Filter` and `TooManyOrders` take the two places after these.
const CAUSES: [Rejection; 34] = [
    Rejection::UnknownAccount,
    Rejection::UnknownAsset,
    Rejection::UnknownSymbol,
    Rejection::MarketClosed,
    Rejection::OrderTypeNotAllowed,
    Rejection::QuoteOrderQtyNotAllowed,
    Rejection::InvalidQuantity,
    Rejection::InvalidPrice,
    Rejection::DuplicateOrder,
    Rejection::WouldTake,
    Rejection::NoLiquidity,
    Rejection::LiquidityBelowLot,
    Rejection::InsufficientBalance,
    Rejection::UnknownOrder,
    Rejection::ClientOrderIdMismatch,
    Rejection::CancelRestricted,
    Rejection::Overflow,
    Rejection::WouldTrigger,
    Rejection::OcoNotAllowed,
    Rejection::OtoNotAllowed,
    Rejection::OpoNotAllowed,
    Rejection::CancelReplaceNotAllowed,
    Rejection::AmendNotAllowed,
    Rejection::ListNotSupported,
    Rejection::DuplicateList,
    Rejection::ListPrices,
    Rejection::UnknownList,
    Rejection::AmendIncrease,
    Rejection::AmendNothing,
    Rejection::IcebergNotAllowed,
    Rejection::TrailingNotAllowed,
    Rejection::PreventionNotAllowed,
    Rejection::Unsupported,
    Rejection::IcebergTooLarge,
];
const CAUSE_FILTER: u64 = CAUSES.len() as u64;
const CAUSE_TOO_MANY: u64 = CAUSE_FILTER + 1;

const ACCOUNT_OPENED: u8 = 0;
const DEPOSITED: u8 = 1;
const WITHDRAWN: u8 = 2;
const ACCEPTED: u8 = 3;
const BOOKED: u8 = 4;
const TRADED: u8 = 5;
const CANCELED: u8 = 6;
const EXPIRED: u8 = 7;
const REJECTED: u8 = 8;
const STATUS_CHANGED: u8 = 9;
const TRIGGERED: u8 = 10;
const LIST_OPENED: u8 = 11;
const RELEASED: u8 = 12;
const LIST_CLOSED: u8 = 13;
const AMENDED: u8 = 14;
const NOT_ATTEMPTED: u8 = 15;
/// As `ACCEPTED`, of an order in a list.
const ACCEPTED_IN_LIST: u8 = 16;
const PREVENTED: u8 = 17;
/// As `ACCEPTED`, of the next id, account, symbol and flags as those of the order before.
const ACCEPTED_ALIKE: u8 = 18;
/// As `BOOKED`, of the order that was accepted last.
const BOOKED_NEWEST: u8 = 19;
/// As `TRADED`, the order that was accepted last being the taker.
const TRADED_BY_NEWEST: u8 = 20;
/// As `CANCELED`, without a name.
const CANCELED_PLAIN: u8 = 21;

/// Set in the tag of a fact that is followed by a time.
pub(super) const LATER: u8 = 1 << 7;

const NAMED: u64 = 1;
const BY_QUOTE: u64 = 1 << 1;
const ICEBERG: u64 = 1 << 2;
const TRAILS: u64 = 1 << 3;
/// The place of the mode of prevention starts here.
const MODE_SHIFT: u32 = 4;

/// Writes a fact, relative to those before it.
pub(super) fn put_fact(out: &mut Vec<u8>, fact: &Fact, context: &Context) {
    let put_order = |out: &mut Vec<u8>, order: OrderId| put_delta(out, context.newest.0, order.0);
    match fact {
        Fact::AccountOpened { account, kind } => {
            out.push(ACCOUNT_OPENED);
            put_u64(out, account.0.into());
            put_one_of(out, &AccountKind::ALL, kind);
        }
        Fact::Deposited { account, asset, amount } => {
            out.push(DEPOSITED);
            put_transfer(out, *account, *asset, *amount);
        }
        Fact::Withdrawn { account, asset, amount } => {
            out.push(WITHDRAWN);
            put_transfer(out, *account, *asset, *amount);
        }
        Fact::Accepted(a) => {
            let flags = accepted_flags(a);
            let alike = (a.order, a.account, a.symbol, flags)
                == (context.next(), context.account, context.symbol, context.flags);
            if alike && a.member.is_none() {
                out.push(ACCEPTED_ALIKE);
            } else {
                out.push(if a.member.is_some() { ACCEPTED_IN_LIST } else { ACCEPTED });
                put_order(out, a.order);
                put_u64(out, a.account.0.into());
                put_u64(out, a.symbol.0.into());
                put_u64(out, flags);
            }
            put_accepted(out, a);
            if let Some(Member { list, pending, twin_holds }) = a.member {
                put_u64(out, list.0.into());
                put_u64(out, u64::from(pending) << 1 | u64::from(twin_holds));
            }
        }
        Fact::Prevented(p) => {
            out.push(PREVENTED);
            put_order(out, p.maker);
            put_order(out, p.taker);
            put_one_of(out, &PreventionMode::ALL, &p.mode);
            put_units(out, p.price.units());
            put_units(out, p.maker_quantity.units());
            put_units(out, p.taker_quantity.units());
        }
        Fact::ListOpened(ListOpened { list, account, symbol, kind, client_id }) => {
            out.push(LIST_OPENED);
            put_u64(out, list.0.into());
            put_u64(out, account.0.into());
            put_u64(out, symbol.0.into());
            put_one_of(out, &LIST_KINDS, kind);
            put_client(out, Some(client_id));
        }
        Fact::Released { order, quantity, twin_holds } => {
            out.push(RELEASED);
            put_order(out, *order);
            put_units(out, quantity.units());
            put_u64(out, (*twin_holds).into());
        }
        Fact::ListClosed { list } => {
            out.push(LIST_CLOSED);
            put_u64(out, list.0.into());
        }
        Fact::Amended { order, quantity, client_order_id } => {
            out.push(AMENDED);
            put_order(out, *order);
            put_units(out, quantity.units());
            put_client(out, Some(client_order_id));
        }
        Fact::NotAttempted { account } => {
            out.push(NOT_ATTEMPTED);
            put_u64(out, account.0.into());
        }
        Fact::Triggered { order } => {
            out.push(TRIGGERED);
            put_order(out, *order);
        }
        Fact::Booked { order } if *order == context.newest => out.push(BOOKED_NEWEST),
        Fact::Booked { order } => {
            out.push(BOOKED);
            put_order(out, *order);
        }
        Fact::Traded(t) => {
            let is_newest = t.taker == context.newest;
            out.push(if is_newest { TRADED_BY_NEWEST } else { TRADED });
            put_order(out, t.maker);
            if !is_newest {
                put_order(out, t.taker);
            }
            let terms = Terms {
                price: t.price,
                quantity: t.quantity,
                maker_commission: t.maker_commission,
                taker_commission: t.taker_commission,
                maker_discounted: t.maker_discounted,
                taker_discounted: t.taker_discounted,
            };
            terms.put(out, context.price);
        }
        Fact::Closed { order, closing: Closing::Canceled(None) } => {
            out.push(CANCELED_PLAIN);
            put_order(out, *order);
        }
        Fact::Closed { order, closing: Closing::Canceled(by) } => {
            out.push(CANCELED);
            put_order(out, *order);
            put_client(out, by.as_ref());
        }
        Fact::Closed { order, closing: Closing::Expired(reason) } => {
            out.push(EXPIRED);
            put_order(out, *order);
            put_one_of(out, &EXPIRIES, reason);
        }
        Fact::Rejected { account, request, cause } => {
            out.push(REJECTED);
            put_u64(out, account.0.into());
            put_request(out, *request);
            put_cause(out, cause);
        }
        Fact::StatusChanged { symbol, status, until } => {
            out.push(STATUS_CHANGED);
            put_u64(out, symbol.0.into());
            put_one_of(out, &STATUSES, status);
            put_u64(out, until.is_some().into());
            put_u64(out, until.unwrap_or_default().as_micros());
        }
    }
}

/// What an order has besides a price and a quantity, and its mode of prevention.
fn accepted_flags(a: &Accepted) -> u64 {
    let has = [
        (a.client_order_id.is_some(), NAMED),
        (!a.quote_order_qty.is_zero(), BY_QUOTE),
        (a.iceberg.is_some(), ICEBERG),
        (a.trailing_delta.is_some(), TRAILS),
    ];
    let flags = has.iter().filter(|(is_so, _)| *is_so).fold(0, |flags, (_, flag)| flags | flag);
    flags | digit(0, &PreventionMode::ALL, &a.prevention) << MODE_SHIFT
}

/// What an order is, after its flags.
fn put_accepted(out: &mut Vec<u8>, a: &Accepted) {
    let kind = digit(digit(0, &ORDER_TYPES, &a.order_type), &TIMES_IN_FORCE, &a.time_in_force);
    put_u64(out, digit(kind, &SIDES, &a.side));
    put_units(out, a.price.units());
    put_units(out, a.quantity.units());
    if !a.quote_order_qty.is_zero() {
        put_units(out, a.quote_order_qty.units());
    }
    if a.client_order_id.is_some() {
        put_client(out, a.client_order_id.as_ref());
    }
    if a.order_type.stop_goal().is_some() {
        put_units(out, a.stop_price.units());
    }
    if let Some(iceberg) = a.iceberg {
        put_units(out, iceberg.units());
    }
    if let Some(delta) = a.trailing_delta {
        put_u64(out, delta.into());
    }
}

fn put_transfer(out: &mut Vec<u8>, account: AccountId, asset: AssetId, amount: Amount) {
    put_u64(out, account.0.into());
    put_u64(out, asset.0.into());
    put_units(out, amount.units());
}

fn put_request(out: &mut Vec<u8>, request: Request) {
    match request {
        Request::Place { symbol, side, order_type } => {
            out.push(0);
            put_u64(out, symbol.0.into());
            put_one_of(out, &SIDES, &side);
            put_one_of(out, &ORDER_TYPES, &order_type);
        }
        Request::Cancel { symbol } => {
            out.push(1);
            put_u64(out, symbol.0.into());
        }
        Request::CancelAll { symbol } => {
            out.push(2);
            put_u64(out, symbol.0.into());
        }
        Request::PlaceList { symbol, kind } => {
            out.push(5);
            put_u64(out, symbol.0.into());
            put_one_of(out, &LIST_KINDS, &kind);
        }
        Request::CancelList { symbol } => {
            out.push(6);
            put_u64(out, symbol.0.into());
        }
        Request::CancelReplace { symbol } => {
            out.push(7);
            put_u64(out, symbol.0.into());
        }
        Request::Amend { symbol } => {
            out.push(8);
            put_u64(out, symbol.0.into());
        }
        Request::Deposit { asset } => {
            out.push(3);
            put_u64(out, asset.0.into());
        }
        Request::Withdraw { asset } => {
            out.push(4);
            put_u64(out, asset.0.into());
        }
    }
}

fn put_cause(out: &mut Vec<u8>, cause: &Rejection) {
    match cause {
        Rejection::Filter(filter) => {
            put_u64(out, CAUSE_FILTER);
            put_one_of(out, &FILTERS, filter);
        }
        Rejection::TooManyOrders(hit) => {
            put_u64(out, CAUSE_TOO_MANY);
            put_u64(out, hit.limit.window_secs.into());
            put_u64(out, hit.limit.limit.into());
            put_u64(out, hit.resets_at.as_micros());
        }
        plain => put_one_of(out, &CAUSES, plain),
    }
}
