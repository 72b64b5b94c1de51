//! What is written before a call leaves: a line for each commit, appended to a file of this server alone.
//!
//! ```text
//! <checksum> {"n":7,"jobs":[{"call":3,"of":[{"charged":[since,until,charges],"notes":[[kind,grant,key,value],…]}]}]}
//! ```
//!
//! `n` goes up by one from line to line, also from one file to the next, so that nothing is missing unnoticed. A line that
//! has no end was cut by a crash, and is none: what it was for never left. Whatever else cannot be read is damage.
//! Files are named by the first `n` that they hold, and go once what they hold is in the database.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::job::Job;
use super::row::{Line, Unread};
use crate::state_dir::{Durability, StateDir, StateError};

/// How many digits the checksum of a line has.
const CHECKSUM: usize = 16;

/// The end of the journal, where it is written.
#[derive(Debug)]
pub(super) struct Journal {
    state: StateDir,
    server: String,
    /// None before something is written.
    open: Option<Open>,
    /// The number of the next line.
    next: u64,
    line: Vec<u8>,
}

/// The file that is written at present.
#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    /// How much of it are whole lines.
    length: u64,
    /// A failed write could not be taken back yet.
    torn: bool,
}

impl Journal {
    /// Goes on after line `last`.
    pub(super) fn after(state: &StateDir, server: &str, last: u64) -> Self {
        let (state, server) = (state.clone(), server.to_owned());
        Self { state, server, open: None, next: last + 1, line: Vec::new() }
    }

    /// Appends a line. It survives the process when this returns; if it `waits`, whatever the folder's durability says.
    ///
    /// # Errors
    /// It is not there, and will not be read.
    pub(super) fn append(&mut self, jobs: &[Job], waits: bool) -> Result<(), StateError> {
        self.line.clear();
        self.line.resize(CHECKSUM, b'0');
        self.line.push(b' ');
        let line = Line::of(self.next, jobs);
        serde_json::to_writer(&mut self.line, &line).map_err(|error| StateError::NotWritten(error.to_string()))?;
        if let Some((sum, body)) = self.line.split_first_chunk_mut::<CHECKSUM>() {
            *sum = checksum(body);
        }
        self.line.push(b'\n');
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::begin(&self.state, &self.server, self.next)?),
        };
        let waits = waits && self.state.durability() == Durability::Power;
        open.write(&self.line, waits).map_err(|source| StateError::file(&open.path, source))?;
        self.next += 1;
        Ok(())
    }

    /// How much stands in the file.
    pub(super) fn length(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.length)
    }

    /// Ends the file: what comes goes into another. None if there is none, or if what did not come true may stand in it.
    pub(super) fn end(&mut self) -> Option<PathBuf> {
        self.open.take_if(|open| !open.torn).map(|open| open.path)
    }
}

impl Open {
    fn begin(state: &StateDir, server: &str, first: u64) -> Result<Self, StateError> {
        let path = state.beside(server, &format!("-{first:020}.journal"));
        let begin = || {
            let mut options = OpenOptions::new();
            options.create(true).append(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path)?;
            // An attempt that came to nothing may have left one.
            if file.metadata()?.len() > 0 {
                file.set_len(0)?;
            }
            if state.durability() == Durability::Power
                && let Some(folder) = path.parent()
            {
                File::open(folder)?.sync_all()?;
            }
            Ok(file)
        };
        let file = begin().map_err(|source| StateError::file(&path, source))?;
        Ok(Self { file, path, length: 0, torn: false })
    }

    fn write(&mut self, line: &[u8], waits: bool) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        let written = self.file.write_all(line).and_then(|()| if waits { self.file.sync_data() } else { Ok(()) });
        if written.is_err() {
            self.torn = self.file.set_len(self.length).is_err();
        } else {
            self.length += line.len() as u64;
        }
        written
    }
}

/// The files that an earlier process has left, in the order in which they were written.
pub(super) fn left(state: &StateDir, server: &str) -> Result<Vec<PathBuf>, StateError> {
    let any = state.beside(server, "-");
    let failed = |source| StateError::file(&any, source);
    let (Some(folder), Some(begins)) = (any.parent(), any.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ours = path.file_name().and_then(|name| name.to_str());
        if ours.is_some_and(|name| name.starts_with(begins)) && path.extension().is_some_and(|end| end == "journal") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The lines of a file, read from all that stands in it. It is named in errors.
///
/// # Errors
/// A line that is whole is not what was written.
pub(super) fn lines<'t>(path: &Path, text: &'t [u8]) -> Result<Vec<Line<'t, Unread<'t>>>, StateError> {
    let mut lines: Vec<Line<'t, Unread<'t>>> = Vec::new();
    for (place, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let damaged = |what: String| {
            StateError::Damaged(format!("line {} of the journal `{}` {what}", place + 1, path.display()))
        };
        let sound = line.split_first_chunk::<CHECKSUM>().filter(|(sum, body)| **sum == checksum(body));
        let (_, body) = sound.ok_or_else(|| damaged("is not what was written".to_owned()))?;
        let line: Line<'t, Unread<'t>> =
            serde_json::from_slice(body).map_err(|error| damaged(format!("is not of this build: {error}")))?;
        if let Some(before) = lines.last().filter(|before| before.n + 1 != line.n) {
            return Err(damaged(format!("has the number {} after {}", line.n, before.n)));
        }
        lines.push(line);
    }
    Ok(lines)
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::digest(body);
    let mut sum = [b'0'; CHECKSUM];
    // As many bytes as half the digits.
    for (digits, byte) in sum.chunks_exact_mut(2).zip(digest.iter()) {
        for (digit, nibble) in digits.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
    }
    sum
}
