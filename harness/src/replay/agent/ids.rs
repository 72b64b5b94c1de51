//! Ids that today's stack made, and the ones on the tape whose place they take.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::names::{IdOf, id_of};
use super::super::stand_ins::StandIns;
use crate::cassette::{Body, is_placeholder};

/// Which id stands for which. Learnt from pairs of answers: what the tape has at a place, and what is there today.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    to_live: BTreeMap<(IdOf, String), String>,
    to_tape: BTreeMap<(IdOf, String), String>,
    /// What placeholders stand for today.
    secrets: BTreeMap<String, String>,
}

impl Ids {
    /// Tells what a placeholder of the tape stands for.
    pub(crate) fn secret(&mut self, placeholder: &str, secret: &str) {
        self.secrets.insert(placeholder.to_owned(), secret.to_owned());
    }

    /// Learns from two answers to the same request.
    pub(crate) fn learn(&mut self, tape: &Value, live: &Value) {
        match (tape, live) {
            (Value::Object(a), Value::Object(b)) => {
                for (name, tape) in a {
                    let Some(live) = b.get(name) else { continue };
                    match (id_of(name), scalar(tape), scalar(live)) {
                        (Some(of), Some(tape), Some(live)) => self.pair(of, tape, live),
                        _ => self.learn(tape, live),
                    }
                }
            }
            (Value::Array(a), Value::Array(b)) => a.iter().zip(b).for_each(|(tape, live)| self.learn(tape, live)),
            (Value::String(a), Value::String(b)) => {
                if is_placeholder(a) {
                    self.secrets.insert(a.clone(), b.clone());
                } else if let (Ok(a @ Value::Object(_)), Ok(b)) = (serde_json::from_str(a), serde_json::from_str(b)) {
                    self.learn(&a, &b);
                }
            }
            _ => {}
        }
    }

    fn pair(&mut self, of: IdOf, tape: String, live: String) {
        if is_placeholder(&tape) {
            self.secrets.insert(tape, live);
            return;
        }
        // -1 stands for none.
        let taken = self.to_live.contains_key(&(of, tape.clone())) || self.to_tape.contains_key(&(of, live.clone()));
        if !taken && !tape.starts_with('-') && !live.starts_with('-') {
            self.to_live.insert((of, tape.clone()), live.clone());
            self.to_tape.insert((of, live), tape);
        }
    }

    /// A frame of the tape as it is to be sent today.
    pub(crate) fn to_send(&self, body: &Body) -> Vec<u8> {
        match body {
            Body::Json(value) => {
                let mut value = value.clone();
                translate(&self.to_live, &mut value);
                self.reveal_in(&mut value);
                value.to_string().into_bytes()
            }
            Body::Text(text) => self.reveal(text).into_bytes(),
            Body::Hex(digits) => hex::decode(digits).unwrap_or_default(),
        }
    }

    fn reveal_in(&self, value: &mut Value) {
        match value {
            Value::Object(members) => members.values_mut().for_each(|value| self.reveal_in(value)),
            Value::Array(list) => list.iter_mut().for_each(|value| self.reveal_in(value)),
            Value::String(text) if text.contains('[') => *text = self.reveal(text),
            _ => {}
        }
    }

    /// A listen key that nobody has told today, such as one that an agent made up, is one of the same shape.
    fn reveal(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (placeholder, secret) in &self.secrets {
            if text.contains(placeholder.as_str()) {
                text = text.replace(placeholder.as_str(), secret);
            }
        }
        if text.contains("[listen-key-") { StandIns::default().hand_out(&text) } else { text }
    }

    /// A value of today in the words of the tape.
    pub(crate) fn in_tape_words(&self, value: &mut Value) {
        translate(&self.to_tape, value);
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn translate(words: &BTreeMap<(IdOf, String), String>, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let word = id_of(name).zip(scalar(value)).and_then(|key| words.get(&key));
                match (word, &mut *value) {
                    (Some(word), Value::Number(number)) => {
                        if let Ok(id) = word.parse::<u64>() {
                            *number = id.into();
                        }
                    }
                    (Some(word), Value::String(text)) => word.clone_into(text),
                    (_, value) => translate(words, value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| translate(words, value)),
        Value::String(text) if text.starts_with('{') => {
            if let Ok(before @ Value::Object(_)) = serde_json::from_str::<Value>(text) {
                let mut inner = before.clone();
                translate(words, &mut inner);
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

    #[test]
    fn ids_of_answers_are_used_in_what_is_sent_later() {
        let mut ids = Ids::default();
        ids.learn(
            &json!({"result": {"content": [{"text": "{\"orderId\":161,\"orderListId\":-1,\"clientOrderId\":\"a\"}"}]}}),
            &json!({"result": {"content": [{"text": "{\"orderId\":7,\"orderListId\":3,\"clientOrderId\":\"b\"}"}]}}),
        );
        ids.learn(&json!({"listenKey": "[listen-key-1]", "note": "[key-1]"}), &json!({"listenKey": "L", "note": "K"}));
        // Neither of these is free any more.
        ids.learn(&json!({"orderId": 161}), &json!({"orderId": 8}));
        ids.learn(&json!({"orderId": 162}), &json!({"orderId": 7}));
        let sent = |frame: &str| String::from_utf8(ids.to_send(&Body::of(frame.as_bytes()))).unwrap();
        assert_eq!(
            sent(r#"{"orderId":161,"cancelOrderId":"161","quantity":161,"origClientOrderId":"a","orderListId":-1}"#),
            r#"{"orderId":7,"cancelOrderId":"7","quantity":161,"origClientOrderId":"b","orderListId":-1}"#
        );
        assert_eq!(sent(r#"{"listenKey":"[listen-key-1]","orderId":162}"#), r#"{"listenKey":"L","orderId":162}"#);
        assert_eq!(sent("{ odd [key-1] [key-2]"), "{ odd K [key-2]");
        let mut live = json!({"orderId": 7, "text": "{\"clientOrderId\":\"b\"}", "side": "b"});
        ids.in_tape_words(&mut live);
        assert_eq!(live, json!({"orderId": 161, "text": "{\"clientOrderId\":\"a\"}", "side": "b"}));
    }
}
