//! What a command brings about, for those who listen: replies, and events in the order in which they happened.

use crate::ids::{AccountId, AssetId, ClientOrderId, OrderId, SymbolId};
use crate::limits::OrderCountHit;
use crate::list::OrderList;
use crate::money::{Amount, Price, Quantity};
use crate::order::{Amendment, Fill, Order, Trade};
use crate::rejection::Rejection;
use crate::spec::SymbolStatus;
use crate::time::Timestamp;

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// For the one who asked.
    pub reply: Result<Reply, Rejection>,
    /// For the streams.
    pub events: Vec<Event>,
}

/// The answer to the one who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The order after everything that happened at once.
    Placed(Placed),
    /// The cancelled order, or orders.
    Canceled(Canceled),
    /// The list that was placed, and its orders after everything that happened at once. Pending orders are placed
    /// after that, even if the working order was filled at once.
    ListPlaced {
        /// The list.
        list: OrderList,
        /// Its orders.
        orders: Vec<Placed>,
    },
    /// What came of the cancel and of the new order.
    Replaced(Box<Replaced>),
    /// The amended order.
    Amended(Box<Amended>),
    /// The cancelled orders, oldest first; those of a list stand together.
    CanceledAll(Vec<CanceledOrder>),
    /// The balance after a deposit or withdrawal.
    Balance(Balance),
}

/// A new order, with what it brought about at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The order now.
    pub order: Order,
    /// Its trades by this command, in order.
    pub fills: Vec<Fill>,
}

/// What a cancel cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canceled {
    /// One order.
    Order(CanceledOrder),
    /// A list: cancelling one of its orders cancels them all.
    List {
        /// The list now.
        list: OrderList,
        /// The orders that were open.
        orders: Vec<CanceledOrder>,
    },
}

/// What came of a cancel-replace of which at least one part was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// What came of the cancel.
    pub cancel: Result<Canceled, Rejection>,
    /// What came of the new order; nothing when it was not attempted.
    pub order: Option<Result<Placed, Rejection>>,
    /// The order count that left no room for a new order.
    pub limited: Option<OrderCountHit>,
}

/// An order that was made smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amended {
    /// The order now.
    pub order: Order,
    /// What was amended.
    pub amendment: Amendment,
    /// The list that it belongs to.
    pub list: Option<OrderList>,
}

/// An order that was cancelled and the name of the cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanceledOrder {
    /// The order now.
    pub order: Order,
    /// Given or generated.
    pub cancel_id: ClientOrderId,
}

/// What an account has of one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Which asset.
    pub asset: AssetId,
    /// At hand.
    pub free: Amount,
    /// Held for open orders.
    pub locked: Amount,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An order changed (`executionReport`).
    Execution(Execution),
    /// An order list changed (`listStatus`), told after the orders that it is about.
    List(ListUpdate),
    /// Balances after the command (`outboundAccountPosition`), once per account, after its executions.
    Balances {
        /// When.
        time: Timestamp,
        /// Whose.
        account: AccountId,
        /// Every asset that the command may have changed.
        changes: Vec<Balance>,
    },
    /// Money came from outside or left (`balanceUpdate`).
    Transfer {
        /// When.
        time: Timestamp,
        /// Whose.
        account: AccountId,
        /// Which asset.
        asset: AssetId,
        /// Negative when it left.
        delta: Amount,
    },
    /// A trade, for the market streams (`trade`).
    Trade(Trade),
    /// The best bid or ask changed (`bookTicker`).
    BookTop(BookTop),
    /// A symbol's status changed.
    Status {
        /// When.
        time: Timestamp,
        /// Which symbol.
        symbol: SymbolId,
        /// The status now.
        status: SymbolStatus,
    },
}

/// One step in a list's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListUpdate {
    /// When.
    pub time: Timestamp,
    /// The list right after this step.
    pub list: OrderList,
    /// Whether it is only that one of its orders has a new name (`UPDATED`).
    pub is_renamed: bool,
}

/// One step in an order's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// When: the same for all that one command brings about.
    pub time: Timestamp,
    /// Counts executions over the exchange, from 1.
    pub execution_id: u64,
    /// What kind of step.
    pub kind: ExecutionKind,
    /// The order right after this step.
    pub order: Order,
}

/// The kinds of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionKind {
    /// Accepted; and once more when an order that waited for a price is placed.
    New,
    /// Traded.
    Trade(Fill),
    /// Cancelled, under this name.
    Canceled(ClientOrderId),
    /// A trade with the same account was prevented.
    Prevented(PreventedStep),
    /// Amended; it had this name before.
    Replaced(ClientOrderId),
    /// Expired; the order knows why.
    Expired,
}

/// What preventing a trade took off an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreventedStep {
    /// Its id within the symbol.
    pub id: u64,
    /// How much.
    pub quantity: Quantity,
    /// What would have traded.
    pub would_trade: Quantity,
    /// At which price.
    pub price: Price,
    /// And for how much of the quote asset.
    pub quote: Amount,
    /// The other order.
    pub counter: OrderId,
}

/// The best of each side of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookTop {
    /// When it came to be so.
    pub time: Timestamp,
    /// Where.
    pub symbol: SymbolId,
    /// Counts changes of this book.
    pub update_id: u64,
    /// The highest bid.
    pub bid: Option<BookLevel>,
    /// The lowest ask.
    pub ask: Option<BookLevel>,
}

/// One price of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookLevel {
    /// The price.
    pub price: Price,
    /// All that rests there.
    pub quantity: Quantity,
}

/// The best levels of a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// Counts changes of this book.
    pub last_update_id: u64,
    /// Highest first.
    pub bids: Vec<BookLevel>,
    /// Lowest first.
    pub asks: Vec<BookLevel>,
}
