//! Weakenings that nobody can notice, each with a reason.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::change::{Change, Kind};
use crate::scenario::{Located, Problem, from_yaml, schema_of};

/// A weakening that changes nothing, and why.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Equivalent {
    /// Where it is made, as a JSON pointer into the policy, or into a part of it: `limits.json#/tools/bn_ping/limits/0`.
    #[schemars(regex(pattern = "^([^/#][^#]*#)?/"))]
    pub pointer: Located<String>,
    /// In which way.
    pub kind: Kind,
    /// Why nobody can notice it.
    #[schemars(length(min = 1))]
    pub reason: String,
}

impl Equivalent {
    /// Whether it is about this weakening.
    pub fn is_about(&self, change: &Change) -> bool {
        self.pointer.value == change.pointer && self.kind == change.kind
    }
}

/// The JSON Schema of a list of them, as it is kept in `scenarios/schema/equivalent.v1.json`.
pub fn json_schema() -> Value {
    schema_of::<Vec<Equivalent>>("equivalent.v1.json", "Weakenings that nobody can notice, version 1")
}

/// Reads a list of them, YAML or JSON.
///
/// # Errors
/// It is no such list, an entry has no reason, or two entries are about the same.
pub fn read_equivalents(path: &Path, source: &str) -> Result<Vec<Equivalent>, Vec<Problem>> {
    let list: Vec<Equivalent> = from_yaml(path, source).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    for (place, entry) in list.iter().enumerate() {
        let wrong = |message: String| {
            Problem::error("equivalent", path, message).at(source, entry.pointer.line, entry.pointer.column)
        };
        if entry.reason.trim().is_empty() {
            problems
                .push(wrong(format!("`{}` has no reason", entry.pointer.value)).help("say why nobody can notice it"));
        }
        let same = |other: &Equivalent| other.pointer.value == entry.pointer.value && other.kind == entry.kind;
        if list.iter().take(place).any(same) {
            let message = format!("`{}` as `{}` stands here twice", entry.pointer.value, entry.kind);
            problems.push(wrong(message).help("keep one of them"));
        }
    }
    if problems.is_empty() { Ok(list) } else { Err(problems) }
}
