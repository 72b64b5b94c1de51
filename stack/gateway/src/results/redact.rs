//! Takes the values of named fields out of a result.

use std::collections::BTreeSet;

use serde_json::Value;

const GONE: &str = "[redacted]";

/// Shorter texts could be words of any sentence, and are taken out only where they stand under their name.
const REPEATED_MIN_BYTES: usize = 8;

/// Replaces the value of every field called as one of `names`, whatever the case, at every depth, in JSON within texts as
/// well, and then what repeats such a value elsewhere. Whether anything was replaced.
pub(super) fn redact(result: &mut Value, names: &[String]) -> bool {
    if names.is_empty() {
        return false;
    }
    let mut taken = BTreeSet::new();
    let mut changed = fields(result, names, &mut taken);
    // The longest first: a shorter one may be a part of it.
    let mut taken: Vec<String> = taken.into_iter().filter(|text| text.len() >= REPEATED_MIN_BYTES).collect();
    taken.sort_by_key(|text| std::cmp::Reverse(text.len()));
    if !taken.is_empty() {
        changed |= repeats(result, &taken);
    }
    changed
}

fn fields(value: &mut Value, names: &[String], taken: &mut BTreeSet<String>) -> bool {
    let mut changed = false;
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                if names.iter().any(|name| name.eq_ignore_ascii_case(key)) {
                    texts(value, taken);
                    *value = Value::String(GONE.to_owned());
                    changed = true;
                } else {
                    changed |= fields(value, names, taken);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                changed |= fields(item, names, taken);
            }
        }
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            if let Ok(mut inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text)
                && fields(&mut inner, names, taken)
            {
                *text = inner.to_string();
                changed = true;
            }
        }
        _ => {}
    }
    changed
}

fn texts(value: &Value, taken: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(taken.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, taken)),
        Value::Object(members) => members.values().for_each(|value| texts(value, taken)),
        Value::Number(number) => drop(taken.insert(number.to_string())),
        Value::Null | Value::Bool(_) => {}
    }
}

fn repeats(value: &mut Value, taken: &[String]) -> bool {
    match value {
        Value::String(text) => {
            let mut changed = false;
            for secret in taken {
                if text.contains(secret.as_str()) {
                    *text = text.replace(secret.as_str(), GONE);
                    changed = true;
                }
            }
            changed
        }
        Value::Array(items) => items.iter_mut().fold(false, |changed, item| repeats(item, taken) | changed),
        Value::Object(members) => members.iter_mut().fold(false, |changed, (_, value)| repeats(value, taken) | changed),
        _ => false,
    }
}
