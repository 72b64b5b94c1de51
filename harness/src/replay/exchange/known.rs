//! The answers of a tape for a recorder that adds to it.

use std::io::BufRead;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::rest::{Reply, Rest};
use super::shared::lock;
use super::tape::Said;
use crate::cassette::{Redactor, TapeError, TapeReader};
use crate::record::Known;
use crate::replay::stand_ins::StandIns;
use crate::replay::{Overlay, Repeat};

/// Answers what is on a tape, and leaves everything else to be asked.
///
/// # Errors
/// The tape cannot be read.
pub fn known<R: BufRead>(tape: TapeReader<R>, redactor: Redactor) -> Result<Known, TapeError> {
    let Said { requests, origin_ms, .. } = Said::read(tape, Repeat::Fail)?;
    let state = Mutex::new((Rest::new(requests, redactor, origin_ms, Overlay::default()), StandIns::default()));
    Ok(Arc::new(move |request| {
        let (rest, words) = &mut *lock(&state);
        rest.answer_known(request, words).map(response)
    }))
}

fn response(reply: Reply) -> Response {
    let Reply { status, headers, body, .. } = reply;
    let mut response = Response::new(Body::from(body));
    // A connection that broke on the tape is told as a proxy tells it.
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
