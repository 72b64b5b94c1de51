//! The journal as a list.

use crate::fact::{Entry, Fact};
use crate::journal::codec::{self, Context};
use crate::packing::{Reader, put_micros};
use crate::time::Timestamp;

/// Room for a chunk's entries; the longest entry is far shorter.
const CHUNK_BYTES: usize = 64 * 1024;

/// Everything that happened, in order. Nothing is ever changed, and nothing removed unless the journal is capped: then
/// its oldest entries are dropped, and what is left does not replay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journal {
    chunks: Vec<Chunk>,
    len: u64,
    last_at: Timestamp,
    /// What the next entry is told relative to.
    context: Context,
    /// How many chunks are kept, if not all.
    chunks_max: Option<usize>,
    /// Room to encode into, empty between pushes.
    scratch: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Chunk {
    first_seq: u64,
    /// What the time of the first entry is told relative to.
    base_at: Timestamp,
    /// What its first entry is told relative to.
    base: Context,
    bytes: Vec<u8>,
}

impl Journal {
    /// The smallest cap, in bytes: entries are dropped so many bytes at a time.
    pub const CAP_MIN: usize = CHUNK_BYTES;

    /// How many entries there were, dropped ones included; also the `seq` of the next one.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing happened.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The `seq` of the oldest entry that is kept; above 0, older ones were dropped.
    pub fn first(&self) -> u64 {
        self.chunks.first().map_or(0, |chunk| chunk.first_seq)
    }

    /// Keeps at most so many bytes of entries, and at least [`CAP_MIN`](Self::CAP_MIN): the oldest are dropped.
    pub(crate) fn cap(&mut self, bytes: usize) {
        self.chunks_max = Some((bytes / CHUNK_BYTES).max(1));
        self.drop_oldest();
    }

    fn drop_oldest(&mut self) {
        let over = self.chunks_max.map_or(0, |most| self.chunks.len().saturating_sub(most));
        self.chunks.drain(..over);
    }

    /// Every entry that is kept, oldest first.
    pub fn iter(&self) -> Entries<'_> {
        self.since(0)
    }

    /// The entries from this `seq` on that are kept, oldest first.
    pub fn since(&self, seq: u64) -> Entries<'_> {
        let chunk = self.chunks.partition_point(|chunk| chunk.first_seq <= seq).saturating_sub(1);
        let rest = self.chunks.get(chunk..).unwrap_or_default();
        let mut entries = Entries { rest, bytes: &[], seq, at: Timestamp::EPOCH, context: Context::default() };
        entries.open_chunk();
        while entries.seq < seq && entries.next().is_some() {}
        entries
    }

    /// The size of the encoded entries that are kept, in bytes.
    pub fn encoded_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    /// A number that two journals share only when the entries kept are the same, chance aside (FNV-1a, 64 bits).
    pub fn fingerprint(&self) -> u64 {
        let bytes = self.chunks.iter().flat_map(|chunk| chunk.bytes.iter());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
    }

    pub(crate) fn push(&mut self, at: Timestamp, fact: &Fact) {
        let at = at.max(self.last_at);
        self.scratch.clear();
        codec::put_fact(&mut self.scratch, fact, &self.context);
        let later = at.micros_since(self.last_at);
        if later > 0
            && let Some(tag) = self.scratch.first_mut()
        {
            *tag |= codec::LATER;
            put_micros(&mut self.scratch, later);
        }
        let full = self.chunks.last().is_none_or(|chunk| chunk.bytes.len() + self.scratch.len() > CHUNK_BYTES);
        if full {
            let bytes = Vec::with_capacity(CHUNK_BYTES);
            let (base_at, base) = (self.last_at, self.context);
            self.chunks.push(Chunk { first_seq: self.len, base_at, base, bytes });
            self.drop_oldest();
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.bytes.extend_from_slice(&self.scratch);
        }
        self.scratch.clear();
        self.len += 1;
        self.last_at = at;
        self.context = self.context.after(fact);
    }
}

impl FromIterator<(Timestamp, Fact)> for Journal {
    /// A journal of these facts; a time before the one preceding it counts as that one.
    fn from_iter<I: IntoIterator<Item = (Timestamp, Fact)>>(facts: I) -> Self {
        let mut journal = Self::default();
        for (at, fact) in facts {
            journal.push(at, &fact);
        }
        journal
    }
}

impl<'a> IntoIterator for &'a Journal {
    type Item = Entry;
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

/// Reads a journal, oldest entry first.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    rest: &'a [Chunk],
    bytes: &'a [u8],
    seq: u64,
    at: Timestamp,
    context: Context,
}

impl Entries<'_> {
    fn open_chunk(&mut self) -> bool {
        let Some((chunk, rest)) = self.rest.split_first() else { return false };
        *self = Self { rest, bytes: &chunk.bytes, seq: chunk.first_seq, at: chunk.base_at, context: chunk.base };
        true
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        while self.bytes.is_empty() {
            if !self.open_chunk() {
                return None;
            }
        }
        let mut reader = Reader { context: self.context, ..Reader::new(self.bytes) };
        let is_later = self.bytes.first()? & codec::LATER != 0;
        let fact = reader.fact()?;
        let at = if is_later { self.at.plus_micros(reader.micros()?) } else { self.at };
        let entry = Entry { seq: self.seq, at, fact };
        self.bytes = reader.rest();
        self.seq += 1;
        self.at = at;
        self.context = self.context.after(&entry.fact);
        Some(entry)
    }
}
