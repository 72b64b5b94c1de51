//! One policy that judges the calls of a tape.

use std::borrow::Cow;

use mcp_gateway::mcp_policy::{
    Call, Decision, Guard, Moment, Outcome, Permit, Policy, PriceRequest, Reason, Settlement, Timestamp,
};
use serde_json::{Map, Value};

use super::frame::{Frame, Told};
use super::headroom::Meters;
use super::judge::Approvals;

/// A verdict and who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) passes: bool,
    /// What was decided.
    word: Cow<'static, str>,
    /// By which rule, where that is known.
    rule: String,
    pub(super) message: String,
    /// The call was refused because the tape does not tell the price that it is to be judged by.
    pub(super) lacks_price: bool,
}

impl Verdict {
    fn new(passes: bool, word: impl Into<Cow<'static, str>>, rule: impl Into<String>) -> Self {
        Self { passes, word: word.into(), rule: rule.into(), message: String::new(), lacks_price: false }
    }

    /// What a gateway said at the time.
    pub(super) fn decided<A>(frame: &Frame<'_, A>) -> Self {
        let word = frame.decision.as_deref().unwrap_or_default().to_owned();
        Self::new(word == "allow", word, frame.rule.as_deref().unwrap_or_default())
    }

    /// Without the words of a gateway, whatever was not answered with a refusal passed.
    pub(super) fn answered(told: &Told) -> Self {
        Self::new(!told.is_denied, if told.is_denied { "denied, as recorded" } else { "passed, as recorded" }, "")
    }

    pub(super) fn words(&self) -> String {
        if self.rule.is_empty() { self.word.to_string() } else { format!("{} {}", self.word, self.rule) }
    }
}

/// A call as it stands on a tape.
pub(super) struct Recorded {
    pub(super) tool: String,
    pub(super) arguments: Map<String, Value>,
    pub(super) grant: String,
    pub(super) session: String,
}

impl Recorded {
    fn call(&self) -> Call<'_> {
        Call { tool: &self.tool, arguments: &self.arguments, grant: &self.grant, session: &self.session }
    }
}

/// What became of a call before a policy.
#[derive(Default)]
pub(super) enum Ruling {
    /// It waits for a price, as it would at a gateway.
    #[default]
    Waits,
    Said(Verdict, Option<Permit>),
}

/// A guard, and what the person says who is asked.
pub(super) struct Court {
    guard: Guard,
    approvals: Approvals,
}

impl Court {
    pub(super) fn new(policy: Policy, approvals: Approvals) -> Self {
        Self { guard: Guard::new(policy), approvals }
    }

    /// Whether it has use for the whole of a result.
    pub(super) fn learns(&self) -> bool {
        self.guard.policy().is_some_and(Policy::learns_from_results)
    }

    /// Judges a call, unless it has to wait for a price. At its `last` chance it is judged without.
    pub(super) fn hear(
        &mut self,
        recorded: &Recorded,
        now: Timestamp,
        last: bool,
        meters: Option<(&mut Meters, &str, u64)>,
    ) -> Ruling {
        let lacks_price = !self.guard.prices_wanted(&recorded.call(), now).is_empty();
        if lacks_price && !last {
            return Ruling::Waits;
        }
        let (mut verdict, permit) = self.judge(&recorded.call(), now, meters);
        verdict.lacks_price = lacks_price && !verdict.passes;
        Ruling::Said(verdict, permit)
    }

    /// `meters` are told what a limit was charged or refused, by the call of this number on this tape.
    fn judge(
        &mut self,
        call: &Call<'_>,
        now: Timestamp,
        mut meters: Option<(&mut Meters, &str, u64)>,
    ) -> (Verdict, Option<Permit>) {
        let guard = &mut self.guard;
        let mut decision = guard.admit(call, now);
        let asked = match (&decision, self.approvals) {
            (Decision::Escalate(escalation), Approvals::Granted) => Some(escalation.rule.clone()),
            _ => None,
        };
        if asked.is_some() {
            decision = guard.admit(call, Moment::new(now).approved(true));
        }
        match decision {
            Decision::Allow(permit) => {
                if let Some((meters, tape, seq)) = &mut meters {
                    for charged in guard.charged(&permit) {
                        meters.charge(guard.policy(), &charged, || format!("{tape}:{}", *seq + 1));
                    }
                }
                let word = if asked.is_some() { "approved" } else { "allow" };
                (Verdict::new(true, word, asked.unwrap_or_else(|| permit.rule().to_owned())), Some(permit))
            }
            Decision::Deny(denial) => {
                if let Some((meters, ..)) = meters.filter(|_| denial.reason == Reason::LimitReached) {
                    meters.refuse(guard.policy(), &denial.rule);
                }
                (Verdict { message: denial.message, ..Verdict::new(false, "deny", denial.rule) }, None)
            }
            Decision::Escalate(escalation) => {
                (Verdict { message: escalation.message, ..Verdict::new(false, "ask", escalation.rule) }, None)
            }
        }
    }

    /// What became of a call that it let through.
    pub(super) fn settle(&mut self, permit: Permit, outcome: Outcome, value: Option<&Value>) {
        let settlement = Settlement::new(outcome);
        self.guard.settle(permit, value.map_or(settlement, |value| settlement.with_value(value)));
    }

    /// Whose price a call of the tape asks for, if this policy believes the tool.
    pub(super) fn asks(&self, recorded: &Recorded) -> Option<PriceRequest> {
        self.guard.price_told_by(&recorded.call())
    }

    /// What the server told; that there was no price is also worth knowing.
    pub(super) fn tell(&mut self, request: &PriceRequest, value: Option<&Value>, asked_at: Timestamp) {
        // A policy that does not ask for it, or cannot read it, goes on without.
        let _ = self.guard.tell_price(request, value, asked_at);
    }
}
