//! What an answer says, read from the frame itself.

use serde_json::{Value, json};

use crate::scenario::Outcome;

/// How a gateway's denial begins, whoever made the gateway (PolicyLayer's published form).
const DENIAL_MARK: &str = "[POLICY DENIED]";

/// One answer to a call or frame.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    /// What later steps read from it: the structured content, or the text read as JSON, or the text; a list stands
    /// at `items`. For a refusal, the error.
    pub(crate) value: Value,
    /// The whole frame as text.
    pub(crate) text: String,
    /// The rule that a denial names.
    pub(crate) rule: Option<String>,
    /// The reason code of a denial or refusal.
    pub(crate) reason: Option<String>,
    /// The JSON-RPC code of a refusal, or the exchange's code of an error.
    pub(crate) code: Option<i64>,
}

impl Answer {
    /// Nothing came.
    pub(crate) fn silent() -> Self {
        Self { outcome: Outcome::Silent, value: Value::Null, text: String::new(), rule: None, reason: None, code: None }
    }

    /// Reads a frame. Only behind a gateway can there be a denial: without one, whoever says so is the server.
    pub(crate) fn read(frame: &Value, behind_gateway: bool) -> Self {
        let text = frame.to_string();
        // Of a batch of answers the first one counts.
        let message = frame.as_array().and_then(|batch| batch.first()).unwrap_or(frame);
        if let Some(error) = message.get("error") {
            return Self {
                outcome: Outcome::Refused,
                value: error.clone(),
                text,
                rule: word(error, "/data/rule"),
                reason: word(error, "/data/reason"),
                code: error.get("code").and_then(Value::as_i64),
            };
        }
        let result = message.get("result").unwrap_or(&Value::Null);
        let said = result.pointer("/content/0/text").and_then(Value::as_str);
        let structured = result.get("structuredContent").filter(|value| !value.is_null());
        let failed = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
        let denied = failed && behind_gateway && said.is_some_and(|said| said.starts_with(DENIAL_MARK));
        let value = match (structured, said) {
            (Some(structured), _) => structured.clone(),
            (None, Some(said)) => serde_json::from_str(said).unwrap_or_else(|_| Value::from(said)),
            (None, None) => result.clone(),
        };
        Self {
            outcome: match (failed, denied) {
                (false, _) => Outcome::Allowed,
                (true, true) => Outcome::Denied,
                (true, false) => Outcome::Error,
            },
            rule: denied.then(|| machine_word(result, "rule")).flatten(),
            reason: denied.then(|| machine_word(result, "reason")).flatten(),
            code: value.pointer("/error/code").and_then(Value::as_i64),
            value: if value.is_array() { json!({ "items": value }) } else { value },
            text,
        }
    }
}

fn word(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

/// A machine-readable field of a denial, wherever its gateway puts such fields: in the structured content or under
/// `_meta`, at the top or one level down.
fn machine_word(result: &Value, name: &str) -> Option<String> {
    let homes = [result.get("structuredContent"), result.get("_meta")];
    homes.into_iter().flatten().find_map(|home| {
        let here = home.get(name).and_then(Value::as_str);
        let below = || home.as_object()?.values().find_map(|inner| inner.get(name)?.as_str());
        here.or_else(below).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(frame: &Value) -> Answer {
        Answer::read(frame, true)
    }

    #[test]
    fn the_outcomes() {
        let result = |result: Value| json!({ "jsonrpc": "2.0", "id": 1, "result": result });
        let said = |text: &str| result(json!({ "isError": true, "content": [{ "type": "text", "text": text }] }));
        let denial = said("[POLICY DENIED] no");
        for (frame, outcome) in [
            (result(json!({})), Outcome::Allowed),
            (denial.clone(), Outcome::Denied),
            (said("Error: no"), Outcome::Error),
            (json!({ "id": 1, "error": { "code": -32601, "message": "no" } }), Outcome::Refused),
        ] {
            assert_eq!(read(&frame).outcome, outcome, "{frame}");
        }
        assert_eq!(Answer::read(&denial, false).outcome, Outcome::Error, "without a gateway nobody denies");
    }

    #[test]
    fn fields_for_machines_are_found_where_gateways_put_them() {
        let denial = |home: Value| {
            let mut result = json!({ "isError": true, "content": [{ "type": "text", "text": "[POLICY DENIED] no" }] });
            result.as_object_mut().unwrap().extend(home.as_object().unwrap().clone());
            read(&json!({ "id": 1, "result": result }))
        };
        for home in [
            json!({ "structuredContent": { "rule": "/r", "reason": "x" } }),
            json!({ "structuredContent": { "denied": { "rule": "/r", "reason": "x" } } }),
            json!({ "_meta": { "org.example/denial": { "rule": "/r", "reason": "x" } } }),
        ] {
            let answer = denial(home);
            assert_eq!((answer.rule.as_deref(), answer.reason.as_deref()), (Some("/r"), Some("x")));
        }
    }

    #[test]
    fn values_come_from_structure_then_from_text() {
        let frame = |result: Value| read(&json!({ "id": 1, "result": result })).value;
        assert_eq!(frame(json!({ "structuredContent": { "a": 1 }, "content": [] })), json!({ "a": 1 }));
        assert_eq!(
            frame(json!({ "content": [{ "type": "text", "text": "[{\"a\":1}]" }] })),
            json!({ "items": [{ "a": 1 }] })
        );
        assert_eq!(frame(json!({ "content": [{ "type": "text", "text": "hi" }] })), json!("hi"));
        assert_eq!(frame(json!({ "tools": [] })), json!({ "tools": [] }));
    }
}
