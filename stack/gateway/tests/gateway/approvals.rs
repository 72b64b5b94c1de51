//! Approvals, from the call that asks to the call that passes.

use crate::support::{Bench, START_MS, answer, call};
use mcp_gateway::{
    Approval, ApprovalBook, ApprovalState, Durability, GatewayConfig, Identity, Outbox, Session, StateDir,
    policy_digest,
};
use serde_json::{Value, json};

const WINDOW_MS: u64 = 60_000;

/// A bench whose people are asked, and a person.
struct Desk {
    _folder: tempfile::TempDir,
    bench: Bench,
    book: ApprovalBook,
}

const POLICY: &str = r#"{"version": "1", "default": "deny", "tools": {
    "big_order": {"action": "require_approval", "reason": "a person signs large orders",
                  "deny_if": [{"conditions": [{"path": "args.quantity", "op": "gt", "value": "9"}]}],
                  "limits": [{"counter": "big", "window": "hour", "max": 2, "scope": "grant"}]},
    "echo": {}}}"#;

impl Desk {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let bench = Bench::with(|config| {
            config.approvals = Some(ApprovalBook::open(&state).unwrap());
            config.approval_window_ms = WINDOW_MS;
            change(config);
        });
        bench.gateway.reload(POLICY).unwrap();
        Self { _folder: folder, bench, book: ApprovalBook::open(&state).unwrap() }
    }

    fn now(&self) -> u64 {
        self.bench.gateway.now_ms()
    }

    /// What the agent is told, or null if the call left.
    fn order(&self, session: &str, arguments: &Value) -> Value {
        self.order_of("agent", session, arguments)
    }

    fn order_of(&self, grant: &str, session: &str, arguments: &Value) -> Value {
        let mut session = Session::new(self.bench.gateway.clone(), Identity::new(grant, session));
        let mut out = Outbox::default();
        session.from_client(call(1, "big_order", arguments.clone()).as_bytes(), self.now(), &mut out);
        if !out.to_upstream.pending().is_empty() {
            return Value::Null;
        }
        let told: Value = serde_json::from_slice(out.to_client.pending()).unwrap();
        told["result"]["structuredContent"].clone()
    }

    fn asks(&self, arguments: &Value) -> String {
        let told = self.order("s", arguments);
        assert_eq!(told["reason"], "approval_required", "{told}");
        told["approval"].as_str().expect("an approval is asked for").to_owned()
    }

    fn approve(&mut self, id: &str) {
        self.book.approve(id, self.bench.gateway.now_ms(), WINDOW_MS, "ada", "seen").unwrap();
    }

    fn state(&self, id: &str) -> ApprovalState {
        let all = self.book.list(self.now()).unwrap();
        all.into_iter().find(|(approval, _)| approval.id == id).unwrap().1
    }

    fn only(&self) -> Approval {
        let mut all = self.book.list(self.now()).unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0).0
    }

    fn changes(&self) -> Vec<String> {
        let records = self.bench.audit.all();
        let records = records.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let changes = records.filter(|record| record["event"] == "approval");
        changes
            .map(|record| format!("{} {}", record["approval"].as_str().unwrap(), record["state"].as_str().unwrap()))
            .collect()
    }
}

fn two() -> Value {
    json!({"symbol": "BTCUSDT", "quantity": "2"})
}

#[test]
fn a_person_approves_and_the_same_call_passes_once() {
    let mut desk = Desk::new();
    let told = desk.order("s", &two());
    let id = told["approval"].as_str().unwrap().to_owned();
    let message = told["message"].as_str().unwrap();
    assert!(message.contains(&id) && message.contains("same call again"), "{message}");
    let asked = desk.only().asked;
    assert_eq!((asked.tool.as_str(), asked.grant.as_str()), ("big_order", "agent"));
    assert_eq!(asked.arguments, r#"{"quantity":"2","symbol":"BTCUSDT"}"#);
    assert_eq!((asked.policy, asked.message.as_str()), (policy_digest(POLICY), "a person signs large orders"));

    desk.approve(&id);
    // From another connection, with the keys in another order: it is the same call.
    assert_eq!(desk.order("other", &json!({"quantity": "2", "symbol": "BTCUSDT"})), Value::Null);
    assert_eq!(desk.state(&id), ApprovalState::Consumed);
    let again = desk.asks(&two());
    assert_ne!(again, id);
    assert_eq!(
        desk.changes(),
        [format!("{id} pending"), format!("{id} approved"), format!("{id} consumed"), format!("{again} pending")]
    );
    let records = desk.bench.audit();
    let by: Vec<_> = records.iter().map(|record| (record["decision"].clone(), record["approval"].clone())).collect();
    let (id, again) = (json!(id), json!(again));
    assert_eq!(by, [(json!("escalate"), id.clone()), (json!("allow"), id), (json!("escalate"), again)]);
    // Before the call was let through it was on record that its approval is used up.
    let all = desk.bench.audit.all();
    let at = |text: &str| all.iter().position(|line| line.contains(text)).unwrap();
    assert!(at("\"state\":\"consumed\"") < at("\"decision\":\"allow\""));
}

#[test]
fn defect_consumed_and_denied_records_are_not_armed_again() {
    let mut desk = Desk::new();
    let id = desk.asks(&two());
    desk.approve(&id);
    assert_eq!(desk.order("s", &two()), Value::Null);
    assert!(desk.book.approve(&id, desk.now(), WINDOW_MS, "ada", "").is_err());
    let second = desk.asks(&two());
    desk.book.deny(&second, desk.bench.gateway.now_ms(), "ada", "no").unwrap();
    assert!(desk.book.approve(&second, desk.now(), WINDOW_MS, "ada", "").is_err());
    for _ in 0..3 {
        let told = desk.order("s", &two());
        assert_eq!((&told["reason"], told["approval"].as_str()), (&json!("approval_denied"), Some(second.as_str())));
    }
    desk.bench.advance_ms(WINDOW_MS);
    let third = desk.asks(&two());
    assert!(third != second && desk.state(&second) == ApprovalState::Denied);
}

#[test]
fn defect_an_expired_record_is_not_approved_and_not_shown_as_pending() {
    let mut desk = Desk::new();
    let id = desk.asks(&two());
    desk.bench.advance_ms(WINDOW_MS);
    assert_eq!(desk.state(&id), ApprovalState::Expired);
    let error = desk.book.approve(&id, desk.now(), WINDOW_MS, "ada", "").unwrap_err().to_string();
    assert!(error.contains(&id) && error.contains("expired"), "{error}");
    let second = desk.asks(&two());
    assert_ne!(second, id);
    desk.approve(&second);
    desk.bench.advance_ms(WINDOW_MS);
    let third = desk.asks(&two());
    assert!(third != second, "an approval waits for its call so long and no longer");
    let pending = |id: &str| format!("{id} pending");
    let expired = |id: &str| format!("{id} expired");
    assert_eq!(
        desk.changes(),
        [pending(&id), expired(&id), pending(&second), format!("{second} approved"), expired(&second), pending(&third)]
    );
}

#[test]
fn defect_duplicates_are_one_request_and_one_approval_passes_one_of_them() {
    let mut desk = Desk::new();
    let id = desk.asks(&two());
    for _ in 0..4 {
        assert_eq!(desk.asks(&two()), id);
    }
    assert_eq!(desk.only().times, 5);
    desk.approve(&id);
    let passed = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (desk, passed) = (&desk.bench.gateway, &passed);
            scope.spawn(move || {
                let mut session = Session::new(desk.clone(), Identity::new("agent", format!("s{thread}")));
                let mut out = Outbox::default();
                session.from_client(call(1, "big_order", two()).as_bytes(), START_MS, &mut out);
                if !out.to_upstream.pending().is_empty() {
                    passed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(passed.into_inner(), 1);
}

/// Objects within arrays are in canonical order too, and arrays keep theirs.
#[test]
fn defect_maps_within_arrays_are_canonical() {
    let mut desk = Desk::new();
    let order =
        |legs: &str| -> Value { serde_json::from_str(&format!(r#"{{"quantity":"2","legs":{legs}}}"#)).unwrap() };
    let id = desk.asks(&order(r#"[{"a":1,"b":[{"c":2,"d":3}]},{"e":4}]"#));
    assert_eq!(desk.asks(&order(r#"[{"b":[{"d":3,"c":2}],"a":1},{"e":4}]"#)), id, "the same order");
    assert_ne!(desk.asks(&order(r#"[{"e":4},{"a":1,"b":[{"c":2,"d":3}]}]"#)), id, "another order");
    desk.approve(&id);
    assert_eq!(desk.order("s", &order(r#"[{"b":[{"d":3,"c":2}],"a":1},{"e":4}]"#)), Value::Null);
}

#[test]
fn whatever_is_changed_needs_its_own_approval() {
    let mut desk = Desk::new();
    let id = desk.asks(&two());
    desk.approve(&id);
    for changed in [
        json!({"symbol": "BTCUSDT", "quantity": "2.0"}),
        json!({"symbol": "BTCUSDT", "quantity": 2}),
        json!({"symbol": "BTCUSDT", "quantity": "2", "extra": null}),
        json!({"symbol": "ETHUSDT", "quantity": "2"}),
    ] {
        assert_ne!(desk.asks(&changed), id, "{changed}");
    }
    assert_eq!(desk.order_of("other", "s", &two())["reason"], "approval_required");
    // Another policy, even one that says the same, was not the one that was asked by.
    desk.bench.gateway.reload(format!("{POLICY} ")).unwrap();
    assert_ne!(desk.asks(&two()), id);
    desk.bench.gateway.reload(POLICY).unwrap();
    assert_eq!(desk.order("s", &two()), Value::Null);
}

#[test]
fn an_approval_lifts_no_limit_and_is_not_used_up_by_a_denial() {
    let mut desk = Desk::new();
    assert_eq!(desk.order("s", &json!({"quantity": "10"}))["reason"], "deny_if_matched");
    assert!(desk.book.list(desk.now()).unwrap().is_empty(), "nobody is asked for what cannot pass");
    let first = desk.asks(&two());
    let others = [desk.asks(&json!({"quantity": "3"})), desk.asks(&json!({"quantity": "4"}))];
    for id in others.iter().chain([&first]) {
        desk.approve(id);
    }
    assert_eq!(desk.order("s", &json!({"quantity": "3"})), Value::Null);
    assert_eq!(desk.order("s", &json!({"quantity": "4"})), Value::Null);
    assert_eq!(desk.order("s", &two())["reason"], "limit_reached");
    assert_eq!(desk.state(&first), ApprovalState::Approved);
}

#[tokio::test]
async fn defect_a_failed_call_is_on_record_as_failed_and_its_approval_is_gone() {
    let mut desk = Desk::new();
    let id = desk.asks(&two());
    desk.approve(&id);
    let mut rig = desk.bench.open("s");
    rig.client.send(&call(1, "big_order", two())).await;
    let frame = rig.server.next().await;
    let failed = json!({"jsonrpc": "2.0", "id": frame["id"], "result": {"content": [], "isError": true}});
    rig.server.send(&failed.to_string()).await;
    rig.client.next().await;
    let last: Value = serde_json::from_str(desk.bench.audit.all().last().unwrap()).unwrap();
    assert_eq!(last["outcome"], "failed");
    assert_ne!(desk.asks(&two()), id);
}

#[test]
fn without_a_record_nothing_passes_and_the_approval_is_not_given_twice() {
    let full = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let disk = full.clone();
    let mut desk = Desk::with(|config| {
        config.audit = Box::new(move |_: &str| {
            if disk.load(std::sync::atomic::Ordering::SeqCst) {
                Err(std::io::ErrorKind::StorageFull.into())
            } else {
                Ok(())
            }
        });
    });
    let id = desk.asks(&two());
    desk.approve(&id);
    full.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(desk.order("s", &two())["reason"], "approval_unavailable");
    full.store(false, std::sync::atomic::Ordering::SeqCst);
    // The change that could not be recorded is told first; then the call passes, once.
    assert_eq!(desk.order("s", &two()), Value::Null);
    assert_eq!(desk.order("s", &two())["reason"], "approval_required");
}

#[test]
fn too_much_to_look_at_is_not_asked_for() {
    let desk = Desk::new();
    let told = desk.order("s", &json!({"quantity": "2", "note": "x".repeat(70_000)}));
    assert_eq!((&told["reason"], told.get("approval")), (&json!("approval_required"), None));
    assert!(desk.book.list(desk.now()).unwrap().is_empty());
}

#[tokio::test]
async fn agents_have_no_method_that_decides() {
    let mut desk = Desk::new();
    let id = desk.asks(&two());
    let mut rig = desk.bench.open("s");
    for method in ["approvals/approve", "approve", "tools/approve", "notifications/approved"] {
        let frame = json!({"jsonrpc": "2.0", "id": method, "method": method, "params": {"id": id, "approval": id}});
        rig.client.send(&frame.to_string()).await;
        assert_eq!(rig.client.next().await["error"]["data"]["reason"], "method_refused");
    }
    let with = json!({"symbol": "BTCUSDT", "quantity": "2", "approval": id, "approved": true});
    assert_eq!(desk.order("s", &with)["reason"], "approval_required");
    assert_eq!(desk.state(&id), ApprovalState::Pending);
    desk.approve(&id);
    rig.client.send(&call(1, "big_order", two())).await;
    let frame = rig.server.next().await;
    rig.server.send(&answer(&frame["id"], "done")).await;
    rig.client.next().await;
}
