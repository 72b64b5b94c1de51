//! A policy that is put in force while calls go on.

use mcp_policy::{Policy, PolicyErrors};

use crate::gateway::Gateway;
use crate::shared::Unshared;
use crate::source::PolicyDocument;

/// A policy that was put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The digest of its source, by which the audit names it.
    pub policy: String,
    /// What it says in vain.
    pub warnings: Vec<String>,
}

/// Why the policy that was in force stays.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The new document is not valid.
    #[error("the new policy is not valid, so the old one stays:\n{0}")]
    Invalid(PolicyErrors),
    /// The new policy has rules that gateways with a shared store cannot hold.
    #[error("the old policy stays: {0}")]
    NotShared(#[from] Unshared),
    /// The audit takes no line.
    #[error("the change of the policy cannot be put on record, so the old one stays")]
    NotRecorded,
    /// The guard has panicked: nothing passes any more.
    #[error("the policy cannot be evaluated any more: start the gateway anew")]
    Unavailable,
}

impl Gateway {
    /// Puts a policy document in force, with its parts, whole or not at all.
    ///
    /// Every call is judged by the one or by the other, and its record names which. What was counted stays, as
    /// [`Guard::replace`](mcp_policy::Guard::replace) says. Either way it is on record.
    ///
    /// # Errors
    /// The policy that was in force stays.
    pub fn reload(&self, document: impl Into<PolicyDocument>) -> Result<Reloaded, ReloadError> {
        let document = document.into();
        let digest = document.digest();
        // Reading a document takes longer than calls should wait.
        let policy = match document.parse() {
            Ok(policy) => policy,
            Err(_) if self.shared.seam.allows_on_broken_reload() => {
                Policy::parse(r#"{"version": "1", "default": "allow"}"#).map_err(ReloadError::Invalid)?
            }
            Err(errors) => {
                self.record_event("policy_refused", &[("refused", &digest), ("message", &errors.to_string())]);
                return Err(ReloadError::Invalid(errors));
            }
        };
        let warnings = policy.warnings().iter().map(ToString::to_string).collect();
        self.put_in_force(policy, &digest)?;
        Ok(Reloaded { policy: digest, warnings })
    }
}
