//! Parallel calls in every order that threads can come to: what is let through never exceeds a limit.
//!
//! A gateway judges and settles under one lock, and does everything else outside of it. Here that lock is one of a model
//! checker (shuttle), which runs each test once for each order in which the threads can come to it.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use mcp_policy::{Call, Decision, Guard, Outcome, Permit, Policy, Reason, Settlement, Timestamp};
use serde_json::{Map, Value, json};
use shuttle::scheduler::DfsScheduler;
use shuttle::sync::{Arc, Mutex, MutexGuard};
use shuttle::{Config, Runner, thread};

/// Runs a test once for each order, and fails if there are more than it looks at.
fn every_order(test: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    // A guard needs more stack than the checker's threads have.
    config.stack_size = 1 << 20;
    let orders = Runner::new(DfsScheduler::new(Some(ORDERS_MAX), false), config).run(test);
    assert!(orders < ORDERS_MAX, "not every order was looked at");
    assert!(orders > 1, "there is no order to choose");
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

/// More than any of these tests has.
const ORDERS_MAX: usize = 200_000;

fn arguments(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap()
}

/// A guard behind the checker's lock, and what is on its way or booked.
struct World {
    guard: Mutex<Guard>,
    /// Units that calls were let through with and that did not come back unused. No lock of the checker's, so that it is
    /// not one more place at which threads change.
    out: AtomicU64,
}

impl World {
    fn new(text: &str) -> Arc<Self> {
        Arc::new(Self { guard: Mutex::new(Guard::new(policy(text))), out: AtomicU64::new(0) })
    }

    fn guard(&self) -> MutexGuard<'_, Guard> {
        self.guard.lock().unwrap()
    }

    /// Judges a call as a gateway does, and counts it before anybody else can be judged.
    fn admit(&self, tool: &str, grant: &str, args: &Map<String, Value>, units: u64, most: u64) -> Option<Permit> {
        let call = Call { tool, arguments: args, grant, session: grant };
        let mut guard = self.guard();
        match guard.admit(&call, Timestamp::from_millis(1)) {
            Decision::Allow(permit) => {
                let out = self.out.fetch_add(units, SeqCst) + units;
                assert!(out <= most, "{out} are out, and at most {most} may be");
                Some(permit)
            }
            Decision::Deny(_) => None,
            Decision::Escalate(_) => panic!("nobody is asked here"),
        }
    }

    /// The call is over. Only what never left comes back, and it is gone before its room is given to another.
    fn settle(&self, permit: Permit, settlement: Settlement<'_>, units: u64) {
        let mut guard = self.guard();
        if settlement.outcome() == Outcome::NeverSent {
            self.out.fetch_sub(units, SeqCst);
        }
        guard.settle(permit, settlement);
    }
}

const CALLS: &str = r#"{ "version": "2", "default": "deny", "manifest": { "pay": { "arguments": [] } }, "tools": { "pay": { "limits": [
    { "counter": "pays", "window": "minute", "max": 1, "scope": "server" } ] } } }"#;

/// Two agents, one place; one of them finds that its call never left, and the other may have its place.
#[test]
fn calls_never_exceed_their_limit_whoever_comes_first() {
    every_order(|| {
        let world = World::new(CALLS);
        let threads: Vec<_> = [Outcome::Unknown, Outcome::NeverSent]
            .into_iter()
            .enumerate()
            .map(|(n, outcome)| {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    let grant = format!("agent-{n}");
                    if let Some(permit) = world.admit("pay", &grant, &Map::new(), 1, 1) {
                        world.settle(permit, Settlement::new(outcome), 1);
                    }
                })
            })
            .collect();
        join(threads);
        // Whatever the order, the place is left exactly if the one whose call may have arrived did not get it.
        let used = usize::try_from(world.out.load(SeqCst)).unwrap();
        let left = (0..2).filter(|_| world.admit("pay", "late", &Map::new(), 1, 1).is_some()).count();
        assert_eq!(left, 1 - used);
    });
}

const BUDGET: &str = r#"{ "version": "2", "default": "deny", "manifest": { "pay": { "arguments": ["amount"] } }, "tools": { "pay": { "limits": [
    { "counter": "paid", "window": "day", "of": "args.amount", "max": "1000", "scope": "organisation" } ] } } }"#;

/// Payments of different worth share a budget while its document is replaced under them.
#[test]
fn a_budget_is_not_overspent_while_the_policy_is_replaced() {
    every_order(|| {
        let world = World::new(BUDGET);
        let threads: Vec<_> = [("600", 600, Outcome::Unknown), ("500", 500, Outcome::NeverSent)]
            .into_iter()
            .map(|(amount, units, outcome)| {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    let args = arguments(&json!({ "amount": amount }));
                    if let Some(permit) = world.admit("pay", amount, &args, units, 1000) {
                        world.settle(permit, Settlement::new(outcome), units);
                    }
                })
            })
            .collect();
        // Another rule first, so that the counter has another place.
        let other = BUDGET.replace(
            r#""limits": ["#,
            r#""limits": [ { "counter": "calls", "window": "minute", "max": 9, "scope": "grant" },"#,
        );
        world.guard().replace(policy(&other));
        join(threads);
    });
}

const ONE_OPEN: &str = r#"{ "version": "2", "default": "deny", "manifest": "binance-mcp",
    "tools": { "bn_new_order": { "open_orders": [{ "max": 1 }], "concurrency": [{ "max": 2 }] } } }"#;

/// One order may be open. Two agents of the same grant place one each; that of the first is filled at once.
#[test]
fn an_order_counts_as_open_from_before_it_leaves_until_it_is_told_to_be_over() {
    every_order(|| {
        let world = World::new(ONE_OPEN);
        let threads: Vec<_> = [json!({ "orderId": 1, "status": "FILLED", "executedQty": "0.01" }), Value::Null]
            .into_iter()
            .map(|result| {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    let args = arguments(&json!({
                        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                        "quantity": "0.01", "price": "100"
                    }));
                    let call = Call { tool: "bn_new_order", arguments: &args, grant: "desk", session: "s" };
                    let decision = world.guard().admit(&call, Timestamp::from_millis(1));
                    match decision {
                        Decision::Allow(permit) => {
                            assert_eq!(world.out.fetch_add(1, SeqCst), 0, "two orders are open");
                            if result.is_null() {
                                // Nobody knows what came of it: it stays open.
                                world.guard().settle(permit, Outcome::Unknown);
                            } else {
                                world.out.fetch_sub(1, SeqCst);
                                let settled = Settlement::new(Outcome::Succeeded).with_value(&result);
                                world.guard().settle(permit, settled);
                            }
                        }
                        Decision::Deny(denial) => assert_eq!(denial.reason, Reason::OpenOrders),
                        Decision::Escalate(_) => panic!("nobody is asked here"),
                    }
                })
            })
            .collect();
        join(threads);
    });
}

/// Of a guard that judges in one step and charges in another the checker finds the order that breaks it: what the tests
/// above hold is held by them.
#[test]
fn a_guard_that_charges_later_is_found_out() {
    let found = std::panic::catch_unwind(|| {
        every_order(|| {
            let world = World::new(CALLS);
            let threads: Vec<_> = (0..2)
                .map(|n| {
                    let world = Arc::clone(&world);
                    thread::spawn(move || {
                        let grant = format!("agent-{n}");
                        let args = Map::new();
                        let call = Call { tool: "pay", arguments: &args, grant: &grant, session: &grant };
                        // Looks, lets go of the lock, and believes what it saw.
                        let free = {
                            let explained = world.guard().explain(&call, Timestamp::from_millis(1));
                            explained.refusals.is_empty() && world.out.load(SeqCst) < 1
                        };
                        if free {
                            drop(world.guard());
                            assert!(world.out.fetch_add(1, SeqCst) < 1, "two calls have one place");
                        }
                    })
                })
                .collect();
            join(threads);
        });
    });
    assert!(found.is_err(), "the checker did not find two calls in one place");
}
