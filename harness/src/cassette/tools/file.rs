//! Tapes as files; one whose name ends in `.zst` is packed.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::super::{Header, Redactor, TapeError, TapeReader, TapeWriter};

/// Why a tape could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be opened, or made.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is no tape, or not one that this version reads.
    #[error("`{}`, {source}", path.display())]
    Tape {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        source: TapeError,
    },
}

fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zst"))
}

/// Opens a tape.
///
/// # Errors
/// The file cannot be read, or is no tape.
pub fn open(path: &Path) -> Result<TapeReader<Box<dyn io::BufRead>>, FileError> {
    let failed = |source| FileError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let plain: Box<dyn Read> = if is_packed(path) {
        Box::new(zstd::stream::read::Decoder::new(file).map_err(failed)?)
    } else {
        Box::new(file)
    };
    let reader: Box<dyn io::BufRead> = Box::new(BufReader::new(plain));
    TapeReader::new(reader).map_err(|source| FileError::Tape { path: path.to_owned(), source })
}

/// Makes a tape, in place of one that is there.
///
/// # Errors
/// The file cannot be written.
pub fn create(
    path: &Path,
    header: &Header,
    redactor: Redactor,
) -> Result<TapeWriter<Box<dyn Write + Send>>, FileError> {
    let failed = |source| FileError::Io { path: path.to_owned(), source };
    let file = BufWriter::new(File::create(path).map_err(failed)?);
    let out: Box<dyn Write + Send> = if is_packed(path) {
        Box::new(zstd::stream::write::Encoder::new(file, 0).map_err(failed)?.auto_finish())
    } else {
        Box::new(file)
    };
    TapeWriter::new(out, header, redactor).map_err(failed)
}
