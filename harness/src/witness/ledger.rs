//! What an account has, and which orders it has open.

use std::collections::{BTreeMap, BTreeSet};

use mock_binance::MockBinance;
use mock_binance::engine::{AccountId, AssetId, OrderId, Quantity};
use rust_decimal::Decimal;

/// The accounts of a run at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Free and locked, in the exchange's smallest units.
    balances: BTreeMap<(AccountId, AssetId), (i64, i64)>,
    /// Open orders and how much of each is executed.
    open: BTreeMap<OrderId, Quantity>,
}

impl Ledger {
    pub(crate) fn of(mock: &MockBinance, accounts: &[AccountId]) -> Self {
        mock.with_exchange(|exchange| {
            let mut ledger = Self::default();
            for account in accounts {
                for balance in exchange.balances(*account) {
                    let units = (balance.free.units(), balance.locked.units());
                    ledger.balances.insert((*account, balance.asset), units);
                }
                for order in exchange.open_orders(*account, None) {
                    ledger.open.insert(order.id, order.executed);
                }
            }
            ledger
        })
    }

    /// Takes what changed between two other moments into this one, as if it had been so before.
    pub(crate) fn take_in(&mut self, before: &Self, after: &Self) {
        for (key, (free, locked)) in &after.balances {
            let (free_before, locked_before) = before.balances.get(key).copied().unwrap_or_default();
            let ours = self.balances.entry(*key).or_default();
            ours.0 = ours.0.saturating_add(free.saturating_sub(free_before));
            ours.1 = ours.1.saturating_add(locked.saturating_sub(locked_before));
        }
        let gone: BTreeSet<_> = before.open.keys().filter(|order| !after.open.contains_key(order)).collect();
        self.open.retain(|order, _| !gone.contains(order));
        for (order, executed) in &after.open {
            if before.open.get(order) != Some(executed) {
                self.open.insert(*order, *executed);
            }
        }
    }

    /// What an account is worth; an asset without a price is worth nothing.
    pub(crate) fn equity(&self, account: AccountId, prices: &BTreeMap<AssetId, Decimal>) -> Decimal {
        let worth = self.balances.iter().filter(|((owner, _), _)| *owner == account).map(|((_, asset), units)| {
            let price = prices.get(asset).copied().unwrap_or_default();
            decimal(units.0.saturating_add(units.1)).saturating_mul(price)
        });
        worth.fold(Decimal::ZERO, Decimal::saturating_add)
    }

    /// What differs, in words, for a failed expectation.
    pub(crate) fn difference(&self, after: &Self) -> Vec<String> {
        let mut words = Vec::new();
        let moved = after.balances.iter().filter(|(key, units)| self.balances.get(key) != Some(units)).count();
        if moved > 0 {
            words.push(format!("{moved} balances"));
        }
        let lost = self.open.keys().filter(|order| !after.open.contains_key(order)).count();
        if lost > 0 {
            words.push(format!("{lost} open orders gone"));
        }
        let new = after.open.iter().filter(|(order, executed)| self.open.get(order) != Some(executed)).count();
        if new > 0 {
            words.push(format!("{new} open orders new or executed"));
        }
        words
    }
}

/// An amount, price or quantity of the engine, all of which have eight places.
pub(crate) fn decimal(units: i64) -> Decimal {
    Decimal::from_i128_with_scale(i128::from(units), 8)
}
