//! What can go wrong at start, in serving, and in a call.

use thiserror::Error;

use crate::config::MAX_RECV_WINDOW_MS;

/// The server cannot start with this configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The base URL cannot be used.
    #[error("the base URL is not usable: {why}; give one such as `http://127.0.0.1:8080`")]
    BaseUrl {
        /// What is wrong with it.
        why: &'static str,
    },
    /// HTTPS was asked of a build without it.
    #[error(
        "an `https` base URL (the default is {url}) needs TLS, which this build leaves out: rebuild with \
         `--features tls`, or give an `http` base URL such as a mock exchange",
        url = crate::config::DEFAULT_BASE_URL
    )]
    NoTls,
    /// Credentials would cross a network in the clear.
    #[error(
        "credentials would travel over plain `http` to another host: use `https`, or allow it \
         explicitly (`--allow-cleartext`)"
    )]
    Cleartext,
    /// `recvWindow` out of range.
    #[error("recvWindow `{given}` is out of range: give 1 to {MAX_RECV_WINDOW_MS} milliseconds")]
    RecvWindow {
        /// What was given.
        given: u64,
    },
    /// No request could ever be sent.
    #[error("the number of requests in flight must be at least 1")]
    NothingInFlight,
    /// A key is empty.
    #[error("the {which} is empty")]
    EmptyKey {
        /// Which of the two.
        which: &'static str,
    },
    /// A key holds white space, control or non-ASCII characters.
    #[error("the {which} holds characters that no key has: check for a broken line or a stray quote")]
    IllegalKey {
        /// Which of the two.
        which: &'static str,
    },
    /// The HTTP client could not be built.
    #[error("the HTTP client cannot be built: {why}")]
    HttpClient {
        /// The client's own words.
        why: String,
    },
}

/// A connection ended otherwise than by being closed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The peer did not open the session as MCP wants it.
    #[error("the MCP session could not be opened: {why}")]
    Handshake {
        /// What the protocol library found.
        why: String,
    },
    /// The connection's task broke off.
    #[error("the MCP session broke off: {why}")]
    Broken {
        /// What the runtime says.
        why: String,
    },
}

/// One fault in the arguments of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// JSON pointer into the arguments; empty for the arguments as a whole.
    pub(crate) pointer: String,
    /// What is wrong and what to write instead. Values of the caller are not repeated.
    pub(crate) message: String,
}

/// A call that gave no usable answer. Whether the exchange may have acted is a matter of the variant
/// and of the tool: see [`CallError::was_sent`] and [`CallError::leaves_outcome_open`].
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// The arguments do not fit the schema.
    #[error("the arguments do not fit the schema of `{tool}`")]
    Arguments { tool: &'static str, problems: Vec<Problem> },
    /// A private tool, and no keys.
    #[error(
        "`{tool}` needs credentials and this server was started without: set BINANCE_API_KEY and \
         BINANCE_SECRET_KEY in its environment and start it again; the public market-data tools work without"
    )]
    NoCredentials { tool: &'static str },
    /// The caller took the call back, or left, before it was sent.
    #[error("the call was cancelled before it was sent")]
    Cancelled,
    /// No connection.
    #[error("the exchange cannot be reached: {cause}; nothing was sent")]
    Unreachable { cause: String },
    /// No answer in time.
    #[error("no answer within {after_ms} ms")]
    TimedOut { after_ms: u128 },
    /// The connection broke after the request had begun to leave.
    #[error("the connection broke before an answer came: {cause}")]
    Lost { cause: String },
    /// The exchange, or something on the way to it, said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An answer that cannot be read.
    #[error("HTTP {status}, but the answer is not usable: {why}")]
    Unreadable { status: u16, why: String },
    /// `_fields` names something that is not there. The request itself was answered.
    #[error("`_fields` names `{unknown}`, which the answer does not have; available: {available}")]
    UnknownField { unknown: String, available: String },
    /// More than a model can take in, or a line of MCP can carry.
    #[error(
        "the answer is {bytes} bytes long and this server hands on at most {limit}: narrow the call \
         (symbol, symbols, limit) or keep fewer fields with `_fields`"
    )]
    TooLong { bytes: usize, limit: usize },
}

/// An HTTP status that is no success, with what Binance said, if it was Binance.
#[derive(Debug, Error)]
#[error("HTTP {status}{}: {}", self.code_words(), self.msg_words())]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// `code` of Binance's error object.
    pub(crate) code: Option<i64>,
    /// `msg` of Binance's error object.
    pub(crate) msg: Option<String>,
    /// `Retry-After`, in seconds.
    pub(crate) retry_after_s: Option<u64>,
}

impl Refusal {
    fn code_words(&self) -> String {
        self.code.map(|code| format!(", code {code}")).unwrap_or_default()
    }

    fn msg_words(&self) -> &str {
        self.msg.as_deref().unwrap_or("an answer without Binance's error object")
    }
}

/// "Execution status unknown" in Binance's own words (errors, -1006 and -1007).
const STATUS_UNKNOWN: [i64; 2] = [-1006, -1007];

impl CallError {
    /// A stable word for machines.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Arguments { .. } => "invalid_arguments",
            Self::NoCredentials { .. } => "no_credentials",
            Self::Cancelled => "cancelled",
            Self::Unreachable { .. } => "unreachable",
            Self::TimedOut { .. } => "timeout",
            Self::Lost { .. } => "connection_lost",
            Self::Refused(_) => "refused",
            Self::Unreadable { .. } => "unreadable_answer",
            Self::UnknownField { .. } => "unknown_field",
            Self::TooLong { .. } => "answer_too_long",
        }
    }

    /// Whether anything of the request may have left this process.
    pub(crate) fn was_sent(&self) -> bool {
        !matches!(
            self,
            Self::Arguments { .. } | Self::NoCredentials { .. } | Self::Cancelled | Self::Unreachable { .. }
        )
    }

    /// Whether a tool that changes something may have changed it, as far as we can know.
    ///
    /// Only a clean 4xx is a refusal. What stands between (redirects, 408, 5xx, Binance's -1006 and
    /// -1007, an unreadable success) says nothing about the order.
    pub(crate) fn leaves_outcome_open(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Lost { .. } | Self::Unreadable { .. } => true,
            Self::Refused(refusal) => {
                !(400..500).contains(&refusal.status)
                    || refusal.status == 408
                    || refusal.code.is_some_and(|code| STATUS_UNKNOWN.contains(&code))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: Option<i64>) -> CallError {
        CallError::Refused(Refusal { status, code, msg: None, retry_after_s: None })
    }

    #[test]
    fn only_a_clean_refusal_settles_the_outcome() {
        for (error, open) in [
            (refused(400, Some(-2010)), false),
            (refused(403, None), false),
            (refused(410, None), false),
            (refused(418, Some(-1003)), false),
            (refused(429, Some(-1015)), false),
            (refused(307, None), true),
            (refused(408, None), true),
            (refused(400, Some(-1006)), true),
            (refused(400, Some(-1007)), true),
            (refused(500, None), true),
            (refused(503, Some(-1008)), true),
            (CallError::TimedOut { after_ms: 1 }, true),
            (CallError::Cancelled, false),
            (CallError::Unreachable { cause: String::new() }, false),
        ] {
            assert_eq!(error.leaves_outcome_open(), open, "{error}");
        }
    }
}
