//! Why a frame went no further, and what its sender is told.

use mcp_policy::strict::{StrictError, StrictErrorKind};
use rmcp::model::ErrorCode;

use crate::wire::RequestId;

/// JSON-RPC leaves -32000 to -32099 to servers; MCP itself uses some of them, not this one.
const OVERLOADED: ErrorCode = ErrorCode(-32005);

/// The versions of MCP that are served over HTTP, the newest first.
pub(crate) const SUPPORTED_VERSIONS: [&str; 4] = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"];

/// Where headers and body of a request over HTTP differ, by MCP 2026-07-28.
const HEADER_MISMATCH: ErrorCode = ErrorCode(-32020);
/// A version of the protocol that is not served, by MCP 2026-07-28.
const UNSUPPORTED_VERSION: ErrorCode = ErrorCode(-32022);

/// One cause for which the gateway refuses a client's frame. Such a frame is never forwarded.
///
/// The text of each says what to send instead. [`Refusal::reason`] is stable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The line is longer than the limit.
    #[error("the frame is longer than {limit} bytes: send less in one call")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The stream ended within a line.
    #[error("the stream ended before the frame's newline")]
    Incomplete,
    /// The bytes are not closed JSON.
    #[error("the frame is not strict JSON: {error}")]
    NotStrict {
        /// What the parser found, and where.
        error: StrictError,
    },
    /// A JSON-RPC batch.
    #[error("batches are not accepted: send one message per line")]
    Batch,
    /// JSON, but not an object.
    #[error("a frame must be one JSON-RPC object")]
    NotAnObject,
    /// `jsonrpc` is absent or something else than `"2.0"`.
    #[error("`jsonrpc` must be the string `2.0`")]
    WrongVersion,
    /// A member that JSON-RPC does not know, or a known one in another case.
    #[error(
        "`{member}` is not a member of a JSON-RPC message: use `jsonrpc`, `id`, `method` and `params`, in this case"
    )]
    UnknownMember {
        /// The member's name, shortened.
        member: String,
    },
    /// `id` is null, a fraction, too long or composite.
    #[error("`id` must be a string of at most 256 bytes or an integer of 64 bits")]
    BadId,
    /// A request carries the id of one that is still being answered.
    #[error("`id` belongs to a request that is still in flight: use a new one")]
    IdInFlight {
        /// The id.
        id: RequestId,
    },
    /// A request without `id`.
    #[error("`{method}` needs an `id`: without one it cannot be answered")]
    MissingId {
        /// The method.
        method: &'static str,
    },
    /// A notification with an `id`.
    #[error("`{method}` is a notification: send it without `id`")]
    UnwantedId {
        /// The method.
        method: &'static str,
    },
    /// `method` is absent or not a string.
    #[error("`method` must be a string")]
    BadMethod,
    /// `params` is not an object.
    #[error("`params` must be an object, or be left out")]
    BadParams,
    /// A request for a method that the gateway does not carry.
    #[error("`{method}` does not pass this gateway")]
    MethodRefused {
        /// The method's name, shortened.
        method: String,
    },
    /// A request that the policy denies, as its sender is told.
    #[error("[POLICY DENIED] {message}")]
    Denied {
        /// The stable name of the reason.
        reason: &'static str,
        /// The rule, unless the policy hides it.
        rule: Option<String>,
        /// Why.
        message: String,
    },
    /// A notification that the gateway does not carry. Notifications are not answered.
    #[error("the notification `{method}` does not pass this gateway")]
    NotificationRefused {
        /// The method's name, shortened.
        method: String,
    },
    /// A response to a request that nobody made. Responses are not answered.
    #[error("a response to a request that was never made")]
    UnaskedResponse,
    /// A response to a request of the server's that is no answer by the rules of JSON-RPC. Responses are not answered.
    #[error("a response must have `jsonrpc`, `id` and either an object `result` or an `error`")]
    MalformedResponse,
    /// `notifications/progress` about no request of the server's. Not answered.
    #[error("`progressToken` names no request of the server's")]
    UnknownProgress,
    /// `notifications/cancelled` for a request that is not in flight. Not answered.
    #[error("`requestId` names no request in flight")]
    UnknownCancellation,
    /// The `name` of a call is absent or not a string.
    #[error("`params.name` must be a string: the tool's name")]
    BadToolName,
    /// The `arguments` of a call are not an object.
    #[error("`params.arguments` must be an object, or be left out")]
    BadArguments,
    /// `_meta` is not an object.
    #[error("`params._meta` must be an object, or be left out")]
    BadMeta,
    /// A member of `params` that MCP defines and the gateway does not carry yet.
    #[error("`params.{member}` is not carried by this gateway: leave it out")]
    UncarriedParam {
        /// The member.
        member: &'static str,
    },
    /// A member of a call's `params` that is none, or a known one in another case.
    #[error("`params.{member}` is not a member of a tool call: use `name`, `arguments` and `_meta`, in this case")]
    UnknownParam {
        /// The member's name, shortened.
        member: String,
    },
    /// A header of the request says something else than its body, is missing, or is there twice.
    #[error("the header `{header}` and the body do not say the same: send both alike, and once")]
    HeaderMismatch {
        /// The header.
        header: &'static str,
    },
    /// The version in the header is not served.
    #[error("version `{version}` of the protocol is not served")]
    UnsupportedVersion {
        /// The version, shortened.
        version: String,
    },
    /// Neither a session nor a version without sessions is named.
    #[error("the request belongs to no session: send `initialize` first, or `MCP-Protocol-Version: 2026-07-28`")]
    NoSession,
    /// Too many requests are waiting for answers.
    #[error("{limit} requests of this session are in flight already: wait for some of them")]
    TooManyInFlight {
        /// The limit.
        limit: usize,
    },
    /// The server has stopped reading.
    #[error("the server does not take requests at present: nothing was sent, try again later")]
    ServerStalled,
    /// The server died, and the next one is not ready yet.
    #[error("the server is being started again: nothing was sent, try again later")]
    ServerRestarting,
    /// The server died before it answered a request that is no call, and the next one is being started.
    #[error("the server was lost before it answered, and is being started again: ask again later")]
    ServerLost,
    /// The server is gone.
    #[error("the server is gone: nothing was sent")]
    ServerGone,
}

impl Refusal {
    /// The stable name of the cause, for audit records and machines.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "frame_too_large",
            Self::Incomplete => "frame_incomplete",
            Self::NotStrict { error } => error.code(),
            Self::Batch => "batch",
            Self::NotAnObject => "not_an_object",
            Self::WrongVersion => "wrong_jsonrpc_version",
            Self::UnknownMember { .. } => "unknown_member",
            Self::BadId => "bad_id",
            Self::IdInFlight { .. } => "id_in_flight",
            Self::MissingId { .. } => "missing_id",
            Self::UnwantedId { .. } => "unwanted_id",
            Self::BadMethod => "bad_method",
            Self::BadParams => "bad_params",
            Self::MethodRefused { .. } => "method_refused",
            Self::Denied { reason, .. } => reason,
            Self::NotificationRefused { .. } => "notification_refused",
            Self::UnaskedResponse => "unasked_response",
            Self::MalformedResponse => "malformed_response",
            Self::UnknownProgress => "unknown_progress",
            Self::UnknownCancellation => "unknown_cancellation",
            Self::BadToolName => "bad_tool_name",
            Self::BadArguments => "bad_arguments",
            Self::BadMeta => "bad_meta",
            Self::UncarriedParam { .. } => "uncarried_param",
            Self::UnknownParam { .. } => "unknown_param",
            Self::HeaderMismatch { .. } => "header_mismatch",
            Self::UnsupportedVersion { .. } => "unsupported_version",
            Self::NoSession => "no_session",
            Self::TooManyInFlight { .. } => "too_many_in_flight",
            Self::ServerStalled => "server_stalled",
            Self::ServerRestarting => "server_restarting",
            Self::ServerLost => "server_lost",
            Self::ServerGone => "server_gone",
        }
    }

    /// What the answer's `data` tells beside the reason.
    pub(crate) fn data(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut data = serde_json::Map::new();
        if let Self::UnsupportedVersion { version } = self {
            data.insert("requested".to_owned(), version.as_str().into());
            data.insert("supported".to_owned(), SUPPORTED_VERSIONS.into());
        }
        if let Self::Denied { rule: Some(rule), .. } = self {
            data.insert("rule".to_owned(), rule.as_str().into());
        }
        data
    }

    /// The JSON-RPC error code of the answer, or `None` where JSON-RPC forbids an answer.
    pub fn code(&self) -> Option<ErrorCode> {
        Some(match self {
            Self::UnaskedResponse
            | Self::MalformedResponse
            | Self::UnknownProgress
            | Self::UnknownCancellation
            | Self::NotificationRefused { .. } => {
                return None;
            }
            Self::NotStrict { error } if !is_json(error.kind()) => ErrorCode::PARSE_ERROR,
            Self::Incomplete => ErrorCode::PARSE_ERROR,
            Self::Denied { reason: "require_failed" | "unevaluable", .. }
            | Self::BadParams
            | Self::BadToolName
            | Self::BadArguments
            | Self::BadMeta
            | Self::UncarriedParam { .. }
            | Self::UnknownParam { .. } => ErrorCode::INVALID_PARAMS,
            Self::MethodRefused { .. } | Self::Denied { .. } => ErrorCode::METHOD_NOT_FOUND,
            Self::HeaderMismatch { .. } => HEADER_MISMATCH,
            Self::UnsupportedVersion { .. } => UNSUPPORTED_VERSION,
            Self::TooManyInFlight { .. } | Self::ServerStalled | Self::ServerRestarting => OVERLOADED,
            Self::ServerLost | Self::ServerGone => ErrorCode::INTERNAL_ERROR,
            _ => ErrorCode::INVALID_REQUEST,
        })
    }
}

/// Whether a text with this fault is JSON all the same by the grammar of RFC 8259. Then the message
/// is invalid, not unreadable, and its id can be trusted to address the answer.
pub(crate) fn is_json(kind: StrictErrorKind) -> bool {
    matches!(
        kind,
        StrictErrorKind::DuplicateKey
            | StrictErrorKind::CaseVariantKey
            | StrictErrorKind::NulInKey
            | StrictErrorKind::LoneSurrogate
            | StrictErrorKind::NumberOutOfRange
            | StrictErrorKind::TooDeep
    )
}
