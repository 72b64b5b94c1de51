//! What a fact is told relative to.

use super::accepted_flags;
use crate::fact::Fact;
use crate::ids::{AccountId, OrderId, SymbolId};
use crate::money::Price;

/// What the facts before one say that is mostly true of it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Context {
    /// The order that was accepted last, whose it is, and what it has besides a price and a quantity.
    pub(crate) newest: OrderId,
    pub(super) account: AccountId,
    pub(super) symbol: SymbolId,
    pub(super) flags: u64,
    /// What was traded last was traded at this price.
    pub(super) price: Price,
}

impl Context {
    /// What the fact that follows this one is told relative to.
    pub(crate) fn after(self, fact: &Fact) -> Self {
        match fact {
            Fact::Accepted(a) => Self {
                newest: a.order,
                account: a.account,
                symbol: a.symbol,
                flags: accepted_flags(a),
                price: self.price,
            },
            Fact::Traded(traded) => Self { price: traded.price, ..self },
            _ => self,
        }
    }

    /// The id that the next order gets.
    pub(super) const fn next(&self) -> OrderId {
        OrderId(self.newest.0.wrapping_add(1))
    }
}
