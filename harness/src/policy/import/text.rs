//! Writes a document with remarks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::pointer::below;

/// Remarks by JSON pointer into the document that is written; that of the whole is the empty one.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    by_pointer: BTreeMap<String, Vec<String>>,
}

impl Remarks {
    /// Adds a remark. What is quoted in it was written by others, and may not end the comment.
    pub(super) fn add(&mut self, pointer: &str, remark: &str) {
        let remark = remark
            .chars()
            .map(|one| if one.is_control() || matches!(one, '\u{2028}' | '\u{2029}') { ' ' } else { one });
        self.by_pointer.entry(pointer.to_owned()).or_default().push(remark.collect());
    }

    fn at(&self, pointer: &str) -> &[String] {
        self.by_pointer.get(pointer).map_or(&[], Vec::as_slice)
    }

    fn has_below(&self, pointer: &str) -> bool {
        self.by_pointer.keys().any(|one| one.strip_prefix(pointer).is_some_and(|rest| rest.starts_with('/')))
    }
}

/// So long is a value that stands on one line.
const LINE_MAX: usize = 100;

pub(super) fn write(document: &Value, remarks: &Remarks) -> String {
    let mut text = String::new();
    for remark in remarks.at("") {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "// {remark}");
    }
    value(document, "", 0, remarks, &mut text);
    text.push('\n');
    text
}

fn value(of: &Value, pointer: &str, indent: usize, remarks: &Remarks, text: &mut String) {
    let short = of.to_string();
    let (open, close, children): (&str, &str, Vec<(String, String, &Value)>) = match of {
        Value::Object(members) => {
            let members = members.iter();
            let members =
                members.map(|(key, value)| (below(pointer, key), format!("{}: ", Value::from(key.as_str())), value));
            ("{", "}", members.collect())
        }
        Value::Array(elements) => {
            let elements = elements.iter().enumerate();
            ("[", "]", elements.map(|(index, value)| (format!("{pointer}/{index}"), String::new(), value)).collect())
        }
        _ => return text.push_str(&short),
    };
    if children.is_empty() || (short.len() + indent <= LINE_MAX && !remarks.has_below(pointer) && !pointer.is_empty()) {
        return text.push_str(&short);
    }
    text.push_str(open);
    let pad = " ".repeat(indent + 2);
    let last = children.len() - 1;
    for (index, (pointer, key, child)) in children.into_iter().enumerate() {
        text.push('\n');
        for remark in remarks.at(&pointer) {
            let _ = writeln!(text, "{pad}// {remark}");
        }
        let _ = write!(text, "{pad}{key}");
        value(child, &pointer, indent + 2, remarks, text);
        if index < last {
            text.push(',');
        }
    }
    let _ = write!(text, "\n{}{close}", " ".repeat(indent));
}
