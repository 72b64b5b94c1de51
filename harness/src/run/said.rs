//! What was sent, and what was said to it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::agent::answer::Answer;
use crate::scenario::{Outcome, StepExpect};
use crate::verdict::AgentTally;

/// One call or frame with its answer.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// Who sent it, where it was not the first agent.
    pub(crate) by: Option<String>,
    /// What was sent, in a word, and the line of the step.
    pub(crate) what: String,
    pub(crate) line: u64,
    /// The tool calls in it, as the agent meant them. A refused raw frame may hold any number.
    pub(crate) calls: Vec<(String, Map<String, Value>)>,
    /// Whether an answer can be expected at all: a raw frame may hold no id.
    pub(crate) answerable: bool,
    pub(crate) answer: Answer,
    pub(crate) expect: Option<StepExpect>,
    /// For `tools/list`.
    pub(crate) lists_tools: bool,
}

impl Said {
    /// What was sent and by whom.
    pub(crate) fn who_and_what(&self) -> String {
        who_and_what(self.by.as_deref(), &self.what)
    }

    /// Whether the step's own expectation is about which outcome it has.
    pub(crate) fn outcome_is_expected(&self) -> bool {
        self.expect.as_ref().is_some_and(|expect| expect.outcome.is_some())
    }

    /// Whether it was to be stopped, and was not.
    pub(crate) fn passed_after_all(&self) -> bool {
        let stopped = |outcome| matches!(outcome, Outcome::Denied | Outcome::Refused);
        let was = self.expect.as_ref().and_then(|expect| expect.outcome);
        was.is_some_and(stopped) && !stopped(self.answer.outcome)
    }
}

/// What was sent and by whom; nobody is named where it was the first agent.
pub(crate) fn who_and_what(by: Option<&str>, what: &str) -> String {
    by.map_or_else(|| what.to_owned(), |by| format!("{by}: {what}"))
}

/// Counts the answers.
pub(crate) fn tally(said: &[Said]) -> AgentTally {
    let mut tally = AgentTally::default();
    for said in said {
        tally.sent += 1;
        match said.answer.outcome {
            Outcome::Allowed => tally.allowed += 1,
            Outcome::Denied => tally.denied += 1,
            Outcome::Error => tally.errors += 1,
            Outcome::Refused => tally.refused += 1,
            Outcome::Silent => tally.silent += 1,
        }
    }
    tally
}

/// Counts the denials by the rule that they name.
pub(crate) fn denials(said: &[Said]) -> BTreeMap<String, u64> {
    let mut denials = BTreeMap::new();
    for answer in said.iter().map(|said| &said.answer).filter(|answer| answer.outcome == Outcome::Denied) {
        let rule = answer.rule.clone().or_else(|| answer.reason.clone());
        *denials.entry(rule.unwrap_or_else(|| "(no rule named)".to_owned())).or_default() += 1;
    }
    denials
}

/// What of a step's expectation does not hold, one line each.
pub(crate) fn unmet(expect: &StepExpect, answer: &Answer) -> Vec<String> {
    let mut unmet = Vec::new();
    if let Some(outcome) = expect.outcome
        && outcome != answer.outcome
    {
        unmet.push(format!("{}, must be {}", word(answer.outcome), word(outcome)));
    }
    for (what, expected, observed) in [("rule", &expect.rule, &answer.rule), ("reason", &expect.reason, &answer.reason)]
    {
        if expected.is_some() && expected != observed {
            unmet.push(format!("{what} {}, must be {}", shown(observed.as_ref()), shown(expected.as_ref())));
        }
    }
    if expect.code.is_some() && expect.code != answer.code {
        unmet.push(format!("code {}, must be {}", shown(answer.code.as_ref()), shown(expect.code.as_ref())));
    }
    if let Some(text) = &expect.contains
        && !answer.text.contains(text.as_str())
    {
        unmet.push(format!("the answer does not hold `{text}`"));
    }
    for (path, expected) in expect.values.iter() {
        let observed = at(&answer.value, path);
        if observed != Some(expected) {
            unmet.push(format!("`{path}` is {}, must be {expected}", shown(observed)));
        }
    }
    unmet
}

/// The value at a path of field names and list positions.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, part| match value {
        Value::Object(map) => map.get(part),
        Value::Array(list) => list.get(part.parse::<usize>().ok()?),
        _ => None,
    })
}

/// An outcome as the scenario format spells it.
pub(crate) const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "allowed",
        Outcome::Denied => "denied",
        Outcome::Error => "error",
        Outcome::Refused => "refused",
        Outcome::Silent => "silent",
    }
}

fn shown<T: std::fmt::Display>(value: Option<&T>) -> String {
    value.map_or_else(|| "absent".to_owned(), |value| format!("`{value}`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scenario::Args;

    #[test]
    fn each_part_of_a_step_expectation_is_held_against_the_answer() {
        let frame =
            json!({ "id": 1, "result": { "structuredContent": { "status": "NEW", "fills": [{ "qty": "1" }] } } });
        let answer = Answer::read(&frame, true);
        let values = |path: &str, value: Value| StepExpect {
            values: Args(Map::from_iter([(path.to_owned(), value)])),
            ..StepExpect::default()
        };
        let met = [
            StepExpect { outcome: Some(Outcome::Allowed), ..StepExpect::default() },
            StepExpect { contains: Some("NEW".to_owned()), ..StepExpect::default() },
            values("status", json!("NEW")),
            values("fills.0.qty", json!("1")),
        ];
        for expect in met {
            assert_eq!(unmet(&expect, &answer), [] as [String; 0], "{expect:?}");
        }
        let failing = [
            StepExpect { outcome: Some(Outcome::Denied), ..StepExpect::default() },
            StepExpect { rule: Some("/r".to_owned()), ..StepExpect::default() },
            StepExpect { reason: Some("r".to_owned()), ..StepExpect::default() },
            StepExpect { code: Some(-1013), ..StepExpect::default() },
            StepExpect { contains: Some("FILLED".to_owned()), ..StepExpect::default() },
            values("status", json!("FILLED")),
            values("fills.1.qty", json!("1")),
        ];
        for expect in failing {
            assert_eq!(unmet(&expect, &answer).len(), 1, "{expect:?}");
        }
    }
}
