//! What the server is told at start: where the exchange is, who we are, which clock to believe.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::error::ConfigError;

/// The clock of the server: milliseconds since the Unix epoch.
pub type NowMs = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The real exchange (REST reference, "General API Information"). Needs the feature `tls`.
pub const DEFAULT_BASE_URL: &str = "https://api.binance.com";

/// The largest `recvWindow` that the exchange takes (REST reference, "Timing security").
pub const MAX_RECV_WINDOW_MS: u64 = 60_000;

/// The clock of the operating system.
pub fn system_clock() -> NowMs {
    Arc::new(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| u64::try_from(since.as_millis()).ok())
            .unwrap_or_default()
    })
}

/// How to reach the exchange. Start from [`Config::new`] and change what differs.
#[derive(Clone)]
pub struct Config {
    /// Scheme, host and port of the exchange, for example `http://127.0.0.1:8080`.
    pub base_url: String,
    /// Needed by the private tools; the public ones work without.
    pub credentials: Option<Credentials>,
    /// Sent as `recvWindow` when a call does not give its own; 1 to 60,000 ms, 5,000 by default.
    pub recv_window_ms: u64,
    /// Source of `timestamp` in signed requests.
    pub clock: NowMs,
    /// Requests that may be under way at once. Waiting calls are served first come, first served,
    /// so that with 1 (on a current-thread runtime) requests leave in the order of the calls.
    pub max_in_flight: usize,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a request may take in all. The exchange itself gives up after 10 s.
    pub request_timeout: Duration,
    /// Permits credentials over plain `http` to a host that is not this machine.
    pub allow_cleartext: bool,
}

impl Config {
    /// The defaults, for the exchange at `base_url`: no credentials, the system clock.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            credentials: None,
            recv_window_ms: 5_000,
            clock: system_clock(),
            max_in_flight: 8,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(15),
            allow_cleartext: false,
        }
    }

    /// The base URL without a trailing slash, or why it cannot serve.
    pub(crate) fn checked_base_url(&self) -> Result<String, ConfigError> {
        let refuse = |why| ConfigError::BaseUrl { why };
        let url = Url::parse(self.base_url.trim()).map_err(|_| refuse("it is not a URL"))?;
        // The URL is not repeated in messages: a password may stand in it.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds a user name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it has a query or a fragment"));
        }
        if url.host_str().is_none() {
            return Err(refuse("it names no host"));
        }
        match url.scheme() {
            "https" if cfg!(feature = "tls") => {}
            "https" => return Err(ConfigError::NoTls),
            "http" => {
                if self.credentials.is_some() && !self.allow_cleartext && !is_loopback(&url) {
                    return Err(ConfigError::Cleartext);
                }
            }
            _ => return Err(refuse("its scheme is neither `http` nor `https`")),
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }

    /// The numbers, or the first that is out of its range.
    pub(crate) fn check_numbers(&self) -> Result<(), ConfigError> {
        if !(1..=MAX_RECV_WINDOW_MS).contains(&self.recv_window_ms) {
            return Err(ConfigError::RecvWindow { given: self.recv_window_ms });
        }
        if self.max_in_flight == 0 {
            return Err(ConfigError::NothingInFlight);
        }
        Ok(())
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The base URL is left out while unchecked: it may hold a password.
        f.debug_struct("Config")
            .field("credentials", &self.credentials)
            .field("recv_window_ms", &self.recv_window_ms)
            .field("max_in_flight", &self.max_in_flight)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .finish_non_exhaustive()
    }
}

/// An API key and its HMAC secret. Neither is ever printed.
#[derive(Clone)]
pub struct Credentials {
    api_key: SecretString,
    secret_key: SecretString,
}

impl Credentials {
    /// Takes the pair as it was issued; white space round it is dropped.
    pub fn new(api_key: &str, secret_key: &str) -> Result<Self, ConfigError> {
        Ok(Self { api_key: key("API key", api_key)?, secret_key: key("secret key", secret_key)? })
    }

    pub(crate) fn api_key(&self) -> &str {
        self.api_key.expose_secret()
    }

    pub(crate) fn secret_key(&self) -> &SecretString {
        &self.secret_key
    }

    /// `text` without the two keys, should a server have sent them back.
    pub(crate) fn redact(&self, text: String) -> String {
        let text = replace(text, self.api_key.expose_secret());
        replace(text, self.secret_key.expose_secret())
    }
}

/// `text` with every `secret` in it replaced. A handful of characters is not searched for:
/// replacing them would only spoil answers.
pub(crate) fn replace(text: String, secret: &str) -> String {
    if secret.len() >= 8 && text.contains(secret) { text.replace(secret, "[redacted]") } else { text }
}

fn key(which: &'static str, text: &str) -> Result<SecretString, ConfigError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ConfigError::EmptyKey { which });
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConfigError::IllegalKey { which });
    }
    Ok(SecretString::from(text))
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base_url: &str, with_keys: bool, expected: Result<&str, &str>) {
        let mut config = Config::new(base_url);
        if with_keys {
            config.credentials = Some(Credentials::new("some-key", "some-secret").unwrap());
        }
        let found = config.checked_base_url().map_err(|error| error.to_string());
        match expected {
            Ok(url) => assert_eq!(found.as_deref(), Ok(url), "{base_url}"),
            Err(part) => {
                let message = found.expect_err(base_url);
                assert!(message.contains(part), "{base_url}: {message}");
            }
        }
    }

    #[test]
    fn base_urls() {
        check("http://127.0.0.1:80/", true, Ok("http://127.0.0.1"));
        check("http://[::1]:81", true, Ok("http://[::1]:81"));
        check("http://localhost:81/mock/", true, Ok("http://localhost:81/mock"));
        check("http://exchange.test", false, Ok("http://exchange.test"));
        check("http://exchange.test", true, Err("plain `http`"));
        check("http://127.0.0.1.exchange.test", true, Err("plain `http`"));
        check("ftp://127.0.0.1", false, Err("scheme"));
        check("127.0.0.1", false, Err("not a URL"));
        check("http://me:pass@127.0.0.1", false, Err("password"));
        check("http://127.0.0.1/?a=b", false, Err("query"));
        #[cfg(not(feature = "tls"))]
        check(DEFAULT_BASE_URL, false, Err("--features tls"));
        #[cfg(feature = "tls")]
        check(DEFAULT_BASE_URL, true, Ok(DEFAULT_BASE_URL));
    }

    #[test]
    fn cleartext_can_be_permitted() {
        let mut config = Config::new("http://exchange.test");
        config.credentials = Some(Credentials::new("some-key", "some-secret").unwrap());
        config.allow_cleartext = true;
        assert!(config.checked_base_url().is_ok());
    }

    #[test]
    fn numbers_have_bounds() {
        for (recv_window_ms, max_in_flight, fits) in
            [(1, 1, true), (60_000, 1, true), (0, 1, false), (60_001, 1, false), (1, 0, false)]
        {
            let mut config = Config::new("http://127.0.0.1");
            config.recv_window_ms = recv_window_ms;
            config.max_in_flight = max_in_flight;
            assert_eq!(config.check_numbers().is_ok(), fits, "{config:?}");
        }
    }

    #[test]
    fn keys_are_printable_and_never_printed() {
        assert!(Credentials::new(" \n", "x").is_err());
        assert!(Credentials::new("x", "").is_err());
        assert!(Credentials::new("with space", "x").is_err());
        let keys = Credentials::new(" canary-key \n", "canary-secret\n").unwrap();
        assert_eq!(keys.api_key(), "canary-key");
        let mut config = Config::new("http://127.0.0.1");
        config.credentials = Some(keys);
        assert!(!format!("{config:?}").contains("canary"), "{config:?}");
    }
}
