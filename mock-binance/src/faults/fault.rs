//! One fault as data: a name, what it does, what it meets and how often.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A fault, as a file or a request to the control interface holds it.
///
/// ```
/// use mock_binance::Fault;
///
/// let fault = Fault::from_json(
///     r#"{
///         "name": "lost-answer",
///         "does": { "timeout": { "stage": "after" } },
///         "meets": { "method": "POST", "path": "/api/v3/order" },
///         "often": { "every": 2 },
///         "times": 3
///     }"#,
/// )?;
/// assert_eq!(fault.name, "lost-answer");
/// # Ok::<(), mock_binance::FaultError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Letters, digits, `-` and `_`; a fault of the same name is replaced. Of two faults that meet the same request and
    /// exclude one another, the first by name holds.
    pub name: String,
    /// What happens.
    pub does: Effect,
    /// To what; everything, when nothing is said.
    #[serde(default, skip_serializing_if = "is_default")]
    pub meets: Meets,
    /// To which of those; all of them, when nothing is said.
    #[serde(default, skip_serializing_if = "is_default")]
    pub often: Often,
    /// How many meetings at most; the fault then stays in the list and does nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Where the numbers of `per_thousand` start; the mock's seed, when nothing is said. Each name draws from numbers
    /// of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// Whether the exchange still carries out a request that will not get its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The request never reaches the exchange.
    Before,
    /// The exchange carries it out, and only the answer is lost.
    After,
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// The answer to a request is held back by so many milliseconds of the mock's clock.
    Latency {
        /// From 1 to a day.
        ms: u64,
    },
    /// An error in place of the answer.
    Error {
        /// The HTTP status, 400 to 599.
        status: u16,
        /// Binance's code, below zero.
        code: i32,
        /// Its text.
        msg: String,
        /// Whether the request is carried out first.
        stage: Stage,
    },
    /// 503 with -1007: the client cannot know whether its order stands.
    Timeout {
        /// Whether it does.
        stage: Stage,
    },
    /// 429 with -1003, whatever the client has used. The request is not carried out.
    TooManyRequests {
        /// Seconds for `Retry-After`.
        retry_after_s: u64,
    },
    /// 418 with -1003, as if the address was banned. The request is not carried out.
    Banned {
        /// Seconds for `Retry-After`.
        retry_after_s: u64,
    },
    /// The connection breaks off without an answer.
    Drop {
        /// Whether the request is carried out first.
        stage: Stage,
    },
    /// The body breaks off after so many bytes, although its length was promised. REST only.
    Truncate {
        /// Less than the body has; nothing happens to shorter ones.
        bytes: usize,
    },
    /// The body comes in pieces, one each so many milliseconds of the mock's clock. REST only.
    SlowBody {
        /// Of each piece.
        bytes: usize,
        /// Between two pieces.
        every_ms: u64,
    },
    /// The server's clock is wrong, in `serverTime` and in the check of `timestamp`.
    ClockSkew {
        /// Below zero: it is slow.
        ms: i64,
    },
    /// The connections that hear a stream end when it speaks next, without the event and without a goodbye.
    Disconnect {},
    /// An event comes twice.
    Duplicate {},
    /// An event comes after the one that follows it.
    Reorder {},
    /// An answer or event is the first one that the fault met: time stands still for who reads it. Of requests, it
    /// meets those for tickers, of streams those of tickers, unless `meets` says otherwise.
    Stale {},
    /// Text fields of answers and events hold somebody else's words.
    Poison {
        /// The names of the fields, such as `symbol` or `s`.
        fields: Vec<String>,
        /// What they hold.
        text: String,
    },
}

/// What a fault meets. Everything that is said must hold: a `method` or `path` is said of requests, a `stream` of events,
/// a `symbol` of both.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Meets {
    /// Such as `POST`; `WS` for the WebSocket API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Such as `/api/v3/order` or `order.place`; one that ends in `*` stands for all that begin so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Such as `BTCUSDT`: the parameter `symbol` of a request, the name in front of the `@` of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Such as `btcusdt@trade`; `*` at its beginning or end stands for anything. User data streams are `userData`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
}

/// Which of the requests and events that `meets` describes a fault meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Often {
    /// All of them.
    #[default]
    Always,
    /// The n-th, the 2n-th and so on.
    Every(u64),
    /// The first n.
    First(u64),
    /// So many of a thousand, by the fault's own seeded numbers.
    PerThousand(u32),
}

/// Why something is no fault.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {what}")]
pub struct FaultError {
    place: String,
    what: String,
}

impl FaultError {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const NAME_LEN_MAX: usize = 64;
const TEXT_LEN_MAX: usize = 64 * 1024;

impl Fault {
    /// A fault that meets everything, always.
    pub fn new(name: impl Into<String>, does: Effect) -> Self {
        Self { name: name.into(), does, meets: Meets::default(), often: Often::default(), times: None, seed: None }
    }

    /// Reads a fault from JSON. Unknown fields and impossible values are errors with their place.
    pub fn from_json(text: &str) -> Result<Self, FaultError> {
        Self::read("the fault", text)
    }

    /// Reads a fault from a file with JSON.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, FaultError> {
        let place = format!("`{}`", path.as_ref().display());
        let text = std::fs::read_to_string(path)
            .map_err(|error| FaultError::new(&*place, format!("cannot read the fault: {error}")))?;
        Self::read(&place, &text)
    }

    fn read(place: &str, text: &str) -> Result<Self, FaultError> {
        let fault: Self = serde_json::from_str(text).map_err(|error| {
            FaultError::new(place, format!("{error}; docs/faults.md lists the fields and their values"))
        })?;
        fault.check().map_err(|error| FaultError::new(format!("{place}, {}", error.place), error.what))?;
        Ok(fault)
    }

    /// Whether every value is possible; the error names the field and what to write instead.
    pub fn check(&self) -> Result<(), FaultError> {
        let refuse = |place: &str, what: &str| Err(FaultError::new(place, what));
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || self.name.len() > NAME_LEN_MAX || !self.name.chars().all(plain) {
            return refuse("name", "write 1 to 64 letters, digits, `-` or `_`");
        }
        match self.often {
            Often::Every(0) | Often::First(0) => return refuse("often", "write a number above 0"),
            Often::PerThousand(0 | 1001..) => return refuse("often.per_thousand", "write a number from 1 to 1000"),
            _ => {}
        }
        if self.times == Some(0) {
            return refuse("times", "write a number above 0, or leave it out");
        }
        match &self.does {
            Effect::Latency { ms } if !(1..=DAY_MS).contains(ms) => {
                refuse("does.latency.ms", "write a number from 1 to 86400000")
            }
            Effect::Error { status, .. } if !(400..600).contains(status) => {
                refuse("does.error.status", "write a status from 400 to 599")
            }
            Effect::Error { code, .. } if *code >= 0 => refuse("does.error.code", "write a code below 0"),
            Effect::SlowBody { bytes: 0, .. } => refuse("does.slow_body.bytes", "write a number above 0"),
            Effect::SlowBody { every_ms, .. } if !(1..=DAY_MS).contains(every_ms) => {
                refuse("does.slow_body.every_ms", "write a number from 1 to 86400000")
            }
            Effect::ClockSkew { ms } if *ms == 0 || ms.unsigned_abs() > 365 * DAY_MS => {
                refuse("does.clock_skew.ms", "write milliseconds other than 0, a year at most")
            }
            Effect::TooManyRequests { retry_after_s } | Effect::Banned { retry_after_s }
                if *retry_after_s > 3 * DAY_MS / 1000 =>
            {
                refuse("does", "write `retry_after_s` of at most 259200, which is three days")
            }
            Effect::Poison { fields, .. } if fields.is_empty() => {
                refuse("does.poison.fields", "name at least one field, such as `symbol`")
            }
            Effect::Poison { text, .. } if text.len() > TEXT_LEN_MAX => {
                refuse("does.poison.text", "write at most 65536 bytes")
            }
            Effect::Disconnect {} | Effect::Duplicate {} | Effect::Reorder {}
                if self.meets.method.is_some() || self.meets.path.is_some() =>
            {
                refuse("meets", "this happens to events: name a `stream` or a `symbol`, and no `method` or `path`")
            }
            does if self.meets.stream.is_some() && !does.is_for_events() => {
                refuse("meets.stream", "this happens to requests: name a `method`, `path` or `symbol`")
            }
            _ if self.meets.stream.is_some() && (self.meets.method.is_some() || self.meets.path.is_some()) => {
                refuse("meets", "name a `stream`, or a `method` and `path`: nothing is both; write two faults")
            }
            _ => Ok(()),
        }
    }
}

impl Effect {
    /// Whether it can happen to an event of a stream.
    pub(crate) const fn is_for_events(&self) -> bool {
        matches!(
            self,
            Self::Disconnect {} | Self::Duplicate {} | Self::Reorder {} | Self::Stale {} | Self::Poison { .. }
        )
    }

    /// Whether it can happen to a request.
    pub(crate) const fn is_for_requests(&self) -> bool {
        !matches!(self, Self::Disconnect {} | Self::Duplicate {} | Self::Reorder {})
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn what_is_no_fault_says_where_and_what_to_write() {
        let check = |json: &str, expected: &str| {
            let error = Fault::from_json(json).map(|_| ()).expect_err(json).to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(r#"{"name":"a","does":{"latency":{"ms":5}},"colour":1}"#, "unknown field `colour`");
        check(r#"{"name":"a","does":{"latency":{"ms":5,"colour":1}}}"#, "unknown field `colour`");
        check(r#"{"name":"a","does":{"delay":{}}}"#, "unknown variant `delay`");
        check("{\n \"name\": 7}", "line 2 column");
        check(r#"{"name":"a b","does":{"latency":{"ms":5}}}"#, "the fault, name: write 1 to 64");
        check(r#"{"name":"a","does":{"latency":{"ms":0}}}"#, "does.latency.ms");
        check(r#"{"name":"a","does":{"error":{"status":200,"code":-1,"msg":"","stage":"before"}}}"#, "error.status");
        check(r#"{"name":"a","does":{"error":{"status":500,"code":1,"msg":"","stage":"before"}}}"#, "error.code");
        check(r#"{"name":"a","does":{"latency":{"ms":5}},"often":{"every":0}}"#, "often: write a number above 0");
        check(r#"{"name":"a","does":{"latency":{"ms":5}},"often":{"per_thousand":1001}}"#, "from 1 to 1000");
        check(r#"{"name":"a","does":{"latency":{"ms":5}},"times":0}"#, "times: write");
        check(r#"{"name":"a","does":{"slow_body":{"bytes":0,"every_ms":1}}}"#, "slow_body.bytes");
        check(r#"{"name":"a","does":{"clock_skew":{"ms":0}}}"#, "clock_skew.ms");
        check(r#"{"name":"a","does":{"poison":{"fields":[],"text":""}}}"#, "poison.fields");
        check(r#"{"name":"a","does":{"duplicate":{}},"meets":{"path":"/x"}}"#, "meets: this happens to events");
        check(r#"{"name":"a","does":{"latency":{"ms":5}},"meets":{"stream":"*"}}"#, "meets.stream");
    }
}
