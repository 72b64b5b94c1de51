//! What the headers of a request say about its body, and whether the body says the same.
//!
//! MCP 2026-07-28 repeats method, name and version in headers, so that a proxy need not read bodies. Whoever decides by
//! the one and acts by the other can be made to let through what it would refuse; so they must be equal.

use std::borrow::Cow;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::door::only;
use crate::wire::envelope::Message;
use crate::wire::text::shown;
use crate::wire::{Refusal, SUPPORTED_VERSIONS};

pub(super) const VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// From this version on there are no sessions. Versions are dates and compare as such.
const STATELESS_SINCE: &str = "2026-07-28";
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    /// It keeps a session.
    Sessions,
    /// Each of its requests stands alone.
    Stateless,
}

/// The era that the version in the header belongs to; clients before 2025-06-18 send none.
pub(super) fn era(headers: &HeaderMap) -> Result<Era, Refusal> {
    let version = only(headers, VERSION).map_err(|_| Refusal::HeaderMismatch { header: "MCP-Protocol-Version" })?;
    match version {
        None => Ok(Era::Sessions),
        Some(STATELESS_SINCE) => Ok(Era::Stateless),
        Some(version) if SUPPORTED_VERSIONS.contains(&version) => Ok(Era::Sessions),
        Some(version) => Err(Refusal::UnsupportedVersion { version: shown(version) }),
    }
}

/// Whether the body is what the headers say it is.
pub(super) fn check(era: Era, headers: &HeaderMap, message: &Message) -> Result<(), Refusal> {
    let (Message::Request { method, params, .. } | Message::Notification { method, params }) = message else {
        agree(headers, METHOD, "Mcp-Method", None, false)?;
        return agree(headers, NAME, "Mcp-Name", None, false);
    };
    let params = params.as_ref();
    let must = era == Era::Stateless;
    agree(headers, METHOD, "Mcp-Method", Some(method), must)?;
    let name = match method.as_str() {
        "tools/call" | "prompts/get" => text(params, "name"),
        "resources/read" => text(params, "uri"),
        // Nobody decides anything by the name of what has none.
        _ => return version(headers, params, must),
    };
    agree(headers, NAME, "Mcp-Name", name, must)?;
    version(headers, params, must)
}

fn text<'a>(params: Option<&'a Map<String, Value>>, member: &str) -> Option<&'a str> {
    params?.get(member)?.as_str()
}

fn version(headers: &HeaderMap, params: Option<&Map<String, Value>>, must: bool) -> Result<(), Refusal> {
    let said = params.and_then(|params| params.get("_meta")).and_then(|meta| meta.get(VERSION_KEY));
    match said {
        None => Ok(()),
        Some(said) => agree(headers, VERSION, "MCP-Protocol-Version", said.as_str(), must),
    }
}

/// `must` says whether the header has to be there if the body has something that it could repeat. A header that is there
/// has to be right in any case.
fn agree(headers: &HeaderMap, name: &str, shown: &'static str, body: Option<&str>, must: bool) -> Result<(), Refusal> {
    let mismatch = Refusal::HeaderMismatch { header: shown };
    let header = only(headers, name).map_err(|_| mismatch.clone())?;
    match (header, body) {
        (None, None) => Ok(()),
        (None, Some(_)) => {
            if must {
                Err(mismatch)
            } else {
                Ok(())
            }
        }
        (Some(header), body) => {
            let header = decoded(header).ok_or_else(|| mismatch.clone())?;
            if Some(header.as_ref()) == body { Ok(()) } else { Err(mismatch) }
        }
    }
}

/// What does not fit a header is sent as `=?base64?…?=`.
fn decoded(header: &str) -> Option<Cow<'_, str>> {
    let Some(inner) = header.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Some(Cow::Borrowed(header));
    };
    String::from_utf8(STANDARD.decode(inner).ok()?).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(era: Era, headers: &[(&'static str, &str)], body: Value) -> Result<(), &'static str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let message = crate::wire::envelope::read(body).unwrap();
        check(era, &map, &message).map_err(|refusal| match refusal {
            Refusal::HeaderMismatch { header } => header,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn headers_and_body_say_the_same() {
        let call = |name: &str| json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name}});
        let right = [("mcp-method", "tools/call"), ("mcp-name", "echo")];
        assert_eq!(checked(Era::Stateless, &right, call("echo")), Ok(()));
        assert_eq!(checked(Era::Sessions, &right, call("echo")), Ok(()));
        assert_eq!(checked(Era::Sessions, &[], call("echo")), Ok(()));
        assert_eq!(checked(Era::Stateless, &right, call("withdraw")), Err("Mcp-Name"));
        assert_eq!(checked(Era::Sessions, &right, call("withdraw")), Err("Mcp-Name"), "what is said must be right");
        assert_eq!(checked(Era::Stateless, &right[..1], call("echo")), Err("Mcp-Name"));
        assert_eq!(checked(Era::Stateless, &right[1..], call("echo")), Err("Mcp-Method"));
        assert_eq!(checked(Era::Stateless, &[("mcp-method", "Tools/Call"), right[1]], call("echo")), Err("Mcp-Method"));
        let twice = [right[0], right[1], ("mcp-name", "echo")];
        assert_eq!(checked(Era::Stateless, &twice, call("echo")), Err("Mcp-Name"));
        let encoded = [right[0], ("mcp-name", "=?base64?w6k=?=")];
        assert_eq!(checked(Era::Stateless, &encoded, call("é")), Ok(()));
        assert_eq!(checked(Era::Stateless, &encoded, call("e")), Err("Mcp-Name"));
        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        assert_eq!(checked(Era::Stateless, &[("mcp-method", "tools/list")], list), Ok(()));
        let dated = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list",
                           "params": {"_meta": {VERSION_KEY: "2026-07-28"}}});
        let method = ("mcp-method", "tools/list");
        assert_eq!(checked(Era::Stateless, &[method, (VERSION, "2026-07-28")], dated.clone()), Ok(()));
        assert_eq!(checked(Era::Stateless, &[method, (VERSION, "2025-11-25")], dated), Err("MCP-Protocol-Version"));
    }
}
