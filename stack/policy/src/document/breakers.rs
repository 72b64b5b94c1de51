//! Reads `cooldown`, `error_streak` and `concurrency`.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::limits::{Counters, SCOPES, window};
use super::model::{LimitUse, Scope};
use super::reader::{Node, Reader};
use super::sequences::head;
use crate::breakers::{Breaker, Kind};

/// The keys of a tool's entry, and of `all_tools`, that are read here.
pub(super) const KEYS: [&str; 3] = ["cooldown", "error_streak", "concurrency"];

/// The breakers of a document, in the order in which they are first met.
#[derive(Debug, Default)]
pub(super) struct Breakers {
    list: Vec<Breaker>,
    /// By their pointer: a pattern's is met for each of its tools.
    by_pointer: IndexMap<String, usize>,
}

impl Breakers {
    pub(super) fn into_list(self) -> Vec<Breaker> {
        self.list
    }

    /// Reads those of one entry. A pause after each call is a limit of one call.
    pub(super) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        node: &Node<'_>,
        members: &Map<String, Value>,
        counters: &mut Counters,
        limits: &mut Vec<LimitUse>,
    ) -> Vec<usize> {
        let mut applying = Vec::new();
        for key in KEYS {
            let Some(list) = node.member(members, key) else { continue };
            for node in reader.array(&list, "the list of rules") {
                let known: &[&str] = match key {
                    "cooldown" => &["after", "window", "scope", "on_deny", "shadow"],
                    "error_streak" => &["max", "window", "pause", "scope", "on_deny", "shadow"],
                    _ => &["max", "scope", "on_deny", "shadow"],
                };
                let Some(members) = reader.object(&node, "a rule", known) else { continue };
                let head = head(reader, &node, members);
                let scope = match node.member(members, "scope") {
                    Some(scope) => reader.word(&scope, "scope", &SCOPES),
                    None => Some(Scope::Grant),
                };
                let Some(scope) = scope else { continue };
                let kind = match key {
                    "cooldown" => match cooldown(reader, &node, members) {
                        Some((true, seconds)) => {
                            limits.push(counters.cooldown(head, seconds, scope));
                            continue;
                        }
                        Some((false, seconds)) => Some(Kind::Denial { pause_ms: seconds * 1000 }),
                        None => None,
                    },
                    "error_streak" => streak(reader, &node, members),
                    _ => count(reader, &node, members).map(|max| Kind::UnderWay { max }),
                };
                let Some(kind) = kind else { continue };
                let index = *self.by_pointer.entry(node.pointer.clone()).or_insert_with(|| {
                    self.list.push(Breaker { head, scope, kind });
                    self.list.len() - 1
                });
                applying.push(index);
            }
        }
        applying
    }
}

/// Whether it is after every call, and for how many seconds.
fn cooldown(reader: &mut Reader<'_>, node: &Node<'_>, members: &Map<String, Value>) -> Option<(bool, u64)> {
    let after = reader.required(node, members, "after", "write `\"after\": \"call\"` or `\"denial\"`");
    let after = after.and_then(|after| reader.word(&after, "cause of a pause", &[("call", true), ("denial", false)]));
    let seconds = window(reader, node, members, "window");
    Some((after?, seconds?))
}

fn streak(reader: &mut Reader<'_>, node: &Node<'_>, members: &Map<String, Value>) -> Option<Kind> {
    let max = count(reader, node, members);
    let (window_s, pause_s) = (window(reader, node, members, "window"), window(reader, node, members, "pause"));
    Some(Kind::Failures { max: max?, window_ms: window_s? * 1000, pause_ms: pause_s? * 1000 })
}

fn count(reader: &mut Reader<'_>, node: &Node<'_>, members: &Map<String, Value>) -> Option<u64> {
    let member = reader.required(node, members, "max", "write a whole number of at least 1")?;
    reader.count(&member, "`max`", 1)
}
