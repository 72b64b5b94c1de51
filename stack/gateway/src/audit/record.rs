//! One decision as one line of JSON.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::wire::RequestId;
use crate::wire::text::push_escaped;

/// No audit line is longer than this, whatever the agent sends.
pub const MAX_LINE_BYTES: usize = 8 * 1024;

/// How many argument names a record lists; `args` tells how many there were.
const MAX_KEYS: usize = 32;

const NAME_BYTES: usize = 128;
const KEY_BYTES: usize = 64;
const TEXT_BYTES: usize = 1024;

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

/// Everything a line says. Argument *values* are no part of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) verdict: Verdict,
    pub(crate) id: Option<&'a RequestId>,
    pub(crate) method: Option<&'a str>,
    pub(crate) tool: Option<&'a str>,
    pub(crate) rule: Option<&'a str>,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
    pub(crate) arguments: Option<&'a Map<String, Value>>,
    pub(crate) arguments_hmac: Option<&'a str>,
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
            ("tool", self.tool, NAME_BYTES),
            ("policy", Some(stamp.policy).filter(|digest| !digest.is_empty()), NAME_BYTES),
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
        if let Some(digest) = self.arguments_hmac {
            text(line, "args_hmac_sha256", digest, NAME_BYTES);
        }
        line.push('}');
    }
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
            tool: Some(text),
            rule: Some(text),
            reason: text,
            message: text,
            arguments: Some(arguments),
            arguments_hmac: Some(text),
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
        record(&text, &id, &arguments).write(&stamp(&text), &mut line);
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
            record(&text, &id, &arguments).write(&stamp(&text), &mut line);
            prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert!(line.len() <= MAX_LINE_BYTES);
            prop_assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
        }
    }
}
