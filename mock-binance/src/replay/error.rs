//! What can be wrong with a recording, and where.

use std::path::PathBuf;

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("cannot read the recording `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An archive, as the exchange publishes its files.
    #[error("`{}` is a zip archive: unpack it, and give the .csv file inside", path.display())]
    Zipped {
        /// The file.
        path: PathBuf,
    },
    /// Nothing to replay.
    #[error("`{}` has no rows: give a file with at least one", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line that is no row.
    #[error("`{}`, line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A field that cannot be used.
    #[error("`{}`, line {line}, column {column} ({name}): `{value}` {problem}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The column, counted from 1.
        column: usize,
        /// The column's name.
        name: &'static str,
        /// What stands there.
        value: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The mock's clock and the recording are too far apart.
    #[error("`{}` cannot be moved to the mock's time: set the clock between the years 1970 and 9999", path.display())]
    Time {
        /// The file.
        path: PathBuf,
    },
}

/// What is wrong with one row; the file and the line are added by whoever knows them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The row as a whole.
    Row(String),
    /// One field of it.
    Field { column: usize, name: &'static str, value: String, problem: String },
}

/// So much of a bad value is told.
const SHOWN: usize = 40;

impl Fault {
    pub(super) fn field((column, name): (usize, &'static str), value: &str, problem: impl Into<String>) -> Self {
        let mut shown: String = value.chars().take(SHOWN).collect();
        if value.chars().nth(SHOWN).is_some() {
            shown.push('…');
        }
        Self::Field { column: column + 1, name, value: shown, problem: problem.into() }
    }

    pub(super) fn at(self, path: PathBuf, line: u64) -> ReplayError {
        match self {
            Self::Row(problem) => ReplayError::Line { path, line, problem },
            Self::Field { column, name, value, problem } => {
                ReplayError::Field { path, line, column, name, value, problem }
            }
        }
    }
}
