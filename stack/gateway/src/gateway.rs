//! What all sessions share: the guard, the audit and the one lock round both.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use mcp_policy::{Call, Denial, Guard, Moment, Outcome, ResultRules, Settlement, Timestamp};
use serde_json::{Map, Value};

use crate::approval::{ApprovalBook, Notifier};
use crate::audit::{AuditKey, AuditSink, Record, Settled, Stamp, Verdict, event, shown};
use crate::clock::NowMs;
use crate::config::{GatewayConfig, GatewayLimits, Identity};
use crate::held::{Desk, Held, SharedCharge};
use crate::judges::{self, Judgement, Leave, Plea, Seat, UNAVAILABLE, Under};
use crate::kill::KillSwitch;
use crate::ledger::{Entry, Ledger};
use crate::pins::Pins;
use crate::seam::Seam;
use crate::shared::SharedLimits;
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
    pub(crate) notifier: Option<Arc<dyn Notifier>>,
    approval_window_ms: AtomicU64,
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
    /// Those of grants that have policies of their own.
    pub(crate) grants: BTreeMap<Arc<str>, Seat>,
    /// Whether the kill switch was on when it was last looked at.
    pub(crate) halted: bool,
    pub(crate) approvals: Option<ApprovalBook>,
    pub(crate) ledger: Option<Ledger>,
    pub(crate) audit: Box<dyn AuditSink>,
    pub(crate) seq: u64,
    pub(crate) line: String,
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
            with: None,
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
    pub(crate) leave: Leave,
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
        self.leave.wants_value()
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
        let GatewayConfig { audit, approvals, ledger, grants, .. } = config;
        let mut guard = guard;
        if ledger.is_some() {
            guard.keep_notes();
        }
        let grants = judges::seats(grants, ledger.is_some());
        let court =
            Court { guard, policy, grants, halted: false, approvals, ledger, audit, seq: 0, line: String::new() };
        Self {
            shared: Arc::new(Shared {
                court: Mutex::new(court),
                clock: config.clock,
                server: config.server,
                kill: config.kill,
                pins: config.pins,
                store: config.shared_limits,
                notifier: config.notifier,
                approval_window_ms: config.approval_window_ms.into(),
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
        self.shared.approval_window_ms.load(Ordering::Relaxed)
    }

    /// Sets how long a request for approval waits, from the next one on.
    pub fn set_approval_window_ms(&self, window_ms: u64) {
        self.shared.approval_window_ms.store(window_ms, Ordering::Relaxed);
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
        let Ok(under) = court.under(case.identity) else {
            return self.nobody_judges(&mut court, case, record);
        };
        let policy = court.guard_under(&under).and_then(Guard::policy);
        let handling = policy.map(|policy| policy.handling(case.tool));
        let shown = handling.and_then(|handling| shown(handling.shown(), case.arguments));
        let record = Record { shown: shown.as_deref(), ..record };
        let plea = Plea { under: &under, call: &call, moment };
        match court.admit(plea) {
            Judgement::Allow(leave) => self.let_through(&mut court, case, leave, record, false),
            Judgement::Deny(denial, by) => {
                let record = Record { judged_by: by.as_deref(), ..record };
                self.refuse(&mut court, case, &under, &denial, record)
            }
            Judgement::Escalate(escalation) => self.ask(&mut court, case, plea, &escalation, record),
        }
    }

    /// Denies a call of a grant whose own policy is not in force. The server's is not asked: it was written for others.
    fn nobody_judges(&self, court: &mut Court, case: &Case<'_>, record: Record<'_>) -> Ruling {
        let (reason, message) = UNAVAILABLE;
        self.put_on_record(court, case.identity, case.now_ms, &Record { reason, message, ..record });
        Ruling::Deny(Told::own(reason, message))
    }

    pub(crate) fn refuse(
        &self,
        court: &mut Court,
        case: &Case<'_>,
        under: &Under,
        denial: &Denial,
        record: Record<'_>,
    ) -> Ruling {
        // A denial may have begun a pause.
        court.learn(under, None);
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
        let Ticket { leave, reserved, shared, seq, tool, decided_ms, .. } = ticket;
        if settlement.outcome() == Outcome::NeverSent {
            self.refund_shared(shared);
        }
        let ts_ms = self.now_ms();
        // With the lock poisoned nothing is admitted any more, so there is nothing to give back.
        let Ok(mut court) = self.shared.court.lock() else { return };
        court.settle(leave, reserved, settlement);
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
    pub(crate) fn visible<'a>(&self, identity: &Identity, tools: impl Iterator<Item = &'a str>) -> Vec<bool> {
        let court = self.shared.court.lock().ok();
        let guard = court.as_ref().and_then(|court| court.guard_of(identity));
        tools.map(|tool| guard.is_some_and(|guard| guard.visible(tool))).collect()
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
        let own = if record.judged_by.is_none() { court.policy_of(identity) } else { Arc::default() };
        let Court { audit, line, seq, .. } = court;
        record.write(&self.stamp(identity, ts_ms, *seq, record.judged_by.unwrap_or(&own)), line);
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
