//! What kind of message a client's frame is, and whether it is one at all.

use mcp_policy::strict;
use rmcp::model::ErrorData;
use serde_json::{Map, Value};

use crate::wire::text::shown;
use crate::wire::{Refusal, RequestId, is_json, probe_id};

/// A client's message.
#[derive(Debug)]
pub(crate) enum Message {
    /// A message that wants an answer.
    Request { id: RequestId, method: String, params: Option<Map<String, Value>> },
    /// A message that wants none.
    Notification { method: String, params: Option<Map<String, Value>> },
    /// The answer to a request of the server's.
    Response { id: RequestId, answer: Reply },
}

/// What a client answers.
#[derive(Debug)]
pub(crate) enum Reply {
    /// It did what was asked.
    Result(Map<String, Value>),
    /// It did not.
    Error(ErrorData),
    /// Nobody can tell: it is no answer by the rules of JSON-RPC.
    Malformed,
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
    let mut result = None;
    let mut error = None;
    let mut unknown = None;
    for (member, value) in members {
        match member.as_str() {
            "jsonrpc" => version = Some(value),
            "id" => id = Some(value),
            "method" => method = Some(value),
            "params" => params = Some(value),
            "result" => result = Some(value),
            "error" => error = Some(value),
            _ => unknown = unknown.or(Some(member)),
        }
    }

    // The id comes first so that every later refusal can carry it.
    let id = match id {
        Some(id) => Some(RequestId::from_value(&id).ok_or((None, Refusal::BadId))?),
        None => None,
    };
    let refuse = |refusal| Err((id.clone(), refusal));
    let response = result.is_some() || error.is_some();
    if response && method.is_none() {
        let Some(id) = id.clone() else { return refuse(Refusal::UnaskedResponse) };
        let is_whole = version.as_ref().and_then(Value::as_str) == Some("2.0") && params.is_none() && unknown.is_none();
        let answer = if is_whole { reply(result, error) } else { Reply::Malformed };
        return Ok(Message::Response { id, answer });
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

fn reply(result: Option<Value>, error: Option<Value>) -> Reply {
    match (result, error) {
        (Some(Value::Object(result)), None) => Reply::Result(result),
        (None, Some(error)) => serde_json::from_value(error).map_or(Reply::Malformed, Reply::Error),
        _ => Reply::Malformed,
    }
}
