//! Order lists: two or three orders of one symbol, of which one brings about or ends the others.
//!
//! ```text
//! OCO     two orders, of which the first that trades or is triggered ends the other
//! OTO     a working order; once it is filled, a pending one is placed
//! OTOCO   a working order; once it is filled, a pending OCO is placed
//! OPO     an OTO whose pending order sells what the working one bought; OPOCO likewise
//! ```

use crate::command::NewOrder;
use crate::ids::{AccountId, ClientOrderId, ListId, OrderId, SymbolId};
use crate::time::Timestamp;

/// A list as it is asked for. All of its orders are of its symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrderList {
    /// Where.
    pub symbol: SymbolId,
    /// `listClientOrderId`: the client's name for it; generated when absent.
    pub client_id: Option<ClientOrderId>,
    /// Its orders.
    pub legs: ListLegs,
}

/// The orders of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListLegs {
    /// OCO.
    Oco(OcoLegs),
    /// The others.
    Oto {
        /// A LIMIT or `LIMIT_MAKER` order.
        working: NewOrder,
        /// What is placed once the working order is filled.
        pending: PendingLegs,
        /// OPO and OPOCO: what is placed sells what the working order bought, and its own quantity is not looked at.
        pays_other: bool,
    },
}

/// What is placed once a working order is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingLegs {
    /// One order.
    One(NewOrder),
    /// Two, of which one ends the other.
    Oco(OcoLegs),
}

/// Two orders of one side and quantity, of which one ends the other: one is a `STOP_LOSS` kind, the other a
/// `LIMIT_MAKER` or a `TAKE_PROFIT` kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OcoLegs {
    /// The order whose price is above the last one.
    pub above: NewOrder,
    /// The order whose price is below the last one.
    pub below: NewOrder,
}

impl OcoLegs {
    /// Both, the one that stops a loss first: so they are numbered and told.
    pub(crate) fn in_order(self) -> [NewOrder; 2] {
        if self.above.is_stop_loss() { [self.above, self.below] } else { [self.below, self.above] }
    }
}

impl NewOrderList {
    /// What kind of list it is.
    pub const fn kind(&self) -> ListKind {
        match self.legs {
            ListLegs::Oco(_) => ListKind::Oco,
            ListLegs::Oto { pending: PendingLegs::One(_), pays_other: false, .. } => ListKind::Oto,
            ListLegs::Oto { pending: PendingLegs::Oco(_), pays_other: false, .. } => ListKind::Otoco,
            ListLegs::Oto { pending: PendingLegs::One(_), pays_other: true, .. } => ListKind::Opo,
            ListLegs::Oto { pending: PendingLegs::Oco(_), pays_other: true, .. } => ListKind::Opoco,
        }
    }
}

/// The kinds of list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// One cancels the other.
    Oco,
    /// One triggers the other.
    Oto,
    /// One triggers an OCO.
    Otoco,
    /// One pays the other.
    Opo,
    /// One pays an OCO.
    Opoco,
}

impl ListKind {
    /// `contingencyType`.
    pub const fn contingency(self) -> &'static str {
        match self {
            Self::Oco => "OCO",
            Self::Oto | Self::Otoco | Self::Opo | Self::Opoco => "OTO",
        }
    }

    /// How many orders it has.
    pub const fn order_count(self) -> u32 {
        match self {
            Self::Oco | Self::Oto | Self::Opo => 2,
            Self::Otoco | Self::Opoco => 3,
        }
    }

    /// Whether the pending orders sell what the working one bought.
    pub const fn pays_other(self) -> bool {
        matches!(self, Self::Opo | Self::Opoco)
    }

    /// Whether it begins with a working order.
    pub const fn has_working(self) -> bool {
        !matches!(self, Self::Oco)
    }

    /// The places of the two orders of which one ends the other.
    pub(crate) const fn pair(self) -> Option<(u32, u32)> {
        match self {
            Self::Oco => Some((0, 1)),
            Self::Otoco | Self::Opoco => Some((1, 2)),
            Self::Oto | Self::Opo => None,
        }
    }
}

/// A list at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderList {
    /// Its id.
    pub id: ListId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub symbol: SymbolId,
    /// Which kind.
    pub kind: ListKind,
    /// Given or generated.
    pub client_id: ClientOrderId,
    /// Its orders by id and name.
    pub orders: Vec<(OrderId, ClientOrderId)>,
    /// When it was placed.
    pub time: Timestamp,
    /// When it was placed, or came to its end.
    pub update_time: Timestamp,
    /// Whether none of its orders is open any more.
    pub is_done: bool,
}

impl OrderList {
    /// `listStatusType`.
    pub const fn status_type(&self) -> &'static str {
        if self.is_done { "ALL_DONE" } else { "EXEC_STARTED" }
    }

    /// `listOrderStatus`.
    pub const fn order_status(&self) -> &'static str {
        if self.is_done { "ALL_DONE" } else { "EXECUTING" }
    }
}

/// A list named by one id, or by both, which must then agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListRef {
    /// By the exchange's id.
    Id(ListId),
    /// By the client's id: the latest list of that name.
    Client(ClientOrderId),
    /// By the exchange's id; the client's must be that list's.
    Both(ListId, ClientOrderId),
}

/// Which list to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelList {
    /// Where.
    pub symbol: SymbolId,
    /// Which.
    pub target: ListRef,
    /// The client's name for this cancel; generated when absent.
    pub cancel_id: Option<ClientOrderId>,
}
