//! A policy document with its parts, in which rules stand at pointers.
//!
//! A pointer is written as denials write it: `/tools/bn_ping/limits/0` in the document itself, and
//! `desk/orders.json#/tools/bn_ping/limits/0` in a part.

use std::path::PathBuf;

use mcp_gateway::mcp_policy::strict;
use serde_json::{Map, Value};

use super::change::{Change, put};
use crate::scenario::{PolicyFile, Problem};

/// A policy document with its parts, as JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The document itself, and then its parts in the order in which they are included.
    roots: Vec<Root>,
}

#[derive(Clone, Debug, PartialEq)]
struct Root {
    /// Its path below the document's folder; nothing of the document itself.
    part: String,
    value: Value,
    /// As it is written.
    text: String,
}

/// The part of a pointer, which is nothing where it leads into the document itself, and the rest.
fn parted(pointer: &str) -> (&str, &str) {
    pointer.split_once('#').filter(|(part, _)| !part.starts_with('/')).unwrap_or(("", pointer))
}

impl Root {
    fn prefix(&self) -> String {
        if self.part.is_empty() { String::new() } else { format!("{}#", self.part) }
    }
}

impl Document {
    /// The document of a file.
    ///
    /// # Errors
    /// It, or a part, cannot be read.
    pub fn of(policy: &PolicyFile) -> Result<Self, Problem> {
        let wrong = |message: String| Problem::error("policy", &policy.path, message);
        let mut roots = Vec::new();
        for (part, text, json) in policy.document().sources() {
            let (Some(text), Some(json)) = (text, json) else {
                return Err(wrong(if part.is_empty() {
                    "the policy cannot be read".to_owned()
                } else {
                    format!("`{part}` cannot be read")
                }));
            };
            let limits = strict::Limits::default().with_comments();
            let value = strict::parse(json.as_bytes(), limits).map_err(|error| wrong(error.to_string()))?;
            roots.push(Root { part: part.to_owned(), value, text: text.to_owned() });
        }
        Ok(Self { roots })
    }

    /// What stands at a pointer.
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        let (part, below) = parted(pointer);
        self.roots.iter().find(|root| root.part == part)?.value.pointer(below)
    }

    /// The file in which a pointer leads somewhere, of the document in the file `policy`.
    pub fn file(policy: &std::path::Path, pointer: &str) -> PathBuf {
        match parted(pointer) {
            ("", _) => policy.to_owned(),
            (part, _) => policy.with_file_name(part),
        }
    }

    /// How pointers into the document itself and into each part begin.
    pub(super) fn prefixes(&self) -> Vec<String> {
        self.roots.iter().map(Root::prefix).collect()
    }

    /// How pointers begin where `key` stands, the first of them; into the document itself when it stands nowhere.
    pub(super) fn home(&self, key: &str) -> String {
        self.roots.iter().find(|root| root.value.get(key).is_some()).map(Root::prefix).unwrap_or_default()
    }

    /// A member of the document itself, which decides it for all parts.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.roots.first()?.value.get(key)
    }

    /// The members of an object that may be spread over the parts.
    pub(super) fn members(&self, key: &str) -> Map<String, Value> {
        let objects = self.roots.iter().filter_map(|root| root.value.get(key)?.as_object());
        objects.flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The document with a change in it, beside `policy`; nothing when one of the places is not there.
    pub(super) fn changed(&self, policy: &PolicyFile, change: &Change) -> Option<PolicyFile> {
        let mut changed = self.clone();
        for pointer in change.also.iter().chain([&change.pointer]) {
            let (part, below) = parted(pointer);
            let root = changed.roots.iter_mut().find(|root| root.part == part)?;
            put(&mut root.value, below, change.after.as_ref())?;
            root.text = format!("{:#}", root.value);
        }
        let (whole, parts) = changed.roots.split_first()?;
        // It is JSON now, whatever it was.
        Some(PolicyFile::with_loader(policy.path.with_extension("json"), format!("{:#}", whole.value), |name| {
            let part = parts.iter().find(|root| root.part == name);
            part.map(|root| root.text.clone()).ok_or_else(|| "it is none of the parts".to_owned())
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::mutate::Kind;

    const WHOLE: &str = r#"{ "version": "2", "default": "deny", "manifest": "binance-mcp", "include": ["desk/a.json", "b.yaml"],
        "tools": { "bn_ping": {} } }"#;
    const A: &str = r#"{ "include": ["c.json"], "references": { "BTCUSDT": "60000" } }"#;
    const B: &str = "tools:\n  bn_server_time: {limits: [{counter: asked, window: minute, max: 2, scope: grant}]}\n";
    const C: &str =
        r#"{ "tools": { "bn_klines": { "require": [{ "path": "args.limit", "op": "lte", "value": 5 }] } } }"#;

    fn policy() -> PolicyFile {
        PolicyFile::with_loader(Path::new("x/whole.yaml").to_owned(), WHOLE, |name| {
            Ok(match name {
                "desk/a.json" => A,
                "b.yaml" => B,
                "desk/c.json" => C,
                _ => return Err(format!("no {name}")),
            }
            .to_owned())
        })
    }

    fn change(pointer: &str, also: &[&str], after: Option<Value>) -> Change {
        let also = also.iter().map(ToString::to_string).collect();
        Change { pointer: pointer.to_owned(), kind: Kind::Remove, before: None, after, tools: Vec::new(), also }
    }

    #[test]
    fn a_pointer_names_its_part() {
        let document = Document::of(&policy()).unwrap();
        assert_eq!(document.prefixes(), ["", "desk/a.json#", "desk/c.json#", "b.yaml#"]);
        assert_eq!(document.pointer("/version"), Some(&json!("2")));
        assert_eq!(document.pointer("desk/c.json#/tools/bn_klines/require/0/value"), Some(&json!(5)));
        assert_eq!(document.pointer("b.yaml#/tools/bn_server_time/limits/0/max"), Some(&json!(2)));
        assert_eq!(document.pointer("/tools/bn_server_time"), None);
        assert_eq!(document.members("tools").keys().collect::<Vec<_>>(), ["bn_ping", "bn_klines", "bn_server_time"]);
        assert_eq!(document.home("references"), "desk/a.json#");
        assert_eq!(Document::file(Path::new("x/whole.yaml"), "desk/c.json#/tools"), Path::new("x/desk/c.json"));
        assert_eq!(Document::file(Path::new("x/whole.yaml"), "/tools/a#b"), Path::new("x/whole.yaml"));
    }

    #[test]
    fn a_change_is_made_in_its_part_alone() {
        let (policy, was) = (policy(), Document::of(&policy()).unwrap());
        for pointer in ["desk/c.json#/tools/bn_klines/require/0/value", "b.yaml#/tools/bn_server_time/limits/0/max"] {
            let made = was.changed(&policy, &change(pointer, &[], Some(json!(7)))).unwrap();
            assert!(made.document().parse().is_ok(), "{:?}", made.document().parse());
            let is = Document::of(&made).unwrap();
            assert_eq!(is.pointer(pointer), Some(&json!(7)));
            let differs = |root: &&Root| was.roots.iter().all(|other| other.value != root.value);
            assert_eq!(is.roots.iter().filter(differs).count(), 1, "{pointer}");
        }
        // One counter in two files.
        let both = change("/tools/bn_ping/limits", &["b.yaml#/tools/bn_server_time/limits"], Some(json!([])));
        let is = Document::of(&was.changed(&policy, &both).unwrap()).unwrap();
        assert_eq!(is.pointer("/tools/bn_ping/limits"), is.pointer("b.yaml#/tools/bn_server_time/limits"));
        for gone in ["b.yaml#/tools/bn_klines", "d.json#/tools", "/include/9"] {
            assert!(was.changed(&policy, &change(gone, &[], None)).is_none(), "{gone}");
        }
    }

    #[test]
    fn a_part_that_cannot_be_read_is_an_error() {
        let policy = PolicyFile::with_loader(Path::new("whole.json").to_owned(), WHOLE, |_| Err("gone".to_owned()));
        assert!(Document::of(&policy).unwrap_err().to_string().contains("`desk/a.json` cannot be read"));
    }
}
