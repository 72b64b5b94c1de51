//! How a stack stands before the first call, and what it came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;

use crate::report::{amount, count, damage_words, plural};
use crate::run::Stage;
use crate::scenario::{Dec, ExchangeSetup, UtcTime};
use crate::verdict::Damage;
use crate::witness::decimal;

/// How everything stands before the first call.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// The digest of the policy, as the audit names it.
    pub policy: String,
    /// How many of the tools the policy shows to an agent.
    pub tools_shown: usize,
    /// How many tools there are.
    pub tools: usize,
    /// The account's free balances.
    pub balances: BTreeMap<String, Dec>,
    /// The price of each symbol that has a market.
    pub prices: BTreeMap<String, Dec>,
    /// What the account is worth at those prices, in USDT.
    pub equity: Dec,
    /// How many orders of the owner rest in the books.
    pub open_orders: usize,
    /// The seed of books and credentials.
    pub seed: u64,
    /// The exchange's time, milliseconds since the epoch.
    pub now_ms: u64,
    /// The exchange's REST, recorded where there is a tape.
    pub rest: String,
    /// The exchange's streams, recorded where there is a tape.
    pub ws: String,
    /// Where the clock is moved, when it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
}

impl Standing {
    pub(super) fn new(
        stage: &Stage,
        exchange: &ExchangeSetup,
        rest_url: &str,
        tools_shown: usize,
        policy: String,
    ) -> Self {
        let exact = |price: Decimal| Dec::from(price.normalize());
        let prices = stage.mock.reference_prices().into_iter();
        Self {
            policy,
            tools_shown,
            tools: binance_mcp::tools().len(),
            balances: exchange.balances.clone(),
            prices: prices.map(|(symbol, price)| (symbol, exact(decimal(price.units())))).collect(),
            equity: exact(stage.witness.equity_before()),
            open_orders: stage.named_orders.len().max(exchange.open_orders.len()),
            seed: exchange.seed,
            now_ms: stage.mock.clock().now_ms(),
            rest: rest_url.to_owned(),
            ws: rest_url.replacen("http", "ws", 1),
            control: stage.mock.control_url(),
        }
    }

    /// For a person.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let pairs = |of: &BTreeMap<String, Dec>, turn: fn(&str, &Dec) -> String| {
            of.iter().map(|(name, number)| turn(name, number)).collect::<Vec<_>>().join(", ")
        };
        let balances = pairs(&self.balances, |asset, free| format!("{} {asset}", free.text()));
        let orders = match self.open_orders {
            0 => String::new(),
            open => format!("; {} open", plural(u64::try_from(open).unwrap_or(u64::MAX), "order", "orders")),
        };
        let _ = writeln!(text, "  policy    {}, shows {} of {} tools", self.policy, self.tools_shown, self.tools);
        let _ = writeln!(text, "  account   {balances}; worth {} USDT{orders}", amount(self.equity.value()));
        let _ =
            writeln!(text, "  market    {}", pairs(&self.prices, |symbol, price| format!("{symbol} {}", price.text())));
        let _ = writeln!(text, "  exchange  {} and {}", self.rest, self.ws);
        match &self.control {
            Some(control) => {
                let _ =
                    writeln!(text, "  clock     stands at {}; {control} moves it", UtcTime::from_millis(self.now_ms));
            }
            None => text.push_str("  clock     the machine's\n"),
        }
        text
    }
}

/// What a rule, or the gateway itself, stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// How often.
    pub calls: u64,
    /// What the agent was told the first time.
    pub message: String,
}

/// What a stack came to.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Tool calls that were decided.
    pub calls: u64,
    /// Those that passed.
    pub allowed: u64,
    /// Those that did not, by the rule, or by the reason where no rule did it.
    pub denied: BTreeMap<String, Denied>,
    /// Frames that were refused without asking the policy.
    pub refused: u64,
    /// What the exchange booked.
    pub exchange: Damage,
    /// The account's balances, free and locked together.
    pub balances: BTreeMap<String, Dec>,
    /// The tape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tape: Option<PathBuf>,
}

impl Summary {
    pub(super) fn new(stage: &Stage, tally: &Tally, tape: Option<PathBuf>) -> Self {
        let counts = tally.lock();
        Self {
            calls: counts.calls,
            allowed: counts.allowed,
            denied: counts.denied.clone(),
            refused: counts.refused,
            exchange: stage.witness.evidence(&stage.mock, None).damage(&[]),
            balances: balances(stage),
            tape,
        }
    }

    /// For a person.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let denied: u64 = self.denied.values().map(|denied| denied.calls).sum();
        let _ = write!(
            text,
            "{}: {} allowed, {} denied",
            plural(self.calls, "call", "calls"),
            count(self.allowed),
            count(denied)
        );
        if self.refused > 0 {
            let _ = write!(text, "; {} refused", plural(self.refused, "frame", "frames"));
        }
        text.push('\n');
        for (rule, denied) in &self.denied {
            let _ = writeln!(text, "  {:>6} x {rule}  {}", count(denied.calls), denied.message);
        }
        let _ = writeln!(text, "the exchange booked: {}", damage_words(&self.exchange).join(", "));
        let balances: Vec<_> =
            self.balances.iter().map(|(asset, amount)| format!("{} {asset}", amount.text())).collect();
        let _ = writeln!(text, "the account has: {}", balances.join(", "));
        if let Some(tape) = &self.tape {
            let _ = writeln!(text, "tape: {}", tape.display());
        }
        text
    }
}

/// What the owner has by asset, free and locked together.
fn balances(stage: &Stage) -> BTreeMap<String, Dec> {
    let Some(owner) = stage.mock.account_id(&stage.owner.api_key) else { return BTreeMap::new() };
    stage.mock.with_exchange(|exchange| {
        let named = exchange.balances(owner).into_iter().filter_map(|balance| {
            let units = balance.free.units().saturating_add(balance.locked.units());
            let name = exchange.spec().asset(balance.asset)?.to_owned();
            (units != 0).then(|| (name, Dec::from(decimal(units).normalize())))
        });
        named.collect()
    })
}

/// Counts what the audit tells. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    calls: u64,
    allowed: u64,
    denied: BTreeMap<String, Denied>,
    refused: u64,
}

impl Tally {
    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line of the audit.
    pub(super) fn take(&self, line: &str) {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return };
        let field = |name: &str| line.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let mut counts = self.lock();
        match field("decision") {
            Some("refuse") => counts.refused += 1,
            Some("allow") => {
                counts.calls += 1;
                counts.allowed += 1;
            }
            _ => {
                counts.calls += 1;
                let by = field("rule").or_else(|| field("reason")).unwrap_or("the gateway").to_owned();
                let denied = counts.denied.entry(by).or_default();
                denied.calls += 1;
                if denied.message.is_empty() {
                    field("message").unwrap_or_default().clone_into(&mut denied.message);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_is_counted_by_rule() {
        let tally = Tally::default();
        for line in [
            r#"{"decision":"allow","tool":"a"}"#,
            r#"{"decision":"deny","tool":"a","rule":"/x","reason":"r","message":"no"}"#,
            r#"{"decision":"deny","tool":"b","rule":"/x","reason":"r","message":"again no"}"#,
            r#"{"decision":"escalate","tool":"b","rule":"/y","reason":"approval_required","message":"ask"}"#,
            r#"{"decision":"deny","tool":"b","reason":"audit_unavailable","message":"broken"}"#,
            r#"{"decision":"refuse","reason":"duplicate_key"}"#,
            "no JSON",
        ] {
            tally.take(line);
        }
        let counts = tally.lock();
        assert_eq!((counts.calls, counts.allowed, counts.refused), (5, 1, 1));
        let denied: Vec<_> =
            counts.denied.iter().map(|(rule, denied)| format!("{rule} {} {}", denied.calls, denied.message)).collect();
        assert_eq!(denied, ["/x 2 no", "/y 1 ask", "audit_unavailable 1 broken"]);
    }
}
