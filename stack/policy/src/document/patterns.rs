//! Names that end in `*`, put in place of the tools that they mean.
//!
//! A pattern stands for every tool of the manifest that begins with what is before its `*`, unless the tool has an
//! entry of its own or a longer pattern means it too. So what a pattern allows is known when the document is read: a
//! tool that a server makes up later is not in the manifest, and is denied.

use super::manifest::Manifest;
use super::reader::{Node, Reader, quoted};

/// What is before the one `*` at the end of `name`, if it is a pattern.
pub(super) fn prefix_of(name: &str) -> Option<&str> {
    name.strip_suffix('*').filter(|prefix| !prefix.contains('*') && prefix.trim() == *prefix)
}

/// The patterns among a document's tools.
#[derive(Debug, Default)]
pub(super) struct Patterns<'v> {
    entries: Vec<(String, Node<'v>)>,
}

impl<'v> Patterns<'v> {
    /// Takes note of `name` if it is a pattern, and returns whether it is.
    pub(super) fn note(&mut self, reader: &mut Reader<'_>, name: &str, node: &Node<'v>) -> bool {
        let Some(prefix) = prefix_of(name) else { return false };
        if prefix.chars().any(char::is_control) {
            reader.wrong_key(&node.pointer, format!("{} is no pattern", quoted(name)), "remove the control characters");
        }
        self.entries.push((prefix.to_owned(), node.clone()));
        true
    }

    /// Each tool that a pattern means, with the entry that it gets: that of the longest pattern.
    pub(super) fn expand(
        self,
        reader: &mut Reader<'_>,
        manifest: &Manifest,
        listed: impl Fn(&str) -> bool,
    ) -> Vec<(String, Node<'v>)> {
        let mut expanded: Vec<(String, Node<'v>)> = Vec::new();
        let mut used = vec![false; self.entries.len()];
        for tool in manifest.keys().filter(|tool| !listed(tool)) {
            let matching = self.entries.iter().enumerate().filter(|(_, (prefix, _))| tool.starts_with(prefix.as_str()));
            if let Some((index, (_, node))) = matching.max_by_key(|(_, (prefix, _))| prefix.len()) {
                expanded.push((tool.clone(), node.clone()));
                used.get_mut(index).into_iter().for_each(|used| *used = true);
            }
        }
        for ((prefix, node), used) in self.entries.iter().zip(used) {
            if !manifest.keys().any(|tool| tool.starts_with(prefix.as_str())) {
                let message = format!("no tool of the manifest begins with {}", quoted(prefix));
                reader.wrong_key(&node.pointer, message, "correct the pattern, or declare the tools in the manifest");
            } else if !used {
                let message = "every tool that it means has an entry of its own or of a longer pattern";
                reader.warn("never_matches", &node.pointer, message);
            }
        }
        expanded
    }
}
