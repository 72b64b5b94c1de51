//! The limits in use, on the admin page and for scripts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use mcp_gateway::admin::{Admin, AdminConfig, Watch};
use mcp_gateway::{GrantJudge, Identity, Outbox, Session};
use mcp_policy::{Guard, Policy};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Bench, call, in_time};

const TOKEN: &str = "a-token-of-people-alone";
const POLICY: &str = r#"{"version": "2", "default": "deny",
    "manifest": {"spend": {"arguments": ["amount", "of"]}, "echo": {"arguments": []}},
    "tools": {
        "spend": {"limits": [
            {"counter": "budget", "window": "day", "max": "100.5", "scope": "grant", "of": "args.amount"},
            {"counter": "apart", "window": "hour", "max": 10, "scope": "grant", "each": "args.of"},
            {"counter": "all", "window": "minute", "max": 3, "scope": "server"}]},
        "echo": {"limits": [{"counter": "talk", "window": 90, "max": 2, "scope": "session"}]}}}"#;
const OWN: &str = r#"{"version": "1", "default": "deny", "tools": {
    "echo": {"limits": [{"counter": "talk", "window": "day", "max": 4, "scope": "grant"}]}}}"#;

struct Page {
    bench: Bench,
    url: String,
    client: reqwest::Client,
}

impl Page {
    async fn new() -> Self {
        let bench = Bench::under_with(POLICY, |config| {
            let own = Guard::new(Policy::parse(OWN).unwrap());
            config.grants.insert("reader".into(), GrantJudge::Guard(Box::new(own), "own".into()));
        });
        let mut config = AdminConfig::new(TOKEN, Watch::default(), None).unwrap();
        let made = AtomicU8::new(0);
        config.secrets = Arc::new(move || Ok([made.fetch_add(1, Ordering::SeqCst); 32]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(Admin::new(bench.gateway.clone(), config).serve(listener, std::future::pending()));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { bench, url, client }
    }

    /// Whether a call leaves.
    fn call(&self, grant: &str, tool: &str, arguments: Value) -> bool {
        let identity = Identity::new(grant, "s").with_policy(grant == "reader");
        let mut session = Session::new(self.bench.gateway.clone(), identity);
        let mut out = Outbox::default();
        session.from_client(call(1, tool, arguments).as_bytes(), self.bench.gateway.now_ms(), &mut out);
        !out.to_upstream.pending().is_empty()
    }

    async fn limits(&self) -> (Vec<Value>, Value) {
        let asked = self.client.get(format!("{}/api/limits", self.url)).bearer_auth(TOKEN);
        let told: Value = in_time(asked.send()).await.unwrap().json().await.unwrap();
        (told["limits"].as_array().unwrap().clone(), told["count"].clone())
    }

    async fn shown(&self) -> String {
        let login = self.client.post(format!("{}/login", self.url)).form_of(&format!("token={TOKEN}"));
        let answered = in_time(login.send()).await.unwrap();
        let cookie = answered.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let page = self.client.get(format!("{}/part", self.url)).header("cookie", cookie);
        in_time(in_time(page.send()).await.unwrap().text()).await.unwrap()
    }
}

trait Form {
    fn form_of(self, body: &str) -> Self;
}

impl Form for reqwest::RequestBuilder {
    fn form_of(self, body: &str) -> Self {
        self.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned())
    }
}

fn told<'v>(limits: &'v [Value], limit: &str, grant: Option<&str>) -> &'v Value {
    let found = |told: &&Value| told["limit"] == limit && told["grant"].as_str() == grant;
    limits.iter().find(found).unwrap_or_else(|| panic!("{limit} of {grant:?}: {limits:?}"))
}

#[tokio::test]
async fn each_limit_in_use_tells_what_is_used_and_what_is_left() {
    let page = Page::new().await;
    assert_eq!(page.limits().await, (Vec::new(), json!(0)), "nothing is used");
    assert!(page.shown().await.contains("Nothing is used of any limit."));
    assert!(page.call("desk", "spend", json!({"amount": "20.25", "of": "a"})));
    assert!(page.call("desk", "spend", json!({"amount": "30", "of": "b"})));
    assert!(page.call("other", "spend", json!({"amount": "0.00000001", "of": "a"})));
    assert!(!page.call("desk", "spend", json!({"amount": "1", "of": "a"})), "the limit of all is reached");
    let (limits, count) = page.limits().await;
    assert_eq!(count, json!(6));
    assert_eq!(
        *told(&limits, "/tools/spend/limits/0", Some("desk")),
        json!({"server": "fixture", "limit": "/tools/spend/limits/0", "of": "args.amount", "scope": "grant", "grant": "desk",
               "window_ms": 86_400_000, "used": "50.25", "max": "100.5", "remaining": "50.25", "permille": 500})
    );
    let little = told(&limits, "/tools/spend/limits/0", Some("other"));
    assert_eq!(
        (&little["used"], &little["remaining"], &little["permille"]),
        (&json!("0.00000001"), &json!("100.49999999"), &json!(1))
    );
    let apart: Vec<_> = limits.iter().filter(|told| told["limit"] == "/tools/spend/limits/1").collect();
    assert!(
        apart.len() == 3 && apart.iter().all(|told| told["each"] == "args.of" && told["remaining"] == "9"),
        "{apart:?}"
    );
    let all = told(&limits, "/tools/spend/limits/2", None);
    assert_eq!(
        (&limits[0], &all["remaining"], &all["permille"]),
        (all, &json!("0"), &json!(1000)),
        "the fullest comes first"
    );
    // Looking is no use: it told the same before.
    assert_eq!(page.limits().await.0, limits);

    // What has left its window is no longer counted.
    page.bench.advance_ms(60_000);
    let (limits, _) = page.limits().await;
    assert!(limits.iter().all(|told| told["limit"] != "/tools/spend/limits/2"), "{limits:?}");
    assert!(page.call("desk", "spend", json!({"amount": "1", "of": "a"})));
    let (limits, _) = page.limits().await;
    assert_eq!(told(&limits, "/tools/spend/limits/0", Some("desk"))["remaining"], "49.25");
}

#[tokio::test]
async fn policies_of_grants_and_sessions_are_told_apart() {
    let page = Page::new().await;
    assert!(page.call("desk", "echo", json!({})) && page.call("reader", "echo", json!({})));
    let (limits, count) = page.limits().await;
    assert_eq!(count, json!(2));
    let own = told(&limits, "/tools/echo/limits/0", Some("reader"));
    assert_eq!((&own["policy_of"], &own["used"], &own["max"]), (&json!("reader"), &json!("1"), &json!("4")));
    let desk = told(&limits, "/tools/echo/limits/0", Some("desk"));
    assert_eq!(
        (&desk["session"], &desk["scope"], &desk["window_ms"]),
        (&json!("s"), &json!("session"), &json!(90_000))
    );
    assert!(desk.get("policy_of").is_none());

    let shown = page.shown().await;
    for seen in [
        "<table id=limits>",
        "<td data-label=\"Whose\">desk, session s",
        "<td class=\"code\" data-label=\"Limit\">/tools/echo/limits/0: calls (policy of reader)",
        "<td data-label=\"Window\">90 seconds",
        "<td class=\"number\" data-label=\"Left\">3",
        "<meter min=0 max=1000 value=250 ",
    ] {
        assert!(shown.contains(seen), "{seen} is missing in {shown}");
    }
    assert!(!shown.contains("<td>"), "each cell has its column's name: {shown}");
    let bare = page.client.get(format!("{}/api/limits", page.url));
    assert_eq!(in_time(bare.send()).await.unwrap().status(), 401);
}

#[tokio::test]
async fn many_counters_are_told_by_the_fullest() {
    let page = Page::new().await;
    for n in 0..300 {
        assert!(page.call(&format!("grant-{n}"), "echo", json!({})));
    }
    assert!(page.call("grant-7", "echo", json!({})));
    let (limits, count) = page.limits().await;
    assert_eq!((limits.len(), count, &limits[0]["grant"]), (200, json!(300), &json!("grant-7")));
    assert!(page.shown().await.contains("100 more are in use, and less full."));
}
