//! Reads what a gateway does with a tool's calls and results beside letting them through. Only in version "2".
//!
//! ```json
//! "bn_new_order": { "audit": { "show": ["symbol", "side", "quantity"] } },
//! "bn_create_listen_key": { "result": { "redact": ["listenKey"], "max_bytes": 65536, "instructions": "mark" } }
//! ```

use std::sync::Arc;

use serde_json::{Map, Value};

use super::reader::{Node, Reader, quoted};
use crate::facts::ToolFacts;

/// The keys of a tool's entry that are read here.
pub(super) const KEYS: [&str; 3] = ["approve_if", "audit", "result"];

/// That of a tool of which the document says nothing.
pub(super) static NOTHING: Handling = Handling { shown: Vec::new(), result: None };

/// What a gateway does with a tool's calls and results beside letting them through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handling {
    shown: Vec<String>,
    result: Option<Arc<ResultRules>>,
}

/// What of a tool's results reaches the agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResultRules {
    redact: Vec<String>,
    bytes_max: Option<u64>,
    instructions: Instructions,
}

/// What to do with a result that holds text which tells its reader what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Instructions {
    /// Nothing.
    #[default]
    Pass,
    /// Say so before it.
    Mark,
    /// Withhold the result.
    Refuse,
}

impl ResultRules {
    /// The fields whose values the agent does not get, wherever they stand.
    pub fn redact(&self) -> &[String] {
        &self.redact
    }

    /// How many bytes of JSON a result may have.
    pub fn bytes_max(&self) -> Option<u64> {
        self.bytes_max
    }

    /// What to do with text that tells its reader what to do.
    pub fn instructions(&self) -> Instructions {
        self.instructions
    }
}

impl Handling {
    /// The arguments whose values the audit shows, in the document's order. Of all others it holds the names alone.
    pub fn shown(&self) -> &[String] {
        &self.shown
    }

    /// What of the tool's results reaches the agent; all of them as they are, if `None`.
    pub fn result(&self) -> Option<&Arc<ResultRules>> {
        self.result.as_ref()
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
    if let Some(node) = node.member(members, "result") {
        handling.result = result(reader, &node).map(Arc::new);
    }
    handling
}

fn result(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<ResultRules> {
    const WORDS: [(&str, Instructions); 3] =
        [("pass", Instructions::Pass), ("mark", Instructions::Mark), ("refuse", Instructions::Refuse)];
    let members = reader.object(node, "`result`", &["redact", "max_bytes", "instructions"])?;
    let mut rules = ResultRules::default();
    if let Some(list) = node.member(members, "redact") {
        for node in reader.array(&list, "`redact`") {
            match reader.string(&node, "a field's name") {
                Some("") => reader.wrong(&node.pointer, "the field has no name", "name it, such as `\"listenKey\"`"),
                Some(name) => rules.redact.push(name.to_owned()),
                None => {}
            }
        }
    }
    rules.bytes_max = node.member(members, "max_bytes").and_then(|node| reader.count(&node, "`max_bytes`", 1));
    if let Some(node) = node.member(members, "instructions") {
        rules.instructions = reader.word(&node, "way with instructions", &WORDS).unwrap_or_default();
    }
    Some(rules)
}
