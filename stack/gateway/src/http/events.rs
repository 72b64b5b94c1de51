//! Answers as streams of server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{mpsc, oneshot};

use super::front::Heard;

/// Between two events, a comment tells proxies that the connection is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// News of a request, then its answer. `held` is dropped when the client has all of it, or has hung up.
pub(super) fn of_request<H: Send + 'static>(
    first: Vec<u8>,
    notes: mpsc::Receiver<Vec<u8>>,
    heard: oneshot::Receiver<Heard>,
    held: H,
) -> Response {
    struct Asked<H> {
        first: Option<Vec<u8>>,
        notes: mpsc::Receiver<Vec<u8>>,
        heard: oneshot::Receiver<Heard>,
        _held: H,
    }
    let asked = Asked { first: Some(first), notes, heard, _held: held };
    events(stream::unfold(Some(asked), async |asked| {
        let mut asked = asked?;
        if let Some(first) = asked.first.take() {
            return Some((event(&first), Some(asked)));
        }
        let next = tokio::select! {
            biased;
            Some(note) = asked.notes.recv() => event(&note),
            heard = &mut asked.heard => {
                let mut last = Vec::new();
                while let Ok(note) = asked.notes.try_recv() {
                    last.extend_from_slice(&event(&note));
                }
                if let Ok(Heard::Answer(answer)) = heard {
                    last.extend_from_slice(&event(&answer));
                }
                return Some((last.into(), None));
            }
            () = tokio::time::sleep(KEEP_ALIVE) => Bytes::from_static(b":\n\n"),
        };
        Some((next, Some(asked)))
    }))
}

/// An answer alone.
pub(super) fn of_answer(answer: &[u8]) -> Response {
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (headers, event(answer)).into_response()
}

/// Whatever the server has to say of its own accord.
pub(super) fn of_session(notes: mpsc::Receiver<Vec<u8>>) -> Response {
    events(stream::unfold(notes, async |mut notes| {
        let next = tokio::select! {
            note = notes.recv() => event(&note?),
            () = tokio::time::sleep(KEEP_ALIVE) => Bytes::from_static(b":\n\n"),
        };
        Some((next, notes))
    }))
}

fn events(events: impl stream::Stream<Item = Bytes> + Send + 'static) -> Response {
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    let body = stream::StreamExt::map(events, Ok::<_, Infallible>);
    (headers, Body::from_stream(body)).into_response()
}

/// The gateway's lines hold no line ends, so each is one field.
fn event(line: &[u8]) -> Bytes {
    let mut event = Vec::with_capacity(line.len() + 24);
    event.extend_from_slice(b"event: message\ndata: ");
    event.extend_from_slice(line);
    event.extend_from_slice(b"\n\n");
    event.into()
}
