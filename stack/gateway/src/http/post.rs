//! POST: one message in, its answer out.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::agree::{self, Era};
use super::config::Holder;
use super::door::{self, Turned, only};
use super::events;
use super::front::{Heard, Reply, Said};
use super::listen::{Peer, Shared};
use super::meter::{Held, Who};
use super::table::{Link, NoLink};
use crate::config::Identity;
use crate::session::Lane;
use crate::wire::envelope::{self, Message, Refused};
use crate::wire::{Refusal, RequestId, probe_id, reply};

/// The header that names a session.
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// How many notifications wait for a client that reads slowly.
const NOTES_MAX: usize = 256;
/// How much of an oversize body is kept, to find out whose it was.
const PREFIX: usize = 1024;

/// Why a request gets no answer of the protocol's.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("{0}")]
    Turned(#[from] Turned),
    #[error("`Content-Type` must be `application/json`")]
    MediaType,
    #[error("`Accept` must hold `application/json` and `text/event-stream`: the answer is one or the other")]
    NotAcceptable,
    #[error("the body did not come in time")]
    Slow,
    #[error("the body broke off")]
    Broken,
    #[error("too many requests are served at present: nothing was done, come back in a second")]
    Overloaded,
    #[error("there is no such session: send `initialize` for another")]
    NoSession,
    #[error("the session has ended: whether the request took effect is unknown")]
    Lost,
    #[error("{0}")]
    NoLink(#[from] NoLink),
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let text = format!("{self}\n");
        let status = match self {
            Self::Turned(turned) => return turned.into_response(),
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::NoSession => StatusCode::NOT_FOUND,
            Self::Lost | Self::NoLink(NoLink::Unreachable(_)) => StatusCode::BAD_GATEWAY,
            Self::NoLink(NoLink::NoName(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded | Self::NoLink(NoLink::Full | NoLink::BackingOff { .. }) => {
                let again = [(RETRY_AFTER, HeaderValue::from_static("1"))];
                return (StatusCode::SERVICE_UNAVAILABLE, again, text).into_response();
            }
        };
        (status, text).into_response()
    }
}

/// Answers a POST to the endpoint.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match answer(&shared, &peer, &headers, body).await {
        Ok(response) => response,
        Err(failed) => failed.into_response(),
    }
}

async fn answer(shared: &Arc<Shared>, peer: &Peer, headers: &HeaderMap, body: Body) -> Result<Response, Failed> {
    let holder = shared.enter(peer, headers)?;
    let held = shared.hold(peer, &holder)?;
    let permit = shared.requests.clone().try_acquire_owned().map_err(|_| Failed::Overloaded)?;
    check_media(headers)?;
    let body = read(shared, body).await?;
    let session = only(headers, &SESSION).map_err(|_| Failed::NoSession)?;
    let (era, message) = understand(shared, headers, &body);

    let stateless = session.is_none() && era == Era::Stateless;
    let mut opened = None;
    let link = if let Some(id) = session {
        shared.table.find(id, &holder.grant).ok_or(Failed::NoSession)?
    } else if stateless && matches!(&message, Ok(Message::Request { .. } | Message::Notification { .. })) {
        shared.table.shared(&holder).await?
    } else if matches!(&message, Ok(Message::Request { method, .. }) if method == "initialize") {
        let (id, link) = shared.table.open(&shared.config, &holder).await?;
        opened = Some(id);
        link
    } else {
        return Ok(refuse(shared, holder, message));
    };

    let lane = Lane::new(shared.lane());
    let lane = if stateless { lane.with_own_ids() } else { lane };
    let (heard_by, heard) = oneshot::channel();
    let (noted, notes) = mpsc::channel(NOTES_MAX);
    let reply = Reply { heard: heard_by, notes: noted };
    let said = match body {
        Read::Whole(_) => Said::Message { lane, message, reply },
        Read::TooLong(prefix) => Said::Oversize { prefix, lane, reply },
    };
    link.try_send(said).map_err(|error| match error {
        TrySendError::Full(_) => Failed::Overloaded,
        TrySendError::Closed(_) => Failed::NoSession,
    })?;
    let waiting = Waiting { link, lane, hangs_up: stateless, _permit: permit, _held: held };
    let response = wait(heard, notes, waiting, stateless, prefers_events(headers)).await;
    let Some(id) = opened else { return response };
    match response {
        Ok(mut response) if response.status() == StatusCode::OK => {
            response.headers_mut().extend(HeaderValue::try_from(id).ok().map(|id| (SESSION, id)));
            Ok(response)
        }
        other => {
            shared.table.close(&id, &holder.grant);
            other
        }
    }
}

/// Waits for the answer; where news come first, the answer follows in a stream of events, which goes on waiting.
async fn wait(
    mut heard: oneshot::Receiver<Heard>,
    mut notes: mpsc::Receiver<Vec<u8>>,
    mut waiting: Waiting,
    stateless: bool,
    as_events: bool,
) -> Result<Response, Failed> {
    let heard = tokio::select! {
        biased;
        Some(note) = notes.recv() => return Ok(events::of_request(note, notes, heard, waiting)),
        heard = &mut heard => heard,
    };
    waiting.hangs_up = false;
    match heard {
        Ok(Heard::Answer(answer)) => Ok(match status(&answer, stateless) {
            StatusCode::OK if as_events => events::of_answer(&answer),
            status => json(status, answer),
        }),
        Ok(Heard::Nothing) => Ok(StatusCode::ACCEPTED.into_response()),
        Ok(Heard::Refused) => Ok((StatusCode::BAD_REQUEST, "the message was refused\n").into_response()),
        Err(_) => Err(Failed::Lost),
    }
}

/// A request that waits. It counts among those that are served, and where hanging up means to cancel, dropping it does.
struct Waiting {
    link: Link,
    lane: Lane,
    hangs_up: bool,
    _permit: OwnedSemaphorePermit,
    _held: [Held; 2],
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.hangs_up {
            // A session that is too busy to hear of it answers to nobody instead.
            let _ = self.link.try_send(Said::HungUp(self.lane));
        }
    }
}

enum Read {
    Whole(Bytes),
    TooLong(Vec<u8>),
}

async fn read(shared: &Shared, body: Body) -> Result<Read, Failed> {
    let limit = shared.gateway.limits().frame_bytes_max;
    let reading = async {
        let mut chunks = body.into_data_stream();
        let mut whole = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Failed::Broken)?;
            if whole.len() + chunk.len() > limit {
                whole.extend_from_slice(&chunk);
                whole.truncate(PREFIX);
                return Ok(Read::TooLong(whole));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Read::Whole(whole.into()))
    };
    let time = Duration::from_millis(shared.config.limits.body_ms);
    tokio::time::timeout(time, reading).await.map_err(|_| Failed::Slow)?
}

/// The era of a request, and its message if headers and body make one.
fn understand(shared: &Shared, headers: &HeaderMap, body: &Read) -> (Era, Result<Message, Refused>) {
    let limit = shared.gateway.limits().frame_bytes_max;
    let message = match body {
        Read::Whole(body) => envelope::read_bytes(body, limit),
        Read::TooLong(prefix) => Err((probe_id(prefix), Refusal::TooLarge { limit })),
    };
    let era = agree::era(headers);
    let message = message.and_then(|message| {
        let agreed = era.as_ref().map_err(Clone::clone).and_then(|era| agree::check(*era, headers, &message));
        match agreed {
            Ok(()) => Ok(message),
            Err(refusal) => Err((id_of(&message).cloned(), refusal)),
        }
    });
    (era.unwrap_or(Era::Sessions), message)
}

fn id_of(message: &Message) -> Option<&RequestId> {
    match message {
        Message::Request { id, .. } => Some(id),
        Message::Notification { .. } | Message::Response { .. } => None,
    }
}

/// Answers what belongs to no session.
fn refuse(shared: &Shared, holder: Holder, message: Result<Message, Refused>) -> Response {
    let (id, refusal) = match message {
        Ok(Message::Response { .. }) => (None, Refusal::UnaskedResponse),
        Ok(message) => (id_of(&message).cloned(), Refusal::NoSession),
        Err(refused) => refused,
    };
    let identity = Identity::new(holder.grant, "http").with_policy(holder.has_policy);
    shared.gateway.record_refusal(&identity, shared.gateway.now_ms(), id.as_ref(), None, &refusal);
    let mut line = Vec::new();
    reply::push_refusal(&mut line, id.as_ref(), &refusal);
    if line.is_empty() {
        return (StatusCode::BAD_REQUEST, format!("{refusal}\n")).into_response();
    }
    let status = if matches!(refusal, Refusal::TooLarge { .. }) {
        StatusCode::PAYLOAD_TOO_LARGE
    } else {
        StatusCode::BAD_REQUEST
    };
    json(status, line)
}

fn json(status: StatusCode, text: Vec<u8>) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], text).into_response()
}

/// The status that goes with an answer: 200 but for errors about the request itself.
fn status(answer: &[u8], stateless: bool) -> StatusCode {
    #[derive(serde::Deserialize)]
    struct Code {
        code: i64,
    }
    #[derive(serde::Deserialize)]
    struct Error {
        error: Code,
    }
    // Only errors are read again; they are short, and the gateway writes them in this order.
    let head = answer.get(..answer.len().min(4096)).unwrap_or_default();
    let is_error = head.windows(9).find(|text| *text == br#","error":"# || *text == br#","result""#);
    if is_error.is_none_or(|text| text != br#","error":"#) {
        return StatusCode::OK;
    }
    let code = serde_json::from_slice::<Error>(answer).map_or(0, |error| error.error.code);
    match code {
        -32700 | -32600 | -32020 | -32022 => StatusCode::BAD_REQUEST,
        -32601 if stateless => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}

fn check_media(headers: &HeaderMap) -> Result<(), Failed> {
    let content = only(headers, &CONTENT_TYPE).ok().flatten().ok_or(Failed::MediaType)?;
    if !essence(content).eq_ignore_ascii_case("application/json") {
        return Err(Failed::MediaType);
    }
    let accepts = |wanted: &str| accepts(headers, wanted);
    if accepts("application/json") && accepts("text/event-stream") { Ok(()) } else { Err(Failed::NotAcceptable) }
}

/// Whether one of the ranges in `Accept` holds a media type. Parameters and weights are not looked at.
pub(super) fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let family = wanted.split('/').next().unwrap_or_default();
    let ranges =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    ranges.map(essence).any(|range| {
        range == "*/*"
            || range.eq_ignore_ascii_case(wanted)
            || range.strip_suffix("/*").is_some_and(|range| range.eq_ignore_ascii_case(family))
    })
}

/// Whether a client would rather have events: it names them first. Weights are not looked at.
fn prefers_events(headers: &HeaderMap) -> bool {
    let mut ranges =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    ranges.next().is_some_and(|first| essence(first).eq_ignore_ascii_case("text/event-stream"))
}

fn essence(media: &str) -> &str {
    media.split(';').next().unwrap_or_default().trim()
}

impl Shared {
    /// Whose a request is, if it may come in.
    pub(super) fn enter(&self, peer: &Peer, headers: &HeaderMap) -> Result<Holder, Turned> {
        let now_ms = self.gateway.now_ms();
        // Before the token is looked at, so that nobody tries many of them.
        self.meter.take(&peer.0, now_ms).map_err(Turned::TooMany)?;
        door::place(&self.config, headers)?;
        let holder = door::holder(&self.config, headers, now_ms)?;
        self.meter.take(&Who::Grant(holder.grant.clone()), now_ms).map_err(Turned::TooMany)?;
        Ok(holder)
    }

    /// Counts a request among those of its address and its grant that are served.
    fn hold(&self, peer: &Peer, holder: &Holder) -> Result<[Held; 2], Turned> {
        let now_ms = self.gateway.now_ms();
        let hold = |who| self.meter.hold(who, now_ms).map_err(Turned::TooMany);
        Ok([hold(peer.0.clone())?, hold(Who::Grant(holder.grant.clone()))?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_its_status() {
        let told = |refusal: Refusal, id: &str| {
            let mut line = Vec::new();
            reply::push_refusal(&mut line, Some(&RequestId::Text(id.into())), &refusal);
            line
        };
        let unknown = Refusal::MethodRefused { method: "x".to_owned() };
        assert_eq!(status(&told(unknown.clone(), "a"), true), StatusCode::NOT_FOUND);
        assert_eq!(status(&told(unknown, "a"), false), StatusCode::OK);
        assert_eq!(status(&told(Refusal::Batch, "a"), false), StatusCode::BAD_REQUEST);
        assert_eq!(status(&told(Refusal::BadParams, "a"), false), StatusCode::OK);
        // An id that looks like an answer is none.
        assert_eq!(status(&told(Refusal::Batch, r#"","result":"#), false), StatusCode::BAD_REQUEST);
        let result = br#"{"jsonrpc":"2.0","id":",\"error\":","result":{"a":{"b":1,"error":{"code":-32700}}}}"#;
        assert_eq!(status(result, false), StatusCode::OK);
    }

    #[test]
    fn who_names_events_first_gets_them() {
        let prefers = |text: &str| {
            let headers = [(ACCEPT, HeaderValue::from_str(text).unwrap())].into_iter().collect();
            prefers_events(&headers)
        };
        assert!(prefers("text/event-stream, application/json") && prefers("Text/Event-Stream;q=1, */*"));
        assert!(!prefers("application/json, text/event-stream") && !prefers("*/*") && !prefers(""));
    }

    #[test]
    fn accept_is_read_as_ranges() {
        let accepts = |text: &str, wanted| {
            let headers = [(ACCEPT, HeaderValue::from_str(text).unwrap())].into_iter().collect();
            accepts(&headers, wanted)
        };
        let both = "application/json;q=0.9, text/event-stream";
        assert!(accepts(both, "application/json") && accepts(both, "text/event-stream"));
        assert!(accepts("*/*", "application/json") && accepts("text/*", "text/event-stream"));
        assert!(!accepts("application/json", "text/event-stream"));
        assert!(!accepts("application/jsonp", "application/json"));
    }
}
