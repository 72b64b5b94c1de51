//! Reads an audit: whether its chain is whole, what became of each call, and which records fit a question.
//!
//! ```text
//!  audit.jsonl.000001  audit.jsonl.000002  audit.jsonl     audit.jsonl.head
//!  └──────────── one chain over all of them ─────────┘     └ how far it has come
//! ```
//!
//! [`files`] finds the files of an audit, [`verify`] walks its chain, [`entries`] pairs decisions with outcomes.

mod entry;
mod query;
mod verify;

pub use entry::{Entries, Entry, Outcome, entries};
pub use query::Query;
pub use verify::{Damage, Finding, Verified, verify};

use std::io;
use std::path::{Path, PathBuf};

use crate::audit::chain;

/// Why an audit cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the audit `{}`: {source}", path.display())]
pub struct TrailError {
    path: PathBuf,
    source: io::Error,
}

impl TrailError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

/// The files of the audit at `path`, in the order of the chain: those that were set aside, and `path` itself.
///
/// # Errors
/// The folder cannot be read, or there is no such file.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, TrailError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut aside = Vec::new();
    for entry in folder.read_dir().map_err(TrailError::at(folder))? {
        let entry = entry.map_err(TrailError::at(folder))?;
        let found = entry.file_name().to_string_lossy().into_owned();
        let number = found.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.'));
        if number.is_some_and(|number| number.len() == 6 && number.bytes().all(|digit| digit.is_ascii_digit())) {
            aside.push(entry.path());
        }
    }
    aside.sort_unstable();
    // The file itself must be there: a question about a file that is not would be answered by silence.
    path.metadata().map_err(TrailError::at(path))?;
    aside.push(path.to_owned());
    Ok(aside)
}

/// A line of a file, with its number from 1.
struct Line {
    file: usize,
    number: u64,
    text: String,
    /// It ends with a line feed.
    whole: bool,
}

/// The lines of all files, one after the other, so that memory does not grow with them.
struct Lines<'a> {
    files: &'a [PathBuf],
    at: usize,
    number: u64,
    reader: Option<io::BufReader<std::fs::File>>,
}

/// No line of an audit is longer; what is, is cut, and so is no record.
const LINE_BYTES_MAX: u64 = 1 << 20;

impl<'a> Lines<'a> {
    fn new(files: &'a [PathBuf]) -> Self {
        Self { files, at: 0, number: 0, reader: None }
    }

    fn next(&mut self) -> Result<Option<Line>, TrailError> {
        use io::{BufRead as _, Read as _};
        while let Some(path) = self.files.get(self.at) {
            let reader = match &mut self.reader {
                Some(reader) => reader,
                none => {
                    let file = std::fs::File::open(path).map_err(TrailError::at(path))?;
                    none.insert(io::BufReader::new(file))
                }
            };
            let mut bytes = Vec::new();
            let read = reader.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).map_err(TrailError::at(path))?;
            if read == 0 {
                (self.at, self.number, self.reader) = (self.at + 1, 0, None);
                continue;
            }
            self.number += 1;
            let whole = bytes.last() == Some(&b'\n');
            if whole {
                bytes.pop();
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            return Ok(Some(Line { file: self.at, number: self.number, text, whole }));
        }
        Ok(None)
    }
}

fn head_of(files: &[PathBuf]) -> Option<PathBuf> {
    files.last().map(|path| crate::audit::beside(path, ".head"))
}

fn link(line: &Line) -> Option<chain::Link<'_>> {
    line.whole.then(|| chain::link(&line.text)).flatten()
}
