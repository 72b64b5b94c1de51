//! What is overlooked when two takes of a session are compared.

use serde_json::Value;

use super::super::names::{BUILD, ENVELOPE, META, MOMENTS};
use crate::cassette::{Header, Leg};
use crate::pointer::{self, below};

/// A rule that is no JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no JSON pointer: write it from the top of the message with a slash before each name, such as `/result/structuredContent/price`; `*` stands for any one name"
)]
pub struct BadPointer(String);

/// The rules of a comparison: the declared lists, and those of the user.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    ignored: Vec<Vec<String>>,
    moments: bool,
}

impl Rules {
    /// The declared rules, and these pointers to fields that do not count either.
    ///
    /// # Errors
    /// One of them is none.
    pub fn new(ignored: &[String]) -> Result<Self, BadPointer> {
        let parts = |pointer: &String| match pointer.strip_prefix('/') {
            Some(names) => Ok(names.split('/').map(pointer::name).collect()),
            None => Err(BadPointer(pointer.clone())),
        };
        Ok(Self { ignored: ignored.iter().map(parts).collect::<Result<_, _>>()?, moments: true })
    }

    /// The same for this tape: moments count when its clock was that of a scenario.
    pub(in crate::replay) fn of(&self, header: &Header) -> Self {
        Self { moments: header.scenario.is_some(), ..self.clone() }
    }

    /// A message without what does not count. Text that is JSON itself becomes the value, and text that repeats the
    /// structured content beside it goes.
    pub(in crate::replay) fn clean(&self, leg: Leg, mut message: Value) -> Value {
        if let Value::Object(members) = &mut message
            && matches!(leg, Leg::Agent | Leg::Upstream | Leg::Rest)
        {
            for name in ENVELOPE {
                members.remove(name);
            }
        }
        if let Some(Value::Object(params)) = message.get_mut("params") {
            params.remove(META);
        }
        let mut clean = self.walk("", &mut Vec::new(), leg, message);
        let said = clean.pointer("/result/content/0/text");
        if said.is_some()
            && said == clean.pointer("/result/structuredContent")
            && let Some(Value::Object(content)) = clean.pointer_mut("/result/content/0")
        {
            content.remove("text");
        }
        clean
    }

    fn walk(&self, at: &str, path: &mut Vec<String>, leg: Leg, value: Value) -> Value {
        match value {
            Value::Object(members) => {
                let mut kept = serde_json::Map::new();
                for (name, value) in members {
                    let place = below(at, &name);
                    path.push(name.clone());
                    if !self.overlooks(leg, &place, &name, path) {
                        kept.insert(name, self.walk(&place, path, leg, value));
                    }
                    path.pop();
                }
                Value::Object(kept)
            }
            Value::Array(list) => {
                let mut kept = Vec::new();
                for (number, value) in list.into_iter().enumerate() {
                    let name = number.to_string();
                    path.push(name.clone());
                    // An entry of a list is emptied, so that the others keep their places.
                    let ignored = self.ignored.iter().any(|pointer| fits(pointer, path));
                    let value = if ignored { Value::Null } else { self.walk(&below(at, &name), path, leg, value) };
                    kept.push(value);
                    path.pop();
                }
                Value::Array(kept)
            }
            Value::String(text) if text.starts_with('{') => match serde_json::from_str(&text) {
                Ok(inner @ Value::Object(_)) => self.walk(at, path, leg, inner),
                _ => Value::String(text),
            },
            value => value,
        }
    }

    fn overlooks(&self, leg: Leg, place: &str, name: &str, path: &[String]) -> bool {
        BUILD.contains(&(leg, place))
            || (!self.moments && MOMENTS.contains(&name))
            || self.ignored.iter().any(|pointer| fits(pointer, path))
    }
}

fn fits(pointer: &[String], path: &[String]) -> bool {
    pointer.len() == path.len() && pointer.iter().zip(path).all(|(rule, name)| rule == "*" || rule == name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_declared_goes_and_nothing_else() {
        let rules = Rules::new(&["/result/structuredContent/fills/*/price".to_owned(), "/a~1b".to_owned()]).unwrap();
        let answer = json!({
            "jsonrpc": "2.0", "id": 1, "a/b": 1, "a": {"b": 2}, "transactTime": 1,
            "result": {
                "serverInfo": {"version": "1", "name": "n"},
                "structuredContent": {"fills": [{"price": "1", "qty": "2"}], "id": 3},
                "content": [{"type": "text", "text": "{\"id\": 3, \"fills\": [{\"price\": \"1\", \"qty\": \"2\"}]}"}],
            },
        });
        let clean = rules.clean(Leg::Agent, answer.clone());
        let expected = json!({
            "a": {"b": 2}, "transactTime": 1,
            "result": {
                "serverInfo": {"name": "n"},
                "structuredContent": {"fills": [{"qty": "2"}], "id": 3},
                "content": [{"type": "text", "text": {"id": 3, "fills": [{"price": "1", "qty": "2"}]}}],
            },
        });
        assert_eq!(clean, expected);
        let header: Header =
            serde_json::from_value(json!({"rogue_tape": 1, "writer": "w", "clock_origin_ms": 0})).unwrap();
        let plain = Rules::new(&[]).unwrap();
        let by_a_real_clock = plain.of(&header).clean(Leg::Agent, answer.clone());
        assert_eq!(by_a_real_clock.get("transactTime"), None);
        // The text says what the structured content says.
        assert_eq!(plain.clean(Leg::Agent, answer)["result"]["content"], json!([{ "type": "text" }]));
        assert_eq!(plain.clean(Leg::Decision, json!({"id": 1, "seq": 2, "policy": "p"})), json!({"id": 1}));
        let bad = Rules::new(&["result".to_owned()]).unwrap_err().to_string();
        assert!(bad.starts_with("`result` is no JSON pointer: write it"), "{bad}");
    }
}
