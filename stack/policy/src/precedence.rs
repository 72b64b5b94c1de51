//! In what order a policy's rules are asked.

use std::sync::Arc;

use crate::arguments::Bound;
use crate::condition::{Cause, Condition, Evidence, Memo};
use crate::counters::{Amount, Amounts, Bill, Shortage};
use crate::decision::{Call, Denial, Escalation, Reason};
use crate::docket::{Docket, denial};
use crate::document::{Action, Clause, Each, LimitUse, Policy, Reasoned, Standing, ToolRules};
use crate::facts;
use crate::jcs::arguments_digest;
use crate::moment::Moment;
use crate::prices::Prices;
use crate::register::Trace;
use crate::seam::Seam;
use crate::sequence::consult;
use crate::state::State;
use crate::term::{AllTruth, all};

/// A call that no rule refused.
pub(crate) enum Pass<'p> {
    /// Charge `limits`, then let it through.
    Allow {
        rule: &'p Arc<str>,
        rules: Option<&'p ToolRules>,
        limits: Limits<'p>,
        amounts: Amounts,
        trace: Option<Box<Trace>>,
    },
    /// Ask a person.
    Ask(Escalation),
}

/// The limits of a call in the order in which they are checked: those of all tools, then the tool's own.
pub(crate) type Limits<'p> = std::iter::Chain<std::slice::Iter<'p, LimitUse>, std::slice::Iter<'p, LimitUse>>;

/// Judges `call`. The first of these that applies decides:
///
/// 1. the kill switch is on and the tool is none of the policy's `safety_tools`: denied, `halted`;
/// 2. the tool is hidden: denied, `hidden`;
/// 3. the tool is not listed and the default is `deny`: denied, `unlisted`;
/// 4. the tool is not listed, the default is `allow`, and a lenient server could take its name for one that the
///    policy names: denied, `ambiguous_tool`;
/// 5. the tool's action is `deny`: denied, `action_denied`;
/// 6. an argument's key differs only by case from one that the rules mention, `ambiguous_argument`, or is none that
///    the manifest declares, `undeclared_argument`: denied;
/// 7. the first `deny_if` that matches, `deny_if_matched`, or cannot be evaluated, `unevaluable`: denied;
/// 8. the first `require` that does not hold, `require_failed`, or cannot be evaluated, `unevaluable`; then the first
///    `approve_if` that cannot be evaluated, `unevaluable`, before one that matches: denied;
/// 9. the first rule over what went before that is not met, in the order of [`Sequence`](crate::sequence::Sequence):
///    `prior_missing`, `not_own`, `self_cross`, `open_orders`, `exposure`, `cancel_to_fill`, or `unevaluable`; then an
///    order that there is no room to remember, `state_full`: denied;
/// 10. the first breaker that is open, of all tools before the tool's own, `cooling_down`, `error_streak` or
///     `under_way`: denied;
/// 11. the first budget whose amount cannot be told, `unevaluable`; then the first limit, of all tools before the
///     tool's own, that is used up, `limit_reached`: denied;
/// 12. there is no room for a counter that a limit needs: denied, `state_full`;
/// 13. the tool's action is `require_approval`, or a rule of `approve_if` matches, and no person has approved the call:
///     escalated and not charged. An approval lifts nothing above;
/// 14. otherwise the call is charged to every limit in one step, and allowed.
///
/// A rule in shadow takes down what it would have refused, and the next is asked.
pub(crate) fn judge<'p>(
    policy: &'p Policy,
    call: &Call<'_>,
    moment: Moment,
    now: u64,
    state: &mut State,
    docket: &mut Docket,
) -> Result<Pass<'p>, Denial> {
    let seam = state.seam;
    if moment.is_halted() && !policy.is_safety_tool(call.tool) && !seam.ignores_the_kill_switch() {
        return Err(halted());
    }
    let rules = match policy.standing(call.tool) {
        Standing::Hidden(rules) if seam.lets_hidden_be_called() => rules,
        Standing::Hidden(_) => return Err(denial(Reason::Hidden, "(hidden)", "the policy hides this tool")),
        Standing::Unlisted => {
            return Err(denial(Reason::Unlisted, "(default deny)", "the policy does not list this tool"));
        }
        Standing::Lookalike => {
            let message = "the tool's name differs from one that the policy names only by case or blanks";
            return Err(denial(Reason::AmbiguousTool, policy.default_rule(), message));
        }
        Standing::Listed(rules) => Some(rules),
        Standing::Free => None,
    };
    let bound = match rules {
        Some(rules) => bind(rules, call)?,
        None => Bound::default(),
    };
    let facts = rules.and_then(|rules| rules.facts.as_deref());
    let prices = Prices { quotes: &state.quotes, now };
    let evidence = Evidence { bound: &bound, arguments: call.arguments, facts, memo: &Memo::default(), prices };
    let asks = match rules {
        Some(rules) => arguments(rules, &evidence, seam, docket)?,
        None => None,
    };
    let trace = match rules {
        Some(rules) => consult(policy, rules, call, &state.registers, now, seam, docket)?,
        None => None,
    };
    state.breakers.check(policy.breakers(), policy.applying(rules), call, now, seam, docket)?;
    let own: &[LimitUse] = rules.map_or(&[], |rules| &rules.limits);
    let limits = policy.all_tools().iter().chain(own);
    let amounts = amounts(limits.clone(), &evidence, call, docket)?;
    let shadowed = |shortage: &Shortage<'_>| docket.shadow(out_of(shortage, policy));
    state
        .counters
        .check(limits.clone(), &amounts, Bill { specs: policy.counters(), call, now, seam }, shadowed)
        .map_err(|shortage| out_of(&shortage, policy))?;
    if !moment.is_approved()
        && let Some(escalation) = asks
    {
        return Ok(Pass::Ask(escalation));
    }
    let rule = rules.map_or(policy.default_rule(), |rules| &rules.rule);
    Ok(Pass::Allow { rule, rules, limits, amounts, trace })
}

/// What a call is told that the kill switch stops.
pub(crate) fn halted() -> Denial {
    denial(Reason::Halted, "(halted)", "the kill switch is on: only what makes the account safer may be called")
}

/// Lines 5 and 6.
fn bind<'c>(rules: &ToolRules, call: &Call<'c>) -> Result<Bound<'c>, Denial> {
    if let Action::Deny(Reasoned { rule, reason }) = &rules.action {
        let message = reason.as_deref().unwrap_or("the policy denies this tool");
        return Err(denial(Reason::ActionDenied, rule, message));
    }
    bind_arguments(rules, call)
}

/// Line 6: finds the arguments that the tool's rules speak of.
pub(crate) fn bind_arguments<'c>(rules: &ToolRules, call: &Call<'c>) -> Result<Bound<'c>, Denial> {
    let bound = rules.mentions.bind(call.arguments).map_err(|ambiguous| {
        let message = format!("an argument's key differs from `{}` only by case", ambiguous.mentioned);
        denial(Reason::AmbiguousArgument, &rules.rule, &message)
    })?;
    if let Some(facts) = &rules.facts
        && !call.arguments.keys().all(|key| facts.arguments.contains(key))
    {
        // The key is the caller's, so it is not repeated.
        let message = "the tool has no such argument as one of this call's";
        return Err(denial(Reason::UndeclaredArgument, &rules.rule, message));
    }
    Ok(bound)
}

/// Lines 7 and 8: what the tool's own rules say of the call's arguments, and whether a person is to be asked.
fn arguments(
    rules: &ToolRules,
    evidence: &Evidence<'_>,
    seam: Seam,
    docket: &mut Docket,
) -> Result<Option<Escalation>, Denial> {
    let deny_if: &[Clause] = if seam.ignores_deny_if() { &[] } else { &rules.deny_if };
    for clause in deny_if {
        match all(&clause.conditions, evidence, seam) {
            AllTruth::False(_) => {}
            AllTruth::True => docket.refuse(clause.shadow, refused(clause))?,
            AllTruth::Unevaluable(condition, cause) => {
                docket.refuse(clause.shadow, unevaluable(clause, condition, cause))?;
            }
        }
    }
    let require: &[Clause] = if seam.ignores_require() { &[] } else { &rules.require };
    for clause in require {
        match all(&clause.conditions, evidence, seam) {
            AllTruth::True => {}
            AllTruth::False(condition) => docket.refuse(clause.shadow, unmet(clause, condition))?,
            AllTruth::Unevaluable(condition, cause) => {
                docket.refuse(clause.shadow, unevaluable(clause, condition, cause))?;
            }
        }
    }
    if let Action::RequireApproval(Reasoned { rule, reason }) = &rules.action {
        let message = reason.clone().unwrap_or_else(|| "a person must approve calls of this tool".to_owned());
        return Ok(Some(Escalation { rule: rule.clone(), message }));
    }
    for clause in &rules.approve_if {
        match all(&clause.conditions, evidence, seam) {
            AllTruth::False(_) => {}
            AllTruth::True => {
                let message = clause.on_deny.clone().unwrap_or_else(|| "a person must approve this call".to_owned());
                let escalation = Escalation { rule: clause.rule.clone(), message };
                if !clause.shadow {
                    return Ok(Some(escalation));
                }
                docket.shadow(escalation.as_denial());
            }
            AllTruth::Unevaluable(condition, cause) => {
                docket.refuse(clause.shadow, unevaluable(clause, condition, cause))?;
            }
        }
    }
    Ok(None)
}

/// How much each limit is to be charged. Most calls have no budget, and then nothing is allocated.
pub(crate) fn amounts<'p>(
    limits: impl Iterator<Item = &'p LimitUse> + Clone,
    evidence: &Evidence<'_>,
    call: &Call<'_>,
    docket: &mut Docket,
) -> Result<Amounts, Denial> {
    if limits.clone().all(|limit| limit.of.is_none() && limit.each.is_none()) {
        return Ok(Amounts::default());
    }
    let unevaluable = |limit: &LimitUse, path: &str, cause: Cause| {
        let message = format!("the policy cannot count this call: `{path}` {cause}");
        denial(Reason::Unevaluable, &limit.rule, &message)
    };
    let mut digest = None;
    let amount = |limit: &LimitUse| match &limit.of {
        None => Ok(1),
        Some(of) => evidence.amount(of).and_then(facts::units).map_err(|cause| unevaluable(limit, of.text(), cause)),
    };
    let mut part = |limit: &LimitUse| match &limit.each {
        None => Ok(None),
        // Several limits may ask for the same.
        Some(Each::Arguments) => {
            Ok(Some(*digest.get_or_insert_with(|| arguments_digest(call.tool, call.arguments, &[]))))
        }
        Some(Each::Subject(each)) => {
            evidence.part(each).map(Some).map_err(|cause| unevaluable(limit, each.text(), cause))
        }
    };
    let mut amounts = Vec::new();
    for limit in limits {
        let both = amount(limit).and_then(|units| Ok(Amount { units, part: part(limit)?, is_unknown: false }));
        amounts.push(match both {
            Ok(both) => both,
            Err(denial) => {
                docket.refuse(limit.shadow, denial)?;
                Amount { units: 0, part: None, is_unknown: true }
            }
        });
    }
    Ok(Amounts(amounts))
}

fn refused(clause: &Clause) -> Denial {
    let message = clause.on_deny.clone().unwrap_or_else(|| match clause.conditions.first() {
        Some(term) => format!("the policy refuses calls with such a `{}`", term.first().path.text()),
        None => "the policy refuses every call of this tool".to_owned(),
    });
    denial(Reason::DenyIfMatched, &clause.rule, &message)
}

fn unmet(clause: &Clause, condition: &Condition) -> Denial {
    let message = clause.on_deny.clone().unwrap_or_else(|| {
        format!("`{}` does not meet the policy's requirement (`{}`)", condition.path.text(), condition.test.op())
    });
    denial(Reason::RequireFailed, &clause.rule, &message)
}

/// The rule's own message would mislead here: nobody knows whether what it says is the case.
fn unevaluable(clause: &Clause, condition: &Condition, cause: Cause) -> Denial {
    let (path, op) = (condition.path.text(), condition.test.op());
    let message = format!("the policy cannot judge this call (`{op}`): `{path}` {cause}");
    denial(Reason::Unevaluable, &clause.rule, &message)
}

/// What a call is told that a limit has no room for.
pub(crate) fn out_of(shortage: &Shortage<'_>, policy: &Policy) -> Denial {
    match shortage {
        Shortage::Reached { limit, amount, retry_after_ms } => {
            let message = limit.on_deny.clone().unwrap_or_else(|| match policy.counters().get(limit.counter) {
                Some(spec) if spec.of.is_some() => {
                    let (max, amount) = (facts::text_of_units(spec.measure.max()), facts::text_of_units(*amount));
                    format!("the budget of {max} {} has no room for {amount}", spec.per)
                }
                Some(spec) => format!("the limit of {} calls {} is used up", spec.measure.max(), spec.per),
                None => "the limit is used up".to_owned(),
            });
            Denial { retry_after_ms: *retry_after_ms, ..denial(Reason::LimitReached, &limit.rule, &message) }
        }
        Shortage::Full { limit } => {
            let message = "there is no room to count this call, so it is not let through";
            denial(Reason::StateFull, &limit.rule, message)
        }
    }
}
