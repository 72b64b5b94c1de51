//! Bytes back to facts.

use super::{
    ACCEPTED, ACCEPTED_ALIKE, ACCEPTED_IN_LIST, ACCOUNT_OPENED, AMENDED, Accepted, AccountId, AccountKind, Amount,
    AssetId, BOOKED, BOOKED_NEWEST, BY_QUOTE, CANCELED, CANCELED_PLAIN, CAUSE_FILTER, CAUSE_TOO_MANY, CAUSES,
    ClientOrderId, Closing, Context, DEPOSITED, EXPIRED, EXPIRIES, FILTERS, Fact, ICEBERG, LATER, LIST_CLOSED,
    LIST_KINDS, LIST_OPENED, ListId, ListOpened, MODE_SHIFT, Member, NAMED, NOT_ATTEMPTED, ORDER_TYPES, OrderCountHit,
    OrderId, PREVENTED, Prevented, PreventionMode, Price, Quantity, REJECTED, RELEASED, Rejection, Request, SIDES,
    STATUS_CHANGED, STATUSES, SymbolId, TIMES_IN_FORCE, TRADED, TRADED_BY_NEWEST, TRAILS, TRIGGERED, Timestamp, Traded,
    WITHDRAWN, WindowLimit,
};
use crate::packing::{Reader, Terms, of_digit};

impl Reader<'_> {
    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let place: usize = self.narrow()?;
        all.get(place).copied()
    }

    pub(crate) fn account(&mut self) -> Option<AccountId> {
        self.narrow().map(AccountId)
    }

    fn asset(&mut self) -> Option<AssetId> {
        self.narrow().map(AssetId)
    }

    pub(crate) fn symbol(&mut self) -> Option<SymbolId> {
        self.narrow().map(SymbolId)
    }

    pub(crate) fn list(&mut self) -> Option<ListId> {
        self.narrow().map(ListId)
    }

    fn order(&mut self) -> Option<OrderId> {
        self.delta(self.context.newest.0).map(OrderId)
    }

    pub(crate) fn price(&mut self) -> Option<Price> {
        self.units().map(Price::from_units)
    }

    pub(crate) fn quantity(&mut self) -> Option<Quantity> {
        self.units().map(Quantity::from_units)
    }

    pub(crate) fn amount(&mut self) -> Option<Amount> {
        self.units().map(Amount::from_units)
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

    fn traded(&mut self, by_newest: bool) -> Option<Traded> {
        let maker = self.order()?;
        let taker = if by_newest { self.context.newest } else { self.order()? };
        let before = self.context.price;
        let (terms, quote) = Terms::read(self, before)?;
        Some(Traded {
            maker,
            taker,
            price: terms.price,
            quantity: terms.quantity,
            quote,
            maker_commission: terms.maker_commission,
            taker_commission: terms.taker_commission,
            maker_discounted: terms.maker_discounted,
            taker_discounted: terms.taker_discounted,
        })
    }

    pub(crate) fn fact(&mut self) -> Option<Fact> {
        Some(match self.byte()? & !LATER {
            ACCOUNT_OPENED => Fact::AccountOpened { account: self.account()?, kind: self.one_of(&AccountKind::ALL)? },
            DEPOSITED => Fact::Deposited { account: self.account()?, asset: self.asset()?, amount: self.amount()? },
            WITHDRAWN => Fact::Withdrawn { account: self.account()?, asset: self.asset()?, amount: self.amount()? },
            ACCEPTED => self.accepted_in_full().map(Fact::Accepted)?,
            ACCEPTED_IN_LIST => {
                let accepted = self.accepted_in_full()?;
                let list = self.list()?;
                let flags = self.u64()?;
                let member = Member { list, pending: flags & 2 != 0, twin_holds: flags & 1 != 0 };
                Fact::Accepted(Accepted { member: Some(member), ..accepted })
            }
            PREVENTED => Fact::Prevented(Prevented {
                maker: self.order()?,
                taker: self.order()?,
                mode: self.one_of(&PreventionMode::ALL)?,
                price: self.price()?,
                maker_quantity: self.quantity()?,
                taker_quantity: self.quantity()?,
            }),
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
            TRADED => self.traded(false).map(Fact::Traded)?,
            TRADED_BY_NEWEST => self.traded(true).map(Fact::Traded)?,
            CANCELED_PLAIN => Fact::Closed { order: self.order()?, closing: Closing::Canceled(None) },
            BOOKED_NEWEST => Fact::Booked { order: self.context.newest },
            ACCEPTED_ALIKE => {
                let Context { account, symbol, flags, .. } = self.context;
                let order = self.context.next();
                self.accepted(order, account, symbol, flags).map(Fact::Accepted)?
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

    fn accepted_in_full(&mut self) -> Option<Accepted> {
        let (order, account, symbol) = (self.order()?, self.account()?, self.symbol()?);
        let flags = self.u64()?;
        self.accepted(order, account, symbol, flags)
    }

    fn accepted(&mut self, order: OrderId, account: AccountId, symbol: SymbolId, flags: u64) -> Option<Accepted> {
        let mut kind = self.u64()?;
        let side = of_digit(&mut kind, &SIDES)?;
        let time_in_force = of_digit(&mut kind, &TIMES_IN_FORCE)?;
        let order_type = of_digit(&mut kind, &ORDER_TYPES)?;
        let has = |flag| flags & flag != 0;
        Some(Accepted {
            order,
            account,
            symbol,
            side,
            order_type,
            time_in_force,
            price: self.price()?,
            quantity: self.quantity()?,
            quote_order_qty: if has(BY_QUOTE) { self.amount()? } else { Amount::ZERO },
            client_order_id: if has(NAMED) { Some(self.client()??) } else { None },
            stop_price: if order_type.stop_goal().is_some() { self.price()? } else { Price::ZERO },
            member: None,
            prevention: *PreventionMode::ALL.get(usize::try_from(flags >> MODE_SHIFT).ok()?)?,
            iceberg: if has(ICEBERG) { Some(self.quantity()?) } else { None },
            trailing_delta: if has(TRAILS) { Some(self.narrow()?) } else { None },
        })
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
