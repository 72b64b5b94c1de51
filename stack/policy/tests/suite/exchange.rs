//! The rules over orders against a made-up exchange: whatever it does and whatever it tells, no more orders are really
//! open, and no position is really further away, than the policy says.

use mcp_policy::{Decision, Outcome, Permit, Settlement};
#[cfg(feature = "mutants")]
use mcp_policy::{Guard, Mutation};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::desk::{desk, order};
use crate::notes::Kept;
use crate::support::ask;
#[cfg(feature = "mutants")]
use crate::support::policy;

const OPEN_MAX: usize = 4;
/// In hundredths of a bitcoin.
const EXPOSURE_MAX: i64 = 20;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Happens {
    /// A call that places an order, and what becomes of it.
    Place {
        buy: bool,
        hundredths: i64,
        price: u64,
        named: bool,
        fate: Fate,
    },
    /// The exchange fills part of an open order, and tells nobody.
    Fill {
        which: prop::sample::Index,
        hundredths: i64,
    },
    /// The exchange closes an order by itself.
    Expire(prop::sample::Index),
    Cancel {
        which: prop::sample::Index,
        fate: Fate,
    },
    Query {
        which: prop::sample::Index,
        fate: Fate,
    },
    List {
        fate: Fate,
    },
    CancelAll {
        fate: Fate,
    },
    Wait(u64),
}

/// What becomes of a call: whether the exchange carries it out, and what the guard is told.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Told,
    /// It succeeded, and the guard sees nothing of the answer.
    Untold,
    Refused,
    LostDone,
    LostUndone,
    FailedDone,
    NeverSent,
    /// The gateway dies while the call is on its way, and another takes up what was noted.
    DiesDone,
    DiesUndone,
}

impl Fate {
    fn is_done(self) -> bool {
        matches!(self, Self::Told | Self::Untold | Self::LostDone | Self::FailedDone | Self::DiesDone)
    }
}

#[derive(Debug)]
struct Order {
    id: u64,
    name: Option<String>,
    buy: bool,
    price: u64,
    quantity: i64,
    filled: i64,
    open: bool,
    at: u64,
}

impl Order {
    fn told(&self) -> Value {
        let status = match (self.open, self.filled) {
            (true, 0) => "NEW",
            (true, _) => "PARTIALLY_FILLED",
            (false, filled) if filled == self.quantity => "FILLED",
            (false, _) => "CANCELED",
        };
        let name = self.name.clone().unwrap_or_else(|| format!("x-{}", self.id));
        json!({ "symbol": "BTCUSDT", "orderId": self.id, "clientOrderId": name, "origClientOrderId": name, "status": status, "time": self.at,
                "executedQty": format!("{}.{:02}000000", self.filled / 100, self.filled % 100) })
    }
}

#[derive(Default)]
struct Exchange {
    orders: Vec<Order>,
}

impl Exchange {
    fn open(&self) -> usize {
        self.orders.iter().filter(|order| order.open).count()
    }

    fn position(&self) -> i64 {
        self.orders.iter().map(|order| if order.buy { order.filled } else { -order.filled }).sum()
    }

    fn crosses(&self, buy: bool, price: u64) -> bool {
        self.orders.iter().any(|order| {
            order.open && order.buy != buy && if buy { price >= order.price } else { price <= order.price }
        })
    }
}

fn document() -> Value {
    desk(&json!({
        "bn_new_order": { "open_orders": [ { "max": OPEN_MAX } ], "exposure": [ { "asset": "BTC", "max": "0.2" } ],
                          "no_self_cross": true },
        "bn_cancel_order": {}, "bn_query_order": {}, "bn_open_orders": {}, "bn_cancel_all_orders": {} }))
}

fn settle(kept: &mut Kept, permit: Permit, fate: Fate, value: &Value, now: u64) {
    kept.note();
    if matches!(fate, Fate::DiesDone | Fate::DiesUndone) {
        drop(permit);
        return kept.die(now);
    }
    let guard = &mut kept.guard;
    let refused = json!({ "error": { "outcomeUnknown": false } });
    let open = json!({ "error": { "outcomeUnknown": true } });
    match fate {
        Fate::Told => guard.settle(permit, Settlement::new(Outcome::Succeeded).with_value(value)),
        Fate::Untold => guard.settle(permit, Outcome::Succeeded),
        Fate::Refused => guard.settle(permit, Settlement::new(Outcome::Failed).with_value(&refused)),
        Fate::LostDone | Fate::LostUndone => guard.settle(permit, Outcome::Unknown),
        Fate::FailedDone => guard.settle(permit, Settlement::new(Outcome::Failed).with_value(&open)),
        Fate::NeverSent => guard.settle(permit, Outcome::NeverSent),
        Fate::DiesDone | Fate::DiesUndone => {}
    }
    kept.note();
}

/// Plays it all, and returns what really went too far, if anything did, and how many orders were placed.
fn play(kept: &mut Kept, happens: &[Happens]) -> (Option<String>, usize) {
    let mut exchange = Exchange::default();
    let (mut now, mut placed) = (0, 0);
    for (step, next) in happens.iter().enumerate() {
        now += 1;
        match next {
            Happens::Wait(ms) => now += ms,
            Happens::Place { buy, hundredths, price, named, fate } => {
                let name = named.then(|| format!("n-{step}"));
                let mut changes = json!({ "side": if *buy { "BUY" } else { "SELL" }, "price": price.to_string(),
                    "quantity": format!("{}.{:02}", hundredths / 100, hundredths % 100) });
                if let Some(name) = &name {
                    changes["newClientOrderId"] = json!(name);
                }
                let Decision::Allow(permit) = order(&changes).of(&mut kept.guard, now) else { continue };
                placed += 1;
                if fate.is_done() && exchange.crosses(*buy, *price) {
                    return (Some(format!("step {step}: an order meets an own one")), placed);
                }
                let id = step as u64;
                let new =
                    Order { id, name, buy: *buy, price: *price, quantity: *hundredths, filled: 0, open: true, at: now };
                let value = new.told();
                if fate.is_done() {
                    exchange.orders.push(new);
                }
                settle(kept, permit, *fate, &value, now);
            }
            Happens::Fill { which, hundredths } if !exchange.orders.is_empty() => {
                let index = which.index(exchange.orders.len());
                let order = &mut exchange.orders[index];
                if order.open {
                    order.filled = (order.filled + hundredths).min(order.quantity);
                    order.open = order.filled < order.quantity;
                }
            }
            Happens::Expire(which) if !exchange.orders.is_empty() => {
                let index = which.index(exchange.orders.len());
                exchange.orders[index].open = false;
            }
            Happens::Cancel { which, fate } | Happens::Query { which, fate } if !exchange.orders.is_empty() => {
                let index = which.index(exchange.orders.len());
                let target = &mut exchange.orders[index];
                let is_cancel = matches!(next, Happens::Cancel { .. });
                // The exchange refuses to cancel what is over.
                let fate = if is_cancel && !target.open && fate.is_done() { Fate::Refused } else { *fate };
                let tool = if is_cancel { "bn_cancel_order" } else { "bn_query_order" };
                let call = ask(tool).with(json!({ "symbol": "BTCUSDT", "orderId": target.id }));
                let permit = call.allowed(&mut kept.guard, now);
                if is_cancel && fate.is_done() {
                    target.open = false;
                }
                let value = target.told();
                settle(kept, permit, fate, &value, now);
            }
            Happens::List { fate } => {
                let permit = ask("bn_open_orders").with(json!({ "symbol": "BTCUSDT" })).allowed(&mut kept.guard, now);
                let items: Vec<Value> = exchange.orders.iter().filter(|order| order.open).map(Order::told).collect();
                settle(kept, permit, *fate, &json!({ "items": items }), now);
            }
            Happens::CancelAll { fate } => {
                let permit =
                    ask("bn_cancel_all_orders").with(json!({ "symbol": "BTCUSDT" })).allowed(&mut kept.guard, now);
                let mut items = Vec::new();
                for order in exchange.orders.iter_mut().filter(|order| order.open && fate.is_done()) {
                    order.open = false;
                    items.push(order.told());
                }
                settle(kept, permit, *fate, &json!({ "items": items }), now);
            }
            _ => {}
        }
        if exchange.open() > OPEN_MAX {
            return (Some(format!("step {step}: {} orders are open", exchange.open())), placed);
        }
        if exchange.position().abs() > EXPOSURE_MAX {
            return (Some(format!("step {step}: the position is {}", exchange.position())), placed);
        }
    }
    (None, placed)
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Told),
        1 => Just(Fate::Untold),
        1 => Just(Fate::Refused),
        1 => Just(Fate::LostDone),
        1 => Just(Fate::LostUndone),
        1 => Just(Fate::FailedDone),
        1 => Just(Fate::NeverSent),
        1 => Just(Fate::DiesDone),
        1 => Just(Fate::DiesUndone),
    ]
}

fn happens() -> impl Strategy<Value = Happens> {
    let which = any::<prop::sample::Index>;
    prop_oneof![
        6 => (any::<bool>(), 1_i64..12, 59_000_u64..61_000, any::<bool>(), fate())
            .prop_map(|(buy, hundredths, price, named, fate)| Happens::Place { buy, hundredths, price, named, fate }),
        4 => (which(), 1_i64..12).prop_map(|(which, hundredths)| Happens::Fill { which, hundredths }),
        1 => which().prop_map(Happens::Expire),
        2 => (which(), fate()).prop_map(|(which, fate)| Happens::Cancel { which, fate }),
        2 => (which(), fate()).prop_map(|(which, fate)| Happens::Query { which, fate }),
        1 => fate().prop_map(|fate| Happens::List { fate }),
        1 => fate().prop_map(|fate| Happens::CancelAll { fate }),
        1 => (0_u64..90_000).prop_map(Happens::Wait),
    ]
}

fn history() -> impl Strategy<Value = Vec<Happens>> {
    prop::collection::vec(happens(), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1500), ..ProptestConfig::default() })]

    #[test]
    fn nothing_really_goes_further_than_the_policy_says(history in history()) {
        let (too_far, _) = play(&mut Kept::new(&document()), &history);
        prop_assert_eq!(too_far, None);
    }
}

/// Nothing is proved by a guard that lets nothing through: most of what is asked for passes.
#[test]
fn the_histories_place_orders() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let placed: usize = (0..200)
        .map(|_| play(&mut Kept::new(&document()), &history().new_tree(&mut runner).unwrap().current()).1)
        .sum();
    assert!(placed > 400, "{placed}");
}

/// The exchange notices a guard that does not look back.
#[cfg(feature = "mutants")]
#[test]
fn the_exchange_notices_a_guard_without_a_memory() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let noticed = (0..200).any(|_| {
        let history = history().new_tree(&mut runner).unwrap().current();
        let mutant = |document: &Value| Guard::mutant(policy(document), Mutation::IgnoreSequences);
        play(&mut Kept::made_by(&document(), mutant), &history).0.is_some()
    });
    assert!(noticed);
}

/// The exchange notices a gateway that takes up nothing.
#[test]
fn the_exchange_notices_a_process_that_forgets() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let noticed = (0..200).any(|_| {
        let history = history().new_tree(&mut runner).unwrap().current();
        play(&mut Kept { forgets: true, ..Kept::new(&document()) }, &history).0.is_some()
    });
    assert!(noticed);
}
