//! A policy document as it was read, with the parts that it includes.

mod yaml;

use std::cell::RefCell;
use std::path::Path;
use std::{fs, io};

use mcp_policy::{Place, Policy, PolicyErrors};
use sha2::{Digest, Sha256};

use self::yaml::{Transcript, YamlError};
use crate::audit::policy_digest;

/// A policy document and its parts. What is parsed, digested and put in force is this copy, whatever becomes of the
/// files meanwhile.
///
/// A name that ends in `.yaml` or `.yml` says that a document, or a part, is YAML; every other is JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    text: Text,
    /// Each part's path below the document's folder, and its text or why it cannot be read.
    parts: Vec<(String, Result<Text, String>)>,
}

/// A text in its notation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Text {
    written: String,
    /// Only of YAML.
    transcript: Option<Result<Transcript, YamlError>>,
}

impl Text {
    fn new(name: &Path, written: String) -> Self {
        let is_yaml =
            name.extension().is_some_and(|end| end.eq_ignore_ascii_case("yaml") || end.eq_ignore_ascii_case("yml"));
        let transcript = is_yaml.then(|| Transcript::of(&written));
        Self { written, transcript }
    }

    /// It as JSON.
    fn json(&self) -> Result<&str, &YamlError> {
        match &self.transcript {
            None => Ok(&self.written),
            Some(transcript) => transcript.as_ref().map(Transcript::json),
        }
    }

    /// Where in the text stands what stands at `place` in the JSON.
    fn place(&self, place: Place) -> Place {
        match &self.transcript {
            Some(Ok(transcript)) => transcript.place(place),
            Some(Err(_)) | None => place,
        }
    }
}

impl PolicyDocument {
    /// A document of JSON in one piece. If it includes something, it will not parse.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: Text::new(Path::new(""), text.into()), parts: Vec::new() }
    }

    /// The same, in the notation that the name of `path` says.
    pub fn alone(path: &Path, text: impl Into<String>) -> Self {
        Self { text: Text::new(path, text.into()), parts: Vec::new() }
    }

    /// Reads a document, and from its folder the parts that it includes.
    ///
    /// # Errors
    /// The document itself cannot be read. That a part cannot is told by [`PolicyDocument::parse`].
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(Self::beside(path, fs::read_to_string(path)?))
    }

    /// The document `text` of the file `path`, from whose folder the parts are read.
    pub fn beside(path: &Path, text: impl Into<String>) -> Self {
        let folder = path.parent().unwrap_or(Path::new(""));
        // A part's name does not lead out of the folder: the reader sees to that before it asks.
        let load = |name: &str| fs::read_to_string(folder.join(name)).map_err(|error| error.to_string());
        Self::loaded(Text::new(path, text.into()), load)
    }

    /// A document of JSON whose parts `load` hands over by their paths below its folder.
    pub fn with_loader(text: impl Into<String>, load: impl Fn(&str) -> Result<String, String>) -> Self {
        Self::loaded(Text::new(Path::new(""), text.into()), load)
    }

    fn loaded(text: Text, load: impl Fn(&str) -> Result<String, String>) -> Self {
        let parts = RefCell::new(Vec::new());
        let noted = |name: &str| {
            let part = load(name).map(|text| Text::new(Path::new(name), text));
            let handed = in_json(&part);
            parts.borrow_mut().push((name.to_owned(), part));
            handed
        };
        if let Ok(json) = text.json() {
            // What is wrong with it is told when it is parsed: only what it asks for matters here.
            drop(Policy::parse_with(json, &noted));
        }
        Self { text, parts: parts.into_inner() }
    }

    /// The document itself, as it is written.
    pub fn text(&self) -> &str {
        &self.text.written
    }

    /// The document itself as JSON; nothing when its YAML cannot be read.
    pub fn json(&self) -> Option<&str> {
        self.text.json().ok()
    }

    /// The document and its parts as JSON, those that can be read.
    pub fn in_json(&self) -> impl Iterator<Item = &str> {
        let parts = self.parts.iter().filter_map(|(_, part)| part.as_ref().ok());
        std::iter::once(&self.text).chain(parts).filter_map(|text| text.json().ok())
    }

    /// The document itself and then its parts, in the order in which they are included: the path of each below the document's
    /// folder, its text as it is written, and the same as JSON; nothing where it could not be read.
    pub fn sources(&self) -> impl Iterator<Item = (&str, Option<&str>, Option<&str>)> {
        let parts = self.parts.iter().map(|(path, part)| (path.as_str(), part.as_ref().ok()));
        std::iter::once(("", Some(&self.text)))
            .chain(parts)
            .map(|(path, text)| (path, text.map(|text| text.written.as_str()), text.and_then(|text| text.json().ok())))
    }

    /// Reads the policy. Places in errors and warnings are those of the text as it is written.
    ///
    /// # Errors
    /// Everything that is wrong with the document and its parts.
    pub fn parse(&self) -> Result<Policy, PolicyErrors> {
        let json = self.text.json().map_err(|error| {
            PolicyErrors::unreadable(&error.pointer, error.place, error.message.clone(), error.remedy.clone())
        })?;
        let place = |pointer: &str, place: Place| self.text_of(pointer).place(place);
        let parsed = Policy::parse_with(json, &|name| {
            let part = self.parts.iter().find(|(path, _)| path == name);
            part.map_or_else(|| Err("the document was handed over without it".to_owned()), |(_, part)| in_json(part))
        });
        match parsed {
            Ok(policy) => Ok(policy.placed(place)),
            Err(errors) => Err(errors.placed(place)),
        }
    }

    /// Where in the document itself, as it is written, the key or value at `pointer` stands, or what is there above it.
    pub fn place(&self, pointer: &str) -> Place {
        let json = self.text.json().unwrap_or_default();
        self.text.place(mcp_policy::strict::place_of(json, pointer))
    }

    /// The text into which a pointer leads.
    fn text_of(&self, pointer: &str) -> &Text {
        let part = pointer.split_once('#').filter(|(path, _)| !path.starts_with('/'));
        let part = part.and_then(|(path, _)| self.parts.iter().find(|(name, _)| name == path));
        part.and_then(|(_, part)| part.as_ref().ok()).unwrap_or(&self.text)
    }

    /// By which the audit names the policy: SHA-256 in lower-case hex of the text of a document in one piece, in whichever
    /// notation it is written; of one with parts the SHA-256 of what `sha256sum - PART … < DOCUMENT` prints in its folder, the
    /// parts in the order in which they are included.
    pub fn digest(&self) -> String {
        if self.parts.is_empty() {
            return policy_digest(&self.text.written);
        }
        let mut whole = Sha256::new();
        let written =
            |part: &Result<Text, String>| part.as_ref().map_or_else(|_| String::new(), |text| text.written.clone());
        let parts = self.parts.iter().map(|(path, part)| (path.as_str(), written(part)));
        for (path, text) in std::iter::once(("-", self.text.written.clone())).chain(parts) {
            whole.update(format!("{}  {path}\n", policy_digest(&text)));
        }
        hex::encode(whole.finalize())
    }
}

/// A part as the reader gets it.
fn in_json(part: &Result<Text, String>) -> Result<String, String> {
    match part {
        Ok(text) => text.json().map(str::to_owned).map_err(ToString::to_string),
        Err(why) => Err(why.clone()),
    }
}

impl From<&str> for PolicyDocument {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for PolicyDocument {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&Self> for PolicyDocument {
    fn from(document: &Self) -> Self {
        document.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DOCUMENT: &str = r#"{ "version": "2", "default": "deny", "manifest": "binance-mcp",
        "include": ["limits.json", "desk/orders.json"], "tools": {} }"#;
    const EMPTY: &str = r#"{ "tools": {} }"#;

    fn with(limits: &str) -> PolicyDocument {
        let limits = limits.to_owned();
        PolicyDocument::with_loader(DOCUMENT, move |name| match name {
            "limits.json" => Ok(limits.clone()),
            "desk/orders.json" => Ok(EMPTY.to_owned()),
            other => Err(format!("no {other}")),
        })
    }

    #[test]
    fn a_digest_covers_each_part_and_its_name() {
        let one = with(r#"{ "tools": { "bn_ping": {} } }"#);
        assert!(one.parse().is_ok());
        assert_ne!(one.digest(), with(EMPTY).digest());
        assert_ne!(with(EMPTY).digest(), policy_digest(DOCUMENT));
        let renamed = DOCUMENT.replace("limits.json", "other.json");
        let renamed = PolicyDocument::with_loader(renamed, |_| Ok(EMPTY.to_owned()));
        assert_ne!(renamed.digest(), with(EMPTY).digest());
        assert_eq!(PolicyDocument::new(DOCUMENT).digest(), policy_digest(DOCUMENT));
    }

    #[test]
    fn what_was_read_is_what_is_parsed() {
        let asked = RefCell::new(0);
        let document = PolicyDocument::with_loader(DOCUMENT, |_| {
            *asked.borrow_mut() += 1;
            Ok(EMPTY.to_owned())
        });
        assert!(document.parse().is_ok() && document.parse().is_ok());
        let sources: Vec<_> = document.sources().map(|(name, text, json)| (name, text == json, text)).collect();
        let part = |name| (name, true, Some(EMPTY));
        assert_eq!(sources, [("", true, Some(DOCUMENT)), part("limits.json"), part("desk/orders.json")]);
        assert_eq!(asked.into_inner(), 2, "each part is asked for once");
    }

    #[test]
    fn a_part_that_cannot_be_read_is_an_error_of_the_document() {
        let document = PolicyDocument::with_loader(DOCUMENT, |_| Err("permission denied".to_owned()));
        let errors = document.parse().unwrap_err().to_string();
        assert!(errors.contains("`limits.json` cannot be loaded: permission denied"), "{errors}");
    }

    fn yaml(text: &str) -> PolicyDocument {
        PolicyDocument::beside(Path::new("no-such-folder/policy.yaml"), text)
    }

    const PLAIN: &str = "\
# A comment.
version: '1'
default: deny
tools:
  bn_ping: {}
  bn_new_order:
    require:
      - {path: args.symbol, op: in, value: [BTCUSDT, \"ETHUSDT\"]} # two pairs
      - path: args.quantity
        op: lte
        value: 0.5
    action: require_approval
    reason: \"a person's look: \\u00e4\"
";

    #[test]
    fn yaml_is_the_same_document_as_json() {
        let json = r#"{ "version": "1", "default": "deny", "tools": { "bn_ping": {}, "bn_new_order": {
            "require": [ { "path": "args.symbol", "op": "in", "value": ["BTCUSDT", "ETHUSDT"] },
                         { "path": "args.quantity", "op": "lte", "value": 0.5 } ],
            "action": "require_approval", "reason": "a person's look: ä" } } }"#;
        let (from_yaml, from_json) = (yaml(PLAIN), PolicyDocument::new(json));
        let read = |document: &PolicyDocument| -> serde_json::Value {
            serde_json::from_str(document.in_json().next().expect("a document")).expect("JSON")
        };
        assert_eq!(read(&from_yaml), read(&from_json));
        // The compiled policies are equal but for the order of nothing.
        let compiled = |document: &PolicyDocument| format!("{:?}", document.parse().expect("a policy"));
        assert_eq!(compiled(&from_yaml), compiled(&from_json));
        assert_eq!(from_yaml.digest(), policy_digest(PLAIN), "the digest is that of the file");
        assert_eq!(from_yaml.text(), PLAIN);
        // JSON is YAML too.
        assert_eq!(read(&yaml(json)), read(&from_json));
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place_in_the_yaml() {
        for (from, to, expected) in [
            ("default: deny", "defualt: deny", "line 3, column 1 at `/defualt`: unknown key `defualt`"),
            ("op: lte", "op: lt3", "line 10, column 13 at `/tools/bn_new_order/require/1/op`"),
            ("version: '1'", "version: 1", "line 2, column 10 at `/version`: the version is not a string"),
            ("path: args.symbol", "path: symbol", "line 8, column 16 at `/tools/bn_new_order/require/0/path`"),
            ("0.5", "0.1234567890123456789012345678901", "cannot be held exactly"),
        ] {
            assert!(PLAIN.contains(from), "{from}");
            let errors = yaml(&PLAIN.replace(from, to)).parse().expect_err(to).to_string();
            assert!(errors.contains(expected), "{to}: {errors}");
        }
        let vain =
            yaml("version: '1'\ndefault: deny\nhide:\n  - a\n  - a\ntools: {bn_ping: {}}\n").parse().expect("a policy");
        let warnings: Vec<String> = vain.warnings().iter().map(ToString::to_string).collect();
        assert!(warnings.iter().any(|warning| warning.starts_with("line 5, column 5 at `/hide/1`")), "{warnings:?}");
    }

    /// What two readers of YAML could take differently, and what JSON would be refused for.
    #[test]
    fn yaml_is_read_closed() {
        let whole = |tools: &str| format!("version: '1'\ndefault: deny\ntools:\n  a: {{}}\n{tools}\n");
        assert!(yaml(&whole("")).parse().is_ok());
        let mut wrong = Vec::new();
        for (tools, place, says) in [
            ("  a: {}", "line 5, column 3", "the key stands twice"),
            ("  A: {}", "line 5, column 3", "case"),
            ("  \"b\\0\": {}", "line 5, column 3", "NUL"),
            ("  b: &x {}", "line 5", "anchors and tags are not read here"),
            ("  b: &x {}\n  c: *x", "line 5", "anchors and tags are not read here"),
            ("  b: *a", "line 5", "anchor"),
            ("  b: !!map {}", "line 5", "anchors and tags are not read here"),
            ("  b: {action: !!str deny}", "line 5", "anchors and tags are not read here"),
            ("  <<: {}", "line 5, column 3", "may be read in several ways"),
            ("  b:", "line 5", "nothing stands here"),
            ("  b: {action: no}", "line 5, column 15", "may be read in several ways"),
            ("  b: {action: Yes}", "line 5, column 15", "may be read in several ways"),
            ("  b: {action: ~}", "line 5, column 15", "may be read in several ways"),
            ("  b: {action: 0x10}", "line 5, column 15", "may be read in several ways"),
            ("  b: {action: 1_000}", "line 5, column 15", "may be read in several ways"),
            ("  b: {action: 012}", "line 5, column 15", "may be read in several ways"),
            ("  b: {action: 1:30}", "line 5, column 15", "may be read in several ways"),
            ("  b: {action: 2026-01-01}", "line 5, column 15", "may be read in several ways"),
            ("  b: {action: .5}", "line 5, column 15", "may be read in several ways"),
            ("  b: {action: +5}", "line 5, column 15", "may be read in several ways"),
            ("  b: {action: .inf}", "line 5, column 15", "may be read in several ways"),
            ("  b: {action: 1e400}", "line 5, column 15", "may be read in several ways"),
            ("  5: {}", "line 5, column 3", "`5` as a key may be read in several ways"),
            ("  true: {}", "line 5, column 3", "as a key may be read in several ways"),
            ("  b: {reason: |\n    x\n    }", "line 5", ""),
            ("  b:\n    reason: |\n      x", "line 7", "a text stands on several lines"),
            ("  b:\n    reason: x\n      y", "line 6", "a text stands on several lines"),
            ("  b:\n    reason: \"x\n      y\"", "line 6", "a text stands on several lines"),
            ("  ? [x]\n  : {}", "line 5", "a key is a list or a mapping"),
            ("  b: {}\n---\nversion: '1'", "line 6", "a second document begins"),
            ("\tb: {}", "line 5", "no YAML"),
            ("  b: {", "", "no YAML"),
        ] {
            match yaml(&whole(tools)).parse() {
                Ok(_) => wrong.push(format!("{tools}: taken")),
                Err(errors) if errors.to_string().contains(place) && errors.to_string().contains(says) => {}
                Err(errors) => wrong.push(format!("{tools}: {errors}")),
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        for text in
            ["", "# nothing\n", "%YAML 1.1\n---\nversion: '1'\ndefault: deny", "\u{feff}version: '1'\ndefault: deny"]
        {
            assert!(yaml(text).parse().is_err(), "{text:?}");
        }
        let deep = format!("version: '1'\ndefault: deny\ntools: {}{}", "[".repeat(70), "]".repeat(70));
        assert!(yaml(&deep).parse().is_err());
    }

    #[test]
    fn the_example_of_the_page_is_a_policy() {
        let page = include_str!("../../../../docs/policy.md");
        let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let policies: Vec<&str> = blocks.filter(|block| block.contains("version: ")).collect();
        assert!(!policies.is_empty());
        for policy in policies {
            let parsed = yaml(policy).parse().unwrap_or_else(|errors| panic!("{policy}\n{errors}"));
            assert_eq!(parsed.warnings(), [], "{policy}");
        }
    }

    #[test]
    fn parts_have_a_notation_of_their_own() {
        let document = DOCUMENT.replace("limits.json", "limits.yaml");
        let with = |limits: &'static str| {
            PolicyDocument::with_loader(document.clone(), move |name| match name {
                "limits.yaml" => Ok(limits.to_owned()),
                _ => Ok(EMPTY.to_owned()),
            })
        };
        assert!(with("tools:\n  bn_ping: {}\n").parse().is_ok());
        let errors = with("tools:\n  bn_ping: {}\n  bn_klines: {limit: []}\n").parse().expect_err("a typo").to_string();
        assert!(errors.starts_with("line 3, column 15 at `limits.yaml#/tools/bn_klines/limit`"), "{errors}");
        let errors = with("tools:\n  bn_ping: {}\n  bn_ping: {}\n").parse().expect_err("a key twice").to_string();
        assert!(errors.contains("`limits.yaml` cannot be loaded: line 3, column 3"), "{errors}");
        assert_ne!(with("tools: {}\n").digest(), with("tools:  {}\n").digest());
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_filter_map("JSON has no such number", |number| {
                serde_json::Number::from_f64(number).map(Into::into)
            }),
            any::<String>().prop_map(Into::into),
            prop::sample::select(vec![
                "no", "~", "<<", "1", "-", "#", ": ", "&a", "*a", "!x", "%", "@", "`", "|", "?", ""
            ])
            .prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[a-z ]{0,3}", inner, 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// JSON is YAML, so what is not refused is the value that JSON says.
        #[test]
        fn json_as_yaml_is_the_same_value(value in value(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let strict = |text: &str| mcp_policy::strict::parse(text.as_bytes(), mcp_policy::strict::Limits::default());
            if let (Ok(transcript), Ok(expected)) = (Transcript::of(&text), strict(&text)) {
                prop_assert_eq!(strict(transcript.json()), Ok(expected), "{}", text);
            }
        }

        /// Never a panic, and never anything but closed JSON.
        #[test]
        fn any_text_is_refused_or_closed_json(
            words in prop::collection::vec(prop_oneof![
                any::<String>().prop_map(|text| text.chars().take(6).collect::<String>()),
                prop::sample::select(vec![
                    "a: ", "b", "\n", "  ", "- ", "[", "]", "{", "}", ",", ": ", "\"", "'", "#", "&a ", "*a", "!t ", "|", ">", "?", "---\n",
                    "\t", "~", "1", "true", "<<: ",
                ]).prop_map(str::to_owned),
            ], 0..16)
        ) {
            if let Ok(transcript) = Transcript::of(&words.concat()) {
                let parsed = mcp_policy::strict::parse(transcript.json().as_bytes(), mcp_policy::strict::Limits::default());
                prop_assert!(parsed.is_ok(), "{:?}", parsed);
                prop_assert_eq!(transcript.json().lines().count(), transcript.places.len());
            }
        }
    }
}
