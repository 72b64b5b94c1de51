//! Takes a document's values apart and collects what is wrong with them.

use std::cell::OnceCell;

use serde_json::{Map, Value};

use super::error::{PolicyError, PolicyErrors};
use super::model::Policy;
use super::warn::Warning;
use crate::pointer;
use crate::strict::{self, Outline, Place};

/// A document may be this long: far more than people write, little enough to hold.
const BYTES_MAX: usize = 64 << 20;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node<'v> {
    pub(super) value: &'v Value,
    pub(super) pointer: String,
}

/// Which language a document is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// Reads nodes, and goes on after an error, so that an author sees all of them at once.
pub(super) struct Reader<'s> {
    source: &'s str,
    version: Version,
    outline: OnceCell<Outline>,
    /// The texts of the parts, by name.
    parts: Vec<(String, String, OnceCell<Outline>)>,
    errors: Vec<PolicyError>,
    warnings: Vec<Warning>,
}

impl<'s> Reader<'s> {
    /// Opens `source`, which must be closed JSON; of version "2" it may have comments.
    pub(super) fn open(source: &'s str) -> Result<(Self, Value), PolicyErrors> {
        let parsed = strict::parse(source.as_bytes(), Self::limits());
        let root = match parsed {
            Err(error) if error.kind() == strict::StrictErrorKind::UnexpectedCharacter => {
                match strict::parse(source.as_bytes(), Self::limits().with_comments()) {
                    Ok(root) if version_of(&root) == Version::Two => Ok(root),
                    Err(second) if second.place() != error.place() => Err(second),
                    _ => Err(error),
                }
            }
            parsed => parsed,
        };
        match root {
            Ok(root) => {
                let version = version_of(&root);
                let reader = Self {
                    source,
                    version,
                    outline: OnceCell::new(),
                    parts: Vec::new(),
                    errors: Vec::new(),
                    warnings: Vec::new(),
                };
                Ok((reader, root))
            }
            Err(error) => {
                let remedy = match error.kind() {
                    strict::StrictErrorKind::UnexpectedCharacter => Some(
                        "policy documents are plain JSON, without comments or trailing commas; version 2 takes comments"
                            .to_owned(),
                    ),
                    _ => None,
                };
                let message = error.kind().to_string();
                let error = PolicyError::new(error.pointer().to_owned(), error.place(), message, remedy);
                Err(PolicyErrors::new(vec![error]))
            }
        }
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// What was read besides a policy, or everything that was wrong.
    pub(super) fn finish<T>(self, value: T) -> Result<T, PolicyErrors> {
        if self.errors.is_empty() { Ok(value) } else { Err(PolicyErrors::new(self.errors)) }
    }

    /// The policy with what is in vain in it, or everything that was wrong.
    pub(super) fn close(mut self, policy: Option<Policy>) -> Result<Policy, PolicyErrors> {
        match policy {
            Some(policy) if self.errors.is_empty() => {
                self.warnings.sort_by_key(Warning::place);
                self.warnings.dedup();
                Ok(Policy { warnings: self.warnings, ..policy })
            }
            _ => Err(PolicyErrors::new(self.errors)),
        }
    }

    fn limits() -> strict::Limits {
        strict::Limits::default().with_bytes_max(BYTES_MAX)
    }

    /// Reads a part of the document, which the entry at `node` includes.
    pub(super) fn add_part(&mut self, node: &Node<'_>, path: &str, text: String) -> Option<Value> {
        match strict::parse(text.as_bytes(), Self::limits().with_comments()) {
            Ok(root) => {
                self.parts.push((path.to_owned(), text, OnceCell::new()));
                Some(root)
            }
            Err(error) => {
                let message = format!("{} is not closed JSON: {}, {}", quoted(path), error.place(), error.kind());
                self.wrong(&node.pointer, message, "correct it there");
                None
            }
        }
    }

    /// The texts of the parts, by name.
    pub(super) fn part_texts(&self) -> Vec<(String, String)> {
        self.parts.iter().map(|(path, text, _)| (path.clone(), text.clone())).collect()
    }

    /// Where everything stands in the text that `pointer` leads into, that text, and the pointer within it. Made when
    /// the first thing has to be said about it: most documents are fine.
    fn outline<'p>(&self, pointer: &'p str) -> (&Outline, &str, &'p str) {
        let make = |text: &str, limits| {
            let mut outline = Outline::default();
            // It was read before, so that this cannot fail.
            let _ = strict::parse_observed(text.as_bytes(), limits, &mut outline);
            outline
        };
        if let Some((path, within)) = pointer.split_once('#').filter(|(path, _)| !path.starts_with('/'))
            && let Some((_, text, outline)) = self.parts.iter().find(|(name, ..)| name == path)
        {
            return (outline.get_or_init(|| make(text, Self::limits().with_comments())), text, within);
        }
        let limits = match self.version {
            Version::One => Self::limits(),
            Version::Two => Self::limits().with_comments(),
        };
        (self.outline.get_or_init(|| make(self.source, limits)), self.source, pointer)
    }

    /// The document's own text of the value at `pointer`.
    pub(super) fn text(&self, pointer: &str) -> Option<String> {
        let (outline, text, within) = self.outline(pointer);
        outline.text(text, within).map(str::to_owned)
    }

    fn value_place(&self, pointer: &str) -> Place {
        let (outline, text, within) = self.outline(pointer);
        outline.value(text, within)
    }

    fn key_place(&self, pointer: &str) -> Place {
        let (outline, text, within) = self.outline(pointer);
        outline.key(text, within)
    }

    /// Notes an error in the value at `pointer`.
    pub(super) fn wrong(&mut self, pointer: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let place = self.value_place(pointer);
        self.note(pointer, place, message.into(), remedy.into());
    }

    /// Notes an error in the key at `pointer`.
    pub(super) fn wrong_key(&mut self, pointer: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let place = self.key_place(pointer);
        self.note(pointer, place, message.into(), remedy.into());
    }

    fn note(&mut self, pointer: &str, place: Place, message: String, remedy: String) {
        self.errors.push(PolicyError::new(pointer.to_owned(), place, message, Some(remedy)));
    }

    /// Notes a warning about the key or value at `pointer`.
    pub(super) fn warn(&mut self, code: &'static str, pointer: &str, message: impl Into<String>) {
        let place = self.key_place(pointer);
        self.warnings.push(Warning::new(code, pointer.to_owned(), place, message.into()));
    }

    /// The members of an object, all of whose keys must be `known`.
    pub(super) fn object<'v>(&mut self, node: &Node<'v>, what: &str, known: &[&str]) -> Option<&'v Map<String, Value>> {
        let members = self.open_object(node, what)?;
        for key in members.keys().filter(|key| !known.contains(&key.as_str())) {
            let remedy = match nearest(key, known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", list(known)),
            };
            let message = format!("unknown key {}", quoted(key));
            self.wrong_key(&pointer::child(&node.pointer, key), message, remedy);
        }
        Some(members)
    }

    /// The members of an object whose keys are names of the author's choice.
    pub(super) fn open_object<'v>(&mut self, node: &Node<'v>, what: &str) -> Option<&'v Map<String, Value>> {
        let members = node.value.as_object();
        if members.is_none() {
            self.mistyped(node, what, "an object `{ … }`");
        }
        members
    }

    /// The elements of an array.
    pub(super) fn array<'v>(&mut self, node: &Node<'v>, what: &str) -> Vec<Node<'v>> {
        let Some(elements) = node.value.as_array() else {
            self.mistyped(node, what, "an array `[ … ]`");
            return Vec::new();
        };
        elements
            .iter()
            .enumerate()
            .map(|(index, value)| Node { value, pointer: pointer::element(&node.pointer, index) })
            .collect()
    }

    /// A string.
    pub(super) fn string<'v>(&mut self, node: &Node<'v>, what: &str) -> Option<&'v str> {
        let text = node.value.as_str();
        if text.is_none() {
            self.mistyped(node, what, "a string");
        }
        text
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, node: &Node<'_>, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.string(node, what)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let remedy = match nearest(text, &known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("use one of {}", list(&known)),
        };
        self.wrong(&node.pointer, format!("{} is no {what}", quoted(text)), remedy);
        None
    }

    /// A whole number of at least `least`.
    pub(super) fn count(&mut self, node: &Node<'_>, what: &str, least: u64) -> Option<u64> {
        let count = node.value.as_u64().filter(|count| *count >= least);
        if count.is_none() {
            let remedy = match node.value {
                Value::String(text) if text.parse::<u64>().is_ok() => format!("write {text} without quotes"),
                _ => format!("write a whole number of at least {least}"),
            };
            self.wrong(&node.pointer, format!("{what} must be a whole number"), remedy);
        }
        count
    }

    /// The member `key` of the object `members`, which is the value of `node`.
    pub(super) fn required<'v>(
        &mut self,
        node: &Node<'v>,
        members: &'v Map<String, Value>,
        key: &str,
        remedy: &str,
    ) -> Option<Node<'v>> {
        let member = node.member(members, key);
        if member.is_none() {
            self.missing(node, key, remedy);
        }
        member
    }

    /// Notes that a key is missing from the object `node`.
    pub(super) fn missing(&mut self, node: &Node<'_>, key: &str, remedy: impl Into<String>) {
        self.wrong(&node.pointer, format!("`{key}` is missing"), remedy);
    }

    fn mistyped(&mut self, node: &Node<'_>, what: &str, wanted: &str) {
        self.wrong(&node.pointer, format!("{what} is {}", kind(node.value)), format!("write {wanted}"));
    }
}

impl<'v> Node<'v> {
    /// The member `key` of the object `members`, which is this node's value.
    pub(super) fn member(&self, members: &'v Map<String, Value>, key: &str) -> Option<Self> {
        members.get(key).map(|value| Self { value, pointer: pointer::child(&self.pointer, key) })
    }
}

/// The version that a document says it is of; anything but "2" is read, and refused if need be, as "1".
fn version_of(root: &Value) -> Version {
    match root.get("version") {
        Some(Value::String(version)) if version == "2" => Version::Two,
        _ => Version::One,
    }
}

/// User input for a message: in backticks, escaped, cut short.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let shown: String = text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(SHOWN_MAX).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}

/// What a value is, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The known word that `text` was probably meant to be.
pub(super) fn nearest<'k>(text: &str, known: &[&'k str]) -> Option<&'k str> {
    let bare = |word: &str| -> String { word.chars().filter(char::is_ascii_alphanumeric).collect() };
    let text_bare = bare(text).to_ascii_lowercase();
    known
        .iter()
        .map(|word| (strsim::osa_distance(&text_bare, &bare(word)), *word))
        .filter(|(distance, word)| *distance <= 1.max(word.len() / 3) && *distance < word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
