//! Where audit lines go.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Takes audit lines. An error means that the line may not be on record; if it is a decision, the call it speaks of
/// is denied.
///
/// Called under the gateway's one lock, in the order of the decisions: a slow sink slows calls.
pub trait AuditSink: Send {
    /// Records one line, which holds no line end and is printable ASCII.
    fn record(&mut self, line: &str) -> io::Result<()>;
}

impl<F: FnMut(&str) -> io::Result<()> + Send> AuditSink for F {
    fn record(&mut self, line: &str) -> io::Result<()> {
        self(line)
    }
}

/// Whether an audit line is a decision, and not the outcome of one or an event.
///
/// Text of other people's choosing stands escaped in a line, so that none of it can look like a member.
pub fn is_decision(line: &str) -> bool {
    line.contains(r#","decision":""#)
}

/// Keeps lines in memory. Clones share them, so a test keeps one and gives the other away.
#[derive(Debug, Clone, Default)]
pub struct MemoryAudit {
    lines: Arc<Mutex<Vec<String>>>,
}

impl MemoryAudit {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of all decisions so far.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| is_decision(line)).cloned().collect()
    }

    /// A copy of all lines so far: decisions, outcomes and events.
    pub fn all(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many decisions there are.
    pub fn len(&self) -> usize {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|line| is_decision(line)).count()
    }

    /// Whether nothing was decided.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl AuditSink for MemoryAudit {
    fn record(&mut self, line: &str) -> io::Result<()> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
        Ok(())
    }
}

/// One sink for several gateways, whose lines stand in the order in which they came. Clones are the same sink.
#[derive(Clone)]
pub struct SharedAudit(Arc<Mutex<Box<dyn AuditSink>>>);

impl SharedAudit {
    /// Shares `sink`.
    pub fn new(sink: Box<dyn AuditSink>) -> Self {
        Self(Arc::new(Mutex::new(sink)))
    }
}

impl AuditSink for SharedAudit {
    fn record(&mut self, line: &str) -> io::Result<()> {
        // After a panic nobody knows how far the last line came.
        let mut sink = self.0.lock().map_err(|_| io::Error::other("the audit is in disorder after a panic"))?;
        sink.record(line)
    }
}

impl fmt::Debug for SharedAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedAudit(..)")
    }
}

/// Writes each line with one call to a writer.
///
/// When a write fails in the middle of a line, the next record begins on a line of its own, so
/// that a full disk costs records but never joins two of them.
pub struct WriterAudit<W> {
    writer: W,
    buffer: Vec<u8>,
    torn: bool,
}

/// Appends lines to a file.
pub type FileAudit = WriterAudit<File>;

impl FileAudit {
    /// Opens `path` for appending, creating it, readable by its owner only, if it is not there.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        // Somebody else's torn last line must not swallow the first of ours.
        let torn = file.metadata()?.len() > 0 && !ends_with_newline(path);
        Ok(Self { torn, ..Self::new(file) })
    }
}

impl<W: Write> WriterAudit<W> {
    /// Writes to `writer`, which should not buffer: a line that waits in memory is not on record.
    pub fn new(writer: W) -> Self {
        Self { writer, buffer: Vec::new(), torn: false }
    }
}

impl<W: Write + Send> AuditSink for WriterAudit<W> {
    fn record(&mut self, line: &str) -> io::Result<()> {
        self.buffer.clear();
        if self.torn {
            self.buffer.push(b'\n');
        }
        self.buffer.extend_from_slice(line.as_bytes());
        self.buffer.push(b'\n');
        self.torn = true;
        self.writer.write_all(&self.buffer)?;
        self.writer.flush()?;
        self.torn = false;
        Ok(())
    }
}

impl<W> fmt::Debug for WriterAudit<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriterAudit").field("torn", &self.torn).finish_non_exhaustive()
    }
}

fn ends_with_newline(path: &Path) -> bool {
    use std::io::{Read, Seek, SeekFrom};
    let read_last = || -> io::Result<u8> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok(last[0])
    };
    // A file that cannot be read may end anyhow; an empty line too many harms nobody.
    matches!(read_last(), Ok(b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_never_joins_the_next() {
        struct Full(Vec<u8>, usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let count = bytes.len().min(self.1);
                self.1 -= count;
                self.0.extend_from_slice(&bytes[..count]);
                if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut audit = WriterAudit::new(Full(Vec::new(), 12));
        audit.record("first").unwrap();
        audit.record("second").unwrap_err();
        audit.writer.1 = 100;
        audit.record("third").unwrap();
        assert_eq!(String::from_utf8_lossy(&audit.writer.0), "first\nsecond\nthird\n");
        audit.writer.1 = 3;
        audit.record("fourth").unwrap_err();
        audit.writer.1 = 100;
        audit.record("fifth").unwrap();
        assert!(String::from_utf8_lossy(&audit.writer.0).ends_with("\nfou\nfifth\n"));
    }

    #[test]
    fn a_file_is_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, "left by a cra").unwrap();
        FileAudit::open(&path).unwrap().record("one").unwrap();
        FileAudit::open(&path).unwrap().record("two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "left by a cra\none\ntwo\n");
    }
}
