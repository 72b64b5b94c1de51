//! Puts the parts of a document together.
//!
//! The crate reads no files: whoever hands over a document hands over a loader too, which is asked for each part by its
//! name. Names are paths below the folder of the document, with `/` and without `..`, so that a document reaches
//! nothing beside it; a part names others relative to itself. A part holds nothing that the document as a whole decides
//! (`version`, `default`, `manifest`, `shadow`), and nothing may be said twice.

use serde_json::Value;

use super::reader::{Node, Reader, Version, quoted};
use crate::pointer;

/// Hands over the text of a part by its name, or says why it cannot.
pub type Loader<'l> = dyn Fn(&str) -> Result<String, String> + 'l;

const PARTS_MAX: usize = 64;
const DEPTH_MAX: usize = 8;
/// All parts together may be as long as a document.
const BYTES_MAX: usize = 64 << 20;

/// What a part may hold.
pub(super) const PART_KEYS: [&str; 7] = ["$schema", "include", "hide", "all_tools", "tools", "references", "assets"];

/// A part: how pointers into it begin, and what it holds.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) prefix: String,
    pub(super) root: Value,
}

/// Loads every part that `root` includes, however deep.
pub(super) fn load(reader: &mut Reader<'_>, root: &Value, loader: &Loader<'_>) -> Vec<Part> {
    let mut loading = Loading { reader, loader, parts: Vec::new(), bytes: 0 };
    loading.entries(root, "", &[]);
    loading.parts
}

struct Loading<'r, 's, 'l> {
    reader: &'r mut Reader<'s>,
    loader: &'l Loader<'l>,
    parts: Vec<Part>,
    bytes: usize,
}

impl Loading<'_, '_, '_> {
    /// Loads what `root` includes, whose pointers begin with `prefix`, and which was reached through `chain`.
    fn entries(&mut self, root: &Value, prefix: &str, chain: &[String]) {
        let Some(list) = root.get("include") else { return };
        if self.reader.version() == Version::One {
            // An unknown key of version 1, which is told as such.
            return;
        }
        let list = Node { value: list, pointer: pointer::child(prefix, "include") };
        for node in self.reader.array(&list, "`include`") {
            if let Some(name) = self.reader.string(&node, "the name of a part") {
                self.entry(&node, name, chain);
            }
        }
    }

    fn entry(&mut self, node: &Node<'_>, name: &str, chain: &[String]) {
        let Some(path) = resolved(chain.last().map(String::as_str), name) else {
            let message = format!("{} is no path below the document's folder", quoted(name));
            let remedy = "write names of letters, digits, `.`, `-` and `_` with `/` between them, and no `..`";
            return self.reader.wrong(&node.pointer, message, remedy);
        };
        if chain.contains(&path) {
            let message = format!("{} includes itself: {} → {path}", quoted(&path), chain.join(" → "));
            return self.reader.wrong(&node.pointer, message, "take one of these includes out");
        }
        let prefix = format!("{path}#");
        if self.parts.iter().any(|part| part.prefix == prefix) {
            let message = format!("{} is included already", quoted(&path));
            return self.reader.wrong(&node.pointer, message, "include it once");
        }
        if self.parts.len() >= PARTS_MAX || chain.len() >= DEPTH_MAX {
            let message = format!("there are more than {PARTS_MAX} parts, or more than {DEPTH_MAX} in one another");
            return self.reader.wrong(&node.pointer, message, "put some of them together");
        }
        let text = match (self.loader)(&path) {
            Ok(text) => text,
            Err(why) => {
                let message = format!("{} cannot be loaded: {why}", quoted(&path));
                return self.reader.wrong(&node.pointer, message, "correct the name, or put the file there");
            }
        };
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > BYTES_MAX {
            return self.reader.wrong(&node.pointer, "the parts are longer than a document may be", "leave some out");
        }
        let Some(root) = self.reader.add_part(node, &path, text) else { return };
        let chain: Vec<String> = chain.iter().cloned().chain([path]).collect();
        self.parts.push(Part { prefix: prefix.clone(), root: root.clone() });
        self.entries(&root, &prefix, &chain);
    }
}

/// The path below the document's folder that `name` is, in the part `of` or in the document itself.
fn resolved(of: Option<&str>, name: &str) -> Option<String> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
    let is_segment =
        |segment: &str| !segment.is_empty() && segment != "." && segment != ".." && segment.chars().all(is_plain);
    if !name.split('/').all(is_segment) {
        return None;
    }
    Some(match of.and_then(|of| of.rsplit_once('/')) {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    })
}
