//! What of a policy counts for several grants at once, and so holds for a grant that another policy judges.
//!
//! A grant may have a policy of its own. What the server's policy says of each grant for itself is then none of its
//! business; but a limit or breaker of `scope: server` or `organisation` is a promise about everybody together, and so is
//! the kill switch: a call of such a grant counts there like any other.

use crate::arguments::Bound;
use crate::breakers::Breaker;
use crate::condition::{Evidence, Memo};
use crate::counters::{Amounts, Bill};
use crate::decision::{Call, Denial, Permit, Reason};
use crate::docket::Docket;
use crate::document::{LimitUse, Policy};
use crate::guard::{Guard, in_shadow};
use crate::moment::Moment;
use crate::precedence::{amounts, bind_arguments, halted, out_of};
use crate::prices::{PriceRequest, Prices};
use crate::state::State;

impl Policy {
    /// The rules, by their pointers, that count for several grants at once: limits and breakers of `scope: server` and
    /// `organisation`. In a policy of one grant they would not do what they say.
    pub fn spanning_rules(&self) -> Vec<&str> {
        let limits = self.all_tools().iter().chain(self.entries().flat_map(|rules| &rules.limits));
        let limits = limits.filter(|limit| self.is_spanning(limit)).map(|limit| limit.rule.as_str());
        let breakers =
            self.breakers().iter().filter(|breaker| spans(breaker)).map(|breaker| breaker.head.rule.as_str());
        let mut rules: Vec<&str> = Vec::new();
        for rule in limits.chain(breakers) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        rules
    }

    fn is_spanning(&self, limit: &LimitUse) -> bool {
        self.counters().get(limit.counter).is_some_and(|spec| !spec.scope.by_grant())
    }

    /// The limits that span grants and count calls of `tool`, whatever else the policy says of it.
    fn spanning_limits<'p>(&'p self, tool: &str) -> impl Iterator<Item = &'p LimitUse> + Clone {
        let own: &[LimitUse] = self.rules(tool).map_or(&[], |rules| &rules.limits);
        self.all_tools().iter().chain(own).filter(|limit| self.is_spanning(limit))
    }

    /// The breakers that span grants and watch calls of `tool`.
    fn spanning_breakers<'p>(&'p self, tool: &str) -> impl Iterator<Item = usize> + Clone + 'p {
        let applying = self.applying(self.rules(tool));
        applying.filter(|index| self.breakers().get(*index).is_some_and(spans))
    }
}

fn spans(breaker: &Breaker) -> bool {
    !breaker.scope.by_grant()
}

impl Guard {
    /// Judges a call that another policy has let through by what spans grants alone, in the order of
    /// [`Guard::admit`], and charges it in the same step. The permit is settled here like any other.
    ///
    /// What the policy says of the tool otherwise (hidden, unlisted, `deny_if`, limits of a grant) is not asked. Nobody is
    /// ever asked for approval.
    ///
    /// # Errors
    /// The call may not pass, and is charged nothing.
    pub fn admit_spanning(&mut self, call: &Call<'_>, moment: impl Into<Moment>) -> Result<Permit, Denial> {
        let moment = moment.into();
        self.now = self.now.max(moment.now());
        let now = self.now.as_millis();
        let Some(policy) = &self.policy else { return Err(Self::unruled()) };
        let seam = self.state.seam;
        if seam.admits_everything() {
            return Ok(Permit::new(policy.default_rule().clone(), now, Vec::new()));
        }
        let mut docket = Docket::default();
        let judged = judge_spanning(policy, call, moment, now, &mut self.state, &mut docket);
        let State { counters, breakers, .. } = &mut self.state;
        match judged {
            Err(denial) => {
                let applying = policy.spanning_breakers(call.tool);
                breakers.denied(policy.breakers(), applying, call, denial.reason, now);
                in_shadow(policy, denial, docket.shadows, now)
            }
            Ok(amounts) => {
                let bill = Bill { specs: policy.counters(), call, now, seam };
                let charges = if seam.never_charges() {
                    Vec::new()
                } else {
                    counters.charge(policy.spanning_limits(call.tool), &amounts, bill)
                };
                let mut permit = Permit::new(policy.default_rule().clone(), now, charges).in_shadow(docket.shadows);
                permit.generation = self.moves.len();
                permit.held = breakers.begin(policy.breakers(), policy.spanning_breakers(call.tool), call);
                Ok(permit)
            }
        }
    }

    /// Takes note of a call that another policy has denied: a pause after denials that spans grants begins.
    pub fn denied_elsewhere(&mut self, call: &Call<'_>, reason: Reason) {
        let Some(policy) = &self.policy else { return };
        let applying = policy.spanning_breakers(call.tool);
        self.state.breakers.denied(policy.breakers(), applying, call, reason, self.now.as_millis());
    }

    /// Which prices [`Guard::admit_spanning`] cannot do without and that are not fresh, as [`Guard::prices_wanted`] says
    /// of [`Guard::admit`].
    pub fn prices_wanted_spanning(&mut self, call: &Call<'_>, moment: impl Into<Moment>) -> Vec<PriceRequest> {
        let moment = moment.into();
        let Some(policy) = self.policy.as_ref().filter(|policy| policy.live().is_some()) else { return Vec::new() };
        let now = self.now.max(moment.now()).as_millis();
        self.state.quotes.take_wanted();
        // Only what it asks for matters: the verdict comes with the price.
        let _ = judge_spanning(policy, call, moment, now, &mut self.state, &mut Docket::default());
        self.state.quotes.take_wanted()
    }
}

/// Lines 1 and 10 to 12 of the precedence, for rules that span grants.
fn judge_spanning(
    policy: &Policy,
    call: &Call<'_>,
    moment: Moment,
    now: u64,
    state: &mut State,
    docket: &mut Docket,
) -> Result<Amounts, Denial> {
    let seam = state.seam;
    if moment.is_halted() && !policy.is_safety_tool(call.tool) && !seam.ignores_the_kill_switch() {
        return Err(halted());
    }
    state.breakers.check(policy.breakers(), policy.spanning_breakers(call.tool), call, now, seam, docket)?;
    let limits = policy.spanning_limits(call.tool);
    // Arguments are looked at only where something of them is counted.
    let counts_arguments = limits.clone().any(|limit| limit.of.is_some() || limit.each.is_some());
    let rules = policy.rules(call.tool).filter(|_| counts_arguments);
    let bound = rules.map_or(Ok(Bound::default()), |rules| bind_arguments(rules, call))?;
    let facts = rules.and_then(|rules| rules.facts.as_deref());
    let prices = Prices { quotes: &state.quotes, now };
    let evidence = Evidence { bound: &bound, arguments: call.arguments, facts, memo: &Memo::default(), prices };
    let amounts = amounts(limits.clone(), &evidence, call, docket)?;
    let bill = Bill { specs: policy.counters(), call, now, seam };
    let shadowed = |shortage: &crate::counters::Shortage<'_>| docket.shadow(out_of(shortage, policy));
    state.counters.check(limits, &amounts, bill, shadowed).map_err(|shortage| out_of(&shortage, policy))?;
    Ok(amounts)
}
