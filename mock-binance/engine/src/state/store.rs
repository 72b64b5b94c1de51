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

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::state::archive::{self, Base};
use crate::state::{OrderRecord, Slot};

/// Room for a chunk's orders; the longest order is far shorter.
const CHUNK_BYTES: usize = 1 << 15;
/// As many chunks as there are places in them below the mark.
const CHUNKS_MAX: usize = 1 << 16;
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
    chunks: Vec<Chunk>,
    /// Room to encode into, empty between orders.
    scratch: Vec<u8>,
}

impl Orders {
    /// How many were ever accepted.
    pub(crate) const fn len(&self) -> usize {
        self.places.len
    }

    /// Whether there is no room for the orders of one more request, or for closing those that are open.
    pub(crate) fn is_full(&self) -> bool {
        const ORDERS_OF_A_REQUEST: usize = 4;
        let open = self.slab.len() - self.free.len() + ORDERS_OF_A_REQUEST;
        let per_chunk = CHUNK_BYTES / archive::ORDER_BYTES_MAX;
        self.chunks.len() + open / per_chunk + 1 > CHUNKS_MAX
    }

    /// Any order: where it is kept, or unpacked.
    pub(crate) fn get(&self, order: Slot) -> Option<Cow<'_, OrderRecord>> {
        let place = self.places.get(order)?;
        if place & CLOSED == 0 {
            return self.slab.get(in_slab(place)?).map(Cow::Borrowed);
        }
        let place = usize::try_from(place & !CLOSED).ok()?;
        let chunk = self.chunks.get(place / CHUNK_BYTES)?;
        archive::read(chunk.bytes.get(place % CHUNK_BYTES..)?, &chunk.base).map(Cow::Owned)
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
        let place = if let Some(place) = self.free.pop() {
            *self.slab.get_mut(usize::try_from(place).ok()?)? = record;
            place
        } else {
            self.slab.push(record);
            u32::try_from(self.slab.len() - 1).ok().filter(|place| *place < LEAVING)?
        };
        self.places.push(place)?;
        Some(())
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
        let mut bytes = std::mem::take(&mut self.scratch);
        archive::put(&mut bytes, record, self.chunks.last().map_or(&own, |chunk| &chunk.base));
        if self.chunks.last().is_none_or(|chunk| chunk.bytes.len() + bytes.len() > CHUNK_BYTES) {
            bytes.clear();
            archive::put(&mut bytes, record, &own);
            self.chunks.push(Chunk { base: own, bytes: Vec::with_capacity(CHUNK_BYTES) });
        }
        let number = self.chunks.len().checked_sub(1)?;
        let chunk = self.chunks.last_mut()?;
        let place = u32::try_from(number * CHUNK_BYTES + chunk.bytes.len()).ok().filter(|place| place & CLOSED == 0)?;
        chunk.bytes.extend_from_slice(&bytes);
        bytes.clear();
        self.scratch = bytes;
        *self.places.get_mut(order)? = place | CLOSED;
        self.free.push(kept);
        Some(())
    }
}

/// Where each order is. Pages, because a list of a million places would be copied as it grows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Places {
    pages: Vec<Vec<u32>>,
    len: usize,
}

/// Places of a page.
const PAGE: usize = 1 << 12;

impl Places {
    fn get(&self, order: Slot) -> Option<u32> {
        let order = order.place()?;
        self.pages.get(order / PAGE)?.get(order % PAGE).copied()
    }

    fn get_mut(&mut self, order: Slot) -> Option<&mut u32> {
        let order = order.place()?;
        self.pages.get_mut(order / PAGE)?.get_mut(order % PAGE)
    }

    fn push(&mut self, place: u32) -> Option<()> {
        if self.len.is_multiple_of(PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        self.pages.last_mut()?.push(place);
        self.len += 1;
        Some(())
    }
}

/// A place in the slab, whatever its mark.
fn in_slab(place: u32) -> Option<usize> {
    usize::try_from(place & !LEAVING).ok()
}
