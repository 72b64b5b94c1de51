//! What a suggested policy knows of each tool's arguments: the shipped manifest where it fits, and otherwise the lists
//! that the server's schemas give.

use std::collections::BTreeMap;

use mcp_gateway::mcp_policy::{Policy, strict};
use serde_json::{Map, Value, json};

use super::class::Class;
use super::judge::Judged;
use super::listed::Tool;
use super::words;

/// The name of the shipped manifest.
pub(crate) const SHIPPED: &str = "binance-mcp";

/// The entries of a manifest for the tools of a server.
pub(super) struct Manifest {
    entries: BTreeMap<String, Value>,
    /// Whether every one of them is in the shipped manifest.
    pub(super) shipped: bool,
}

impl Manifest {
    pub(super) fn of(tools: &[Tool], judged: &[Judged]) -> Self {
        let shipped = shipped_manifest();
        let mut manifest = Self { entries: BTreeMap::new(), shipped: true };
        for (tool, judged) in tools.iter().zip(judged) {
            let known = shipped.get(&tool.name).filter(|entry| declares_all(entry, &tool.arguments));
            let entry = known.cloned().unwrap_or_else(|| {
                manifest.shipped = false;
                made(tool, judged.class)
            });
            manifest.entries.insert(tool.name.clone(), entry);
        }
        manifest
    }

    pub(super) fn entry(&self, tool: &str) -> Option<&Value> {
        self.entries.get(tool)
    }

    /// Whether calls of the tool come to this fact.
    pub(super) fn has_fact(&self, tool: &str, fact: &str) -> bool {
        self.entry(tool).is_some_and(|entry| entry["facts"].get(fact).is_some())
    }

    /// Whether the tool has this argument.
    pub(super) fn has_argument(&self, tool: &str, name: &str) -> bool {
        self.entry(tool)
            .and_then(|entry| entry["arguments"].as_array())
            .is_some_and(|list| list.iter().any(|one| one == name))
    }

    /// Whether the manifest says that the tool does this.
    pub(super) fn has_effect(&self, tool: &str, effects: &[&str]) -> bool {
        self.entry(tool).is_some_and(|entry| effects.iter().any(|effect| entry["effect"].get(effect).is_some()))
    }
}

/// The entries of the shipped manifest.
pub(crate) fn shipped_manifest() -> Map<String, Value> {
    let text = Policy::shipped_manifest(SHIPPED).unwrap_or_default();
    match strict::parse(text.as_bytes(), strict::Limits::default()) {
        Ok(Value::Object(tools)) => tools,
        _ => Map::new(),
    }
}

/// Whether a server's tool is the one that the manifest means: one of the same name with other arguments is not.
fn declares_all(entry: &Value, arguments: &[String]) -> bool {
    let declared: Vec<&str> = entry["arguments"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    arguments.iter().all(|name| declared.contains(&name.as_str()))
}

fn made(tool: &Tool, class: Class) -> Value {
    match words::amount(&tool.arguments).filter(|_| class == Class::MovesMoney) {
        Some(amount) => json!({ "arguments": tool.arguments, "facts": { "amount": { "decimal": amount } } }),
        None => json!({ "arguments": tool.arguments }),
    }
}
