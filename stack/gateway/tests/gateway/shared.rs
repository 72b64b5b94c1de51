//! Calls that wait for a store, seen from the session.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::sync::{Arc, Mutex};

use mcp_gateway::mcp_policy::Due;
use mcp_gateway::{
    Asking, Charge, Durability, GatewayConfig, Identity, KillSwitch, Ledger, Outbox, ReloadError, Session, SharedError,
    SharedLimits, StateDir,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

use crate::support::{Bench, POLICY, Rig, START_MS, answer, call, in_time};

type Answer = Result<Charge, SharedError>;

/// A store whose answers the test gives, and that tells what is taken back.
#[derive(Debug)]
struct Fake {
    answers: Mutex<VecDeque<oneshot::Receiver<Answer>>>,
    refunds: mpsc::UnboundedSender<Vec<u64>>,
}

impl SharedLimits for Fake {
    fn charge(&self, server: &str, dues: Arc<[Due]>) -> Asking<Answer> {
        assert_eq!((server, dues.len(), dues[0].reservation.amount, dues[0].max), ("fixture", 1, 1, 2));
        let answer = self.answers.lock().unwrap().pop_front().expect("nobody asks twice");
        Box::pin(async { answer.await.unwrap() })
    }

    fn refund(&self, _: &str, _: Arc<[Due]>, at_ms: Vec<u64>) -> Asking<Result<(), SharedError>> {
        let refunds = self.refunds.clone();
        Box::pin(async move { refunds.send(at_ms).map_err(|_| SharedError::Unavailable("gone".to_owned())) })
    }
}

struct Shared {
    bench: Bench,
    rig: Rig,
    fake: Arc<Fake>,
    refunds: mpsc::UnboundedReceiver<Vec<u64>>,
}

impl Shared {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let (told, refunds) = mpsc::unbounded_channel();
        let fake = Arc::new(Fake { answers: Mutex::default(), refunds: told });
        let limits = Arc::clone(&fake);
        let bench = Bench::with(|config| {
            config.shared_limits = Some(limits);
            change(config);
        });
        Self { rig: bench.open("s"), bench, fake, refunds }
    }

    /// Calls what is limited; the answer is the test's.
    async fn call(&mut self, id: u64) -> oneshot::Sender<Answer> {
        let (answers, awaited) = oneshot::channel();
        self.fake.answers.lock().unwrap().push_back(awaited);
        self.rig.client.send(&call(id, "twice", json!({}))).await;
        answers
    }

    async fn denied(&mut self) -> Value {
        self.rig.client.next().await["result"]["structuredContent"].clone()
    }

    async fn refunded(&mut self) -> Vec<u64> {
        in_time(self.refunds.recv()).await.unwrap()
    }
}

fn made() -> Charge {
    Charge::Made { at_ms: vec![17] }
}

#[tokio::test]
async fn a_call_waits_for_the_store_and_holds_nobody_up() {
    let mut shared = Shared::new();
    let answers = shared.call(1).await;
    // Nothing of it has left and nothing is on record, and others go on.
    assert_eq!(shared.rig.nothing_reached_the_server().await, Vec::<Value>::new());
    assert_eq!(shared.bench.audit(), Vec::<Value>::new());
    shared.rig.client.send(&call(2, "echo", json!({}))).await;
    assert_eq!(shared.rig.server.next().await["params"]["name"], "echo");
    // Its id is taken.
    shared.rig.client.send(&call(1, "echo", json!({}))).await;
    assert_eq!(shared.bench.audit().len(), 1);
    answers.send(Ok(made())).unwrap();
    let frame = shared.rig.server.next().await;
    assert_eq!(frame["params"]["name"], "twice");
    shared.rig.server.send(&answer(&frame["id"], "done")).await;
    let told = [shared.rig.client.next().await, shared.rig.client.next().await];
    assert!(told.iter().any(|told| told["result"]["content"][0]["text"] == "done"), "{told:?}");
    assert!(shared.refunds.try_recv().is_err());
}

#[tokio::test]
async fn what_the_store_has_no_room_for_is_denied_as_by_the_guard_and_given_back() {
    let mut shared = Shared::new();
    let full = Ok(Charge::NoRoom { position: 0, retry_after_ms: Some(250) });
    for id in 0..5 {
        let answers = shared.call(id).await;
        answers.send(full.clone()).unwrap();
        let told = shared.denied().await;
        assert_eq!((&told["reason"], &told["rule"]), (&json!("limit_reached"), &json!("/tools/twice/limits/0")));
        assert_eq!(told["message"], "the limit of 2 calls an hour is used up");
        assert_eq!(told["retry_after_ms"], 250);
        assert_eq!(shared.bench.last_audit()["reason"], "limit_reached");
    }
    let down = || Err(SharedError::Unavailable("down".to_owned()));
    for (answer, reason) in
        [(down(), "shared_store_unavailable"), (Err(SharedError::Damaged("x".to_owned())), "shared_store_damaged")]
    {
        shared.call(9).await.send(answer).unwrap();
        assert_eq!(shared.denied().await["reason"], reason);
        assert_eq!(shared.bench.last_audit()["reason"], reason);
    }
    // None of it was charged here: there is room for two.
    for id in 10..12 {
        shared.call(id).await.send(Ok(made())).unwrap();
        assert_eq!(shared.rig.server.next().await["params"]["name"], "twice");
    }
    shared.rig.client.send(&call(12, "twice", json!({}))).await;
    assert_eq!(shared.denied().await["message"], "the limit of 2 calls an hour is used up");
    assert!(shared.fake.answers.lock().unwrap().is_empty(), "the guard's own refusals ask nobody");
}

#[cfg(feature = "mutants")]
#[tokio::test]
async fn a_gateway_that_fails_open_lets_through_what_the_store_did_not_take() {
    let defect = mcp_gateway::GatewayMutation::StoreFailureAllows;
    let mut shared = Shared::with(|config| config.mutation = Some(defect));
    shared.call(1).await.send(Err(SharedError::Unavailable("down".to_owned()))).unwrap();
    assert_eq!(shared.rig.server.next().await["params"]["name"], "twice");
}

#[tokio::test]
async fn a_call_that_is_withdrawn_while_it_waits_is_given_back() {
    let mut shared = Shared::new();
    for id in 0..3 {
        let answers = shared.call(id).await;
        let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
        shared.rig.client.send(&cancel.to_string()).await;
        assert_eq!(shared.rig.nothing_reached_the_server().await, Vec::<Value>::new());
        assert_eq!(shared.bench.last_audit()["reason"], "cancelled");
        answers.send(Ok(made())).unwrap();
        assert_eq!(shared.refunded().await, [17]);
    }
    // So is one whose session has ended.
    let answers = shared.call(9).await;
    assert_eq!(shared.rig.nothing_reached_the_server().await, Vec::<Value>::new());
    shared.rig.serving.abort();
    assert!((&mut shared.rig.serving).await.unwrap_err().is_cancelled());
    answers.send(Ok(made())).unwrap();
    assert_eq!(shared.refunded().await, [17]);
}

#[tokio::test]
async fn a_switch_that_is_thrown_while_a_call_waits_stops_it() {
    let kill = KillSwitch::new();
    let mut shared = Shared::with(|config| config.kill = kill.clone());
    let answers = shared.call(1).await;
    assert_eq!(shared.rig.nothing_reached_the_server().await, Vec::<Value>::new());
    kill.throw().unwrap();
    answers.send(Ok(made())).unwrap();
    assert_eq!(shared.denied().await["reason"], "halted");
    assert_eq!(shared.refunded().await, [17]);
}

#[tokio::test]
async fn a_call_that_never_left_is_given_back_in_the_store() {
    let mut shared = Shared::new();
    let (answers, awaited) = oneshot::channel();
    shared.fake.answers.lock().unwrap().push_back(awaited);
    let mut session = Session::new(shared.bench.gateway.clone(), Identity::new("agent", "s-2"));
    let mut out = Outbox::default();
    session.from_client(call(1, "twice", json!({})).as_bytes(), START_MS, &mut out);
    assert_eq!((out.to_upstream.pending().len(), session.waited_for()), (0, 1));
    answers.send(Ok(made())).unwrap();
    in_time(std::future::poll_fn(|cx| session.poll_held(cx, &mut out))).await;
    // It is queued, and no byte of it has left when the server is gone.
    assert!(!out.to_upstream.pending().is_empty());
    session.upstream_lost(&mut out);
    assert_eq!(shared.refunded().await, [17]);
    // A call that waits when the server is gone can no longer leave.
    let (answers, awaited) = oneshot::channel();
    shared.fake.answers.lock().unwrap().push_back(awaited);
    let mut session = Session::new(shared.bench.gateway.clone(), Identity::new("agent", "s-3"));
    session.from_client(call(1, "twice", json!({})).as_bytes(), START_MS, &mut out);
    session.upstream_lost(&mut out);
    assert_eq!(session.waited_for(), 0);
    answers.send(Ok(made())).unwrap();
    in_time(std::future::poll_fn(|cx| session.poll_held(cx, &mut out))).await;
    assert_eq!(shared.refunded().await, [17]);
}

#[test]
fn a_policy_that_gateways_cannot_share_is_not_put_in_force() {
    let (told, _refunds) = mpsc::unbounded_channel();
    let fake = Fake { answers: Mutex::default(), refunds: told };
    let bench = Bench::with(|config| config.shared_limits = Some(Arc::new(fake)));
    let policy = r#"{"version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {
        "bn_ping": {"error_streak": [{"max": 2, "window": "hour", "pause": "hour"}]},
        "bn_new_order": {"open_orders": [{"max": 2}], "cooldown": [{"after": "call", "window": 5}]}}}"#;
    let error = bench.gateway.reload(policy).unwrap_err();
    assert!(matches!(error, ReloadError::NotShared(_)));
    let words = error.to_string();
    assert!(words.contains(": /tools/bn_new_order/open_orders/0, /tools/bn_ping/error_streak/0;"), "{words}");
    assert!(bench.gateway.reload(POLICY).is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn a_call_waits_for_a_disk_that_several_share() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("state");
    let state = StateDir::new(&here, Durability::Process).unwrap();
    let ledger = Ledger::open(&state, "fixture").unwrap().in_groups().unwrap();
    let bench = Bench::with(|config| config.ledger = Some(ledger));
    let mut rig = bench.open("s");
    // A disk that takes nothing denies, and what was charged is given back.
    std::fs::rename(&here, folder.path().join("away")).unwrap();
    for id in 10..13 {
        rig.client.send(&call(id, "twice", json!({}))).await;
        assert_eq!(rig.client.next().await["result"]["structuredContent"]["reason"], "store_unavailable");
    }
    std::fs::rename(folder.path().join("away"), &here).unwrap();
    // A disk that is slow: whoever writes the journal waits until somebody reads it.
    let server = hex::encode(Sha256::digest("fixture"));
    let journal = here.join(format!("{}-{:020}.journal", &server[..16], 1));
    assert!(std::process::Command::new("mkfifo").arg(&journal).status().unwrap().success());
    for id in 0..3 {
        rig.client.send(&call(id, "twice", json!({}))).await;
    }
    let told = rig.nothing_reached_the_server().await;
    assert_eq!(told.len(), 1, "the third is denied at once");
    let reads = move || BufReader::new(std::fs::File::open(journal).unwrap());
    let mut written = tokio::task::spawn_blocking(reads).await.unwrap();
    let mut lines = String::new();
    for call in 4..=5 {
        assert_eq!(rig.server.next().await["params"]["name"], "twice");
        // They share a line if the second came before the first was taken up.
        while !lines.contains(&format!(r#""call":{call},"#)) {
            assert!(written.read_line(&mut lines).unwrap() > 0, "{lines}");
        }
    }
}
