//! What happened, in the smallest words from which everything else follows.
//!
//! ```text
//! Accepted -> Traded* -> (filled) | Booked -> Traded* -> (filled) | Closed
//!                                 | Closed
//! Accepted -> Triggered -> as above, for an order that waits for a price
//!          |  Closed
//! ListOpened -> Accepted* -> as above
//! Accepted -> Released -> as above, for an order that waits in a list
//! ```

use std::fmt;

use crate::command::{Command, OrderType, PreventionMode, Side, TimeInForce};
use crate::ids::{AccountId, AssetId, ClientOrderId, ListId, OrderId, SymbolId};
use crate::list::ListKind;
use crate::money::{Amount, Price, Quantity};
use crate::order::ExpiryReason;
use crate::rejection::Rejection;
use crate::spec::SymbolStatus;
use crate::time::Timestamp;

/// One line of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its place, from 0.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// An account was opened.
    AccountOpened {
        /// Its id.
        account: AccountId,
        /// Which kind.
        kind: AccountKind,
    },
    /// Money came in.
    Deposited {
        /// To whom.
        account: AccountId,
        /// Of which asset.
        asset: AssetId,
        /// How much.
        amount: Amount,
    },
    /// Money went out.
    Withdrawn {
        /// From whom.
        account: AccountId,
        /// Of which asset.
        asset: AssetId,
        /// How much.
        amount: Amount,
    },
    /// An order was taken on, and its lock set.
    Accepted(Accepted),
    /// The rest of an order went to rest in the book.
    Booked {
        /// Which order.
        order: OrderId,
    },
    /// The last price reached the stop price of an order that waited for it: the order is placed. What it held
    /// until then for a MARKET order was released.
    Triggered {
        /// Which order.
        order: OrderId,
    },
    /// Two orders traded at the maker's price.
    Traded(Traded),
    /// A trade between two orders of one account was prevented; an order of which nothing is left ends.
    Prevented(Prevented),
    /// An order list was taken on; its orders come next.
    ListOpened(ListOpened),
    /// The order that a pending order waited for was filled: it is placed, and its lock set.
    Released {
        /// Which order.
        order: OrderId,
        /// How much from now on: of an OPO, what the working order bought.
        quantity: Quantity,
        /// Whether the other order of its OCO holds what both pay with.
        twin_holds: bool,
    },
    /// None of a list's orders is open any more.
    ListClosed {
        /// Which list.
        list: ListId,
    },
    /// An order was made smaller, and what that no longer needs was released.
    Amended {
        /// Which order.
        order: OrderId,
        /// Its quantity from now on.
        quantity: Quantity,
        /// Its name from now on.
        client_order_id: ClientOrderId,
    },
    /// A new order was asked for and not attempted, because the cancel before it had failed: it counts all the same.
    NotAttempted {
        /// Whose.
        account: AccountId,
    },
    /// An order ended before it was filled, and the rest of its lock was released.
    Closed {
        /// Which order.
        order: OrderId,
        /// How.
        closing: Closing,
    },
    /// A request was refused; it changed nothing.
    Rejected {
        /// Whose request.
        account: AccountId,
        /// What was asked.
        request: Request,
        /// Why not.
        cause: Rejection,
    },
    /// A symbol's status was changed by the operator, or came to its end.
    StatusChanged {
        /// Which symbol.
        symbol: SymbolId,
        /// The status now.
        status: SymbolStatus,
        /// When TRADING comes back by itself.
        until: Option<Timestamp>,
    },
}

/// What an account is, once and for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AccountKind {
    /// A trader's.
    #[default]
    Ordinary,
    /// A liquidity provider's, whose orders are not counted.
    Provider,
    /// A trader's who pays commissions in the discount's asset while there is enough of it.
    Discounted,
}

impl AccountKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ordinary, Self::Provider, Self::Discounted];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Provider => "provider",
            Self::Discounted => "discounted",
        }
    }
}

/// An order as it was taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub order: OrderId,
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
    /// Zero unless it waits for a price.
    pub stop_price: Price,
    /// See [`Order::quantity`](crate::Order::quantity).
    pub quantity: Quantity,
    /// Zero unless MARKET by quote amount.
    pub quote_order_qty: Amount,
    /// The client's name for it, when one was given.
    pub client_order_id: Option<ClientOrderId>,
    /// Its place in a list.
    pub member: Option<Member>,
    /// What happens when it would trade with the same account.
    pub prevention: PreventionMode,
    /// How much of it is shown at a time, of an iceberg order.
    pub iceberg: Option<Quantity>,
    /// How far the price has to come back, of a trailing stop order.
    pub trailing_delta: Option<u16>,
}

/// A trade that was prevented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prevented {
    /// The order that rested.
    pub maker: OrderId,
    /// The order that came in.
    pub taker: OrderId,
    /// The taker's mode.
    pub mode: PreventionMode,
    /// The maker's price.
    pub price: Price,
    /// What is taken off the maker.
    pub maker_quantity: Quantity,
    /// What is taken off the taker.
    pub taker_quantity: Quantity,
}

/// What an order is to the list that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Which list.
    pub list: ListId,
    /// Whether it waits until the working order is filled.
    pub pending: bool,
    /// Whether the other order of its OCO holds what both pay with: only one of the two ever trades.
    pub twin_holds: bool,
}

/// An order list as it was taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListOpened {
    /// Its id.
    pub list: ListId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub symbol: SymbolId,
    /// Which kind.
    pub kind: ListKind,
    /// Given or generated.
    pub client_id: ClientOrderId,
}

/// A trade as it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traded {
    /// The order that rested.
    pub maker: OrderId,
    /// The order that came in.
    pub taker: OrderId,
    /// The maker's price.
    pub price: Price,
    /// Base asset.
    pub quantity: Quantity,
    /// Quote asset: price times quantity, truncated.
    pub quote: Amount,
    /// Taken from what the maker received, or in the discount's asset.
    pub maker_commission: Amount,
    /// Taken from what the taker received, or in the discount's asset.
    pub taker_commission: Amount,
    /// Whether the maker pays in the discount's asset.
    pub maker_discounted: bool,
    /// Whether the taker pays in the discount's asset.
    pub taker_discounted: bool,
}

/// How an order ended before it was filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Cancelled on request; the name of the cancel when one was given.
    Canceled(Option<ClientOrderId>),
    /// Ended by the rules of its type.
    Expired(ExpiryReason),
}

/// What a refused request asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// To place an order.
    Place {
        /// Where.
        symbol: SymbolId,
        /// Buy or sell.
        side: Side,
        /// Its type.
        order_type: OrderType,
    },
    /// To cancel an order.
    Cancel {
        /// Where.
        symbol: SymbolId,
    },
    /// To place an order list.
    PlaceList {
        /// Where.
        symbol: SymbolId,
        /// Which kind.
        kind: ListKind,
    },
    /// To cancel an order list.
    CancelList {
        /// Where.
        symbol: SymbolId,
    },
    /// To cancel an order and place another.
    CancelReplace {
        /// Where.
        symbol: SymbolId,
    },
    /// To amend an order.
    Amend {
        /// Where.
        symbol: SymbolId,
    },
    /// To cancel all orders.
    CancelAll {
        /// Where.
        symbol: SymbolId,
    },
    /// To bring money in.
    Deposit {
        /// Of which asset.
        asset: AssetId,
    },
    /// To take money out.
    Withdraw {
        /// Of which asset.
        asset: AssetId,
    },
}

impl Request {
    /// What a command asks for.
    pub(crate) const fn of(command: &Command) -> Self {
        match command {
            Command::Place(order) => {
                Self::Place { symbol: order.symbol, side: order.side, order_type: order.kind.order_type() }
            }
            Command::Cancel(request) => Self::Cancel { symbol: request.symbol },
            Command::CancelAll { symbol } => Self::CancelAll { symbol: *symbol },
            Command::PlaceList(list) => Self::PlaceList { symbol: list.symbol, kind: list.kind() },
            Command::CancelList(request) => Self::CancelList { symbol: request.symbol },
            Command::CancelReplace(request) => Self::CancelReplace { symbol: request.order.symbol },
            Command::Amend(request) => Self::Amend { symbol: request.symbol },
            Command::Deposit { asset, .. } => Self::Deposit { asset: *asset },
            Command::Withdraw { asset, .. } => Self::Withdraw { asset: *asset },
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.seq, self.at, self.fact)
    }
}

/// An id that may be absent: `-` then.
struct Given(Option<ClientOrderId>);

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref().map_or("-", ClientOrderId::as_str))
    }
}

impl fmt::Display for Fact {
    /// One line of words and numbers, the same on every machine.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountOpened { account, kind } => {
                write!(f, "account-opened account={account} kind={}", kind.as_str())
            }
            Self::Deposited { account, asset, amount } => {
                write!(f, "deposited account={account} asset={asset} amount={amount}")
            }
            Self::Withdrawn { account, asset, amount } => {
                write!(f, "withdrawn account={account} asset={asset} amount={amount}")
            }
            Self::Accepted(a) => {
                write!(
                    f,
                    "accepted order={} account={} symbol={} {} {} {} price={} quantity={} quote-order-qty={} client={}",
                    a.order,
                    a.account,
                    a.symbol,
                    a.side.as_str(),
                    a.order_type.as_str(),
                    a.time_in_force.as_str(),
                    a.price,
                    a.quantity,
                    a.quote_order_qty,
                    Given(a.client_order_id),
                )?;
                if a.order_type.stop_goal().is_some() {
                    write!(f, " stop-price={}", a.stop_price)?;
                }
                if a.prevention != PreventionMode::None {
                    write!(f, " prevention={}", a.prevention.as_str())?;
                }
                if let Some(iceberg) = a.iceberg {
                    write!(f, " iceberg={iceberg}")?;
                }
                if let Some(delta) = a.trailing_delta {
                    write!(f, " trailing-delta={delta}")?;
                }
                a.member.map_or(Ok(()), |Member { list, pending, twin_holds }| {
                    write!(f, " list={list} pending={pending} twin-holds={twin_holds}")
                })
            }
            Self::Prevented(p) => write!(
                f,
                "prevented maker={} taker={} mode={} price={} maker-quantity={} taker-quantity={}",
                p.maker,
                p.taker,
                p.mode.as_str(),
                p.price,
                p.maker_quantity,
                p.taker_quantity,
            ),
            Self::ListOpened(ListOpened { list, account, symbol, kind, client_id }) => {
                write!(f, "list-opened list={list} account={account} symbol={symbol} {kind:?} client={client_id}")
            }
            Self::Released { order, quantity, twin_holds } => {
                write!(f, "released order={order} quantity={quantity} twin-holds={twin_holds}")
            }
            Self::ListClosed { list } => write!(f, "list-closed list={list}"),
            Self::Amended { order, quantity, client_order_id } => {
                write!(f, "amended order={order} quantity={quantity} client={client_order_id}")
            }
            Self::NotAttempted { account } => write!(f, "not-attempted account={account}"),
            Self::Booked { order } => write!(f, "booked order={order}"),
            Self::Triggered { order } => write!(f, "triggered order={order}"),
            Self::Traded(t) => {
                write!(
                    f,
                    "traded maker={} taker={} price={} quantity={} quote={} maker-commission={} taker-commission={}",
                    t.maker, t.taker, t.price, t.quantity, t.quote, t.maker_commission, t.taker_commission,
                )?;
                for (who, discounted) in [("maker", t.maker_discounted), ("taker", t.taker_discounted)] {
                    if discounted {
                        write!(f, " {who}-discounted")?;
                    }
                }
                Ok(())
            }
            Self::Closed { order, closing: Closing::Canceled(by) } => {
                write!(f, "canceled order={order} by={}", Given(*by))
            }
            Self::Closed { order, closing: Closing::Expired(reason) } => {
                write!(f, "expired order={order} reason={}", reason.as_str())
            }
            Self::Rejected { account, request, cause } => {
                write!(f, "rejected account={account} {request} cause=\"{cause}\"")
            }
            Self::StatusChanged { symbol, status, until } => {
                write!(f, "status-changed symbol={symbol} status={}", status.as_str())?;
                until.map_or(Ok(()), |until| write!(f, " until={until}"))
            }
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place { symbol, side, order_type } => {
                write!(f, "place symbol={symbol} {} {}", side.as_str(), order_type.as_str())
            }
            Self::Cancel { symbol } => write!(f, "cancel symbol={symbol}"),
            Self::CancelAll { symbol } => write!(f, "cancel-all symbol={symbol}"),
            Self::PlaceList { symbol, kind } => write!(f, "place-list symbol={symbol} {kind:?}"),
            Self::CancelList { symbol } => write!(f, "cancel-list symbol={symbol}"),
            Self::CancelReplace { symbol } => write!(f, "cancel-replace symbol={symbol}"),
            Self::Amend { symbol } => write!(f, "amend symbol={symbol}"),
            Self::Deposit { asset } => write!(f, "deposit asset={asset}"),
            Self::Withdraw { asset } => write!(f, "withdraw asset={asset}"),
        }
    }
}
