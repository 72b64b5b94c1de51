//! What a gateway is given, and whose connection it serves.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::approval::{ApprovalBook, Notifier};
use crate::audit::{AuditKey, AuditSink};
use crate::clock::NowMs;
use crate::judges::GrantJudge;
use crate::kill::KillSwitch;
use crate::ledger::Ledger;
use crate::pins::Pins;
use crate::shared::SharedLimits;

/// Who is at the other end of a connection.
///
/// Both names are given by whoever accepts connections, from its own authentication; nothing that a
/// client says about itself ends up here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose credentials the connection came with.
    pub grant: String,
    /// The connection. Unique among all sessions of one gateway, or limits by session would be
    /// shared.
    pub session: String,
    /// The grant has a policy of its own. Where that is not in force, nothing passes, rather than what the server's policy
    /// allows to others.
    pub has_policy: bool,
}

impl Identity {
    /// The connection `session` of the holder of `grant`.
    pub fn new(grant: impl Into<String>, session: impl Into<String>) -> Self {
        Self { grant: grant.into(), session: session.into(), has_policy: false }
    }

    /// The same, of a grant that has a policy of its own, or has none.
    #[must_use]
    pub fn with_policy(self, has_policy: bool) -> Self {
        Self { has_policy, ..self }
    }
}

/// Bounds on what one session may make the gateway hold or wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayLimits {
    /// The longest frame taken from a client, in bytes. 1 MiB.
    pub frame_bytes_max: usize,
    /// The longest frame taken from the server, in bytes. 16 MiB, as rmcp has it.
    pub answer_bytes_max: usize,
    /// How many requests of one session may wait for answers. 1024.
    pub in_flight_max: usize,
    /// From how many bytes waiting for a peer on the gateway stops reading what would add to them.
    /// 1 MiB.
    pub backlog_bytes: usize,
    /// For how long a server that takes no byte holds its client up, in milliseconds; after that
    /// its requests are answered with an error at once. 30 seconds.
    pub stall_ms: u64,
    /// For how long a call waits for the reference price that its policy judges it by, in milliseconds; after that it is
    /// judged without, which denies it. 5 seconds.
    pub price_wait_ms: u64,
    /// How long the end of a session waits for answers, and then for the server to close, in
    /// milliseconds each. 5 seconds.
    pub drain_ms: u64,
    /// How often a server that died is started again.
    pub restart: RestartLimits,
}

/// How often, and after which waits, a server that died while its client was there is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartLimits {
    /// How often in a row; the session ends with the next death. 0 is never. 5.
    pub max: u32,
    /// How long after a first death the next server is started, in milliseconds; the wait doubles with each of a row. 200.
    pub wait_ms: u64,
    /// The longest of these waits, in milliseconds. 30 seconds.
    pub wait_max_ms: u64,
    /// After how long a server counts as one that holds, which ends the row, in milliseconds. One minute.
    pub holds_ms: u64,
    /// How long a new server may take until it is where the one before was, in milliseconds; after that it counts as dead.
    /// 10 seconds.
    pub handshake_ms: u64,
}

impl Default for RestartLimits {
    fn default() -> Self {
        Self { max: 5, wait_ms: 200, wait_max_ms: 30_000, holds_ms: 60_000, handshake_ms: 10_000 }
    }
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            frame_bytes_max: 1 << 20,
            answer_bytes_max: 16 << 20,
            in_flight_max: 1024,
            backlog_bytes: 1 << 20,
            stall_ms: 30_000,
            price_wait_ms: 5_000,
            drain_ms: 5_000,
            restart: RestartLimits::default(),
        }
    }
}

/// What a gateway works with besides its guard.
pub struct GatewayConfig {
    /// The clock by which calls are judged and recorded.
    pub clock: NowMs,
    /// Where the audit goes. A call that cannot be recorded is denied.
    pub audit: Box<dyn AuditSink>,
    /// The server's name in the audit.
    pub server: String,
    /// The policy's name in the audit, usually [`policy_digest`](crate::policy_digest) of its
    /// source. Empty leaves it out.
    pub policy: String,
    /// Who judges the calls of grants that have policies of their own, by the grant's name. All others are judged by the
    /// gateway's guard.
    pub grants: BTreeMap<String, GrantJudge>,
    /// Where people are asked. Without it a call that needs approval is denied.
    pub approvals: Option<ApprovalBook>,
    /// Who is told of each new request for approval. Without it people have to look.
    pub notifier: Option<Arc<dyn Notifier>>,
    /// How long a request waits for a decision, and an approval for its call, in milliseconds. 15 minutes.
    pub approval_window_ms: u64,
    /// What calls were charged, on disk before they leave. Without it a restart forgets what was counted.
    pub ledger: Option<Ledger>,
    /// A store in which several gateways count what their limits allow. The policy must have no rules that each would judge
    /// by what itself has seen: see [`check_shared`](crate::check_shared).
    pub shared_limits: Option<Arc<dyn SharedLimits>>,
    /// The tool definitions that somebody has looked at. With them, a tool whose definition is another, or was not listed,
    /// may not be called.
    pub pins: Option<Pins>,
    /// Stops everything but the policy's safety tools.
    pub kill: KillSwitch,
    /// Bounds for each session.
    pub limits: GatewayLimits,
    /// With a key, the audit carries a keyed digest of each call's arguments.
    pub audit_key: Option<AuditKey>,
    /// A deliberate defect, to prove that a suite notices.
    #[cfg(feature = "mutants")]
    pub mutation: Option<crate::GatewayMutation>,
}

impl GatewayConfig {
    /// The usual bounds, no key for digests and no name for the policy.
    pub fn new(clock: NowMs, audit: impl AuditSink + 'static, server: impl Into<String>) -> Self {
        Self {
            clock,
            audit: Box::new(audit),
            server: server.into(),
            policy: String::new(),
            grants: BTreeMap::new(),
            approvals: None,
            notifier: None,
            approval_window_ms: 15 * 60 * 1000,
            ledger: None,
            shared_limits: None,
            pins: None,
            kill: KillSwitch::new(),
            limits: GatewayLimits::default(),
            audit_key: None,
            #[cfg(feature = "mutants")]
            mutation: None,
        }
    }
}

impl fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayConfig")
            .field("server", &self.server)
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .field("audit_key", &self.audit_key)
            .finish_non_exhaustive()
    }
}
