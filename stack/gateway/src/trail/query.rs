//! Which records fit a question.

use super::Entry;

/// What records must be like. What is not asked fits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// The tool, exactly.
    pub tool: Option<String>,
    /// `allow`, `deny`, `escalate` or `refuse`.
    pub decision: Option<String>,
    /// The grant, exactly.
    pub grant: Option<String>,
    /// The session, exactly.
    pub session: Option<String>,
    /// The stable name of the reason, exactly.
    pub reason: Option<String>,
    /// The rule's pointer, or the beginning of it.
    pub rule: Option<String>,
    /// What became of the call.
    pub outcome: Option<String>,
    /// The name of the event.
    pub event: Option<String>,
    /// From this moment on, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Before this moment.
    pub until_ms: Option<u64>,
}

impl Query {
    /// Whether a record is like this.
    pub fn fits(&self, entry: &Entry) -> bool {
        let exactly = |member: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| entry.text(member) == Some(wanted.as_str()))
        };
        let ts_ms = entry.number("ts_ms");
        let outcome = entry.outcome.as_ref().map(|outcome| outcome.outcome.as_str());
        exactly("tool", &self.tool)
            && exactly("decision", &self.decision)
            && exactly("grant", &self.grant)
            && exactly("session", &self.session)
            && exactly("reason", &self.reason)
            && exactly("event", &self.event)
            && self.rule.as_ref().is_none_or(|rule| entry.text("rule").is_some_and(|text| text.starts_with(rule)))
            && self.outcome.as_ref().is_none_or(|wanted| outcome == Some(wanted.as_str()))
            && self.since_ms.is_none_or(|since| ts_ms.is_some_and(|ts_ms| ts_ms >= since))
            && self.until_ms.is_none_or(|until| ts_ms.is_some_and(|ts_ms| ts_ms < until))
    }
}
