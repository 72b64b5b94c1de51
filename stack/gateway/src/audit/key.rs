//! Keyed digests of arguments: equal calls can be recognised, values cannot be guessed from them.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The shortest key that is taken, in bytes.
const MIN_KEY_BYTES: usize = 16;

/// The key under which the audit digests arguments.
///
/// Without a key there is no digest: the arguments of an order are so few and so regular that a
/// plain hash is as good as the values.
#[derive(Clone)]
pub struct AuditKey {
    keyed: Hmac<Sha256>,
}

/// A key that gives no protection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit key has {length} bytes: use at least {MIN_KEY_BYTES} random ones")]
pub struct AuditKeyTooShort {
    length: usize,
}

impl AuditKey {
    /// A key of at least 16 bytes, which should be random.
    pub fn new(key: &[u8]) -> Result<Self, AuditKeyTooShort> {
        let too_short = AuditKeyTooShort { length: key.len() };
        if key.len() < MIN_KEY_BYTES {
            return Err(too_short);
        }
        // HMAC takes keys of any length.
        let keyed = Hmac::<Sha256>::new_from_slice(key).map_err(|_| too_short)?;
        Ok(Self { keyed })
    }

    /// HMAC-SHA256 in lower-case hex of the arguments' canonical text: compact JSON with the keys
    /// of every object in the order of their bytes.
    pub fn digest(&self, arguments: &Map<String, Value>) -> String {
        let mut text = Vec::new();
        push_sorted(&mut text, arguments);
        let mut keyed = self.keyed.clone();
        keyed.update(&text);
        hex::encode(keyed.finalize().into_bytes())
    }

    /// A key of its own for the chain of records, so that a digest of arguments is never one of a record.
    pub(crate) fn for_chain(&self) -> Hmac<Sha256> {
        let mut keyed = self.keyed.clone();
        keyed.update(b"mcp-gateway audit chain, version 1");
        let key = keyed.finalize().into_bytes();
        // HMAC takes keys of any length; the first key stands in for a failure that cannot be.
        Hmac::<Sha256>::new_from_slice(&key).unwrap_or_else(|_| self.keyed.clone())
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey(..)")
    }
}

/// SHA-256 of a policy document's source in lower-case hex: the `policy` of audit lines.
pub fn policy_digest(source: &str) -> String {
    hex::encode(Sha256::digest(source.as_bytes()))
}

fn push_sorted(text: &mut Vec<u8>, object: &Map<String, Value>) {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_unstable_by_key(|(key, _)| *key);
    text.push(b'{');
    for (at, (key, value)) in members.into_iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        push_value(text, &Value::String(key.clone()));
        text.push(b':');
        push_value(text, value);
    }
    text.push(b'}');
}

/// Recursion is bounded by the depth that strict parsing admits.
fn push_value(text: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(object) => push_sorted(text, object),
        Value::Array(items) => {
            text.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                push_value(text, item);
            }
            text.push(b']');
        }
        scalar => text.extend_from_slice(scalar.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_order_of_keys_does_not_matter_at_any_depth() {
        let key = AuditKey::new(&[7; 32]).unwrap();
        let one = key.digest(&object(r#"{"a":{"x":1,"y":["\n",{"p":1,"q":2}]},"b":"2"}"#));
        let two = key.digest(&object(r#"{"b":"2","a":{"y":["\n",{"q":2,"p":1}],"x":1}}"#));
        assert_eq!(one, two);
        assert_ne!(one, key.digest(&object(r#"{"a":{"x":1,"y":["\n",{"p":1,"q":2}]},"b":2}"#)));
        assert_ne!(one, AuditKey::new(&[8; 32]).unwrap().digest(&object(r#"{"a":1}"#)));
    }

    #[test]
    fn the_digest_is_plain_hmac_over_the_canonical_text() {
        let key = AuditKey::new(b"0123456789abcdef").unwrap();
        let mut expected = Hmac::<Sha256>::new_from_slice(b"0123456789abcdef").unwrap();
        expected.update(b"{\"a\":[1,{}],\"b\":null}");
        assert_eq!(key.digest(&object(r#"{"b":null, "a":[1,{}]}"#)), hex::encode(expected.finalize().into_bytes()));
    }

    #[test]
    fn short_keys_are_refused_and_keys_are_never_shown() {
        assert!(AuditKey::new(&[0; 15]).is_err());
        assert_eq!(format!("{:?}", AuditKey::new(b"0123456789abcdef").unwrap()), "AuditKey(..)");
    }

    #[test]
    fn a_policy_is_named_by_its_sha_256() {
        assert_eq!(policy_digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
