//! Our gateway in front of a tape: what would today's policy have made of the answers and calls on it?

use std::sync::Arc;

use mcp_gateway::mcp_policy::Guard;
use mcp_gateway::{Gateway, GatewayConfig, Identity, MemoryAudit};
use tokio::io::{AsyncRead, AsyncWrite};

use super::outcome::Outcome;
use super::pace::Pace;
use super::player::Player;
use super::serve::serve;
use crate::agent::tap::pipe;
use crate::scenario::PolicyFile;

/// Why no session came about, or how it broke.
#[derive(Debug, thiserror::Error)]
pub enum GuardedError {
    /// The policy document is refused.
    #[error("the gateway refuses the policy: {0}")]
    Policy(String),
    /// A pipe or the gateway broke.
    #[error("{0}")]
    Broken(String),
}

/// What came of a session through the gateway.
#[derive(Debug)]
pub struct Guarded {
    /// How it kept to the tape.
    pub outcome: Outcome,
    /// What the gateway decided, one line of JSON each.
    pub decisions: Vec<String>,
}

/// Serves a tape through the gateway, whose policy is judged by `clock`, until the agent hangs up. Calls that the
/// policy stops do not reach the tape, and are left over there.
///
/// # Errors
/// The policy is refused, or the session breaks.
pub async fn serve_guarded(
    player: Player,
    pace: Pace,
    policy: &PolicyFile,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    read: impl AsyncRead + Unpin,
    write: impl AsyncWrite + Unpin,
) -> Result<Guarded, GuardedError> {
    let parsed = policy.document().parse().map_err(|errors| GuardedError::Policy(errors.to_string()))?;
    let audit = MemoryAudit::new();
    let mut config = GatewayConfig::new(clock, audit.clone(), "binance");
    config.policy = policy.digest();
    let gateway = Gateway::new(Guard::new(parsed), config);
    let ((from_tape, to_tape), (tape_reads, tape_writes)) = pipe();
    let behind = tokio::spawn(serve(player, pace, tape_reads, tape_writes));
    let session = gateway.serve(Identity::new("desk", "session-1"), read, write, from_tape, to_tape).await;
    let outcome = behind.await.map_err(|error| GuardedError::Broken(error.to_string()))?;
    session.map_err(|error| GuardedError::Broken(error.to_string()))?;
    let outcome = outcome.map_err(|error| GuardedError::Broken(error.to_string()))?;
    Ok(Guarded { outcome, decisions: audit.lines() })
}
