//! Which id of a live session stands for which id on the tape.

use std::collections::BTreeMap;

use serde_json::Value;

use super::names;

/// Pairs of ids, each of which stands for one other and no second.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    to_live: BTreeMap<String, String>,
    to_tape: BTreeMap<String, String>,
}

impl Bindings {
    /// Whether all of these pairs can be bound: none of their ids stands for another one. The live ones may be in the
    /// tape's words already.
    pub(super) fn allow(&self, pairs: &[(String, String)]) -> bool {
        pairs.iter().all(|(tape, live)| {
            self.is_bound(tape, live)
                || (!self.to_live.contains_key(tape) && self.to_tape.get(live).is_none_or(|bound| bound == tape))
        })
    }

    fn is_bound(&self, tape: &str, live: &str) -> bool {
        self.to_live.get(tape).is_some_and(|bound| bound == live || tape == live)
    }

    pub(super) fn bind(&mut self, pairs: Vec<(String, String)>) {
        for (tape, live) in pairs {
            if self.is_bound(&tape, &live) {
                continue;
            }
            self.to_live.insert(tape.clone(), live.clone());
            self.to_tape.insert(live, tape);
        }
    }

    /// A value of the tape in the words of the live session. Text that is JSON itself is read as such.
    pub(super) fn in_live_words(&self, value: &mut Value) {
        if self.to_live.iter().any(|(tape, live)| tape != live) {
            translate(&self.to_live, value, false);
        }
    }

    /// A value of the live session in the words of the tape.
    pub(super) fn in_tape_words(&self, value: &mut Value) {
        if self.to_tape.iter().any(|(live, tape)| tape != live) {
            translate(&self.to_tape, value, false);
        }
    }
}

fn translate(words: &BTreeMap<String, String>, value: &mut Value, is_id: bool) {
    match value {
        Value::Object(map) => {
            // Events of a user data stream have short names: `c` and `C` hold what a client calls its order.
            let event = map.get("e").is_some_and(Value::is_string);
            for (name, value) in map {
                let is_id = names::is_client_id(name) || (event && matches!(name.as_str(), "c" | "C"));
                translate(words, value, is_id);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| translate(words, value, false)),
        Value::String(text) => {
            if let Some(word) = words.get(text.as_str()).filter(|_| is_id || text.starts_with('[')) {
                word.clone_into(text);
            } else if text.starts_with(['{', '['])
                && let Ok(mut inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(text)
            {
                let before = inner.clone();
                translate(words, &mut inner, false);
                if inner != before {
                    *text = inner.to_string();
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pair(tape: &str, live: &str) -> (String, String) {
        (tape.to_owned(), live.to_owned())
    }

    #[test]
    fn an_id_stands_for_one_other() {
        let mut bindings = Bindings::default();
        bindings.bind(vec![pair("a", "x")]);
        assert!(bindings.allow(&[pair("a", "x"), pair("b", "y")]));
        assert!(bindings.allow(&[pair("a", "a")]), "translated before");
        bindings.bind(vec![pair("a", "a")]);
        assert!(!bindings.allow(&[pair("a", "y")]));
        assert!(!bindings.allow(&[pair("b", "x")]));
    }

    #[test]
    fn ids_are_translated_where_they_are_ids() {
        let mut bindings = Bindings::default();
        bindings.bind(vec![pair("a", "x"), pair("[key-1]", "[key-2]")]);
        let tape = json!({
            "clientOrderId": "a", "side": "a", "key": "[key-1]", "event": {"e": "executionReport", "c": "a", "s": "a"},
            "text": "{\"origClientOrderId\":\"a\",\"n\":\"a\"}", "spaced": "{ \"n\": 1 }", "c": "a",
        });
        let live = json!({
            "clientOrderId": "x", "side": "a", "key": "[key-2]", "event": {"e": "executionReport", "c": "x", "s": "a"},
            "text": "{\"origClientOrderId\":\"x\",\"n\":\"a\"}", "spaced": "{ \"n\": 1 }", "c": "a",
        });
        let mut value = tape.clone();
        bindings.in_live_words(&mut value);
        assert_eq!(value, live);
        bindings.in_tape_words(&mut value);
        assert_eq!(value, tape);
    }
}
