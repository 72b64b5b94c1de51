//! Which methods pass. What is not named here does not.

/// A client's request that the gateway carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// `initialize`, the handshake up to 2025-11-25.
    Initialize,
    /// `server/discover`, the handshake since 2026-07-28.
    Discover,
    /// `ping`.
    Ping,
    /// `tools/list`.
    ListTools,
    /// `tools/call`.
    CallTool,
}

impl Method {
    const ALL: [Self; 5] = [Self::Initialize, Self::Discover, Self::Ping, Self::ListTools, Self::CallTool];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Discover => "server/discover",
            Self::Ping => "ping",
            Self::ListTools => "tools/list",
            Self::CallTool => "tools/call",
        }
    }
}

/// A client's notification that the gateway carries.
///
/// `notifications/progress` is not among them: a client reports progress on a server's requests,
/// and none of these reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notification {
    /// `notifications/initialized`.
    Initialized,
    /// `notifications/cancelled`.
    Cancelled,
}

impl Notification {
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Initialized, Self::Cancelled].into_iter().find(|method| method.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Initialized => "notifications/initialized",
            Self::Cancelled => "notifications/cancelled",
        }
    }
}

/// The server says how far a request has come.
pub(super) const PROGRESS: &str = "notifications/progress";

/// The server says that its tools are others now.
pub(super) const TOOLS_CHANGED: &str = "notifications/tools/list_changed";

/// Whether a server's notification about no request reaches the client.
pub(super) fn server_notification_passes(name: &str) -> bool {
    matches!(name, "notifications/message" | TOOLS_CHANGED)
}
