//! References to earlier answers: `${order.orderId}`.

use std::fmt;

use serde_json::Value;

/// A reference: the name of an answer and the way into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The name that a step was given with `as`.
    pub name: String,
    /// Field names or list positions, outermost first; empty for the whole answer.
    pub path: Vec<String>,
}

/// Why a text with references makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefError {
    /// No closing brace.
    #[error("`{0}` opens a reference with `${{` that nothing closes; write `$${{` for the two characters themselves")]
    Unclosed(String),
    /// Not a name with a path.
    #[error("`${{{0}}}` is not a reference; write a name and a path, such as `${{order.orderId}}`")]
    Malformed(String),
}

/// Why a reference has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// The text itself is wrong.
    #[error(transparent)]
    Text(#[from] RefError),
    /// There is no such value.
    #[error("`{0}` has no value: the answer it points into is missing or has no such field")]
    Missing(Reference),
}

/// A text cut into plain pieces and references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Reference(Reference),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${{{}", self.name)?;
        for part in &self.path {
            write!(f, ".{part}")?;
        }
        f.write_str("}")
    }
}

impl Reference {
    /// The value that the reference's path leads to within `answer`.
    pub fn within<'a>(&self, answer: &'a Value) -> Option<&'a Value> {
        self.path.iter().try_fold(answer, |value, part| match value {
            Value::Object(map) => map.get(part),
            Value::Array(list) => list.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }

    fn parse(inner: &str) -> Result<Self, RefError> {
        let mut parts = inner.split('.').map(str::to_owned);
        let word =
            |part: &String| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let name = parts.next().filter(word);
        let path: Vec<String> = parts.collect();
        match name {
            Some(name) if path.iter().all(word) => Ok(Self { name, path }),
            _ => Err(RefError::Malformed(inner.to_owned())),
        }
    }
}

impl Template {
    /// Cuts a text into its pieces.
    pub fn parse(text: &str) -> Result<Self, RefError> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, after) = rest.split_at(at);
            plain.push_str(before);
            if let Some(literal) = after.strip_prefix("$${") {
                plain.push_str("${");
                rest = literal;
            } else if let Some(inner) = after.strip_prefix("${") {
                let (inner, tail) = inner.split_once('}').ok_or_else(|| RefError::Unclosed(text.to_owned()))?;
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Reference(Reference::parse(inner)?));
                rest = tail;
            } else {
                plain.push('$');
                rest = after.strip_prefix('$').unwrap_or_default();
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }

    /// The references, in order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Reference(reference) => Some(reference),
            Piece::Text(_) => None,
        })
    }

    /// The text with its references replaced. A text that is one reference and nothing else becomes the value
    /// with its JSON type; elsewhere texts go in as they are and other values as JSON.
    pub fn resolve(&self, lookup: &impl Fn(&Reference) -> Option<Value>) -> Result<Value, Unresolved> {
        let find = |reference: &Reference| lookup(reference).ok_or_else(|| Unresolved::Missing(reference.clone()));
        if let [Piece::Reference(reference)] = self.pieces.as_slice() {
            return find(reference);
        }
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Reference(reference) => match find(reference)? {
                    Value::String(value) => text.push_str(&value),
                    other => text.push_str(&other.to_string()),
                },
            }
        }
        Ok(Value::String(text))
    }
}

/// A value with the references in its texts resolved; keys stay as they are.
pub fn resolve_value(value: &Value, lookup: &impl Fn(&Reference) -> Option<Value>) -> Result<Value, Unresolved> {
    match value {
        Value::String(text) => Template::parse(text)?.resolve(lookup),
        Value::Array(list) => list.iter().map(|item| resolve_value(item, lookup)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, item)| Ok((key.clone(), resolve_value(item, lookup)?)))
            .collect::<Result<serde_json::Map<_, _>, _>>()
            .map(Value::Object),
        other => Ok(other.clone()),
    }
}

/// A text with its references resolved to text.
pub fn resolve_text(text: &str, lookup: &impl Fn(&Reference) -> Option<Value>) -> Result<String, Unresolved> {
    Ok(match Template::parse(text)?.resolve(lookup)? {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lookup(reference: &Reference) -> Option<Value> {
        let answers = json!({ "order": { "orderId": 7, "fills": [{ "price": "60000.00" }] }, "index": 3 });
        reference.within(answers.get(&reference.name)?).cloned()
    }

    #[test]
    fn whole_references_keep_their_type() {
        let value = json!({ "id": "${order.orderId}", "deep": ["${order.fills.0.price}"], "text": "x-${order.orderId}-${index}" });
        assert_eq!(resolve_value(&value, &lookup), Ok(json!({ "id": 7, "deep": ["60000.00"], "text": "x-7-3" })));
        assert_eq!(resolve_text("${order.orderId}", &lookup), Ok("7".to_owned()));
    }

    #[test]
    fn dollars_that_are_no_references() {
        for (text, plain) in
            [("$", "$"), ("a$b", "a$b"), ("$${order}", "${order}"), ("$$", "$$"), ("{\"a\":{}}", "{\"a\":{}}")]
        {
            assert_eq!(resolve_text(text, &lookup), Ok(plain.to_owned()), "{text}");
        }
    }

    #[test]
    fn senseless_references() {
        assert_eq!(Template::parse("${order"), Err(RefError::Unclosed("${order".to_owned())));
        for inner in ["", ".a", "a.", "a..b", "a b"] {
            assert_eq!(Template::parse(&format!("${{{inner}}}")), Err(RefError::Malformed(inner.to_owned())));
        }
        let missing = resolve_text("${order.nope}", &lookup).expect_err("missing").to_string();
        assert!(missing.contains("${order.nope}"), "{missing}");
    }
}
