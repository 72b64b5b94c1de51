//! Reservations on disk, seen from the gateway.

use crate::support::{Bench, POLICY, START_MS, call};
use mcp_gateway::{Durability, Gateway, GatewayConfig, Identity, Ledger, MemoryAudit, Outbox, Session, StateDir};
use mcp_policy::{Guard, Policy};
use serde_json::{Value, json};

/// A gateway that takes up what the one before left on disk.
fn gateway(state: Option<&StateDir>, now: u64) -> Gateway {
    let mut guard = Guard::new(Policy::parse(POLICY).unwrap());
    let mut config = GatewayConfig::new(std::sync::Arc::new(move || now), MemoryAudit::new(), "fixture");
    if let Some(state) = state {
        let mut ledger = Ledger::open(state, "fixture").unwrap();
        assert_eq!(ledger.refill(&mut guard, now).unwrap(), 0);
        config.ledger = Some(ledger);
    }
    Gateway::new(guard, config)
}

fn passes(gateway: &Gateway, tool: &str, now: u64) -> bool {
    let mut session = Session::new(gateway.clone(), Identity::new("agent", "s"));
    let mut out = Outbox::default();
    session.from_client(call(1, tool, json!({})).as_bytes(), now, &mut out);
    !out.to_upstream.pending().is_empty()
}

#[test]
fn a_restart_forgets_nothing_that_was_charged() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::new(folder.path(), Durability::Power).unwrap();
    let hour = 3_600_000;
    let passed = |state: Option<&StateDir>, now: u64| passes(&gateway(state, now), "twice", now);
    let with: Vec<bool> = (0..4).map(|n| passed(Some(&state), START_MS + n)).collect();
    assert_eq!(with, [true, true, false, false]);
    assert!(passed(Some(&state), START_MS + hour), "the first has left the window");
    assert!(!passed(Some(&state), START_MS + hour));
    // Without the ledger each process starts from nothing: the check would be seen to fail.
    assert_eq!((0..4).map(|n| passed(None, START_MS + n)).collect::<Vec<_>>(), [true; 4]);
}

#[test]
fn what_never_left_is_given_back_on_disk_too() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::new(folder.path(), Durability::Process).unwrap();
    for _ in 0..5 {
        let gateway = gateway(Some(&state), START_MS);
        let mut session = Session::new(gateway, Identity::new("agent", "s"));
        let mut out = Outbox::default();
        session.from_client(call(1, "twice", json!({})).as_bytes(), START_MS, &mut out);
        assert!(!out.to_upstream.pending().is_empty());
        session.upstream_lost(&mut out);
    }
    assert!(Ledger::open(&state, "fixture").unwrap().reserved(START_MS).unwrap().is_empty());
}

#[test]
fn a_store_that_takes_nothing_denies_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("state");
    let state = StateDir::new(&here, Durability::Process).unwrap();
    let ledger = Ledger::open(&state, "fixture").unwrap();
    let bench = Bench::with(|config| config.ledger = Some(ledger));
    let gateway = bench.gateway.clone();
    // The folder is gone, as with a disk that was taken away.
    let away = folder.path().join("away");
    std::fs::rename(&here, &away).unwrap();
    let mut session = Session::new(gateway.clone(), Identity::new("agent", "s"));
    let mut out = Outbox::default();
    session.from_client(call(1, "twice", json!({})).as_bytes(), START_MS, &mut out);
    assert!(out.to_upstream.pending().is_empty());
    let told: Value = serde_json::from_slice(out.to_client.pending()).unwrap();
    assert_eq!(told["result"]["structuredContent"]["reason"], "store_unavailable");
    assert_eq!(bench.last_audit()["reason"], "store_unavailable");
    // What is charged to nobody needs no store.
    assert!(passes(&gateway, "echo", START_MS));
    std::fs::rename(&away, &here).unwrap();
    assert!(passes(&gateway, "twice", START_MS), "it is there again, and the denied call was charged to nobody");
}

/// A gateway over orders that takes up what the one before left on disk.
fn desk(state: &StateDir) -> Gateway {
    let policy = r#"{"version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {
        "bn_new_order": {"open_orders": [{"max": 2}]},
        "bn_ping": {"error_streak": [{"max": 2, "window": "hour", "pause": "hour"}], "concurrency": [{"max": 1}]},
        "bn_server_time": {"cooldown": [{"after": "denial", "window": "hour"}]}}}"#;
    let mut guard = Guard::new(Policy::parse(policy).unwrap());
    let mut ledger = Ledger::open(state, "desk").unwrap();
    ledger.refill(&mut guard, START_MS).unwrap();
    let mut config = GatewayConfig::new(std::sync::Arc::new(|| START_MS), MemoryAudit::new(), "desk");
    config.ledger = Some(ledger);
    Gateway::new(guard, config)
}

/// Asks, and answers with `result` if the call passes; then the process ends. The folder as it is found then, and the
/// reason of a denial.
fn asked(
    folder: &tempfile::TempDir,
    tool: &str,
    arguments: &Value,
    result: Option<&Value>,
) -> (tempfile::TempDir, Option<String>) {
    let gateway = desk(&StateDir::new(folder.path(), Durability::Process).unwrap());
    let mut session = Session::new(gateway, Identity::new("agent", "s"));
    let mut out = Outbox::default();
    session.from_client(call(1, tool, arguments.clone()).as_bytes(), START_MS, &mut out);
    let reason = if let Ok(forwarded) = serde_json::from_slice::<Value>(out.to_upstream.pending()) {
        if let Some(result) = result {
            let answer = json!({"jsonrpc": "2.0", "id": forwarded["id"], "result": result});
            session.from_upstream(answer.to_string().as_bytes(), &mut out);
        }
        None
    } else {
        let told: Value = serde_json::from_slice(out.to_client.pending()).unwrap();
        Some(told["result"]["structuredContent"]["reason"].as_str().unwrap().to_owned())
    };
    // Before the session settles what is under way, which a process that is killed does not.
    let found = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), found.path().join(file.file_name())).unwrap();
    }
    (found, reason)
}

#[test]
fn a_restart_forgets_no_order_and_no_failure() {
    let mut folder = tempfile::tempdir().unwrap();
    let order = json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                       "quantity": "0.01", "price": "60000.00"});
    let told = |id: u64, status: &str, filled: &str| json!({"content": [], "structuredContent": {"orderId": id, "status": status, "executedQty": filled}});
    let (new, filled) = (told(7, "NEW", "0"), told(8, "FILLED", "0.01"));
    let (failed, none) = (json!({"content": [], "isError": true}), json!({}));
    let undeclared = json!({"undeclared": 1});
    for (tool, arguments, result, expected) in [
        ("bn_new_order", &order, Some(&new), None),
        ("bn_new_order", &order, Some(&filled), None),
        ("bn_new_order", &order, None, None),
        ("bn_new_order", &order, None, Some("open_orders")),
        ("bn_ping", &none, Some(&failed), None),
        ("bn_ping", &none, None, None),
        ("bn_ping", &none, Some(&failed), None),
        ("bn_ping", &none, None, Some("error_streak")),
        ("bn_server_time", &undeclared, None, Some("undeclared_argument")),
        ("bn_server_time", &none, None, Some("cooling_down")),
    ] {
        let (found, reason) = asked(&folder, tool, arguments, result);
        assert_eq!(reason.as_deref(), expected, "{tool}");
        folder = found;
    }
}
