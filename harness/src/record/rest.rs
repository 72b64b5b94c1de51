//! A request to an exchange and its answer as a tape holds them.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::cassette::Body;

/// Headers of requests that are kept. All others are left out, so that no credential of any name gets onto a tape; an
/// API key is kept as a placeholder, because it tells whose request it was.
const REQUEST_HEADERS: [&str; 4] = ["content-type", "user-agent", "x-mbx-apikey", "x-mbx-time-unit"];

/// Headers of answers that are kept, by their beginnings.
const RESPONSE_HEADERS: [&str; 4] = ["content-type", "retry-after", "x-mbx-order-count", "x-mbx-used-weight"];

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestRequest {
    /// Counts the requests of the tape from 1; its answer has the same.
    pub id: u64,
    /// Such as `POST`.
    pub method: String,
    /// Path and query, as they were sent.
    pub target: String,
    /// Names in lower case, and values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestResponse {
    /// That of the request.
    pub id: u64,
    /// The HTTP status; 0 when the connection broke before it came.
    pub status: u16,
    /// Names in lower case, and values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

pub(super) fn request_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    kept(headers, |name| REQUEST_HEADERS.contains(&name))
}

pub(super) fn response_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    kept(headers, |name| RESPONSE_HEADERS.iter().any(|begin| name.starts_with(begin)))
}

/// By name: a credential is known by the name of its field.
fn kept(headers: &HeaderMap, keep: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| keep(name.as_str())) {
        let value = String::from_utf8_lossy(value.as_bytes());
        kept.entry(name.as_str().to_owned())
            .and_modify(|before| {
                before.push_str(", ");
                before.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    kept
}

pub(super) fn body(bytes: &[u8]) -> Option<Body> {
    (!bytes.is_empty()).then(|| Body::of(bytes))
}
