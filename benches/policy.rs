//! What a decision costs: the shipped policy, and how the cost grows with rules and grants.
//!
//! `cargo bench --bench policy`

#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a bench")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use mcp_policy::{Call, Decision, Guard, Outcome, Policy, Settlement, Timestamp};
use serde_json::{Map, Value, json};

const SHIPPED: &str = include_str!("../scenarios/policies/binance-v1.json");
const SHIPPED_2: &str = include_str!("../scenarios/policies/binance.json");

fn arguments(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => panic!("arguments are an object"),
    }
}

fn order() -> Map<String, Value> {
    arguments(json!({
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "quantity": "0.01000", "price": "59000.00", "newClientOrderId": "grid-1"
    }))
}

/// Admits and settles one call; the bench is worthless if the call is denied, so that is checked.
fn admit(guard: &mut Guard, call: &Call<'_>, now: Timestamp) {
    match guard.admit(black_box(call), now) {
        Decision::Allow(permit) => guard.settle(permit, Outcome::Succeeded),
        other => panic!("expected an admission, got {other:?}"),
    }
}

/// A document with `tools` tools, each with the rules of a small order policy and a counter of its own.
fn document(tools: usize) -> String {
    let mut text = String::from(r#"{"version":"1","default":"deny","tools":{"#);
    for tool in 0..tools {
        let comma = if tool == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}"tool_{tool}":{{"require":[{{"path":"args.symbol","op":"in","value":["BTCUSDT","ETHUSDT"]}}],
            "deny_if":[{{"conditions":[{{"path":"args.quantity","op":"gt","value":"0.05"}}],"on_deny":"too much"}}],
            "limits":[{{"counter":"calls_{tool}","window":"minute","max":30,"scope":"grant"}}]}}"#
        )
        .expect("writing to a string");
    }
    text.push_str("}}");
    text
}

/// The same call every so often. The windows are as full as they get at this pace, and nothing is denied.
fn steady(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    document: &str,
    (tool, arguments): (&str, &Map<String, Value>),
    step_ms: u64,
) {
    let mut guard = Guard::new(Policy::parse(document).expect("the shipped policy is valid"));
    let mut now = 0;
    let call = Call { tool, arguments, grant: "desk", session: "s-1" };
    group.bench_function(name, |b| {
        b.iter(|| {
            now += step_ms;
            admit(&mut guard, &call, Timestamp::from_millis(now));
        });
    });
}

fn shipped(c: &mut Criterion) {
    let mut group = c.benchmark_group("policy/admit");
    let calls = [
        // The daily limit on orders wants a day between every two hundred.
        ("shipped limit order", "bn_new_order", order(), 440_000),
        ("shipped read", "bn_ticker_price", arguments(json!({ "symbol": "BTCUSDT" })), 1_500),
        ("shipped ping", "bn_ping", Map::new(), 1_000),
    ];
    for (name, tool, arguments, step_ms) in calls {
        steady(&mut group, name, SHIPPED, (tool, &arguments), step_ms);
    }
    let mut guard = Guard::new(Policy::parse(SHIPPED).expect("the shipped policy is valid"));
    let mut over = order();
    over.insert("quantity".to_owned(), json!("1.5"));
    let call = Call { tool: "bn_new_order", arguments: &over, grant: "desk", session: "s-1" };
    group.bench_function("shipped denial", |b| {
        b.iter(|| match guard.admit(black_box(&call), Timestamp::from_millis(0)) {
            Decision::Deny(denial) => denial,
            other => panic!("expected a denial, got {other:?}"),
        });
    });
    group.finish();
}

/// The shipped policy of version "2": facts, digests, a register of orders, breakers and budgets.
fn shipped_2(c: &mut Criterion) {
    let mut group = c.benchmark_group("policy/admit");
    let reads = [
        ("version 2 read", "bn_ticker_price", arguments(json!({ "symbol": "BTCUSDT" })), 2_100),
        ("version 2 ping", "bn_ping", Map::new(), 2_100),
    ];
    for (name, tool, arguments, step_ms) in reads {
        steady(&mut group, name, SHIPPED_2, (tool, &arguments), step_ms);
    }

    // Bought and sold in turn, so that the position stays where it is, and far enough apart for every limit: every window
    // has run out by then and is made anew, which is the dearest that a call can be.
    let filled = json!({ "orderId": 1, "clientOrderId": "grid-1", "status": "FILLED", "executedQty": "0.00600000" });
    let orders = ["BUY", "SELL"].map(|side| {
        arguments(json!({
            "symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC",
            "quantity": "0.00600", "price": "59000.00", "newClientOrderId": "grid-1"
        }))
    });
    for (name, with_settlement) in [("version 2 limit order", false), ("version 2 limit order, settled", true)] {
        let mut guard = Guard::new(Policy::parse(SHIPPED_2).expect("the shipped policy is valid"));
        let (mut now, mut turn) = (0, 0);
        group.bench_function(name, |b| {
            b.iter_custom(|times| {
                let mut taken = Duration::ZERO;
                for _ in 0..times {
                    now += 9_000_000;
                    turn = 1 - turn;
                    let call = Call { tool: "bn_new_order", arguments: &orders[turn], grant: "desk", session: "s-1" };
                    let started = Instant::now();
                    let decision = guard.admit(black_box(&call), Timestamp::from_millis(now));
                    let judged = started.elapsed();
                    let Decision::Allow(permit) = decision else { panic!("expected an admission, got {decision:?}") };
                    guard.settle(permit, Settlement::new(Outcome::Succeeded).with_value(&filled));
                    taken += if with_settlement { started.elapsed() } else { judged };
                }
                taken
            });
        });
    }

    let mut guard = Guard::new(Policy::parse(SHIPPED_2).expect("the shipped policy is valid"));
    let mut over = orders[0].clone();
    over.insert("quantity".to_owned(), json!("1.5"));
    let call = Call { tool: "bn_new_order", arguments: &over, grant: "desk", session: "s-1" };
    group.bench_function("version 2 denial", |b| {
        b.iter(|| match guard.admit(black_box(&call), Timestamp::from_millis(0)) {
            Decision::Deny(denial) => denial,
            other => panic!("expected a denial, got {other:?}"),
        });
    });
    group.finish();
}

fn growth(c: &mut Criterion) {
    let mut group = c.benchmark_group("policy/growth");
    for size in [10_usize, 1_000, 100_000] {
        let policy = document(size);
        let args = arguments(json!({ "symbol": "BTCUSDT", "quantity": "0.01" }));
        let middle = format!("tool_{}", size / 2);

        let mut guard = Guard::new(Policy::parse(&policy).expect("a valid document"));
        let mut now = 0;
        let call = Call { tool: &middle, arguments: &args, grant: "desk", session: "s-1" };
        group.bench_function(BenchmarkId::new("rules", size), |b| {
            b.iter(|| {
                now += 2_100;
                admit(&mut guard, &call, Timestamp::from_millis(now));
            });
        });

        // One rule, many grants, each with a live counter. A day's window keeps them alive for the whole run.
        let day = r#"{"version":"1","default":"deny","tools":{"tool":{
            "require":[{"path":"args.symbol","op":"in","value":["BTCUSDT","ETHUSDT"]}],
            "deny_if":[{"conditions":[{"path":"args.quantity","op":"gt","value":"0.05"}]}],
            "limits":[{"counter":"calls","window":"day","max":4000,"scope":"grant"}]}}}"#;
        let mut guard = Guard::new(Policy::parse(day).expect("a valid document"));
        let grants: Vec<String> = (0..size).map(|n| format!("grant-{n}")).collect();
        for grant in &grants {
            let call = Call { tool: "tool", arguments: &args, grant, session: "s-1" };
            admit(&mut guard, &call, Timestamp::from_millis(1));
        }
        let mut now = 1;
        let mut turn = 0;
        group.bench_function(BenchmarkId::new("grants", size), |b| {
            b.iter(|| {
                turn = (turn + 7_919) % grants.len();
                now += 25_000;
                let call = Call { tool: "tool", arguments: &args, grant: &grants[turn], session: "s-1" };
                admit(&mut guard, &call, Timestamp::from_millis(now));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, shipped, shipped_2, growth);
criterion_main!(benches);
