//! Expectations without the names of rules: what happens, and not who is said to have stopped it.

use crate::scenario::{Case, Expect, Located, Outcome, Scenario, Step, StepExpect};

/// The case, asked only what happens. Another rule may stop a call in the place of one that is gone, and that is no loss.
pub(super) fn without_names(case: &Case) -> Case {
    let mut case = case.clone();
    let Scenario { attack, steps, hold, expect, twin, .. } = &mut case.scenario;
    for step in attack.iter_mut().chain(steps) {
        strip(step);
    }
    forget(hold);
    forget(expect);
    if let Some(twin) = twin {
        twin.steps.iter_mut().for_each(strip);
        forget(&mut twin.expect);
    }
    case
}

fn forget(expect: &mut Expect) {
    expect.agent.rules.clear();
    expect.agent.reasons.clear();
}

fn strip(step: &mut Located<Step>) {
    let expected = match &mut step.value {
        Step::Repeat(repeat) => return repeat.steps.iter_mut().for_each(strip),
        Step::Each(each) => return each.steps.iter_mut().for_each(strip),
        Step::Parallel(parallel) => return parallel.steps.iter_mut().for_each(strip),
        Step::Call(call) => &mut call.expect,
        Step::Raw(raw) => &mut raw.expect,
        Step::Request(request) => &mut request.expect,
        _ => return,
    };
    let Some(StepExpect { outcome, rule, reason, contains, .. }) = expected else { return };
    // To name a rule is to say that the call is denied.
    if rule.take().is_some() || reason.take().is_some() {
        outcome.get_or_insert(Outcome::Denied);
    }
    if *outcome == Some(Outcome::Denied) {
        *contains = None;
    }
}
