//! Results of calls that the gateway answers itself.
//!
//! MCP clients show tool results to the model and often hide protocol errors from it, so whatever
//! an agent should understand about its call is a result with `isError: true`.

use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde_json::{Map, Value, json};

use crate::gateway::Told;

/// The key in a result's `_meta` under which machines find why there is no other result.
pub const VERDICT_META_KEY: &str = "mcp-gateway/verdict";

/// How a result must be shaped for its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shape {
    /// The 2026-07-28 form, which names the kind of each result.
    pub(super) stateless: bool,
    /// The tool declared an `outputSchema`. Clients check `structuredContent` against it even in
    /// errors and would hide ours from the agent, so it goes into `_meta` alone.
    pub(super) has_output_schema: bool,
}

/// The policy said no.
pub(super) fn denied(told: &Told, shape: Shape) -> CallToolResult {
    let mut fields = Map::new();
    fields.insert("denied".to_owned(), json!(true));
    fields.insert("reason".to_owned(), json!(told.reason));
    if let Some(rule) = &told.rule {
        fields.insert("rule".to_owned(), json!(rule));
    }
    fields.insert("message".to_owned(), json!(told.message));
    if let Some(wait) = told.retry_after_ms {
        fields.insert("retry_after_ms".to_owned(), json!(wait));
    }
    if let Some(approval) = &told.approval {
        fields.insert("approval".to_owned(), json!(approval));
    }
    result(format!("[POLICY DENIED] {}", told.message), fields, shape)
}

/// Why a call that was let through has no result of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// Not a byte of it has left.
    NotSent,
    /// It left, or part of it, and no answer came.
    Unanswered,
    /// An answer came that cannot be passed on.
    BadAnswer,
}

/// The call was let through and nothing certain came back.
pub(super) fn lost(lost: Lost, shape: Shape) -> CallToolResult {
    let (mark, reason, message) = match lost {
        Lost::NotSent => ("[NOT SENT]", "not_sent", "the server was lost before the call was sent: it had no effect"),
        Lost::Unanswered => (
            "[OUTCOME UNKNOWN]",
            "outcome_unknown",
            "the server was lost after the call was sent: it may have taken effect, so find out before repeating it",
        ),
        Lost::BadAnswer => (
            "[OUTCOME UNKNOWN]",
            "bad_answer",
            "the server's answer cannot be passed on: the call may have taken effect, so find out before repeating it",
        ),
    };
    let fields = [("denied", json!(false)), ("reason", json!(reason)), ("message", json!(message))];
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    result(format!("{mark} {message}"), fields, shape)
}

/// The call was made, and its result is not passed on by rule. `failed` is what the server said of it.
pub(super) fn withheld(reason: &'static str, message: &str, failed: bool, shape: Shape) -> CallToolResult {
    let word = if failed { "failed" } else { "succeeded" };
    let message = format!("the call was made and {word}, and its result is withheld: {message}");
    let fields =
        [("denied", json!(false)), ("reason", json!(reason)), ("outcome", json!(word)), ("message", json!(message))];
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    result(format!("[RESULT WITHHELD] {message}"), fields, shape)
}

fn result(text: String, fields: Map<String, Value>, shape: Shape) -> CallToolResult {
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    let mut meta = MetaObject::new();
    meta.insert(VERDICT_META_KEY.to_owned(), Value::Object(fields.clone()));
    result.meta = Some(meta);
    result.structured_content = (!shape.has_output_schema).then_some(Value::Object(fields));
    if !shape.stateless {
        result.result_type = None;
    }
    result
}
