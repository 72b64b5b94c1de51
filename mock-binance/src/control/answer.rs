//! How the control interface tells that something cannot be done.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::faults::FaultError;
use crate::operator::ControlError;

/// An error: a status, a word for programs and a sentence for people that says what to do instead.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(skip)]
    status: StatusCode,
    error: &'static str,
    message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self { status, error, message: message.into() }
    }

    pub(crate) fn bad(error: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        use ControlError as E;
        let (status, word) = match &error {
            E::SystemClock => (StatusCode::CONFLICT, "system_clock"),
            E::ClockBackwards { .. } => (StatusCode::CONFLICT, "clock_backwards"),
            E::ClockTooFar => (StatusCode::BAD_REQUEST, "clock_too_far"),
            E::UnknownAccount { .. } => (StatusCode::NOT_FOUND, "unknown_account"),
            E::AmbiguousAccount { .. } => (StatusCode::CONFLICT, "ambiguous_account"),
            E::UnknownAsset { .. } => (StatusCode::NOT_FOUND, "unknown_asset"),
            E::NegativeBalance { .. } => (StatusCode::BAD_REQUEST, "negative_balance"),
            E::Refused { .. } => (StatusCode::CONFLICT, "refused"),
            E::Market(_) => (StatusCode::CONFLICT, "market"),
            E::SnapshotName { .. } => (StatusCode::BAD_REQUEST, "snapshot_name"),
            E::UnknownSnapshot { .. } => (StatusCode::NOT_FOUND, "unknown_snapshot"),
            E::TooManySnapshots => (StatusCode::CONFLICT, "too_many_snapshots"),
        };
        Self::new(status, word, error.to_string())
    }
}

impl From<FaultError> for Problem {
    fn from(error: FaultError) -> Self {
        Self::bad("fault", error.to_string())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), "body", rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), "query", rejection.body_text())
    }
}

/// A JSON body, sent as `application/json`, which no web page can send here without asking first.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Json(value) = Json::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// The parameters of a query.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(value) = Query::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}
