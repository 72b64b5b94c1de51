//! The admin page and its interface for scripts, over real HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use mcp_gateway::admin::{Admin, AdminConfig, Watch};
use mcp_gateway::{ApprovalBook, Durability, Identity, Outbox, Session, StateDir};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Bench, call, in_time};

const TOKEN: &str = "a-token-of-people-alone";
const POLICY: &str = r#"{"version": "1", "default": "deny", "tools": {
    "big_order": {"action": "require_approval", "reason": "a person signs large orders"}, "echo": {}}}"#;

struct Page {
    bench: Bench,
    url: String,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Page {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let watch = Watch::default();
        let bench = Bench::with(|config| {
            config.approvals = Some(ApprovalBook::open(&state).unwrap());
            config.approval_window_ms = 60_000;
            let audit = std::mem::replace(&mut config.audit, Box::new(|_: &str| Ok(())));
            config.audit = Box::new(watch.over(audit));
        });
        bench.gateway.reload(POLICY).unwrap();
        let mut config = AdminConfig::new(TOKEN, watch, Some(ApprovalBook::open(&state).unwrap())).unwrap();
        let made = AtomicU8::new(0);
        config.secrets = Arc::new(move || Ok([made.fetch_add(1, Ordering::SeqCst); 32]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(Admin::new(bench.gateway.clone(), config).serve(listener, std::future::pending()));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { bench, url, client, _folder: folder }
    }

    /// Whether a large order leaves, or the reason why not.
    fn order(&self, note: &str) -> Value {
        let mut session = Session::new(self.bench.gateway.clone(), Identity::new("desk", "s"));
        let mut out = Outbox::default();
        let order = call(1, "big_order", json!({"symbol": "BTCUSDT", "quantity": "5", "note": note}));
        session.from_client(order.as_bytes(), self.bench.gateway.now_ms(), &mut out);
        if !out.to_upstream.pending().is_empty() {
            return json!("left");
        }
        let told: Value = serde_json::from_slice(out.to_client.pending()).unwrap();
        told["result"]["structuredContent"]["reason"].clone()
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let post = self.client.post(format!("{}{path}", self.url));
        post.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"))
    }

    fn script(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(TOKEN)
    }

    /// Logs a browser in; its cookie, and what its forms come with.
    async fn log_in(&self) -> (String, String) {
        let answered = send(self.form("/login", &[("token", TOKEN)])).await;
        assert_eq!((answered.status().as_u16(), answered.headers()["location"].to_str().unwrap()), (303, "/"));
        let cookie = answered.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let page = text(send(self.get("/").header("cookie", &cookie)).await).await;
        let form = page.split("name=form value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        (cookie, form)
    }

    async fn list(&self) -> Value {
        serde_json::from_str(&text(send(self.script(Method::GET, "/api/approvals")).await).await).unwrap()
    }
}

async fn send(request: RequestBuilder) -> Response {
    in_time(request.send()).await.unwrap()
}

async fn text(response: Response) -> String {
    assert_eq!(response.status(), 200);
    in_time(response.text()).await.unwrap()
}

#[tokio::test]
async fn a_person_sees_the_whole_order_and_lets_it_through_once() {
    let page = Page::new().await;
    assert_eq!(page.order("<b>hurry</b>"), "approval_required");
    let (cookie, form) = page.log_in().await;
    let shown = text(send(page.get("/").header("cookie", &cookie)).await).await;
    for seen in
        ["Waiting for you (1)", "big_order", "<dt>quantity</dt><dd>5</dd>", "a person signs large orders", "desk"]
    {
        assert!(shown.contains(seen), "{seen} is missing in {shown}");
    }
    assert!(shown.contains("&lt;b&gt;hurry&lt;/b&gt;") && !shown.contains("<b>hurry"), "{shown}");
    let list = page.list().await;
    let id = list[0]["id"].as_str().unwrap();
    let fields = [("form", form.as_str()), ("id", id), ("to", "approve"), ("by", "ann"), ("note", "seen")];
    assert_eq!(send(page.form("/decide", &fields).header("cookie", &cookie)).await.status(), 303);
    let mut changes = page.bench.audit.all().into_iter().filter(|line| line.contains(r#""event":"approval""#));
    assert!(
        changes.next_back().is_some_and(|line| line.contains(r#""by":"ann""#) && line.contains(r#""note":"seen""#))
    );
    assert_eq!(page.order("<b>hurry</b>"), "left");
    assert_eq!(page.order("<b>hurry</b>"), "approval_required", "only once");
    let again = send(page.form("/decide", &fields).header("cookie", &cookie)).await;
    assert_eq!(again.status(), 409, "what is over is over");
}

#[tokio::test]
async fn only_a_form_of_the_page_itself_decides() {
    let page = Page::new().await;
    page.order("");
    let (cookie, form) = page.log_in().await;
    let id = page.list().await[0]["id"].as_str().unwrap().to_owned();
    let fields = |form: &str| {
        [("form", form), ("id", &id), ("to", "approve"), ("by", "eve")].map(|(a, b)| (a.to_owned(), b.to_owned()))
    };
    let forged = |form: &str, cookie: Option<&str>, origin: Option<&str>| {
        let fields = fields(form);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut post = page.form("/decide", &fields);
        if let Some(cookie) = cookie {
            post = post.header("cookie", cookie);
        }
        if let Some(origin) = origin {
            post = post.header("origin", origin);
        }
        send(post)
    };
    assert_eq!(forged("guessed", Some(&cookie), None).await.status(), 403);
    assert_eq!(forged(&form, None, None).await.status(), 303, "to the login");
    assert_eq!(forged(&form, Some("mcp-gateway-admin=guessed"), None).await.status(), 303);
    assert_eq!(forged(&form, Some(&cookie), Some("http://evil.example")).await.status(), 403);
    assert_eq!(send(page.get("/").header("cookie", &cookie).header("host", "evil.example")).await.status(), 403);
    assert_eq!(page.list().await[0]["state"], "pending");
    let out = page.form("/logout", &[("form", &form)]).header("cookie", &cookie);
    assert_eq!(send(out).await.headers()["location"], "/login");
    assert_eq!(forged(&form, Some(&cookie), None).await.status(), 303, "logged out");
    assert_eq!(page.list().await[0]["state"], "pending");
    let answered = send(page.get("/page.js")).await;
    let policy = answered.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    // With `no-referrer` browsers send `Origin: null` with the page's own forms, which is turned away as it has to be.
    assert_eq!(answered.headers()["referrer-policy"], "same-origin");
    assert_eq!(send(page.form("/login", &[("token", TOKEN)]).header("origin", "null")).await.status(), 403);
    assert_eq!(send(page.form("/login", &[("token", TOKEN)]).header("origin", &page.url)).await.status(), 303);
}

#[tokio::test]
async fn nothing_is_shown_or_done_without_the_token() {
    let page = Page::new().await;
    page.order("");
    assert_eq!(send(page.get("/")).await.headers()["location"], "/login");
    assert_eq!(send(page.form("/login", &[("token", "guessed")])).await.status(), 401);
    for (method, path) in [
        (Method::GET, "/part"),
        (Method::GET, "/api/approvals"),
        (Method::GET, "/metrics"),
        (Method::POST, "/api/kill/on"),
    ] {
        let bare = page.client.request(method.clone(), format!("{}{path}", page.url));
        assert_eq!(send(bare).await.status(), 401, "{path}");
        let wrong = page.client.request(method, format!("{}{path}", page.url)).bearer_auth("guessed");
        assert_eq!(send(wrong).await.status(), 401, "{path}");
    }
    assert!(!page.bench.gateway.kill_switch().is_on());
    assert_eq!(text(send(page.get("/healthz")).await).await, "ok\n");
    assert_eq!(text(send(page.get("/readyz")).await).await, "ready\n");
    assert!(AdminConfig::new("short", Watch::default(), None).is_err());
}

#[tokio::test]
async fn scripts_decide_stop_everything_and_read_figures() {
    let page = Page::new().await;
    assert_eq!(page.order("a"), "approval_required");
    let id = page.list().await[0]["id"].as_str().unwrap().to_owned();
    let deny = |id: &str| {
        let post = page.script(Method::POST, &format!("/api/approvals/{id}/deny"));
        send(post.header("content-type", "application/json").body(r#"{"by":"bob"}"#))
    };
    let told: Value = serde_json::from_str(&text(deny(&id).await).await).unwrap();
    assert_eq!(
        (&told["state"], &told["by"], &told["arguments"]["note"]),
        (&json!("denied"), &json!("bob"), &json!("a"))
    );
    assert_eq!(deny(&id).await.status(), 409);
    assert_eq!(deny("17-none").await.status(), 409);
    assert_eq!(page.order("a"), "approval_denied");

    let kill = |to: &str| send(page.script(Method::POST, &format!("/api/kill/{to}")));
    assert_eq!(text(kill("on").await).await, r#"{"halted":true}"#);
    assert_eq!(page.order("b"), "halted");
    let figures = text(send(page.script(Method::GET, "/metrics")).await).await;
    for line in [
        r#"mcp_gateway_calls_total{server="fixture",decision="escalate",tool="big_order"} 2"#,
        r#"mcp_gateway_refusals_total{server="fixture",reason="approval_denied"} 1"#,
        r#"mcp_gateway_refusals_total{server="fixture",reason="halted"} 1"#,
        "mcp_gateway_halted 1",
        r#"mcp_gateway_approvals_pending{server="fixture"} 0"#,
    ] {
        assert!(figures.lines().any(|told| told == line), "{line} is missing in {figures}");
    }
    assert_eq!(kill("sideways").await.status(), 403);
    assert_eq!(text(kill("off").await).await, r#"{"halted":false}"#);
    assert_eq!(page.order("b"), "approval_required");
    let events = page.bench.audit.all().into_iter().filter(|line| line.contains(r#""event":"halted""#)).count();
    assert_eq!(events, 1);
}
