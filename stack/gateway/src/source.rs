//! A policy document as it was read, with the parts that it includes.

use std::cell::RefCell;
use std::path::Path;
use std::{fs, io};

use mcp_policy::{Policy, PolicyErrors};
use sha2::{Digest, Sha256};

use crate::audit::policy_digest;

/// A policy document and its parts. What is parsed, digested and put in force is this copy, whatever becomes of the
/// files meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    text: String,
    /// Each part's path below the document's folder, and its text or why it cannot be read.
    parts: Vec<(String, Result<String, String>)>,
}

impl PolicyDocument {
    /// A document in one piece. If it includes something, it will not parse.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), parts: Vec::new() }
    }

    /// Reads a document, and from its folder the parts that it includes.
    ///
    /// # Errors
    /// The document itself cannot be read. That a part cannot is told by [`PolicyDocument::parse`].
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        // A part's name does not lead out of the folder: the reader sees to that before it asks.
        Ok(Self::with_loader(text, |name| fs::read_to_string(folder.join(name)).map_err(|error| error.to_string())))
    }

    /// A document whose parts `load` hands over by their paths below its folder.
    pub fn with_loader(text: impl Into<String>, load: impl Fn(&str) -> Result<String, String>) -> Self {
        let text = text.into();
        let parts = RefCell::new(Vec::new());
        let noted = |name: &str| {
            let part = load(name);
            parts.borrow_mut().push((name.to_owned(), part.clone()));
            part
        };
        // What is wrong with it is told when it is parsed: only what it asks for matters here.
        drop(Policy::parse_with(&text, &noted));
        Self { text, parts: parts.into_inner() }
    }

    /// The document itself.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The texts of its parts, those that can be read.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|(_, part)| part.as_deref().ok())
    }

    /// Reads the policy.
    ///
    /// # Errors
    /// Everything that is wrong with the document and its parts.
    pub fn parse(&self) -> Result<Policy, PolicyErrors> {
        Policy::parse_with(&self.text, &|name| {
            let part = self.parts.iter().find(|(path, _)| path == name);
            part.map_or_else(|| Err("the document was handed over without it".to_owned()), |(_, part)| part.clone())
        })
    }

    /// By which the audit names the policy: SHA-256 in lower-case hex of the text of a document in one piece; of one
    /// with parts the SHA-256 of what `sha256sum - PART … < DOCUMENT` prints in its folder, the parts in the order in
    /// which they are included.
    pub fn digest(&self) -> String {
        if self.parts.is_empty() {
            return policy_digest(&self.text);
        }
        let mut whole = Sha256::new();
        let parts = self.parts.iter().map(|(path, part)| (path.as_str(), part.as_deref().unwrap_or_default()));
        for (path, text) in std::iter::once(("-", self.text.as_str())).chain(parts) {
            whole.update(format!("{}  {path}\n", policy_digest(text)));
        }
        hex::encode(whole.finalize())
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
        assert_eq!(asked.into_inner(), 2, "each part is asked for once");
    }

    #[test]
    fn a_part_that_cannot_be_read_is_an_error_of_the_document() {
        let document = PolicyDocument::with_loader(DOCUMENT, |_| Err("permission denied".to_owned()));
        let errors = document.parse().unwrap_err().to_string();
        assert!(errors.contains("`limits.json` cannot be loaded: permission denied"), "{errors}");
    }
}
