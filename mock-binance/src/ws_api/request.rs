//! What a frame asks for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// One request.
pub(crate) struct Request {
    /// Told again in the answer: a whole number, a string of at most 36 characters, or null.
    pub(crate) id: Value,
    pub(crate) method: String,
    /// Name and value as text, sorted by name.
    pub(crate) params: Vec<(String, String)>,
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
    let Ok(params) = params.map_or(Ok(BTreeMap::new()), |params| serde_json::from_str(params.get())) else {
        return Err(Malformed { id, why: "'params' must be an object." });
    };
    let params: BTreeMap<String, Box<RawValue>> = params;
    let params = params.into_iter().map(|(name, value)| (name, text(&value))).collect();
    Ok(Request { id, method, params })
}

/// A string as it is, anything else as its JSON text (`0.10` stays `0.10`): so it is signed, and so it is understood.
fn text(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
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
