//! Why a command was refused: one variant per cause. The faces put codes and texts to them.

use crate::limits::OrderCountHit;
use crate::money::Overflow;
use crate::spec::Filter;

/// Why a command was refused. A refused command changes nothing; a journal line remembers it.
///
/// The variants stand in the order in which the causes are looked for: the first that applies is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such account, or the account of the commissions.
    #[error("no such account")]
    UnknownAccount,
    /// No such asset.
    #[error("no such asset")]
    UnknownAsset,
    /// No such symbol.
    #[error("no such symbol")]
    UnknownSymbol,
    /// The symbol's status does not allow this now.
    #[error("market is closed")]
    MarketClosed,
    /// The symbol does not take orders of this type.
    #[error("order type is not allowed on this symbol")]
    OrderTypeNotAllowed,
    /// The symbol takes no MARKET orders by quote amount.
    #[error("quote order quantity market orders are not allowed on this symbol")]
    QuoteOrderQtyNotAllowed,
    /// The symbol takes no OCO lists.
    #[error("OCO orders are not supported for this symbol")]
    OcoNotAllowed,
    /// The symbol takes no OTO lists.
    #[error("OTO orders are not supported for this symbol")]
    OtoNotAllowed,
    /// The symbol takes no OPO lists.
    #[error("OPO orders are not supported for this symbol")]
    OpoNotAllowed,
    /// The symbol takes no cancel-replace.
    #[error("order cancel-replace is not supported for this symbol")]
    CancelReplaceNotAllowed,
    /// The symbol, or an order whose quantity is not known yet, takes no amendments.
    #[error("order amend is not supported for this symbol")]
    AmendNotAllowed,
    /// The symbol takes no iceberg orders.
    #[error("iceberg orders are not supported for this symbol")]
    IcebergNotAllowed,
    /// The symbol takes no trailing stop orders.
    #[error("trailing stop orders are not supported for this symbol")]
    TrailingNotAllowed,
    /// The symbol does not take this mode of self-trade prevention.
    #[error("this symbol does not allow the specified self-trade prevention mode")]
    PreventionNotAllowed,
    /// An instruction that this type of order does not take, or not with this time in force.
    #[error("unsupported order combination")]
    Unsupported,
    /// An iceberg order that would be shown whole.
    #[error("iceberg quantity exceeds quantity")]
    IcebergTooLarge,
    /// A list of these orders makes no sense: types, sides or quantities do not go together.
    #[error("unsupported combination of orders")]
    ListNotSupported,
    /// A quantity or amount of zero or less.
    #[error("quantity is not above zero")]
    InvalidQuantity,
    /// A price of zero or less.
    #[error("price is not above zero")]
    InvalidPrice,
    /// More orders than the account may place in a window.
    #[error("too many new orders: {0}")]
    TooManyOrders(OrderCountHit),
    /// A filter of the symbol failed.
    #[error("filter failure: {}", .0.as_str())]
    Filter(Filter),
    /// The same client order id is on an open order.
    #[error("duplicate order sent")]
    DuplicateOrder,
    /// An open list has the same client id.
    #[error("duplicate order list sent")]
    DuplicateList,
    /// The prices of an OCO are not on the two sides of the last price.
    #[error("the relationship of the prices for the orders is not correct")]
    ListPrices,
    /// A `LIMIT_MAKER` order that would trade at once.
    #[error("order would immediately match and take")]
    WouldTake,
    /// A stop order whose price is already reached.
    #[error("order would trigger immediately")]
    WouldTrigger,
    /// A MARKET order by quote amount found an empty book.
    #[error("order book liquidity is less than symbol minimum quantity")]
    NoLiquidity,
    /// A MARKET order by quote amount found less than the smallest lot.
    #[error("order book liquidity is less than `LOT_SIZE` filter minimum quantity")]
    LiquidityBelowLot,
    /// Not enough free balance.
    #[error("account has insufficient balance for requested action")]
    InsufficientBalance,
    /// No such open list of this account on this symbol.
    #[error("unknown order list sent")]
    UnknownList,
    /// An amendment that would make an order larger.
    #[error("order amend (quantity increase) is not supported")]
    AmendIncrease,
    /// An amendment that would change nothing.
    #[error("the requested action would change no state")]
    AmendNothing,
    /// No such open order of this account on this symbol.
    #[error("unknown order sent")]
    UnknownOrder,
    /// Order id and client order id name different orders.
    #[error("client order id is not correct for this order id")]
    ClientOrderIdMismatch,
    /// The order is not in the state that the cancel asks for.
    #[error("order was not cancelled due to cancel restrictions")]
    CancelRestricted,
    /// A number would not fit.
    #[error("the amounts are too large to be counted")]
    Overflow,
}

impl From<Overflow> for Rejection {
    fn from(_: Overflow) -> Self {
        Self::Overflow
    }
}
