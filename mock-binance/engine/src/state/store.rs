//! Where orders are kept: open ones at hand, closed ones as a few bytes each.
//!
//! ```text
//! places: slot -> open?    -> slab of records, whose places are used again
//!              -> leaving? -> the same slab: the last few that closed
//!              -> closed?  -> chunks of bytes in the order of closing
//! ```
//!
//! An order changes only while it is open, so a closed one is written once and read by value. The last few are kept as
//! they are, because what closed an order also tells of it: nothing is unpacked that has only just been packed.
//!
//! Chunks can be forgotten, oldest first, and with them the orders that closed long ago.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::mem;

use crate::state::archive::{self, Base};
use crate::state::places::Places;
use crate::state::{OrderRecord, Slot};

/// Room for a chunk's orders; the longest order is far shorter.
const CHUNK_BYTES: usize = 1 << 15;
/// As many chunks as there are places in them below the mark.
const CHUNKS_MAX: u64 = 1 << 16;
/// The mark of a place in the chunks; other places are in the slab.
const CLOSED: u32 = 1 << 31;
/// The mark of a place in the slab whose order has closed.
const LEAVING: u32 = 1 << 30;
/// How many closed orders are kept as they are: more than one trade closes, or one list.
const LEAVING_MAX: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Chunk {
    /// What its orders are told relative to.
    base: Base,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Orders {
    places: Places,
    slab: Vec<OrderRecord>,
    /// Places of the slab that are not in use.
    free: Vec<u32>,
    /// Orders that closed last, the latest last.
    leaving: VecDeque<Slot>,
    /// Orders that closed long ago and are still wanted, as they are.
    held: Vec<Slot>,
    /// The chunks that are kept; their numbers go round below [`CHUNKS_MAX`].
    chunks: VecDeque<Chunk>,
    /// How many chunks before them were forgotten.
    forgotten: u64,
    /// Room to encode into, empty between orders.
    scratch: Vec<u8>,
}

impl Orders {
    /// How many were ever accepted.
    pub(crate) const fn len(&self) -> usize {
        self.places.len()
    }

    /// How many are open.
    pub(crate) fn open_count(&self) -> usize {
        self.slab.len() - self.free.len() - self.leaving.len() - self.held.len()
    }

    /// Whether an order is neither forgotten nor yet to come.
    pub(crate) fn knows(&self, order: Slot) -> bool {
        self.places.get(order).is_some_and(|place| self.keeps(place))
    }

    fn keeps(&self, place: u32) -> bool {
        place & CLOSED == 0 || self.chunk_at(place).is_some()
    }

    /// How many chunks are full of orders that have closed: what [`forget`](Self::forget) is told later on.
    pub(super) fn full_chunks(&self) -> u64 {
        self.forgotten + self.chunks.len().saturating_sub(1) as u64
    }

    /// Forgets the orders that had closed when there were so many full chunks and so many orders, but for those that
    /// are wanted.
    pub(super) fn forget(&mut self, full_chunks: u64, accepted: Slot, wanted: &BTreeSet<Slot>) -> Option<()> {
        let (held, unwanted) = mem::take(&mut self.held).into_iter().partition(|order| wanted.contains(order));
        self.held = held;
        for order in unwanted {
            self.free.push(self.places.get(order)? & !LEAVING);
            self.places.forget_one(order)?;
        }
        let over = full_chunks.saturating_sub(self.forgotten).min(self.chunks.len().saturating_sub(1) as u64);
        for order in wanted {
            if self.places.get(*order).is_some_and(|place| self.chunk_at(place).is_some_and(|at| at < over)) {
                let record = self.get(*order)?.into_owned();
                *self.places.get_mut(*order)? = self.settle(record)? | LEAVING;
                self.held.push(*order);
            }
        }
        self.chunks.drain(..usize::try_from(over).ok()?);
        self.forgotten += over;
        let mut places = mem::take(&mut self.places);
        places.forget(accepted, |place| self.keeps(place));
        self.places = places;
        Some(())
    }

    /// Which of the chunks that are kept holds a closed order.
    fn chunk_at(&self, place: u32) -> Option<u64> {
        if place & CLOSED == 0 {
            return None;
        }
        let number = u64::try_from(usize::try_from(place & !CLOSED).ok()? / CHUNK_BYTES).ok()?;
        let at = (number + CHUNKS_MAX - self.forgotten % CHUNKS_MAX) % CHUNKS_MAX;
        Some(at).filter(|at| *at < self.chunks.len() as u64)
    }

    /// Whether there is no room for the orders of one more request, or for closing those that are open.
    pub(crate) fn is_full(&self) -> bool {
        const ORDERS_OF_A_REQUEST: usize = 4;
        let open = self.slab.len() - self.free.len() + ORDERS_OF_A_REQUEST;
        let per_chunk = CHUNK_BYTES / archive::ORDER_BYTES_MAX;
        (self.chunks.len() + open / per_chunk + 1) as u64 > CHUNKS_MAX
    }

    /// Any order: where it is kept, or unpacked.
    pub(crate) fn get(&self, order: Slot) -> Option<Cow<'_, OrderRecord>> {
        let place = self.places.get(order)?;
        if place & CLOSED == 0 {
            return self.slab.get(in_slab(place)?).map(Cow::Borrowed);
        }
        let chunk = self.chunks.get(usize::try_from(self.chunk_at(place)?).ok()?)?;
        let start = usize::try_from(place & !CLOSED).ok()? % CHUNK_BYTES;
        archive::read(chunk.bytes.get(start..)?, &chunk.base).map(Cow::Owned)
    }

    /// An open order, where it is kept.
    pub(crate) fn open(&self, order: Slot) -> Option<&OrderRecord> {
        let place = self.places.get(order)?;
        if place & (CLOSED | LEAVING) == 0 { self.slab.get(in_slab(place)?) } else { None }
    }

    /// An open order.
    pub(super) fn open_mut(&mut self, order: Slot) -> Option<&mut OrderRecord> {
        let place = self.places.get(order)?;
        if place & (CLOSED | LEAVING) == 0 { self.slab.get_mut(in_slab(place)?) } else { None }
    }

    pub(super) fn push(&mut self, record: OrderRecord) -> Option<()> {
        let place = self.settle(record)?;
        self.places.push(place)
    }

    /// Puts a record into the slab.
    fn settle(&mut self, record: OrderRecord) -> Option<u32> {
        if let Some(place) = self.free.pop() {
            *self.slab.get_mut(usize::try_from(place).ok()?)? = record;
            return Some(place);
        }
        self.slab.push(record);
        u32::try_from(self.slab.len() - 1).ok().filter(|place| *place < LEAVING)
    }

    /// Puts an order away that will not change any more.
    pub(super) fn retire(&mut self, order: Slot) -> Option<()> {
        let place = self.places.get_mut(order).filter(|place| **place & (CLOSED | LEAVING) == 0)?;
        *place |= LEAVING;
        self.leaving.push_back(order);
        if self.leaving.len() > LEAVING_MAX { self.pack_oldest() } else { Some(()) }
    }

    /// Packs the order that closed first of those that are kept as they are.
    fn pack_oldest(&mut self) -> Option<()> {
        let order = self.leaving.pop_front()?;
        let kept = self.places.get(order)? & !LEAVING;
        let record = self.slab.get(in_slab(kept)?)?;
        let own = Base::of(record);
        let mut bytes = mem::take(&mut self.scratch);
        archive::put(&mut bytes, record, self.chunks.back().map_or(&own, |chunk| &chunk.base));
        if self.chunks.back().is_none_or(|chunk| chunk.bytes.len() + bytes.len() > CHUNK_BYTES) {
            bytes.clear();
            archive::put(&mut bytes, record, &own);
            self.chunks.push_back(Chunk { base: own, bytes: Vec::with_capacity(CHUNK_BYTES) });
        }
        let number = usize::try_from(self.full_chunks() % CHUNKS_MAX).ok()?;
        let chunk = self.chunks.back_mut()?;
        let place = u32::try_from(number * CHUNK_BYTES + chunk.bytes.len()).ok().filter(|place| place & CLOSED == 0)?;
        chunk.bytes.extend_from_slice(&bytes);
        bytes.clear();
        self.scratch = bytes;
        *self.places.get_mut(order)? = place | CLOSED;
        self.free.push(kept);
        Some(())
    }
}

/// A place in the slab, whatever its mark.
fn in_slab(place: u32) -> Option<usize> {
    usize::try_from(place & !LEAVING).ok()
}
