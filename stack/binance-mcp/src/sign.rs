//! Parameters as bytes, and the signature over exactly these bytes
//! (REST reference, "SIGNED Endpoint security").

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// `name=value` pairs joined by `&`, percent-encoded once as they are added.
#[derive(Debug, Default)]
pub(crate) struct Parameters(String);

impl Parameters {
    /// Adds one pair at the end.
    pub(crate) fn push(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        encode(&mut self.0, name);
        self.0.push('=');
        encode(&mut self.0, value);
    }

    /// Signs what was added so far, adds the signature last, and returns it.
    pub(crate) fn sign(&mut self, secret_key: &SecretString) -> String {
        let signature = signature(&self.0, secret_key);
        self.push("signature", &signature);
        signature
    }

    /// The bytes to send, as query string or as form body.
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Lower-case hex HMAC-SHA256 of `payload`.
#[expect(clippy::expect_used, reason = "the constructor's error belongs to other MACs")]
fn signature(payload: &str, secret_key: &SecretString) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret_key.expose_secret().as_bytes()).expect("HMAC takes keys of every length");
    mac.update(payload.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// RFC 3986: everything but the unreserved characters becomes `%XX`.
fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn published_vectors() {
        let file = include_str!("../tests/data/signing_vectors.json");
        let vectors: Value = serde_json::from_str(file).unwrap();
        let vectors = vectors["vectors"].as_array().unwrap();
        assert_eq!(vectors.len(), 3);
        for vector in vectors {
            let secret = SecretString::from(vector["secret"].as_str().unwrap());
            let payload = vector["payload"].as_str().unwrap();
            assert_eq!(signature(payload, &secret), vector["signature_hex"].as_str().unwrap(), "{}", vector["name"]);
        }
    }

    #[test]
    fn the_signature_comes_last_and_covers_what_stands_before() {
        let file = include_str!("../tests/data/signing_vectors.json");
        let vectors: Value = serde_json::from_str(file).unwrap();
        let vector = &vectors["vectors"][1];
        let mut parameters = Parameters::default();
        for (name, value) in [
            ("symbol", "１２３４５６"),
            ("side", "BUY"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "1"),
            ("price", "0.1"),
            ("recvWindow", "5000"),
            ("timestamp", "1499827319559"),
        ] {
            parameters.push(name, value);
        }
        let signature = parameters.sign(&SecretString::from(vector["secret"].as_str().unwrap()));
        assert_eq!(signature, vector["signature_hex"].as_str().unwrap());
        assert_eq!(parameters.into_string(), format!("{}&signature={signature}", vector["payload"].as_str().unwrap()));
    }

    #[test]
    fn encoding() {
        for (text, expected) in [
            ("aZ09-._~", "aZ09-._~"),
            (r#"["BTCUSDT"]"#, "%5B%22BTCUSDT%22%5D"),
            ("a b+c&d=e%", "a%20b%2Bc%26d%3De%25"),
            ("é", "%C3%A9"),
        ] {
            let mut out = String::new();
            encode(&mut out, text);
            assert_eq!(out, expected);
        }
    }
}
