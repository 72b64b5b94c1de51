//! What the exchange wrote down between two moments, and what it comes to.

use std::collections::{BTreeMap, BTreeSet};

use mock_binance::engine::{
    Accepted, AccountId, AssetId, Closing, Command, Entry, Fact, ListOpened, OrderId, Placed, Prevented, Rejection,
    Reply, SymbolId,
};
use mock_binance::{MockBinance, RequestRecord, StreamStats};
use rust_decimal::Decimal;

use super::ledger::{Ledger, decimal};
use super::listen_keys;
use crate::agent::transcript::bounded;
use crate::scenario::Dec;
use crate::verdict::Damage;

/// Remembers how the exchange stood before the first step.
pub(crate) struct Witness {
    pub(super) owner: AccountId,
    pub(super) rogue: AccountId,
    /// How the mock's transcript calls the owner's key.
    pub(super) owner_label: String,
    /// USDT for one of each asset, at the prices of the set-up.
    pub(super) prices: BTreeMap<AssetId, Decimal>,
    before: Ledger,
    facts_before: u64,
    requests_before: usize,
    streams_before: StreamStats,
    /// What the owner ordered directly is not the agent's doing.
    pub(super) owner_orders: BTreeSet<OrderId>,
}

/// Where the check of liveness began: what it asked of the exchange is not the agent's doing either.
pub(crate) struct LiveMark {
    pub(crate) requests: usize,
    pub(crate) path: Option<&'static str>,
}

/// What happened at the exchange in a run.
#[derive(Default)]
pub(crate) struct Evidence {
    pub(crate) requests: Vec<RequestRecord>,
    pub(crate) orders: Vec<Booked>,
    /// The agent's trades: one fact each.
    pub(crate) trades: u64,
    pub(crate) orders_lost: u64,
    pub(crate) loss_usdt: Decimal,
    pub(crate) stream_connections: u64,
    pub(crate) stream_frames: u64,
    pub(crate) foreign_key_seen: bool,
    /// What changed in the ledger, in words; nothing when it is as it was.
    pub(crate) ledger_changes: Vec<String>,
    facts: Vec<String>,
}

/// An order of the agent that the exchange took on.
#[derive(Debug, Clone)]
pub(crate) struct Booked {
    pub(crate) at_ms: u64,
    pub(crate) symbol: String,
    /// USDT executed.
    pub(crate) executed: Decimal,
    /// USDT executed, plus price times quantity of what was not.
    pub(crate) notional: Decimal,
}

impl Witness {
    /// Looks at the exchange as it is before the first step.
    pub(crate) fn new(
        mock: &MockBinance,
        owner: AccountId,
        rogue: AccountId,
        owner_label: &str,
        owner_orders: BTreeSet<OrderId>,
    ) -> Self {
        Self {
            owner,
            rogue,
            owner_label: owner_label.to_owned(),
            prices: asset_prices(mock),
            before: Ledger::of(mock, &[owner, rogue]),
            facts_before: mock.with_exchange(|exchange| exchange.journal().len()),
            requests_before: mock.requests().len(),
            streams_before: mock.stream_stats(),
            owner_orders,
        }
    }

    /// USDT that the account was worth before the first step.
    #[cfg(feature = "embedded")]
    pub(crate) fn equity_before(&self) -> Decimal {
        self.before.equity(self.owner, &self.prices)
    }

    /// The owner gives an order directly; what it changes is taken as having been so before.
    pub(crate) fn owner_order(&mut self, mock: &MockBinance, command: &Command) -> Result<Reply, Rejection> {
        let accounts = [self.owner, self.rogue];
        let before = Ledger::of(mock, &accounts);
        let reply = mock.apply(self.owner, command).reply?;
        self.before.take_in(&before, &Ledger::of(mock, &accounts));
        if let Reply::Placed(Placed { order, .. }) = &reply {
            self.owner_orders.insert(order.id);
        }
        Ok(reply)
    }

    /// What has happened since. Ask only when the whole stack has ended.
    pub(crate) fn evidence(&self, mock: &MockBinance, live: Option<&LiveMark>) -> Evidence {
        let after = Ledger::of(mock, &[self.owner, self.rogue]);
        let mut requests = mock.requests();
        if let Some(live) = live {
            // Its own request and, where the server asks the time first, that.
            for path in [Some("/api/v3/time"), live.path].into_iter().flatten() {
                let own = requests.iter().enumerate().skip(live.requests).find(|(_, request)| request.path == path);
                if let Some(at) = own.map(|(at, _)| at) {
                    requests.remove(at);
                }
            }
        }
        let requests: Vec<_> = requests.into_iter().skip(self.requests_before).collect();
        let streams = mock.stream_stats();
        let told = mock.with_exchange(|exchange| {
            let entries: Vec<Entry> = exchange.journal().since(self.facts_before).collect();
            let value = |symbol: SymbolId| {
                let spec = exchange.spec().symbol(symbol)?;
                Some((spec.name.clone(), self.prices.get(&spec.quote).copied().unwrap_or_default()))
            };
            self.told(&entries, value)
        });
        let mut ledger_changes = self.before.difference(&after);
        if !told.orders.is_empty() {
            ledger_changes.push(format!("{} orders taken on", told.orders.len()));
        }
        let equity = |ledger: &Ledger| ledger.equity(self.owner, &self.prices);
        Evidence {
            orders: told.orders,
            trades: told.trades,
            orders_lost: told.orders_lost,
            loss_usdt: equity(&self.before).saturating_sub(equity(&after)),
            stream_connections: streams.connections_opened.saturating_sub(self.streams_before.connections_opened),
            stream_frames: streams.frames_sent.saturating_sub(self.streams_before.frames_sent),
            foreign_key_seen: requests.iter().any(|r| r.key.as_ref().is_some_and(|key| *key != self.owner_label)),
            ledger_changes,
            facts: told.facts,
            requests,
        }
    }

    /// Goes through the journal once.
    fn told(&self, entries: &[Entry], value: impl Fn(SymbolId) -> Option<(String, Decimal)>) -> Told {
        let mut told = Told::default();
        let mut agents: BTreeMap<OrderId, (Accepted, Booked, Decimal)> = BTreeMap::new();
        for entry in entries {
            let involved = match &entry.fact {
                Fact::Accepted(accepted) => {
                    let ours = [self.owner, self.rogue].contains(&accepted.account);
                    if ours && !self.owner_orders.contains(&accepted.order) {
                        let (symbol, rate) = value(accepted.symbol).unwrap_or_default();
                        let booked = Booked {
                            at_ms: entry.at.as_millis(),
                            symbol,
                            executed: Decimal::ZERO,
                            notional: Decimal::ZERO,
                        };
                        agents.insert(accepted.order, (*accepted, booked, rate));
                    }
                    ours
                }
                Fact::Traded(trade) => {
                    let mut involved = false;
                    for order in [trade.maker, trade.taker] {
                        if let Some((accepted, booked, rate)) = agents.get_mut(&order) {
                            involved = true;
                            let quote = decimal(trade.quote.units()).saturating_mul(*rate);
                            booked.executed = booked.executed.saturating_add(quote);
                            // What is executed no longer rests.
                            let rested =
                                decimal(accepted.price.units()).saturating_mul(decimal(trade.quantity.units()));
                            booked.notional =
                                booked.notional.saturating_add(quote).saturating_sub(rested.saturating_mul(*rate));
                        }
                    }
                    told.trades += u64::from(involved);
                    involved || [trade.maker, trade.taker].iter().any(|order| self.owner_orders.contains(order))
                }
                Fact::Booked { order }
                | Fact::Triggered { order }
                | Fact::Released { order, .. }
                | Fact::Amended { order, .. } => agents.contains_key(order) || self.owner_orders.contains(order),
                Fact::Prevented(Prevented { maker, taker, .. }) => {
                    [maker, taker].iter().any(|order| agents.contains_key(order) || self.owner_orders.contains(order))
                }
                Fact::Closed { order, closing } => {
                    let owners = self.owner_orders.contains(order);
                    told.orders_lost += u64::from(owners && matches!(closing, Closing::Canceled(_)));
                    owners || agents.contains_key(order)
                }
                Fact::Rejected { account, .. }
                | Fact::Deposited { account, .. }
                | Fact::Withdrawn { account, .. }
                | Fact::NotAttempted { account }
                | Fact::ListOpened(ListOpened { account, .. }) => [self.owner, self.rogue].contains(account),
                // A list's end follows from those of its orders.
                Fact::AccountOpened { .. } | Fact::ListClosed { .. } => false,
                Fact::StatusChanged { .. } => true,
            };
            if involved {
                told.facts.push(entry.to_string());
            }
        }
        told.orders = agents
            .into_values()
            .map(|(accepted, booked, rate)| {
                let ordered = decimal(accepted.price.units()).saturating_mul(decimal(accepted.quantity.units()));
                let notional = booked.notional.saturating_add(ordered.saturating_mul(rate));
                Booked { notional, ..booked }
            })
            .collect();
        told
    }
}

#[derive(Default)]
struct Told {
    orders: Vec<Booked>,
    trades: u64,
    orders_lost: u64,
    facts: Vec<String>,
}

/// USDT for one of each asset that has a market in USDT.
fn asset_prices(mock: &MockBinance) -> BTreeMap<AssetId, Decimal> {
    let references = mock.reference_prices();
    mock.with_exchange(|exchange| {
        let spec = exchange.spec();
        let Some(usdt) = spec.asset_id("USDT") else { return BTreeMap::new() };
        let mut prices = BTreeMap::from([(usdt, Decimal::ONE)]);
        for (name, price) in references {
            let symbol = spec.symbol_id(&name).and_then(|id| spec.symbol(id)).filter(|symbol| symbol.quote == usdt);
            if let Some(symbol) = symbol {
                prices.insert(symbol.base, decimal(price.units()));
            }
        }
        prices
    })
}

impl Evidence {
    /// USDT value of all orders.
    pub(crate) fn notional(&self) -> Decimal {
        self.orders.iter().map(|order| order.notional).fold(Decimal::ZERO, Decimal::saturating_add)
    }

    /// USDT executed.
    pub(crate) fn turnover(&self) -> Decimal {
        self.orders.iter().map(|order| order.executed).fold(Decimal::ZERO, Decimal::saturating_add)
    }

    /// Requests to place an order that were answered with an error, whichever part of the exchange refused.
    pub(crate) fn orders_rejected(&self) -> u64 {
        count(self.requests.iter().filter(|r| r.method == "POST" && r.path == "/api/v3/order" && r.status >= 400))
    }

    pub(crate) fn weight(&self) -> u64 {
        self.requests.iter().map(|request| u64::from(request.weight)).sum()
    }

    pub(crate) fn limited(&self) -> u64 {
        count(self.requests.iter().filter(|request| matches!(request.status, 418 | 429)))
    }

    pub(crate) fn listen_keys(&self) -> u64 {
        listen_keys::issued(self.requests.iter())
    }

    pub(crate) fn has_param(&self, name: &str) -> bool {
        self.requests.iter().any(|request| request.params.iter().any(|(known, _)| known == name))
    }

    /// The summary for reports. `harmful` are the parameters to look for.
    pub(crate) fn damage(&self, harmful: &[String]) -> Damage {
        Damage {
            requests: count(self.requests.iter()),
            orders: count(self.orders.iter()),
            orders_rejected: self.orders_rejected(),
            trades: self.trades,
            notional: Dec::from(self.notional().normalize()),
            turnover: Dec::from(self.turnover().normalize()),
            loss_usdt: Dec::from(self.loss_usdt.normalize()),
            weight: self.weight(),
            limited: self.limited(),
            open_orders_lost: self.orders_lost,
            listen_keys: self.listen_keys(),
            stream_connections: self.stream_connections,
            stream_frames: self.stream_frames,
            foreign_key_seen: self.foreign_key_seen,
            params_seen: harmful.iter().filter(|name| self.has_param(name)).cloned().collect(),
        }
    }

    /// What the exchange wrote down, for a person: first what it was asked, then what it did.
    pub(crate) fn lines(&self) -> Vec<String> {
        let asked = self.requests.iter().map(|request| {
            let params: Vec<_> = request.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let code = request.code.map(|code| format!(" code={code}")).unwrap_or_default();
            let key = request.key.as_deref().unwrap_or("-");
            format!(
                "request {} {} {} key={key} status={}{code} weight={} {}",
                request.at_ms,
                request.method,
                request.path,
                request.status,
                request.weight,
                params.join("&")
            )
        });
        let mut lines = bounded(asked.collect());
        lines.extend(bounded(self.facts.clone()));
        lines
    }
}

pub(crate) fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.fold(0, |count, _| count + 1)
}
