//! A policy document with the parts that it includes.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// A policy document, unread by the harness: what it means is the gateway's business. So is what it includes: a build
/// without our gateway finds no parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFile {
    /// Its file.
    pub path: PathBuf,
    #[cfg(feature = "embedded")]
    document: mcp_gateway::PolicyDocument,
    #[cfg(not(feature = "embedded"))]
    text: String,
}

impl PolicyFile {
    /// A document in one piece that `path` names in problems.
    pub fn of_text(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            #[cfg(feature = "embedded")]
            document: mcp_gateway::PolicyDocument::alone(&path, text),
            #[cfg(not(feature = "embedded"))]
            text: text.into(),
            path,
        }
    }

    /// Reads a document, and from its folder the parts that it includes.
    ///
    /// # Errors
    /// The document itself cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        fs::read_to_string(path).map(|text| Self::beside(path, text))
    }

    /// The document `text`, whose parts stand beside `path`.
    pub fn beside(path: &Path, text: String) -> Self {
        #[cfg(feature = "embedded")]
        let file = Self { path: path.to_owned(), document: mcp_gateway::PolicyDocument::beside(path, text) };
        #[cfg(not(feature = "embedded"))]
        let file = Self { path: path.to_owned(), text };
        file
    }

    /// A document of JSON whose parts `load` hands over by their paths below its folder.
    #[cfg(feature = "embedded")]
    pub(crate) fn with_loader(
        path: PathBuf,
        text: impl Into<String>,
        load: impl Fn(&str) -> Result<String, String>,
    ) -> Self {
        Self { path, document: mcp_gateway::PolicyDocument::with_loader(text, load) }
    }

    /// The text of the document itself.
    pub fn text(&self) -> &str {
        #[cfg(feature = "embedded")]
        let text = self.document.text();
        #[cfg(not(feature = "embedded"))]
        let text = &self.text;
        text
    }

    /// The files that it is made of, its own first, and the text of each; nothing where a part cannot be read.
    pub fn files(&self) -> Vec<(PathBuf, Option<&str>)> {
        #[cfg_attr(not(feature = "embedded"), expect(unused_mut, reason = "parts are known to our gateway alone"))]
        let mut files = vec![(self.path.clone(), Some(self.text()))];
        #[cfg(feature = "embedded")]
        {
            let folder = self.path.parent().unwrap_or(Path::new(""));
            files.extend(self.document.sources().skip(1).map(|(name, text, _)| (folder.join(name), text)));
        }
        files
    }

    /// By which tapes and audits name it: it covers the parts.
    pub fn digest(&self) -> String {
        #[cfg(feature = "embedded")]
        let digest = self.document.digest();
        #[cfg(not(feature = "embedded"))]
        let digest = crate::run::tape::digest(self.text.as_bytes());
        digest
    }

    /// What the gateway reads.
    #[cfg(feature = "embedded")]
    pub(crate) fn document(&self) -> &mcp_gateway::PolicyDocument {
        &self.document
    }
}

impl From<&str> for PolicyFile {
    /// A document that is in no file.
    fn from(text: &str) -> Self {
        Self::of_text("policy.json", text)
    }
}
