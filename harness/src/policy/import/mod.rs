//! Documents of other languages as documents of version "2".
//!
//! ```text
//!  version "1" ──────────────▶ shape ─▶ close (default, manifest, what is said in vain now) ─▶ text with remarks
//!  Intercept's YAML ─▶ intercept ─▲
//! ```
//!
//! Nothing is dropped in silence: what is not understood is an error at its place, and what version "2" says in another
//! way, or stricter, is remarked where it stands.

mod close;
mod intercept;
mod text;

use std::path::Path;

use mcp_gateway::PolicyDocument;
use mcp_gateway::mcp_policy::Policy;
use serde_json::Value;

use super::suggest::Tool;
use crate::scenario::{PolicyFile, Problem, problems};
use text::Remarks;

/// A document of version "2" that came of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// JSON with comments.
    pub text: String,
    /// What a person should know before it is used.
    pub warnings: Vec<Problem>,
}

/// Something that is wrong, or that should be known, at a JSON pointer into the document that is read.
struct Noted {
    pointer: String,
    message: String,
    remedy: String,
}

/// Reads a document of version "1", or one of Intercept, and writes it as one of version "2". Where the tools of the
/// server are given, their arguments are taken from there.
///
/// # Errors
/// What cannot be understood, or cannot be said in version "2" without letting more through: each at its place.
pub fn import(path: &Path, source: &str, tools: Option<&[Tool]>) -> Result<Imported, Vec<Problem>> {
    let document = PolicyDocument::beside(path, source);
    let at = |code: &'static str, noted: &Noted| {
        let place = document.place(&noted.pointer);
        let message = format!("{} (at `{}`)", noted.message, noted.pointer);
        let problem = Problem::error(code, path, message).at(source, place.line() as u64, place.column() as u64);
        if noted.remedy.is_empty() { problem } else { problem.help(noted.remedy.as_str()) }
    };
    let file = PolicyFile::beside(path, source.to_owned());
    // What cannot be read at all is told as for every policy.
    let root: Value = match document.in_json().next().map(serde_json::from_str) {
        Some(Ok(root)) => root,
        Some(Err(_)) | None => return Err(problems(&file, document.parse().as_ref())),
    };
    let mut remarks = Remarks::default();
    let shaped = if intercept::is_one(&root) {
        remarks.add("", "Imported from a document of Intercept.");
        intercept::shape(&root, &mut remarks)
            .map_err(|errors| errors.iter().map(|error| at("import", error)).collect::<Vec<_>>())?
    } else if root.get("version").is_some_and(|version| version == "2") {
        let noted = Noted {
            pointer: "/version".to_owned(),
            message: "the document is of version 2 already".to_owned(),
            remedy: "use it as it is".to_owned(),
        };
        return Err(vec![at("import", &noted)]);
    } else {
        document.parse().map_err(|_| problems(&file, document.parse().as_ref()))?;
        remarks.add("", "Imported from a document of version 1.");
        root
    };
    let closed = close::close(&shaped, tools, &mut remarks)
        .map_err(|errors| errors.iter().map(|error| at("import", error)).collect::<Vec<_>>())?;
    let text = text::write(&closed.document, &remarks);
    match Policy::parse(&text) {
        Ok(_) => {
            let warnings = closed.doubts.iter().map(|noted| at("import", noted).as_warning()).collect();
            Ok(Imported { text, warnings })
        }
        // Of values that only the reader judges, such as patterns and windows.
        Err(errors) => Err(errors
            .iter()
            .map(|error| {
                let noted = Noted {
                    pointer: error.pointer().to_owned(),
                    message: format!("what it says cannot be said in version 2: {}", error.message()),
                    remedy: error.remedy().unwrap_or_default().to_owned(),
                };
                at("import", &noted)
            })
            .collect()),
    }
}
