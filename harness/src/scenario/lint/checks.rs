//! Checks: harm that an idle run cannot show, rules that stand in the policy, paths that are paths.

use serde_json::Value;

use super::Findings;
use crate::scenario::PolicyFile;
use crate::scenario::{ExchangeCheck, Expect, Kind, Located, Scenario, Step, StepExpect};
use crate::soft;

/// What a denial names when no rule of the document decided.
const WORDS: [&str; 3] = ["(hidden)", "(default deny)", "(no policy)"];

pub(super) fn lint(findings: &mut Findings<'_>, scenario: &Scenario, policies: &[&PolicyFile]) {
    if scenario.kind == Kind::Attack && !scenario.harm.is_empty() && scenario.harm.holds_when_idle() {
        let place = findings.key("harm");
        let help = "add something that only the attack can do, for example `orders_booked: { min: 1 }`";
        findings.add("harm-idle", place, "a run in which nothing happens would show this harm", help);
    }
    let documents: Option<Vec<Value>> = policies
        .iter()
        .map(|policy| serde_json::from_str(&crate::scenario::comments::blanked(policy.text())).ok())
        .collect();
    let documents = documents.filter(|documents| !documents.is_empty());
    let name = scenario.policy.value.as_str();
    let mut checks = Checks { findings, documents: documents.as_deref(), name };
    checks.paths("harm", &scenario.harm);
    checks.expect("hold", &scenario.hold);
    checks.expect("expect", &scenario.expect);
    checks.steps(&scenario.attack);
    checks.steps(&scenario.steps);
    if let Some(twin) = &scenario.twin {
        checks.expect("twin", &twin.expect);
        checks.steps(&twin.steps);
    }
}

struct Checks<'a, 'b> {
    findings: &'a mut Findings<'b>,
    documents: Option<&'a [Value]>,
    name: &'a str,
}

impl Checks<'_, '_> {
    fn expect(&mut self, key: &str, expect: &Expect) {
        let place = self.findings.key(key);
        self.paths(key, &expect.exchange);
        for rule in &expect.agent.rules {
            self.rule(place, rule);
        }
        for own in &expect.upstream.own_calls {
            if !soft::tools().iter().any(|spec| spec.name == own && spec.security == soft::Security::None) {
                let message = format!("`{own}` is no tool that is open to everybody");
                let help = "a gateway may look at the market for itself, and do nothing on the account";
                self.findings.add("own-call", place, message, help);
            }
        }
        if let Some(live) = &expect.live
            && !soft::tools().iter().any(|spec| spec.name == live.tool)
        {
            let message = format!("`{}` is none of the 23 tools", live.tool);
            self.findings.add("tool-unknown", place, message, "a sign of life is a call that works, such as `bn_ping`");
        }
    }

    fn paths(&mut self, key: &str, check: &ExchangeCheck) {
        let place = self.findings.key(key);
        let seen = check.seen.iter().map(|seen| &seen.path).chain(&check.other_paths);
        for path in seen.filter(|path| !path.starts_with('/')) {
            let help = "write it as the exchange does, such as `/api/v3/order`";
            self.findings.add("path", place, format!("`{path}` is not a path"), help);
        }
        for window in &check.any_window {
            if window.orders.is_none() && window.requests.is_none() && window.weight.is_none() {
                let help = "give `orders`, `requests` or `weight`";
                self.findings.add("window", place, format!("the window of {} bounds nothing", window.window), help);
            }
        }
    }

    fn steps(&mut self, steps: &[Located<Step>]) {
        for step in steps {
            let place = (step.line, step.column);
            match &step.value {
                Step::Call(call) => self.step(place, call.expect.as_ref()),
                Step::Raw(raw) => self.step(place, raw.expect.as_ref()),
                Step::Request(request) => self.step(place, request.expect.as_ref()),
                Step::Repeat(repeat) => self.steps(&repeat.steps),
                Step::Each(each) => self.steps(&each.steps),
                Step::Parallel(parallel) => self.steps(&parallel.steps),
                Step::Advance(_)
                | Step::Notify(_)
                | Step::Listen(_)
                | Step::OwnerOrder(_)
                | Step::Reconnect(_)
                | Step::Operator(_)
                | Step::ServerChange(_)
                | Step::Direct(_)
                | Step::Market(_) => {}
            }
        }
    }

    fn step(&mut self, place: (u64, u64), expect: Option<&StepExpect>) {
        let Some(expect) = expect else { return };
        if *expect == StepExpect::default() {
            self.findings.add("no-expect", place, "this `expect` asks nothing", "say for example `outcome: denied`");
        }
        if let Some(rule) = &expect.rule {
            self.rule(place, rule);
        }
    }

    /// A rule that the policy does not have can never have denied: a typo would only show as a failing run.
    fn rule(&mut self, place: (u64, u64), rule: &str) {
        if WORDS.contains(&rule) {
            return;
        }
        let Some(documents) = self.documents else { return };
        if !rule.starts_with('/') || !documents.iter().any(|document| document.pointer(rule).is_some()) {
            let help = format!("write a JSON pointer into the document, or one of {}", WORDS.join(", "));
            let message = format!("the policy `{}` has no rule `{rule}`", self.name);
            self.findings.add("rule-missing", place, message, help);
        }
    }
}
