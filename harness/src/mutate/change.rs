//! One weakening of a document, and how it is made.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pointer::name;

/// The ways in which a rule is made weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The rule, or the part of it, is taken out.
    Remove,
    /// What was refused is allowed: the action of a tool, or the default.
    Allow,
    /// The number is ten times further out.
    Loosen,
    /// The number is one further out, in its last place.
    OffByOne,
    /// The bound itself is let through, or no longer refused: `lt` as `lte`.
    Bound,
    /// One more is in a list that lets through, or one less in a list that refuses.
    Widen,
    /// A window or a pause is half as long, or the next shorter word.
    Shorten,
    /// Fewer share a counter: each session has one of its own where a grant had it.
    NarrowScope,
    /// An argument that had to be there may be left out.
    Optional,
    /// What has no price is valued by half of its reference.
    Undervalue,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A weakening: what is changed where.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The place, as a JSON pointer into the document, or into a part of it: `limits.json#/tools/bn_ping/limits/0`.
    pub pointer: String,
    /// In which way.
    pub kind: Kind,
    /// What stands there; nothing when the change puts something there.
    pub before: Option<Value>,
    /// What stands there then; nothing when it is taken out.
    pub after: Option<Value>,
    /// The tools that the rule is about, as the document names them; none is all of them.
    pub tools: Vec<String>,
    /// Other places that have to say the same for the document to be sound: one counter, said at several tools.
    pub also: Vec<String>,
}

impl Change {
    /// Whether what another changes is part of what this one changes further: who does not notice this one cannot be
    /// expected to notice the other.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let within = other.pointer.strip_prefix(&self.pointer).is_some_and(|rest| rest.starts_with('/'));
        let milder = self.pointer == other.pointer && self.kind < other.kind;
        match self.kind {
            Kind::Remove => within || milder,
            Kind::Loosen => milder && matches!(other.kind, Kind::OffByOne | Kind::Bound),
            _ => false,
        }
    }
}

/// Puts a value at a pointer, or takes out what stands there; a list that is empty then goes with its last element.
pub(super) fn put(document: &mut Value, pointer: &str, after: Option<&Value>) -> Option<()> {
    let (parent, key) = pointer.rsplit_once('/')?;
    let key = name(key);
    let holder = document.pointer_mut(parent)?;
    match (holder, after) {
        (Value::Object(members), Some(after)) => drop(members.insert(key, after.clone())),
        (Value::Object(members), None) => drop(members.shift_remove(&key)?),
        (Value::Array(items), Some(after)) => {
            let at: usize = key.parse().ok()?;
            if at == items.len() {
                items.push(after.clone());
            } else {
                *items.get_mut(at)? = after.clone();
            }
        }
        (Value::Array(items), None) => {
            let at: usize = key.parse().ok().filter(|at| *at < items.len())?;
            items.remove(at);
            if items.is_empty() {
                return put(document, parent, None);
            }
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(pointer: &str, kind: Kind) -> Change {
        Change { pointer: pointer.to_owned(), kind, before: None, after: None, tools: Vec::new(), also: Vec::new() }
    }

    #[test]
    fn a_change_is_made_at_its_place() {
        let document = json!({ "a": [1, 2], "b": { "x/y": 3 } });
        let made = |pointer: &str, after: Option<Value>| {
            let mut changed = document.clone();
            put(&mut changed, pointer, after.as_ref()).map(|()| changed)
        };
        assert_eq!(made("/a/0", None), Some(json!({ "a": [2], "b": { "x/y": 3 } })));
        assert_eq!(made("/a/2", Some(json!(7))), Some(json!({ "a": [1, 2, 7], "b": { "x/y": 3 } })));
        assert_eq!(made("/b/x~1y", Some(json!(4))), Some(json!({ "a": [1, 2], "b": { "x/y": 4 } })));
        assert_eq!(made("/a/3", Some(json!(7))), None);
        assert_eq!(made("/c/d", None), None);
        let mut last = json!({ "a": [1], "b": 2 });
        assert_eq!(put(&mut last, "/a/0", None), Some(()));
        assert_eq!(last, json!({ "b": 2 }));
    }

    #[test]
    fn who_misses_a_whole_rule_misses_its_parts() {
        let (whole, part) = (change("/l/1", Kind::Remove), change("/l/1/max", Kind::OffByOne));
        assert!(whole.covers(&part) && !part.covers(&whole));
        assert!(!whole.covers(&change("/l/10/max", Kind::OffByOne)));
        assert!(change("/l/1/max", Kind::Loosen).covers(&part));
    }
}
