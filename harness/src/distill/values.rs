//! Values that a run makes anew: where a session got them from, and how a step refers to that.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::scenario::resolve_value;

/// Arguments that name an order, and the field of its answer that tells it.
const ORDERS: [(&str, &str); 3] =
    [("orderId", "orderId"), ("cancelOrderId", "orderId"), ("origClientOrderId", "clientOrderId")];

/// What placeholders of the rogue's own keys stand for: a run tells its redactor the owner's first, then these.
const ROGUES: [(&str, &str); 2] = [("[api-key-2]", "${rogue.api_key}"), ("[secret-2]", "${rogue.secret}")];

/// Which answer told which value first.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// Placeholders of listen keys and the like, and the references that stand for them.
    placeholders: BTreeMap<String, (usize, String)>,
    /// Fields of orders by value.
    orders: BTreeMap<(&'static str, String), (usize, String)>,
}

/// How a step gets at the answer of the turn `at`.
pub(super) fn name_of(at: usize) -> String {
    format!("turn-{}", at + 1)
}

impl Origins {
    /// Takes note of what an answer tells.
    pub(super) fn take(&mut self, at: usize, value: &Value) {
        for (field, told) in value.as_object().into_iter().flatten() {
            if let Value::String(text) = told
                && text.starts_with('[')
                && text.ends_with(']')
                && !ROGUES.iter().any(|(placeholder, _)| placeholder == text)
            {
                let reference = format!("${{{}.{field}}}", name_of(at));
                self.placeholders.entry(text.clone()).or_insert((at, reference));
            }
        }
        for (_, field) in ORDERS {
            if let Some(told) = value.get(field).filter(|told| told.is_number() || told.is_string()) {
                let reference = format!("${{{}.{field}}}", name_of(at));
                self.orders.entry((field, told.to_string())).or_insert((at, reference));
            }
        }
    }

    /// Arguments with references in place of what was told before, and the turns that they refer to. Nothing when they
    /// cannot be written as a step has them.
    pub(super) fn arguments(&self, arguments: &Map<String, Value>) -> Option<(Map<String, Value>, Vec<usize>)> {
        let mut used = Vec::new();
        let mut written = Map::new();
        for (name, value) in arguments {
            let order = ORDERS.iter().find(|(argument, _)| argument == name);
            let known = order.and_then(|(_, field)| self.orders.get(&(*field, value.to_string())));
            let value = match known {
                Some((at, reference)) => {
                    used.push(*at);
                    Value::from(reference.clone())
                }
                None => self.value(value, &mut used)?,
            };
            written.insert(name.clone(), value);
        }
        Some((written, used))
    }

    fn value(&self, value: &Value, used: &mut Vec<usize>) -> Option<Value> {
        match value {
            Value::String(text) => self.text(text, used).map(Value::from),
            Value::Array(list) => {
                list.iter().map(|value| self.value(value, used)).collect::<Option<_>>().map(Value::Array)
            }
            Value::Object(map) => {
                let pairs = map.iter().map(|(name, value)| Some((name.clone(), self.value(value, used)?)));
                pairs.collect::<Option<_>>().map(Value::Object)
            }
            // YAML would spoil them.
            Value::Number(number) if number.is_f64() => None,
            plain => Some(plain.clone()),
        }
    }

    /// A text with references in place of placeholders, and what would be read as one spelled out.
    pub(super) fn text(&self, text: &str, used: &mut Vec<usize>) -> Option<String> {
        let mut written = text.replace("${", "$${");
        // What follows the mark must come out as it was.
        let back = resolve_value(&Value::from(written.clone()), &|_| None).ok()?;
        if back.as_str() != Some(text) {
            return None;
        }
        for (placeholder, (at, reference)) in &self.placeholders {
            if written.contains(placeholder.as_str()) {
                written = written.replace(placeholder.as_str(), reference);
                used.push(*at);
            }
        }
        for (placeholder, reference) in ROGUES {
            written = written.replace(placeholder, reference);
        }
        Some(written)
    }
}
