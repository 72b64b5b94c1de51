//! How the exchange forgets: what closed or traded before a mark cannot be asked for any more.
//!
//! Whatever the exchange still decides by is kept: open orders and their names, the orders of lists that are not done,
//! balances, prices, and the seconds that averages and the statistics of a day are taken from.
//!
//! Each thing goes not before what it tells of: a trade that is kept finds both of its orders, since they closed with
//! it or after it; a list is kept while one of its orders is.

use std::collections::BTreeSet;

use crate::state::{ListRecord, Slot, State};
use crate::time::Timestamp;

/// A moment, by what there was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    accepted: Slot,
    /// Chunks that were full of closed orders.
    full_chunks: u64,
    /// By symbol.
    trades: Vec<u32>,
}

/// The statistics of 24 hours are told at any time.
const DAY_MINS: u32 = 24 * 60;

impl State {
    /// What there is now.
    pub(crate) fn mark(&self) -> Option<Mark> {
        Some(Mark {
            accepted: Slot(u32::try_from(self.orders.len()).ok()?),
            full_chunks: self.orders.full_chunks(),
            trades: self.markets.iter().map(|market| market.tape.next()).collect(),
        })
    }

    /// How many orders are open.
    pub(crate) fn open_count(&self) -> usize {
        self.orders.open_count()
    }

    /// Forgets what was over at the mark. `None` when the mark is not one of this exchange.
    pub(crate) fn forget(&mut self, mark: &Mark) -> Option<()> {
        let now = self.clock;
        let wanted: BTreeSet<Slot> = self.lists.open().flat_map(ListRecord::orders).collect();
        self.orders.forget(mark.full_chunks, mark.accepted, &wanted)?;
        let Self { orders, names, lists, markets, accounts, spec, .. } = self;
        names.forget(|order| orders.get(order).map(|record| record.name));
        lists.forget(|order| orders.knows(order));
        for ((market, trades), symbol) in markets.iter_mut().zip(&mark.trades).zip(&spec.symbols) {
            let mins = u64::from(symbol.filters.average_mins().max(DAY_MINS));
            let since = Timestamp::from_secs(now.as_secs().saturating_sub(mins * 60));
            market.tape.forget(*trades, since.as_secs());
            market.prevented.retain(|one| Slot::of(one.taker).is_some_and(|taker| orders.knows(taker)));
        }
        for account in accounts {
            account.lists.retain(|list| lists.get(*list).is_some());
            for (symbol, desk) in account.desks_mut() {
                desk.orders.forget(mark.accepted, |order| orders.knows(order));
                let first = markets.get(usize::from(symbol.0)).map_or(0, |market| market.tape.first());
                desk.fills.forget_below(desk.fills.place_of(first.saturating_mul(2)));
            }
        }
        Some(())
    }
}
