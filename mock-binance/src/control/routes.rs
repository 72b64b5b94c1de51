//! The operations of the control interface.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use exchange_engine::{Amount, Price};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Asked, Body, Problem};
use crate::clock::Clock;
use crate::faults::Fault;
use crate::operator::ControlError;
use crate::state::Hub;

type Shared = State<Arc<Hub>>;
type Answer = Result<Json<Value>, Problem>;

/// Method, path and meaning of every operation; `GET /` tells them.
const OPERATIONS: [(&str, &str, &str); 19] = [
    ("GET", "/", "this list"),
    ("GET", "/clock", "the mock's time, and whether it is moved by hand"),
    ("PUT", "/clock", r#"{"now_ms":N}: sets a manual clock forward to N; what falls due on the way happens"#),
    ("POST", "/clock/advance", r#"{"ms":N}: moves a manual clock by N milliseconds"#),
    ("GET", "/accounts", "what each account has, free and locked"),
    ("PUT", "/accounts/{label}/balances/{asset}", r#"{"free":"12.5"}: deposits or withdraws the difference"#),
    ("GET", "/prices", "the last price of each symbol"),
    ("PUT", "/prices/{symbol}", r#"{"price":"65000"}: moves the market there by trades of the house"#),
    ("GET", "/replays", "how far the recorded markets have come"),
    ("GET", "/faults", "all faults, with how often each was met"),
    ("POST", "/faults", "a fault, as in a fault file: happens from now on"),
    ("DELETE", "/faults/{name}", "ends a fault"),
    ("GET", "/journal", "?from=0&limit=100&format=json|text: what happened at the exchange"),
    ("GET", "/requests", "?from=1&limit=100: what clients asked, without secrets"),
    ("GET", "/snapshots", "the snapshots"),
    ("PUT", "/snapshots/{name}", "keeps everything as it stands under a name"),
    ("POST", "/snapshots/{name}/restore", "makes everything as it was; connections end"),
    ("DELETE", "/snapshots/{name}", "forgets a snapshot"),
    ("POST", "/reset", "makes everything as it was at the start; snapshots stay"),
];

pub(crate) fn routes(hub: Arc<Hub>) -> Router {
    Router::new()
        .route("/", get(operations))
        .route("/clock", get(clock).put(set_clock))
        .route("/clock/advance", post(advance))
        .route("/accounts", get(accounts))
        .route("/accounts/{label}/balances/{asset}", put(set_balance))
        .route("/prices", get(prices))
        .route("/prices/{symbol}", put(set_price))
        .route("/replays", get(replays))
        .route("/faults", get(faults).post(add_fault))
        .route("/faults/{name}", delete(remove_fault))
        .route("/journal", get(journal))
        .route("/requests", get(requests))
        .route("/snapshots", get(snapshots))
        .route("/snapshots/{name}", put(take_snapshot).delete(delete_snapshot))
        .route("/snapshots/{name}/restore", post(restore_snapshot))
        .route("/reset", post(reset))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(hub)
}

async fn operations() -> Json<Value> {
    let told = OPERATIONS.map(|(method, path, does)| json!({ "method": method, "path": path, "does": does }));
    Json(json!({ "operations": told }))
}

async fn no_such_path() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_path", "there is nothing here: GET / lists the operations")
}

async fn no_such_method() -> Problem {
    let message = "this path does not take that method: GET / lists the operations";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "unknown_method", message)
}

async fn clock(State(hub): Shared) -> Json<Value> {
    let kind = match hub.clock() {
        Clock::System => "system",
        Clock::Manual(_) => "manual",
    };
    Json(json!({ "clock": kind, "now_ms": hub.clock().now_ms() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    now_ms: u64,
}

async fn set_clock(State(hub): Shared, Body(To { now_ms }): Body<To>) -> Answer {
    moved(hub, move |hub| hub.set_clock(now_ms)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct By {
    ms: u64,
}

async fn advance(State(hub): Shared, Body(By { ms }): Body<By>) -> Answer {
    moved(hub, move |hub| hub.advance(Duration::from_millis(ms))).await
}

/// Much may fall due on the way, and clients are to be answered meanwhile.
async fn moved(hub: Arc<Hub>, step: impl FnOnce(&Hub) -> Result<u64, ControlError> + Send + 'static) -> Answer {
    let moved = tokio::task::spawn_blocking(move || step(&hub)).await;
    let broken = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "stopped", "the mock stopped meanwhile");
    let now_ms = moved.map_err(broken)??;
    Ok(Json(json!({ "clock": "manual", "now_ms": now_ms })))
}

async fn accounts(State(hub): Shared) -> Json<Value> {
    Json(json!({ "accounts": hub.balances() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Free {
    free: String,
}

async fn set_balance(
    State(hub): Shared,
    Path((label, asset)): Path<(String, String)>,
    Body(Free { free }): Body<Free>,
) -> Answer {
    let amount: Amount = decimal("free", &free)?;
    Ok(Json(json!(hub.set_balance(&label, &asset, amount)?)))
}

async fn replays(State(hub): Shared) -> Json<Value> {
    Json(json!({ "replays": hub.replays() }))
}

async fn prices(State(hub): Shared) -> Json<Value> {
    let prices: serde_json::Map<_, _> =
        hub.prices().into_iter().map(|(symbol, price)| (symbol, price.to_string().into())).collect();
    Json(json!({ "prices": prices }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Priced {
    price: String,
}

async fn set_price(State(hub): Shared, Path(symbol): Path<String>, Body(Priced { price }): Body<Priced>) -> Answer {
    let price: Price = decimal("price", &price)?;
    hub.move_market(&symbol, price).map_err(ControlError::from)?;
    let last = hub.prices().get(&symbol).map(ToString::to_string);
    Ok(Json(json!({ "symbol": symbol, "price": last })))
}

async fn faults(State(hub): Shared) -> Json<Value> {
    Json(json!({ "faults": hub.lock().0.streams.faults.list() }))
}

async fn add_fault(State(hub): Shared, Body(fault): Body<Fault>) -> Answer {
    let name = fault.name.clone();
    hub.add_fault(fault)?;
    Ok(Json(json!({ "added": name })))
}

async fn remove_fault(State(hub): Shared, Path(name): Path<String>) -> Answer {
    if hub.remove_fault(&name) {
        return Ok(Json(json!({ "removed": name })));
    }
    let message = format!("there is no fault `{name}`: GET /faults lists them");
    Err(Problem::new(StatusCode::NOT_FOUND, "unknown_fault", message))
}

/// Entries of one page.
const PAGE_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    from: Option<u64>,
    limit: Option<usize>,
    format: Option<Format>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Format {
    Json,
    Text,
}

impl Page {
    fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(100) {
            limit if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
            limit => Err(Problem::bad("query", format!("limit is {limit}: write 1 to {PAGE_MAX}"))),
        }
    }
}

async fn journal(State(hub): Shared, Asked(page): Asked<Page>) -> Result<Response, Problem> {
    let (limit, from) = (page.limit()?, page.from.unwrap_or(0));
    let state = hub.lock().0;
    let journal = state.exchange.journal();
    let entries: Vec<_> = journal.since(from).take(limit).collect();
    let (facts, first) = (journal.len(), journal.first());
    drop(state);
    if page.format == Some(Format::Text) {
        let lines: Vec<_> = entries.iter().map(ToString::to_string).collect();
        let text = lines.join("\n") + if lines.is_empty() { "" } else { "\n" };
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response());
    }
    let next = entries.last().map(|entry| entry.seq + 1).filter(|next| *next < facts);
    let told: Vec<_> = entries
        .iter()
        .map(|entry| json!({ "seq": entry.seq, "at_us": entry.at.as_micros(), "fact": entry.fact.to_string() }))
        .collect();
    Ok(Json(json!({ "facts": facts, "first": first, "next": next, "entries": told })).into_response())
}

async fn requests(State(hub): Shared, Asked(page): Asked<Page>) -> Answer {
    if page.format.is_some_and(|format| format != Format::Json) {
        return Err(Problem::bad("query", "requests are told as JSON only: leave format out"));
    }
    let (records, more) = hub.lock().0.transcript.page(page.from.unwrap_or(1), page.limit()?);
    let next = records.last().filter(|_| more).map(|record| record.seq + 1);
    Ok(Json(json!({ "next": next, "requests": records })))
}

async fn snapshots(State(hub): Shared) -> Json<Value> {
    Json(json!({ "snapshots": hub.snapshots() }))
}

async fn take_snapshot(State(hub): Shared, Path(name): Path<String>) -> Answer {
    Ok(Json(json!(hub.take_snapshot(&name)?)))
}

async fn restore_snapshot(State(hub): Shared, Path(name): Path<String>) -> Answer {
    Ok(Json(json!(hub.restore_snapshot(&name)?)))
}

async fn delete_snapshot(State(hub): Shared, Path(name): Path<String>) -> Answer {
    hub.delete_snapshot(&name)?;
    Ok(Json(json!({ "deleted": name })))
}

async fn reset(State(hub): Shared) -> Json<Value> {
    hub.reset();
    Json(json!({ "clock_ms": hub.clock().now_ms() }))
}

fn decimal<T: std::str::FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::bad("decimal", format!("{field} is `{text}`: {error}")))
}
