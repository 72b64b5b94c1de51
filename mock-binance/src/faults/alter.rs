//! Other words in a JSON text.

use serde_json::Value;

/// Puts a text into every text field of one of these names, however deep. What is no JSON stays as it is.
pub(crate) fn poison(json: &[u8], fields: &[String], text: &str) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(json).ok()?;
    put(&mut value, fields, text);
    serde_json::to_vec(&value).ok()
}

fn put(value: &mut Value, fields: &[String], text: &str) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| put(value, fields, text)),
        Value::Object(object) => {
            for (name, value) in object.iter_mut() {
                match value {
                    Value::String(old) if fields.contains(name) => text.clone_into(old),
                    _ => put(value, fields, text),
                }
            }
        }
        _ => {}
    }
}
