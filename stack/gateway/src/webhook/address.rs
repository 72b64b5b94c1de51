//! Where notices go, and what they are signed with.

use std::fmt;
use std::net::IpAddr;

use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A shorter secret could be guessed.
const SECRET_MIN: usize = 16;

/// Why there is no such webhook.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadWebhook {
    /// The text is no address. It is not repeated: it may hold a secret.
    #[error(
        "the approval webhook is no address: write it as `https://desk.example/hook`, without a user or a password"
    )]
    Url,
    /// Nothing is encrypted on the way there.
    #[error(
        "the approval webhook at `{0}` would be told in plain text beyond this machine: use `https`, or an address of \
         the loopback, or say `--approval-webhook-plain-text`"
    )]
    PlainText(String),
    /// This build speaks no TLS.
    #[error("the approval webhook wants `https`, which this build does not speak: use one with the feature `tls`")]
    NoTls,
    /// The secret could be guessed, or says that it is Base64 and is not.
    #[error("the secret of the approval webhook must have at least {SECRET_MIN} bytes, after `whsec_` in Base64")]
    Secret,
    /// The client cannot be made.
    #[error("the client for the approval webhook cannot be made: {0}")]
    Client(String),
}

/// What the receiver knows a notice by. It is never shown.
#[derive(Clone)]
pub struct WebhookSecret(Vec<u8>);

impl WebhookSecret {
    /// The bytes of `text`; where it begins with `whsec_`, what follows is Base64, as Standard Webhooks writes secrets.
    ///
    /// # Errors
    /// It could be guessed, or is no Base64.
    pub fn new(text: &str) -> Result<Self, BadWebhook> {
        let text = text.trim();
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| BadWebhook::Secret)?,
            None => text.as_bytes().to_vec(),
        };
        if bytes.len() < SECRET_MIN { Err(BadWebhook::Secret) } else { Ok(Self(bytes)) }
    }

    /// The value of `webhook-signature`: HMAC-SHA256 of id, time and body.
    pub(super) fn sign(&self, id: &str, timestamp: u64, body: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body.as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

/// Reads an address; `plain_text` lets notices leave this machine unencrypted.
pub(super) fn read(url: &str, plain_text: bool) -> Result<Uri, BadWebhook> {
    let uri = Uri::try_from(url).map_err(|_| BadWebhook::Url)?;
    let authority = uri.authority().ok_or(BadWebhook::Url)?;
    let host = authority.host();
    if host.is_empty() || authority.as_str().contains('@') {
        return Err(BadWebhook::Url);
    }
    match uri.scheme_str() {
        Some("https") if cfg!(feature = "tls") => {}
        Some("https") => return Err(BadWebhook::NoTls),
        Some("http") if plain_text || is_loopback(host) => {}
        Some("http") => return Err(BadWebhook::PlainText(host.to_owned())),
        _ => return Err(BadWebhook::Url),
    }
    Ok(uri)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_encrypted_or_stays_here_is_an_address() {
        for url in ["http://127.0.0.1:9/x", "http://localhost/x?y=1", "http://[::1]:9/", "http://127.8.0.1/"] {
            assert!(read(url, false).is_ok(), "{url}");
        }
        for url in [
            "http://desk.example/x",
            "http://localhost.example/",
            "http://10.0.0.1/",
            "http://[2001:db8::1]/",
            "http://0.0.0.0/",
            "http://2130706433.example/",
        ] {
            assert!(matches!(read(url, false), Err(BadWebhook::PlainText(_))), "{url}");
            assert!(read(url, true).is_ok(), "{url}");
        }
        for url in
            ["", "x", "ftp://127.0.0.1/", "file:///etc/passwd", "http://canary:canary@127.0.0.1/", "http://canary@x/"]
        {
            let error = read(url, true).unwrap_err();
            assert!(matches!(error, BadWebhook::Url) && !error.to_string().contains("canary"), "{url}: {error}");
        }
        assert_eq!(read("https://desk.example/x", false).is_ok(), cfg!(feature = "tls"));
    }

    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        // The example of the specification's own libraries.
        let secret = WebhookSecret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#).unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for bad in ["", "short", "whsec_c2hvcnQ=", "whsec_!", "fifteen-bytes-x"] {
            assert!(matches!(WebhookSecret::new(bad), Err(BadWebhook::Secret)), "{bad}");
        }
        assert_eq!(format!("{secret:?}"), "WebhookSecret(..)");
    }
}
