//! Where in a text something stands.

use std::collections::BTreeMap;
use std::fmt;

use super::parse::{Limits, Observer, parse_observed};
use crate::pointer;

/// A place in a text. Both numbers count from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    line: usize,
    column: usize,
}

impl Place {
    /// A place by its line and its column, both from 1.
    pub const fn new(line: usize, column: usize) -> Self {
        Self { line, column }
    }

    /// The place of the byte `at` of `text`.
    pub(crate) fn of(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
        }
    }

    /// The line, from 1.
    pub fn line(self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    pub fn column(self) -> usize {
        self.column
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Where the value at `pointer` (RFC 6901) stands in a document, or its key if it has one, or what is there above it. In
/// a text that is no closed JSON, with comments or without, that is its beginning.
pub fn place_of(text: &str, pointer: &str) -> Place {
    let limits = Limits::default().with_bytes_max(text.len()).with_comments();
    let mut outline = Outline::default();
    match parse_observed(text.as_bytes(), limits, &mut outline) {
        Ok(_) => outline.key(text, pointer),
        Err(_) => Place::new(1, 1),
    }
}

/// Where the keys and values of a document stand in its text.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    spans: BTreeMap<String, Span>,
    pointer: String,
    lengths: Vec<usize>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Span {
    key: Option<usize>,
    start: usize,
    end: usize,
}

impl Outline {
    /// The place of the value at `pointer`, or of the nearest value above it.
    pub(crate) fn value(&self, text: &str, pointer: &str) -> Place {
        Place::of(text, self.nearest(pointer).start)
    }

    /// The place of the key at `pointer`, or of the nearest value above it.
    pub(crate) fn key(&self, text: &str, pointer: &str) -> Place {
        let span = self.nearest(pointer);
        Place::of(text, span.key.unwrap_or(span.start))
    }

    /// The text of the value at `pointer`.
    pub(crate) fn text<'t>(&self, text: &'t str, pointer: &str) -> Option<&'t str> {
        let span = self.spans.get(pointer)?;
        text.get(span.start..span.end)
    }

    fn nearest(&self, mut pointer: &str) -> Span {
        loop {
            if let Some(span) = self.spans.get(pointer) {
                return *span;
            }
            match pointer.rfind('/') {
                Some(slash) => pointer = pointer.get(..slash).unwrap_or_default(),
                None => return Span::default(),
            }
        }
    }

    fn span(&mut self) -> &mut Span {
        self.spans.entry(self.pointer.clone()).or_default()
    }
}

impl Observer for Outline {
    fn value_starts(&mut self, at: usize) {
        self.span().start = at;
    }

    fn value_ends(&mut self, at: usize) {
        self.span().end = at;
    }

    fn enter_member(&mut self, key: &str, at: usize) {
        self.lengths.push(self.pointer.len());
        pointer::push(&mut self.pointer, key);
        self.span().key = Some(at);
    }

    fn enter_element(&mut self, index: usize) {
        self.lengths.push(self.pointer.len());
        self.pointer = pointer::element(&self.pointer, index);
    }

    fn leave(&mut self) {
        self.pointer.truncate(self.lengths.pop().unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_found_by_their_pointer() {
        let text = "{\n  \"ä\": [1, {\"b/c\": 2.50}]\n}";
        let mut outline = Outline::default();
        parse_observed(text.as_bytes(), Limits::default(), &mut outline).unwrap();
        let at = |place: Place| (place.line(), place.column());
        assert_eq!(at(outline.key(text, "/ä")), (2, 3));
        assert_eq!(at(outline.value(text, "/ä/0")), (2, 9));
        assert_eq!(at(outline.key(text, "/ä/1/b~1c")), (2, 13));
        assert_eq!(outline.text(text, "/ä/1/b~1c"), Some("2.50"));
        assert_eq!(at(place_of(text, "/ä/1/b~1c")), (2, 13));
        assert_eq!(at(place_of("{", "/ä")), (1, 1));
        // What is not there is placed at what is there above it.
        assert_eq!(at(outline.value(text, "/ä/1/missing/0")), (2, 12));
        assert_eq!(at(outline.value(text, "/missing")), (1, 1));
    }
}
