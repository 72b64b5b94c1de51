//! What the REST face was asked and what it answered, in order, without secrets.

use std::collections::VecDeque;

use serde::Serialize;

use crate::api::params::Params;

/// What stands in place of a value that must not be kept.
pub(crate) const REDACTED: &str = "[redacted]";

/// One request that reached the mock's REST face or its WebSocket API.
///
/// Signatures, API keys and secrets never get here, under whatever name they were sent: a signature is `[redacted]`, the
/// key is the label of its account, a listenKey is its number (`listen-key-1` is the first one issued).
///
/// A request that an overlaid [`wiremock::Mock`] answers does not reach the face and leaves no record here: count those
/// with [`wiremock::Mock::expect`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    /// Counts from 1.
    pub seq: u64,
    /// When it came, milliseconds since the epoch by the mock's clock.
    pub at_ms: u64,
    /// Such as `POST`; `WS` over the WebSocket API.
    pub method: String,
    /// Such as `/api/v3/order`, or `order.place` over the WebSocket API.
    pub path: String,
    /// Names and values as they were understood (the query wins over the body), in the order in which they came.
    pub params: Vec<(String, String)>,
    /// The label of the account whose key was sent; `unknown` for a key of nobody; nothing when none was sent.
    pub key: Option<String>,
    /// The HTTP status of the answer; 0 when a fault broke the connection off before it.
    pub status: u16,
    /// Binance's error code, when the answer is an error.
    pub code: Option<i32>,
    /// The request weight that was charged.
    pub weight: u32,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// The names of the faults that met it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// A request and its outcome as a face sees them, secrets included.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) params: &'a Params<'a>,
    pub(crate) key: Option<&'a str>,
    pub(crate) user_agent: Option<&'a str>,
    pub(crate) status: u16,
    pub(crate) code: Option<i32>,
    pub(crate) weight: u32,
    pub(crate) faults: &'a [String],
}

/// The latest records of one mock.
#[derive(Debug, Clone)]
pub(crate) struct Transcript {
    records: VecDeque<RequestRecord>,
    keep: usize,
    seq: u64,
}

impl Transcript {
    /// Keeps this many; older ones make room.
    pub(crate) fn new(keep: usize) -> Self {
        Self { records: VecDeque::new(), keep, seq: 0 }
    }

    pub(crate) fn push(&mut self, mut record: RequestRecord) {
        self.seq += 1;
        record.seq = self.seq;
        if self.records.len() >= self.keep {
            self.records.pop_front();
        }
        if self.keep > 0 {
            self.records.push_back(record);
        }
    }

    pub(crate) fn records(&self) -> Vec<RequestRecord> {
        self.records.iter().cloned().collect()
    }

    /// The records after so many first ones.
    pub(crate) fn since(&self, count: usize) -> Vec<RequestRecord> {
        self.records.iter().skip(count).cloned().collect()
    }

    /// The records from this number on, at most so many, and whether more follow.
    pub(crate) fn page(&self, from: u64, most: usize) -> (Vec<RequestRecord>, bool) {
        let skipped = self.records.partition_point(|record| record.seq < from);
        let page: Vec<_> = self.records.iter().skip(skipped).take(most).cloned().collect();
        let more = skipped + page.len() < self.records.len();
        (page, more)
    }

    pub(crate) fn take(&mut self) -> Vec<RequestRecord> {
        std::mem::take(&mut self.records).into()
    }
}

/// Whether a parameter of this name is a secret, wherever it is sent. Clients have been seen to send such things by
/// mistake.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    name == "signature" || name.contains("secret") || name.contains("apikey") || name.contains("password")
}

#[cfg(test)]
mod tests {
    use super::is_secret_name;

    #[test]
    fn secrets_are_known_by_name() {
        for name in ["signature", "apiKey", "api_key", "secretKey", "BINANCE_SECRET_KEY"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["symbol", "timestamp", "newClientOrderId"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
