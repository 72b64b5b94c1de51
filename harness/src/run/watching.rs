//! Takes down how a run goes, step by step, for whoever wants to see it.

use mock_binance::MockBinance;
use serde_json::{Map, Value};

use super::said::{Said, who_and_what};
use super::secrets::Secrets;
use super::stage::Stage;
use crate::agent::answer::Answer;
use crate::course::{Asked, Course, Moment};
use crate::scenario::{Dec, Outcome};
use crate::witness::{Watch, Witness};

/// Longer texts are cut.
const SHOWN_CHARS: usize = 240;

/// A run that is watched.
pub(crate) struct Watching {
    watch: Watch,
    secrets: Secrets,
    begun_ms: u64,
    course: Course,
    /// How many of the answers have been taken down.
    told: usize,
}

impl Watching {
    pub(crate) fn new(stage: &Stage) -> Self {
        let mut watch = Watch::new(&stage.mock);
        let equity_before = Dec::from(stage.witness.look(&stage.mock, &mut watch).equity.normalize());
        Self {
            watch,
            secrets: stage.secrets(),
            begun_ms: stage.mock.clock().now_ms(),
            course: Course { equity_before, moments: Vec::new() },
            told: 0,
        }
    }

    /// Takes a step down that has come to rest. `said` are all answers so far.
    pub(crate) fn step(&mut self, mock: &MockBinance, witness: &Witness, said: &[Said], note: Option<String>) {
        let seen = witness.look(mock, &mut self.watch);
        let asked: Vec<Asked> = said.iter().skip(self.told).map(|said| self.asked(said)).collect();
        self.told = said.len();
        if asked.is_empty() && note.is_none() && seen.effects.is_empty() {
            return;
        }
        self.course.moments.push(Moment {
            at_ms: mock.clock().now_ms().saturating_sub(self.begun_ms),
            asked,
            note: note.map(|note| shortened(&self.secrets.redact(&note))),
            effects: seen.effects,
            equity: Dec::from(seen.equity.normalize()),
        });
    }

    pub(crate) fn finish(self) -> Course {
        self.course
    }

    fn asked(&self, said: &Said) -> Asked {
        let shown = |text: &str| shortened(&self.secrets.redact(text));
        let calls: Vec<String> = said.calls.iter().map(|(tool, arguments)| call(tool, arguments)).collect();
        let is_call = matches!(said.calls.as_slice(), [(tool, _)] if *tool == said.what);
        let did = match (is_call, calls.is_empty()) {
            (_, true) => said.what.clone(),
            (true, false) => calls.join("; "),
            (false, false) => format!("{}: {}", said.what, calls.join("; ")),
        };
        let did = who_and_what(said.by.as_deref(), &did);
        let Answer { outcome, rule, .. } = &said.answer;
        Asked { did: shown(&did), outcome: *outcome, rule: rule.clone(), why: why(&said.answer).map(|why| shown(&why)) }
    }
}

/// A call in a line.
fn call(tool: &str, arguments: &Map<String, Value>) -> String {
    let mut text = tool.to_owned();
    for (name, value) in arguments {
        text.push(' ');
        text.push_str(name);
        text.push('=');
        match value {
            Value::String(word) => text.push_str(word),
            other => text.push_str(&other.to_string()),
        }
    }
    text
}

/// What was said for a reason.
fn why(answer: &Answer) -> Option<String> {
    if matches!(answer.outcome, Outcome::Allowed | Outcome::Silent) {
        return None;
    }
    let said = ["message", "msg", "error"].iter().find_map(|name| answer.value.get(name)?.as_str());
    let said = said.or(answer.value.as_str()).map(ToOwned::to_owned);
    said.or_else(|| answer.reason.clone())
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS {
        return text.to_owned();
    }
    text.chars().take(SHOWN_CHARS).chain(['…']).collect()
}
