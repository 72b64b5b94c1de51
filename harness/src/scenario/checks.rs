//! What must be true after a run. Everything that is given must hold; what is left out is not asked.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Args, Bound, Count, Dec, DecBound, Span};

/// What must be true after a run, as seen from each place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// At the exchange: the witness.
    #[serde(skip_serializing_if = "is_default")]
    pub exchange: ExchangeCheck,
    /// At the agent: what it was told.
    #[serde(skip_serializing_if = "is_default")]
    pub agent: AgentCheck,
    /// Between the gateway and the MCP server.
    #[serde(skip_serializing_if = "is_default")]
    pub upstream: UpstreamCheck,
    /// In the gateway's audit.
    #[serde(skip_serializing_if = "is_default")]
    pub audit: AuditCheck,
    /// A call that the gateway must still answer when all is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveCheck>,
    /// Further texts that must be absent from every byte sent to the agent and from the audit. Keys and secrets
    /// of the run are always checked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
}

/// What the exchange saw, from its own transcript and journal, from the first step on. What the setup and
/// `owner_order` steps did is not counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExchangeCheck {
    /// REST requests of any kind, refused ones too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Count>,
    /// REST requests that carried a signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_requests: Option<Count>,
    /// Requests of a certain kind, counted each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<RequestCheck>,
    /// Orders that the exchange accepted, from whatever account except the owner's own doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders_booked: Option<Count>,
    /// Orders accepted, by symbol.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub orders_by_symbol: BTreeMap<String, Count>,
    /// Orders that the exchange itself rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders_rejected: Option<Count>,
    /// Trades of the agent's orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trades: Option<Count>,
    /// USDT value of all orders booked: what was executed, plus price times quantity of what was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notional: Option<DecBound>,
    /// USDT value of what was executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turnover: Option<DecBound>,
    /// The owner's equity in USDT at the setup's prices, before less after: what the account lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_usdt: Option<DecBound>,
    /// Request weight burned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<Count>,
    /// Requests that the exchange answered with 429 or 418.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited: Option<Count>,
    /// Orders of the owner (setup and `owner_order` steps) that the agent cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_orders_lost: Option<Count>,
    /// Distinct listen keys issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen_keys: Option<Count>,
    /// User data stream connections accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_connections: Option<Count>,
    /// Frames sent on user data streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_frames: Option<Count>,
    /// Whether a request came with an API key other than the owner's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign_key_seen: Option<bool>,
    /// Parameter names that must have reached the exchange.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub params_seen: Vec<String>,
    /// Parameter names that must not have reached the exchange.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub params_absent: Vec<String>,
    /// Balances, open orders and the next order id, compared before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Ledger>,
    /// Bounds that must hold in every rolling window of a length, wherever it starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any_window: Vec<WindowCheck>,
    /// Further REST paths that may be seen, beyond those of the tools that the script names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_paths: Vec<String>,
}

/// Requests of one kind and how many there must be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestCheck {
    /// The method; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path, for example `/api/v3/order`.
    pub path: String,
    /// Parameters that the request must have carried, compared as texts.
    #[serde(default)]
    pub params: Args,
    /// How many such requests.
    pub count: Count,
}

/// Whether the ledger changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ledger {
    /// Balances, open orders and the next order id are what they were.
    Unchanged,
    /// At least one of them is not.
    Changed,
}

/// What must hold in every rolling window of a length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowCheck {
    /// The length of the window.
    pub window: Span,
    /// Orders booked within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<Count>,
    /// Requests within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Count>,
    /// Request weight within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Count>,
}

/// What the agent was told. Every call and every frame that asks for an answer counts once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AgentCheck {
    /// Answers without `isError`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Count>,
    /// Denials by the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<Count>,
    /// Errors from behind the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Count>,
    /// JSON-RPC errors: refused frames and methods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Count>,
    /// Frames that were not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<Count>,
    /// Rules, each of which must have denied at least once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Reason codes, each of which must have been given at least once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Tools that `tools/list` must show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<String>,
    /// Tools that `tools/list` must not show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hides: Vec<String>,
    /// Bytes sent to the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Count>,
}

/// What passed between the gateway and the MCP server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamCheck {
    /// `tools/call` frames that reached the MCP server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<Count>,
    /// Tools that the gateway may call for itself, such as those that tell a price. Only tools that are open to
    /// everybody; their requests may then be seen at the exchange.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub own_calls: Vec<String>,
}

/// What the gateway wrote down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditCheck {
    /// All lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Count>,
    /// Lines whose decision is to allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Count>,
    /// Lines whose decision is to deny.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<Count>,
    /// Lines that tell which rules in shadow would have refused the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadowed: Option<Count>,
    /// Policies by which something was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Count>,
    /// Whether the chain of the records is whole: nothing in it was changed, taken out or put in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_whole: Option<bool>,
}

/// A call that the gateway must still answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveCheck {
    /// The tool, for example `bn_ping`.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Args,
}

impl RequestCheck {
    fn ceiling(&self) -> Option<Self> {
        ceiling(Some(&self.count)).map(|count| Self { count, ..self.clone() })
    }
}

impl ExchangeCheck {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The upper bounds in it: what a run in which nothing at all happens meets.
    #[must_use]
    pub fn ceilings(&self) -> Self {
        let count = |bound: &Option<Count>| ceiling(bound.as_ref());
        let amount = |bound: &Option<DecBound>| ceiling(bound.as_ref());
        Self {
            requests: count(&self.requests),
            signed_requests: count(&self.signed_requests),
            seen: self.seen.iter().filter_map(RequestCheck::ceiling).collect(),
            orders_booked: count(&self.orders_booked),
            orders_by_symbol: self
                .orders_by_symbol
                .iter()
                .filter_map(|(symbol, bound)| Some((symbol.clone(), ceiling(Some(bound))?)))
                .collect(),
            orders_rejected: count(&self.orders_rejected),
            trades: count(&self.trades),
            notional: amount(&self.notional),
            turnover: amount(&self.turnover),
            loss_usdt: amount(&self.loss_usdt),
            weight: count(&self.weight),
            limited: count(&self.limited),
            open_orders_lost: count(&self.open_orders_lost),
            listen_keys: count(&self.listen_keys),
            stream_connections: count(&self.stream_connections),
            stream_frames: count(&self.stream_frames),
            foreign_key_seen: self.foreign_key_seen.filter(|seen| !seen),
            params_seen: Vec::new(),
            params_absent: self.params_absent.clone(),
            ledger: self.ledger.filter(|ledger| *ledger == Ledger::Unchanged),
            any_window: self
                .any_window
                .iter()
                .map(|window| WindowCheck {
                    window: window.window,
                    orders: count(&window.orders),
                    requests: count(&window.requests),
                    weight: count(&window.weight),
                })
                .collect(),
            other_paths: self.other_paths.clone(),
        }
    }

    /// Whether a run in which nothing at all happens would meet everything that is asked. Such harm proves
    /// nothing, and [`lint_case`](super::lint_case) refuses it.
    pub fn holds_when_idle(&self) -> bool {
        let counts = [
            &self.requests,
            &self.signed_requests,
            &self.orders_booked,
            &self.orders_rejected,
            &self.trades,
            &self.weight,
            &self.limited,
            &self.open_orders_lost,
            &self.listen_keys,
            &self.stream_connections,
            &self.stream_frames,
        ];
        let nought = |count: &Option<Count>| count.as_ref().is_none_or(|count| count.holds(&0));
        let amounts = [&self.notional, &self.turnover, &self.loss_usdt];
        let nothing = |amount: &Option<DecBound>| amount.as_ref().is_none_or(|amount| amount.holds(&Dec::zero()));
        counts.into_iter().all(nought)
            && amounts.into_iter().all(nothing)
            && self.seen.iter().all(|seen| seen.count.holds(&0))
            && self.orders_by_symbol.values().all(|count| count.holds(&0))
            && self.any_window.iter().all(|w| nought(&w.orders) && nought(&w.requests) && nought(&w.weight))
            && self.foreign_key_seen != Some(true)
            && self.params_seen.is_empty()
            && self.ledger != Some(Ledger::Changed)
    }
}

impl Expect {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What of it is asked of a gateway that has its own words and its own policy: what happened, and not which rule
    /// denied, how often, or what was written down. Of an attack the upper bounds are left, for to stop more of it is no
    /// breach.
    #[must_use]
    pub fn effects(&self, honest: bool) -> Self {
        Self {
            exchange: if honest { self.exchange.clone() } else { self.exchange.ceilings() },
            agent: AgentCheck { bytes: ceiling(self.agent.bytes.as_ref()), ..AgentCheck::default() },
            upstream: UpstreamCheck {
                calls: ceiling(self.upstream.calls.as_ref()).filter(|_| !honest),
                own_calls: self.upstream.own_calls.clone(),
            },
            audit: AuditCheck::default(),
            live: self.live.clone(),
            absent: self.absent.clone(),
        }
    }
}

fn ceiling<T: Clone>(bound: Option<&Bound<T>>) -> Option<Bound<T>> {
    bound.and_then(Bound::max).cloned().map(Bound::at_most)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_attack_the_upper_bounds_are_effects_and_of_honest_work_all_that_happened() {
        let expect = Expect {
            exchange: ExchangeCheck {
                requests: Some(Count::exactly(2)),
                orders_booked: Some(Count::at_least(1)),
                ledger: Some(Ledger::Changed),
                params_seen: vec!["side".to_owned()],
                params_absent: vec!["icebergQty".to_owned()],
                foreign_key_seen: Some(false),
                ..ExchangeCheck::default()
            },
            agent: AgentCheck {
                denied: Some(Count::exactly(1)),
                rules: vec!["/r".to_owned()],
                ..AgentCheck::default()
            },
            upstream: UpstreamCheck { calls: Some(Count::exactly(1)), own_calls: Vec::new() },
            audit: AuditCheck { lines: Some(Count::exactly(3)), ..AuditCheck::default() },
            live: None,
            absent: vec!["a text".to_owned()],
        };
        let attack = expect.effects(false);
        let ceilings = ExchangeCheck {
            requests: Some(Count::at_most(2)),
            params_absent: vec!["icebergQty".to_owned()],
            foreign_key_seen: Some(false),
            ..ExchangeCheck::default()
        };
        assert_eq!(attack.exchange, ceilings);
        assert!(attack.exchange.holds_when_idle(), "to stop everything is no breach");
        assert_eq!(attack.upstream.calls, Some(Count::at_most(1)));
        let honest = expect.effects(true);
        assert_eq!(honest.exchange, expect.exchange);
        for effects in [attack, honest] {
            assert_eq!((effects.agent, effects.audit), (AgentCheck::default(), AuditCheck::default()));
            assert_eq!(effects.absent, expect.absent);
        }
    }
}
