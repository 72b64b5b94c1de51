//! The names that a script gives to answers, and the values behind them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::answer::Answer;
use crate::scenario::{Outcome, RawError, Reference, Unresolved, resolve_text, resolve_value};

/// Names and what they stand for at this point of a script.
#[derive(Debug, Default)]
pub(crate) struct Names {
    named: BTreeMap<String, Named>,
}

#[derive(Debug, Clone)]
enum Named {
    Value(Value),
    /// An answer that holds nothing to go on with, or not what one hoped for: what it says.
    Failed(Outcome, Value),
}

/// What a name stood for.
pub(crate) struct Kept {
    name: String,
    named: Option<Named>,
}

/// Why a text could not be filled in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameError {
    /// The answer was a denial, a refusal or an error: the script's author could not have gone on either.
    #[error("`{name}` was not carried out ({outcome:?})")]
    NothingToGoOnWith { name: String, outcome: Outcome },
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    #[error(transparent)]
    Raw(#[from] RawError),
    #[error("{0}")]
    NoAgent(String),
}

impl Names {
    /// Gives a name to a value.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.named.insert(name.to_owned(), Named::Value(value));
    }

    /// Gives a name to an answer.
    pub(crate) fn set_answer(&mut self, name: &str, answer: &Answer) {
        let named = match answer.outcome {
            Outcome::Allowed => Named::Value(answer.value.clone()),
            other => Named::Failed(other, answer.value.clone()),
        };
        self.named.insert(name.to_owned(), named);
    }

    /// Gives a name to the answer of a step that was skipped, for a reason that is this outcome of an earlier one.
    pub(crate) fn set_failed(&mut self, name: &str, outcome: Outcome) {
        self.named.insert(name.to_owned(), Named::Failed(outcome, Value::Null));
    }

    /// What a name stands for now, to be put back when a turn is over.
    pub(crate) fn keep(&self, name: &str) -> Kept {
        Kept { name: name.to_owned(), named: self.named.get(name).cloned() }
    }

    /// Lets a name stand again for what was kept.
    pub(crate) fn put_back(&mut self, kept: Kept) {
        match kept.named {
            Some(named) => self.named.insert(kept.name, named),
            None => self.named.remove(&kept.name),
        };
    }

    fn find(&self, reference: &Reference) -> Option<Value> {
        match self.named.get(&reference.name)? {
            Named::Value(value) => reference.within(value).cloned(),
            // A whole failure is nothing to go on with; a field of one may be what a rogue was after.
            Named::Failed(_, value) => reference.within(value).filter(|_| !reference.path.is_empty()).cloned(),
        }
    }

    fn told<T>(&self, resolved: Result<T, Unresolved>) -> Result<T, NameError> {
        resolved.map_err(|error| match &error {
            Unresolved::Missing(reference) => match self.named.get(&reference.name) {
                Some(Named::Failed(outcome, _)) => {
                    NameError::NothingToGoOnWith { name: reference.name.clone(), outcome: *outcome }
                }
                _ => error.into(),
            },
            Unresolved::Text(_) => error.into(),
        })
    }

    /// A text with its references filled in.
    pub(crate) fn text(&self, text: &str) -> Result<String, NameError> {
        self.told(resolve_text(text, &|reference| self.find(reference)))
    }

    /// Arguments with the references in their texts filled in.
    pub(crate) fn map(&self, map: &Map<String, Value>) -> Result<Map<String, Value>, NameError> {
        let filled = map.iter().map(|(key, value)| Ok((key.clone(), self.value(value)?)));
        filled.collect()
    }

    /// A value with the references in its texts filled in.
    pub(crate) fn value(&self, value: &Value) -> Result<Value, NameError> {
        self.told(resolve_value(value, &|reference| self.find(reference)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names() -> Names {
        let mut names = Names::default();
        names.set("order", json!({ "orderId": 7, "fills": [{ "price": "1.0" }] }));
        let denial = json!({ "id": 1, "error": { "code": -1 } });
        names.set_answer("denied", &Answer::read(&denial, true));
        names
    }

    #[test]
    fn whole_references_keep_their_type() {
        let map =
            json!({ "orderId": "${order.orderId}", "note": "#${order.orderId}", "price": "${order.fills.0.price}" });
        let filled = names().map(map.as_object().unwrap()).unwrap();
        assert_eq!(Value::Object(filled), json!({ "orderId": 7, "note": "#7", "price": "1.0" }));
    }

    #[test]
    fn an_inner_turn_does_not_outlast_its_loop() {
        let mut names = names();
        names.set("index", json!(3));
        let outer = names.keep("index");
        names.set("index", json!(0));
        names.put_back(outer);
        assert_eq!(names.text("${index}").unwrap(), "3");
        let unset = names.keep("turn");
        names.set("turn", json!(0));
        names.put_back(unset);
        assert!(names.text("${turn}").is_err());
    }

    #[test]
    fn a_denied_answer_is_told_from_a_wrong_name() {
        assert!(matches!(names().text("${denied.orderId}"), Err(NameError::NothingToGoOnWith { .. })));
        assert!(matches!(names().text("${other.orderId}"), Err(NameError::Unresolved(_))));
        assert!(matches!(names().text("${order.clientOrderId}"), Err(NameError::Unresolved(_))));
    }
}
