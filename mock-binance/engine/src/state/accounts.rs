//! Accounts: balances, orders and trades by symbol, order counts.

use std::collections::BTreeSet;

use crate::fact::AccountKind;
use crate::ids::{AssetId, ListId, SymbolId};
use crate::limits::OrderCounts;
use crate::money::{Amount, Overflow};
use crate::packing::Series;
use crate::spec::ExchangeSpec;
use crate::state::open::OpenOrders;
use crate::state::owned::Owned;
use crate::time::Timestamp;

/// What is at hand and what is held for open orders, of one asset. Neither is ever negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Purse {
    pub(crate) free: Amount,
    pub(crate) locked: Amount,
}

/// The amount, refused when it is less than nothing: a journal from elsewhere may hold anything.
fn whole(amount: Amount) -> Result<Amount, Overflow> {
    if amount < Amount::ZERO { Err(Overflow) } else { Ok(amount) }
}

/// `from - amount`, refused when less than nothing would be left.
fn take(from: Amount, amount: Amount) -> Result<Amount, Overflow> {
    whole(from.checked_sub(whole(amount)?)?)
}

impl Purse {
    pub(super) fn add(&mut self, amount: Amount) -> Result<(), Overflow> {
        self.free = self.free.checked_add(whole(amount)?)?;
        Ok(())
    }

    pub(super) fn take(&mut self, amount: Amount) -> Result<(), Overflow> {
        self.free = take(self.free, amount)?;
        Ok(())
    }

    pub(super) fn lock(&mut self, amount: Amount) -> Result<(), Overflow> {
        self.take(amount)?;
        self.locked = self.locked.checked_add(amount)?;
        Ok(())
    }

    pub(super) fn release(&mut self, amount: Amount) -> Result<(), Overflow> {
        self.locked = take(self.locked, amount)?;
        self.add(amount)
    }
}

/// What an account has done on one symbol.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Desk {
    /// Orders in the book, and orders that wait for a price or in a list.
    pub(crate) open: OpenOrders,
    /// Every order that is not forgotten, oldest first.
    pub(crate) orders: Owned,
    /// Every side of a trade that is not forgotten, oldest first: twice the trade's place, plus one for the maker's side.
    pub(crate) fills: Series,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    purses: Vec<Purse>,
    desks: Vec<Desk>,
    /// Whether its orders are limited in number by time.
    pub(crate) counted: bool,
    /// Whether it pays commissions in the discount's asset while there is enough of it.
    pub(crate) pays_discounted: bool,
    pub(crate) counts: OrderCounts,
    /// Every order list that is not forgotten, oldest first.
    pub(crate) lists: Vec<ListId>,
    pub(crate) open_lists: BTreeSet<ListId>,
    pub(crate) updated: Timestamp,
}

impl Account {
    pub(super) fn new(spec: &ExchangeSpec, now: Timestamp, kind: AccountKind) -> Self {
        Self {
            purses: vec![Purse::default(); spec.assets.len()],
            desks: vec![Desk::default(); spec.symbols.len()],
            counted: kind != AccountKind::Provider,
            pays_discounted: kind == AccountKind::Discounted,
            counts: OrderCounts::new(&spec.limits.orders),
            lists: Vec::new(),
            open_lists: BTreeSet::new(),
            updated: now,
        }
    }

    pub(crate) fn purse(&self, asset: AssetId) -> Option<&Purse> {
        self.purses.get(usize::from(asset.0))
    }

    pub(super) fn purse_mut(&mut self, asset: AssetId) -> Option<&mut Purse> {
        self.purses.get_mut(usize::from(asset.0))
    }

    pub(crate) fn desk(&self, symbol: SymbolId) -> Option<&Desk> {
        self.desks.get(usize::from(symbol.0))
    }

    pub(super) fn desks_mut(&mut self) -> impl Iterator<Item = (SymbolId, &mut Desk)> {
        (0..).map(SymbolId).zip(&mut self.desks)
    }

    pub(super) fn desk_mut(&mut self, symbol: SymbolId) -> Option<&mut Desk> {
        self.desks.get_mut(usize::from(symbol.0))
    }
}
