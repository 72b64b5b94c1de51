//! Whom the control interface listens to: programs on this machine, not web pages that a browser on it shows.
//!
//! A page can make a browser send requests to a port of the machine. It gives itself away by an `Origin`; and where
//! its own host name was made to point at this machine (DNS rebinding), by a foreign `Host`.

use std::net::SocketAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::Problem;

/// Lets a request pass, or refuses it with 403.
pub(crate) async fn check(own: SocketAddr, request: Request, next: Next) -> Response {
    match refusal(own, request.headers()) {
        None => next.run(request).await,
        Some(message) => Problem::new(StatusCode::FORBIDDEN, "forbidden", message).into_response(),
    }
}

fn refusal(own: SocketAddr, headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let named: Vec<String> = vec![own.to_string(), format!("localhost:{}", own.port())];
    let host = text(header::HOST);
    if !host.is_some_and(|host| named.iter().any(|own| own.eq_ignore_ascii_case(host))) {
        let host = host.unwrap_or_default();
        return Some(format!("the Host header is `{host}`: address the control interface as {}", named.join(" or ")));
    }
    if headers.get_all(header::HOST).iter().count() > 1 {
        return Some("there are several Host headers: send one".to_owned());
    }
    // A page's own origin would be this interface, which serves no pages.
    text(header::ORIGIN).map(|origin| {
        format!("the request comes from a web page (Origin `{origin}`): the control interface is not for browsers")
    })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn refused(pairs: &[(HeaderName, &'static str)]) -> bool {
        let own = SocketAddr::from(([127, 0, 0, 1], 4000));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        refusal(own, &headers).is_some()
    }

    #[test]
    fn only_programs_that_name_this_machine_pass() {
        for host in ["127.0.0.1:4000", "localhost:4000", "LocalHost:4000"] {
            assert!(!refused(&[(header::HOST, host)]), "{host}");
        }
        for host in ["", "evil.example:4000", "127.0.0.1", "127.0.0.1:4001", "127.0.0.1:4000.evil.example"] {
            assert!(refused(&[(header::HOST, host)]), "{host}");
        }
        assert!(refused(&[]));
        assert!(refused(&[(header::HOST, "localhost:4000"), (header::HOST, "localhost:4000")]));
        for origin in ["http://evil.example", "null", "http://127.0.0.1:4000"] {
            assert!(refused(&[(header::HOST, "127.0.0.1:4000"), (header::ORIGIN, origin)]), "{origin}");
        }
    }
}
