//! Answers and errors as the agent sees them.
//!
//! A success carries the exchange's JSON in `structuredContent`, and the same JSON as text. MCP wants
//! an object there, so a list is wrapped as `{"items": [...]}`. An error has `isError`, a sentence as
//! text and in `structuredContent`:
//!
//! ```json
//! {"error": {"kind": "refused", "message": "...", "sent": true, "outcomeUnknown": false,
//!            "httpStatus": 400, "code": -2010, "msg": "Account has insufficient balance ..."}}
//! ```
//!
//! `sent` says whether anything of the request may have left; `outcomeUnknown` whether something may
//! have changed at the exchange all the same. `hint`, `retryAfterSeconds` and `problems` (pairs of
//! `pointer` and `message`) come where they apply.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::error::{CallError, Refusal};
use crate::tools::{Access, Spec};

/// The longest answer that is handed on. It travels twice, as text and structured, and MCP peers
/// limit a message to 16 MiB or less.
pub(crate) const MAX_RESULT_BYTES: usize = 4 << 20;

/// Parses an answer without losing a digit: a number that JSON readers would round (a fraction, an
/// exponent, more than 64 bits) becomes a string of the same characters.
pub(crate) fn read_json(text: &str) -> Result<Value, &'static str> {
    serde_json::from_str(&exact_numbers(text)).map_err(|_| "it is not JSON")
}

fn exact_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let length = if from.starts_with('"') {
            string_length(from)
        } else {
            from.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+' | 'e' | 'E')).unwrap_or(from.len())
        };
        let (token, after) = from.split_at(length);
        if token.starts_with('"') || is_exact(token) || !is_number(token) {
            out.push_str(token);
        } else {
            out.push('"');
            out.push_str(token);
            out.push('"');
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The length of the JSON string at the start of `text`, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// By the grammar of JSON; what is no number is left for the parser to refuse.
fn is_number(token: &str) -> bool {
    serde_json::from_str::<&RawValue>(token).is_ok()
}

fn is_exact(number: &str) -> bool {
    number.parse::<u64>().is_ok() || number.parse::<i64>().is_ok_and(|n| n < 0)
}

/// The answer of a successful call: the chosen fields only, if some were chosen, and never too much.
pub(crate) fn shape(spec: &Spec, fields: Option<&[String]>, answer: Value) -> Result<CallToolResult, CallError> {
    let answer = match fields {
        Some(fields) => select(spec, fields, answer)?,
        None => answer,
    };
    let object = match answer {
        Value::Object(_) => answer,
        Value::Array(_) => json!({ "items": answer }),
        other => json!({ "value": other }),
    };
    let text = object.to_string();
    // What an action returned is never withheld: the action has been carried out.
    if text.len() > MAX_RESULT_BYTES && spec.hints.read_only {
        return Err(CallError::TooLong { bytes: text.len(), limit: MAX_RESULT_BYTES });
    }
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(object);
    Ok(result)
}

fn select(spec: &Spec, fields: &[String], answer: Value) -> Result<Value, CallError> {
    Ok(match answer {
        Value::Array(rows) => {
            let rows: Vec<Map<String, Value>> = rows.into_iter().map(|row| as_object(spec, row)).collect();
            // Orders carry some fields only at times: a name counts as known if any row has it.
            if !rows.is_empty() {
                known(fields, &rows)?;
            }
            rows.into_iter().map(|row| Value::Object(keep(fields, row))).collect()
        }
        other => {
            let row = as_object(spec, other);
            known(fields, std::slice::from_ref(&row))?;
            Value::Object(keep(fields, row))
        }
    })
}

/// A row as an object; a row of columns gets the names of the table.
fn as_object(spec: &Spec, row: Value) -> Map<String, Value> {
    match row {
        Value::Object(object) => object,
        Value::Array(columns) => spec.columns.iter().map(|name| (*name).to_owned()).zip(columns).collect(),
        _ => Map::new(),
    }
}

fn known(fields: &[String], rows: &[Map<String, Value>]) -> Result<(), CallError> {
    let Some(unknown) = fields.iter().find(|field| !rows.iter().any(|row| row.contains_key(field.as_str()))) else {
        return Ok(());
    };
    let mut available: Vec<&str> = Vec::new();
    for name in rows.iter().flat_map(Map::keys) {
        if !available.contains(&name.as_str()) {
            available.push(name);
        }
    }
    Err(CallError::UnknownField {
        unknown: unknown.clone(),
        available: if available.is_empty() { "none, the answer is empty".to_owned() } else { available.join(", ") },
    })
}

/// The chosen fields, in the order of the answer.
fn keep(fields: &[String], mut row: Map<String, Value>) -> Map<String, Value> {
    row.retain(|name, _| fields.iter().any(|field| field == name));
    row
}

/// An error as a result that a model can read and act upon.
pub(crate) fn failed(spec: &Spec, error: &CallError) -> CallToolResult {
    let unknown = !spec.hints.read_only && error.leaves_outcome_open();
    let mut message = error.to_string();
    let mut details = Map::new();
    details.insert("kind".into(), json!(error.kind()));
    details.insert("sent".into(), json!(error.was_sent()));
    details.insert("outcomeUnknown".into(), json!(unknown));
    if let CallError::Arguments { problems, .. } = error {
        for problem in problems {
            message.push_str("\n- ");
            if !problem.pointer.is_empty() {
                message.extend(["`", &problem.pointer, "` "]);
            }
            message.push_str(&problem.message);
        }
        message.push_str("\nNothing was sent.");
        let problems: Vec<Value> =
            problems.iter().map(|problem| json!({"pointer": problem.pointer, "message": problem.message})).collect();
        details.insert("problems".into(), Value::Array(problems));
    }
    if let CallError::Refused(refusal) = error {
        details.insert("httpStatus".into(), json!(refusal.status));
        if let Some(code) = refusal.code {
            details.insert("code".into(), json!(code));
        }
        if let Some(msg) = &refusal.msg {
            details.insert("msg".into(), json!(msg));
        }
        if let Some(seconds) = refusal.retry_after_s {
            details.insert("retryAfterSeconds".into(), json!(seconds));
        }
    }
    if let CallError::Unreadable { status, .. } = error {
        details.insert("httpStatus".into(), json!(status));
    }
    if let Some(hint) = hint(spec, error, unknown) {
        message = format!("{message}\n{hint}");
        details.insert("hint".into(), json!(hint));
    }
    details.insert("message".into(), json!(message));
    let mut result = CallToolResult::error(vec![ContentBlock::text(message)]);
    result.structured_content = Some(json!({ "error": details }));
    result
}

/// What to do next. The more general causes come last.
fn hint(spec: &Spec, error: &CallError, unknown: bool) -> Option<String> {
    if unknown {
        return Some(format!("Execution status unknown: {}.", spec.when_unknown));
    }
    match error {
        CallError::Refused(refusal) => refused_hint(spec, refusal),
        CallError::TimedOut { .. } | CallError::Lost { .. } => {
            Some("Nothing was changed; the call may be repeated.".to_owned())
        }
        CallError::UnknownField { .. } if !spec.hints.read_only => {
            Some("The request itself was carried out.".to_owned())
        }
        _ => None,
    }
}

fn refused_hint(spec: &Spec, refusal: &Refusal) -> Option<String> {
    let wait = refusal.retry_after_s.map_or_else(|| "a minute".to_owned(), |seconds| format!("{seconds} s"));
    let hint = match (refusal.status, refusal.code) {
        (_, Some(-1021)) => {
            "The timestamp was not accepted: compare this machine's clock with bn_server_time and set it \
             right; on a slow line a larger recvWindow helps."
        }
        (_, Some(-1022)) => "The signature was not accepted: the configured secret key does not belong to the API key.",
        (_, Some(-2008 | -2014 | -2015)) => {
            "The configured API key was not accepted: check the key, its permissions and its IP list. \
             Arguments cannot mend this."
        }
        (410, _) if spec.endpoint.access == Access::ApiKey => {
            "Binance retired listen keys on 2026-02-20. User data streams are now opened over the WebSocket \
             API with userDataStream.subscribe.signature (any key type), or with session.logon (Ed25519 \
             keys) and userDataStream.subscribe."
        }
        (418, _) => return Some(format!("This address is banned for sending too much: send nothing for {wait}.")),
        (429, _) => return Some(format!("A rate limit is used up: wait {wait} before the next call.")),
        (403, None) => "The request was stopped before it reached the exchange, by a firewall or for its origin.",
        (500.., _) => "The exchange has trouble; nothing was changed, the call may be repeated later.",
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::catalogue;

    #[test]
    fn numbers_keep_every_digit() {
        for (text, expected) in [
            ("{}", "{}"),
            ("[1, -2 ,18446744073709551615]", "[1,-2,18446744073709551615]"),
            ("[18446744073709551616]", r#"["18446744073709551616"]"#),
            ("[-9223372036854775808]", "[-9223372036854775808]"),
            ("[-9223372036854775809]", r#"["-9223372036854775809"]"#),
            (r#"{"a":0.10,"b":1e-5,"c":-0,"d":0.1E+2}"#, r#"{"a":"0.10","b":"1e-5","c":"-0","d":"0.1E+2"}"#),
            (r#"{"1.5":"1.5 -2.0e3","q\"1.5":"\\"}"#, r#"{"1.5":"1.5 -2.0e3","q\"1.5":"\\"}"#),
            ("0.30000000000000000001", r#""0.30000000000000000001""#),
            ("1e999", r#""1e999""#),
            (r#""é1.5""#, r#""é1.5""#),
        ] {
            assert_eq!(read_json(text).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_json_stays_so() {
        for text in ["", "<html>", "01", "1.", ".5", "1.2.3", "-", "{\"a\":1.5", "\"open", "[1.5]]", "+1"] {
            assert!(read_json(text).is_err(), "{text}");
        }
    }

    #[test]
    fn actions_are_never_too_long() {
        let long = json!({ "text": "x".repeat(MAX_RESULT_BYTES) });
        let spec = |name| {
            let tool = catalogue().iter().find(|tool| tool.spec.name == name);
            tool.unwrap().spec
        };
        assert!(shape(spec("bn_new_order"), None, long.clone()).is_ok());
        let error = shape(spec("bn_exchange_info"), None, long.clone()).unwrap_err();
        assert_eq!(error.kind(), "answer_too_long");
        let kept = ["other".to_owned()];
        assert_eq!(shape(spec("bn_ping"), Some(&kept), long).unwrap_err().kind(), "unknown_field");
    }
}
