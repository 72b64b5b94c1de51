//! The policy that a tape was recorded with.

use std::fs;
use std::path::{Path, PathBuf};

use super::DistillError;
use crate::cassette::Header;
use crate::scenario::PolicyFile;

/// The document in these folders that has the digest on the tape.
///
/// # Errors
/// There is none, or the tape was recorded without one.
pub fn policy_of(header: &Header, folders: &[PathBuf]) -> Result<PolicyFile, DistillError> {
    let digest = header.policy.as_ref().ok_or(DistillError::NoPolicy)?;
    let mut files: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let fits = |path: PathBuf| {
        let file = PolicyFile::read(&path).ok()?;
        (file.digest() == *digest).then_some(file)
    };
    files.into_iter().find_map(fits).ok_or_else(|| {
        let shown: Vec<_> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
        let folders = if shown.is_empty() { "no folder `policies` here or above".to_owned() } else { shown.join(", ") };
        DistillError::UnknownPolicy { digest: digest.clone(), folders }
    })
}

/// The folders `policies` beside a file and above it, the nearest first: where a scenario there would find its own.
pub fn policies_near(path: &Path) -> Vec<PathBuf> {
    let folders = path.ancestors().skip(1).map(|folder| folder.join("policies"));
    folders.filter(|folder| folder.is_dir()).collect()
}
