//! What all sessions share: the guard, the audit and the one lock round both.

use std::fmt;
use std::sync::{Arc, Mutex};

use mcp_policy::{Call, Decision, Denial, Guard, Moment, Outcome, Permit, ResultRules, Settlement, Timestamp};
use serde_json::{Map, Value};

use crate::approval::ApprovalBook;
use crate::audit::{AuditKey, AuditSink, Record, Settled, Stamp, Verdict, event, shown};
use crate::clock::NowMs;
use crate::config::{GatewayConfig, GatewayLimits, Identity};
use crate::held::{Desk, Held, SharedCharge};
use crate::kill::KillSwitch;
use crate::ledger::{Entry, Ledger, Reserved};
use crate::pins::Pins;
use crate::seam::Seam;
use crate::shared::SharedLimits;
use crate::state_dir::StateError;
use crate::wire::{Refusal, RequestId};

/// A policy in force, in front of any number of connections. Clones share everything.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) court: Mutex<Court>,
    clock: NowMs,
    pub(crate) server: String,
    kill: KillSwitch,
    pins: Option<Pins>,
    /// Where several gateways count.
    pub(crate) store: Option<Arc<dyn SharedLimits>>,
    pub(crate) approval_window_ms: u64,
    limits: GatewayLimits,
    audit_key: Option<AuditKey>,
    pub(crate) seam: Seam,
    #[cfg(feature = "mutants")]
    mutation: Option<crate::GatewayMutation>,
}

/// Guard and audit are held by one lock, so that records stand in the order of the decisions.
pub(crate) struct Court {
    pub(crate) guard: Guard,
    /// The digest of the policy that the guard judges by.
    pub(crate) policy: Arc<str>,
    /// Whether the kill switch was on when it was last looked at.
    pub(crate) halted: bool,
    pub(crate) approvals: Option<ApprovalBook>,
    ledger: Option<Ledger>,
    pub(crate) audit: Box<dyn AuditSink>,
    pub(crate) seq: u64,
    pub(crate) line: String,
}

impl Court {
    /// Puts what a call is charged and what is remembered of it on disk.
    pub(crate) fn reserve(
        &mut self,
        permit: &Permit,
        tells: impl FnOnce(Result<(), StateError>) + Send + 'static,
    ) -> Result<Reserved, StateError> {
        let Some(ledger) = &mut self.ledger else { return Ok(Reserved::There(None)) };
        ledger.reserve(self.guard.reservations(permit), self.guard.take_notes(), tells)
    }

    /// Takes a permit back, and puts what was learnt on disk. Should this fail, it goes there with the next call; what a
    /// call that never left is charged then stays charged after a restart.
    pub(crate) fn settle<'v>(
        &mut self,
        permit: Permit,
        reserved: Option<Entry>,
        settlement: impl Into<Settlement<'v>>,
    ) {
        let settlement = settlement.into();
        self.guard.settle(permit, settlement);
        self.learn(reserved.filter(|_| settlement.outcome() == Outcome::NeverSent));
    }

    /// Puts what the guard has learnt on disk.
    pub(crate) fn learn(&mut self, never_left: Option<Entry>) {
        if let Some(ledger) = &mut self.ledger
            && let Err(error) = ledger.learn(never_left, self.guard.take_notes())
        {
            tracing::error!(%error, "the store does not take what was learnt from a call");
        }
    }
}

/// A call as it waits for its ruling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) id: &'a RequestId,
    pub(crate) tool: &'a str,
    pub(crate) arguments: &'a Map<String, Value>,
    pub(crate) now_ms: u64,
    /// Where is told what it may have to wait for.
    pub(crate) desk: &'a Desk,
}

impl<'a> Record<'a> {
    /// The record of a message that is denied for no reason yet, and is no call.
    pub(crate) fn of_message() -> Self {
        Record {
            verdict: Verdict::Deny,
            id: None,
            method: None,
            from: None,
            tool: None,
            rule: None,
            reason: "",
            message: "",
            arguments: None,
            arguments_hmac: None,
            shown: None,
            charges: None,
            shadows: None,
            approval: None,
            judged_by: None,
        }
    }

    /// The record of a call that is denied for no reason yet.
    pub(crate) fn of(case: &Case<'a>) -> Self {
        Record {
            id: Some(case.id),
            method: Some("tools/call"),
            tool: Some(case.tool),
            arguments: Some(case.arguments),
            ..Self::of_message()
        }
    }
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Ruling {
    /// On record and to be forwarded.
    Forward(Ticket),
    /// Not to be forwarded before something comes that is told under this token.
    Wait(u64, Box<Held>),
    /// Not to be forwarded; what the agent is told.
    Deny(Told),
    /// Not to be forwarded without approval; what the agent is told.
    Escalate(Told),
}

/// A call that is on record as allowed, until what became of it is on record as well.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) permit: Permit,
    /// What the ledger holds for it.
    pub(crate) reserved: Option<Entry>,
    /// What the shared store has charged it, and when.
    pub(crate) shared: Option<Box<SharedCharge>>,
    /// The `seq` of its record.
    pub(crate) seq: u64,
    pub(crate) tool: Box<str>,
    pub(crate) decided_ms: u64,
    /// What of its result reaches the agent, by the policy that let it through.
    pub(crate) results: Option<Arc<ResultRules>>,
}

/// What the audit tells of an answer beside its outcome.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Answered {
    /// The code of the server's error, if it was one.
    pub(crate) error_code: Option<i32>,
    /// What was done to the result before the agent got it.
    pub(crate) result: Option<&'static str>,
}

impl Ticket {
    /// Whether the guard would learn something from the call's result.
    pub(crate) fn wants_value(&self) -> bool {
        self.permit.wants_value()
    }

    /// What of the call's result reaches the agent, if the policy has a say in it.
    pub(crate) fn results(&self) -> Option<Arc<ResultRules>> {
        self.results.clone()
    }
}

/// A refusal in words fit for the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) reason: &'static str,
    pub(crate) rule: Option<String>,
    pub(crate) message: String,
    pub(crate) retry_after_ms: Option<u64>,
    /// The request for approval that it waits for.
    pub(crate) approval: Option<String>,
}

impl Told {
    pub(crate) fn own(reason: &'static str, message: &str) -> Self {
        Self { reason, rule: None, message: message.to_owned(), retry_after_ms: None, approval: None }
    }
}

impl From<mcp_policy::PublicDenial> for Told {
    fn from(public: mcp_policy::PublicDenial) -> Self {
        Self {
            reason: public.reason,
            rule: public.rule,
            message: public.message,
            retry_after_ms: public.retry_after_ms,
            approval: None,
        }
    }
}

impl Gateway {
    /// Puts `guard` in force.
    pub fn new(guard: Guard, config: GatewayConfig) -> Self {
        let policy = config.policy.into();
        let GatewayConfig { audit, approvals, ledger, .. } = config;
        let mut guard = guard;
        if ledger.is_some() {
            guard.keep_notes();
        }
        let court = Court { guard, policy, halted: false, approvals, ledger, audit, seq: 0, line: String::new() };
        Self {
            shared: Arc::new(Shared {
                court: Mutex::new(court),
                clock: config.clock,
                server: config.server,
                kill: config.kill,
                pins: config.pins,
                store: config.shared_limits,
                approval_window_ms: config.approval_window_ms,
                limits: config.limits,
                audit_key: config.audit_key,
                #[cfg(not(feature = "mutants"))]
                seam: Seam::default(),
                #[cfg(feature = "mutants")]
                seam: Seam::with(config.mutation),
                #[cfg(feature = "mutants")]
                mutation: config.mutation,
            }),
        }
    }

    /// The time by the gateway's clock.
    pub fn now_ms(&self) -> u64 {
        (self.shared.clock)()
    }

    /// The server's name in the audit.
    pub fn server(&self) -> &str {
        &self.shared.server
    }

    /// The digest of the policy in force, by which the audit names it.
    pub fn policy(&self) -> Arc<str> {
        // A digest is whole whatever panicked.
        let court = self.shared.court.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(&court.policy)
    }

    /// How long a request for approval waits for a person, and an approval for its call, in milliseconds.
    pub fn approval_window_ms(&self) -> u64 {
        self.shared.approval_window_ms
    }

    /// Why no call can be let through at present, if that is so.
    pub fn trouble(&self) -> Option<&'static str> {
        match self.shared.court.lock() {
            Err(_) => Some("the policy cannot be evaluated after a panic"),
            Ok(court) => court.guard.policy().is_none().then_some("no policy is in force"),
        }
    }

    /// The bounds of each session.
    pub fn limits(&self) -> &GatewayLimits {
        &self.shared.limits
    }

    #[cfg(feature = "mutants")]
    pub(crate) fn mutation(&self) -> Option<crate::GatewayMutation> {
        self.shared.mutation
    }

    /// Judges and records one call.
    pub(crate) fn judge(&self, case: &Case<'_>) -> Ruling {
        // Hashing needs no lock.
        let digest = self.shared.audit_key.as_ref().map(|key| key.digest(case.arguments));
        let record = Record { arguments_hmac: digest.as_deref(), ..Record::of(case) };
        let call = Call {
            tool: case.tool,
            arguments: case.arguments,
            grant: &case.identity.grant,
            session: &case.identity.session,
        };

        // Looking for a file needs no lock either.
        let halted = self.shared.kill.is_on();
        // A panic in the guard may have left its counters half changed: nothing passes after that.
        let Ok(mut court) = self.shared.court.lock() else {
            return Ruling::Deny(Told::own("guard_unavailable", "the policy cannot be evaluated"));
        };
        self.note_switch(&mut court, halted, case.now_ms);
        let moment = Moment::new(Timestamp::from_millis(case.now_ms)).halted(halted);
        let handling = court.guard.policy().map(|policy| policy.handling(case.tool));
        let shown = handling.and_then(|handling| shown(handling.shown(), case.arguments));
        let record = Record { shown: shown.as_deref(), ..record };
        let decision = court.guard.admit(&call, moment);
        match decision {
            Decision::Allow(permit) => self.let_through(&mut court, case, permit, record, false),
            Decision::Deny(denial) => self.refuse(&mut court, case, &denial, record),
            Decision::Escalate(escalation) => self.ask(&mut court, case, &call, moment, &escalation, record),
        }
    }

    pub(crate) fn refuse(&self, court: &mut Court, case: &Case<'_>, denial: &Denial, record: Record<'_>) -> Ruling {
        // A denial may have begun a pause.
        court.learn(None);
        let (rule, reason) = (Some(denial.rule.as_str()), denial.reason.code());
        let record = Record { rule, reason, message: &denial.message, ..record };
        self.put_on_record(court, case.identity, case.now_ms, &record);
        Ruling::Deny(denial.public().into())
    }

    /// Tells the guard what became of a call, and puts it on record.
    pub(crate) fn settle<'v>(
        &self,
        identity: &Identity,
        ticket: Ticket,
        settlement: impl Into<Settlement<'v>>,
        answered: Answered,
    ) {
        let settlement = settlement.into();
        let Ticket { permit, reserved, shared, seq, tool, decided_ms, .. } = ticket;
        if settlement.outcome() == Outcome::NeverSent {
            self.refund_shared(shared);
        }
        let ts_ms = self.now_ms();
        // With the lock poisoned nothing is admitted any more, so there is nothing to give back.
        let Ok(mut court) = self.shared.court.lock() else { return };
        court.settle(permit, reserved, settlement);
        let outcome = match settlement.outcome() {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
            Outcome::NeverSent => "never_sent",
        };
        let Answered { error_code, result } = answered;
        let settled =
            Settled { tool: &tool, outcome, error_code, result, latency_ms: ts_ms.saturating_sub(decided_ms) };
        let Court { audit, line, .. } = &mut *court;
        settled.write(&self.stamp(identity, ts_ms, seq, ""), line);
        // The call has been made. A record that stays a decision without an outcome says as much: unknown.
        if let Err(error) = audit.record(line) {
            tracing::error!(%error, seq, "the audit does not take the outcome of a call");
        }
    }

    /// Puts on record what happened to the gateway itself, such as its start. Whether it is on record.
    pub fn record_event(&self, name: &'static str, fields: &[(&str, &str)]) -> bool {
        let Ok(mut court) = self.shared.court.lock() else { return false };
        let Court { audit, line, .. } = &mut *court;
        event(name, self.now_ms(), &self.shared.server, fields, line);
        audit.record(line).inspect_err(|error| tracing::error!(%error, name, "the audit takes no line")).is_ok()
    }

    /// The switch that stops everything but safety tools. It works from the next call on.
    pub fn kill_switch(&self) -> &KillSwitch {
        &self.shared.kill
    }

    /// Puts the position of the kill switch on record if it is another than before, without waiting for a call.
    pub fn look_at_the_switch(&self) {
        let halted = self.shared.kill.is_on();
        if let Ok(mut court) = self.shared.court.lock() {
            self.note_switch(&mut court, halted, self.now_ms());
        }
    }

    /// Puts it on record when the kill switch has another position than before.
    pub(crate) fn note_switch(&self, court: &mut Court, halted: bool, ts_ms: u64) {
        if court.halted == halted {
            return;
        }
        let Court { audit, line, .. } = &mut *court;
        event(if halted { "halted" } else { "resumed" }, ts_ms, &self.shared.server, &[], line);
        match audit.record(line) {
            // Tried again with the next call.
            Err(error) => tracing::error!(%error, "the audit does not take the position of the kill switch"),
            Ok(()) => court.halted = halted,
        }
    }

    pub(crate) fn pins(&self) -> Option<&Pins> {
        self.shared.pins.as_ref()
    }

    /// Denies a call without asking the guard, which charges nothing, and puts it on record.
    pub(crate) fn deny(&self, case: &Case<'_>, reason: &'static str, message: &str) -> Ruling {
        let digest = self.shared.audit_key.as_ref().map(|key| key.digest(case.arguments));
        let record = Record { arguments_hmac: digest.as_deref(), reason, message, ..Record::of(case) };
        if let Ok(mut court) = self.shared.court.lock() {
            self.put_on_record(&mut court, case.identity, case.now_ms, &record);
        }
        Ruling::Deny(Told::own(reason, message))
    }

    /// Which of `tools` a client may see; none if that cannot be told.
    pub(crate) fn visible<'a>(&self, tools: impl Iterator<Item = &'a str>) -> Vec<bool> {
        match self.shared.court.lock() {
            Ok(court) => tools.map(|tool| court.guard.visible(tool)).collect(),
            Err(_) => tools.map(|_| false).collect(),
        }
    }

    /// Records a frame that was refused without asking the policy.
    pub(crate) fn record_refusal(
        &self,
        identity: &Identity,
        now_ms: u64,
        id: Option<&RequestId>,
        method: Option<&str>,
        refusal: &Refusal,
    ) {
        let record = Record {
            verdict: Verdict::Refuse,
            id,
            method,
            reason: refusal.reason(),
            message: &refusal.to_string(),
            ..Record::of_message()
        };
        if let Ok(mut court) = self.shared.court.lock() {
            self.put_on_record(&mut court, identity, now_ms, &record);
        }
    }

    pub(crate) fn put_on_record(
        &self,
        court: &mut Court,
        identity: &Identity,
        ts_ms: u64,
        record: &Record<'_>,
    ) -> bool {
        let seam = self.shared.seam;
        if seam.leaves_denials_out() && record.verdict == Verdict::Deny {
            return true;
        }
        court.seq += 1;
        let Court { audit, line, seq, policy, .. } = court;
        record.write(&self.stamp(identity, ts_ms, *seq, record.judged_by.unwrap_or(policy)), line);
        match audit.record(line) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, seq, "the audit takes no line: calls are denied");
                seam.allows_without_record()
            }
        }
    }

    fn stamp<'a>(&'a self, identity: &'a Identity, ts_ms: u64, seq: u64, policy: &'a str) -> Stamp<'a> {
        Stamp { ts_ms, seq, grant: &identity.grant, session: &identity.session, server: &self.shared.server, policy }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("server", &self.shared.server)
            .field("limits", &self.shared.limits)
            .finish_non_exhaustive()
    }
}
