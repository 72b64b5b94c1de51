//! How an answer gets to a client over HTTP: late, slowly, in part or not at all.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header;
use axum::response::Response;
use exchange_engine::Timestamp;
use futures_util::stream;

use crate::state::Hub;

/// What happens to an answer on its way. Nothing, by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Delivery {
    /// When it sets out; at once, where nothing is said.
    pub(crate) not_before: Option<Timestamp>,
    /// The size of each piece, and the microseconds between them.
    pub(crate) slow: Option<(usize, u64)>,
    /// After how many bytes it breaks off.
    pub(crate) cut: Option<usize>,
    /// Whether it never comes.
    pub(crate) drop: bool,
}

/// Brings an answer on its way. What is slow or broken off becomes a body that says so.
pub(crate) async fn deliver(hub: Arc<Hub>, delivery: Delivery, response: Response) -> Response {
    if delivery == Delivery::default() {
        return response;
    }
    let start = delivery.not_before.unwrap_or_else(|| hub.clock().now());
    if delivery.not_before.is_some() {
        hub.wait_until(start).await;
    }
    let (mut parts, body) = response.into_parts();
    if delivery.drop {
        // A body that fails before its first byte ends the connection before the head of the answer is sent.
        return Response::from_parts(parts, Body::from_stream(stream::iter([Err::<Bytes, _>(broken())])));
    }
    // The mock's own answers are in memory already.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let whole = bytes.len();
    let cut = delivery.cut.filter(|cut| *cut < whole);
    if delivery.slow.is_none() && cut.is_none() {
        return Response::from_parts(parts, Body::from(bytes));
    }
    parts.headers.insert(header::CONTENT_LENGTH, whole.into());
    let sent = bytes.slice(..cut.unwrap_or(whole));
    let (size, every_us) = delivery.slow.unwrap_or((sent.len().max(1), 0));
    let pieces = Pieces { hub, rest: sent, size, every_us, next: start, breaks: cut.is_some() };
    Response::from_parts(parts, Body::from_stream(stream::unfold(pieces, Pieces::next)))
}

struct Pieces {
    hub: Arc<Hub>,
    rest: Bytes,
    size: usize,
    every_us: u64,
    /// When the next piece leaves: counted from the start, so that a clock that jumps brings all that is due.
    next: Timestamp,
    breaks: bool,
}

impl Pieces {
    async fn next(mut self) -> Option<(Result<Bytes, io::Error>, Self)> {
        if self.rest.is_empty() {
            if !self.breaks {
                return None;
            }
            self.breaks = false;
            // The server sends what it has when there is nothing to do; an error at once would keep it back.
            tokio::task::yield_now().await;
            return Some((Err(broken()), self));
        }
        if self.every_us > 0 {
            self.next = self.next.plus_micros(self.every_us);
            self.hub.wait_until(self.next).await;
        }
        let piece = self.rest.split_to(self.size.min(self.rest.len()));
        Some((Ok(piece), self))
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "a fault ends this answer")
}
