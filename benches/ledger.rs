//! What it costs to put calls on disk before they leave: those that arrive together, each with a commit of its own or
//! sharing one, and with or without waiting for the disk.
//!
//! `cargo bench --bench ledger`

#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a bench")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mcp_gateway::{Durability, Gateway, GatewayConfig, Identity, Ledger, Outbox, Session, StateDir};
use mcp_policy::{Guard, Policy};
use serde_json::json;
use tokio::runtime::Runtime;

/// One limit and one order that is remembered, none of which is ever in the way.
const POLICY: &str = r#"{"version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {"bn_new_order": {
    "limits": [{"counter": "orders", "window": "minute", "max": 1000000000}], "open_orders": [{"max": 900}]}}}"#;

/// What is on disk before a call leaves.
#[derive(Debug, Clone, Copy)]
enum Kept {
    Nothing,
    Each(Durability),
    Together(Durability),
}

fn session(kept: Kept, folder: &tempfile::TempDir) -> Session {
    let clock = AtomicU64::new(1_767_571_200_000);
    let clock = Arc::new(move || clock.fetch_add(1, Ordering::Relaxed));
    let mut guard = Guard::new(Policy::parse(POLICY).expect("the policy is valid"));
    let mut config = GatewayConfig::new(clock, |_: &str| Ok(()), "bench");
    if let Kept::Each(durability) | Kept::Together(durability) = kept {
        let state = StateDir::new(folder.path(), durability).expect("a folder");
        let mut ledger = Ledger::open(&state, "bench").expect("a ledger");
        ledger.refill(&mut guard, 0).expect("an empty one");
        let together = matches!(kept, Kept::Together(_));
        config.ledger = Some(if together { ledger.in_groups().expect("a thread") } else { ledger });
    }
    Session::new(Gateway::new(guard, config), Identity::new("desk", "s-1"))
}

/// So many orders at once, until all have left and were answered as filled.
async fn orders(session: &mut Session, out: &mut Outbox, count: u64, now: u64) {
    for id in 0..count {
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "bn_new_order",
            "arguments": {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                          "quantity": "0.01000", "price": "59000.00"}}});
        session.from_client(call.to_string().as_bytes(), now, out);
    }
    let sent = |out: &Outbox| out.to_upstream.pending().split(|byte| *byte == b'\n').count() as u64 - 1;
    while sent(out) < count {
        std::future::poll_fn(|cx| session.poll_held(cx, out)).await;
    }
    let frames = out.to_upstream.pending().to_vec();
    out.to_upstream.advance(frames.len());
    for frame in frames.split(|byte| *byte == b'\n').filter(|frame| !frame.is_empty()) {
        let frame: serde_json::Value = serde_json::from_slice(frame).expect("a frame");
        let result = json!({"content": [], "structuredContent":
            {"orderId": frame["id"], "status": "FILLED", "executedQty": "0.01000000"}});
        session
            .from_upstream(json!({"jsonrpc": "2.0", "id": frame["id"], "result": result}).to_string().as_bytes(), out);
    }
    out.to_client.advance(out.to_client.pending().len());
}

fn ledger(c: &mut Criterion) {
    let runtime: Runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for count in [1, 64] {
        let mut group = c.benchmark_group(format!("ledger/{count}"));
        group.throughput(Throughput::Elements(count));
        for (name, kept) in [
            ("nothing", Kept::Nothing),
            ("process, each", Kept::Each(Durability::Process)),
            ("process, together", Kept::Together(Durability::Process)),
            ("power, each", Kept::Each(Durability::Power)),
            ("power, together", Kept::Together(Durability::Power)),
        ] {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on a disk");
            let mut session = session(kept, &folder);
            let (mut out, mut now) = (Outbox::default(), 1_767_571_200_000);
            group.bench_function(name, |b| {
                b.iter(|| {
                    now += 100;
                    runtime.block_on(orders(&mut session, &mut out, count, now));
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, ledger);
criterion_main!(benches);
