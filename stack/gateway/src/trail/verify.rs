//! Walks a chain, and says where it is broken first and how.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::{Line, Lines, TrailError, head_of, link};
use crate::audit::AuditKey;
use crate::audit::chain::{End, Hasher, NOTHING, head};

/// What happened to a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Damage {
    /// The record is not what was written.
    Changed,
    /// Records are missing before this one.
    Removed {
        /// How many.
        records: u64,
    },
    /// The record was not written here.
    Inserted,
    /// The last records are missing.
    EndCut {
        /// How many, if the head tells; otherwise a part of the last record.
        records: Option<u64>,
    },
    /// The records are hashed with a key and none was given, or the other way round.
    OtherHash {
        /// Whether they have a key.
        keyed: bool,
    },
    /// The head beside the file is not one that was written for this chain.
    HeadChanged,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("this record was changed"),
            Self::Removed { records: 1 } => f.write_str("a record was removed before this one"),
            Self::Removed { records } => write!(f, "{records} records were removed before this one"),
            Self::Inserted => f.write_str("this record was inserted"),
            Self::EndCut { records: None } => f.write_str("the end was cut within this record"),
            Self::EndCut { records: Some(1) } => f.write_str("the end was cut: a record is missing after this one"),
            Self::EndCut { records: Some(records) } => {
                write!(f, "the end was cut: {records} records are missing after this one")
            }
            Self::OtherHash { keyed: true } => f.write_str("the chain has a key: give its file with --key-file"),
            Self::OtherHash { keyed: false } => f.write_str("the chain has no key, and one was given"),
            Self::HeadChanged => f.write_str("the file `.head` was changed, or has another key"),
        }
    }
}

/// The first place where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: u64,
    /// The record's own number, if it has one.
    pub n: Option<u64>,
    /// What happened.
    pub damage: Damage,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.damage)
    }
}

/// What a walk along a chain came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// How many records are in order, up to the first that is not.
    pub records: u64,
    /// The number of the first record. More than 1 when older files are gone.
    pub first: u64,
    /// The hash of the last record in order: who keeps it elsewhere can compare it later.
    pub last_hash: String,
    /// Whether a head was there, without which a cut end does not show.
    pub has_head: bool,
    /// Where the chain is broken first.
    pub finding: Option<Finding>,
}

/// Walks the chain of `files`, which are in its order.
///
/// # Errors
/// A file cannot be read.
pub fn verify(files: &[PathBuf], key: Option<&AuditKey>) -> Result<Verified, TrailError> {
    Walk { files, hasher: Hasher::new(key), records: 0, first: 0, before: None, end: None }.run()
}

struct Walk<'a> {
    files: &'a [PathBuf],
    hasher: Hasher,
    records: u64,
    first: u64,
    /// The last record in order with where the chain stood before it.
    before: Option<(Line, End)>,
    /// Where the chain stands; unknown before the first record.
    end: Option<End>,
}

impl Walk<'_> {
    fn run(mut self) -> Result<Verified, TrailError> {
        let mut lines = Lines::new(self.files);
        let mut next = lines.next()?;
        let mut finding = None;
        while let Some(line) = next {
            next = lines.next()?;
            finding = self.step(&line, next.as_ref());
            if finding.is_some() {
                break;
            }
            let link = link(&line).map(|link| End { n: link.n, hash: link.hash.to_owned() });
            let stood = std::mem::replace(&mut self.end, link).unwrap_or_default();
            self.records += 1;
            self.before = Some((line, stood));
        }
        let (has_head, at_head) = if finding.is_none() { self.head()? } else { (false, None) };
        Ok(Verified {
            records: self.records,
            first: self.first,
            last_hash: self.end.map_or_else(|| NOTHING.to_owned(), |end| end.hash),
            has_head,
            finding: finding.or(at_head),
        })
    }

    /// What is wrong with `line`, or came to light with it about the line before.
    fn step(&mut self, line: &Line, next: Option<&Line>) -> Option<Finding> {
        let Some(link) = link(line) else {
            if !line.whole && next.is_none() {
                return Some(self.found(line, None, Damage::EndCut { records: None }));
            }
            return Some(self.found(line, None, self.changed_or_inserted(next)));
        };
        if link.member != self.hasher.member() {
            let damage = match self.end {
                None => Damage::OtherHash { keyed: link.member == "hmac" },
                Some(_) => self.changed_or_inserted(next),
            };
            return Some(self.found(line, Some(link.n), damage));
        }
        if !self.hasher.fits(link.sealed.as_bytes(), link.hash) {
            return Some(self.found(line, Some(link.n), self.changed_or_inserted(next)));
        }
        let Some(end) = &self.end else {
            // Older files may have been taken away, but the first record of all follows nothing.
            self.first = link.n;
            let astray = link.n == 1 && link.prev != NOTHING;
            return astray.then(|| self.found(line, Some(link.n), Damage::Changed));
        };
        let expected = end.n + 1;
        if link.prev == end.hash && link.n == expected {
            return None;
        }
        // The one before was sealed by somebody who wanted it to fit: this one still tells what it followed.
        if let Some((before, stood)) = &self.before
            && link.prev == stood.hash
            && link.n == stood.n + 1
        {
            let follows_this = next.and_then(super::link).is_some_and(|next| next.prev == link.hash);
            let inserted = if follows_this || next.is_none() { before } else { line };
            return Some(self.found(inserted, Some(link.n), Damage::Inserted));
        }
        Some(match (&self.before, link.n.checked_sub(expected)) {
            (Some((before, stood)), Some(0)) => self.found(before, Some(stood.n + 1), Damage::Changed),
            (_, Some(records)) if records > 0 => self.found(line, Some(link.n), Damage::Removed { records }),
            _ => self.found(line, Some(link.n), Damage::Inserted),
        })
    }

    /// Whether the line after a bad one would follow if the bad one were not there.
    fn changed_or_inserted(&self, next: Option<&Line>) -> Damage {
        let stood = self.end.clone().unwrap_or_default();
        match next.and_then(link) {
            Some(next) if next.prev == stood.hash && next.n == stood.n + 1 => Damage::Inserted,
            _ => Damage::Changed,
        }
    }

    fn found(&self, line: &Line, n: Option<u64>, damage: Damage) -> Finding {
        Finding { file: self.files.get(line.file).cloned().unwrap_or_default(), line: line.number, n, damage }
    }

    /// Holds the end against the head: whether there is one, and what is wrong.
    fn head(&self) -> Result<(bool, Option<Finding>), TrailError> {
        let Some(path) = head_of(self.files) else { return Ok((false, None)) };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((false, None)),
            Err(error) => return Err(TrailError::at(&path)(error)),
        };
        let file = self.files.last().cloned().unwrap_or_default();
        let (end, stood) = (self.end.clone().unwrap_or_default(), self.before.as_ref().map(|(_, stood)| stood));
        let line = self.before.as_ref().map_or(0, |(line, _)| line.number);
        let finding = |damage| Some(Finding { file, line, n: Some(end.n).filter(|n| *n > 0), damage });
        let head = head::read(&self.hasher, &text);
        if let Some(head) = head.as_ref().filter(|head| head.n > end.n) {
            return Ok((true, finding(Damage::EndCut { records: Some(head.n - end.n) })));
        }
        // A process that was killed between a record and its head leaves the head one behind.
        let fits = head.is_some_and(|head| head == end || Some(&head) == stood);
        Ok((true, if fits { None } else { finding(Damage::HeadChanged) }))
    }
}
