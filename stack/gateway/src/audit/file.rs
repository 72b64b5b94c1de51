//! A chain of records in a file that is set aside when it has grown enough.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::chain::{End, Hasher, head, link, seal};
use super::{AuditKey, AuditSink};

/// When a file is set aside and a new one begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// No file grows beyond this many bytes. 64 MiB.
    pub bytes_max: u64,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { bytes_max: 64 << 20 }
    }
}

/// Why a chain cannot be carried on.
#[derive(Debug, thiserror::Error)]
pub enum ChainedAuditError {
    /// A file cannot be opened, read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file's last line is no record of a chain, or not one under this key.
    #[error(
        "its last record does not hold the chain, or has another key: look with `rogue audit verify`, then move it aside"
    )]
    NoChain,
    /// The file ends before the record that its head speaks of.
    #[error(
        "it ends at record {there} and had come to {once}: records were cut off, so look with `rogue audit verify`, then move it and its `.head` aside"
    )]
    Cut {
        /// The last record that is there.
        there: u64,
        /// The last record that there was.
        once: u64,
    },
}

/// Appends a chain of records to a file.
///
/// * Each record is written with one call before it counts. A write that fails is taken back, and the chain goes on
///   from the record before.
/// * `FILE.head` beside it tells how far the chain has come, so that a cut end shows.
/// * A file that has grown to its bound is renamed to `FILE.000001` and so on, and the chain goes on in a new one.
///
/// There must be one writer: the file is locked as long as it is open.
pub struct ChainedAudit {
    path: PathBuf,
    file: File,
    head: File,
    hasher: Hasher,
    end: End,
    length: u64,
    rotation: Rotation,
    /// Wait for the disk after each record, not only for the system.
    sync: bool,
    /// A failed write could not be taken back.
    torn: bool,
    line: String,
}

impl ChainedAudit {
    /// Opens `path`, and carries its chain on if it holds one. Files are readable by their owner only. With a key the
    /// chain is keyed.
    ///
    /// What a crash left of a last record is taken off: a record that was not whole let no call through.
    pub fn open(path: &Path, key: Option<&AuditKey>, rotation: Rotation) -> Result<Self, ChainedAuditError> {
        let hasher = Hasher::new(key);
        let file = open(path)?;
        file.try_lock().map_err(io::Error::from)?;
        let head = open(&beside(path, ".head"))?;
        let once = read_head(&head, &hasher)?;
        let (end, length) = match last_line(&file)? {
            (Some(line), length) => {
                let link = link(&line).filter(|link| link.member == hasher.member());
                let link = link.filter(|link| hasher.fits(link.sealed.as_bytes(), link.hash));
                let link = link.ok_or(ChainedAuditError::NoChain)?;
                (End { n: link.n, hash: link.hash.to_owned() }, length)
            }
            // An empty file: it may have been begun by a rotation that was interrupted.
            (None, _) => (once.clone().unwrap_or_default(), 0),
        };
        if let Some(once) = once.filter(|once| once.n > end.n) {
            return Err(ChainedAuditError::Cut { there: end.n, once: once.n });
        }
        if file.metadata()?.len() != length {
            tracing::warn!(path = %path.display(), "the audit ended within a record, which was taken off");
            file.set_len(length)?;
        }
        let (path, line) = (path.to_owned(), String::new());
        Ok(Self { path, file, head, hasher, end, length, rotation, sync: false, torn: false, line })
    }

    /// Wait for the disk itself after each record: then no record is lost with the power, at the price of its speed.
    #[must_use]
    pub fn synced(self) -> Self {
        Self { sync: true, ..self }
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        if self.torn {
            self.take_back()?;
        }
        let end = seal(&self.hasher, &self.end, line, &mut self.line)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the line is no JSON object with members"))?;
        self.line.push('\n');
        if self.length > 0 && self.length + self.line.len() as u64 > self.rotation.bytes_max {
            self.rotate()?;
        }
        let written = self.file.write_all(self.line.as_bytes()).and_then(|()| self.flush());
        if let Err(error) = written {
            self.torn = true;
            // Should this fail as well, the next record tries again before it is written.
            let _ = self.take_back();
            return Err(error);
        }
        self.length += self.line.len() as u64;
        self.end = end;
        self.write_head()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.sync { self.file.sync_data() } else { Ok(()) }
    }

    fn take_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.torn = false;
        Ok(())
    }

    fn write_head(&mut self) -> io::Result<()> {
        let text = head::write(&self.hasher, &self.end);
        // One call to the system less than going there first.
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::write_all_at(&self.head, text.as_bytes(), 0);
        #[cfg(not(unix))]
        {
            self.head.seek(SeekFrom::Start(0))?;
            self.head.write_all(text.as_bytes())
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        let aside = (1..=999_999).map(|number| beside(&self.path, &format!(".{number:06}"))).find(|path| {
            // Whatever is there, or cannot be told, is not replaced.
            matches!(path.try_exists(), Ok(false))
        });
        let aside = aside.ok_or_else(|| io::Error::other("there are as many files aside as there can be"))?;
        fs::rename(&self.path, aside)?;
        let file = open(&self.path)?;
        file.try_lock()?;
        (self.file, self.length) = (file, 0);
        Ok(())
    }
}

impl AuditSink for ChainedAudit {
    fn record(&mut self, line: &str) -> io::Result<()> {
        self.append(line)
    }
}

impl std::fmt::Debug for ChainedAudit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainedAudit").field("path", &self.path).field("n", &self.end.n).finish_non_exhaustive()
    }
}

/// The path with something put to its end.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).create(true);
    // The head is written over; records go to the end, wherever that is.
    if path.extension().is_some_and(|extension| extension == "head") {
        options.write(true).truncate(false);
    } else {
        options.append(true);
    }
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn read_head(head: &File, hasher: &Hasher) -> Result<Option<End>, ChainedAuditError> {
    let text = io::read_to_string(head)?;
    if text.is_empty() {
        return Ok(None);
    }
    head::read(hasher, &text).map(Some).ok_or(ChainedAuditError::NoChain)
}

/// The last whole line, and the length of all whole lines.
fn last_line(file: &File) -> io::Result<(Option<String>, u64)> {
    let mut reader = BufReader::new(file);
    let total = reader.seek(SeekFrom::End(0))?;
    // A record is bounded, so that its beginning is not far.
    let begin = total.saturating_sub(4 * super::MAX_LINE_BYTES as u64);
    reader.seek(SeekFrom::Start(begin))?;
    let (mut last, mut length, mut line) = (None, begin, Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line.pop() == Some(b'\n') {
            length += line.len() as u64 + 1;
            last = Some(String::from_utf8_lossy(&line).into_owned());
        }
        line.clear();
    }
    Ok((last, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        (folder, path)
    }

    fn numbers(path: &Path) -> Vec<u64> {
        fs::read_to_string(path).unwrap().lines().map(|line| link(line).unwrap().n).collect()
    }

    #[test]
    fn a_chain_is_carried_on_by_the_next_process() {
        let (_folder, path) = folder();
        for round in 0..3_u64 {
            let mut audit = ChainedAudit::open(&path, None, Rotation::default()).unwrap();
            audit.record(r#"{"a":1}"#).unwrap();
            assert_eq!(numbers(&path).last(), Some(&(round + 1)));
        }
        let text = fs::read_to_string(&path).unwrap();
        let links: Vec<_> = text.lines().map(|line| link(line).unwrap()).collect();
        assert!(links.windows(2).all(|pair| pair[1].prev == pair[0].hash));
    }

    #[test]
    fn there_is_one_writer() {
        let (_folder, path) = folder();
        let _first = ChainedAudit::open(&path, None, Rotation::default()).unwrap();
        assert!(matches!(ChainedAudit::open(&path, None, Rotation::default()), Err(ChainedAuditError::Io(_))));
    }

    #[test]
    fn half_a_record_is_taken_off_and_a_cut_end_is_refused() {
        let (_folder, path) = folder();
        let mut audit = ChainedAudit::open(&path, None, Rotation::default()).unwrap();
        audit.record(r#"{"a":1}"#).unwrap();
        audit.record(r#"{"a":2}"#).unwrap();
        drop(audit);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"a\":3,\"n")).unwrap();
        let mut audit = ChainedAudit::open(&path, None, Rotation::default()).unwrap();
        audit.record(r#"{"a":4}"#).unwrap();
        drop(audit);
        assert_eq!(numbers(&path), [1, 2, 3]);

        fs::write(&path, whole).unwrap();
        let refused = ChainedAudit::open(&path, None, Rotation::default());
        assert!(matches!(refused, Err(ChainedAuditError::Cut { there: 2, once: 3 })), "{refused:?}");
    }

    #[test]
    fn files_are_set_aside_and_the_chain_goes_on() {
        let (folder, path) = folder();
        let mut audit = ChainedAudit::open(&path, None, Rotation { bytes_max: 600 }).unwrap();
        for _ in 0..10 {
            audit.record(r#"{"a":1}"#).unwrap();
        }
        drop(audit);
        let aside: Vec<_> =
            (1..99).map(|n| beside(&path, &format!(".{n:06}"))).take_while(|path| path.exists()).collect();
        assert!(aside.len() >= 3, "{aside:?}");
        let mut all: Vec<u64> = aside.iter().flat_map(|path| numbers(path)).collect();
        all.extend(numbers(&path));
        assert_eq!(all, (1..=10).collect::<Vec<_>>());
        for path in &aside {
            assert!(fs::metadata(path).unwrap().len() <= 600);
        }
        let mut audit = ChainedAudit::open(&path, None, Rotation { bytes_max: 600 }).unwrap();
        audit.record(r#"{"a":1}"#).unwrap();
        assert_eq!(numbers(&path).last(), Some(&11));
        drop(folder);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_takes_nothing_and_leaves_no_gap() {
        let (_folder, path) = folder();
        let mut audit = ChainedAudit::open(&path, None, Rotation::default()).unwrap();
        audit.record(r#"{"a":1}"#).unwrap();
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let disk = std::mem::replace(&mut audit.file, full);
        for _ in 0..3 {
            let refused = audit.record(r#"{"a":"lost"}"#).unwrap_err();
            assert!(matches!(refused.kind(), io::ErrorKind::StorageFull | io::ErrorKind::InvalidInput), "{refused}");
        }
        audit.file = disk;
        audit.record(r#"{"a":2}"#).unwrap();
        drop(audit);
        assert_eq!(numbers(&path), [1, 2]);
        assert!(!fs::read_to_string(&path).unwrap().contains("lost"));
    }

    #[test]
    fn another_key_or_a_file_without_a_chain_is_refused() {
        let (_folder, path) = folder();
        let (one, other) = (AuditKey::new(&[1; 32]).unwrap(), AuditKey::new(&[2; 32]).unwrap());
        ChainedAudit::open(&path, Some(&one), Rotation::default()).unwrap().record(r#"{"a":1}"#).unwrap();
        for key in [None, Some(&other)] {
            assert!(matches!(ChainedAudit::open(&path, key, Rotation::default()), Err(ChainedAuditError::NoChain)));
        }
        ChainedAudit::open(&path, Some(&one), Rotation::default()).unwrap();
        let (_folder, path) = folder();
        fs::write(&path, "{\"seq\":1}\n").unwrap();
        assert!(matches!(ChainedAudit::open(&path, None, Rotation::default()), Err(ChainedAuditError::NoChain)));
    }
}
