//! A policy that is put in force while calls go on.

use std::sync::{Arc, Mutex, PoisonError};

use mcp_policy::{Guard, Policy, PolicyErrors};

use crate::audit::event;
use crate::gateway::{Court, Gateway};
use crate::shared::{Unshared, check_shared};
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
    /// One gateway was to be given two policies.
    #[error("`{0}` was to be given two policies at once, so the old one stays")]
    Twice(String),
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
        let change = self.change(&document.into())?;
        let Change { digest, warnings, .. } = &change;
        let reloaded = Reloaded { policy: digest.clone(), warnings: warnings.clone() };
        put_in_force(vec![change])?;
        Ok(reloaded)
    }

    /// Reads a document, which takes longer than calls should wait.
    fn change(&self, document: &PolicyDocument) -> Result<Change<'_>, ReloadError> {
        let digest = document.digest();
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
        Ok(Change { gateway: self, policy, digest, warnings })
    }
}

/// Puts a document in force at each of several gateways, as [`Gateway::reload`] does: all of them, or none.
///
/// No call is judged while some have the new policy and others the old one.
///
/// # Errors
/// All policies that were in force stay.
pub fn reload_together(all: &[(Gateway, PolicyDocument)]) -> Result<Vec<Reloaded>, ReloadError> {
    let changes = all.iter().map(|(gateway, document)| gateway.change(document));
    let changes = changes.collect::<Result<Vec<_>, _>>()?;
    let told = |change: &Change<'_>| Reloaded { policy: change.digest.clone(), warnings: change.warnings.clone() };
    let reloaded = changes.iter().map(told).collect();
    put_in_force(changes)?;
    Ok(reloaded)
}

/// A policy that was read, and where it is to be put in force.
struct Change<'g> {
    gateway: &'g Gateway,
    policy: Policy,
    digest: String,
    warnings: Vec<String>,
}

/// Puts policies in force and on record, all of them or none.
fn put_in_force(changes: Vec<Change<'_>>) -> Result<(), ReloadError> {
    // Two that each hold what the other waits for would wait for ever.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for (place, change) in changes.iter().enumerate() {
        if changes.iter().take(place).any(|other| Arc::ptr_eq(&other.gateway.shared, &change.gateway.shared)) {
            return Err(ReloadError::Twice(change.gateway.server().to_owned()));
        }
        if change.gateway.shared.store.is_some() {
            check_shared(&change.policy)?;
        }
    }
    let courts = changes.iter().map(|change| change.gateway.shared.court.lock().map_err(|_| ReloadError::Unavailable));
    let mut courts = courts.collect::<Result<Vec<_>, _>>()?;
    let mut told = courts.iter_mut().zip(&changes).map(|(court, change)| change.tell(court, "policy_reloaded"));
    if let Some((place, error)) = told.by_ref().enumerate().find_map(|(place, told)| Some((place, told.err()?))) {
        tracing::error!(%error, "the audit takes no line: the policies stay");
        drop(told);
        // What stands there of the others did not come true.
        for (court, change) in courts.iter_mut().zip(&changes).take(place) {
            if let Err(error) = change.tell(court, "policy_reload_undone") {
                tracing::error!(%error, server = change.gateway.server(), "the audit has a policy that is not in force");
            }
        }
        return Err(ReloadError::NotRecorded);
    }
    drop(told);
    for (court, change) in courts.iter_mut().zip(changes) {
        if change.gateway.shared.seam.forgets_on_reload() {
            court.guard = Guard::new(change.policy);
        } else {
            court.guard.replace(change.policy);
        }
        court.policy = change.digest.into();
        court.learn(None);
    }
    Ok(())
}

impl Change<'_> {
    fn tell(&self, court: &mut Court, name: &str) -> std::io::Result<()> {
        let Court { policy: old, audit, line, .. } = court;
        let (now, server) = (self.gateway.now_ms(), self.gateway.server());
        event(name, now, server, &[("from", old), ("policy", &self.digest)], line);
        audit.record(line)
    }
}
