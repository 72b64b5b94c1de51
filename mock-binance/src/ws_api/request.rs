//! What a frame asks for.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::{self, Write as _};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json;

/// One request.
pub(crate) struct Request {
    /// Told again in the answer: a whole number, a string of at most 36 characters, or null.
    pub(crate) id: Value,
    pub(crate) method: String,
    /// Name and value as text, sorted by name, each name once.
    pub(crate) params: Vec<(String, String)>,
    /// Whether the frame gave a name more than once. Only the first value is kept: the request is refused anyway.
    pub(crate) duplicate: bool,
}

/// A frame that is no request: what is wrong with it, and its id when that could be read.
pub(crate) struct Malformed {
    pub(crate) id: Value,
    pub(crate) why: &'static str,
}

const ID_LEN_MAX: usize = 36;

#[derive(Deserialize)]
struct Frame {
    #[serde(default)]
    id: Value,
    method: Option<Value>,
    params: Option<Box<RawValue>>,
}

pub(crate) fn read(frame: &str) -> Result<Request, Malformed> {
    let Ok(Frame { id, method, params }) = serde_json::from_str::<Frame>(frame) else {
        return Err(Malformed { id: Value::Null, why: "Request is not valid JSON." });
    };
    let is_id = match &id {
        Value::Null => true,
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::String(text) => text.chars().count() <= ID_LEN_MAX,
        _ => false,
    };
    if !is_id {
        return Err(Malformed { id: Value::Null, why: "'id' must be a whole number, a string or null." });
    }
    let Some(Value::String(method)) = method else {
        return Err(Malformed { id, why: "Mandatory parameter 'method' was not sent, was empty/null, or malformed." });
    };
    let Ok(Named { values, duplicate }) =
        params.map_or(Ok(Named::default()), |params| serde_json::from_str(params.get()))
    else {
        return Err(Malformed { id, why: "'params' must be an object." });
    };
    let params = values.into_iter().map(|(name, value)| (name, text(&value))).collect();
    Ok(Request { id, method, params, duplicate })
}

/// The members of `params`. JSON lets a name come twice, and maps would quietly keep the last value.
#[derive(Default)]
struct Named {
    values: BTreeMap<String, Box<RawValue>>,
    duplicate: bool,
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of parameters")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Named, A::Error> {
        let mut named = Named::default();
        while let Some((name, value)) = members.next_entry()? {
            match named.values.entry(name) {
                Entry::Vacant(free) => {
                    free.insert(value);
                }
                Entry::Occupied(_) => named.duplicate = true,
            }
        }
        Ok(named)
    }
}

/// A string as it is, anything else as its JSON text (`0.10` stays `0.10`): so it is signed, and so it is understood.
/// Only a list of words loses its blanks, which are nobody's meaning: many JSON writers put one after each comma.
fn text(value: &RawValue) -> String {
    let json = value.get();
    serde_json::from_str(json)
        .or_else(|_| serde_json::from_str::<Vec<String>>(json).map(|words| json::text(&words)))
        .unwrap_or_else(|_| json.to_owned())
}

impl Request {
    /// Takes a parameter out that is not the endpoint's.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.params.iter().position(|(known, _)| known == name)?;
        Some(self.params.remove(at).1)
    }

    /// What is signed: everything but the signature, by name. `encode` is how values are written.
    pub(crate) fn payload(&self, encode: fn(&str) -> String) -> String {
        let pairs = self.params.iter().filter(|(name, _)| name != "signature");
        let mut payload = String::new();
        for (name, value) in pairs {
            let between = if payload.is_empty() { "" } else { "&" };
            // Writing to a string cannot fail.
            let _ = write!(payload, "{between}{name}={}", encode(value));
        }
        payload
    }
}

/// Values as they are: what the documentation asks for.
pub(crate) fn raw(value: &str) -> String {
    value.to_owned()
}

/// Values percent-encoded, as several client libraries sign them.
pub(crate) fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_sorted_and_numbers_keep_their_text() {
        let frame = r#"{"id":1,"method":"order.place","params":{"symbol":"BTCUSDT","price":50000,"quantity":0.10,
                       "returnRateLimits":false,"signature":"x","apiKey":"k"}}"#;
        let request = read(frame).ok().expect("a request");
        let signed = "apiKey=k&price=50000&quantity=0.10&returnRateLimits=false&symbol=BTCUSDT";
        assert_eq!(request.payload(raw), signed);
        assert_eq!(percent_encoded("a b/\u{4e00}-~"), "a%20b%2F%E4%B8%80-~");
    }

    #[test]
    fn lists_of_words_are_written_without_blanks_and_other_values_as_they_stand() {
        for (value, expected) in [
            (r#"["BTCUSDT", "ETHUSDT"]"#, r#"["BTCUSDT","ETHUSDT"]"#),
            ("[ \"A\"\n, \"a b\" ]", r#"["A","a b"]"#),
            ("[ ]", "[]"),
            ("[1, 2.50]", "[1, 2.50]"),
            ("0.10", "0.10"),
            (r#""[ ]""#, "[ ]"),
        ] {
            let frame = format!(r#"{{"method":"exchangeInfo","params":{{"symbols":{value}}}}}"#);
            let request = read(&frame).ok().expect("a request");
            assert_eq!(request.params, [("symbols".to_owned(), expected.to_owned())]);
        }
    }

    #[test]
    fn a_name_that_comes_twice_is_noticed() {
        let duplicate = |params: &str| {
            let request = read(&format!(r#"{{"method":"depth","params":{params}}}"#)).ok().expect("a request");
            (request.duplicate, request.params.len())
        };
        assert_eq!(duplicate(r#"{"symbol":"A","limit":5}"#), (false, 2));
        assert_eq!(duplicate(r#"{"symbol":"A","limit":5,"symbol":"B"}"#), (true, 2));
        // The same name, written differently.
        assert_eq!(duplicate(r#"{"symbol":"A","s\u0079mbol":"A"}"#), (true, 1));
        assert_eq!(duplicate("null"), (false, 0));
    }

    #[test]
    fn what_is_no_request_is_named() {
        for (frame, why) in [
            ("{", "Request is not valid JSON."),
            (r#"{"id":1.5,"method":"ping"}"#, "'id' must be a whole number, a string or null."),
            (r#"{"id":1}"#, "Mandatory parameter 'method' was not sent, was empty/null, or malformed."),
            (r#"{"id":1,"method":"ping","params":[1]}"#, "'params' must be an object."),
        ] {
            assert_eq!(read(frame).err().map(|malformed| malformed.why), Some(why), "{frame}");
        }
    }
}
