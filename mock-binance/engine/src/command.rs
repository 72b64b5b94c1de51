//! What an account may ask for.

use crate::ids::{AssetId, ClientOrderId, OrderId, SymbolId};
use crate::list::{CancelList, NewOrderList};
use crate::money::{Amount, Price, Quantity};

/// One request of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Place an order.
    Place(NewOrder),
    /// Cancel one open order.
    Cancel(CancelOrder),
    /// Place an order list.
    PlaceList(Box<NewOrderList>),
    /// Cancel every open order of a list.
    CancelList(CancelList),
    /// Cancel one order, and place another.
    CancelReplace(Box<CancelReplace>),
    /// Make an open order smaller, without losing its place in the queue.
    Amend(AmendOrder),
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

impl Command {
    /// The symbol whose market it touches.
    pub const fn symbol(&self) -> Option<SymbolId> {
        match self {
            Self::Place(order) => Some(order.symbol),
            Self::Cancel(request) => Some(request.symbol),
            Self::PlaceList(list) => Some(list.symbol),
            Self::CancelList(request) => Some(request.symbol),
            Self::CancelReplace(request) => Some(request.order.symbol),
            Self::Amend(request) => Some(request.symbol),
            Self::CancelAll { symbol } => Some(*symbol),
            Self::Deposit { .. } | Self::Withdraw { .. } => None,
        }
    }
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
    /// What else is asked for.
    pub instructions: Instructions,
}

/// What may be asked for with an order of several types; nothing when nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Instructions {
    /// `selfTradePreventionMode`; the symbol's own when absent.
    pub prevention: Option<PreventionMode>,
    /// `icebergQty`: only so much of it is shown in the book at a time.
    pub iceberg: Option<Quantity>,
    /// `trailingDelta` of a stop order, in hundredths of a percent: once its stop price is reached, or at once when that
    /// is zero, it follows the last price away from its trigger, and is triggered when the price comes back so far.
    pub trailing_delta: Option<u16>,
}

/// What happens when an order would trade with another of the same account. The mode of the order that comes in decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PreventionMode {
    /// They trade.
    #[default]
    None,
    /// The order that comes in expires.
    ExpireTaker,
    /// The order that rests expires.
    ExpireMaker,
    /// Both expire.
    ExpireBoth,
    /// Both become smaller by what would have traded; the smaller one expires.
    Decrement,
    /// Between accounts of one group the balances would move; within an account it is the same as `DECREMENT`.
    Transfer,
}

impl PreventionMode {
    /// Every mode.
    pub const ALL: [Self; 6] =
        [Self::None, Self::ExpireTaker, Self::ExpireMaker, Self::ExpireBoth, Self::Decrement, Self::Transfer];

    /// As the exchange writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::ExpireTaker => "EXPIRE_TAKER",
            Self::ExpireMaker => "EXPIRE_MAKER",
            Self::ExpireBoth => "EXPIRE_BOTH",
            Self::Decrement => "DECREMENT",
            Self::Transfer => "TRANSFER",
        }
    }
}

impl NewOrder {
    /// An order without a name or instructions.
    pub const fn new(symbol: SymbolId, side: Side, kind: OrderKind) -> Self {
        let instructions = Instructions { prevention: None, iceberg: None, trailing_delta: None };
        Self { symbol, side, kind, client_order_id: None, instructions }
    }

    /// Whether it is a `STOP_LOSS` or `STOP_LOSS_LIMIT` order.
    pub(crate) const fn is_stop_loss(&self) -> bool {
        matches!(self.kind, OrderKind::Stop { goal: StopGoal::Loss, .. })
    }
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
    /// `STOP_LOSS`, `TAKE_PROFIT` and their LIMIT kinds: waits until the last price reaches a price, and only then is
    /// placed.
    Stop {
        /// What it is for, which tells from where the last price has to come.
        goal: StopGoal,
        /// The price that the last price has to reach. Zero with a trailing delta: it follows the price at once.
        stop_price: Price,
        /// How much.
        quantity: Quantity,
        /// It becomes a LIMIT order with these terms, and a MARKET order without.
        limit: Option<LimitTerms>,
    },
}

/// What a stop order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopGoal {
    /// A BUY waits for the price to rise, a SELL for it to fall.
    Loss,
    /// A BUY waits for the price to fall, a SELL for it to rise.
    Profit,
}

/// What a stop order needs to become a LIMIT order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitTerms {
    /// What becomes of the part that does not trade at once.
    pub time_in_force: TimeInForce,
    /// At this price or a better one.
    pub price: Price,
}

impl OrderKind {
    /// The bare type.
    pub const fn order_type(&self) -> OrderType {
        match self {
            Self::Limit { .. } => OrderType::Limit,
            Self::LimitMaker { .. } => OrderType::LimitMaker,
            Self::Market { .. } => OrderType::Market,
            Self::Stop { goal: StopGoal::Loss, limit: None, .. } => OrderType::StopLoss,
            Self::Stop { goal: StopGoal::Loss, limit: Some(_), .. } => OrderType::StopLossLimit,
            Self::Stop { goal: StopGoal::Profit, limit: None, .. } => OrderType::TakeProfit,
            Self::Stop { goal: StopGoal::Profit, limit: Some(_), .. } => OrderType::TakeProfitLimit,
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
    /// `STOP_LOSS`.
    StopLoss,
    /// `STOP_LOSS_LIMIT`.
    StopLossLimit,
    /// `TAKE_PROFIT`.
    TakeProfit,
    /// `TAKE_PROFIT_LIMIT`.
    TakeProfitLimit,
}

impl OrderType {
    /// As the exchange writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "LIMIT",
            Self::LimitMaker => "LIMIT_MAKER",
            Self::Market => "MARKET",
            Self::StopLoss => "STOP_LOSS",
            Self::StopLossLimit => "STOP_LOSS_LIMIT",
            Self::TakeProfit => "TAKE_PROFIT",
            Self::TakeProfitLimit => "TAKE_PROFIT_LIMIT",
        }
    }

    /// What it waits for, if it waits.
    pub const fn stop_goal(self) -> Option<StopGoal> {
        match self {
            Self::StopLoss | Self::StopLossLimit => Some(StopGoal::Loss),
            Self::TakeProfit | Self::TakeProfitLimit => Some(StopGoal::Profit),
            Self::Limit | Self::LimitMaker | Self::Market => None,
        }
    }

    /// Whether it has no limit price.
    pub const fn takes_any_price(self) -> bool {
        matches!(self, Self::Market | Self::StopLoss | Self::TakeProfit)
    }
}

impl StopGoal {
    /// Whether the last price has to rise to the stop price; it has to fall to it otherwise.
    pub const fn waits_for_rise(self, side: Side) -> bool {
        matches!((self, side), (Self::Loss, Side::Buy) | (Self::Profit, Side::Sell))
    }

    /// Whether the last price has reached the stop price.
    pub(crate) fn is_reached(self, side: Side, stop_price: Price, last: Price) -> bool {
        if self.waits_for_rise(side) { last >= stop_price } else { last <= stop_price }
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

/// Cancels one order and places another (`order/cancelReplace`). The rules of the new order and the order counts are
/// looked at before either is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelReplace {
    /// What to cancel, on the new order's symbol.
    pub cancel: CancelOrder,
    /// What to place.
    pub order: NewOrder,
    /// `STOP_ON_FAILURE`: the new order is not attempted when the cancel fails. Otherwise `ALLOW_FAILURE`.
    pub stop_on_failure: bool,
    /// `CANCEL_ONLY`: with the order counts used up, the cancel is done all the same. Otherwise `DO_NOTHING`.
    pub cancel_when_limited: bool,
}

/// Makes an order smaller (`order/amend/keepPriority`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmendOrder {
    /// Where.
    pub symbol: SymbolId,
    /// Which order.
    pub target: OrderRef,
    /// `newQty`: the whole quantity of the order from now on, what has traded included.
    pub quantity: Quantity,
    /// The client's new name for the order; generated when absent.
    pub client_order_id: Option<ClientOrderId>,
}
