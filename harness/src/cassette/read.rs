//! Reads tapes, line by line, and trusts none of them.

use std::io::{self, BufRead, Read as _};

use serde::Deserialize;

use super::format::{FORMAT, Header, Message, Trailer};
use super::strict::NoDoubles;

/// The longest line that is read. A frame has a few hundred bytes, and the largest answers a few hundred thousand.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a tape cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// The file cannot be read.
    #[error("line {line}: the tape cannot be read: {source}")]
    Io {
        /// The line, from 1.
        line: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The first line is no header.
    #[error("line 1: this is no tape: {why}; the first line of a tape is its header, with `rogue_tape` in it")]
    NoTape {
        /// What is wrong with it.
        why: String,
    },
    /// A later version wrote it.
    #[error(
        "line 1: the tape has format {format}, written by `{writer}`; this version reads format {FORMAT}: use the version that wrote it, or a later one"
    )]
    TooNew {
        /// The tape's format.
        format: u32,
        /// Who wrote it.
        writer: String,
    },
    /// There never was such a version.
    #[error(
        "line 1: the tape says that it has format {format}; the first format is 1: the header was changed by hand, or damaged"
    )]
    TooOld {
        /// The tape's format.
        format: u32,
    },
    /// The line is longer than any message.
    #[error("line {line}: longer than {LINE_BYTES_MAX} bytes; no message is that long: cut the line out")]
    TooLong {
        /// The line, from 1.
        line: u64,
    },
    /// The line is not what the format says.
    #[error("line {line}: {why}; restore the line, or cut the tape off before it")]
    Malformed {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// How a tape ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is whole.
    Whole,
    /// It was cut off after so many whole messages.
    Cut {
        /// The `seq` of the last one.
        after: u64,
    },
}

/// Reads a tape. The messages come from the iterator; after the last one [`TapeReader::end`] says how it ended.
#[derive(Debug)]
pub struct TapeReader<R> {
    input: R,
    header: Header,
    line: u64,
    seq: u64,
    buffer: Vec<u8>,
    end: Option<End>,
    failed: bool,
}

/// What the reader itself looks at of a line between the first and the last. Whoever implements it for a type that is
/// read from a line sees to it that no name may stand there twice, on any level.
pub(crate) trait Line {
    /// The number of the message, and that of its cause.
    fn place(&self) -> (u64, Option<u64>);
}

impl Line for Message {
    fn place(&self) -> (u64, Option<u64>) {
        (self.seq, self.cause)
    }
}

/// What every format's header has, whatever else there is in it.
#[derive(Deserialize)]
struct AnyHeader {
    rogue_tape: u32,
    #[serde(default)]
    writer: String,
}

impl<R: BufRead> TapeReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// There is none, or it is of another format.
    pub fn new(mut input: R) -> Result<Self, TapeError> {
        let mut buffer = Vec::new();
        if !fill(&mut input, &mut buffer, 1)? {
            return Err(TapeError::NoTape { why: "the first line does not end".to_owned() });
        }
        let no_tape = |why: String| TapeError::NoTape { why };
        let told = |error: serde_json::Error| no_tape(error.to_string());
        // Headers of other formats may have anything in them, but not twice.
        serde_json::from_slice::<NoDoubles>(&buffer).map_err(told)?;
        let any: AnyHeader = serde_json::from_slice(&buffer).map_err(told)?;
        if any.rogue_tape > FORMAT {
            return Err(TapeError::TooNew { format: any.rogue_tape, writer: any.writer });
        }
        if any.rogue_tape < 1 {
            return Err(TapeError::TooOld { format: any.rogue_tape });
        }
        let header = serde_json::from_slice(&buffer).map_err(told)?;
        Ok(Self { input, header, line: 1, seq: 0, buffer, end: None, failed: false })
    }

    /// The header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How the tape ended; nothing while there may be more, or when reading failed.
    pub const fn end(&self) -> Option<End> {
        self.end
    }

    /// The next message as another type, which may borrow from the line.
    pub(crate) fn next_as<'a, T: Line + Deserialize<'a>>(&'a mut self) -> Option<Result<T, TapeError>> {
        if self.end.is_some() || self.failed { None } else { self.read().transpose() }
    }

    fn read<'a, T: Line + Deserialize<'a>>(&'a mut self) -> Result<Option<T>, TapeError> {
        // Until the line turns out to be sound.
        self.failed = true;
        self.line += 1;
        let line = self.line;
        if !fill(&mut self.input, &mut self.buffer, line)? {
            // Whatever stands on a line that does not end may be half of something.
            self.end = Some(End::Cut { after: self.seq });
            return Ok(None);
        }
        let malformed = |why: String| TapeError::Malformed { line, why };
        if self.buffer.starts_with(b"{\"messages\":") {
            let trailer: Trailer = strict(&self.buffer).map_err(malformed)?;
            if trailer.messages != self.seq {
                let why = format!("the end counts {} messages, and there are {}", trailer.messages, self.seq);
                return Err(malformed(why));
            }
            if fill(&mut self.input, &mut self.buffer, line + 1)? || !self.buffer.is_empty() {
                return Err(TapeError::Malformed { line: line + 1, why: "something follows the end".to_owned() });
            }
            self.end = Some(End::Whole);
            return Ok(None);
        }
        let message: T = strict(&self.buffer).map_err(malformed)?;
        let (seq, cause) = message.place();
        if seq != self.seq + 1 {
            return Err(malformed(format!("`seq` is {seq}, and must be {}", self.seq + 1)));
        }
        if cause.is_some_and(|cause| cause == 0 || cause >= seq) {
            return Err(malformed("`cause` names no message before this one".to_owned()));
        }
        self.seq = seq;
        self.failed = false;
        Ok(Some(message))
    }
}

impl<R: BufRead> Iterator for TapeReader<R> {
    type Item = Result<Message, TapeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_as()
    }
}

/// Reads one line, without its newline; `false` when the input ends before the line does.
fn fill(input: &mut impl BufRead, buffer: &mut Vec<u8>, line: u64) -> Result<bool, TapeError> {
    buffer.clear();
    let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let read = input.by_ref().take(limit).read_until(b'\n', buffer);
    read.map_err(|source| TapeError::Io { line, source })?;
    if buffer.last() == Some(&b'\n') {
        buffer.pop();
        return Ok(true);
    }
    if buffer.len() > LINE_BYTES_MAX { Err(TapeError::TooLong { line }) } else { Ok(false) }
}

/// Reads a line once, as a type that lets no name stand there twice. Depth is bounded by the JSON reader.
fn strict<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|error| {
        // What is wrong with the JSON itself comes first, wherever it stands.
        serde_json::from_slice::<NoDoubles>(line).err().unwrap_or(error).to_string()
    })
}
