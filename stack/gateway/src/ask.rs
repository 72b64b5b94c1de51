//! A call that needs a person's approval.

use std::sync::Arc;

use mcp_policy::{Escalation, Guard};

use crate::approval::{Approval, ApprovalError, ApprovalState, Asked, Meeting, Notice, meet};
use crate::audit::{Record, Verdict, event};
use crate::gateway::{Case, Court, Gateway, Ruling, Told};
use crate::judges::{Judgement, Plea, Under};
use crate::state_dir::StateError;

impl Gateway {
    /// Lets an approved call through once, or asks for its approval. Everything else has been judged before, and is judged
    /// again for an approved call.
    pub(crate) fn ask(
        &self,
        court: &mut Court,
        case: &Case<'_>,
        plea: Plea<'_>,
        escalation: &Escalation,
        record: Record<'_>,
    ) -> Ruling {
        let (rule, verdict) = (Some(escalation.rule.as_str()), Verdict::Escalate);
        let record = Record { rule, verdict, reason: "approval_required", message: &escalation.message, ..record };
        let told = Told::from(escalation.public());
        if court.approvals.is_none() {
            self.put_on_record(court, case.identity, case.now_ms, &record);
            let message = format!("{} (needs approval, and no approval channel is configured)", told.message);
            return Ruling::Escalate(Told { message, ..told });
        }
        let server = self.shared.server.as_str();
        let Some(asked) = Asked::new(server, &case.identity.grant, case.tool, case.arguments) else {
            self.put_on_record(court, case.identity, case.now_ms, &record);
            let message = format!("{} (the arguments are too long for a person to look at)", told.message);
            return Ruling::Escalate(Told { message, ..told });
        };
        let seam = self.shared.seam;
        let arguments = if seam.binds_no_arguments() { String::new() } else { asked.arguments.clone() };
        let asked = Asked { arguments, ..asked };
        let asked = asked.by(&court.policy_under(plea.under), &escalation.rule, &escalation.message);
        match self.meet(court, plea.under, asked, case.now_ms) {
            Ok((id, Meeting::Use)) => self.use_up(court, case, plea, &id, record),
            Ok((id, Meeting::Refused)) => {
                let message = "a person has denied this call";
                let record = Record { reason: "approval_denied", message, approval: Some(&id), ..record };
                self.put_on_record(court, case.identity, case.now_ms, &record);
                Ruling::Escalate(Told { rule: told.rule, approval: Some(id), ..Told::own("approval_denied", message) })
            }
            Ok((id, Meeting::Ask | Meeting::Wait)) => {
                self.put_on_record(court, case.identity, case.now_ms, &Record { approval: Some(&id), ..record });
                let message = format!(
                    "{} (approval `{id}` was asked for: once a person has given it, send the same call again, unchanged)",
                    told.message
                );
                Ruling::Escalate(Told { message, approval: Some(id), ..told })
            }
            Err(error) => {
                tracing::error!(%error, "approvals cannot be read or written: calls that need one are denied");
                self.no_approvals(court, case, record)
            }
        }
    }

    /// What the newest request for the call is, and its id; asks if there is none. All changes are on record before.
    fn meet(
        &self,
        court: &mut Court,
        under: &Under,
        asked: Asked,
        now: u64,
    ) -> Result<(String, Meeting), ApprovalError> {
        let window_ms = self.approval_window_ms();
        let Some(book) = &mut court.approvals else {
            return Err(StateError::Damaged("there is no book".to_owned()).into());
        };
        book.expire(now)?;
        let newest = book.newest(&asked.fingerprint())?;
        let meeting = meet(newest.as_ref(), now);
        let mut new = None;
        let id = match (newest, meeting) {
            (Some(newest), Meeting::Wait | Meeting::Refused) => {
                book.met(&newest.id)?;
                newest.id
            }
            (Some(newest), Meeting::Use) => newest.id,
            _ => {
                let asked = book.ask(asked, now, window_ms)?;
                let id = asked.id.clone();
                new = Some(asked);
                id
            }
        };
        self.tell_changes(court)?;
        if let Some(new) = new {
            self.notify(court, under, &new);
        }
        Ok((id, meeting))
    }

    /// Lets somebody know of a request that waits, with those values of its arguments that its policy shows.
    fn notify(&self, court: &Court, under: &Under, approval: &Approval) {
        let Some(notifier) = &self.shared.notifier else { return };
        let policy = court.guard_under(under).and_then(Guard::policy);
        let handling = policy.map(|policy| policy.handling(&approval.asked.tool));
        notifier.notify(Notice::of(approval, handling.map_or(&[], |handling| handling.shown())));
    }

    /// Lets somebody know of every request that still waits, as after a start: what an earlier process has told of them is
    /// not known.
    pub fn notify_pending(&self) {
        if self.shared.notifier.is_none() {
            return;
        }
        let now = self.now_ms();
        let Ok(court) = self.shared.court.lock() else { return };
        let listed = court.approvals.as_ref().map_or_else(|| Ok(Vec::new()), |book| book.list(now));
        let listed = listed.unwrap_or_else(|error| {
            tracing::error!(%error, "requests for approval cannot be read, so nobody is told of those that wait");
            Vec::new()
        });
        for (approval, _) in listed
            .iter()
            .rev()
            .filter(|(approval, state)| *state == ApprovalState::Pending && approval.asked.server == self.shared.server)
        {
            let own = court.grants.get_key_value(approval.asked.grant.as_str()).filter(|(_, seat)| seat.in_force);
            let under = own.map(|(name, _)| Arc::clone(name));
            self.notify(&court, &under, approval);
        }
    }

    /// Judges an approved call again, and lets it through if nothing but the question was in its way.
    fn use_up(&self, court: &mut Court, case: &Case<'_>, plea: Plea<'_>, id: &str, record: Record<'_>) -> Ruling {
        let plain =
            Record { verdict: Verdict::Deny, rule: None, reason: "", message: "", approval: Some(id), ..record };
        let leave = match court.admit(Plea { moment: plea.moment.approved(true), ..plea }) {
            Judgement::Allow(leave) => leave,
            // The approval stays: the call may pass once there is room for it.
            Judgement::Deny(denial, by) => {
                return self.refuse(court, case, plea.under, &denial, Record { judged_by: by.as_deref(), ..plain });
            }
            Judgement::Escalate(_) => return self.no_approvals(court, case, record),
        };
        self.let_through(court, case, leave, plain, true)
    }

    /// Used up before the call leaves: whatever happens from here on, it lets nothing else through.
    pub(crate) fn use_approval_up(&self, court: &mut Court, case: &Case<'_>, id: &str) -> Result<(), ApprovalError> {
        match &mut court.approvals {
            Some(_) if self.shared.seam.approves_for_ever() => {}
            Some(book) => book.consume(id, case.now_ms)?,
            None => return Err(StateError::Damaged("there is no book".to_owned()).into()),
        }
        self.tell_changes(court)
    }

    fn no_approvals(&self, court: &mut Court, case: &Case<'_>, record: Record<'_>) -> Ruling {
        let message = "the call needs approval, and approvals cannot be read or recorded at present";
        let record = Record { reason: "approval_unavailable", message, ..record };
        self.put_on_record(court, case.identity, case.now_ms, &record);
        Ruling::Escalate(Told { rule: record.rule.map(str::to_owned), ..Told::own("approval_unavailable", message) })
    }

    /// Puts every change of a request on record that is not yet, whoever made it.
    pub(crate) fn tell_changes(&self, court: &mut Court) -> Result<(), ApprovalError> {
        let Court { approvals: Some(book), audit, line, .. } = court else { return Ok(()) };
        for change in book.untold(&self.shared.server)? {
            let fields = [
                ("approval", change.id.as_str()),
                ("state", change.state.name()),
                ("by", &change.by),
                ("note", &change.note),
            ];
            event("approval", change.at_ms, &self.shared.server, &fields, line);
            audit.record(line).map_err(|error| {
                tracing::error!(%error, "the audit does not take the change of an approval");
                ApprovalError::NotRecorded
            })?;
            book.told(change.number)?;
        }
        Ok(())
    }

    /// Puts on record what people have decided, and what has run out of time, since a call last asked.
    pub fn record_approvals(&self) {
        let now = self.now_ms();
        let Ok(mut court) = self.shared.court.lock() else { return };
        let expired = court.approvals.as_mut().map_or(Ok(()), |book| book.expire(now));
        if let Err(error) = expired.map_err(ApprovalError::from).and_then(|()| self.tell_changes(&mut court)) {
            tracing::error!(%error, "approvals cannot be read or recorded");
        }
    }
}
