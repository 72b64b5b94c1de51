//! Orders and trades as readers see them.

use crate::command::{OrderType, PreventionMode, Side, TimeInForce};
use crate::ids::{AccountId, AssetId, ClientOrderId, ListId, OrderId, SymbolId, TradeId};
use crate::money::{Amount, Price, Quantity};
use crate::time::Timestamp;

/// An order at one moment. One that waits for a price is `New` before and after it is placed; `working_time` tells.
///
/// ```text
///            +--> Filled
/// New --+--> PartiallyFilled --+--> Filled
///       |                      +--> Canceled
///       +--> Canceled          +--> Expired
///       +--> Expired
/// PendingNew --> New, Canceled or Expired
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub symbol: SymbolId,
    /// Buy or sell.
    pub side: Side,
    /// Its type.
    pub order_type: OrderType,
    /// GTC for types that have none.
    pub time_in_force: TimeInForce,
    /// Zero for types without a limit.
    pub price: Price,
    /// The price that the last price has to reach, of types that wait for one.
    pub stop_price: Option<Price>,
    /// The quantity asked for. For a MARKET order by quote amount: what the amount would buy or sell, counting the
    /// part beyond the end of the book at the last price reached.
    pub quantity: Quantity,
    /// `origQuoteOrderQty`: zero unless MARKET by quote amount.
    pub quote_order_qty: Amount,
    /// How much has traded.
    pub executed: Quantity,
    /// What the trades came to in the quote asset.
    pub cumulative_quote: Amount,
    /// How much was taken off it to prevent a trade with the same account.
    pub prevented: Quantity,
    /// The last time that was so, by its id within the symbol.
    pub prevented_match: Option<u64>,
    /// What happens when it would trade with the same account.
    pub prevention: PreventionMode,
    /// How much of it is shown at a time, of an iceberg order.
    pub iceberg: Option<Quantity>,
    /// How far the price has to come back, of a trailing stop order.
    pub trailing_delta: Option<u16>,
    /// Since when it follows the price.
    pub trailing_time: Option<Timestamp>,
    /// Where it stands.
    pub status: OrderStatus,
    /// Why it expired.
    pub expiry_reason: Option<ExpiryReason>,
    /// The client's name for it, or the generated one.
    pub client_order_id: ClientOrderId,
    /// When it was accepted.
    pub time: Timestamp,
    /// When it was placed: at once, or when its stop price was reached; none if that has never been.
    pub working_time: Option<Timestamp>,
    /// When it last changed.
    pub update_time: Timestamp,
    /// The list that it belongs to.
    pub list: Option<ListId>,
}

impl Order {
    /// Whether it is placed and can trade.
    pub const fn is_working(&self) -> bool {
        self.status.is_open() && self.working_time.is_some()
    }

    /// What can still trade.
    pub const fn remaining(&self) -> Quantity {
        let done = self.executed.units().saturating_add(self.prevented.units());
        Quantity::from_units(self.quantity.units().saturating_sub(done))
    }
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Waits in a list until another order is filled.
    PendingNew,
    /// Accepted, nothing traded.
    New,
    /// Some of it traded, the rest is open.
    PartiallyFilled,
    /// All of it traded.
    Filled,
    /// Cancelled on request.
    Canceled,
    /// Ended by the rules of its type.
    Expired,
    /// Ended to prevent a trade with the same account.
    ExpiredInMatch,
}

impl OrderStatus {
    /// Whether the order can still trade.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::PendingNew | Self::New | Self::PartiallyFilled)
    }

    /// As the exchange writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingNew => "PENDING_NEW",
            Self::New => "NEW",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Filled => "FILLED",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
            Self::ExpiredInMatch => "EXPIRED_IN_MATCH",
        }
    }
}

/// Why an order expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpiryReason {
    /// The rest of an IOC order.
    UnfilledIoc,
    /// A FOK order that could not trade whole.
    UnfilledFok,
    /// The rest of a MARKET order when the book ran out.
    InsufficientLiquidity,
    /// An order that waited and could not be placed when its moment came.
    Rejected,
    /// The other order of an OCO has traded, been triggered or come to its end.
    OcoTrigger,
    /// The working order of a list ended without being filled.
    OtoPhaseOneExpired,
    /// No particular one: an amendment left nothing of it to trade.
    None,
}

impl ExpiryReason {
    /// As the exchange writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnfilledIoc => "UNFILLED_IOC_QUANTITY_EXPIRED",
            Self::UnfilledFok => "UNFILLED_FOK_ORDER_EXPIRED",
            Self::InsufficientLiquidity => "INSUFFICIENT_LIQUIDITY",
            Self::Rejected => "REJECTED",
            Self::OcoTrigger => "OCO_TRIGGER",
            Self::OtoPhaseOneExpired => "OTO_PHASE_ONE_EXPIRED",
            Self::None => "NONE",
        }
    }
}

/// A trade between two orders, at the maker's price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// Where.
    pub symbol: SymbolId,
    /// Its id within the symbol.
    pub id: TradeId,
    /// The maker's price.
    pub price: Price,
    /// Base asset that changed hands.
    pub quantity: Quantity,
    /// Quote asset that changed hands: price times quantity, truncated.
    pub quote: Amount,
    /// When.
    pub time: Timestamp,
    /// The order that rested.
    pub maker_order: OrderId,
    /// The order that came in.
    pub taker_order: OrderId,
    /// Whose order rested.
    pub maker_account: AccountId,
    /// Whose order came in.
    pub taker_account: AccountId,
    /// What the maker paid.
    pub maker_commission: Amount,
    /// What the taker paid.
    pub taker_commission: Amount,
    /// In which asset: the received one, or that of the discount.
    pub maker_commission_asset: AssetId,
    /// In which asset: the received one, or that of the discount.
    pub taker_commission_asset: AssetId,
    /// Whether the buying order was the one that rested.
    pub is_buyer_maker: bool,
}

impl Trade {
    /// The order that bought.
    pub const fn buyer_order(&self) -> OrderId {
        if self.is_buyer_maker { self.maker_order } else { self.taker_order }
    }

    /// The order that sold.
    pub const fn seller_order(&self) -> OrderId {
        if self.is_buyer_maker { self.taker_order } else { self.maker_order }
    }
}

/// One side of a trade, as the account that made it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// The trade.
    pub trade: TradeId,
    /// The account's order.
    pub order: OrderId,
    /// Where.
    pub symbol: SymbolId,
    /// The maker's price.
    pub price: Price,
    /// Base asset.
    pub quantity: Quantity,
    /// Quote asset.
    pub quote: Amount,
    /// What it cost.
    pub commission: Amount,
    /// In which asset.
    pub commission_asset: AssetId,
    /// Whether the account bought.
    pub is_buyer: bool,
    /// Whether the account's order rested.
    pub is_maker: bool,
    /// When.
    pub time: Timestamp,
    /// The list that its order belongs to.
    pub list: Option<ListId>,
}

/// One amendment of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amendment {
    /// Which execution of the exchange it was.
    pub execution_id: u64,
    /// The order's name before.
    pub before: ClientOrderId,
    /// And after.
    pub after: ClientOrderId,
    /// The order's quantity before.
    pub quantity_before: Quantity,
    /// And after.
    pub quantity_after: Quantity,
    /// When.
    pub time: Timestamp,
}

/// A trade that was prevented because both orders were of the same account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreventedMatch {
    /// Its id within the symbol, from 0.
    pub id: u64,
    /// The order that came in.
    pub taker: OrderId,
    /// The order that rested.
    pub maker: OrderId,
    /// The taker's mode.
    pub mode: PreventionMode,
    /// The maker's price.
    pub price: Price,
    /// What was taken off the taker.
    pub taker_quantity: Quantity,
    /// What was taken off the maker.
    pub maker_quantity: Quantity,
    /// When.
    pub time: Timestamp,
}
