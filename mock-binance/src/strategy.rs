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

/// The marks of the orders that have any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strategies {
    marked: BTreeMap<OrderId, Strategy>,
}

impl Strategies {
    pub(crate) fn mark(&mut self, order: OrderId, strategy: Strategy) {
        if strategy != Strategy::default() {
            self.marked.insert(order, strategy);
        }
    }

    pub(crate) fn unmark(&mut self, order: OrderId) {
        self.marked.remove(&order);
    }

    pub(crate) fn of(&self, order: OrderId) -> Strategy {
        self.marked.get(&order).copied().unwrap_or_default()
    }
}
