//! The addresses of the admin listener, and who may use them.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Form, Path, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;

use super::logins::Logins;
use super::metrics::{self, Now};
use super::page::{self, View};
use super::watch::Watch;
use crate::approval::{Approval, ApprovalBook, ApprovalError, ApprovalState};
use crate::gateway::Gateway;
use crate::socket::{Encryption, Listening};
#[cfg(feature = "tls")]
use crate::tls::ServerTls;
use crate::usage::LimitUsage;
use crate::webhook::WebhookCounts;

/// How long agreeing upon encryption may take.
#[cfg(feature = "tls")]
const HANDSHAKE: std::time::Duration = std::time::Duration::from_secs(10);
const COOKIE_NAME: &str = "mcp-gateway-admin";
/// A token of fewer characters could be guessed.
const TOKEN_MIN: usize = 16;

/// What the admin listener works with.
pub struct AdminConfig {
    /// Sees what the audit takes.
    pub watch: Watch,
    /// Where people are asked; without it there is nothing to decide.
    pub approvals: Option<ApprovalBook>,
    /// What became of notices, where a webhook is told of requests.
    pub notices: Option<Arc<WebhookCounts>>,
    /// Makes secrets of 32 random bytes for cookies and forms.
    pub secrets: Arc<dyn Fn() -> io::Result<[u8; 32]> + Send + Sync>,
    /// By which names the page may be called, as in `Host`, without the port. What is not here is refused, so that a page of
    /// another site cannot reach it by a name of its own that leads here.
    pub hosts: Vec<String>,
    /// The certificate by which the listener encrypts; without one everything is sent in the clear.
    #[cfg(feature = "tls")]
    pub tls: Option<ServerTls>,
    token: [u8; 32],
}

/// The admin token is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the admin token must have at least {TOKEN_MIN} characters: try `openssl rand -hex 32`")]
pub struct AdminTokenTooShort;

impl AdminConfig {
    /// Whoever has the token may see and decide everything.
    ///
    /// # Errors
    /// The token could be guessed.
    pub fn new(token: &str, watch: Watch, approvals: Option<ApprovalBook>) -> Result<Self, AdminTokenTooShort> {
        if token.len() < TOKEN_MIN {
            return Err(AdminTokenTooShort);
        }
        let secrets = || {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).map_err(io::Error::other)?;
            Ok(secret)
        };
        Ok(Self {
            watch,
            approvals,
            notices: None,
            secrets: Arc::new(secrets),
            hosts: ["127.0.0.1", "localhost", "[::1]"].map(str::to_owned).to_vec(),
            #[cfg(feature = "tls")]
            tls: None,
            token: Sha256::digest(token).into(),
        })
    }

    #[cfg_attr(not(feature = "tls"), expect(clippy::unused_self, reason = "with the feature it is asked"))]
    fn encryption(&self) -> Encryption {
        Encryption {
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
            #[cfg(feature = "tls")]
            within: HANDSHAKE,
        }
    }
}

impl std::fmt::Debug for AdminConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminConfig(..)")
    }
}

/// The admin listener of a gateway.
#[derive(Clone)]
pub struct Admin(Arc<Desk>);

struct Desk {
    /// The first: clock, approval window and kill switch are the same for all.
    gateway: Gateway,
    others: Vec<Gateway>,
    watch: Watch,
    book: Option<Mutex<ApprovalBook>>,
    notices: Option<Arc<WebhookCounts>>,
    secrets: Arc<dyn Fn() -> io::Result<[u8; 32]> + Send + Sync>,
    token: [u8; 32],
    logins: Logins,
    hosts: Vec<String>,
    encryption: Encryption,
}

impl Admin {
    /// The admin listener of `gateway`, whose audit must be watched by the configuration's [`Watch`].
    pub fn new(gateway: Gateway, config: AdminConfig) -> Self {
        Self::several(gateway, Vec::new(), config)
    }

    /// The admin listener of several gateways in one process, which share clock, approval window, kill switch, state folder
    /// and audit.
    pub fn several(gateway: Gateway, others: Vec<Gateway>, config: AdminConfig) -> Self {
        let encryption = config.encryption();
        let AdminConfig { watch, approvals, notices, secrets, token, hosts, .. } = config;
        let (book, logins) = (approvals.map(Mutex::new), Logins::default());
        Self(Arc::new(Desk { gateway, others, watch, book, notices, secrets, token, logins, hosts, encryption }))
    }

    /// Serves until `stop` is ready.
    ///
    /// # Errors
    /// The listener breaks.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let listening = Listening { listener, encryption: self.0.encryption.clone() };
        axum::serve(listening, router(self.0)).with_graceful_shutdown(stop).await
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admin(..)")
    }
}

fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/", get(whole))
        .route("/part", get(part))
        .route("/page.css", get(async || text("text/css", page::STYLE)))
        .route("/page.js", get(async || text("text/javascript", page::SCRIPT)))
        .route("/login", get(async || html(page::login(false))).post(login))
        .route("/logout", post(logout))
        .route("/decide", post(decide))
        .route("/kill", post(kill))
        .route("/api/approvals", get(api_list))
        .route("/api/limits", get(api_limits))
        .route("/api/approvals/{id}/{to}", post(api_decide))
        .route("/api/kill/{to}", post(api_kill))
        .route("/metrics", get(figures))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&desk), at_home))
        .with_state(desk)
}

/// Turns away pages of others: those that bring a name of their own for this address, and those that send forms here.
async fn at_home(
    State(desk): State<Arc<Desk>>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let headers = request.headers();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = crate::http::without_port(host);
    let home = desk.hosts.iter().any(|home| home.eq_ignore_ascii_case(name));
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default().to_owned());
    let scheme = if desk.encryption.is_on() { "https" } else { "http" };
    if !home || origin.is_some_and(|origin| origin != format!("{scheme}://{host}")) {
        return (StatusCode::FORBIDDEN, "this page is called by its own name, and by no other page\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
                  frame-ancestors 'none'; base-uri 'none'";
    let fixed = [
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        // With `no-referrer` a browser says of its own forms that they come from nowhere, and they would be turned away.
        (HeaderName::from_static("referrer-policy"), "same-origin"),
    ];
    headers.extend(fixed.map(|(name, value)| (name, axum::http::HeaderValue::from_static(value))));
    response
}

/// Why a request is not carried out.
enum No {
    Login,
    Token,
    Form,
    Approval(ApprovalError),
    Nobody,
    Broken(String),
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Login => return (StatusCode::SEE_OTHER, [(LOCATION, "/login")]).into_response(),
            Self::Token => (StatusCode::UNAUTHORIZED, "bring the admin token".to_owned()),
            Self::Form => (StatusCode::FORBIDDEN, "this form is not of your page: go back and reload it".to_owned()),
            Self::Approval(error @ ApprovalError::State(_)) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            Self::Approval(error) => (StatusCode::CONFLICT, error.to_string()),
            Self::Nobody => (StatusCode::NOT_FOUND, "this gateway has no state folder, so nobody is asked".to_owned()),
            Self::Broken(why) => (StatusCode::INTERNAL_SERVER_ERROR, why),
        };
        (status, format!("{text}\n")).into_response()
    }
}

impl Desk {
    fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        std::iter::once(&self.gateway).chain(&self.others)
    }

    fn is_token(&self, token: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(token).into();
        digest.ct_eq(&self.token).into()
    }

    /// What the forms of a browser come with that is logged in.
    fn form(&self, headers: &HeaderMap) -> Option<String> {
        self.logins.form(cookie(headers)?, self.gateway.now_ms())
    }

    /// A browser's form is taken only with what its own page was given.
    fn sent_by_page(&self, headers: &HeaderMap, form: &str) -> Result<(), No> {
        let expected = self.form(headers).ok_or(No::Login)?;
        if bool::from(expected.as_bytes().ct_eq(form.as_bytes())) { Ok(()) } else { Err(No::Form) }
    }

    fn sent_by_script(&self, headers: &HeaderMap) -> Result<(), No> {
        let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
        if self.is_token(token) { Ok(()) } else { Err(No::Token) }
    }

    fn decide(&self, id: &str, to: &str, by: &str, note: &str) -> Result<Approval, No> {
        let book = self.book.as_ref().ok_or(No::Nobody)?;
        let now = self.gateway.now_ms();
        let decided = {
            let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
            match to {
                "approve" => book.approve(id, now, self.gateway.approval_window_ms(), by, note),
                "deny" => book.deny(id, now, by, note),
                _ => return Err(No::Form),
            }
        };
        // It is on record before anybody is told.
        self.gateways().for_each(Gateway::record_approvals);
        decided.map_err(No::Approval)
    }

    fn kill(&self, to: &str) -> Result<(), No> {
        let switch = self.gateway.kill_switch();
        let set = match to {
            "on" => switch.throw(),
            "off" => switch.release(),
            _ => return Err(No::Form),
        };
        self.gateways().for_each(Gateway::look_at_the_switch);
        set.map_err(|error| No::Broken(format!("the file of the kill switch: {error}")))
    }

    fn approvals(&self) -> Result<Vec<(Approval, ApprovalState)>, String> {
        let Some(book) = &self.book else {
            return Err(
                "Without a state folder (--state) nobody is asked, and calls that need approval are denied.".to_owned()
            );
        };
        let book = book.lock().unwrap_or_else(PoisonError::into_inner);
        book.list(self.gateway.now_ms()).map_err(|error| error.to_string())
    }

    /// The limits of which something is used at any server, the fullest first, and how many there are.
    fn usage(&self) -> (Vec<LimitUsage>, usize) {
        let mut all = (Vec::new(), 0);
        for (used, count) in self.gateways().map(Gateway::usage) {
            all.0.extend(used);
            all.1 += count;
        }
        // Those of one server are in order already, and stay so.
        all.0.sort_by_key(|usage| std::cmp::Reverse(usage.permille));
        all
    }

    fn view<'a>(&'a self, form: &'a str) -> View<'a> {
        View {
            servers: self.gateways().map(Gateway::server).collect(),
            now_ms: self.gateway.now_ms(),
            halted: self.gateway.kill_switch().is_on(),
            approvals: self.approvals(),
            limits: self.usage(),
            latest: self.watch.seen().latest.iter().cloned().collect(),
            form,
        }
    }

    fn secret(&self) -> Result<String, No> {
        let secret = (self.secrets)().map_err(|error| No::Broken(format!("no randomness: {error}")))?;
        Ok(hex::encode(secret))
    }
}

async fn whole(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Result<Response, No> {
    let form = desk.form(&headers).ok_or(No::Login)?;
    Ok(html(page::whole(&desk.view(&form))))
}

async fn part(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Result<Response, No> {
    let form = desk.form(&headers).ok_or(No::Token)?;
    Ok(html(page::part(&desk.view(&form))))
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

async fn login(State(desk): State<Arc<Desk>>, Form(login): Form<Login>) -> Result<Response, No> {
    if !desk.is_token(login.token.trim()) {
        tracing::warn!("somebody tried to log in to the admin page with another token");
        return Ok((StatusCode::UNAUTHORIZED, html(page::login(true))).into_response());
    }
    let (secret, form) = (desk.secret()?, desk.secret()?);
    // What was logged in with encryption is told to no listener without.
    let secure = if desk.encryption.is_on() { "; Secure" } else { "" };
    let cookie = format!("{COOKIE_NAME}={secret}; Path=/; HttpOnly; SameSite=Strict{secure}");
    desk.logins.open(secret, form, desk.gateway.now_ms());
    Ok((StatusCode::SEE_OTHER, [(LOCATION, "/".to_owned()), (SET_COOKIE, cookie)]).into_response())
}

#[derive(Deserialize)]
struct Sent {
    form: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    note: String,
}

async fn logout(State(desk): State<Arc<Desk>>, headers: HeaderMap, Form(sent): Form<Sent>) -> Result<Response, No> {
    desk.sent_by_page(&headers, &sent.form)?;
    desk.logins.close(cookie(&headers).unwrap_or_default());
    Err(No::Login)
}

async fn decide(State(desk): State<Arc<Desk>>, headers: HeaderMap, Form(sent): Form<Sent>) -> Result<Response, No> {
    desk.sent_by_page(&headers, &sent.form)?;
    desk.decide(&sent.id, &sent.to, &sent.by, &sent.note)?;
    Ok(back())
}

async fn kill(State(desk): State<Arc<Desk>>, headers: HeaderMap, Form(sent): Form<Sent>) -> Result<Response, No> {
    desk.sent_by_page(&headers, &sent.form)?;
    desk.kill(&sent.to)?;
    Ok(back())
}

async fn api_list(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Result<Response, No> {
    desk.sent_by_script(&headers)?;
    let all = desk.approvals().map_err(No::Broken)?;
    let told: Vec<Value> = all.iter().map(|(approval, state)| approval.told(*state)).collect();
    Ok(Json(told).into_response())
}

async fn api_limits(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Result<Response, No> {
    desk.sent_by_script(&headers)?;
    let (limits, count) = desk.usage();
    Ok(Json(json!({"limits": limits, "count": count})).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    by: String,
    #[serde(default)]
    note: String,
}

async fn api_decide(
    State(desk): State<Arc<Desk>>,
    Path((id, to)): Path<(String, String)>,
    headers: HeaderMap,
    Json(decision): Json<Decision>,
) -> Result<Response, No> {
    desk.sent_by_script(&headers)?;
    let approval = desk.decide(&id, &to, &decision.by, &decision.note)?;
    let state = approval.state_at(desk.gateway.now_ms());
    Ok(Json(approval.told(state)).into_response())
}

async fn api_kill(State(desk): State<Arc<Desk>>, Path(to): Path<String>, headers: HeaderMap) -> Result<Response, No> {
    desk.sent_by_script(&headers)?;
    desk.kill(&to)?;
    Ok(Json(json!({"halted": desk.gateway.kill_switch().is_on()})).into_response())
}

async fn figures(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Result<Response, No> {
    desk.sent_by_script(&headers)?;
    let approvals = desk.approvals().unwrap_or_default();
    let waits = |server: &str| {
        let of_server = |(approval, state): &&(Approval, ApprovalState)| {
            *state == ApprovalState::Pending && approval.asked.server == server
        };
        (server.to_owned(), approvals.iter().filter(of_server).count())
    };
    let pending = desk.gateways().map(|gateway| waits(gateway.server())).collect();
    let notices = desk.notices.as_ref().map(|notices| notices.all());
    let now = Now { pending, halted: desk.gateway.kill_switch().is_on(), notices };
    let told = metrics::text(&desk.watch.seen(), &now);
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], told).into_response())
}

/// Ready while calls can be judged and recorded.
async fn ready(State(desk): State<Arc<Desk>>) -> Response {
    match desk.gateways().find_map(Gateway::trouble) {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies =
        headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    cookies
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| value)
}

fn back() -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response()
}

fn html(text: String) -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

fn text(media: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, media)], text).into_response()
}
