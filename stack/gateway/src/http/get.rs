//! GET listens to what a session's server says of its own accord, DELETE ends a session.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;

use super::agree::{self, Era};
use super::config::Holder;
use super::door::only;
use super::events;
use super::front::Said;
use super::listen::{Peer, Shared};
use super::post::{Failed, SESSION, accepts};

/// How many messages wait for a client that reads slowly.
const NOTES_MAX: usize = 256;

/// Answers a GET to the endpoint.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    match listen(&shared, &peer, &headers) {
        Ok(response) => response,
        Err(failed) => failed.into_response(),
    }
}

fn listen(shared: &Shared, peer: &Peer, headers: &HeaderMap) -> Result<Response, Failed> {
    let Holder { grant, .. } = shared.enter(peer, headers)?;
    let Some(session) = only(headers, &SESSION).map_err(|_| Failed::NoSession)? else {
        return Ok(not_here(headers));
    };
    if !accepts(headers, "text/event-stream") {
        return Err(Failed::NotAcceptable);
    }
    let link = shared.table.find(session, &grant).ok_or(Failed::NoSession)?;
    let (noted, notes) = mpsc::channel(NOTES_MAX);
    link.try_send(Said::Listen(noted)).map_err(|_| Failed::Overloaded)?;
    Ok(events::of_session(notes))
}

/// Answers a DELETE to the endpoint.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    let ended = || {
        let Holder { grant, .. } = shared.enter(&peer, &headers)?;
        let Some(session) = only(&headers, &SESSION).map_err(|_| Failed::NoSession)? else {
            return Ok(not_here(&headers));
        };
        if shared.table.close(session, &grant) {
            Ok(StatusCode::NO_CONTENT.into_response())
        } else {
            Err(Failed::NoSession)
        }
    };
    ended().unwrap_or_else(Failed::into_response)
}

/// Clients without sessions have nothing to listen to or to end; others have forgotten to name theirs.
fn not_here(headers: &HeaderMap) -> Response {
    if agree::era(headers) == Ok(Era::Stateless) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")]).into_response();
    }
    (StatusCode::BAD_REQUEST, "name the session in `Mcp-Session-Id`\n").into_response()
}
