//! Reads what a gateway does with a tool's calls and results beside letting them through. Only in version "2".
//!
//! ```json
//! "bn_new_order": { "audit": { "show": ["symbol", "side", "quantity"] } }
//! ```

use serde_json::{Map, Value};

use super::reader::{Node, Reader, quoted};
use crate::facts::ToolFacts;

/// The keys of a tool's entry that are read here.
pub(super) const KEYS: [&str; 2] = ["approve_if", "audit"];

/// That of a tool of which the document says nothing.
pub(super) static NOTHING: Handling = Handling { shown: Vec::new() };

/// What a gateway does with a tool's calls and results beside letting them through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handling {
    shown: Vec<String>,
}

impl Handling {
    /// The arguments whose values the audit shows, in the document's order. Of all others it holds the names alone.
    pub fn shown(&self) -> &[String] {
        &self.shown
    }
}

pub(super) fn handling(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    members: &Map<String, Value>,
    facts: Option<&ToolFacts>,
) -> Handling {
    let mut handling = Handling::default();
    if let Some(node) = node.member(members, "audit")
        && let Some(members) = reader.object(&node, "`audit`", &["show"])
        && let Some(list) = node.member(members, "show")
    {
        for node in reader.array(&list, "`show`") {
            let Some(name) = reader.string(&node, "an argument's name") else { continue };
            if facts.is_some_and(|facts| !facts.arguments.contains(name)) {
                let message = format!("the tool has no argument {}", quoted(name));
                reader.wrong(&node.pointer, message, "correct the name, or declare the argument in the manifest");
            } else if handling.shown.iter().any(|shown| shown == name) {
                reader.warn("shown_twice", &node.pointer, format!("{} is shown already", quoted(name)));
            } else {
                handling.shown.push(name.to_owned());
            }
        }
    }
    handling
}
