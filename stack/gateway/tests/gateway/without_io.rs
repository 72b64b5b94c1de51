//! Sessions without IO: what one does follows from what it is handed, and from nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::{Bench, call};
use mcp_gateway::{GatewayLimits, Identity, Outbox, Session};
use serde_json::{Value, json};

fn open(bench: &Bench) -> (Session, Outbox) {
    (Session::new(bench.gateway.clone(), Identity::new("agent", "s")), Outbox::default())
}

/// The last frame that the client was told.
fn told(out: &Outbox) -> Value {
    let text = std::str::from_utf8(out.to_client.pending()).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

fn reason(out: &Outbox) -> Value {
    told(out)["result"]["structuredContent"]["reason"].clone()
}

#[test]
fn a_session_needs_no_runtime() {
    let bench = Bench::new();
    let (mut session, mut out) = open(&bench);
    session.from_client(call("a", "echo", json!({})).as_bytes(), 1, &mut out);
    session.from_client(call("b", "echo", json!({})).as_bytes(), 2, &mut out);
    assert_eq!(session.waited_for(), 2);
    let length = out.to_upstream.pending().len();
    assert!(out.to_client.pending().is_empty());
    out.to_upstream.advance(length / 2);
    session.upstream_lost(&mut out);
    let told = String::from_utf8(out.to_client.pending().to_vec()).unwrap();
    let reasons: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["result"]["structuredContent"]["reason"].clone())
        .collect();
    assert_eq!(reasons, ["outcome_unknown", "not_sent"]);
    assert_eq!(bench.audit().iter().map(|line| line["ts_ms"].clone()).collect::<Vec<_>>(), [1, 2]);
    session.from_client(call("c", "echo", json!({})).as_bytes(), 3, &mut out);
    let told = String::from_utf8(out.to_client.pending().to_vec()).unwrap();
    assert!(told.lines().last().unwrap().contains("server_gone"));
}

#[test]
fn a_session_that_is_dropped_keeps_its_charges() {
    let bench = Bench::new();
    let (mut session, mut out) = open(&bench);
    session.from_client(call(1, "twice", json!({})).as_bytes(), 1, &mut out);
    session.from_client(call(2, "twice", json!({})).as_bytes(), 2, &mut out);
    drop(session);
    let (mut session, mut out) = open(&bench);
    session.from_client(call(3, "twice", json!({})).as_bytes(), 3, &mut out);
    assert_eq!(reason(&out), "limit_reached");
}

#[test]
fn after_a_panic_nothing_passes_and_nothing_is_shown() {
    let bench = Bench::with(|config| config.audit = Box::new(|_: &str| panic!("a broken sink")));
    let (mut session, mut out) = open(&bench);
    session.from_client(br#"{"jsonrpc":"2.0","id":"list","method":"tools/list"}"#, 1, &mut out);
    let asked = out.to_upstream.position();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        session.from_client(call(1, "echo", json!({})).as_bytes(), 1, &mut out);
    }));
    assert!(panicked.is_err());
    session.from_client(call(2, "echo", json!({})).as_bytes(), 1, &mut out);
    assert_eq!(reason(&out), "guard_unavailable");
    assert_eq!(out.to_upstream.position(), asked, "no call has left");
    session.from_upstream(br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo"}]}}"#, &mut out);
    assert_eq!(told(&out)["result"]["tools"], json!([]));
}

#[test]
fn a_server_that_asks_and_does_not_read_grows_no_queue() {
    let bench = Bench::limits(GatewayLimits { backlog_bytes: 1000, ..GatewayLimits::default() });
    let (mut session, mut out) = open(&bench);
    for _ in 0..1000 {
        session.from_upstream(br#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#, &mut out);
        session.from_upstream(br#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#, &mut out);
    }
    assert!(out.to_upstream.pending().len() < 1300, "{}", out.to_upstream.pending().len());
}

#[test]
fn nothing_is_queued_for_a_server_that_does_not_read() {
    let bench = Bench::new();
    let (mut session, mut out) = open(&bench);
    session.set_stalled(true);
    session.from_client(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 1, &mut out);
    session.from_client(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, 1, &mut out);
    assert!(out.to_upstream.pending().is_empty());
    assert_eq!(told(&out)["error"]["data"]["reason"], "server_stalled");
    session.set_stalled(false);
    session.from_client(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, 1, &mut out);
    assert!(!out.to_upstream.pending().is_empty());
}
