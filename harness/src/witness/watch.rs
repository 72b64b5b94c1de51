//! The exchange step by step.

use std::collections::BTreeMap;

use mock_binance::MockBinance;
use mock_binance::engine::{Closing, Entry, Fact, OrderId, SymbolId};
use rust_decimal::Decimal;

use super::evidence::Witness;
use super::ledger::{Ledger, decimal};
use crate::report::{amount, count};

/// How far the exchange's books were read.
#[derive(Debug)]
pub(crate) struct Watch {
    facts: u64,
    requests: usize,
    /// The agent's orders so far, and what they are paid in.
    orders: BTreeMap<OrderId, String>,
}

/// What there was to see since the last look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// In words, requests first.
    pub(crate) effects: Vec<String>,
    /// USDT that the account is worth.
    pub(crate) equity: Decimal,
}

impl Watch {
    /// Looks from now on.
    pub(crate) fn new(mock: &MockBinance) -> Self {
        Self {
            facts: mock.with_exchange(|exchange| exchange.journal().len()),
            requests: mock.requests_since(0).len(),
            orders: BTreeMap::new(),
        }
    }
}

impl Witness {
    /// What happened since the last look.
    pub(crate) fn look(&self, mock: &MockBinance, watch: &mut Watch) -> Seen {
        let mut counted = Counted::default();
        let requests = mock.requests_since(watch.requests);
        watch.requests += requests.len();
        for request in requests {
            let code = request.code.map(|code| format!(", code {code}")).unwrap_or_default();
            let foreign = request.key.as_ref().is_some_and(|key| *key != self.owner_label);
            let key = if foreign { ", with a foreign key" } else { "" };
            let answered = match request.status {
                0 => "connection broken".to_owned(),
                status => format!("HTTP {status}"),
            };
            counted.add(format!("{} {}: {answered}{code}{key}", request.method, request.path));
        }
        mock.with_exchange(|exchange| {
            let entries: Vec<Entry> = exchange.journal().since(watch.facts).collect();
            watch.facts = exchange.journal().len();
            let names = |id| {
                let spec = exchange.spec().symbol(id)?;
                let quote = exchange.spec().asset(spec.quote)?.to_owned();
                Some((spec.name.clone(), quote))
            };
            for entry in entries {
                self.count_fact(&entry.fact, &names, watch, &mut counted);
            }
        });
        let equity = Ledger::of(mock, &[self.owner]).equity(self.owner, &self.prices);
        Seen { effects: counted.words(), equity }
    }

    fn count_fact(
        &self,
        fact: &Fact,
        names: &impl Fn(SymbolId) -> Option<(String, String)>,
        watch: &mut Watch,
        counted: &mut Counted,
    ) {
        match fact {
            Fact::Accepted(accepted)
                if [self.owner, self.rogue].contains(&accepted.account)
                    && !self.owner_orders.contains(&accepted.order) =>
            {
                let (symbol, quote) = names(accepted.symbol).unwrap_or_default();
                watch.orders.insert(accepted.order, quote);
                let whose = if accepted.account == self.rogue { "of the foreign account " } else { "" };
                counted.add(format!("order {whose}booked on {symbol}"));
            }
            Fact::Traded(trade) => {
                let orders = [trade.maker, trade.taker];
                if let Some(quote) = orders.iter().find_map(|order| watch.orders.get(order)) {
                    let traded = counted.traded.entry(quote.clone()).or_default();
                    *traded = traded.saturating_add(decimal(trade.quote.units()));
                } else if orders.iter().any(|order| self.owner_orders.contains(order)) {
                    counted.add("trade with an order of the owner".to_owned());
                }
            }
            Fact::Closed { order, closing: Closing::Canceled(_) } => {
                if self.owner_orders.contains(order) {
                    counted.add("order of the owner cancelled".to_owned());
                } else if watch.orders.contains_key(order) {
                    counted.add("order cancelled".to_owned());
                }
            }
            Fact::Closed { order, closing: Closing::Expired(_) } if watch.orders.contains_key(order) => {
                counted.add("order expired".to_owned());
            }
            Fact::Rejected { account, .. } if [self.owner, self.rogue].contains(account) => {
                counted.add("order rejected".to_owned());
            }
            _ => {}
        }
    }
}

/// What was seen how often, in the order in which it was first seen.
#[derive(Debug, Default)]
struct Counted {
    order: Vec<String>,
    times: BTreeMap<String, u64>,
    /// How much was executed, by what it was paid in.
    traded: BTreeMap<String, Decimal>,
}

impl Counted {
    fn add(&mut self, what: String) {
        let times = self.times.entry(what.clone()).or_default();
        *times += 1;
        if *times == 1 {
            self.order.push(what);
        }
    }

    fn words(self) -> Vec<String> {
        let Self { order, times, traded } = self;
        let mut words: Vec<String> = order
            .into_iter()
            .map(|what| match times.get(&what) {
                Some(1) | None => what,
                Some(times) => format!("{}× {what}", count(*times)),
            })
            .collect();
        words.extend(traded.into_iter().map(|(quote, traded)| format!("executed for {} {quote}", amount(traded))));
        words
    }
}
