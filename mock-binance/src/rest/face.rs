//! A request's way through the face, and the headers of its answer.
//!
//! The order of the checks is that of the exchange: ban, weight, route, form of the parameters, key, time, signature;
//! then whatever the endpoint itself checks.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use exchange_engine::{AccountId, Timestamp, WindowLimit};

use crate::api::auth;
use crate::api::error::ApiError;
use crate::api::interval::Interval;
use crate::api::params::Params;
use crate::api::render::TimeUnit;
use crate::api::route::{self, Call, Route, Security};
use crate::faults::{Delivery, Meeting, Request as Met};
use crate::limits::{banned, charge};
use crate::listen_keys::ListenKeys;
use crate::state::{Hub, State};
use crate::transcript::Asked;

/// Answers every request that no overlaid mock has taken.
pub(crate) struct Face {
    hub: Arc<Hub>,
}

const JSON: &str = "application/json;charset=UTF-8";
const HTML: &str = "text/html";
/// What the live exchange answers since listen keys are gone: the page of the proxy in front of it.
const GONE_PAGE: &str = "<html>\n<head><title>410 Gone</title></head>\n<body>\n<center><h1>410 Gone</h1></center>\n\
                         <hr><center>nginx</center>\n</body>\n</html>";
const NOT_FOUND_PAGE: &str = "<html><body><h2>404 Not found</h2></body></html>";

/// The answer to one request before it becomes HTTP.
struct Answer {
    status: u16,
    code: Option<i32>,
    mime: &'static str,
    body: Vec<u8>,
    weight: u32,
    used_weight: Option<u32>,
    order_counts: Vec<(WindowLimit, u32)>,
    retry_after_s: Option<u64>,
}

impl Answer {
    fn plain(status: u16, mime: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            code: None,
            mime,
            body: body.into(),
            weight: 0,
            used_weight: None,
            order_counts: Vec::new(),
            retry_after_s: None,
        }
    }

    fn error(error: &ApiError) -> Self {
        Self {
            code: Some(error.code()),
            retry_after_s: error.retry_after_s(),
            ..Self::plain(error.status(), JSON, error.body())
        }
    }
}

impl Face {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }
}

/// A request as it came off the wire.
pub(crate) struct Received<'a> {
    pub(crate) peer: IpAddr,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a [u8],
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
}

impl Face {
    /// The answer, and what happens to it on its way.
    pub(crate) fn answer(&self, received: &Received<'_>) -> (Response, Delivery) {
        // Only a GET is never given its parameters in a body.
        let form: &[u8] = if received.method == "GET" { b"" } else { received.body };
        let params = Params::read(received.query, form);

        let (mut state, now) = self.hub.lock();
        let deadline = state.next_deadline();
        let asks_for = if state.streams.faults.is_empty() { String::new() } else { params.what_for() };
        let met =
            Met { method: received.method, path: received.path, symbol: params.get("symbol"), asks_for: &asks_for };
        let meeting = state.streams.faults.meet(now, met);
        let server_time = meeting.server_time(now);
        let incoming = Incoming { received, params: &params, source: state.sources.id(received.peer), server_time };
        let answer = incoming.meet(&mut state, now, met, &meeting);
        let dropped = meeting.delivery.drop;
        state.record(
            now,
            &Asked {
                method: received.method,
                path: received.path,
                params: &params,
                key: incoming.api_key(),
                user_agent: text_header(received.headers, "user-agent"),
                status: if dropped { 0 } else { answer.status },
                code: answer.code.filter(|_| !dropped),
                weight: answer.weight,
                faults: &meeting.names,
            },
        );
        let deadline_moved = state.next_deadline() != deadline;
        drop(state);

        if deadline_moved {
            self.hub.deadline_moved.notify_one();
        }
        (respond(answer), meeting.delivery)
    }
}

/// A request as the checks see it.
struct Incoming<'a> {
    received: &'a Received<'a>,
    params: &'a Params<'a>,
    /// Whose weight it spends.
    source: u32,
    server_time: Timestamp,
}

impl Incoming<'_> {
    /// The answer that a client gets once the faults have had their way.
    fn meet(&self, state: &mut State, now: Timestamp, met: Met<'_>, meeting: &Meeting) -> Answer {
        let mut answer = if meeting.stopped { Answer::plain(503, HTML, "") } else { self.answer(state, now) };
        if let Some(refusal) = &meeting.refusal {
            let Answer { weight, used_weight, .. } = answer;
            return Answer { weight, used_weight, ..Answer::error(&ApiError::Fault(refusal.clone())) };
        }
        if answer.status == 200 {
            answer.body = state.streams.faults.alter(meeting, met, answer.body);
        }
        answer
    }

    fn answer(&self, state: &mut State, now: Timestamp) -> Answer {
        let route = route::find(self.received.method, self.received.path);
        if route.is_some_and(Route::is_listen_key) && state.listen_key_mode == ListenKeys::Gone {
            return Answer::plain(410, HTML, GONE_PAGE);
        }
        if let Some(until) = state.bans.until(now, self.source) {
            return Answer::error(&banned(now, until));
        }
        let weight = route.map_or(1, |route| route.weight(self.params));
        if let Err(error) = charge(state, now, self.source, weight) {
            return Answer { used_weight: Some(state.weights.used(now, self.source)), ..Answer::error(&error) };
        }
        let Some(route) = route else {
            let wants_html = text_header(self.received.headers, "accept").is_some_and(|accept| accept.contains(HTML));
            let page = if wants_html { NOT_FOUND_PAGE } else { "" };
            return Answer {
                weight,
                used_weight: Some(state.weights.used(now, self.source)),
                ..Answer::plain(404, HTML, page)
            };
        };
        match self.run(state, now, route) {
            Ok((body, account)) => {
                let free = route.is_free_on_success();
                let used = if free {
                    state.weights.refund(now, self.source, weight)
                } else {
                    state.weights.used(now, self.source)
                };
                let order_counts = account
                    .filter(|_| route.counts_orders())
                    .map(|account| state.exchange.order_counts(account, now))
                    .unwrap_or_default();
                Answer {
                    weight: if free { 0 } else { weight },
                    used_weight: Some(used),
                    order_counts,
                    ..Answer::plain(200, JSON, body)
                }
            }
            Err(error) => {
                Answer { weight, used_weight: Some(state.weights.used(now, self.source)), ..Answer::error(&error) }
            }
        }
    }

    fn run(&self, state: &mut State, now: Timestamp, route: &Route) -> Result<(Vec<u8>, Option<AccountId>), ApiError> {
        let unit = TimeUnit::asked_for(text_header(self.received.headers, "x-mbx-time-unit"))?;
        self.params.check(route.fields, route.security == Security::Signed)?;
        let account = match route.security {
            Security::None => None,
            Security::Key => Some(auth::account(&state.accounts, self.api_key())?.id),
            Security::Signed => {
                let account = auth::account(&state.accounts, self.api_key())?;
                auth::check_time(self.params, self.server_time)?;
                auth::check_signature(account, self.params, self.received.query, self.received.body)?;
                Some(account.id)
            }
        };
        let server_time = self.server_time;
        let account_id = account.unwrap_or(AccountId::FEES);
        let mut call = Call { state, params: self.params, now, server_time, unit, account: account_id };
        let body = (route.run)(&mut call)?;
        Ok((body, account))
    }

    fn api_key(&self) -> Option<&str> {
        text_header(self.received.headers, "x-mbx-apikey")
    }
}

fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    // Every status of an answer is a number that HTTP knows.
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.mime));
    if let Some(used) = answer.used_weight {
        headers.insert("x-mbx-used-weight", used.into());
        headers.insert("x-mbx-used-weight-1m", used.into());
    }
    for (limit, used) in answer.order_counts {
        let name = format!("x-mbx-order-count-{}", Interval::of(limit).short().to_lowercase());
        if let Ok(name) = HeaderName::try_from(name) {
            headers.insert(name, used.into());
        }
    }
    if let Some(seconds) = answer.retry_after_s {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
