//! YAML as another notation of a policy document.
//!
//! A document is turned into JSON, and that is read by the one closed reader: what JSON is refused for, YAML is refused
//! for. What two readers of YAML could take differently does not get so far: a plain word that some of them take for a
//! boolean or a number, anchors and aliases, tags, merges, several documents in one text, texts over several lines. Quotes
//! say what is meant, and numbers are written as in JSON.
//!
//! The JSON has one token a line, so that a line of it is a place in the YAML:
//!
//! ```text
//!  default: deny        {              1:1
//!                       "default":     1:1
//!                       "deny"         1:10
//!                       }              1:1
//! ```

use granit_parser::{Event, Parser, ScalarStyle, Span, options};
use mcp_policy::Place;
use mcp_policy::strict;

/// As long as a document in JSON may be.
const BYTES_MAX: usize = 64 << 20;

/// A document as JSON, and where each line of that stands in the YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transcript {
    json: String,
    pub(super) places: Vec<Place>,
}

/// Why a text is no document in YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct YamlError {
    pub(super) place: Place,
    pub(super) pointer: String,
    pub(super) message: String,
    pub(super) remedy: String,
}

impl std::fmt::Display for YamlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.message, self.remedy)
    }
}

impl Transcript {
    pub(super) fn of(yaml: &str) -> Result<Self, YamlError> {
        if yaml.len() > BYTES_MAX {
            return Err(YamlError::at(Place::new(1, 1), "the document is too long", "cut it into parts"));
        }
        if yaml.starts_with('\u{feff}') {
            return Err(YamlError::at(
                Place::new(1, 1),
                "the document begins with a byte order mark",
                "save it without",
            ));
        }
        let mut writer =
            Writer { transcript: Self { json: String::new(), places: Vec::new() }, open: Vec::new(), done: false };
        let options = options! { disallow_directives: true, strict_indentation: true, emit_comments: false };
        for next in Parser::new_from_str_with_options(yaml, options) {
            let (event, span) = next.map_err(|error| {
                let (place, said) = (place_of(*error.marker()), error.to_string());
                let said = said.split(" at ").next().unwrap_or_default().to_owned();
                YamlError::at(place, format!("this is no YAML: {said}"), "correct it; blanks and not tabs indent")
            })?;
            writer.take(&event, span)?;
        }
        if !writer.done {
            return Err(YamlError::at(
                Place::new(1, 1),
                "the document is empty",
                "write `version`, `default` and `tools`",
            ));
        }
        writer.transcript.checked()
    }

    /// What JSON would be refused for.
    fn checked(self) -> Result<Self, YamlError> {
        let limits = strict::Limits::default().with_bytes_max(self.json.len());
        match strict::parse(self.json.as_bytes(), limits) {
            Ok(_) => Ok(self),
            Err(error) => Err(YamlError {
                place: self.place(error.place()),
                pointer: error.pointer().to_owned(),
                message: error.kind().to_string(),
                remedy: "policy documents are closed: write each key once, in one case".to_owned(),
            }),
        }
    }

    /// The document as JSON.
    pub(super) fn json(&self) -> &str {
        &self.json
    }

    /// Where in the YAML stands what stands at `place` in the JSON.
    pub(super) fn place(&self, place: Place) -> Place {
        self.places.get(place.line().saturating_sub(1)).copied().unwrap_or(place)
    }
}

impl YamlError {
    fn at(place: Place, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place, pointer: String::new(), message: message.into(), remedy: remedy.into() }
    }
}

/// What is open round the next node.
enum Open {
    Sequence { first: bool },
    Mapping { first: bool, value_next: bool },
}

struct Writer {
    transcript: Transcript,
    open: Vec<Open>,
    done: bool,
}

impl Writer {
    fn take(&mut self, event: &Event<'_>, span: Span) -> Result<(), YamlError> {
        let place = place_of(span.start);
        let wrong = |message: &str, remedy: &str| Err(YamlError::at(place, message, remedy));
        match event {
            Event::Scalar(_, _, anchor, tag) if *anchor != 0 || tag.is_some() => {
                wrong("anchors and tags are not read here", "write the value itself, in quotes if it is a text")
            }
            Event::SequenceStart(_, anchor, tag) | Event::MappingStart(_, anchor, tag)
                if *anchor != 0 || tag.is_some() =>
            {
                wrong("anchors and tags are not read here", "write the value itself")
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) | Event::Anchor(..) => {
                wrong("aliases are not read here", "write the value again, or put what is shared into an included part")
            }
            Event::DocumentStart(..) if self.done => wrong("a second document begins", "write one document a file"),
            Event::Scalar(text, style, ..) => self.scalar(text, *style, span),
            Event::SequenceStart(..) => self.open(place, "[", Open::Sequence { first: true }),
            Event::MappingStart(..) => self.open(place, "{", Open::Mapping { first: true, value_next: false }),
            Event::SequenceEnd => {
                self.close(place, "]");
                Ok(())
            }
            Event::MappingEnd => {
                self.close(place, "}");
                Ok(())
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => Ok(()),
            // Comments are not asked for; whatever a later parser may tell, nobody has thought of.
            _ => wrong("this is not read here", "write plain mappings, lists and texts"),
        }
    }

    fn open(&mut self, place: Place, bracket: &str, open: Open) -> Result<(), YamlError> {
        if self.is_key() {
            return Err(YamlError::at(place, "a key is a list or a mapping", "write a text"));
        }
        self.begin();
        self.line(place, bracket);
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self, place: Place, bracket: &str) {
        self.open.pop();
        self.line(place, bracket);
        self.end();
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Result<(), YamlError> {
        let place = place_of(span.start);
        let quotes = "write the text in quotes on one line";
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) || span.start.line() != span.end.line() {
            return Err(YamlError::at(place, "a text stands on several lines", quotes));
        }
        let token = match style {
            ScalarStyle::Plain => {
                // The parser tells `~` where nothing stands.
                let text = if span.start.index() == span.end.index() { "" } else { text };
                plain(text, self.is_key()).map_err(|(message, remedy)| YamlError::at(place, message, remedy))?
            }
            _ => quoted(text),
        };
        let is_key = self.is_key();
        self.begin();
        self.line(place, &token);
        if is_key {
            self.transcript.json.truncate(self.transcript.json.trim_end().len());
            self.transcript.json.push_str(":\n");
        }
        self.end();
        Ok(())
    }

    fn is_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Mapping { value_next: false, .. }))
    }

    /// A comma before what is not the first.
    fn begin(&mut self) {
        let comma = match self.open.last_mut() {
            Some(Open::Sequence { first } | Open::Mapping { first, value_next: false }) => !std::mem::take(first),
            Some(Open::Mapping { value_next: true, .. }) | None => false,
        };
        if comma {
            self.transcript.json.push(',');
        }
    }

    fn end(&mut self) {
        match self.open.last_mut() {
            Some(Open::Mapping { value_next, .. }) => *value_next = !*value_next,
            Some(Open::Sequence { .. }) => {}
            None => self.done = true,
        }
    }

    fn line(&mut self, place: Place, token: &str) {
        self.transcript.json.push_str(token);
        self.transcript.json.push('\n');
        self.transcript.places.push(place);
    }
}

/// The parser counts lines from 1 and columns from 0.
fn place_of(marker: granit_parser::Marker) -> Place {
    Place::new(marker.line(), marker.col() + 1)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A word without quotes: a text, or what JSON writes without quotes too.
fn plain(text: &str, is_key: bool) -> Result<String, (String, String)> {
    let shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.is_empty() {
        let message = if is_key { "the key is empty" } else { "nothing stands here" };
        return Err((message.to_owned(), "write `{}`, `[]`, `\"\"` or `null`, whichever is meant".to_owned()));
    }
    let literal = matches!(text, "true" | "false" | "null");
    let number = is_number(text);
    if !is_key && (literal || number) {
        return Ok(text.to_owned());
    }
    if literal || number || is_ambiguous(text) {
        let remedy = match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => "write `true`, or the word in quotes",
            "no" | "off" | "n" | "false" => "write `false`, or the word in quotes",
            "~" | "null" => "write `null`, or the word in quotes",
            "<<" => "write the members themselves; merges are not read here",
            _ => "write it in quotes if it is a text; a number is written as in JSON",
        };
        let what = if is_key { "as a key" } else { "" };
        let message = format!("`{shown}` {what} may be read in several ways").replace("  ", " ");
        return Err((message, remedy.to_owned()));
    }
    Ok(quoted(text))
}

/// A number as JSON writes it.
fn is_number(text: &str) -> bool {
    let looks = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    looks && matches!(strict::parse(text.as_bytes(), strict::Limits::default()), Ok(serde_json::Value::Number(_)))
}

/// What some reader of YAML takes for something else than a text.
fn is_ambiguous(text: &str) -> bool {
    const WORDS: [&str; 12] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", "<<", "="];
    // Numbers of all bases, times and dates are made of these.
    let of_numbers = |one: char| one.is_ascii_hexdigit() || "xXoO_+-.:, tTzZiInN".contains(one);
    let begins = |first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.');
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || (text.starts_with(begins) && text.chars().all(of_numbers))
}
