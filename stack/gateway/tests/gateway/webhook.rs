//! The approval webhook, with a receiver that verifies what it is told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use mcp_gateway::webhook::{Webhook, WebhookLimits, WebhookSecret};
use mcp_gateway::{ApprovalBook, Durability, Identity, Notice, Notifier, Outbox, Session, StateDir};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::task::JoinHandle;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::support::{Bench, START_MS, call, in_time};

const SECRET: &str = "a-secret-of-both-ends";
const POLICY: &str = r#"{"version": "2", "default": "deny",
    "manifest": {"echo": {"arguments": []}, "big_order": {"arguments": ["symbol", "quantity", "password", "n"]}},
    "tools": {"echo": {}, "big_order": {"action": "require_approval", "reason": "a person signs large orders",
        "audit": {"show": ["symbol", "quantity"]}}}}"#;

/// A gateway that tells a receiver, and the receiver.
struct Stage {
    bench: Bench,
    receiver: MockServer,
    webhook: Webhook,
    task: JoinHandle<()>,
    session: Session,
    state: StateDir,
    _folder: tempfile::TempDir,
}

/// Waits as good as nothing between attempts.
const BRISK: WebhookLimits =
    WebhookLimits { queue_max: 4, attempts_max: 4, wait_ms: 1, wait_max_ms: 2, answer_ms: 10_000 };

impl Stage {
    async fn new(respond: impl Respond + 'static) -> Self {
        Self::with(respond, BRISK).await
    }

    async fn with(respond: impl Respond + 'static, limits: WebhookLimits) -> Self {
        let receiver = MockServer::start().await;
        Mock::given(method("POST")).respond_with(respond).mount(&receiver).await;
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut started = None;
        let bench = Bench::under_with(POLICY, |config| {
            let secret = WebhookSecret::new(SECRET).unwrap();
            let url = format!("{}/hook?canary", receiver.uri());
            let (webhook, task) = Webhook::new(&url, secret, false, limits, config.clock.clone()).unwrap();
            config.approvals = Some(ApprovalBook::open(&state).unwrap());
            config.notifier = Some(Arc::new(webhook.clone()));
            started = Some((webhook, tokio::spawn(task)));
        });
        let (webhook, task) = started.unwrap();
        let session = Session::new(bench.gateway.clone(), Identity::new("desk", "s"));
        Self { bench, receiver, webhook, task, session, state, _folder: folder }
    }

    /// The reason for which a call is not let through.
    fn call(&mut self, id: u64, arguments: Value) -> Value {
        let mut out = Outbox::default();
        self.session.from_client(call(id, "big_order", arguments).as_bytes(), self.bench.gateway.now_ms(), &mut out);
        let told: Value = serde_json::from_slice(out.to_client.pending()).unwrap();
        told["result"]["structuredContent"]["reason"].clone()
    }

    async fn flushed(&self) {
        in_time(self.webhook.flushed()).await;
    }

    async fn told(&self) -> Vec<Request> {
        self.receiver.received_requests().await.unwrap()
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        self.webhook.counts().all().into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

fn header<'r>(request: &'r Request, name: &str) -> &'r str {
    request.headers[name].to_str().unwrap()
}

/// What a receiver does: compare the signature over id, time and body with its own.
fn verifies(request: &Request, secret: &str) -> bool {
    let (id, timestamp) = (header(request, "webhook-id"), header(request, "webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(&request.body);
    let signatures = header(request, "webhook-signature").split(' ').filter_map(|told| told.strip_prefix("v1,"));
    signatures.filter_map(|told| STANDARD.decode(told).ok()).any(|told| mac.clone().verify_slice(&told).is_ok())
}

fn order() -> Value {
    json!({"symbol": "BTCUSDT", "quantity": "2", "password": "canary"})
}

#[tokio::test]
async fn a_request_is_told_once_signed_and_with_what_the_policy_shows() {
    let mut stage = Stage::new(ResponseTemplate::new(204)).await;
    assert_eq!(stage.call(1, order()), "approval_required");
    // Equal calls are one request; the order of keys is not looked at.
    let turned = json!({"quantity": "2", "password": "canary", "symbol": "BTCUSDT"});
    assert_eq!(stage.call(2, turned), "approval_required");
    stage.flushed().await;
    let told = stage.told().await;
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert!(verifies(told, SECRET));
    assert!(!verifies(told, "another-secret-than-that"));
    let mut forged = told.clone();
    forged.body.push(b' ');
    assert!(!verifies(&forged, SECRET), "the body is signed");
    let mut late = told.clone();
    late.headers.insert("webhook-timestamp", "1".parse().unwrap());
    assert!(!verifies(&late, SECRET), "the time is signed");
    assert_eq!(header(told, "content-type"), "application/json");
    assert_eq!(header(told, "webhook-timestamp"), (START_MS / 1000).to_string());

    let book = ApprovalBook::open(&stage.state).unwrap();
    let (approval, state) = book.list(START_MS).unwrap().remove(0);
    let mut listed = approval.told(state);
    listed["times"] = json!(1);
    listed["arguments"]["password"] = json!("[not shown]");
    let body: Value = told.body_json().unwrap();
    assert_eq!((body, header(told, "webhook-id")), (listed, approval.id.as_str()));
    assert!(!String::from_utf8_lossy(&told.body).contains("canary"));

    // What is asked anew is another request.
    ApprovalBook::open(&stage.state).unwrap().deny(&approval.id, START_MS, "ann", "").unwrap();
    assert_eq!(stage.call(3, order()), "approval_denied");
    stage.bench.advance_ms(stage.bench.gateway.approval_window_ms());
    assert_eq!(stage.call(4, order()), "approval_required");
    stage.flushed().await;
    let told = stage.told().await;
    assert_eq!(told.len(), 2);
    assert_ne!(header(&told[0], "webhook-id"), header(&told[1], "webhook-id"));
    assert_eq!(stage.counts(), [("delivered", 2)]);
}

/// Answers with one status after the other, and with the last for ever.
struct InTurn(Vec<u16>, std::sync::atomic::AtomicUsize);

impl Respond for InTurn {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let turn = self.1.fetch_add(1, Ordering::SeqCst);
        let status = self.0.get(turn).or(self.0.last()).unwrap();
        ResponseTemplate::new(*status).insert_header("location", "/elsewhere")
    }
}

fn in_turn(statuses: &[u16]) -> InTurn {
    InTurn(statuses.to_vec(), std::sync::atomic::AtomicUsize::new(0))
}

#[tokio::test]
async fn what_may_pass_is_sent_again_and_what_will_not_is_given_up() {
    for (statuses, attempts, counts) in [
        (&[500, 429, 503, 200][..], 4, &[("delivered", 1), ("retried", 3)][..]),
        (&[503], 4, &[("retried", 3), ("failed", 1)]),
        (&[410], 1, &[("failed", 1)]),
        // Nobody is followed to another place.
        (&[307], 1, &[("failed", 1)]),
    ] {
        let mut stage = Stage::new(in_turn(statuses)).await;
        stage.call(1, order());
        stage.flushed().await;
        let told = stage.told().await;
        assert_eq!((told.len(), stage.counts()), (attempts, counts.to_vec()), "{statuses:?}");
        assert!(told.iter().all(|told| told.url.path() == "/hook" && verifies(told, SECRET)));
        let ids: std::collections::BTreeSet<&str> = told.iter().map(|told| header(told, "webhook-id")).collect();
        assert_eq!(ids.len(), 1, "a receiver can tell that it is the same");
    }
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_any_more_is_not_told() {
    let mut stage = Stage::new(ResponseTemplate::new(204)).await;
    stage.call(1, order());
    // The task has not run yet: nothing was awaited.
    stage.bench.advance_ms(stage.bench.gateway.approval_window_ms());
    stage.flushed().await;
    assert_eq!((stage.told().await.len(), stage.counts()), (0, vec![("failed", 1)]));
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_holds_nothing_up_and_the_queue_is_bounded() {
    let never = ResponseTemplate::new(204).set_delay(std::time::Duration::from_hours(1));
    let mut stage = Stage::with(never, WebhookLimits { answer_ms: 3_600_000, ..BRISK }).await;
    stage.call(0, json!({"n": 0}));
    // The first notice is on its way, and stays there.
    while stage.told().await.is_empty() {
        tokio::task::yield_now().await;
    }
    // Everything below is answered without a single await: nobody could be waited for.
    for n in 1..=40 {
        assert_eq!(stage.call(n, json!({"n": n})), "approval_required");
    }
    assert_eq!(stage.counts(), [("dropped", 40 - 4)], "as many wait as the queue holds");
    let mut out = Outbox::default();
    let echo = call(99, "echo", json!({}));
    stage.session.from_client(echo.as_bytes(), stage.bench.gateway.now_ms(), &mut out);
    assert!(!out.to_upstream.pending().is_empty(), "calls go on");
    let listed = ApprovalBook::open(&stage.state).unwrap().list(START_MS).unwrap();
    assert_eq!(listed.len(), 41, "and people are asked all the same");
    stage.task.abort();
}

#[tokio::test]
async fn what_still_waits_is_told_after_the_next_start() {
    let mut stage = Stage::new(ResponseTemplate::new(204)).await;
    stage.call(1, order());
    stage.call(2, json!({"n": 2}));
    stage.flushed().await;
    let decided = ApprovalBook::open(&stage.state).unwrap().list(START_MS).unwrap().remove(0).0.id;
    ApprovalBook::open(&stage.state).unwrap().deny(&decided, START_MS, "ann", "").unwrap();
    // As a gateway does that is started with the same folder.
    stage.bench.gateway.notify_pending();
    stage.flushed().await;
    let told = stage.told().await;
    assert_eq!(told.len(), 3);
    assert_eq!(header(&told[2], "webhook-id"), header(&told[0], "webhook-id"));
    assert_eq!(told[2].body_json::<Value>().unwrap()["arguments"]["password"], "[not shown]");
}

#[tokio::test]
async fn a_request_that_cannot_be_put_on_record_is_not_told() {
    struct Loud(std::sync::Mutex<Vec<String>>);
    impl Notifier for Loud {
        fn notify(&self, notice: Notice) {
            self.0.lock().unwrap().push(notice.id);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::new(folder.path(), Durability::Process).unwrap();
    let loud = Arc::new(Loud(std::sync::Mutex::default()));
    let bench = Bench::under_with(POLICY, |config| {
        config.approvals = Some(ApprovalBook::open(&state).unwrap());
        config.notifier = Some(loud.clone());
        config.audit = Box::new(|_: &str| Err(std::io::ErrorKind::StorageFull.into()));
    });
    let mut session = Session::new(bench.gateway.clone(), Identity::new("desk", "s"));
    session.from_client(call(1, "big_order", order()).as_bytes(), START_MS, &mut Outbox::default());
    assert!(loud.0.lock().unwrap().is_empty());
}
