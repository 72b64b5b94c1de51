//! The audit: complete, bounded, silent about values, and in the way of calls that it cannot take.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Bench, answer, call};
use mcp_gateway::{AuditKey, MAX_LINE_BYTES};
use proptest::prelude::*;
use serde_json::{Value, json};

#[tokio::test]
async fn a_call_that_cannot_be_recorded_is_not_made() {
    let full = Arc::new(AtomicBool::new(false));
    let disk = full.clone();
    let bench = Bench::with(|config| {
        config.audit =
            Box::new(
                move |_: &str| {
                    if disk.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
                },
            );
    });
    let mut rig = bench.open("s");
    full.store(true, Ordering::SeqCst);
    for n in 0..5 {
        rig.client.send(&call(n, "twice", json!({}))).await;
        let told = rig.client.next().await;
        assert_eq!(told["result"]["isError"], true);
        assert_eq!(told["result"]["structuredContent"]["reason"], "audit_unavailable");
        // Denials of the policy stay what they are.
        rig.client.send(&call(n, "withdraw", json!({}))).await;
        assert_eq!(rig.client.next().await["result"]["structuredContent"]["reason"], "not_available");
    }
    rig.nothing_reached_the_server().await;
    // None of the five was charged: both calls of the limit are still there.
    full.store(false, Ordering::SeqCst);
    for n in 0..2 {
        rig.client.send(&call(n, "twice", json!({}))).await;
        let frame = rig.server.next().await;
        rig.server.send(&answer(&frame["id"], "done")).await;
        assert_eq!(rig.client.next().await["id"], n);
    }
}

#[tokio::test]
async fn the_line_is_written_before_the_call_leaves() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    rig.client.send(&call(1, "echo", json!({}))).await;
    // Read at the moment in which the server sees the call.
    rig.server.next().await;
    let line = bench.last_audit();
    assert_eq!(
        line,
        json!({"ts_ms": crate::support::START_MS, "seq": 1, "decision": "allow", "grant": "agent", "session": "s",
            "server": "fixture", "id": 1, "method": "tools/call", "tool": "echo",
            "policy": mcp_gateway::policy_digest(crate::support::POLICY), "rule": "/tools/echo",
            "args": 0, "arg_keys": []})
    );
}

#[tokio::test]
async fn what_became_of_a_call_is_on_record() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    for n in 1..=4 {
        rig.client.send(&call(n, "echo", json!({}))).await;
    }
    let frames = [rig.server.next().await, rig.server.next().await, rig.server.next().await, rig.server.next().await];
    bench.advance_ms(25);
    rig.server.send(&answer(&frames[0]["id"], "done")).await;
    rig.client.next().await;
    let failed = json!({"jsonrpc": "2.0", "id": frames[1]["id"], "result": {"content": [], "isError": true}});
    rig.server.send(&failed.to_string()).await;
    rig.client.next().await;
    let error = json!({"jsonrpc": "2.0", "id": frames[2]["id"], "error": {"code": -32603, "message": "m"}});
    rig.server.send(&error.to_string()).await;
    rig.client.next().await;
    drop(rig.server);
    rig.client.next().await;
    let outcomes: Vec<Value> =
        bench.audit.all().iter().skip(4).map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcome = |seq: u64, outcome: &str| {
        json!({"ts_ms": crate::support::START_MS + 25, "seq": seq, "outcome": outcome, "grant": "agent", "session": "s",
            "server": "fixture", "tool": "echo", "latency_ms": 25})
    };
    let mut third = outcome(3, "failed");
    third["error_code"] = json!(-32603);
    assert_eq!(outcomes, [outcome(1, "succeeded"), outcome(2, "failed"), third, outcome(4, "unknown")]);
}

#[tokio::test]
async fn what_the_limits_were_charged_is_on_record() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    for (n, used) in [(1, "1"), (2, "2")] {
        rig.client.send(&call(n, "twice", json!({}))).await;
        rig.server.next().await;
        let charge = json!({"limit": "/tools/twice/limits/0", "amount": "1", "used": used, "max": "2"});
        assert_eq!(bench.last_audit()["charges"], json!([charge]));
    }
}

#[test]
fn values_are_shown_where_the_policy_says_so_and_nowhere_else() {
    let policy = r#"{"version": "2", "default": "deny", "manifest": "binance-mcp",
        "tools": {"bn_new_order": {"audit": {"show": ["symbol", "quantity"]}}, "bn_ticker_price": {}}}"#;
    let audit = mcp_gateway::MemoryAudit::new();
    let config = mcp_gateway::GatewayConfig::new(std::sync::Arc::new(|| 1), audit.clone(), "fixture");
    let guard = mcp_policy::Guard::new(mcp_policy::Policy::parse(policy).unwrap());
    let gateway = mcp_gateway::Gateway::new(guard, config);
    let mut session = mcp_gateway::Session::new(gateway, mcp_gateway::Identity::new("agent", "s"));
    let mut out = mcp_gateway::Outbox::default();
    let order = json!({"symbol": "BTC\u{1b}[2J\n", "quantity": "9".repeat(10_000), "price": "canary"});
    session.from_client(call(1, "bn_new_order", order).as_bytes(), 1, &mut out);
    session.from_client(call(2, "bn_ticker_price", json!({"symbol": "canary"})).as_bytes(), 1, &mut out);
    session.from_client(call(3, "bn_new_order", json!({"symbol": ["a"]})).as_bytes(), 1, &mut out);
    let lines = audit.lines();
    assert!(lines.iter().all(|line| !line.contains("canary") && line.len() < MAX_LINE_BYTES), "{lines:?}");
    let read: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read[0]["shown"]["symbol"], "BTC\u{1b}[2J\n");
    assert!(lines[0].contains(r"BTC\u001b[2J\u000a") && lines[0].contains("...(+99"), "{}", lines[0]);
    assert_eq!((read[1].get("shown"), &read[2]["shown"]), (None, &json!({"symbol": "[an array]"})));
}

#[tokio::test]
async fn whatever_an_agent_sends_is_one_line_without_values() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    let forged = "echo\"}\n{\"seq\":1,\"decision\":\"allow\",\"tool\":\"withdraw\"}\u{1b}[2J\u{202e}";
    let long = "k".repeat(100_000);
    let keys: Value =
        (0..5000).map(|n| (format!("{n}{forged}"), json!("canary-value"))).collect::<serde_json::Map<_, _>>().into();
    for (id, tool, arguments) in [
        (json!(forged), forged, json!({forged: "canary-value"})),
        (json!(2), "echo\u{7f}\u{85}\u{2028}", keys),
        (json!(3), long.as_str(), json!({long.as_str(): {"deep": "canary-value"}})),
        (json!(4), "withdraw", json!({"a": "canary-value".repeat(50_000)})),
    ] {
        rig.client.send(&call(id.clone(), tool, arguments)).await;
        assert_eq!(rig.client.next().await["id"], id);
    }
    // Ten megabytes of arguments are more than a frame may hold; refusals are recorded, too.
    rig.client.send(&call(5, "echo", json!({"a": "canary-value".repeat(870_000)}))).await;
    rig.client.next().await;
    rig.client.send(&format!("{{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":{},\"params\":{{}}}}", json!(forged))).await;
    rig.client.next().await;

    let lines = bench.audit.lines();
    assert_eq!(lines.len(), 6);
    for (at, line) in lines.iter().enumerate() {
        assert!(line.len() <= MAX_LINE_BYTES, "{}", line.len());
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
        assert!(!line.contains("canary"), "{line}");
        let read: Value = serde_json::from_str(line).unwrap();
        assert_eq!(read["seq"], at + 1);
        assert_ne!(read["decision"], "allow");
    }
    assert_eq!(bench.audit()[0]["tool"].as_str().unwrap(), forged);
    assert_eq!(bench.audit()[1]["args"], 5000);
}

#[tokio::test]
async fn defect_14_equal_arguments_have_equal_digests_under_a_key_only() {
    let keyed = Bench::with(|config| config.audit_key = Some(AuditKey::new(&[7; 32]).unwrap()));
    let plain = Bench::new();
    let digest = async |bench: &Bench, arguments: &str| {
        let mut rig = bench.open("s");
        rig.client
            .send(&format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"withdraw","arguments":{arguments}}}}}"#
            ))
            .await;
        rig.client.next().await;
        bench.last_audit()["args_hmac_sha256"].clone()
    };
    let first = digest(&keyed, r#"{"a":"1","b":{"c":[1,2]}}"#).await;
    assert_eq!(first.as_str().unwrap().len(), 64);
    assert_eq!(first, digest(&keyed, r#"{ "b":{"c":[1, 2]}, "\u0061":"1"}"#).await);
    assert_ne!(first, digest(&keyed, r#"{"a":"1","b":{"c":[2,1]}}"#).await);
    assert_eq!(digest(&plain, r#"{"a":"1"}"#).await, Value::Null);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_call_leaves_exactly_one_line(tool in any::<String>(), key in "[^\0]*", id in any::<String>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let mut rig = bench.open("s");
            rig.client.send(&call(id.clone(), &tool, json!({key: 1}))).await;
            let told = rig.client.next().await;
            let too_long = id.len() > mcp_gateway::MAX_ID_BYTES;
            assert_eq!(told["id"], if too_long { Value::Null } else { json!(id) });
            assert_eq!(bench.audit().len(), 1);
        });
    }
}
