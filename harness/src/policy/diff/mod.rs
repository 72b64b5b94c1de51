//! Which calls two policies judge differently.
//!
//! Texts are not compared: calls are made up and both policies are asked. What could tell the two apart stands in their
//! documents, so the calls are made of it: each number and the next ones on both sides of it, each word, every tool, side
//! and type, quantities that bring price times quantity to each number and just above. Then limits, cooldowns and breakers
//! are held against one another by sequences: the same call again and again, on a clock that goes to the end of each
//! window, by one caller, by two sessions and by four grants in turn, so that it shows whom a counter counts. A difference is shown by the shortest call that was found for it. That none is found proves nothing.

mod sequences;
mod space;

use std::collections::BTreeMap;

use mcp_gateway::mcp_policy::{
    Call, Explanation, Guard, Message, Moment, Passage, Policy, PolicyErrors, Sender, Timestamp, methods,
    passes_unruled,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::scenario::PolicyFile;
use space::Space;

/// What the search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// How many calls both policies were asked about, those in sequences counted each.
    pub calls: u64,
    /// How many of them they judge differently.
    pub differ: u64,
    /// Each kind of difference once, with its shortest call.
    pub changes: Vec<Change>,
}

/// Calls that one policy judges in one way and the other in another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The tool, or the method of a message that is no call.
    pub tool: String,
    /// What the first policy says.
    pub before: Said,
    /// What the second says.
    pub after: Said,
    /// The arguments of the shortest such call; of a message, `names` alone.
    pub arguments: Map<String, Value>,
    /// What comes before the call, if it takes that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// How many such calls were found.
    pub calls: u64,
}

/// What comes before a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sequence {
    /// How many calls were made before.
    pub before: usize,
    /// Which calls.
    pub of: Before,
    /// Who made them.
    pub by: Callers,
    /// What became of each of them.
    pub outcome: &'static str,
    /// The time since the first.
    pub after_ms: u64,
}

/// Which calls come before one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    /// The same call.
    TheSame,
    /// Plain calls of every tool.
    EveryTool,
}

/// Who makes the calls of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Callers {
    /// One session of one grant.
    One,
    /// Two sessions of one grant in turn.
    TwoSessions,
    /// Two grants in turn, each in a session of its own.
    TwoGrants,
    /// Four of them: as many as it takes to spend what all may spend before each has spent its own.
    FourGrants,
}

impl Callers {
    /// Who makes the call of this number.
    fn at(self, index: usize) -> (&'static str, &'static str) {
        const GRANTS: [(&str, &str); 4] =
            [("desk", "session-1"), ("other", "session-3"), ("third", "session-4"), ("fourth", "session-5")];
        let grants = |count: usize| GRANTS.get(index % count).copied().unwrap_or(("desk", "session-1"));
        match self {
            Self::One => grants(1),
            Self::TwoSessions => ("desk", if index.is_multiple_of(2) { "session-1" } else { "session-2" }),
            Self::TwoGrants => grants(2),
            Self::FourGrants => grants(4),
        }
    }
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Said {
    /// `allowed`, `asks a person` or `denied`.
    pub verdict: &'static str,
    /// The rule that decides, as a pointer into its own document.
    pub rule: String,
    /// Why not, as a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

impl Said {
    fn of(told: &Explanation) -> Self {
        match (told.decisive(), &told.asks) {
            (Some(denial), _) => {
                Self { verdict: "denied", rule: denial.rule.clone(), reason: Some(denial.reason.code()) }
            }
            (None, Some(ask)) => Self { verdict: "asks a person", rule: ask.rule.clone(), reason: None },
            (None, None) => Self::allowed(told.entry.clone()),
        }
    }

    /// Of a message that is no call.
    fn of_message(guard: &Guard, sender: Sender, message: &Message<'_>) -> Self {
        match guard.judge_message(message, false) {
            Passage::Denied(denial) => {
                Self { verdict: "denied", rule: denial.rule, reason: Some(denial.reason.code()) }
            }
            Passage::Ruled { rule, .. } => Self::allowed(Some(rule.to_string())),
            Passage::Unruled if !passes_unruled(sender, message.method) => {
                Self { verdict: "denied", rule: "(no methods)".to_owned(), reason: Some("method_refused") }
            }
            _ => Self::allowed(None),
        }
    }

    fn allowed(entry: Option<String>) -> Self {
        Self { verdict: "allowed", rule: entry.unwrap_or_else(|| "/default".to_owned()), reason: None }
    }
}

impl Difference {
    /// Whether the second policy lets something through that the first did not.
    pub fn lets_more_through(&self) -> bool {
        self.changes.iter().any(|change| change.after.verdict == "allowed")
    }
}

/// Searches for calls that `before` and `after` judge differently.
///
/// # Errors
/// One of them is no policy.
pub fn diff(before: &PolicyFile, after: &PolicyFile) -> Result<Difference, PolicyErrors> {
    let space = Space::of(&[before, after]);
    let mut pair = [guard(before, &space)?, guard(after, &space)?];
    let mut found = Found::default();
    for (tool, calls) in space.calls() {
        // A tool that the kill switch stops it stops whatever the arguments: once is enough.
        let mut stopped = false;
        for arguments in calls {
            let call = Call { tool, arguments: &arguments, grant: "desk", session: "session-1" };
            for halted in [false, true] {
                if halted && stopped {
                    continue;
                }
                let moment = Moment::new(Timestamp::from_millis(0)).halted(halted);
                let [one, other] = &mut pair;
                let (one, other) = (Said::of(&one.explain(&call, moment)), Said::of(&other.explain(&call, moment)));
                stopped = halted && [&one, &other].iter().all(|said| said.reason == Some("halted"));
                found.take(tool, &arguments, None, one, other);
            }
        }
    }
    ask_messages(&pair, &mut found);
    sequences::play(pair, &space, &mut found);
    Ok(found.into_difference())
}

/// Asks both about every method, naming nothing, something of neither's, and all that either speaks of.
fn ask_messages(pair: &[Guard; 2], found: &mut Found) {
    let [one, other] = pair;
    let spoken = pair.iter().filter_map(Guard::policy).flat_map(Policy::named_by_methods);
    let names: Vec<Option<String>> =
        [None, Some("of neither's".to_owned())].into_iter().chain(spoken.map(Some)).collect();
    for (sender, method) in methods() {
        for name in &names {
            let message = Message { sender, method, names: name.as_deref() };
            let named = name.iter().map(|name| ("names".to_owned(), Value::String(name.clone()))).collect();
            let (before, after) = (Said::of_message(one, sender, &message), Said::of_message(other, sender, &message));
            found.take(method, &named, None, before, after);
        }
    }
}

/// A guard with nothing counted, which is told the prices that are written.
fn guard(file: &PolicyFile, space: &Space) -> Result<Guard, PolicyErrors> {
    let policy: Policy = file.document().parse()?;
    Ok(priced(Guard::new(policy), space))
}

/// The same guards with nothing counted: reading the documents anew for each sequence would be most of the work.
fn emptied(pair: [Guard; 2], space: &Space) -> [Guard; 2] {
    pair.map(|guard| priced(guard.emptied(), space))
}

fn priced(mut guard: Guard, space: &Space) -> Guard {
    for (symbol, price) in space.prices() {
        // A policy that asks for no prices takes none.
        let _ = guard.suppose_price(symbol, price, Timestamp::from_millis(0));
    }
    guard
}

/// Differences as they are found. The kind is the tool and both verdicts.
#[derive(Default)]
struct Found {
    calls: u64,
    differ: u64,
    changes: BTreeMap<(String, Said, Said), Change>,
}

impl Found {
    fn take(
        &mut self,
        tool: &str,
        arguments: &Map<String, Value>,
        sequence: Option<Sequence>,
        before: Said,
        after: Said,
    ) {
        self.calls += 1;
        // That another rule of the same kind refuses changes nothing for the agent.
        if before.verdict == after.verdict {
            return;
        }
        self.differ += 1;
        let key = (tool.to_owned(), before.clone(), after.clone());
        let change =
            || Change { tool: tool.to_owned(), before, after, arguments: arguments.clone(), sequence, calls: 0 };
        let known = self.changes.entry(key).or_insert_with(change);
        known.calls += 1;
        if sequence.is_none() && arguments.len() < known.arguments.len() {
            known.arguments.clone_from(arguments);
        }
    }

    fn into_difference(self) -> Difference {
        let changes = self.changes.into_values().collect();
        Difference { calls: self.calls, differ: self.differ, changes }
    }
}
