//! Writes frames. Each appends exactly one line.

use std::io::Write;

use rmcp::model::ErrorData;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::wire::{Members, Refusal, RequestId};

/// Writing to a `Vec` does not fail, and neither does serialising values, which have string keys.
/// Should it fail all the same, the frame is taken back whole: half a frame is never sent.
fn whole(out: &mut Vec<u8>, frame: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) {
    let begin = out.len();
    if let Err(error) = frame(out) {
        out.truncate(begin);
        tracing::error!(%error, "a frame could not be written and was dropped");
    }
}

fn json(out: &mut Vec<u8>, value: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(out, value).map_err(Into::into)
}

/// A request or, without `id`, a notification.
pub(crate) fn push_message(out: &mut Vec<u8>, id: Option<u64>, method: &str, params: Option<&Map<String, Value>>) {
    whole(out, |out| {
        out.write_all(br#"{"jsonrpc":"2.0""#)?;
        if let Some(id) = id {
            write!(out, r#","id":{id}"#)?;
        }
        out.write_all(br#","method":"#)?;
        json(out, &method)?;
        if let Some(params) = params {
            out.write_all(br#","params":"#)?;
            json(out, params)?;
        }
        out.write_all(b"}\n")
    });
}

/// A request whose params are the client's own bytes.
#[cfg(feature = "mutants")]
pub(crate) fn push_careless_request(out: &mut Vec<u8>, id: u64, method: &str, params: &RawValue) {
    whole(out, |out| {
        write!(out, r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":"#)?;
        push_raw(out, params);
        out.write_all(b"}\n")
    });
}

/// A response with a result that is serialised here.
pub(crate) fn push_result(out: &mut Vec<u8>, id: &impl Serialize, result: &impl Serialize) {
    whole(out, |out| {
        out.write_all(br#"{"jsonrpc":"2.0","id":"#)?;
        json(out, id)?;
        out.write_all(br#","result":"#)?;
        json(out, result)?;
        out.write_all(b"}\n")
    });
}

/// A response with a result that is passed on as its sender wrote it.
pub(crate) fn push_raw_result(out: &mut Vec<u8>, id: &RequestId, result: &RawValue) {
    whole(out, |out| {
        out.write_all(br#"{"jsonrpc":"2.0","id":"#)?;
        json(out, id)?;
        out.write_all(br#","result":"#)?;
        push_raw(out, result);
        out.write_all(b"}\n")
    });
}

/// A response with a result of which members were replaced.
pub(crate) fn push_members(out: &mut Vec<u8>, id: &RequestId, result: &Members<'_>) {
    whole(out, |out| {
        out.write_all(br#"{"jsonrpc":"2.0","id":"#)?;
        json(out, id)?;
        out.write_all(br#","result":{"#)?;
        for (at, (name, value)) in result.0.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            json(out, name)?;
            out.push(b':');
            push_raw(out, value);
        }
        out.write_all(b"}}\n")
    });
}

/// A notification whose params are passed on as their sender wrote them.
pub(crate) fn push_raw_notification(out: &mut Vec<u8>, method: &str, params: Option<&RawValue>) {
    push_asked(out, None, method, params);
}

/// A request to the client, whose params are passed on as their sender wrote them. Its method comes first: by that the
/// transport tells it from an answer.
pub(crate) fn push_raw_request(out: &mut Vec<u8>, id: u64, method: &str, params: Option<&RawValue>) {
    push_asked(out, Some(id), method, params);
}

fn push_asked(out: &mut Vec<u8>, id: Option<u64>, method: &str, params: Option<&RawValue>) {
    whole(out, |out| {
        out.write_all(br#"{"jsonrpc":"2.0","method":"#)?;
        json(out, &method)?;
        if let Some(id) = id {
            write!(out, r#","id":{id}"#)?;
        }
        if let Some(params) = params {
            out.write_all(br#","params":"#)?;
            push_raw(out, params);
        }
        out.write_all(b"}\n")
    });
}

/// Appends valid JSON text as it is, but for tabs and carriage returns, which become spaces.
///
/// Valid JSON holds such characters only between its tokens, so this changes no value; some
/// readers end a line at a carriage return, and a server could show them frames of its own making.
fn push_raw(out: &mut Vec<u8>, json: &RawValue) {
    let begin = out.len();
    out.extend_from_slice(json.get().as_bytes());
    for byte in out.iter_mut().skip(begin) {
        if *byte < b' ' {
            *byte = b' ';
        }
    }
}

/// A response with an error. Without an id the error is about a frame, not a request.
pub(crate) fn push_error(out: &mut Vec<u8>, id: Option<&impl Serialize>, error: &impl Serialize) {
    whole(out, |out| {
        out.write_all(br#"{"jsonrpc":"2.0","id":"#)?;
        json(out, &id)?;
        out.write_all(br#","error":"#)?;
        json(out, error)?;
        out.write_all(b"}\n")
    });
}

/// An error of the gateway's own: `data` tells it apart from those of the server.
pub(crate) fn gateway_error(code: rmcp::model::ErrorCode, reason: &str, message: String) -> ErrorData {
    let data = serde_json::json!({ "source": "mcp-gateway", "reason": reason });
    ErrorData::new(code, message, Some(data))
}

/// The answer to a refused frame, if it gets one.
pub(crate) fn push_refusal(out: &mut Vec<u8>, id: Option<&RequestId>, refusal: &Refusal) {
    let Some(code) = refusal.code() else { return };
    let mut error = gateway_error(code, refusal.reason(), refusal.to_string());
    if let Some(Value::Object(data)) = &mut error.data {
        data.extend(refusal.data());
    }
    push_error(out, id, &error);
}
