//! The lines of a file, a block at a time: memory does not grow with the file.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{Fault, ReplayError};

const BLOCK: usize = 64 * 1024;
/// Rows of the exchange have about a hundred bytes.
const LINE_MAX: usize = 4096;
const ZIP: &[u8] = b"PK\x03\x04";

/// Where in a file reading stands. A copy goes on as the original does: the open file is shared, so that it can be
/// deleted meanwhile, and each reads from its own offset.
#[derive(Debug, Clone)]
pub(super) struct Source {
    file: Arc<File>,
    path: PathBuf,
    /// Of what has not been put into the block yet.
    offset: u64,
    block: Vec<u8>,
    /// Where in the block the next line begins.
    at: usize,
    line: u64,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, ReplayError> {
        let file = File::open(path).map_err(|source| ReplayError::Read { path: path.to_owned(), source })?;
        let path = path.to_owned();
        let mut source = Self { file: Arc::new(file), path, offset: 0, block: Vec::new(), at: 0, line: 0 };
        source.fill()?;
        if source.block.starts_with(ZIP) {
            return Err(ReplayError::Zipped { path: source.path });
        }
        Ok(source)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the line that was read last.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// How many bytes have been read.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes there are.
    pub(super) fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// An error in the line that was read last.
    pub(super) fn fault(&self, fault: Fault) -> ReplayError {
        fault.at(self.path.clone(), self.line)
    }

    /// The next line without its end; nothing at the end of the file.
    pub(super) fn next_line(&mut self) -> Result<Option<&str>, ReplayError> {
        let mut searched = 0;
        let length = loop {
            let rest = self.block.get(self.at..).unwrap_or_default();
            let found = rest.get(searched..).unwrap_or_default().iter().position(|byte| *byte == b'\n');
            let whole = rest.len();
            if let Some(more) = found {
                break searched + more;
            }
            searched = whole;
            if whole > LINE_MAX || self.fill()? == 0 {
                break whole;
            }
        };
        let from = self.at;
        if length == 0 && from >= self.block.len() {
            return Ok(None);
        }
        self.line += 1;
        self.at = from.saturating_add(length).saturating_add(1);
        if length > LINE_MAX {
            let problem = format!("the line has more than {LINE_MAX} bytes: this is no file of trades or klines");
            return Err(self.fault(Fault::Row(problem)));
        }
        let bytes = self.block.get(from..from + length).unwrap_or_default();
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        match str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Fault::Row("the line is no text: give the unpacked .csv file".to_owned())
                .at(self.path.clone(), self.line)),
        }
    }

    /// Reads on, and drops what was told already. Gives how many bytes came.
    fn fill(&mut self) -> Result<usize, ReplayError> {
        let gone = self.at.min(self.block.len());
        self.block.drain(..gone);
        self.at = 0;
        let read = self.read().map_err(|source| ReplayError::Read { path: self.path.clone(), source })?;
        self.offset = self.offset.saturating_add(read as u64);
        Ok(read)
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut block = file.take(BLOCK as u64);
        block.read_to_end(&mut self.block)
    }
}
