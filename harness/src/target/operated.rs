//! Our gateway with the people who run it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mcp_gateway::{
    ApprovalBook, ApprovalState, AuditKey, AuditSink, ChainedAudit, Durability, Gateway, GatewayConfig, GrantJudge,
    Identity, KillSwitch, Ledger, MemoryAudit, Pins, Rotation, StateDir, trail,
};

use super::kind::TargetError;
use super::stack::{Deed, Setting};
use super::{defect, files};
use crate::agent::transcript::AuditLines;
use crate::scenario::PolicyFile;
use crate::soft::{Guise, definitions};

/// What the gateway calls the server.
const SERVER: &str = "binance";

/// For how long a request waits for a person, and an approval for its call: fifteen minutes, as it is when nobody says
/// otherwise.
const APPROVAL_WINDOW_MS: u64 = 15 * 60 * 1000;

/// A gateway of a run, which may be stopped and started again on what it has stored.
pub(super) struct Operated {
    gateway: Option<Gateway>,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    policy: PolicyFile,
    grants: BTreeMap<String, PolicyFile>,
    mutation: Option<String>,
    audit: MemoryAudit,
    /// Whether the audit takes lines.
    takes: Arc<AtomicBool>,
    pins: Option<Pins>,
    folder: Option<tempfile::TempDir>,
    sessions: u64,
}

impl Operated {
    pub(super) fn start(setting: &Setting<'_>) -> Result<Self, TargetError> {
        let folder = setting.durable.then(tempfile::tempdir).transpose().map_err(TargetError::Folder)?;
        let pins = setting.pinned.then(|| Pins::of(&definitions(&Guise::default())));
        let mut operated = Self {
            gateway: None,
            clock: setting.clock.clone(),
            policy: setting.policy.clone(),
            grants: setting.grants.clone(),
            mutation: setting.mutation.map(str::to_owned),
            audit: MemoryAudit::new(),
            takes: Arc::new(AtomicBool::new(true)),
            pins: pins.transpose().map_err(|error| TargetError::State(error.to_string()))?,
            folder,
            sessions: 0,
        };
        operated.gateway = Some(operated.put_up()?);
        Ok(operated)
    }

    fn put_up(&self) -> Result<Gateway, TargetError> {
        let policy = self.policy.document().parse().map_err(|errors| TargetError::Policy(errors.to_string()))?;
        let mut config = GatewayConfig::new(self.clock.clone(), self.audit(self.audit.clone()), SERVER);
        config.policy = self.policy.digest();
        config.pins.clone_from(&self.pins);
        config.kill = self.kill_switch()?;
        config.approval_window_ms = APPROVAL_WINDOW_MS;
        let mut guard = defect::guard(policy, self.mutation.as_deref(), &mut config)?;
        for (grant, own) in &self.grants {
            let parsed = own.document().parse().map_err(|errors| TargetError::Policy(errors.to_string()))?;
            // A broken guard is broken for all grants.
            let judge = defect::guard(parsed, self.mutation.as_deref(), &mut config)?;
            config.grants.insert(grant.clone(), GrantJudge::Guard(Box::new(judge), own.digest()));
        }
        if let Some(folder) = &self.folder {
            let failed = |error: &dyn std::fmt::Display| TargetError::State(error.to_string());
            let state = StateDir::new(&folder.path().join("state"), Durability::Process).map_err(|e| failed(&e))?;
            config.approvals = Some(ApprovalBook::open(&state).map_err(|e| failed(&e))?);
            let mut ledger = Ledger::open(&state, SERVER).map_err(|e| failed(&e))?;
            ledger.refill(&mut guard, (self.clock)()).map_err(|e| failed(&e))?;
            for (grant, judge) in &mut config.grants {
                if let GrantJudge::Guard(own, _) = judge {
                    ledger.refill_of(Some(grant), own, (self.clock)()).map_err(|e| failed(&e))?;
                }
            }
            config.ledger = Some(ledger);
            let (chain, key) = (self.chain(), chain_key().map_err(|e| failed(&e))?);
            let mut chain = ChainedAudit::open(&chain, Some(&key), Rotation::default()).map_err(|e| failed(&e))?;
            let mut memory = self.audit.clone();
            let both = move |line: &str| chain.record(line).and_then(|()| memory.record(line));
            config.audit = Box::new(self.audit(both));
        }
        Ok(Gateway::new(guard, config))
    }

    /// The same, as long as it takes lines.
    fn audit(&self, mut audit: impl AuditSink + 'static) -> impl AuditSink + 'static {
        let takes = self.takes.clone();
        move |line: &str| {
            if takes.load(Ordering::SeqCst) { audit.record(line) } else { Err(io::ErrorKind::StorageFull.into()) }
        }
    }

    /// The switch as the gateway finds it when it comes up: one that was thrown is on, if it has a file.
    fn kill_switch(&self) -> Result<KillSwitch, TargetError> {
        match &self.folder {
            Some(folder) => KillSwitch::with_file(folder.path().join("halt")).map_err(TargetError::Folder),
            None => Ok(KillSwitch::new()),
        }
    }

    fn state(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.path().join("state"))
    }

    fn chain(&self) -> PathBuf {
        self.folder.as_ref().map(|folder| folder.path().join("audit.jsonl")).unwrap_or_default()
    }

    /// Another connection of this grant's holder.
    pub(super) fn identity(&mut self, grant: &str) -> Identity {
        self.sessions += 1;
        Identity::new(grant, format!("session-{}", self.sessions)).with_policy(self.grants.contains_key(grant))
    }

    /// The grants that have a policy of their own.
    pub(super) fn own_policies(&self) -> BTreeSet<String> {
        self.grants.keys().cloned().collect()
    }

    /// The gateway as it is up now.
    pub(super) fn gateway(&self) -> Result<Gateway, TargetError> {
        self.gateway.clone().ok_or_else(|| TargetError::State("the gateway is not up".to_owned()))
    }

    pub(super) fn audit_lines(&self) -> AuditLines {
        let audit = self.audit.clone();
        Arc::new(move || audit.lines())
    }

    pub(super) fn operate(&mut self, deed: Deed<'_>) -> Result<String, String> {
        let gateway = self.gateway().map_err(|error| error.to_string())?;
        match deed {
            Deed::ThrowKillSwitch => {
                gateway.kill_switch().throw().map_err(|error| error.to_string())?;
                Ok("the kill switch is thrown".to_owned())
            }
            Deed::ReleaseKillSwitch => {
                gateway.kill_switch().release().map_err(|error| error.to_string())?;
                Ok("the kill switch is released".to_owned())
            }
            Deed::Reload(policy) => {
                gateway.reload(policy.document().clone()).map_err(|error| error.to_string())?;
                self.policy = policy.clone();
                Ok(format!("the policy `{}` is in force", name_of(policy)))
            }
            Deed::ReloadBroken(text) => match gateway.reload(text) {
                Ok(_) => Err("a text that is no policy was put in force".to_owned()),
                Err(_) => Ok("a text that is no policy was refused".to_owned()),
            },
            Deed::Approve => self.decide(true),
            Deed::Deny => self.decide(false),
            Deed::Audit(takes) => {
                self.takes.store(takes, Ordering::SeqCst);
                Ok(if takes { "the audit takes lines again" } else { "the audit's disk is full" }.to_owned())
            }
            Deed::Restart => {
                drop(gateway);
                self.start_again()?;
                Ok("the gateway was started again".to_owned())
            }
            Deed::RestartRefused => {
                drop(gateway);
                match self.start_again() {
                    Ok(()) => Err("the gateway was started again on what it must refuse".to_owned()),
                    Err(why) => Ok(format!("the gateway stays down: {why}")),
                }
            }
            Deed::Store(takes) => files::let_store_take(&self.state().ok_or("the gateway keeps nothing")?, takes),
            Deed::Tamper(how) => files::tamper(&self.chain(), how),
        }
    }

    fn start_again(&mut self) -> Result<(), String> {
        // What is stored has one user at a time.
        self.gateway = None;
        self.gateway = Some(self.put_up().map_err(|error| error.to_string())?);
        Ok(())
    }

    /// A person decides about everything that waits, from beside the gateway.
    fn decide(&self, approve: bool) -> Result<String, String> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let state = self.state().ok_or("the gateway keeps no approvals")?;
        let state = StateDir::new(&state, Durability::Process).map_err(|e| failed(&e))?;
        let mut book = ApprovalBook::open(&state).map_err(|e| failed(&e))?;
        let now = (self.clock)();
        let mut waiting = book.list(now).map_err(|e| failed(&e))?;
        waiting.retain(|(_, state)| *state == ApprovalState::Pending);
        if waiting.is_empty() {
            return Err("nothing waits for a person".to_owned());
        }
        for (approval, _) in &waiting {
            let decided = if approve {
                book.approve(&approval.id, now, APPROVAL_WINDOW_MS, "operator", "")
            } else {
                book.deny(&approval.id, now, "operator", "")
            };
            decided.map_err(|e| failed(&e))?;
        }
        let word = if approve { "approves" } else { "denies" };
        Ok(format!("a person {word} what waits: {}", waiting.len()))
    }

    /// Whether the chain of the audit is whole.
    pub(super) fn chain_is_whole(&self) -> Option<Result<(), String>> {
        self.folder.as_ref()?;
        let key = chain_key().ok()?;
        let verified = trail::files(&self.chain()).and_then(|files| trail::verify(&files, Some(&key)));
        Some(match verified {
            Ok(verified) => verified.finding.map_or(Ok(()), |finding| Err(finding.damage.to_string())),
            Err(error) => Err(error.to_string()),
        })
    }
}

/// What the records are chained with. The folder is the run's alone, and so is what is in it.
fn chain_key() -> Result<AuditKey, mcp_gateway::AuditKeyTooShort> {
    AuditKey::new(b"the key of the audit of this run")
}

fn name_of(policy: &PolicyFile) -> String {
    policy.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

impl std::fmt::Debug for Operated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operated").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}
