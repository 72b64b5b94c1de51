//! Tool definitions as they were when somebody looked at them.
//!
//! A definition is what the model reads before it calls, so that a server that changes one can change what an agent does
//! without a change in any policy. A pin file holds the hash of each definition: SHA-256 of its canonical JSON (RFC 8785),
//! name, description, schemas, annotations and all.

use std::collections::BTreeMap;

use mcp_policy::{canonical_json, strict};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The hashes of a server's tool definitions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins {
    tools: BTreeMap<String, String>,
}

/// Why a pin file, or a list of tools to be pinned, is none.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// It is not JSON, or JSON that two parsers could read differently.
    #[error("the pins are no closed JSON: {0}")]
    NotStrict(strict::StrictError),
    /// It is not of this form.
    #[error(
        "the pins must be `{{\"version\": \"1\", \"tools\": {{NAME: SHA-256 in hex}}}}`: write them with `mcp-gateway pin`"
    )]
    Form,
    /// A definition has no name.
    #[error("a tool of the list has no name")]
    Unnamed,
    /// Two definitions have one name.
    #[error("the list has two tools called `{0}`: nobody can tell which one is called")]
    Twice(String),
}

/// What a definition is to the pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pinned {
    /// It is what was pinned.
    Fits,
    /// It is another.
    Changed,
    /// There was none of this name.
    New,
}

impl Pins {
    /// Reads a pin file.
    ///
    /// # Errors
    /// It is none; nothing of it is used.
    pub fn parse(text: &str) -> Result<Self, PinsError> {
        let value = strict::parse(text.as_bytes(), strict::Limits::default()).map_err(PinsError::NotStrict)?;
        let members = value.as_object().ok_or(PinsError::Form)?;
        let known = members.keys().all(|key| ["version", "tools"].contains(&key.as_str()));
        if !known || members.get("version").and_then(Value::as_str) != Some("1") {
            return Err(PinsError::Form);
        }
        let tools = members.get("tools").and_then(Value::as_object).ok_or(PinsError::Form)?;
        let hash = |value: &Value| {
            let text = value.as_str()?;
            let hex = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            hex.then(|| text.to_owned())
        };
        let tools = tools.iter().map(|(name, value)| Some((name.clone(), hash(value)?)));
        Ok(Self { tools: tools.collect::<Option<_>>().ok_or(PinsError::Form)? })
    }

    /// Pins definitions as `tools/list` tells them.
    ///
    /// # Errors
    /// One has no name, or the name of another.
    pub fn of(definitions: &[Value]) -> Result<Self, PinsError> {
        let mut tools = BTreeMap::new();
        for definition in definitions {
            let name = definition.get("name").and_then(Value::as_str).ok_or(PinsError::Unnamed)?;
            if tools.insert(name.to_owned(), hash_of(definition)).is_some() {
                return Err(PinsError::Twice(name.to_owned()));
            }
        }
        Ok(Self { tools })
    }

    /// The text of a pin file.
    pub fn to_text(&self) -> String {
        format!("{:#}\n", json!({"version": "1", "tools": self.tools}))
    }

    /// How many tools are pinned.
    pub fn len(&self) -> usize {
        self.tools.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    pub(crate) fn look(&self, name: &str, definition: &Value) -> Pinned {
        match self.tools.get(name) {
            None => Pinned::New,
            Some(pinned) if *pinned == hash_of(definition) => Pinned::Fits,
            Some(_) => Pinned::Changed,
        }
    }
}

fn hash_of(definition: &Value) -> String {
    hex::encode(Sha256::digest(canonical_json(definition)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_model_reads_is_pinned() {
        let tool = json!({"name": "a", "description": "reads", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true}});
        let pins = Pins::of(std::slice::from_ref(&tool)).unwrap();
        assert_eq!(pins.look("a", &tool), Pinned::Fits);
        let reordered: Value = serde_json::from_str(
            r#"{"annotations": {"readOnlyHint": true}, "inputSchema": {"type": "object"}, "description": "\u0072eads", "name": "a"}"#,
        )
        .unwrap();
        assert_eq!(pins.look("a", &reordered), Pinned::Fits);
        for change in [
            json!({"description": "reads."}),
            json!({"title": "A"}),
            json!({"annotations": {}}),
            json!({"inputSchema": {}}),
        ] {
            let mut changed = tool.clone();
            for (key, value) in change.as_object().unwrap() {
                changed[key] = value.clone();
            }
            assert_eq!(pins.look("a", &changed), Pinned::Changed, "{change}");
        }
        assert_eq!(pins.look("b", &tool), Pinned::New);
        assert_eq!(Pins::parse(&pins.to_text()).unwrap(), pins);
    }

    #[test]
    fn what_is_no_pin_file_is_refused_whole() {
        let hash = "0".repeat(64);
        for text in [
            "",
            "[]",
            r#"{"tools": {}}"#,
            r#"{"version": "2", "tools": {}}"#,
            r#"{"version": "1", "tools": {"a": "short"}}"#,
            r#"{"version": "1", "tools": {"a": 1}}"#,
            r#"{"version": "1", "tools": {}, "more": 1}"#,
            &format!(r#"{{"version": "1", "tools": {{"a": "{hash}", "a": "{hash}"}}}}"#),
        ] {
            assert!(Pins::parse(text).is_err(), "{text}");
        }
        assert!(matches!(Pins::of(&[json!({"name": "a"}), json!({"name": "a"})]), Err(PinsError::Twice(_))));
        assert!(matches!(Pins::of(&[json!({})]), Err(PinsError::Unnamed)));
    }
}
