//! Where two JSON values differ.

use std::fmt;

use serde_json::Value;

use crate::pointer::below;

/// A field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDifference {
    /// Where it stands, as a JSON pointer (RFC 6901); empty for the whole.
    pub pointer: String,
    /// The value on the tape; nothing when the field is not there.
    pub tape: Option<Value>,
    /// The value that was met; nothing when the field is not there.
    pub live: Option<Value>,
}

/// All fields that differ. Objects have no order, arrays have one, text is compared as text.
pub(super) fn differences(tape: &Value, live: &Value) -> Vec<FieldDifference> {
    let mut found = Vec::new();
    compare("", Some(tape), Some(live), &mut found);
    found
}

fn compare(at: &str, tape: Option<&Value>, live: Option<&Value>, found: &mut Vec<FieldDifference>) {
    match (tape, live) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                compare(&below(at, name), a.get(name), b.get(name), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for place in 0..a.len().max(b.len()) {
                compare(&below(at, &place.to_string()), a.get(place), b.get(place), found);
            }
        }
        (tape, live) if tape == live => {}
        (tape, live) => {
            found.push(FieldDifference { pointer: at.to_owned(), tape: tape.cloned(), live: live.cloned() });
        }
    }
}

/// Longer values are cut when they are shown.
const SHOWN_CHARS: usize = 200;

impl fmt::Display for FieldDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "(the whole)" } else { &self.pointer };
        write!(f, "    {pointer}\n      - {}\n      + {}", shown(self.tape.as_ref()), shown(self.live.as_ref()))
    }
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else { return "(absent)".to_owned() };
    // As JSON: control characters are escaped, and `"1"` is told from `1`.
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_pointed_at() {
        let tape = json!({"a/b": {"~": 1, "same": [1]}, "list": ["0.10", 2], "gone": null});
        let live = json!({"list": ["0.1", 2, 3], "a/b": {"same": [1], "~": 2}, "new": {}});
        let told: Vec<_> = differences(&tape, &live).iter().map(ToString::to_string).collect();
        let expected = [
            "    /a~1b/~0\n      - 1\n      + 2",
            "    /list/0\n      - \"0.10\"\n      + \"0.1\"",
            "    /list/2\n      - (absent)\n      + 3",
            "    /gone\n      - null\n      + (absent)",
            "    /new\n      - (absent)\n      + {}",
        ];
        assert_eq!(told, expected);
        assert_eq!(differences(&tape, &tape), []);
        let whole = differences(&json!(1), &json!("1"))[0].to_string();
        assert_eq!(whole, "    (the whole)\n      - 1\n      + \"1\"");
    }

    #[test]
    fn long_values_are_cut() {
        let long = differences(&json!({"x": "é".repeat(500)}), &json!({"x": 1}))[0].to_string();
        assert!(long.contains("… (1002 bytes)"), "{long}");
    }
}
