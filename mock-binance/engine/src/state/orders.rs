//! One order as it is kept while it is open.

use crate::command::{OrderType, PreventionMode, Side, TimeInForce};
use crate::fact::Accepted;
use crate::ids::{AccountId, ListId, OrderId, SymbolId};
use crate::money::{Amount, Overflow, Price, Quantity};
use crate::order::{ExpiryReason, OrderStatus};
use crate::state::book::PartId;
use crate::state::names::NameId;
use crate::state::stops::Wait;
use crate::time::Timestamp;

/// The place of an order in the list of all: its id less one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(pub(crate) u32);

impl Slot {
    pub(crate) fn of(order: OrderId) -> Option<Self> {
        u32::try_from(order.0.checked_sub(1)?).ok().map(Self)
    }

    pub(crate) fn id(self) -> OrderId {
        OrderId(u64::from(self.0) + 1)
    }

    pub(super) fn place(self) -> Option<usize> {
        usize::try_from(self.0).ok()
    }
}

/// An order of a large book is in no cache when it is asked for, so it is small, and its alignment keeps it within a pair
/// of lines of a cache, which are fetched together: what few orders have is kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(align(128))]
pub(crate) struct OrderRecord {
    /// The limit price; of types that have none, the `quoteOrderQty`.
    pub(super) price_or_quote: i64,
    pub(crate) quantity: Quantity,
    pub(crate) executed: Quantity,
    pub(crate) cumulative_quote: Amount,
    pub(super) special: Option<Box<Special>>,
    pub(crate) time: Timestamp,
    /// When it was placed, unless it waits or never was.
    pub(crate) working: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) account: AccountId,
    pub(crate) name: NameId,
    pub(crate) list: Option<ListId>,
    pub(crate) prevention: PreventionMode,
    /// Where it rests, if it does.
    pub(super) part: PartId,
    pub(crate) symbol: SymbolId,
    pub(crate) side: Side,
    pub(crate) order_type: OrderType,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) status: OrderStatus,
    pub(crate) expiry_reason: Option<ExpiryReason>,
    /// Whether its stop price has not been reached; stays so when it ends before.
    pub(crate) waiting: bool,
    /// Whether the order that it waits for in a list is not filled; stays so when it ends before.
    pub(crate) pending: bool,
    /// Whether the other order of its OCO holds what both pay with.
    pub(crate) twin_holds: bool,
}

const _: () = assert!(size_of::<OrderRecord>() == 128);

/// What most orders have nothing of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Special {
    /// Zero unless of a type that waits for a price.
    pub(crate) stop_price: Price,
    /// What was taken off it to prevent trades with the same account.
    pub(crate) prevented: Quantity,
    /// The last trade that was prevented.
    pub(crate) prevented_match: Option<u32>,
    /// How much of it is shown at a time; zero unless an iceberg order.
    pub(crate) iceberg: Quantity,
    /// How much of an iceberg order is shown now.
    pub(super) shown: Quantity,
    /// How far the price has to come back; zero unless a trailing stop order.
    pub(crate) trailing_delta: u16,
    /// Since when it follows the price.
    pub(crate) trailing_since: Option<Timestamp>,
}

impl Special {
    pub(super) const NOTHING: Self = Self {
        stop_price: Price::ZERO,
        prevented: Quantity::ZERO,
        prevented_match: None,
        iceberg: Quantity::ZERO,
        shown: Quantity::ZERO,
        trailing_delta: 0,
        trailing_since: None,
    };

    /// Kept only where there is something of it, so that equal orders are kept alike.
    pub(super) fn kept(self) -> Option<Box<Self>> {
        (self != Self::NOTHING).then(|| Box::new(self))
    }
}

impl OrderRecord {
    pub(super) fn new(a: &Accepted, name: NameId, now: Timestamp) -> Self {
        let special = Special {
            stop_price: a.stop_price,
            iceberg: a.iceberg.unwrap_or_default(),
            shown: a.iceberg.unwrap_or_default().min(a.quantity),
            trailing_delta: a.trailing_delta.unwrap_or_default(),
            ..Special::NOTHING
        };
        let price_or_quote = if a.order_type.takes_any_price() { a.quote_order_qty.units() } else { a.price.units() };
        Self {
            price_or_quote,
            quantity: a.quantity,
            executed: Quantity::ZERO,
            cumulative_quote: Amount::ZERO,
            special: special.kept(),
            time: now,
            working: now,
            updated: now,
            account: a.account,
            name,
            list: a.member.map(|member| member.list),
            prevention: a.prevention,
            part: PartId::NONE,
            symbol: a.symbol,
            side: a.side,
            order_type: a.order_type,
            time_in_force: a.time_in_force,
            status: if a.member.is_some_and(|member| member.pending) {
                OrderStatus::PendingNew
            } else {
                OrderStatus::New
            },
            expiry_reason: None,
            waiting: a.order_type.stop_goal().is_some(),
            pending: a.member.is_some_and(|member| member.pending),
            twin_holds: a.member.is_some_and(|member| member.twin_holds),
        }
    }

    /// What few orders have.
    pub(crate) fn special(&self) -> &Special {
        self.special.as_deref().unwrap_or(&Special::NOTHING)
    }

    pub(super) fn special_mut(&mut self) -> &mut Special {
        self.special.get_or_insert_default()
    }

    pub(crate) fn price(&self) -> Price {
        if self.order_type.takes_any_price() { Price::ZERO } else { Price::from_units(self.price_or_quote) }
    }

    pub(crate) fn quote_order_qty(&self) -> Amount {
        if self.order_type.takes_any_price() { Amount::from_units(self.price_or_quote) } else { Amount::ZERO }
    }

    /// Whether it was placed, and waits neither for a price nor in a list.
    pub(crate) fn is_placed(&self) -> bool {
        !self.waiting && !self.pending
    }

    /// Where it waits for a price, if it does.
    pub(super) fn wait(&self) -> Option<Wait> {
        let waits = self.waiting && !self.pending;
        let goal = self.order_type.stop_goal().filter(|_| waits)?;
        let Special { stop_price, trailing_delta, .. } = *self.special();
        Some(Wait::new(goal, self.side, stop_price, trailing_delta))
    }

    pub(crate) fn remaining(&self) -> Quantity {
        let done = self.executed.units().saturating_add(self.special().prevented.units());
        Quantity::from_units(self.quantity.units().saturating_sub(done))
    }

    /// What the book shows of it.
    pub(crate) fn resting(&self) -> Quantity {
        let Special { iceberg, shown, .. } = *self.special();
        if iceberg.is_zero() { self.remaining() } else { shown.min(self.remaining()) }
    }

    /// What the order holds of the asset it pays with, a pure function of what remains: so the sum of the locks of
    /// an account's open orders is always exactly its locked balance.
    ///
    /// An order that is to become a MARKET BUY has no limit, so while it waits it holds what it would cost at its
    /// stop price. As every MARKET order it holds nothing once placed, and must then own what the book asks for.
    ///
    /// An order that is pending in a list holds nothing yet, and of the two orders of an OCO one holds for both.
    pub(crate) fn lock(&self, remaining: Quantity) -> Result<Amount, Overflow> {
        if self.pending || self.twin_holds {
            return Ok(Amount::ZERO);
        }
        match (self.order_type, self.side) {
            (order_type, _) if order_type.takes_any_price() && !self.waiting => Ok(Amount::ZERO),
            (order_type, Side::Buy) if order_type.takes_any_price() => self.special().stop_price.times_up(remaining),
            (_, Side::Buy) => self.price().times_up(remaining),
            (_, Side::Sell) => Ok(remaining.as_amount()),
        }
    }
}
