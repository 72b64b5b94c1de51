//! The files that something is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::run::tape::digest;

/// The files that something is made of, and what was in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made(BTreeMap<PathBuf, Option<String>>);

impl Made {
    /// Adds a file with its content; nothing where it cannot be read.
    pub fn add(&mut self, file: impl Into<PathBuf>, content: Option<&[u8]>) {
        self.0.insert(file.into(), content.map(digest));
    }

    /// Adds the files of something else.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.clone());
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// The files that are not as they were `before`, those that have come and gone among them.
    pub fn changed_since(&self, before: &Self) -> BTreeSet<PathBuf> {
        let differs = |file: &&PathBuf| self.0.get(*file) != before.0.get(*file);
        self.0.keys().chain(before.0.keys()).filter(differs).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(files: &[(&str, Option<&str>)]) -> Made {
        let mut made = Made::default();
        for (file, content) in files {
            made.add(*file, content.map(str::as_bytes));
        }
        made
    }

    #[test]
    fn a_change_is_another_content_a_file_more_or_a_file_less() {
        let before = made(&[("a", Some("1")), ("b", Some("2")), ("c", None)]);
        let check = |after: &Made, changed: &[&str]| {
            let expected: BTreeSet<PathBuf> = changed.iter().map(PathBuf::from).collect();
            assert_eq!(after.changed_since(&before), expected);
            assert_eq!(before.changed_since(after), expected);
        };
        check(&before, &[]);
        check(&made(&[("c", None), ("b", Some("2")), ("a", Some("1"))]), &[]);
        check(&made(&[("a", Some("2")), ("b", Some("2")), ("c", None)]), &["a"]);
        check(&made(&[("a", Some("1")), ("b", Some("2")), ("c", Some(""))]), &["c"]);
        check(&made(&[("a", Some("1")), ("b", Some("2"))]), &["c"]);
        check(&made(&[("b", Some("2")), ("c", None), ("d", Some("1"))]), &["a", "d"]);
    }
}
