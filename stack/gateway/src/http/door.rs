//! Who is let in: the name the listener is called by, the page that calls, and the token.

use axum::http::header::{AUTHORIZATION, AsHeaderName, HOST, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::config::{Holder, HttpConfig};
use super::meter::Later;

/// Why a request is turned away at the door.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Turned {
    #[error("this listener does not go by the name in `Host`: a page that brings its own name for it is refused")]
    Host,
    #[error("web pages of this `Origin` may not call this listener")]
    Origin,
    #[error("send `Authorization: Bearer` with the token of a grant: see `mcp-gateway grant add`")]
    NoToken,
    #[error("this token is of no open grant")]
    BadToken,
    #[error("too many requests: nothing was done, come back later")]
    TooMany(Later),
    #[error("the grants cannot be read, so nobody may pass")]
    Unreadable,
}

impl IntoResponse for Turned {
    fn into_response(self) -> Response {
        let text = format!("{self}\n");
        match self {
            Self::Host | Self::Origin => (StatusCode::FORBIDDEN, text).into_response(),
            Self::NoToken => (StatusCode::UNAUTHORIZED, challenge(""), text).into_response(),
            Self::BadToken => (StatusCode::UNAUTHORIZED, challenge(", error=\"invalid_token\""), text).into_response(),
            Self::TooMany(Later(ms)) => {
                let seconds = HeaderValue::from(ms.div_ceil(1000).max(1));
                (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds)], text).into_response()
            }
            Self::Unreadable => (StatusCode::SERVICE_UNAVAILABLE, text).into_response(),
        }
    }
}

/// RFC 6750, section 3.
fn challenge(more: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::try_from(format!("Bearer realm=\"mcp-gateway\"{more}"));
    headers.extend(value.ok().map(|value| (WWW_AUTHENTICATE, value)));
    headers
}

/// Checks by what name the listener is called, and from which page.
pub(super) fn place(config: &HttpConfig, headers: &HeaderMap) -> Result<(), Turned> {
    let host = only(headers, &HOST).ok().flatten().ok_or(Turned::Host)?;
    if !config
        .hosts
        .iter()
        .any(|allowed| host.eq_ignore_ascii_case(allowed) || without_port(host).eq_ignore_ascii_case(allowed))
    {
        return Err(Turned::Host);
    }
    match only(headers, &ORIGIN).map_err(|Ambiguous| Turned::Origin)? {
        None => Ok(()),
        Some(origin) if config.origins.iter().any(|allowed| origin.eq_ignore_ascii_case(allowed)) => Ok(()),
        // A page of the listener's own, called by a name that was found good.
        Some(origin) if is_of(origin, host) => Ok(()),
        Some(_) => Err(Turned::Origin),
    }
}

/// The grant of whoever sends a request.
pub(super) fn holder(config: &HttpConfig, headers: &HeaderMap, now_ms: u64) -> Result<Holder, Turned> {
    let authorization = only(headers, &AUTHORIZATION).map_err(|Ambiguous| Turned::BadToken)?;
    let token = authorization.map(bearer).transpose()?;
    match config.doorkeeper.holder(token, now_ms) {
        Ok(Some(holder)) => Ok(holder),
        Ok(None) if token.is_none() => Err(Turned::NoToken),
        Ok(None) => Err(Turned::BadToken),
        Err(error) => {
            tracing::error!(%error, "the grants cannot be read: nobody may pass");
            Err(Turned::Unreadable)
        }
    }
}

/// A header that is there twice, of which one reader takes the first value and another the last; or one that is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// The one value of a header, if it is there.
pub(super) fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&str>, Ambiguous> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Ambiguous);
    }
    first.map(|value| value.to_str().map_err(|_| Ambiguous)).transpose()
}

fn bearer(authorization: &str) -> Result<&str, Turned> {
    let (scheme, token) = authorization.split_once(' ').ok_or(Turned::BadToken)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim_matches(' ')) } else { Err(Turned::BadToken) }
}

/// Whether an origin is that of `host` itself.
fn is_of(origin: &str, host: &str) -> bool {
    let authority = origin.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"));
    authority.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

/// `[::1]:80` without its port is `[::1]`.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<_>>()
            .into_iter()
            .fold(HeaderMap::new(), |mut map, (name, value): (axum::http::HeaderName, HeaderValue)| {
                map.append(name, value);
                map
            })
    }

    #[test]
    fn only_known_names_and_pages_come_in() {
        let config = HttpConfig {
            origins: vec!["https://desk.example".to_owned()],
            ..HttpConfig::new(Arc::new(super::super::config::Open("desk".to_owned())))
        };
        let place = |pairs: &[(&'static str, &str)]| place(&config, &headers(pairs));
        for host in ["127.0.0.1", "127.0.0.1:8700", "LOCALHOST:1", "[::1]", "[::1]:8700"] {
            assert_eq!(place(&[("host", host)]), Ok(()), "{host}");
        }
        for host in ["", "evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "::1", "127.0.0.1:8700x"] {
            assert_eq!(place(&[("host", host)]), Err(Turned::Host), "{host}");
        }
        assert_eq!(place(&[]), Err(Turned::Host));
        assert_eq!(place(&[("host", "localhost"), ("host", "localhost")]), Err(Turned::Host));
        let from = |origin| place(&[("host", "localhost"), ("origin", origin)]);
        assert_eq!(from("https://desk.example"), Ok(()));
        // A page of the listener's own is no stranger, under the name and port that it was called by.
        let own = |host: &str, origin: &str| place(&[("host", host), ("origin", origin)]);
        assert_eq!(own("127.0.0.1:8700", "http://127.0.0.1:8700"), Ok(()));
        assert_eq!(own("localhost", "https://LOCALHOST"), Ok(()));
        for origin in ["http://127.0.0.1:8701", "http://localhost:8700", "file://127.0.0.1:8700", "127.0.0.1:8700"] {
            assert_eq!(own("127.0.0.1:8700", origin), Err(Turned::Origin), "{origin}");
        }
        assert_eq!(own("evil.example", "http://evil.example"), Err(Turned::Host));
        for origin in ["null", "http://localhost:8700", "https://desk.example.evil", ""] {
            assert_eq!(from(origin), Err(Turned::Origin), "{origin}");
        }
    }

    #[test]
    fn a_token_is_read_in_one_way() {
        struct Echo;
        impl super::super::config::Doorkeeper for Echo {
            fn holder(&self, token: Option<&str>, _: u64) -> Result<Option<Holder>, String> {
                match token {
                    Some("broken") => Err("no disk".to_owned()),
                    token => Ok(token
                        .filter(|token| *token == "t")
                        .map(|_| Holder { grant: "desk".to_owned(), has_policy: false })),
                }
            }
        }
        let config = HttpConfig::new(Arc::new(Echo));
        let holder = |pairs: &[(&'static str, &str)]| holder(&config, &headers(pairs), 0).map(|holder| holder.grant);
        assert_eq!(holder(&[("authorization", "Bearer t")]).as_deref(), Ok("desk"));
        assert_eq!(holder(&[("authorization", "bearer  t ")]).as_deref(), Ok("desk"));
        assert_eq!(holder(&[]), Err(Turned::NoToken));
        for bad in ["Bearer", "Bearer ", "Bearer u", "Basic t", "t", "Bearert"] {
            assert_eq!(holder(&[("authorization", bad)]), Err(Turned::BadToken), "{bad}");
        }
        let twice = [("authorization", "Bearer t"), ("authorization", "Bearer t")];
        assert_eq!(holder(&twice), Err(Turned::BadToken));
        assert_eq!(holder(&[("authorization", "Bearer broken")]), Err(Turned::Unreadable));
    }
}
