//! Why the command did not do what it was asked, and its exit code.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use mcp_gateway::admin::AdminTokenTooShort;
use mcp_gateway::webhook::BadWebhook;
use mcp_gateway::{
    ApprovalError, AuditKeyTooShort, BadUpstream, ChainedAuditError, GatewayError, GrantError, SpansGrants, StateError,
    Unshared,
};
use mcp_policy::PolicyErrors;

/// What to do in place of listening without encryption where others come by.
#[cfg(feature = "tls")]
const BEYOND: &str =
    "use 127.0.0.1 or [::1], or give a certificate with `--tls-cert` and `--tls-key`, or `[tls]` in the file";
#[cfg(not(feature = "tls"))]
const BEYOND: &str = "use 127.0.0.1 or [::1]";

/// One class of failure per exit code.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the session ended badly: {0}")]
    Session(#[from] GatewayError),
    #[error("the runtime cannot be started: {0}")]
    Runtime(io::Error),
    #[error("`--log` is not understood: {0}")]
    Log(tracing_subscriber::filter::ParseError),
    #[error("{0}")]
    Usage(String),
    #[error("cannot read the configuration `{}`: {source}", path.display())]
    ConfigUnread { path: PathBuf, source: io::Error },
    #[error("the configuration is not valid, so it is not used:\n{0}")]
    Config(super::file::BadConfig),
    #[error("cannot read the policy `{}`: {source}", path.display())]
    PolicyUnread { path: PathBuf, source: io::Error },
    #[error("the policy `{}` is not valid, so nothing was started:\n{errors}", path.display())]
    PolicyInvalid { path: PathBuf, errors: PolicyErrors },
    #[error("the policy `{}` cannot be that of one grant: {rules}", path.display())]
    NotOwn { path: PathBuf, rules: SpansGrants },
    #[error("{0}")]
    Reload(mcp_gateway::ReloadError),
    #[error("cannot open the audit `{}`: {source}", path.display())]
    Audit { path: PathBuf, source: ChainedAuditError },
    #[error("cannot read the audit key `{}`: {source}", path.display())]
    AuditKeyUnread { path: PathBuf, source: io::Error },
    #[error("{0}")]
    AuditKeyShort(#[from] AuditKeyTooShort),
    #[error("cannot start the server `{command}`: {source}")]
    Start { command: String, source: io::Error },
    #[error("{0}")]
    Upstream(#[from] BadUpstream),
    #[error("cannot read the server's token `{}`: {source}", path.display())]
    TokenUnread { path: PathBuf, source: io::Error },
    #[error("{0}")]
    State(#[from] StateError),
    #[error("{0}")]
    Approval(ApprovalError),
    #[error("{0}")]
    Pin(String),
    #[error("{0}")]
    Init(String),
    #[error("standard output cannot be written: {0}")]
    Output(io::Error),
    #[error("cannot use the kill switch `{}`: {source}", path.display())]
    Kill { path: PathBuf, source: io::Error },
    #[error("the server ended before its client did")]
    ServerLeft,
    #[error("`{0}` can be reached from other machines, and nothing is encrypted: {BEYOND}")]
    NotLoopback(SocketAddr),
    #[cfg(feature = "tls")]
    #[error("nothing is encrypted, so nothing was started: {0}")]
    Tls(#[from] mcp_gateway::BadTls),
    #[error("cannot read the admin token `{}`: {source}", path.display())]
    AdminTokenUnread { path: PathBuf, source: io::Error },
    #[error("{0}")]
    AdminToken(AdminTokenTooShort),
    #[error("cannot listen on `{address}`: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("{0}")]
    Grant(GrantError),
    #[error("{0}")]
    Unshared(#[from] Unshared),
    #[cfg(feature = "redis")]
    #[error("{0}")]
    SharedStore(#[from] mcp_gateway::BadRedis),
    #[cfg(feature = "redis")]
    #[error("cannot read the password of the shared store `{}`: {source}", path.display())]
    PasswordUnread { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Webhook(#[from] BadWebhook),
    #[error("cannot read the secret of the approval webhook `{}`: {source}", path.display())]
    WebhookSecretUnread { path: PathBuf, source: io::Error },
    #[error(
        "there is no secret for the approval webhook: give `--approval-webhook-secret-file FILE`, `secret_file` in the \
         file, or MCP_GATEWAY_APPROVAL_WEBHOOK_SECRET"
    )]
    NoWebhookSecret,
    #[error("there is no randomness to make a token of: {0}")]
    Random(io::Error),
}

impl From<ApprovalError> for Failure {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::State(error) => Self::State(error),
            error => Self::Approval(error),
        }
    }
}

impl From<GrantError> for Failure {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::State(error) => Self::State(error),
            error => Self::Grant(error),
        }
    }
}

impl Failure {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Session(GatewayError::Unreached { .. }) => 5,
            Self::Session(GatewayError::NotRestarted { .. }) => 6,
            Self::Session(_) | Self::Runtime(_) | Self::Output(_) => 1,
            Self::Log(_) | Self::Usage(_) => 2,
            Self::PolicyUnread { .. } | Self::PolicyInvalid { .. } | Self::NotOwn { .. } | Self::Reload(_) => 3,
            Self::Audit { .. } | Self::AuditKeyUnread { .. } | Self::AuditKeyShort(_) => 4,
            Self::Start { .. } | Self::Upstream(_) | Self::TokenUnread { .. } => 5,
            Self::ServerLeft => 6,
            Self::Kill { .. } => 7,
            Self::State(_) => 8,
            Self::Approval(_) => 9,
            Self::Pin(_) => 10,
            Self::NotLoopback(_) | Self::Listen { .. } | Self::AdminTokenUnread { .. } | Self::AdminToken(_) => 11,
            #[cfg(feature = "tls")]
            Self::Tls(_) => 11,
            Self::Grant(_) | Self::Random(_) => 12,
            Self::Unshared(_) => 13,
            #[cfg(feature = "redis")]
            Self::SharedStore(_) | Self::PasswordUnread { .. } => 13,
            Self::Init(_) => 14,
            Self::Webhook(_) | Self::WebhookSecretUnread { .. } | Self::NoWebhookSecret => 16,
            Self::ConfigUnread { .. } | Self::Config(_) => 15,
        }
    }
}
