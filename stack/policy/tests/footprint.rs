//! What a decision allocates, and what the guard remembers weighs.
//!
//! `cargo test -p mcp-policy --test footprint -- --nocapture` prints the figures. Allocations are counted for this
//! thread. Some calls find a table full, and which ones depends on the hash: the median is the same in every run.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use allocation_counter::{AllocationInfo, measure};
use mcp_policy::{Call, Decision, Guard, Outcome, Policy, Settlement, Timestamp};
use serde_json::{Map, Value, json};

const SHIPPED: &str = include_str!("../../../scenarios/policies/binance.json");

fn arguments(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn guard(text: &str) -> Guard {
    Guard::new(Policy::parse(text).unwrap())
}

fn order(side: &str) -> Map<String, Value> {
    arguments(&json!({
        "symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC",
        "quantity": "0.00600", "price": "59000.00", "newClientOrderId": "grid-1"
    }))
}

fn admit(guard: &mut Guard, call: &Call<'_>, now: u64, settled: Settlement<'_>) {
    match guard.admit(call, Timestamp::from_millis(now)) {
        Decision::Allow(permit) => guard.settle(permit, settled),
        other => panic!("expected an admission, got {other:?}"),
    }
}

/// What a call allocates when every table has grown to its size: the median of the last thousand.
fn allocations(tool: &str, arguments: [&Map<String, Value>; 2], step_ms: u64, result: Option<&Value>) -> u64 {
    let mut guard = guard(SHIPPED);
    let settled = match result {
        Some(value) => Settlement::new(Outcome::Succeeded).with_value(value),
        None => Outcome::Succeeded.into(),
    };
    let mut now = 0;
    let mut counts = Vec::new();
    for turn in 0..3_000 {
        now += step_ms;
        let arguments = arguments.get(turn % 2).unwrap();
        let call = Call { tool, arguments, grant: "desk", session: "s-1" };
        counts.push(measure(|| admit(&mut guard, &call, now, settled)).count_total);
    }
    let mut last = counts.split_off(2_000);
    *last.select_nth_unstable(500).1
}

#[test]
fn a_decision_allocates_little() {
    let filled = json!({ "orderId": 1, "clientOrderId": "grid-1", "status": "FILLED", "executedQty": "0.00600000" });
    let (buy, sell) = (order("BUY"), order("SELL"));
    let symbol = arguments(&json!({ "symbol": "BTCUSDT" }));
    let none = Map::new();
    for (what, count, most) in [
        (
            "LIMIT order, settled, every window made anew",
            allocations("bn_new_order", [&buy, &sell], 9_000_000, Some(&filled)),
            30,
        ),
        ("read", allocations("bn_ticker_price", [&symbol, &symbol], 2_100, None), 8),
        ("ping", allocations("bn_ping", [&none, &none], 2_100, None), 8),
    ] {
        println!("{what}: {count} allocations");
        assert!(count <= most, "{what}: {count} allocations, and at most {most} were meant");
    }
}

/// What one more owner weighs, over many of them.
fn weight(document: &str, owners: u64, each: impl Fn(&mut Guard, &str)) -> u64 {
    let mut guard = guard(document);
    let names: Vec<String> = (0..owners).map(|n| format!("grant-{n:06}")).collect();
    let AllocationInfo { bytes_current, .. } = measure(|| names.iter().for_each(|name| each(&mut guard, name)));
    u64::try_from(bytes_current).unwrap() / owners
}

#[test]
fn what_is_remembered_weighs_little() {
    let none = Map::new();
    let ping = |guard: &mut Guard, grant: &str| {
        let call = Call { tool: "t", arguments: &none, grant, session: "s" };
        admit(guard, &call, 1, Outcome::Succeeded.into());
    };
    let calls = r#"{ "version": "2", "default": "deny", "manifest": { "t": { "arguments": [] } },
        "tools": { "t": { "limits": [{ "counter": "c", "window": "day", "max": 100, "scope": "grant" }] } } }"#;
    let counter = weight(calls, 20_000, ping);
    // A day of an agent that spends a little in every granule of its window: the most that a counter can hold.
    let budget = r#"{ "version": "2", "default": "deny", "manifest": { "t": { "arguments": ["amount"] } },
        "tools": { "t": { "limits": [{ "counter": "c", "window": "day", "of": "args.amount", "max": "1000000", "scope": "grant" }] } } }"#;
    let amount = arguments(&json!({ "amount": "1" }));
    let mut full = guard(budget);
    let fullest = measure(|| {
        for minute in 0..100_000 {
            let call = Call { tool: "t", arguments: &amount, grant: "desk", session: "s" };
            admit(&mut full, &call, minute * 1_000, Outcome::Succeeded.into());
        }
    });
    let open = r#"{ "version": "2", "default": "deny", "manifest": "binance-mcp",
        "tools": { "bn_new_order": { "open_orders": [{ "max": 100 }] } } }"#;
    let place = |times: u64| {
        weight(open, 500, |guard, grant| {
            for number in 0..times {
                let mut buy = order("BUY");
                buy.insert("newClientOrderId".to_owned(), json!(format!("grid-{number}")));
                let rests = json!({
                    "orderId": 4_711_000_000_u64 + number, "clientOrderId": format!("grid-{number}"), "status": "NEW",
                    "executedQty": "0.00000000"
                });
                let call = Call { tool: "bn_new_order", arguments: &buy, grant, session: "s" };
                admit(guard, &call, 1, Settlement::new(Outcome::Succeeded).with_value(&rests));
            }
        })
    };
    let (one, many) = (place(1), place(61));
    for (what, bytes, most) in [
        ("a counter of calls with one call", counter, 400),
        (
            "a budget of a day that is spent in every second",
            u64::try_from(fullest.bytes_current).unwrap(),
            65_536 + 600,
        ),
        ("a grant with one open order", one, 4_600),
        ("each further open order of it", (many - one) / 60, 700),
    ] {
        println!("{what}: {bytes} bytes");
        assert!(bytes <= most, "{what}: {bytes} bytes, and at most {most} were meant");
    }
}
