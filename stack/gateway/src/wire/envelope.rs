//! What kind of message a client's frame is, and whether it is one at all.

use mcp_policy::strict;
use serde_json::{Map, Value};

use crate::wire::text::shown;
use crate::wire::{Refusal, RequestId, is_json, probe_id};

/// A client's message. Responses are no part of it: the gateway lets no request through to the
/// client, so there is nothing that a client could respond to.
#[derive(Debug)]
pub(crate) enum Message {
    /// A message that wants an answer.
    Request { id: RequestId, method: String, params: Option<Map<String, Value>> },
    /// A message that wants none.
    Notification { method: String, params: Option<Map<String, Value>> },
}

/// A refusal and, where the frame told, the id of the request that it answers.
pub(crate) type Refused = (Option<RequestId>, Refusal);

/// Reads the bytes of a frame: closed JSON, then a message.
pub(crate) fn read_bytes(frame: &[u8], bytes_max: usize) -> Result<Message, Refused> {
    let limits = strict::Limits::default().with_bytes_max(bytes_max);
    match strict::parse(frame, limits) {
        Ok(parsed) => read(parsed),
        Err(error) => {
            let id = is_json(error.kind()).then(|| probe_id(frame)).flatten();
            Err((id, Refusal::NotStrict { error }))
        }
    }
}

/// Reads a parsed frame as a message.
///
/// The members are a closed set, matched by exact bytes: a member that one peer reads and another
/// overlooks is how a gateway is made to judge something else than what is done.
pub(crate) fn read(frame: Value) -> Result<Message, Refused> {
    let members = match frame {
        Value::Object(members) => members,
        Value::Array(_) => return Err((None, Refusal::Batch)),
        _ => return Err((None, Refusal::NotAnObject)),
    };
    let mut version = None;
    let mut id = None;
    let mut method = None;
    let mut params = None;
    let mut response = false;
    let mut unknown = None;
    for (member, value) in members {
        match member.as_str() {
            "jsonrpc" => version = Some(value),
            "id" => id = Some(value),
            "method" => method = Some(value),
            "params" => params = Some(value),
            "result" | "error" => response = true,
            _ => unknown = unknown.or(Some(member)),
        }
    }

    // The id comes first so that every later refusal can carry it.
    let id = match id {
        Some(id) => Some(RequestId::from_value(&id).ok_or((None, Refusal::BadId))?),
        None => None,
    };
    let refuse = |refusal| Err((id.clone(), refusal));
    if response && method.is_none() {
        return refuse(Refusal::UnaskedResponse);
    }
    if response {
        return refuse(Refusal::UnknownMember { member: "result` or `error".to_owned() });
    }
    if let Some(member) = unknown {
        return refuse(Refusal::UnknownMember { member: shown(&member) });
    }
    if version.as_ref().and_then(Value::as_str) != Some("2.0") {
        return refuse(Refusal::WrongVersion);
    }
    let Some(Value::String(method)) = method else {
        return refuse(Refusal::BadMethod);
    };
    let params = match params {
        None => None,
        Some(Value::Object(params)) => Some(params),
        Some(_) => return refuse(Refusal::BadParams),
    };
    Ok(match id {
        Some(id) => Message::Request { id, method, params },
        None => Message::Notification { method, params },
    })
}
