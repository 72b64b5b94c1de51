//! Which methods the gateway can carry. What is not named here does not pass, whatever the policy says.
//!
//! Lifecycle and tools always pass. Of the others the policy's section `methods` decides; a policy without one lets none
//! of them through.

use serde_json::{Map, Value};

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
    /// One that passes by the policy's `methods`.
    Ruled(Ruled),
}

/// A request that passes by rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ruled {
    pub(super) name: &'static str,
    about: About,
    /// It changes something for the whole connection, so that clients which share one cannot ask for it.
    pub(super) for_connection: bool,
    /// What of its result is shown: the list, the member by which its items are named, and the method that asks for one.
    pub(super) lists: Option<(&'static str, &'static str, &'static str)>,
}

/// Where a request says what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Nothing,
    Name,
    Uri,
    /// `ref`, which names a prompt or the template of a resource.
    Reference,
}

const fn ruled(name: &'static str, about: About) -> Ruled {
    Ruled { name, about, for_connection: false, lists: None }
}

const RULED: [Ruled; 9] = [
    Ruled { lists: Some(("resources", "uri", "resources/read")), ..ruled("resources/list", About::Nothing) },
    ruled("resources/templates/list", About::Nothing),
    ruled("resources/read", About::Uri),
    Ruled { for_connection: true, ..ruled("resources/subscribe", About::Uri) },
    Ruled { for_connection: true, ..ruled("resources/unsubscribe", About::Uri) },
    Ruled { lists: Some(("prompts", "name", "prompts/get")), ..ruled("prompts/list", About::Nothing) },
    ruled("prompts/get", About::Name),
    ruled("completion/complete", About::Reference),
    Ruled { for_connection: true, ..ruled("logging/setLevel", About::Nothing) },
];

impl Ruled {
    fn named(name: &str) -> Option<Self> {
        RULED.into_iter().find(|ruled| ruled.name == name)
    }

    /// The prompt or the resource that the request names.
    pub(super) fn names<'p>(&self, params: Option<&'p Map<String, Value>>) -> Option<&'p str> {
        let member = |name: &str| params?.get(name);
        match self.about {
            About::Nothing => None,
            About::Name => member("name")?.as_str(),
            About::Uri => member("uri")?.as_str(),
            // A reference that has both could be taken for either.
            About::Reference => match (member("ref")?.get("name"), member("ref")?.get("uri")) {
                (Some(one), None) | (None, Some(one)) => one.as_str(),
                _ => None,
            },
        }
    }
}

impl Method {
    const ALWAYS: [Self; 5] = [Self::Initialize, Self::Discover, Self::Ping, Self::ListTools, Self::CallTool];

    pub(super) fn named(name: &str) -> Option<Self> {
        let always = Self::ALWAYS.into_iter().find(|method| method.name() == name);
        always.or_else(|| Ruled::named(name).map(Self::Ruled))
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Discover => "server/discover",
            Self::Ping => "ping",
            Self::ListTools => "tools/list",
            Self::CallTool => "tools/call",
            Self::Ruled(ruled) => ruled.name,
        }
    }
}

/// A client's notification that the gateway carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notification {
    /// `notifications/initialized`.
    Initialized,
    /// `notifications/cancelled`.
    Cancelled,
    /// `notifications/progress`: how far a request of the server's has come.
    Progress,
    /// `notifications/roots/list_changed`.
    RootsChanged,
}

impl Notification {
    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [Self::Initialized, Self::Cancelled, Self::Progress, Self::RootsChanged];
        all.into_iter().find(|method| method.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Initialized => "notifications/initialized",
            Self::Cancelled => "notifications/cancelled",
            Self::Progress => PROGRESS,
            Self::RootsChanged => "notifications/roots/list_changed",
        }
    }
}

/// How far a request has come.
pub(super) const PROGRESS: &str = "notifications/progress";

/// Whoever asked no longer waits.
pub(super) const CANCELLED: &str = "notifications/cancelled";

/// The server says that its tools are others now.
pub(super) const TOOLS_CHANGED: &str = "notifications/tools/list_changed";

/// A resource is another now; the one notification of a server that names something.
pub(super) const RESOURCE_UPDATED: &str = "notifications/resources/updated";

/// Whether a server's notification about no request reaches the client under a policy that rules nothing but tools.
pub(super) fn server_notification_passes(name: &str) -> bool {
    matches!(name, "notifications/message" | TOOLS_CHANGED)
}

/// The requests of a server that a client can be asked.
pub(super) fn server_request(name: &str) -> Option<&'static str> {
    ["sampling/createMessage", "elicitation/create", "roots/list"].into_iter().find(|known| *known == name)
}

/// Whether a server's notification is one that the gateway carries.
pub(super) fn is_server_notification(name: &str) -> bool {
    server_notification_passes(name)
        || matches!(
            name,
            RESOURCE_UPDATED
                | "notifications/resources/list_changed"
                | "notifications/prompts/list_changed"
                | "notifications/elicitation/complete"
        )
}
