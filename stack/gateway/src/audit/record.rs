//! One decision as one line of JSON.

use std::fmt::Write;

use mcp_policy::{Charged, Denial};
use serde_json::{Map, Value};

use crate::wire::RequestId;
use crate::wire::text::push_escaped;

/// No audit line is longer than this, whatever the agent sends.
pub const MAX_LINE_BYTES: usize = 16 * 1024;

/// How many argument names a record lists; `args` tells how many there were.
const MAX_KEYS: usize = 32;

const NAME_BYTES: usize = 128;
const KEY_BYTES: usize = 64;
const TEXT_BYTES: usize = 1024;

/// How many charges, and how many arguments' values, a record lists.
const MAX_LISTED: usize = 16;
const VALUE_BYTES: usize = 64;

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The call may be forwarded.
    Allow,
    /// The policy, or a failing part of the gateway, says no.
    Deny,
    /// The policy asks for a person.
    Escalate,
    /// The frame was no message that the gateway carries; no policy was asked.
    Refuse,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Escalate => "escalate",
            Self::Refuse => "refuse",
        }
    }
}

/// Everything a line says. Of the arguments' values it has those alone that the policy shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) verdict: Verdict,
    pub(crate) id: Option<&'a RequestId>,
    pub(crate) method: Option<&'a str>,
    /// Who sent the message, if not the client.
    pub(crate) from: Option<&'static str>,
    pub(crate) tool: Option<&'a str>,
    pub(crate) rule: Option<&'a str>,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
    pub(crate) arguments: Option<&'a Map<String, Value>>,
    pub(crate) arguments_hmac: Option<&'a str>,
    /// The JSON of [`shown`].
    pub(crate) shown: Option<&'a str>,
    /// The JSON of [`charges`].
    pub(crate) charges: Option<&'a str>,
    /// The JSON of [`shadows`].
    pub(crate) shadows: Option<&'a str>,
    /// The approval by which the call passes, or that it waits for.
    pub(crate) approval: Option<&'a str>,
    /// The digest of the policy by which it was judged, if that is no longer the one in force for its grant.
    pub(crate) judged_by: Option<&'a str>,
    /// The digest of the server's policy, if that has counted the call for all grants beside the one that judged it.
    pub(crate) with: Option<&'a str>,
}

/// Where and when it was decided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp<'a> {
    pub(crate) ts_ms: u64,
    pub(crate) seq: u64,
    pub(crate) grant: &'a str,
    pub(crate) session: &'a str,
    pub(crate) server: &'a str,
    pub(crate) policy: &'a str,
}

impl Record<'_> {
    /// Writes the line, without its end, in place of what `line` held.
    ///
    /// Written by hand: every field is bounded and escaped on the way, without intermediate values.
    pub(crate) fn write(&self, stamp: &Stamp<'_>, line: &mut String) {
        line.clear();
        // Writing to a string cannot fail.
        let _ = write!(line, r#"{{"ts_ms":{},"seq":{}"#, stamp.ts_ms, stamp.seq);
        text(line, "decision", self.verdict.name(), NAME_BYTES);
        text(line, "grant", stamp.grant, NAME_BYTES);
        text(line, "session", stamp.session, NAME_BYTES);
        text(line, "server", stamp.server, NAME_BYTES);
        match self.id {
            Some(RequestId::Number(id)) => {
                let _ = write!(line, r#","id":{id}"#);
            }
            Some(RequestId::Text(id)) => text(line, "id", id, NAME_BYTES),
            None => {}
        }
        for (name, value, max) in [
            ("method", self.method, NAME_BYTES),
            ("from", self.from, NAME_BYTES),
            ("tool", self.tool, NAME_BYTES),
            ("policy", Some(stamp.policy).filter(|digest| !digest.is_empty()), NAME_BYTES),
            ("server_policy", self.with, NAME_BYTES),
            ("rule", self.rule, TEXT_BYTES),
            ("reason", Some(self.reason).filter(|reason| !reason.is_empty()), NAME_BYTES),
            ("message", Some(self.message).filter(|message| !message.is_empty()), TEXT_BYTES),
        ] {
            if let Some(value) = value {
                text(line, name, value, max);
            }
        }
        if let Some(arguments) = self.arguments {
            let _ = write!(line, r#","args":{},"arg_keys":["#, arguments.len());
            for (at, key) in arguments.keys().take(MAX_KEYS).enumerate() {
                line.push_str(if at == 0 { "\"" } else { ",\"" });
                push_escaped(line, key, KEY_BYTES);
                line.push('"');
            }
            line.push(']');
        }
        if let Some(approval) = self.approval {
            text(line, "approval", approval, NAME_BYTES);
        }
        if let Some(digest) = self.arguments_hmac {
            text(line, "args_hmac_sha256", digest, NAME_BYTES);
        }
        for (name, json) in [("shown", self.shown), ("charges", self.charges), ("shadow", self.shadows)] {
            if let Some(json) = json {
                let _ = write!(line, r#","{name}":{json}"#);
            }
        }
        line.push('}');
    }
}

/// The values of the arguments that the policy shows, as JSON. Whatever is no scalar is named by its kind.
pub(crate) fn shown(keys: &[String], arguments: &Map<String, Value>) -> Option<String> {
    let mut json = String::new();
    for (key, value) in keys.iter().filter_map(|key| Some((key, arguments.get(key)?))).take(MAX_LISTED) {
        json.push_str(if json.is_empty() { "{\"" } else { ",\"" });
        push_escaped(&mut json, key, KEY_BYTES);
        json.push_str("\":\"");
        match value {
            Value::String(text) => push_escaped(&mut json, text, VALUE_BYTES),
            Value::Array(_) => json.push_str("[an array]"),
            Value::Object(_) => json.push_str("[an object]"),
            scalar => push_escaped(&mut json, &scalar.to_string(), VALUE_BYTES),
        }
        json.push('"');
    }
    if !json.is_empty() {
        json.push('}');
    }
    Some(json).filter(|json| !json.is_empty())
}

/// What rules in shadow would have refused, as JSON.
pub(crate) fn shadows(denials: &[Denial]) -> Option<String> {
    let mut json = String::new();
    for denial in denials.iter().take(MAX_LISTED) {
        json.push_str(if json.is_empty() { "[{\"rule\":\"" } else { ",{\"rule\":\"" });
        push_escaped(&mut json, &denial.rule, NAME_BYTES);
        let _ = write!(json, r#"","reason":"{}"}}"#, denial.reason.code());
    }
    if !json.is_empty() {
        json.push(']');
    }
    Some(json).filter(|json| !json.is_empty())
}

/// What the limits were charged, as JSON.
pub(crate) fn charges<'a>(charged: impl Iterator<Item = Charged<'a>>) -> Option<String> {
    let mut json = String::new();
    for charge in charged.take(MAX_LISTED) {
        json.push_str(if json.is_empty() { "[{\"limit\":\"" } else { ",{\"limit\":\"" });
        push_escaped(&mut json, charge.limit, NAME_BYTES);
        if let Some(of) = charge.of {
            json.push_str("\",\"of\":\"");
            push_escaped(&mut json, of, KEY_BYTES);
        }
        for (name, number) in [("amount", charge.amount), ("used", charge.used), ("max", charge.max)] {
            let _ = write!(json, r#"","{name}":"{}"#, charge.text(number));
        }
        json.push_str("\"}");
    }
    if !json.is_empty() {
        json.push(']');
    }
    Some(json).filter(|json| !json.is_empty())
}

/// What became of a call, as one line that names its record by session and `seq`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled<'a> {
    pub(crate) tool: &'a str,
    pub(crate) outcome: &'static str,
    /// The code of the server's JSON-RPC error, if it answered with one.
    pub(crate) error_code: Option<i32>,
    /// What was done to the result before the agent got it.
    pub(crate) result: Option<&'static str>,
    /// From the decision to the answer.
    pub(crate) latency_ms: u64,
}

impl Settled<'_> {
    pub(crate) fn write(&self, stamp: &Stamp<'_>, line: &mut String) {
        line.clear();
        let _ = write!(line, r#"{{"ts_ms":{},"seq":{},"outcome":"{}""#, stamp.ts_ms, stamp.seq, self.outcome);
        text(line, "grant", stamp.grant, NAME_BYTES);
        text(line, "session", stamp.session, NAME_BYTES);
        text(line, "server", stamp.server, NAME_BYTES);
        text(line, "tool", self.tool, NAME_BYTES);
        let _ = write!(line, r#","latency_ms":{}"#, self.latency_ms);
        if let Some(code) = self.error_code {
            let _ = write!(line, r#","error_code":{code}"#);
        }
        if let Some(result) = self.result {
            text(line, "result", result, NAME_BYTES);
        }
        line.push('}');
    }
}

/// Something that happened to the gateway and to no call in particular, as one line.
pub(crate) fn event(name: &str, ts_ms: u64, server: &str, fields: &[(&str, &str)], line: &mut String) {
    line.clear();
    let _ = write!(line, r#"{{"ts_ms":{ts_ms},"event":"{name}""#);
    text(line, "server", server, NAME_BYTES);
    for (name, value) in fields {
        text(line, name, value, TEXT_BYTES);
    }
    line.push('}');
}

fn text(line: &mut String, name: &str, value: &str, max: usize) {
    line.push_str(",\"");
    line.push_str(name);
    line.push_str("\":\"");
    push_escaped(line, value, max);
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp(text: &str) -> Stamp<'_> {
        Stamp { ts_ms: u64::MAX, seq: u64::MAX, grant: text, session: text, server: text, policy: text }
    }

    fn record<'a>(text: &'a str, id: &'a RequestId, arguments: &'a Map<String, Value>) -> Record<'a> {
        Record {
            verdict: Verdict::Escalate,
            id: Some(id),
            method: Some(text),
            from: None,
            tool: Some(text),
            rule: Some(text),
            reason: text,
            message: text,
            arguments: Some(arguments),
            arguments_hmac: Some(text),
            shown: None,
            charges: None,
            shadows: None,
            approval: None,
            judged_by: None,
            with: Some(text),
        }
    }

    #[test]
    fn a_line_says_who_what_and_why() {
        let arguments = serde_json::json!({"symbol": "BTCUSDT", "quantity": "1"});
        let id = RequestId::Number(7);
        let record = Record {
            verdict: Verdict::Deny,
            method: Some("tools/call"),
            tool: Some("bn_new_order"),
            rule: Some("/tools/bn_new_order/limits/0"),
            reason: "limit_reached",
            message: "at most 30 a minute",
            arguments_hmac: None,
            with: None,
            ..record("", &id, arguments.as_object().unwrap())
        };
        let mut line = String::new();
        record
            .write(&Stamp { ts_ms: 5, seq: 1, grant: "g", session: "s", server: "binance", policy: "abc" }, &mut line);
        assert_eq!(
            line,
            r#"{"ts_ms":5,"seq":1,"decision":"deny","grant":"g","session":"s","server":"binance","id":7,"method":"tools/call","tool":"bn_new_order","policy":"abc","rule":"/tools/bn_new_order/limits/0","reason":"limit_reached","message":"at most 30 a minute","args":2,"arg_keys":["symbol","quantity"]}"#
        );
    }

    #[test]
    fn the_longest_line_is_bounded() {
        // The character with the longest escape, everywhere, in as many keys as are listed.
        let text = "\u{1f980}".repeat(4096);
        let arguments: Map<_, _> = (0..1000).map(|n| (format!("{n:03}{text}"), Value::Null)).collect();
        let id = RequestId::Text(text.as_str().into());
        let mut line = String::new();
        let names: Vec<String> = arguments.keys().cloned().collect();
        let values: Map<_, _> = names.iter().map(|name| (name.clone(), Value::String(text.clone()))).collect();
        let shown = shown(&names, &values);
        // As long as the list of charges that a policy can bring about.
        let charge = format!("{{\"limit\":\"{}\"}}", "x".repeat(NAME_BYTES + KEY_BYTES + 3 * 40));
        let charges = format!("[{}]", vec![charge; MAX_LISTED].join(","));
        let record = Record { shown: shown.as_deref(), charges: Some(&charges), ..record(&text, &id, &arguments) };
        record.write(&stamp(&text), &mut line);
        assert!(line.len() <= MAX_LINE_BYTES, "{}", line.len());
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["args"], 1000);
        assert_eq!(read["arg_keys"].as_array().unwrap().len(), MAX_KEYS);
    }

    proptest! {
        #[test]
        fn one_record_is_one_readable_line(text in any::<String>(), key in any::<String>()) {
            let arguments: Map<_, _> = [(key, Value::String("value".into()))].into_iter().collect();
            let id = RequestId::Text(text.as_str().into());
            let mut line = String::new();
            let names: Vec<String> = arguments.keys().cloned().collect();
            let shown = shown(&names, &[(names[0].clone(), Value::String(text.clone()))].into_iter().collect());
            let record = Record { shown: shown.as_deref(), ..record(&text, &id, &arguments) };
            record.write(&stamp(&text), &mut line);
            prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert!(line.len() <= MAX_LINE_BYTES);
            prop_assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
        }
    }
}
