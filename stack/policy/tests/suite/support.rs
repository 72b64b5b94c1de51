//! What the suites share.

use mcp_policy::{Call, Decision, Denial, Escalation, Guard, Moment, Permit, Policy, Timestamp};
use serde_json::{Map, Value, json};

pub(crate) const SECOND: u64 = 1000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

#[track_caller]
pub(crate) fn policy(document: &Value) -> Policy {
    match Policy::parse(&document.to_string()) {
        Ok(policy) => policy,
        Err(errors) => panic!("{errors}\n{document:#}"),
    }
}

#[track_caller]
pub(crate) fn guard(document: &Value) -> Guard {
    Guard::new(policy(document))
}

/// A document that denies by default and lists `tools`.
pub(crate) fn listing(tools: &Value) -> Value {
    json!({"version": "1", "default": "deny", "tools": tools})
}

/// A document whose one tool `t` has `rules`.
pub(crate) fn tool(rules: &Value) -> Value {
    listing(&json!({"t": rules}))
}

/// One call, with everything that a test does not care about filled in.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) tool: String,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) grant: String,
    pub(crate) session: String,
}

pub(crate) fn ask(tool: &str) -> Ask {
    Ask { tool: tool.to_owned(), arguments: Map::new(), grant: "grant".to_owned(), session: "session".to_owned() }
}

impl Ask {
    pub(crate) fn with(mut self, arguments: Value) -> Self {
        match arguments {
            Value::Object(arguments) => self.arguments = arguments,
            other => panic!("arguments are an object, not {other}"),
        }
        self
    }

    pub(crate) fn grant(mut self, grant: &str) -> Self {
        grant.clone_into(&mut self.grant);
        self
    }

    pub(crate) fn session(mut self, session: &str) -> Self {
        session.clone_into(&mut self.session);
        self
    }

    pub(crate) fn named(mut self, tool: &str) -> Self {
        tool.clone_into(&mut self.tool);
        self
    }

    pub(crate) fn of(&self, guard: &mut Guard, at_ms: u64) -> Decision {
        self.at(guard, Moment::new(Timestamp::from_millis(at_ms)))
    }

    pub(crate) fn at(&self, guard: &mut Guard, moment: Moment) -> Decision {
        let call = Call { tool: &self.tool, arguments: &self.arguments, grant: &self.grant, session: &self.session };
        guard.admit(&call, moment)
    }

    #[track_caller]
    pub(crate) fn denied_at(&self, guard: &mut Guard, moment: Moment) -> Denial {
        match self.at(guard, moment) {
            Decision::Deny(denial) => denial,
            other => panic!("expected a denial, got {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn allowed(&self, guard: &mut Guard, at_ms: u64) -> Permit {
        match self.of(guard, at_ms) {
            Decision::Allow(permit) => permit,
            other => panic!("expected a permit at {at_ms} ms, got {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn denied(&self, guard: &mut Guard, at_ms: u64) -> Denial {
        match self.of(guard, at_ms) {
            Decision::Deny(denial) => denial,
            other => panic!("expected a denial at {at_ms} ms, got {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn escalated(&self, guard: &mut Guard, at_ms: u64) -> Escalation {
        match self.of(guard, at_ms) {
            Decision::Escalate(escalation) => escalation,
            other => panic!("expected an escalation at {at_ms} ms, got {other:?}"),
        }
    }

    /// Checks who refuses and why.
    #[track_caller]
    pub(crate) fn refused(&self, guard: &mut Guard, at_ms: u64, rule: &str, reason: &str) {
        let denial = self.denied(guard, at_ms);
        assert_eq!((denial.rule.as_str(), denial.reason.code()), (rule, reason), "{denial:?}");
    }
}

/// Calls `ask` at each of `times` and returns how many passed. Permits are dropped: their charges stay.
pub(crate) fn admitted(guard: &mut Guard, ask: &Ask, times: impl IntoIterator<Item = u64>) -> usize {
    times.into_iter().filter(|at| matches!(ask.of(guard, *at), Decision::Allow(_))).count()
}
