//! From the table to JSON Schema (2020-12), to MCP definitions and to compiled validators.

use std::sync::{Arc, LazyLock};

use jsonschema::Validator;
use rmcp::model::{Tool as McpTool, ToolAnnotations};
use serde_json::{Map, Value, json};

use super::spec::{Access, Endpoint, Hints, Kind, Param, Spec};
use super::table::TABLE;

/// One tool as a client sees it, with the endpoint behind it: for tests and for generating arguments.
#[derive(Debug, Clone)]
pub struct ToolDefinition {
    /// Name of the tool.
    pub name: &'static str,
    /// Title for people.
    pub title: &'static str,
    /// What it does, costs and returns.
    pub description: &'static str,
    /// MCP annotations.
    pub hints: Hints,
    /// Where its request goes.
    pub endpoint: Endpoint,
    /// The closed schema that every call is held against.
    pub input_schema: Value,
}

/// The 23 tools, in the order of `tools/list`.
pub fn tools() -> Vec<ToolDefinition> {
    TABLE
        .iter()
        .map(|spec| ToolDefinition {
            name: spec.name,
            title: spec.title,
            description: spec.description,
            hints: spec.hints,
            endpoint: spec.endpoint,
            input_schema: Value::Object(input_schema(spec)),
        })
        .collect()
}

/// A tool ready to be called.
pub(crate) struct Tool {
    pub(crate) spec: &'static Spec,
    pub(crate) definition: McpTool,
    pub(crate) validator: Validator,
}

/// All tools, compiled once in the life of the process.
pub(crate) fn catalogue() -> &'static [Tool] {
    static CATALOGUE: LazyLock<Vec<Tool>> = LazyLock::new(|| TABLE.iter().map(compile).collect());
    &CATALOGUE
}

#[expect(clippy::expect_used, reason = "the table is ours, and a test compiles all of it")]
fn compile(spec: &'static Spec) -> Tool {
    let schema = input_schema(spec);
    let validator = jsonschema::draft202012::new(&Value::Object(schema.clone())).expect("schemas of the table compile");
    let annotations = ToolAnnotations::with_title(spec.title)
        .read_only(spec.hints.read_only)
        .destructive(spec.hints.destructive)
        .idempotent(spec.hints.idempotent)
        .open_world(spec.hints.open_world);
    Tool {
        spec,
        definition: McpTool::new(spec.name, spec.description, Arc::new(schema))
            .with_title(spec.title)
            .with_annotations(annotations),
        validator,
    }
}

fn input_schema(spec: &Spec) -> Map<String, Value> {
    let properties: Map<String, Value> =
        spec.params.iter().map(|param| (param.name.to_owned(), property(param))).collect();
    let required: Vec<&str> = spec.params.iter().filter(|param| param.required).map(|param| param.name).collect();
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    schema.insert("properties".into(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    schema.insert("additionalProperties".into(), json!(false));
    schema
}

fn property(param: &Param) -> Value {
    let mut schema = Map::new();
    let kind = match param.kind {
        Kind::Integer { .. } => "integer",
        _ => "string",
    };
    schema.insert("type".into(), json!(kind));
    schema.insert("description".into(), json!(param.about));
    if let Kind::Integer { min, max, default } = param.kind {
        schema.insert("minimum".into(), json!(min));
        schema.insert("maximum".into(), json!(max));
        if let Some(default) = default {
            schema.insert("default".into(), json!(default));
        }
    }
    if let Kind::Choice(options) = param.kind {
        schema.insert("enum".into(), json!(options));
    }
    if let Some(pattern) = param.kind.pattern() {
        schema.insert("pattern".into(), json!(pattern));
    }
    if let Some(length) = param.kind.max_length() {
        schema.insert("maxLength".into(), json!(length));
    }
    Value::Object(schema)
}

impl Access {
    /// The word of the REST reference for it.
    pub fn security(self) -> &'static str {
        match self {
            Self::Public => "NONE",
            Self::ApiKey => "USER_STREAM",
            Self::SignedRead => "USER_DATA",
            Self::SignedTrade => "TRADE",
        }
    }
}
