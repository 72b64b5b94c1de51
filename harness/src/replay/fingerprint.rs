//! What a request asks, apart from how it was sent.

use std::fmt;

use serde_json::{Map, Value, json};

use super::names;
use crate::cassette::{Body, is_placeholder, without_doubles};

/// The canonical form of a request. Two requests with equal fingerprints ask for the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Fingerprint {
    /// What was asked, such as `tools/call bn_ping`.
    pub label: String,
    /// The normalised request. Pointers into it are pointers into the message.
    pub value: Value,
    exact: String,
    loose: String,
}

impl Fingerprint {
    /// Of a normalised request.
    pub(super) fn new(label: String, value: Value) -> Self {
        let value = sorted(value);
        let exact = value.to_string();
        let loose = masked(&value, false).to_string();
        Self { label, value, exact, loose }
    }

    /// The key of the same request and no other.
    pub(super) fn exact(&self) -> &str {
        &self.exact
    }

    /// The key of the same request with whatever ids its sender made.
    pub(super) fn loose(&self) -> &str {
        &self.loose
    }

    /// Of an MCP frame: method and parameters, without envelope and `_meta`. A frame that could be read in two ways, or
    /// in none, is compared as it was sent.
    pub fn of_mcp(frame: &Body) -> Self {
        if let Some(value) = frame_value(frame) {
            return Self::of_message(value);
        }
        let (Body::Text(text) | Body::Hex(text)) = frame else { return Self::new(String::new(), Value::Null) };
        Self::new("frame".to_owned(), json!({ "frame": text }))
    }

    /// Of a frame to a WebSocket of an exchange: method and parameters, without what belongs to signing.
    pub(super) fn of_websocket(frame: &Body) -> Self {
        let mut value = Self::of_mcp(frame);
        if let Some(Value::Object(params)) = value.value.get_mut("params") {
            for name in names::SIGNING.iter().chain(&["apiKey"]) {
                params.remove(*name);
            }
            value = Self::new(value.label, value.value);
        }
        value
    }

    fn of_message(value: Value) -> Self {
        let Value::Object(mut message) = value else { return Self::new("batch".to_owned(), value) };
        for name in names::ENVELOPE {
            message.remove(name);
        }
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
        if method == names::GREETING {
            message.remove("params");
        }
        if let Some(Value::Object(params)) = message.get_mut("params") {
            params.remove(names::META);
            // Both say that there are none.
            if method == "tools/call" && params.get("arguments").is_some_and(is_nothing) {
                params.remove("arguments");
            }
        }
        if message.get("params").is_some_and(is_nothing) {
            message.remove("params");
        }
        let tool = message.get("params").and_then(|params| params.get("name")).and_then(Value::as_str);
        let label = tool.filter(|_| method == "tools/call").map_or(method.clone(), |tool| format!("{method} {tool}"));
        Self::new(label, Value::Object(message))
    }
}

/// A frame as the one value that it can be read as.
pub(super) fn frame_value(frame: &Body) -> Option<Value> {
    match frame {
        Body::Json(value) => Some(value.clone()),
        Body::Text(text) => without_doubles(text.as_bytes()),
        Body::Hex(_) => None,
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// The same value with the members of its objects in the order of their names.
pub(super) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        value => value,
    }
}

/// The value with the ids that its sender may choose anew left open.
fn masked(value: &Value, open: bool) -> Value {
    match value {
        Value::Object(map) => {
            let member = |(name, value): (&String, &Value)| (name.clone(), masked(value, names::is_client_id(name)));
            Value::Object(map.iter().map(member).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(|value| masked(value, false)).collect()),
        Value::String(text) => Value::String(match opening(text) {
            Some(kind) => format!("[{kind}]"),
            None if open => "[id]".to_owned(),
            None => text.clone(),
        }),
        value => value.clone(),
    }
}

/// What kind of secret a text stands for.
fn opening(text: &str) -> Option<&str> {
    is_placeholder(text).then(|| text.trim_matches(|c: char| matches!(c, '[' | ']' | '-') || c.is_ascii_digit()))
}

/// The pairs of ids, tape and live, at which two requests of the same loose key differ.
pub(super) fn chosen(tape: &Value, live: &Value) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    collect(tape, live, &mut pairs);
    pairs
}

fn collect(tape: &Value, live: &Value, pairs: &mut Vec<(String, String)>) {
    match (tape, live) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, tape) in a {
                match (tape, b.get(name)) {
                    (Value::String(tape), Some(Value::String(live)))
                        if names::is_client_id(name) || opening(tape).is_some() =>
                    {
                        pairs.push((tape.clone(), live.clone()));
                    }
                    (tape, Some(live)) => collect(tape, live, pairs),
                    (_, None) => {}
                }
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for (tape, live) in a.iter().zip(b) {
                collect(tape, live, pairs);
            }
        }
        (Value::String(tape), Value::String(live)) if opening(tape).is_some() => {
            pairs.push((tape.clone(), live.clone()));
        }
        _ => {}
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(frame: &str) -> Fingerprint {
        Fingerprint::of_mcp(&Body::of(frame.as_bytes()))
    }

    #[test]
    fn what_is_asked_counts_and_not_how_it_was_sent() {
        let one = of(
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"progressToken":3},"name":"t","arguments":{"a":"1","b":{"d":1,"c":2}}}}"#,
        );
        let other = of(
            r#"{ "method":"tools/call", "id":"x", "params":{"arguments":{"b":{"c":2,"d":1},"a":"1"},"name":"t"}, "jsonrpc":"2.0" }"#,
        );
        assert_eq!(one, other);
        assert_eq!(one.label, "tools/call t");
        assert_eq!(
            one.to_string(),
            r#"{"method":"tools/call","params":{"arguments":{"a":"1","b":{"c":2,"d":1}},"name":"t"}}"#
        );
    }

    #[test]
    fn these_are_the_same() {
        for (one, other) in [
            (r#"{"method":"tools/list","params":{}}"#, r#"{"method":"tools/list"}"#),
            (r#"{"method":"m","params":{"_meta":{}}}"#, r#"{"method":"m"}"#),
            (
                r#"{"method":"tools/call","params":{"name":"t","arguments":{}}}"#,
                r#"{"method":"tools/call","params":{"name":"t"}}"#,
            ),
            (
                r#"{"method":"initialize","params":{"clientInfo":{"name":"a"}}}"#,
                r#"{"method":"initialize","params":{"clientInfo":{"name":"b"}}}"#,
            ),
        ] {
            assert_eq!(of(one), of(other), "{one}");
        }
    }

    #[test]
    fn these_are_not() {
        let call = |arguments: &str| {
            of(&format!(r#"{{"method":"tools/call","params":{{"name":"t","arguments":{arguments}}}}}"#))
        };
        for (one, other) in [
            (r#"{"q":"0.10"}"#, r#"{"q":"0.1"}"#),
            (r#"{"q":"1"}"#, r#"{"q":1}"#),
            (r#"{"q":[1,2]}"#, r#"{"q":[2,1]}"#),
            (r#"{"q":null}"#, "{}"),
            (r#"{"_meta":{}}"#, "{}"),
        ] {
            assert_ne!(call(one).exact(), call(other).exact(), "{one}");
            assert_ne!(call(one).loose(), call(other).loose(), "{one}");
        }
        // A name twice can be read in two ways, so it is another frame than either.
        assert_ne!(call(r#"{"q":1,"q":2}"#).exact(), call(r#"{"q":2}"#).exact());
        assert_eq!(call(r#"{"q":1,"q":2}"#).label, "frame");
        assert_ne!(of("no json"), of("other"));
    }

    #[test]
    fn ids_that_a_client_makes_are_left_open() {
        let order = |id: &str, key: &str| {
            of(&format!(r#"{{"method":"m","params":{{"newClientOrderId":"{id}","list":["{key}"],"orderId":1}}}}"#))
        };
        let (tape, live) = (order("a", "[api-key-1]"), order("b", "[api-key-2]"));
        assert_ne!(tape.exact(), live.exact());
        assert_eq!(tape.loose(), live.loose());
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let mut pairs = chosen(&tape.value, &live.value);
        pairs.sort();
        assert_eq!(pairs, [pair("[api-key-1]", "[api-key-2]"), pair("a", "b")]);
        assert_ne!(tape.loose(), order("a", "[secret-1]").loose());
    }
}
