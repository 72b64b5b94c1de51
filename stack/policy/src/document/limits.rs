//! Reads `limits` and `rate_limit`, and gives each counter its one definition.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::clauses::{Terms, subject};
use super::manifest::amount;
use super::model::{CounterSpec, Each, LimitUse, Scope};
use super::reader::{Node, Reader, Version, quoted};
use super::sequences::shadow;
use crate::condition::Subject;
use crate::docket::Head;
use crate::facts;
use crate::window::Measure;

const SECOND_MS: u64 = 1000;
/// A year and a day. Longer windows are taken for a slip of the unit.
const WINDOW_SECONDS_MAX: u64 = 366 * 24 * 60 * 60;

/// Those of version "1" first.
pub(super) const SCOPES: [(&str, Scope); 4] = [
    ("grant", Scope::Grant),
    ("session", Scope::Session),
    ("server", Scope::Server),
    ("organisation", Scope::Organisation),
];

const WINDOWS: [(&str, u64); 3] = [("minute", 60), ("hour", 60 * 60), ("day", 24 * 60 * 60)];

/// The counters of a document, in the order in which they are first met.
#[derive(Debug, Default)]
pub(super) struct Counters {
    specs: Vec<CounterSpec>,
    /// Named counters: their index and where they are first met.
    named: IndexMap<String, (usize, String)>,
    /// Counters without a name, by their pointer: that of an entry for several tools is met for each of them.
    unnamed: IndexMap<String, usize>,
}

impl Counters {
    pub(super) fn into_specs(self) -> Vec<CounterSpec> {
        self.specs
    }

    /// Reads a list of limits. A counter that `charged` already has is charged once and not twice.
    pub(super) fn limits(
        &mut self,
        reader: &mut Reader<'_>,
        node: &Node<'_>,
        charged: &[LimitUse],
        terms: &mut Terms<'_>,
    ) -> Vec<LimitUse> {
        let mut uses: Vec<LimitUse> = Vec::new();
        for node in reader.array(node, "`limits`") {
            let Some(limit) = self.limit(reader, &node, terms) else { continue };
            if let Some(other) = charged.iter().chain(&uses).find(|other| other.counter == limit.counter) {
                let message = format!("this counter is charged at `{}` already, and each call counts once", other.rule);
                reader.warn("counted_once", &limit.rule, message);
            } else {
                uses.push(limit);
            }
        }
        uses
    }

    /// Reads `{max, window}`: a limit of its own for each session.
    pub(super) fn rate_limit(&mut self, reader: &mut Reader<'_>, node: &Node<'_>) -> Option<LimitUse> {
        let members = reader.object(node, "`rate_limit`", &["max", "window"])?;
        let max = max(reader, node, members);
        let seconds = window(reader, node, members, "window");
        let spec = CounterSpec::new(&node.pointer, seconds?, max?, Scope::Session, None, None);
        let counter = *self.unnamed.entry(node.pointer.clone()).or_insert_with(|| {
            self.specs.push(spec);
            self.specs.len() - 1
        });
        Some(LimitUse { rule: node.pointer.clone(), counter, of: None, each: None, on_deny: None, shadow: false })
    }

    /// A pause after each call: a limit of one call.
    pub(super) fn cooldown(&mut self, head: Head, seconds: u64, scope: Scope) -> LimitUse {
        let counter = *self.unnamed.entry(head.rule.clone()).or_insert_with(|| {
            self.specs.push(CounterSpec::new(&head.rule, seconds, 1, scope, None, None));
            self.specs.len() - 1
        });
        LimitUse { rule: head.rule, counter, of: None, each: None, on_deny: head.on_deny, shadow: head.shadow }
    }

    fn limit(&mut self, reader: &mut Reader<'_>, node: &Node<'_>, terms: &mut Terms<'_>) -> Option<LimitUse> {
        const KEYS: [&str; 8] = ["counter", "window", "max", "scope", "on_deny", "of", "each", "shadow"];
        let (known, scopes) = match reader.version() {
            Version::One => (KEYS.len() - 3, SCOPES.len() - 2),
            Version::Two => (KEYS.len(), SCOPES.len()),
        };
        let members = reader.object(node, "a limit", KEYS.get(..known).unwrap_or_default())?;
        let remedy = "name it after what it counts, such as `\"counter\": \"orders\"`";
        let counter = reader.required(node, members, "counter", remedy).and_then(|name| {
            let text = reader.string(&name, "`counter`")?;
            if text.is_empty() {
                reader.wrong(&name.pointer, "the counter has no name", remedy);
            }
            (!text.is_empty()).then_some(text)
        });
        let seconds = window(reader, node, members, "window");
        let of = node.member(members, "of");
        let of = match (&of, reader.version()) {
            (Some(of), Version::Two) => Some(subject(reader, of, terms)?),
            _ => None,
        };
        let each = match (node.member(members, "each"), reader.version()) {
            (Some(each), Version::Two) if each.value == "arguments" => Some(Each::Arguments),
            (Some(each), Version::Two) => Some(Each::Subject(subject(reader, &each, terms)?)),
            _ => None,
        };
        let max = match of {
            Some(_) => budget(reader, node, members),
            None => max(reader, node, members),
        };
        let scope = match node.member(members, "scope") {
            Some(scope) => reader.word(&scope, "scope", SCOPES.get(..scopes).unwrap_or_default()),
            None => Some(Scope::Grant),
        };
        let on_deny = node.member(members, "on_deny").and_then(|node| reader.string(&node, "`on_deny`"));
        let spec = CounterSpec::new(&node.pointer, seconds?, max?, scope?, of.as_ref(), each.as_ref());
        let counter = self.named(reader, node, counter?, spec)?;
        let shadow = reader.version() == Version::Two && shadow(reader, node, members);
        Some(LimitUse { rule: node.pointer.clone(), counter, of, each, on_deny: on_deny.map(str::to_owned), shadow })
    }

    /// The counter called `name`. Wherever it is met it must count alike.
    fn named(&mut self, reader: &mut Reader<'_>, node: &Node<'_>, name: &str, spec: CounterSpec) -> Option<usize> {
        let spec = CounterSpec { name: format!("called {name}"), ..spec };
        let Some((index, first)) = self.named.get(name) else {
            self.specs.push(spec);
            let index = self.specs.len() - 1;
            self.named.insert(name.to_owned(), (index, node.pointer.clone()));
            return Some(index);
        };
        if self.specs.get(*index).is_none_or(|first| !first.counts_as(&spec)) {
            let message = format!("the counter {} has another window, max or scope at `{first}`", quoted(name));
            reader.wrong(&node.pointer, message, "make them agree to share the counter, or give this one its own name");
            return None;
        }
        Some(*index)
    }
}

impl CounterSpec {
    fn new(rule: &str, seconds: u64, max: u64, scope: Scope, of: Option<&Subject>, each: Option<&Each>) -> Self {
        let per = match WINDOWS.iter().find(|(_, length)| *length == seconds) {
            Some((word @ "hour", _)) => format!("an {word}"),
            Some((word, _)) => format!("a {word}"),
            None => format!("in {seconds} seconds"),
        };
        let length_ms = seconds * SECOND_MS;
        let measure = match of {
            Some(_) => Measure::of_amounts(length_ms, max),
            None => Measure::new(length_ms, max),
        };
        let (of, each) = (of.map(|of| of.text().to_owned()), each.map(|each| each.text().to_owned()));
        let name = format!("at {rule}");
        Self { rule: rule.to_owned(), measure, scope, of, each, per, name }
    }

    /// Whether the two count alike, wherever they stand.
    fn counts_as(&self, other: &Self) -> bool {
        (self.measure, self.scope, &self.of, &self.each) == (other.measure, other.scope, &other.of, &other.each)
    }
}

/// Reads `max`.
fn max(reader: &mut Reader<'_>, limit: &Node<'_>, members: &Map<String, Value>) -> Option<u64> {
    let member = reader.required(limit, members, "max", "say how many calls may pass, such as `\"max\": 10`");
    member.and_then(|max| reader.count(&max, "`max`", 0))
}

/// Reads the `max` of a budget, in units of 10⁻⁸.
fn budget(reader: &mut Reader<'_>, limit: &Node<'_>, members: &Map<String, Value>) -> Option<u64> {
    units(reader, limit, members, "say how much may be spent, such as `\"max\": \"5000\"`")
}

/// Reads the `max` of something that is counted in units of 10⁻⁸.
pub(super) fn units(
    reader: &mut Reader<'_>,
    limit: &Node<'_>,
    members: &Map<String, Value>,
    remedy: &str,
) -> Option<u64> {
    let node = reader.required(limit, members, "max", remedy)?;
    let written = amount(reader, &node, "`max`")?;
    // A budget is not rounded: it would be another one than its author wrote.
    match facts::units(written) {
        Ok(units) if written.normalize().scale() <= 8 => Some(units),
        _ => {
            let remedy = "write at most 8 digits behind the point, and less than 184467440737";
            reader.wrong(&node.pointer, "`max` cannot be counted exactly", remedy);
            None
        }
    }
}

/// Reads a length of time, in seconds.
pub(super) fn window(
    reader: &mut Reader<'_>,
    limit: &Node<'_>,
    members: &Map<String, Value>,
    key: &str,
) -> Option<u64> {
    let remedy = format!("write `\"{key}\": \"minute\"`, `\"hour\"`, `\"day\"` or a number of seconds");
    let node = reader.required(limit, members, key, &remedy)?;
    if let Some(text) = node.value.as_str() {
        if text.parse::<u64>().is_ok() {
            reader.wrong(&node.pointer, "the window is a string", format!("write {text} without quotes"));
            return None;
        }
        return reader.word(&node, "window", &WINDOWS);
    }
    let seconds = reader.count(&node, "the window in seconds", 1)?;
    if seconds > WINDOW_SECONDS_MAX {
        let remedy = format!("windows are given in seconds, and {WINDOW_SECONDS_MAX} are the most");
        reader.wrong(&node.pointer, format!("a window of {seconds} seconds is too long"), remedy);
        return None;
    }
    Some(seconds)
}
