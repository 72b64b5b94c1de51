//! `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY` and `GET_PROPERTY`.
//!
//! The exchange answers `null` to a subscription to a name that does not exist, and then delivers nothing: so does
//! this.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::streams::{ConnectionId, Streams};
use crate::json;

/// What a client may write into a stream connection.
#[derive(Deserialize)]
struct Request {
    method: Method,
    #[serde(default)]
    params: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Method {
    Subscribe,
    Unsubscribe,
    ListSubscriptions,
    SetProperty,
    GetProperty,
}

#[derive(Serialize)]
struct Answer<T> {
    result: T,
    id: Value,
}

#[derive(Serialize)]
struct Refusal<'a> {
    code: u8,
    msg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
}

/// Carries out one frame and gives the answer to it.
pub(crate) fn answer(streams: &mut Streams, connection: ConnectionId, frame: &str) -> String {
    let value: Value = match serde_json::from_str(frame) {
        Ok(value) => value,
        Err(error) => return refuse(3, &format!("Invalid JSON: {error}"), None),
    };
    let id = value.get("id").cloned().unwrap_or(Value::Null);
    if !is_request_id(&id) {
        let msg = "Invalid request: request ID must be an unsigned integer";
        return refuse(2, msg, None);
    }
    // Read from the text again: an error tells its line and column.
    let Request { method, params } = match serde_json::from_str(frame) {
        Ok(request) => request,
        Err(error) => return refuse(2, &format!("Invalid request: {error}"), Some(id)),
    };
    let invalid = |what: &str, id| refuse(2, &format!("Invalid request: {what}"), Some(id));
    match method {
        Method::Subscribe | Method::Unsubscribe => {
            let names = params.iter().map(|name| name.as_str().map(ToOwned::to_owned)).collect::<Option<Vec<_>>>();
            let Some(names) = names else { return invalid("stream name must be a string", id) };
            match method {
                Method::Subscribe => streams.subscribe(connection, names),
                _ => streams.unsubscribe(connection, &names),
            }
            result((), id)
        }
        Method::ListSubscriptions if !params.is_empty() => invalid("too many parameters", id),
        Method::ListSubscriptions => result(streams.subscriptions(connection), id),
        Method::SetProperty | Method::GetProperty => {
            let (name, value) = (params.first(), params.get(1));
            let most = if matches!(method, Method::SetProperty) { 2 } else { 1 };
            let Some(Value::String(name)) = name else { return invalid("property name must be a string", id) };
            match (method, name.as_str(), value) {
                _ if params.len() > most => invalid("too many parameters", id),
                (Method::SetProperty, "combined", Some(Value::Bool(combined))) => {
                    streams.set_combined(connection, *combined);
                    result((), id)
                }
                (Method::SetProperty, "combined", _) => refuse(1, "Invalid value type: expected Boolean", Some(id)),
                (_, "combined", _) => result(streams.combined(connection), id),
                _ => refuse(0, "Unknown property", Some(id)),
            }
        }
    }
}

/// Ids are whole numbers, short words, or absent.
fn is_request_id(id: &Value) -> bool {
    match id {
        Value::Null => true,
        Value::Number(number) => number.is_u64() || number.is_i64(),
        Value::String(word) => word.len() <= 36,
        _ => false,
    }
}

fn result(result: impl Serialize, id: Value) -> String {
    json::text(&Answer { result, id })
}

fn refuse(code: u8, msg: &str, id: Option<Value>) -> String {
    json::text(&Refusal { code, msg, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(&str, &str)]) {
        let mut streams = Streams::default();
        let (connection, _frames) =
            streams.connect(false, crate::api::render::TimeUnit::Milliseconds, vec!["btcusdt@trade".into()]);
        for (frame, expected) in rows {
            let actual = answer(&mut streams, connection, frame);
            assert!(actual.starts_with(expected), "{frame}\n  gave {actual}\n  not  {expected}");
        }
    }

    #[test]
    fn subscriptions_come_and_go() {
        check(&[
            (r#"{"method":"SUBSCRIBE","params":["NOSUCH","a@trade"],"id":1}"#, r#"{"result":null,"id":1}"#),
            (r#"{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":"x"}"#, r#"{"result":null,"id":"x"}"#),
            (r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#, r#"{"result":["NOSUCH","a@trade"],"id":3}"#),
            (r#"{"method":"GET_PROPERTY","params":["combined"],"id":null}"#, r#"{"result":false,"id":null}"#),
            (r#"{"method":"SET_PROPERTY","params":["combined",true],"id":5}"#, r#"{"result":null,"id":5}"#),
            (r#"{"method":"GET_PROPERTY","params":["combined"],"id":6}"#, r#"{"result":true,"id":6}"#),
        ]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        check(&[
            ("nonsense", r#"{"code":3,"msg":"Invalid JSON: "#),
            (r#"{"id":1}"#, r#"{"code":2,"msg":"Invalid request: missing field `method` at line 1 column 8","id":1}"#),
            (
                r#"{"method":"SHOUT","id":1}"#,
                r#"{"code":2,"msg":"Invalid request: unknown variant `SHOUT`, expected one of"#,
            ),
            (
                r#"{"method":"LIST_SUBSCRIPTIONS","params":["a"],"id":1}"#,
                r#"{"code":2,"msg":"Invalid request: too many parameters","id":1}"#,
            ),
            (
                r#"{"method":"GET_PROPERTY","params":["combined",1],"id":1}"#,
                r#"{"code":2,"msg":"Invalid request: too many parameters","id":1}"#,
            ),
            (
                r#"{"method":"SET_PROPERTY","params":[7,true],"id":1}"#,
                r#"{"code":2,"msg":"Invalid request: property name must be a string","id":1}"#,
            ),
            (
                r#"{"method":"SUBSCRIBE","params":[7],"id":1}"#,
                r#"{"code":2,"msg":"Invalid request: stream name must be a string","id":1}"#,
            ),
            (r#"{"method":"LIST_SUBSCRIPTIONS","id":[1]}"#, r#"{"code":2,"msg":"Invalid request: request ID"#),
            (
                r#"{"method":"SET_PROPERTY","params":["combined",1],"id":5}"#,
                r#"{"code":1,"msg":"Invalid value type: expected Boolean","id":5}"#,
            ),
            (
                r#"{"method":"GET_PROPERTY","params":["colour"],"id":5}"#,
                r#"{"code":0,"msg":"Unknown property","id":5}"#,
            ),
        ]);
    }
}
