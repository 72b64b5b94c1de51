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
#[serde(tag = "method", rename_all = "SCREAMING_SNAKE_CASE")]
enum Request {
    Subscribe {
        #[serde(default)]
        params: Vec<String>,
    },
    Unsubscribe {
        #[serde(default)]
        params: Vec<String>,
    },
    ListSubscriptions {},
    SetProperty {
        params: (String, Value),
    },
    GetProperty {
        params: (String,),
    },
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
    let request = match serde_json::from_value(value) {
        Ok(request) => request,
        Err(error) => return refuse(2, &format!("Invalid request: {error}"), Some(id)),
    };
    match request {
        Request::Subscribe { params } => {
            streams.subscribe(connection, params);
            result((), id)
        }
        Request::Unsubscribe { params } => {
            streams.unsubscribe(connection, &params);
            result((), id)
        }
        Request::ListSubscriptions {} => result(streams.subscriptions(connection), id),
        Request::SetProperty { params: (name, value) } if name == "combined" => match value {
            Value::Bool(combined) => {
                streams.set_combined(connection, combined);
                result((), id)
            }
            _ => refuse(1, "Invalid value type: expected Boolean", Some(id)),
        },
        Request::GetProperty { params: (name,) } if name == "combined" => result(streams.combined(connection), id),
        Request::SetProperty { .. } | Request::GetProperty { .. } => refuse(0, "Unknown property", Some(id)),
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
        let (connection, _frames) = streams.connect(false, vec!["btcusdt@trade".into()]);
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
            (r#"{"id":1}"#, r#"{"code":2,"msg":"Invalid request: missing field `method`"#),
            (r#"{"method":"SHOUT","id":1}"#, r#"{"code":2,"msg":"Invalid request: unknown variant `SHOUT`"#),
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
