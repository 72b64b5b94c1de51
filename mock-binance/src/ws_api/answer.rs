//! From a request to its answer.

use std::net::IpAddr;
use std::sync::Arc;

use exchange_engine::{AccountId, Timestamp, WindowLimit};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::methods;
use super::request::{self, Malformed, Request, percent_encoded, raw};
use super::session::{self, Credentials, Method, Session};
use crate::api::auth;
use crate::api::error::ApiError;
use crate::api::interval::Interval;
use crate::api::params::{Asked, Params};
use crate::api::render::TimeUnit;
use crate::api::route::{Call, Route, Security};
use crate::faults::{Delivery, Meeting, Request as Met};
use crate::limits::{banned, charge};
use crate::listen_keys::ListenKeys;
use crate::state::{Hub, State};
use crate::transcript::Asked as Recorded;

/// What is the same for all requests of one connection.
pub(crate) struct Connection {
    pub(crate) hub: Arc<Hub>,
    pub(crate) peer: IpAddr,
    pub(crate) unit: TimeUnit,
    /// Whether answers tell the rate limits, where a request does not say.
    pub(crate) rate_limits: bool,
    pub(crate) session: Session,
}

/// An answer, and whether the connection ends with it.
pub(crate) struct Answered {
    pub(crate) text: String,
    pub(crate) ends: bool,
    pub(crate) delivery: Delivery,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    id: &'a Value,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limits: Option<Vec<Used>>,
}

#[derive(Serialize)]
struct ErrorBody {
    code: i32,
    msg: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<ErrorData>,
}

/// What an error tells besides: its own particulars, or when to come back.
#[derive(Serialize)]
#[serde(untagged)]
enum ErrorData {
    Own(Box<RawValue>),
    Wait(Wait),
}

/// When a refused client may come back.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wait {
    server_time: u64,
    retry_after: u64,
}

/// One limit and what is used of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    rate_limit_type: &'static str,
    interval: &'static str,
    interval_num: u32,
    limit: u32,
    count: u32,
}

impl Used {
    fn of(rate_limit_type: &'static str, limit: WindowLimit, count: u32) -> Self {
        let Interval { num, unit } = Interval::of(limit);
        Self { rate_limit_type, interval: unit, interval_num: num, limit: limit.limit, count }
    }
}

/// What came of a request.
struct Done {
    result: Result<Vec<u8>, ApiError>,
    weight: u32,
    /// Whose order counts the answer tells.
    orders_of: Option<AccountId>,
}

impl Connection {
    /// Answers one frame.
    pub(crate) fn answer(&mut self, frame: &str) -> Answered {
        let (mut state, now) = self.hub.lock();
        let source = state.sources.id(self.peer);
        let mut request = match request::read(frame) {
            Ok(request) => request,
            Err(Malformed { id, why }) => {
                let error = ApiError::Malformed(why);
                return Self::told(&state, now, source, &id, self.rate_limits, &Done::refused(error));
            }
        };
        let payloads = [request.payload(raw), request.payload(percent_encoded)];
        let rate_limits = request.take("returnRateLimits").map_or(self.rate_limits, |asked| asked != "false");
        let key = request.take("apiKey");
        let deadline = state.next_deadline();
        let params = Params::of(&request.params, request.duplicate);
        let asks_for = if state.streams.faults.is_empty() { String::new() } else { params.what_for() };
        let met = Met { method: "WS", path: &request.method, symbol: params.get("symbol"), asks_for: &asks_for };
        let meeting = state.streams.faults.meet(now, met);
        let server_time = meeting.server_time(now);
        let credentials = Credentials { key: key.as_deref(), payloads: &payloads, server_time };
        let asking = Asking { request: &request, params: &params, credentials, source };
        let done = asking.meet(&mut state, &mut self.session, (now, self.unit), met, &meeting);
        let speaks = self.session.key(key.as_deref());
        let dropped = meeting.delivery.drop;
        state.record(
            now,
            &Recorded {
                method: "WS",
                path: &request.method,
                params: &params,
                key: speaks,
                user_agent: None,
                status: if dropped { 0 } else { done.result.as_ref().map_or_else(ApiError::status, |_| 200) },
                code: done.result.as_ref().err().filter(|_| !dropped).map(ApiError::code),
                weight: done.weight,
                faults: &meeting.names,
            },
        );
        let mut answered = Self::told(&state, now, source, &request.id, rate_limits, &done);
        answered.delivery = meeting.delivery;
        let deadline_moved = state.next_deadline() != deadline;
        drop(state);
        if deadline_moved {
            self.hub.deadline_moved.notify_one();
        }
        answered
    }

    fn told(state: &State, now: Timestamp, source: u32, id: &Value, limits: bool, done: &Done) -> Answered {
        let (status, result, error) = match &done.result {
            Ok(body) => (200, serde_json::from_slice(body).ok(), None),
            Err(error) => {
                let wait = error.retry_after_s().map(|seconds| Wait {
                    server_time: now.as_millis(),
                    retry_after: now.as_millis().saturating_add(seconds.saturating_mul(1_000)),
                });
                let own = error.data().map(|data| ErrorData::Own(data.to_owned()));
                let data = own.or(wait.map(ErrorData::Wait));
                (error.status(), None, Some(ErrorBody { code: error.code(), msg: error.to_string(), data }))
            }
        };
        let rate_limits = limits.then(|| {
            let weight = state.exchange.spec().limits.request_weight;
            let orders = done.orders_of.map(|account| state.exchange.order_counts(account, now)).unwrap_or_default();
            orders
                .into_iter()
                .map(|(limit, count)| Used::of("ORDERS", limit, count))
                .chain([Used::of("REQUEST_WEIGHT", weight, state.weights.used(now, source))])
                .collect()
        });
        // A ban, also one that a fault only pretends.
        let ends = done.result.as_ref().is_err_and(|error| error.status() == 418);
        Answered {
            text: crate::json::text(&Answer { id, status, result, error, rate_limits }),
            ends,
            delivery: Delivery::default(),
        }
    }
}

impl Done {
    const fn refused(error: ApiError) -> Self {
        Self { result: Err(error), weight: 0, orders_of: None }
    }
}

/// A request on its way.
struct Asking<'a> {
    request: &'a Request,
    params: &'a Params<'a>,
    credentials: Credentials<'a>,
    source: u32,
}

impl Asking<'_> {
    /// What a client is told once the faults have had their way.
    fn meet(
        &self,
        state: &mut State,
        session: &mut Session,
        (now, unit): (Timestamp, TimeUnit),
        met: Met<'_>,
        meeting: &Meeting,
    ) -> Done {
        let mut done =
            if meeting.stopped { Done::refused(ApiError::Internal) } else { self.run(state, session, (now, unit)) };
        if let Some(refusal) = &meeting.refusal {
            done.result = Err(ApiError::Fault(refusal.clone()));
        }
        done.result = done.result.map(|body| state.streams.faults.alter(meeting, met, body));
        done
    }

    fn run(&self, state: &mut State, session: &mut Session, (now, unit): (Timestamp, TimeUnit)) -> Done {
        if let Some(until) = state.bans.until(now, self.source) {
            return Done::refused(banned(now, until));
        }
        // Where listen keys are gone, so are their methods.
        let gone = state.listen_key_mode == ListenKeys::Gone;
        let route = methods::find(&self.request.method).filter(|route| !(gone && route.is_listen_key()));
        let of_session = Method::find(&self.request.method);
        let otherwise = if of_session.is_some() { session::WEIGHT } else { 1 };
        let weight = route.map_or(otherwise, |route| route.weight(self.params));
        if let Err(error) = charge(state, now, self.source, weight) {
            return Done::refused(error);
        }
        if let Some(method) = of_session {
            let result = session.run(method, state, self.params, self.credentials, (now, unit));
            return Done { result, weight, orders_of: None };
        }
        let Some(route) = route else {
            return Done { weight, ..Done::refused(ApiError::UnknownMethod) };
        };
        let mut account = None;
        let result = self.call(state, session, (now, unit), route, &mut account);
        let free = result.is_ok() && route.is_free_on_success();
        if free {
            state.weights.refund(now, self.source, weight);
        }
        // Refused orders tell the counts too: a client that is over one of them learns which.
        let orders_of = account.filter(|_| route.counts_orders());
        Done { result, weight: if free { 0 } else { weight }, orders_of }
    }

    /// Runs the endpoint; `of` becomes the account as soon as it is known.
    fn call(
        &self,
        state: &mut State,
        session: &Session,
        (now, unit): (Timestamp, TimeUnit),
        route: &Route,
        of: &mut Option<AccountId>,
    ) -> Result<Vec<u8>, ApiError> {
        let signed = route.security == Security::Signed;
        let asked = if signed { session.asks(self.params, self.credentials.key) } else { Asked::Nothing };
        self.params.check_for(route.fields, asked)?;
        *of = match route.security {
            Security::None => None,
            Security::Key => Some(auth::account(&state.accounts, session.key(self.credentials.key))?.id),
            Security::Signed => Some(session.account(state, self.params, self.credentials)?),
        };
        let server_time = self.credentials.server_time;
        let account = of.unwrap_or(AccountId::FEES);
        let mut call = Call { state, params: self.params, now, server_time, unit, account };
        (route.run)(&mut call)
    }
}
