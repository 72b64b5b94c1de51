//! Messages other than calls of tools, put to the policy and on record.

use mcp_policy::{Denial, Message, Passage, Reason, Sender};

use crate::audit::{Record, Verdict, shadows};
use crate::config::Identity;
use crate::gateway::{Court, Gateway};
use crate::judges::UNAVAILABLE;
use crate::wire::text::shown;
use crate::wire::{Refusal, RequestId};

/// What becomes of a message.
#[derive(Debug)]
pub(crate) enum Judged {
    /// The policy rules nothing but tools.
    Unruled,
    /// It goes on.
    Passes,
    /// It does not, and is on record; what its sender is told.
    Refused(Refusal),
}

/// What is to be put on record of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// That it passes, and that it does not.
    Both,
    /// That it does not.
    Denial,
    /// Nothing: it was on record before.
    Nothing,
}

impl Gateway {
    /// Judges one message, and puts it on record as `note` says. What cannot be put on record does not pass.
    pub(crate) fn judge_message(
        &self,
        identity: &Identity,
        now_ms: u64,
        id: Option<&RequestId>,
        message: &Message<'_>,
        note: Note,
    ) -> Judged {
        let unavailable = |reason, message: &str| {
            Judged::Refused(Refusal::Denied { reason, rule: None, message: message.to_owned() })
        };
        let poisoned = || unavailable("guard_unavailable", "the policy cannot be evaluated");
        // Most messages pass as a matter of course, and then nobody looks for the kill switch's file.
        match self.shared.court.lock() {
            Err(_) => return poisoned(),
            Ok(court) => match court.guard_of(identity).map(|guard| guard.judge_message(message, false)) {
                Some(Passage::Unruled) => return Judged::Unruled,
                Some(Passage::Free) => return Judged::Passes,
                _ => {}
            },
        }
        let halted = self.kill_switch().is_on();
        let Ok(mut court) = self.shared.court.lock() else { return poisoned() };
        self.note_switch(&mut court, halted, now_ms);
        let method = message.method;
        let record = Record {
            id,
            method: Some(method),
            from: (message.sender == Sender::Server).then_some("server"),
            ..Record::of_message()
        };
        let Some(guard) = court.guard_of(identity) else {
            let (reason, message) = UNAVAILABLE;
            if note != Note::Nothing {
                self.put_on_record(&mut court, identity, now_ms, &Record { reason, message, ..record });
            }
            return unavailable(reason, message);
        };
        match guard.judge_message(message, halted) {
            Passage::Unruled => Judged::Unruled,
            Passage::Denied(denial) => {
                if note != Note::Nothing {
                    self.record_denial(&mut court, identity, now_ms, &denial, record);
                }
                Judged::Refused(told(&denial, method))
            }
            Passage::Ruled { rule, shadow } if note == Note::Both => {
                let shadows = shadow.and_then(|denial| shadows(std::slice::from_ref(&*denial)));
                let record =
                    Record { verdict: Verdict::Allow, rule: Some(&rule), shadows: shadows.as_deref(), ..record };
                if self.put_on_record(&mut court, identity, now_ms, &record) {
                    Judged::Passes
                } else {
                    unavailable("audit_unavailable", "the request cannot be put on record, so it was not made")
                }
            }
            // The crate may learn of more; what passes here is what it says passes.
            passage if passage.passes() => Judged::Passes,
            _ => unavailable("guard_unavailable", "the policy cannot be evaluated"),
        }
    }

    fn record_denial(&self, court: &mut Court, identity: &Identity, now_ms: u64, denial: &Denial, record: Record<'_>) {
        let record =
            Record { rule: Some(&denial.rule), reason: denial.reason.code(), message: &denial.message, ..record };
        self.put_on_record(court, identity, now_ms, &record);
    }

    /// Whether messages of this method may be announced; nothing if the policy rules nothing but tools.
    pub(crate) fn offers(&self, identity: &Identity, sender: Sender, method: &str) -> Option<bool> {
        let court = self.shared.court.lock().ok();
        match court.as_ref().and_then(|court| court.guard_of(identity)) {
            Some(guard) => guard.offers(sender, method),
            None => Some(false),
        }
    }

    /// Which of `names` a client may see in a list: those that it could ask for by `method`.
    pub(crate) fn shows<'a>(
        &self,
        identity: &Identity,
        method: &str,
        names: impl Iterator<Item = &'a str>,
    ) -> Vec<bool> {
        let court = self.shared.court.lock().ok();
        let guard = court.as_ref().and_then(|court| court.guard_of(identity));
        names
            .map(|name| {
                let message = Message { sender: Sender::Client, method, names: Some(name) };
                guard.is_some_and(|guard| guard.judge_message(&message, false).passes())
            })
            .collect()
    }
}

/// What a sender is told. What the policy hides has no rule.
fn told(denial: &Denial, method: &str) -> Refusal {
    if denial.reason == Reason::Hidden {
        let message = format!("`{}` is not available", shown(method));
        return Refusal::Denied { reason: "not_available", rule: None, message };
    }
    Refusal::Denied { reason: denial.reason.code(), rule: Some(denial.rule.clone()), message: denial.message.clone() }
}
