//! The append-only list of everything that happened.

use crate::fact::{Entry, Fact};
use crate::time::Timestamp;

/// Everything that happened, in order. Nothing is ever changed or removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journal {
    entries: Vec<Entry>,
}

impl Journal {
    /// How many entries; also the `seq` of the next one.
    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every entry, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        self.since(0)
    }

    /// The entries from this `seq` on, oldest first.
    pub fn since(&self, seq: u64) -> impl Iterator<Item = Entry> + '_ {
        self.entries.iter().copied().filter(move |e| e.seq >= seq)
    }

    pub(crate) fn push(&mut self, at: Timestamp, fact: Fact) {
        self.entries.push(Entry { seq: self.len(), at, fact });
    }
}
