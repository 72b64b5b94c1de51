//! What an account may ask for.

use crate::ids::{AssetId, ClientOrderId, OrderId, SymbolId};
use crate::money::{Amount, Price, Quantity};

/// One request of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Place an order.
    Place(NewOrder),
    /// Cancel one open order.
    Cancel(CancelOrder),
    /// Cancel every open order of the account on a symbol.
    CancelAll {
        /// The symbol.
        symbol: SymbolId,
    },
    /// Bring money in.
    Deposit {
        /// Of which asset.
        asset: AssetId,
        /// How much.
        amount: Amount,
    },
    /// Take free money out.
    Withdraw {
        /// Of which asset.
        asset: AssetId,
        /// How much.
        amount: Amount,
    },
}

/// An order as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder {
    /// Where.
    pub symbol: SymbolId,
    /// Buy or sell.
    pub side: Side,
    /// The type with what belongs to it.
    pub kind: OrderKind,
    /// The client's name for it; generated when absent.
    pub client_order_id: Option<ClientOrderId>,
}

/// The order types, each with the parameters it needs and no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKind {
    /// LIMIT.
    Limit {
        /// What becomes of the part that does not trade at once.
        time_in_force: TimeInForce,
        /// How much.
        quantity: Quantity,
        /// At this price or a better one.
        price: Price,
    },
    /// `LIMIT_MAKER`: refused if any of it would trade at once.
    LimitMaker {
        /// How much.
        quantity: Quantity,
        /// At this price.
        price: Price,
    },
    /// MARKET: whatever the book gives now.
    Market {
        /// How much, in one asset or the other.
        size: MarketSize,
    },
}

impl OrderKind {
    /// The bare type.
    pub const fn order_type(&self) -> OrderType {
        match self {
            Self::Limit { .. } => OrderType::Limit,
            Self::LimitMaker { .. } => OrderType::LimitMaker,
            Self::Market { .. } => OrderType::Market,
        }
    }
}

/// The size of a MARKET order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarketSize {
    /// `quantity`: so much of the base asset.
    Base(Quantity),
    /// `quoteOrderQty`: spend (BUY) or receive (SELL) up to so much of the quote asset.
    Quote(Amount),
}

/// The bare type of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderType {
    /// LIMIT.
    Limit,
    /// `LIMIT_MAKER`.
    LimitMaker,
    /// MARKET.
    Market,
}

impl OrderType {
    /// As the exchange writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "LIMIT",
            Self::LimitMaker => "LIMIT_MAKER",
            Self::Market => "MARKET",
        }
    }
}

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Receives base, pays quote.
    Buy,
    /// Pays base, receives quote.
    Sell,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// As the exchange writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }
}

/// What becomes of the part of a LIMIT order that does not trade at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeInForce {
    /// It rests in the book until cancelled.
    Gtc,
    /// It expires.
    Ioc,
    /// Either all of it trades at once, or all of it expires.
    Fok,
}

impl TimeInForce {
    /// As the exchange writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
        }
    }
}

/// Which order to cancel, and when not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelOrder {
    /// Where.
    pub symbol: SymbolId,
    /// Which order.
    pub target: OrderRef,
    /// The client's name for this cancel; generated when absent.
    pub cancel_id: Option<ClientOrderId>,
    /// `cancelRestrictions`.
    pub restriction: Option<CancelRestriction>,
}

/// An order named by one id, or by both, which must then agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderRef {
    /// By the exchange's id.
    Id(OrderId),
    /// By the client's id: the latest order of that name.
    Client(ClientOrderId),
    /// By the exchange's id; the client's must be that order's.
    Both(OrderId, ClientOrderId),
}

/// The state in which an order must be for a cancel to go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelRestriction {
    /// `ONLY_NEW`.
    OnlyNew,
    /// `ONLY_PARTIALLY_FILLED`.
    OnlyPartiallyFilled,
}
