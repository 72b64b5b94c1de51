//! Every order ever accepted, packed.

use crate::command::{OrderType, Side, TimeInForce};
use crate::fact::Accepted;
use crate::ids::{AccountId, OrderId, SymbolId};
use crate::money::{Amount, Overflow, Price, Quantity};
use crate::order::{ExpiryReason, OrderStatus};
use crate::state::book::NodeId;
use crate::state::names::NameId;
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderRecord {
    /// The limit price; of a MARKET order, which has none, its `quoteOrderQty`.
    price_or_quote: i64,
    pub(crate) quantity: Quantity,
    pub(crate) executed: Quantity,
    pub(crate) cumulative_quote: Amount,
    pub(crate) time: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) account: AccountId,
    pub(crate) name: NameId,
    /// Where it rests, if it does.
    pub(super) node: NodeId,
    pub(crate) symbol: SymbolId,
    pub(crate) side: Side,
    pub(crate) order_type: OrderType,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) status: OrderStatus,
    pub(crate) expiry_reason: Option<ExpiryReason>,
}

impl OrderRecord {
    pub(super) fn new(a: &Accepted, name: NameId, now: Timestamp) -> Self {
        let price_or_quote =
            if a.order_type == OrderType::Market { a.quote_order_qty.units() } else { a.price.units() };
        Self {
            price_or_quote,
            quantity: a.quantity,
            executed: Quantity::ZERO,
            cumulative_quote: Amount::ZERO,
            time: now,
            updated: now,
            account: a.account,
            name,
            node: NodeId::NONE,
            symbol: a.symbol,
            side: a.side,
            order_type: a.order_type,
            time_in_force: a.time_in_force,
            status: OrderStatus::New,
            expiry_reason: None,
        }
    }

    pub(crate) fn price(&self) -> Price {
        if self.order_type == OrderType::Market { Price::ZERO } else { Price::from_units(self.price_or_quote) }
    }

    pub(crate) fn quote_order_qty(&self) -> Amount {
        if self.order_type == OrderType::Market { Amount::from_units(self.price_or_quote) } else { Amount::ZERO }
    }

    pub(crate) fn remaining(&self) -> Quantity {
        Quantity::from_units(self.quantity.units().saturating_sub(self.executed.units()))
    }

    /// What the order holds of the asset it pays with, a pure function of what remains: so the sum of the locks of
    /// an account's open orders is always exactly its locked balance.
    pub(crate) fn lock(&self, remaining: Quantity) -> Result<Amount, Overflow> {
        match (self.order_type, self.side) {
            (OrderType::Market, _) => Ok(Amount::ZERO),
            (_, Side::Buy) => self.price().times_up(remaining),
            (_, Side::Sell) => Ok(remaining.as_amount()),
        }
    }
}
