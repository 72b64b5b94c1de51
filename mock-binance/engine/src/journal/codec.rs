//! Facts as bytes: a tag, then numbers of variable length (seven bits a byte, signed ones folded onto unsigned).
//!
//! What follows from other numbers is not written: the quote amount of a trade is its price times its quantity.

use crate::command::{OrderType, Side, TimeInForce};
use crate::fact::{Accepted, Closing, Fact, ListOpened, Member, Request, Traded};
use crate::ids::{AccountId, AssetId, ClientOrderId, ListId, OrderId, SymbolId};
use crate::limits::{OrderCountHit, WindowLimit};
use crate::list::ListKind;
use crate::money::{Amount, Price, Quantity};
use crate::order::ExpiryReason;
use crate::rejection::Rejection;
use crate::spec::{Filter, SymbolStatus};
use crate::time::Timestamp;

pub(super) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

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

const SIDES: [Side; 2] = [Side::Buy, Side::Sell];
const ORDER_TYPES: [OrderType; 7] = [
    OrderType::Limit,
    OrderType::LimitMaker,
    OrderType::Market,
    OrderType::StopLoss,
    OrderType::StopLossLimit,
    OrderType::TakeProfit,
    OrderType::TakeProfitLimit,
];
const TIMES_IN_FORCE: [TimeInForce; 3] = [TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok];
const EXPIRIES: [ExpiryReason; 7] = [
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
const FILTERS: [Filter; 14] = [
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
];
/// The causes without particulars. `Filter` and `TooManyOrders` take the two places after these.
const CAUSES: [Rejection; 29] = [
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

pub(super) fn put_fact(out: &mut Vec<u8>, fact: &Fact) {
    match fact {
        Fact::AccountOpened { account, provider } => {
            out.push(ACCOUNT_OPENED);
            put_u64(out, account.0.into());
            put_u64(out, (*provider).into());
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
            out.push(if a.member.is_some() { ACCEPTED_IN_LIST } else { ACCEPTED });
            put_u64(out, a.order.0);
            put_u64(out, a.account.0.into());
            put_u64(out, a.symbol.0.into());
            put_one_of(out, &SIDES, &a.side);
            put_one_of(out, &ORDER_TYPES, &a.order_type);
            put_one_of(out, &TIMES_IN_FORCE, &a.time_in_force);
            put_i64(out, a.price.units());
            put_i64(out, a.quantity.units());
            put_i64(out, a.quote_order_qty.units());
            put_client(out, a.client_order_id.as_ref());
            if a.order_type.stop_goal().is_some() {
                put_i64(out, a.stop_price.units());
            }
            if let Some(Member { list, pending, twin_holds }) = a.member {
                put_u64(out, list.0.into());
                put_u64(out, u64::from(pending) << 1 | u64::from(twin_holds));
            }
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
            put_u64(out, order.0);
            put_i64(out, quantity.units());
            put_u64(out, (*twin_holds).into());
        }
        Fact::ListClosed { list } => {
            out.push(LIST_CLOSED);
            put_u64(out, list.0.into());
        }
        Fact::Amended { order, quantity, client_order_id } => {
            out.push(AMENDED);
            put_u64(out, order.0);
            put_i64(out, quantity.units());
            put_client(out, Some(client_order_id));
        }
        Fact::NotAttempted { account } => {
            out.push(NOT_ATTEMPTED);
            put_u64(out, account.0.into());
        }
        Fact::Triggered { order } => {
            out.push(TRIGGERED);
            put_u64(out, order.0);
        }
        Fact::Booked { order } => {
            out.push(BOOKED);
            put_u64(out, order.0);
        }
        Fact::Traded(t) => {
            out.push(TRADED);
            put_u64(out, t.maker.0);
            put_u64(out, t.taker.0);
            put_i64(out, t.price.units());
            put_i64(out, t.quantity.units());
            put_i64(out, t.maker_commission.units());
            put_i64(out, t.taker_commission.units());
        }
        Fact::Closed { order, closing: Closing::Canceled(by) } => {
            out.push(CANCELED);
            put_u64(out, order.0);
            put_client(out, by.as_ref());
        }
        Fact::Closed { order, closing: Closing::Expired(reason) } => {
            out.push(EXPIRED);
            put_u64(out, order.0);
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

fn put_transfer(out: &mut Vec<u8>, account: AccountId, asset: AssetId, amount: Amount) {
    put_u64(out, account.0.into());
    put_u64(out, asset.0.into());
    put_i64(out, amount.units());
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

/// Reads what the functions above wrote; `None` at anything else.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn i64(&mut self) -> Option<i64> {
        let folded = self.u64()?;
        Some((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }

    fn narrow<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.u64()?).ok()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let place: usize = self.narrow()?;
        all.get(place).copied()
    }

    fn account(&mut self) -> Option<AccountId> {
        self.narrow().map(AccountId)
    }

    fn asset(&mut self) -> Option<AssetId> {
        self.narrow().map(AssetId)
    }

    fn symbol(&mut self) -> Option<SymbolId> {
        self.narrow().map(SymbolId)
    }

    fn list(&mut self) -> Option<ListId> {
        self.narrow().map(ListId)
    }

    fn order(&mut self) -> Option<OrderId> {
        self.u64().map(OrderId)
    }

    fn price(&mut self) -> Option<Price> {
        self.i64().map(Price::from_units)
    }

    fn quantity(&mut self) -> Option<Quantity> {
        self.i64().map(Quantity::from_units)
    }

    fn amount(&mut self) -> Option<Amount> {
        self.i64().map(Amount::from_units)
    }

    fn time(&mut self) -> Option<Timestamp> {
        self.u64().map(Timestamp::from_micros)
    }

    #[expect(clippy::option_option, reason = "no name is one thing, no readable name another")]
    fn client(&mut self) -> Option<Option<ClientOrderId>> {
        let len: usize = self.narrow()?;
        let (text, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        if text.is_empty() {
            return Some(None);
        }
        std::str::from_utf8(text).ok()?.parse().ok().map(Some)
    }

    pub(super) fn fact(&mut self) -> Option<Fact> {
        Some(match self.byte()? {
            ACCOUNT_OPENED => Fact::AccountOpened { account: self.account()?, provider: self.u64()? != 0 },
            DEPOSITED => Fact::Deposited { account: self.account()?, asset: self.asset()?, amount: self.amount()? },
            WITHDRAWN => Fact::Withdrawn { account: self.account()?, asset: self.asset()?, amount: self.amount()? },
            ACCEPTED => self.accepted().map(Fact::Accepted)?,
            ACCEPTED_IN_LIST => {
                let accepted = self.accepted()?;
                let list = self.list()?;
                let flags = self.u64()?;
                let member = Member { list, pending: flags & 2 != 0, twin_holds: flags & 1 != 0 };
                Fact::Accepted(Accepted { member: Some(member), ..accepted })
            }
            LIST_OPENED => Fact::ListOpened(ListOpened {
                list: self.list()?,
                account: self.account()?,
                symbol: self.symbol()?,
                kind: self.one_of(&LIST_KINDS)?,
                client_id: self.client()??,
            }),
            RELEASED => {
                Fact::Released { order: self.order()?, quantity: self.quantity()?, twin_holds: self.u64()? != 0 }
            }
            LIST_CLOSED => Fact::ListClosed { list: self.list()? },
            AMENDED => {
                Fact::Amended { order: self.order()?, quantity: self.quantity()?, client_order_id: self.client()?? }
            }
            NOT_ATTEMPTED => Fact::NotAttempted { account: self.account()? },
            TRIGGERED => Fact::Triggered { order: self.order()? },
            BOOKED => Fact::Booked { order: self.order()? },
            TRADED => {
                let (maker, taker) = (self.order()?, self.order()?);
                let (price, quantity) = (self.price()?, self.quantity()?);
                Fact::Traded(Traded {
                    maker,
                    taker,
                    price,
                    quantity,
                    quote: price.times(quantity).ok()?,
                    maker_commission: self.amount()?,
                    taker_commission: self.amount()?,
                })
            }
            CANCELED => Fact::Closed { order: self.order()?, closing: Closing::Canceled(self.client()?) },
            EXPIRED => Fact::Closed { order: self.order()?, closing: Closing::Expired(self.one_of(&EXPIRIES)?) },
            REJECTED => Fact::Rejected { account: self.account()?, request: self.request()?, cause: self.cause()? },
            STATUS_CHANGED => {
                let (symbol, status) = (self.symbol()?, self.one_of(&STATUSES)?);
                let given = self.u64()? != 0;
                Fact::StatusChanged { symbol, status, until: Some(self.time()?).filter(|_| given) }
            }
            _ => return None,
        })
    }

    fn accepted(&mut self) -> Option<Accepted> {
        let mut accepted = Accepted {
            order: self.order()?,
            account: self.account()?,
            symbol: self.symbol()?,
            side: self.one_of(&SIDES)?,
            order_type: self.one_of(&ORDER_TYPES)?,
            time_in_force: self.one_of(&TIMES_IN_FORCE)?,
            price: self.price()?,
            stop_price: Price::ZERO,
            quantity: self.quantity()?,
            quote_order_qty: self.amount()?,
            client_order_id: self.client()?,
            member: None,
        };
        if accepted.order_type.stop_goal().is_some() {
            accepted.stop_price = self.price()?;
        }
        Some(accepted)
    }

    fn request(&mut self) -> Option<Request> {
        Some(match self.byte()? {
            0 => Request::Place {
                symbol: self.symbol()?,
                side: self.one_of(&SIDES)?,
                order_type: self.one_of(&ORDER_TYPES)?,
            },
            1 => Request::Cancel { symbol: self.symbol()? },
            2 => Request::CancelAll { symbol: self.symbol()? },
            3 => Request::Deposit { asset: self.asset()? },
            4 => Request::Withdraw { asset: self.asset()? },
            5 => Request::PlaceList { symbol: self.symbol()?, kind: self.one_of(&LIST_KINDS)? },
            6 => Request::CancelList { symbol: self.symbol()? },
            7 => Request::CancelReplace { symbol: self.symbol()? },
            8 => Request::Amend { symbol: self.symbol()? },
            _ => return None,
        })
    }

    fn cause(&mut self) -> Option<Rejection> {
        match self.u64()? {
            CAUSE_FILTER => self.one_of(&FILTERS).map(Rejection::Filter),
            CAUSE_TOO_MANY => {
                let limit = WindowLimit { window_secs: self.narrow()?, limit: self.narrow()? };
                Some(Rejection::TooManyOrders(OrderCountHit { limit, resets_at: self.time()? }))
            }
            plain => CAUSES.get(usize::try_from(plain).ok()?).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(fact: Fact) {
        let mut bytes = Vec::new();
        put_fact(&mut bytes, &fact);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.fact(), Some(fact));
        assert!(reader.rest().is_empty(), "{fact}");
        for cut in 0..bytes.len() {
            assert_eq!(Reader::new(&bytes[..cut]).fact(), None, "{fact} cut at {cut}");
        }
    }

    #[test]
    fn numbers_of_every_size_come_back() {
        for value in [0, 1, -1, 63, 64, -64, -65, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_i64(&mut bytes, value);
            put_u64(&mut bytes, value.cast_unsigned());
            let mut reader = Reader::new(&bytes);
            assert_eq!((reader.i64(), reader.u64()), (Some(value), Some(value.cast_unsigned())));
        }
    }

    #[test]
    fn every_fact_comes_back() {
        let (account, order, symbol) = (AccountId(300), OrderId(1 << 40), SymbolId(9));
        let amount = Amount::from_units(i64::MAX);
        let client: ClientOrderId = "a-client_id".parse().unwrap();
        for provider in [false, true] {
            round_trip(Fact::AccountOpened { account, provider });
        }
        round_trip(Fact::Deposited { account, asset: AssetId(1), amount });
        round_trip(Fact::Withdrawn { account, asset: AssetId(1), amount });
        round_trip(Fact::Booked { order });
        for client_order_id in [None, Some(client)] {
            for (side, order_type, time_in_force) in [
                (Side::Buy, OrderType::Limit, TimeInForce::Fok),
                (Side::Sell, OrderType::LimitMaker, TimeInForce::Gtc),
                (Side::Buy, OrderType::Market, TimeInForce::Ioc),
            ] {
                let member = Member { list: ListId(77), pending: side == Side::Buy, twin_holds: side == Side::Sell };
                round_trip(Fact::Accepted(Accepted {
                    order,
                    account,
                    symbol,
                    side,
                    order_type,
                    time_in_force,
                    price: Price::from_units(5),
                    stop_price: if order_type.stop_goal().is_some() { Price::from_units(8) } else { Price::ZERO },
                    quantity: Quantity::from_units(6),
                    quote_order_qty: amount,
                    client_order_id,
                    member: client_order_id.map(|_| member),
                }));
            }
            round_trip(Fact::Closed { order, closing: Closing::Canceled(client_order_id) });
        }
        round_trip(Fact::Triggered { order });
        for kind in LIST_KINDS {
            round_trip(Fact::ListOpened(ListOpened { list: ListId(9), account, symbol, kind, client_id: client }));
            round_trip(Fact::Rejected {
                account,
                request: Request::PlaceList { symbol, kind },
                cause: Rejection::ListPrices,
            });
        }
        for twin_holds in [false, true] {
            round_trip(Fact::Released { order, quantity: Quantity::from_units(70), twin_holds });
        }
        round_trip(Fact::ListClosed { list: ListId(u32::MAX) });
        round_trip(Fact::Amended { order, quantity: Quantity::from_units(3), client_order_id: client });
        round_trip(Fact::NotAttempted { account });
        round_trip(Fact::Traded(Traded {
            maker: OrderId(1),
            taker: order,
            price: "3.5".parse().unwrap(),
            quantity: "2".parse().unwrap(),
            quote: "7".parse().unwrap(),
            maker_commission: Amount::from_units(1),
            taker_commission: Amount::from_units(2),
        }));
        for reason in EXPIRIES {
            round_trip(Fact::Closed { order, closing: Closing::Expired(reason) });
        }
        let hit = OrderCountHit { limit: WindowLimit { window_secs: 10, limit: 5 }, resets_at: Timestamp::MAX };
        let particular = FILTERS.map(Rejection::Filter).into_iter().chain([Rejection::TooManyOrders(hit)]);
        for cause in CAUSES.into_iter().chain(particular) {
            round_trip(Fact::Rejected { account, request: Request::CancelAll { symbol }, cause });
        }
        let cause = Rejection::Overflow;
        for request in [
            Request::Place { symbol, side: Side::Sell, order_type: OrderType::Market },
            Request::Cancel { symbol },
            Request::CancelList { symbol },
            Request::CancelReplace { symbol },
            Request::Amend { symbol },
            Request::Deposit { asset: AssetId(7) },
            Request::Withdraw { asset: AssetId(7) },
        ] {
            round_trip(Fact::Rejected { account, request, cause });
        }
        for status in STATUSES {
            for until in [None, Some(Timestamp::from_secs(7))] {
                round_trip(Fact::StatusChanged { symbol, status, until });
            }
        }
    }
}
