//! The client's own marks on its orders.

use std::collections::BTreeMap;

use exchange_engine::OrderId;
use serde::Serialize;

/// `strategyId` and `strategyType`: they mean nothing to the exchange and are told again wherever the order is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Strategy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strategy_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strategy_type: Option<u64>,
}

/// Fewer marks than these are not looked through.
const FEW: usize = 1_024;

/// The marks of the orders that have any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strategies {
    marked: BTreeMap<OrderId, Strategy>,
    /// How many were left when they were last looked through.
    left: usize,
}

impl Strategies {
    /// Marks an order that is about to be placed. The marks of orders that are not known any more go with them: once
    /// there are twice as many marks as were left the last time, so that each is looked at a few times in all.
    pub(crate) fn mark(&mut self, order: OrderId, strategy: Strategy, knows: impl Fn(OrderId) -> bool) {
        if strategy == Strategy::default() {
            return;
        }
        if self.marked.len() >= self.left.max(FEW) * 2 {
            // Those of the same list are not placed yet either.
            self.marked.retain(|one, _| knows(*one) || one.0 + FEW as u64 > order.0);
            self.left = self.marked.len();
        }
        self.marked.insert(order, strategy);
    }

    pub(crate) fn unmark(&mut self, order: OrderId) {
        self.marked.remove(&order);
    }

    pub(crate) fn of(&self, order: OrderId) -> Strategy {
        self.marked.get(&order).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_with_their_orders() {
        let mut strategies = Strategies::default();
        let known = |order: u64, last: u64| order + 3_000 > last || order.is_multiple_of(1_000);
        let mark = |order| Strategy { strategy_id: Some(order), strategy_type: None };
        for order in 1..50_000 {
            strategies.mark(OrderId(order), mark(order), |one| known(one.0, order));
            assert_eq!(strategies.of(OrderId(order)), mark(order));
        }
        for order in (1..50_000).filter(|order| known(*order, 50_000)) {
            assert_eq!(strategies.of(OrderId(order)), mark(order));
        }
        assert!(strategies.marked.len() <= 2 * 3_050, "{}", strategies.marked.len());
        assert_eq!(strategies.of(OrderId(1)), Strategy::default());
    }
}
