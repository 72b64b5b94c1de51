//! Request ids as MCP allows them: a string or an integer, never null, never a fraction.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest string id that is taken, in bytes. Ids are kept for the life of a call and echoed.
pub const MAX_ID_BYTES: usize = 256;

/// The id of a request as one peer chose it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum RequestId {
    /// An integer that fits 64 bits with sign, as in rmcp.
    Number(i64),
    /// A string of at most [`MAX_ID_BYTES`] bytes.
    Text(Box<str>),
}

impl RequestId {
    /// Reads an id; `None` for everything that MCP does not allow as one.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            // `1.0` and `1e0` are floats to the parser and are refused with the other fractions:
            // two readers need not agree on whether they equal `1`.
            Value::Number(number) => number.as_i64().map(Self::Number),
            Value::String(text) if text.len() <= MAX_ID_BYTES => Some(Self::Text(text.as_str().into())),
            _ => None,
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Finds the id in a frame that was refused, so that the refusal can name the request it answers.
///
/// The frame may be cut off or break any rule behind its id; members before it must be readable.
/// Nothing is decided by the result but whom an error is addressed to. A second `id` in the part
/// that can be read, or a variant of it in another case, makes the frame's id unknown.
pub(crate) fn probe_id(frame: &[u8]) -> Option<RequestId> {
    let mut found = Probe::default();
    let mut reader = serde_json::Deserializer::from_slice(frame);
    // An error only says that the frame ends or breaks somewhere: what was found before counts.
    let _ = reader.deserialize_map(&mut found);
    if found.ambiguous { None } else { found.id }
}

#[derive(Default)]
struct Probe {
    id: Option<RequestId>,
    seen: bool,
    ambiguous: bool,
}

impl<'de> Visitor<'de> for &mut Probe {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON-RPC object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            if !key.eq_ignore_ascii_case("id") {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.ambiguous |= self.seen || key != "id";
            self.seen = true;
            self.id = map.next_value::<Scalar>()?.0;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Key(String);

/// An id, or nothing for any other scalar; composite values end the probe with an error.
struct Scalar(Option<RequestId>);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Only;
        impl Visitor<'_> for Only {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scalar")
            }
            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(Some(RequestId::Number(number))))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(i64::try_from(number).ok().map(RequestId::Number)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                let fits = text.len() <= MAX_ID_BYTES;
                Ok(Scalar(fits.then(|| RequestId::Text(text.into()))))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
                Ok(Scalar(None))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Scalar, E> {
                Ok(Scalar(None))
            }
            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar(None))
            }
        }
        deserializer.deserialize_any(Only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_strings_and_integers_are_ids() {
        assert_eq!(RequestId::from_value(&json!(7)), Some(RequestId::Number(7)));
        assert_eq!(RequestId::from_value(&json!(-7)), Some(RequestId::Number(-7)));
        assert_eq!(RequestId::from_value(&json!("")), Some(RequestId::Text("".into())));
        for refused in [
            json!(null),
            json!(1.0),
            json!(1.5),
            json!(u64::MAX),
            json!(true),
            json!([1]),
            json!({"id": 1}),
            json!("x".repeat(MAX_ID_BYTES + 1)),
        ] {
            assert_eq!(RequestId::from_value(&refused), None, "{refused}");
        }
    }

    #[test]
    fn a_broken_frame_may_still_say_whom_to_answer() {
        let found = |frame: &str| probe_id(frame.as_bytes());
        let seven = Some(RequestId::Number(7));
        assert_eq!(found(r#"{"id":7,"method":"a","method":"b"}"#), seven);
        assert_eq!(found(r#"{"method":"a","id":7}"#), seven);
        assert_eq!(found(r#"{"id":7,"params":{"cut o"#), seven);
        assert_eq!(found(&format!(r#"{{"id":7,"p":{}"#, "[".repeat(65_536))), seven);
        assert_eq!(found(r#"{"id":7,"id":7}"#), None);
        assert_eq!(found(r#"{"id":7,"ID":8}"#), None);
        assert_eq!(found(r#"{"Id":7}"#), None);
        assert_eq!(found(r#"{"id":null}"#), None);
        assert_eq!(found(r#"{"id":[7]}"#), None);
        assert_eq!(found(r#"[{"id":7}]"#), None);
        assert_eq!(found(""), None);
    }
}
