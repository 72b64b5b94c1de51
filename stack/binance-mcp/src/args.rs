//! A call's arguments, held against the closed schema and turned into request parameters.

use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use crate::error::{CallError, Problem};
use crate::tools::{Kind, Spec, Tool};

/// More problems than this are not listed.
const MAX_PROBLEMS: usize = 10;
/// Names of unknown arguments are cut to this many characters in messages.
const MAX_NAME: usize = 40;

/// Arguments that fit the schema, in the order of the table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// What is sent, without `recvWindow`.
    pub(crate) params: Vec<(&'static str, String)>,
    /// `recvWindow`, if the call gave one.
    pub(crate) recv_window: Option<String>,
    /// `_fields`, if the call gave it.
    pub(crate) fields: Option<Vec<String>>,
}

/// Reads the arguments of a call to `tool`.
pub(crate) fn read(tool: &Tool, arguments: Map<String, Value>) -> Result<Arguments, CallError> {
    let value = Value::Object(arguments);
    let mut problems: Vec<Problem> = tool
        .validator
        .iter_errors(&value)
        .take(MAX_PROBLEMS)
        .map(|error| {
            let pointer = error.instance_path().to_string();
            describe(tool.spec, pointer, error.kind())
        })
        .collect();
    // One value can break several keywords (type and pattern): one message is enough.
    problems.dedup();
    let mut arguments = Arguments::default();
    if problems.is_empty() {
        for param in tool.spec.params {
            let Some(value) = value.get(param.name) else {
                continue;
            };
            match as_text(value) {
                None => problems.push(Problem {
                    pointer: format!("/{}", param.name),
                    message: format!("must be {}", param.kind.expected()),
                }),
                Some(text) => match (param.kind, param.name) {
                    (Kind::FieldList, _) => arguments.fields = Some(split(&text)),
                    (_, "recvWindow") => arguments.recv_window = Some(text),
                    (_, name) => arguments.params.push((name, text)),
                },
            }
        }
    }
    if problems.is_empty() { Ok(arguments) } else { Err(CallError::Arguments { tool: tool.spec.name, problems }) }
}

/// JSON Schema takes `5.0` for an integer; the exchange does not, and neither do we.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(|name| name.trim().to_owned()).collect()
}

fn describe(spec: &Spec, pointer: String, kind: &ValidationErrorKind) -> Problem {
    match kind {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            Problem {
                pointer: format!("{pointer}/{name}"),
                message: format!("is missing; it must be {}", expected(spec, name)),
            }
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let unknown: Vec<String> = unexpected.iter().take(5).map(|name| quote(name)).collect();
            Problem {
                pointer,
                message: format!("unknown argument {}; `{}` takes {}", unknown.join(", "), spec.name, names(spec)),
            }
        }
        _ => {
            let name = pointer.trim_start_matches('/').to_owned();
            let message = format!("must be {}", expected(spec, &name));
            Problem { pointer, message }
        }
    }
}

fn expected(spec: &Spec, name: &str) -> String {
    spec.params
        .iter()
        .find(|param| param.name == name)
        .map_or_else(|| "what the schema says".to_owned(), |param| param.kind.expected())
}

fn names(spec: &Spec) -> String {
    let names: Vec<&str> = spec.params.iter().map(|param| param.name).collect();
    names.join(", ")
}

/// A name that came from outside, short and on one line.
pub(crate) fn quote(name: &str) -> String {
    let mut quoted: String = name.chars().take(MAX_NAME).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if name.chars().nth(MAX_NAME).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::catalogue;

    fn call(name: &str, arguments: &Value) -> Result<Arguments, Vec<(String, String)>> {
        let tool = catalogue().iter().find(|tool| tool.spec.name == name).unwrap();
        read(tool, arguments.as_object().unwrap().clone()).map_err(|error| match error {
            CallError::Arguments { problems, .. } => {
                problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect()
            }
            other => panic!("{other}"),
        })
    }

    fn refused(name: &str, arguments: &Value, pointer: &str, part: &str) {
        let problems = call(name, arguments).expect_err(&arguments.to_string());
        assert!(
            problems.iter().any(|(at, message)| at == pointer && message.contains(part)),
            "{arguments}: {problems:?}"
        );
    }

    #[test]
    fn parameters_come_in_declared_order() {
        let given = json!({
            "recvWindow": 7, "price": "0.10", "quantity": "1", "timeInForce": "GTC", "type": "LIMIT",
            "side": "BUY", "symbol": "BTCUSDT"
        });
        let read = call("bn_new_order", &given).unwrap();
        let names: Vec<&str> = read.params.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["symbol", "side", "type", "timeInForce", "quantity", "price"]);
        assert_eq!(read.recv_window.as_deref(), Some("7"));
        assert_eq!(read.params[5].1, "0.10");
    }

    #[test]
    fn fields_are_kept_apart() {
        let read = call("bn_avg_price", &json!({"symbol": "BTCUSDT", "_fields": "price, mins"})).unwrap();
        assert_eq!(read.params, [("symbol", "BTCUSDT".to_owned())]);
        assert_eq!(read.fields.unwrap(), ["price", "mins"]);
    }

    #[test]
    fn problems_name_place_and_remedy() {
        refused("bn_order_book", &json!({}), "/symbol", "is missing; it must be a symbol");
        refused("bn_order_book", &json!({"symbol": "btcusdt"}), "/symbol", "upper-case");
        refused("bn_order_book", &json!({"symbol": "BTCUSDT\n"}), "/symbol", "upper-case");
        refused("bn_order_book", &json!({"symbol": null}), "/symbol", "upper-case");
        refused("bn_order_book", &json!({"symbol": ["BTCUSDT"]}), "/symbol", "upper-case");
        refused("bn_order_book", &json!({"symbol": "BTCUSDT", "limit": "5"}), "/limit", "from 1 to 5000");
        for limit in [json!(0), json!(5001), json!(-1), json!(5.0), json!(5.5), json!(1e2)] {
            refused("bn_order_book", &json!({"symbol": "BTCUSDT", "limit": limit}), "/limit", "from 1 to 5000");
        }
        refused("bn_klines", &json!({"symbol": "BTCUSDT", "interval": "1H"}), "/interval", "one of 1s, 1m");
        refused("bn_ping", &json!({"apiKey": "x"}), "", "unknown argument `apiKey`; `bn_ping` takes _fields");
        refused("bn_ping", &json!({"_fields": "a,,b"}), "/_fields", "separated by commas");
        refused("bn_exchange_info", &json!({"symbols": "[\"BTCUSDT\", \"ETHUSDT\"]"}), "/symbols", "without blanks");
    }

    #[test]
    fn decimals_have_one_way_to_be_written() {
        let order = |quantity: &Value| {
            call("bn_test_order", &json!({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": quantity}))
        };
        for good in ["0", "1", "0.00001", "1.50", "46116860414.00000000"] {
            assert!(order(&json!(good)).is_ok(), "{good}");
        }
        for bad in [
            json!(""),
            json!("01"),
            json!(".5"),
            json!("1."),
            json!("-1"),
            json!("+1"),
            json!("1e-5"),
            json!("0x1"),
            json!(" 1"),
            json!("1,5"),
            json!("١"),
            json!("NaN"),
            json!("1\n"),
            json!(1),
            json!(0.5),
        ] {
            assert!(order(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_of_the_caller_are_not_repeated() {
        let problems =
            call("bn_new_order", &json!({"symbol": "canary value", "side": "canary", "secretKey": "canary"}))
                .unwrap_err();
        assert!(!format!("{problems:?}").contains("canary"), "{problems:?}");
    }

    #[test]
    fn unknown_names_are_cut_and_kept_on_one_line() {
        let long = "x".repeat(100);
        assert_eq!(quote(&long), format!("`{}…`", "x".repeat(40)));
        assert_eq!(quote("a\nb"), "`a\u{fffd}b`");
    }
}
