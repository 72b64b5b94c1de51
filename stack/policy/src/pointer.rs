//! JSON pointers (RFC 6901).

use serde_json::Value;

use crate::arguments::member;

/// A pointer that is followed often, taken apart beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<String>);

impl Pointer {
    /// `None` for text that is none: one begins with `/` or is empty.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut tokens = text.split('/');
        let begins_well = tokens.next().is_some_and(str::is_empty);
        begins_well.then(|| Self(tokens.map(|token| token.replace("~1", "/").replace("~0", "~")).collect()))
    }

    /// What it leads to in `value`.
    pub(crate) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |value, token| match value {
            Value::Object(members) => member(members, token),
            Value::Array(elements) => elements.get(index(token)?),
            _ => None,
        })
    }
}

/// The array index that a token names: digits without leading zeros.
pub(crate) fn index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with(['0', '+']);
    if canonical { token.parse().ok() } else { None }
}

/// Appends one reference token to `pointer`, escaped.
pub(crate) fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    for character in token.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// The pointer of `token` below `pointer`.
pub(crate) fn child(pointer: &str, token: &str) -> String {
    let mut child = String::with_capacity(pointer.len() + token.len() + 1);
    child.push_str(pointer);
    push(&mut child, token);
    child
}

/// The pointer of the element `index` below `pointer`.
pub(crate) fn element(pointer: &str, index: usize) -> String {
    format!("{pointer}/{index}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_taken_apart_leads_to_what_serde_json_finds() {
        let value = json!({ "a/b": [0, { "~c": "x", "": [[1]] }], "01": 2, "d": { "0": 3 } });
        let many: serde_json::Map<_, _> = (0..40).map(|n| (format!("k{n}"), json!(n))).collect();
        let value = json!({ "v": value, "many": many });
        for text in [
            "",
            "/v",
            "/v/a~1b",
            "/v/a~1b/0",
            "/v/a~1b/1/~0c",
            "/v/a~1b/1//0/0",
            "/v/a~1b/01",
            "/v/a~1b/+1",
            "/v/01",
            "/v/d/0",
            "/v/d/1",
            "/many/k39",
            "/many/k40",
            "/v/a~1b/1/~0c/0",
            "//",
        ] {
            assert_eq!(Pointer::parse(text).unwrap().find(&value), value.pointer(text), "{text}");
        }
        assert_eq!(Pointer::parse("v"), None);
    }

    #[test]
    fn tokens_are_escaped_as_rfc_6901_says() {
        assert_eq!(child("/tools", "a/b~c"), "/tools/a~1b~0c");
        assert_eq!(element("/limits", 3), "/limits/3");
    }
}
