//! The lines of a tape, format 1.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::strict;

/// The version that this build writes. It reads this one and no other.
pub const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format.
    pub rogue_tape: u32,
    /// The program that wrote the tape and its version, such as `rogue 0.1.0`.
    pub writer: String,
    /// The seed of the exchange's books, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What the times of the messages count from, milliseconds since the epoch.
    pub clock_origin_ms: u64,
    /// What was recorded, such as `embedded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The scenario's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// The digest of the policy document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The digest of the list of tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<String>,
    /// The exchange before the first message, in the words of a scenario's `exchange`: balances, prices, resting orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Value>,
    /// The grants of further agents by their names, on a tape of several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub agents: BTreeMap<String, String>,
}

impl Header {
    /// Of a tape of which nothing more is known than who writes it and what its times count from.
    pub fn new(writer: impl Into<String>, clock_origin_ms: u64) -> Self {
        Self {
            rogue_tape: FORMAT,
            writer: writer.into(),
            seed: None,
            clock_origin_ms,
            target: None,
            scenario: None,
            policy: None,
            tools: None,
            exchange: None,
            agents: BTreeMap::new(),
        }
    }
}

/// One message, and every line between the first and the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Counts from 1, without gaps.
    pub seq: u64,
    /// Milliseconds since the header's origin.
    pub at_ms: u64,
    /// The wire.
    pub leg: Leg,
    /// Which way it went.
    pub dir: Direction,
    /// Whose connection, on a tape of several agents: one of the header's `agents`, and `#2` and so on for its later
    /// connections. None is the first connection of the first agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The id of the JSON-RPC message, the number of the request, or the name of the stream.
    #[serde(default, deserialize_with = "strict::some_value", skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// The `seq` of the message that caused this one, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
    /// What was said.
    pub body: Body,
}

/// The wires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leg {
    /// MCP between the agent and what it was given.
    Agent,
    /// MCP between the gateway and the server behind it.
    Upstream,
    /// HTTP requests to the exchange.
    Rest,
    /// WebSocket frames of the exchange.
    Ws,
    /// What the gateway decided. Stands beside the call.
    Decision,
}

impl Leg {
    /// As a tape writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Upstream => "upstream",
            Self::Rest => "rest",
            Self::Ws => "ws",
            Self::Decision => "decision",
        }
    }
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Towards the exchange.
    Out,
    /// Towards the agent.
    Back,
}

/// What was said. A frame that is not exactly what a JSON writer would write (odd spacing, a name twice, no JSON at
/// all) is kept as it was: such frames are what a tape of an attack is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Body {
    /// A JSON value; writing it without spaces gives the bytes that were sent, but for redaction.
    Json(#[serde(deserialize_with = "strict::value")] Value),
    /// Text that is not such a value.
    Text(String),
    /// Bytes that are no text, in hexadecimal digits.
    Hex(String),
}

/// The last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trailer {
    /// How many messages there are.
    pub(super) messages: u64,
}

impl Body {
    /// The body of a frame, without its newline.
    pub fn of(frame: &[u8]) -> Self {
        let Ok(text) = std::str::from_utf8(frame) else { return Self::Hex(hex::encode(frame)) };
        match serde_json::from_str::<Value>(text) {
            Ok(value) if serde_json::to_string(&value).is_ok_and(|written| written == text) => Self::Json(value),
            _ => Self::Text(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_frames_are_kept_as_they_were() {
        let plain = r#"{"b":1,"a":[1.50,"\u00e4"]}"#;
        assert!(matches!(Body::of(plain.as_bytes()), Body::Text(text) if text == plain), "not what a writer writes");
        assert!(matches!(Body::of(br#"{"b":1,"a":["x"]}"#), Body::Json(_)));
        assert!(matches!(Body::of(br#"{"a":1,"a":2}"#), Body::Text(_)));
        assert!(matches!(Body::of(b"not json"), Body::Text(_)));
        assert_eq!(Body::of(&[0xff, 0x00]), Body::Hex("ff00".to_owned()));
    }
}
