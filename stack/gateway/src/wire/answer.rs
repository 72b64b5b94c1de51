//! What a server sent.

use std::borrow::Cow;
use std::fmt;

use rmcp::model::ErrorData;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::RequestId;
use crate::wire::closed::{self, Keys, Text};

/// A server's message. Everything in it was checked; raw parts may be passed on.
#[derive(Debug)]
pub(crate) enum Answer<'a> {
    /// The result of a request that the gateway forwarded under this id.
    Result { id: u64, result: &'a RawValue },
    /// The same, but it failed.
    Error { id: u64, error: ErrorData },
    /// An error about no request in particular.
    LooseError { error: ErrorData },
    /// A request to the client.
    Request { id: RequestId, method: String, params: Option<&'a RawValue> },
    /// A note to the client.
    Notification { method: String, params: Option<&'a RawValue> },
}

/// Why a server's frame is none, for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadAnswer {
    #[error("not closed JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("not a JSON-RPC message: {0}")]
    Shape(&'static str),
}

/// Reads a server's frame. As with clients, the members are a closed set.
pub(crate) fn read(frame: &[u8]) -> Result<Answer<'_>, BadAnswer> {
    let mut parser = serde_json::Deserializer::from_slice(frame);
    let parts = Envelope.deserialize(&mut parser)?;
    parser.end()?;

    if parts.version.as_deref() != Some("2.0") {
        return Err(BadAnswer::Shape("`jsonrpc` is not `2.0`"));
    }
    for raw in [parts.params, parts.result, parts.error].into_iter().flatten() {
        closed::check(raw)?;
    }
    if let Some(method) = parts.method {
        if parts.result.is_some() || parts.error.is_some() {
            return Err(BadAnswer::Shape("both a request and a response"));
        }
        if parts.params.is_some_and(|params| !params.get().starts_with('{')) {
            return Err(BadAnswer::Shape("`params` is not an object"));
        }
        let method = method.into_owned();
        return match parts.id {
            None => Ok(Answer::Notification { method, params: parts.params }),
            Some(id) => RequestId::from_value(&id)
                .map(|id| Answer::Request { id, method, params: parts.params })
                .ok_or(BadAnswer::Shape("`id` of a request is no id")),
        };
    }
    // The gateway numbers its requests, so every other id is that of nothing.
    let id = parts.id.as_ref().and_then(Value::as_u64);
    match (parts.result, parts.error) {
        (Some(result), None) if result.get().starts_with('{') => {
            id.map(|id| Answer::Result { id, result }).ok_or(BadAnswer::Shape("`id` of a response was never given"))
        }
        (Some(_), None) => Err(BadAnswer::Shape("`result` is not an object")),
        (None, Some(error)) => {
            let error = serde_json::from_str(error.get())?;
            match (id, parts.id) {
                (Some(id), _) => Ok(Answer::Error { id, error }),
                (None, None | Some(Value::Null)) => Ok(Answer::LooseError { error }),
                _ => Err(BadAnswer::Shape("`id` of a response was never given")),
            }
        }
        _ => Err(BadAnswer::Shape("neither a request nor a response")),
    }
}

#[derive(Default)]
struct Parts<'a> {
    version: Option<Cow<'a, str>>,
    id: Option<Value>,
    method: Option<Cow<'a, str>>,
    params: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

struct Envelope;

impl<'de> DeserializeSeed<'de> for Envelope {
    type Value = Parts<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Parts<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Envelope {
    type Value = Parts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON-RPC object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts<'de>, A::Error> {
        let mut parts = Parts::default();
        let mut seen = Keys::default();
        while let Some(Text(member)) = map.next_key()? {
            match member.as_ref() {
                "jsonrpc" => parts.version = Some(map.next_value::<Text<'_>>()?.0),
                "id" => parts.id = Some(map.next_value()?),
                "method" => parts.method = Some(map.next_value::<Text<'_>>()?.0),
                "params" => parts.params = Some(map.next_value()?),
                "result" => parts.result = Some(map.next_value()?),
                "error" => parts.error = Some(map.next_value()?),
                _ => return Err(A::Error::custom("a member that JSON-RPC does not know")),
            }
            seen.add(member)?;
        }
        Ok(parts)
    }
}

/// What the gateway itself reads of a tool call's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallOutcome {
    /// `isError` is true.
    pub(crate) failed: bool,
    /// The result is final: no input is asked for and no task handed out.
    pub(crate) complete: bool,
}

/// Whether a result is final. What cannot be told is not.
pub(crate) fn is_complete(result: &RawValue) -> bool {
    #[derive(serde::Deserialize)]
    struct Kind<'a> {
        #[serde(rename = "resultType", borrow, default)]
        kind: Option<Text<'a>>,
    }
    serde_json::from_str::<Kind<'_>>(result.get()).is_ok_and(|kind| kind.kind.is_none_or(|kind| kind.0 == "complete"))
}

/// Reads the outcome of a call from its result, which was checked before.
pub(crate) fn call_outcome(result: &RawValue) -> Result<CallOutcome, BadAnswer> {
    #[derive(serde::Deserialize)]
    struct Flags<'a> {
        #[serde(rename = "isError", default)]
        failed: bool,
        #[serde(rename = "resultType", borrow, default)]
        kind: Option<Text<'a>>,
        // The 2025-11-25 form of "not yet": a task instead of a result.
        task: Option<serde::de::IgnoredAny>,
    }
    let flags: Flags<'_> = serde_json::from_str(result.get())?;
    let complete = flags.kind.is_none_or(|kind| kind.0 == "complete") && flags.task.is_none();
    Ok(CallOutcome { failed: flags.failed, complete })
}

/// What a tool itself answered: the structured content, or the only text if that is JSON. `None` if it answered
/// otherwise.
pub(crate) fn call_value(result: &RawValue) -> Option<Value> {
    #[derive(serde::Deserialize)]
    struct Content<'a> {
        #[serde(rename = "structuredContent")]
        structured: Option<Value>,
        #[serde(borrow, default)]
        content: Vec<&'a RawValue>,
    }
    #[derive(serde::Deserialize)]
    struct Block {
        text: String,
    }
    let content: Content<'_> = serde_json::from_str(result.get()).ok()?;
    if content.structured.is_some() {
        return content.structured;
    }
    let [block] = content.content.as_slice() else { return None };
    let block: Block = serde_json::from_str(block.get()).ok()?;
    mcp_policy::strict::parse(block.text.as_bytes(), mcp_policy::strict::Limits::default()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(frame: &str) -> String {
        match read(frame.as_bytes()) {
            Ok(Answer::Result { id, result }) => format!("result {id} {}", result.get()),
            Ok(Answer::Error { id, error }) => format!("error {id} {}", error.code.0),
            Ok(Answer::LooseError { error }) => format!("loose {}", error.code.0),
            Ok(Answer::Request { id, method, .. }) => format!("request {id} {method}"),
            Ok(Answer::Notification { method, .. }) => format!("note {method}"),
            Err(_) => "bad".to_owned(),
        }
    }

    #[test]
    fn frames_of_a_server() {
        for (frame, expected) in [
            (r#"{"jsonrpc":"2.0","id":3,"result":{"a": 1.50}}"#, r#"result 3 {"a": 1.50}"#),
            (r#"{"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"m"}}"#, "error 3 -1"),
            (r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"m"}}"#, "loose -1"),
            (r#"{"jsonrpc":"2.0","error":{"code":-1,"message":"m"}}"#, "loose -1"),
            (r#"{"jsonrpc":"2.0","id":"s","method":"ping"}"#, "request s ping"),
            (r#"{"jsonrpc":"2.0","method":"x","params":{}}"#, "note x"),
            (r#"{"jsonrpc":"2.0","id":3,"result":{},"result":{}}"#, "bad"),
            (r#"{"jsonrpc":"2.0","id":3,"result":{},"Result":{}}"#, "bad"),
            (r#"{"jsonrpc":"2.0","id":3,"result":{"a":{"b":1,"b":2}}}"#, "bad"),
            (r#"{"jsonrpc":"2.0","id":3,"result":{"a":1}} {}"#, "bad"),
            (r#"{"jsonrpc":"2.0","id":3,"result":[]}"#, "bad"),
            (r#"{"jsonrpc":"2.0","id":3,"result":null}"#, "bad"),
            (r#"{"jsonrpc":"2.0","id":"3","result":{}}"#, "bad"),
            (r#"{"jsonrpc":"2.0","id":3.0,"result":{}}"#, "bad"),
            (r#"{"jsonrpc":"2.0","id":3,"result":{},"error":{"code":1,"message":"m"}}"#, "bad"),
            (r#"{"jsonrpc":"2.0","id":3,"result":{},"method":"x"}"#, "bad"),
            (r#"{"jsonrpc":"2.0","id":3,"error":{"code":"x","message":"m"}}"#, "bad"),
            (r#"{"jsonrpc":"1.0","id":3,"result":{}}"#, "bad"),
            (r#"{"id":3,"result":{}}"#, "bad"),
            (r#"{"jsonrpc":"2.0","method":"x","params":[]}"#, "bad"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, "bad"),
            ("[]", "bad"),
            ("", "bad"),
        ] {
            assert_eq!(kind(frame), expected, "{frame}");
        }
    }

    #[test]
    fn what_a_tool_answered_is_found_in_either_form() {
        let value = |text: &str| {
            let raw: &RawValue = serde_json::from_str(text).unwrap();
            call_value(raw).map(|value| value.to_string())
        };
        let text = r#"{"type":"text","text":"{\"orderId\":18446744073709551615}"}"#;
        let order = Some(r#"{"orderId":18446744073709551615}"#.to_owned());
        assert_eq!(value(&format!(r#"{{"content":[{text}]}}"#)), order);
        assert_eq!(value(r#"{"content":[],"structuredContent":{"orderId":18446744073709551615}}"#), order);
        // Two texts, a text that is no JSON or could be read in two ways, and no text at all tell nothing.
        assert_eq!(value(&format!(r#"{{"content":[{text},{text}]}}"#)), None);
        assert_eq!(value(r#"{"content":[{"type":"text","text":"done"}]}"#), None);
        assert_eq!(value(r#"{"content":[{"type":"text","text":"{\"a\":1,\"a\":2}"}]}"#), None);
        assert_eq!(value(r#"{"content":[{"type":"image","data":""}]}"#), None);
    }

    #[test]
    fn only_complete_results_are_final() {
        let outcome = |text: &str| {
            let raw: &RawValue = serde_json::from_str(text).unwrap();
            call_outcome(raw).map(|outcome| (outcome.failed, outcome.complete)).ok()
        };
        assert_eq!(outcome(r#"{"content":[]}"#), Some((false, true)));
        assert_eq!(outcome(r#"{"content":[],"isError":true}"#), Some((true, true)));
        assert_eq!(outcome(r#"{"resultType":"complete"}"#), Some((false, true)));
        assert_eq!(outcome(r#"{"resultType":"input_required"}"#), Some((false, false)));
        assert_eq!(outcome(r#"{"task":{"taskId":"1"}}"#), Some((false, false)));
        assert_eq!(outcome(r#"{"isError":"yes"}"#), None);
    }
}
