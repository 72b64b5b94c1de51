//! Reads a list of tools: the answer to `tools/list`, its result, or the bare array.

use std::collections::BTreeSet;
use std::fmt;

use mcp_gateway::mcp_policy::strict;
use serde_json::{Value, json};

/// A tool as its server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What its server says that it does; nothing, if it says nothing.
    pub description: String,
    /// The names of its arguments, in the order of the schema.
    pub arguments: Vec<String>,
    /// What `annotations.readOnlyHint` says.
    pub read_only_hint: Option<bool>,
    /// What `annotations.destructiveHint` says.
    pub destructive_hint: Option<bool>,
}

/// Why a text is no list of tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadList {
    message: String,
    remedy: &'static str,
}

impl BadList {
    fn new(message: impl Into<String>, remedy: &'static str) -> Self {
        Self { message: message.into(), remedy }
    }

    /// What to hand over instead.
    pub const fn remedy(&self) -> &'static str {
        self.remedy
    }
}

impl fmt::Display for BadList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BadList {}

/// Exchanges list thousands of pairs in a schema; a list of tools is a few hundred kilobytes then.
const BYTES_MAX: usize = 16 << 20;

/// Reads the tools of a list, which must be closed JSON and whole.
///
/// # Errors
/// It is no list of tools, it is one page of several, or two tools could be taken for one another.
pub fn tools_of(text: &str) -> Result<Vec<Tool>, BadList> {
    const REMEDY: &str = "hand over the answer to `tools/list`, its result, or the array `[{ \"name\": … }, …]`";
    let value = strict::parse(text.as_bytes(), strict::Limits::default().with_bytes_max(BYTES_MAX))
        .map_err(|error| BadList::new(format!("the list of tools cannot be read: {error}"), REMEDY))?;
    let result = value.get("result").unwrap_or(&value);
    if result.get("nextCursor").is_some_and(|cursor| !cursor.is_null()) {
        let remedy = "ask for the other pages too, and hand over all tools in one array";
        return Err(BadList::new("the list is one page of several", remedy));
    }
    let listed = result.get("tools").unwrap_or(result).as_array();
    let listed = listed.ok_or_else(|| BadList::new("there is no list of tools in it", REMEDY))?;
    let mut folded = BTreeSet::new();
    let mut tools = Vec::new();
    for (index, tool) in listed.iter().enumerate() {
        let tool = read(tool).ok_or_else(|| BadList::new(format!("tool {index} of the list has no name"), REMEDY))?;
        if !folded.insert(tool.name.to_lowercase()) {
            let message =
                format!("`{}` is listed twice, or differs from another tool in case alone", shown(&tool.name));
            return Err(BadList::new(message, "such a server cannot be guarded by the names of its tools: correct it"));
        }
        tools.push(tool);
    }
    Ok(tools)
}

fn read(tool: &Value) -> Option<Tool> {
    let text = |key: &str| tool.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let hint = |key: &str| tool.get("annotations")?.get(key)?.as_bool();
    let properties = tool.get("inputSchema").and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    Some(Tool {
        name: tool.get("name")?.as_str().filter(|name| !name.is_empty())?.to_owned(),
        description: text("description"),
        arguments: properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect(),
        read_only_hint: hint("readOnlyHint"),
        destructive_hint: hint("destructiveHint"),
    })
}

/// The 23 tools of the server in this build.
pub fn shipped_tools() -> Vec<Tool> {
    let tools = binance_mcp::tools().into_iter().map(|tool| {
        json!({ "name": tool.name, "description": tool.description, "inputSchema": tool.input_schema,
                "annotations": { "readOnlyHint": tool.hints.read_only, "destructiveHint": tool.hints.destructive } })
    });
    tools.filter_map(|tool| read(&tool)).collect()
}

/// What others wrote, for a message or a comment: escaped, cut short.
pub(super) fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect()
}
