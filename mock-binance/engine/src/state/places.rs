//! Where each order is, by slot.
//!
//! ```text
//! slots   0 ............. first page ............................. len
//!         |  old: those   |  pages: a place for each order         |
//!         |  still known  |  (pages, because a list of a million   |
//!         |  with slots   |   places would be copied as it grows)  |
//! ```
//!
//! What is forgotten is mostly from long ago, but an order that was placed long ago may still be open: such ones are
//! kept in a list of their own when their page goes.

use crate::state::Slot;

/// Places of a page.
const PAGE: usize = 1 << 12;
/// What stands for a place that is forgotten; no order starts at the last byte of the last chunk.
const GONE: u32 = u32::MAX;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Places {
    /// Orders of forgotten pages that are still known, by slot.
    old: Vec<(u32, u32)>,
    /// How many pages were forgotten.
    forgotten: usize,
    pages: Vec<Vec<u32>>,
    len: usize,
}

impl Places {
    /// How many places there were, forgotten ones included.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, order: Slot) -> Option<u32> {
        let slot = order.place()?;
        let place = match (slot / PAGE).checked_sub(self.forgotten) {
            Some(page) => *self.pages.get(page)?.get(slot % PAGE)?,
            None => self.old.get(self.old_at(order)?)?.1,
        };
        Some(place).filter(|place| *place != GONE)
    }

    pub(super) fn get_mut(&mut self, order: Slot) -> Option<&mut u32> {
        let slot = order.place()?;
        let place = if let Some(page) = (slot / PAGE).checked_sub(self.forgotten) {
            self.pages.get_mut(page)?.get_mut(slot % PAGE)?
        } else {
            let at = self.old_at(order)?;
            &mut self.old.get_mut(at)?.1
        };
        Some(place).filter(|place| **place != GONE)
    }

    fn old_at(&self, order: Slot) -> Option<usize> {
        self.old.binary_search_by_key(&order.0, |(slot, _)| *slot).ok()
    }

    /// `None` when there is no room.
    pub(super) fn push(&mut self, place: u32) -> Option<()> {
        if self.len.is_multiple_of(PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        self.pages.last_mut().filter(|_| place != GONE)?.push(place);
        self.len += 1;
        Some(())
    }

    pub(super) fn forget_one(&mut self, order: Slot) -> Option<()> {
        *self.get_mut(order)? = GONE;
        Some(())
    }

    /// Forgets the orders before this one whose places are not to be kept.
    pub(super) fn forget(&mut self, before: Slot, keeps: impl Fn(u32) -> bool) {
        let keeps = |place: u32| place != GONE && keeps(place);
        self.old.retain(|(_, place)| keeps(*place));
        let whole = before.place().unwrap_or_default() / PAGE;
        // The last page is kept: what comes next is written to it.
        let over = whole.saturating_sub(self.forgotten).min(self.pages.len().saturating_sub(1));
        let slots = (self.forgotten * PAGE..).map_while(|slot| u32::try_from(slot).ok());
        let pages = self.pages.drain(..over).flatten();
        self.old.extend(slots.zip(pages).filter(|(_, place)| keeps(*place)));
        self.old.shrink_to(self.old.len() * 2);
        self.forgotten += over;
        // Places that a forgotten chunk has left behind would mean another one some day.
        let rest = before.place().unwrap_or_default().saturating_sub(self.forgotten * PAGE);
        for place in self.pages.first_mut().into_iter().flatten().take(rest) {
            if !keeps(*place) {
                *place = GONE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_to_be_kept_is_and_nothing_else_of_whole_pages(
            count in 1..20_000_u32,
            mut cuts in prop::collection::vec((0..20_000_u32, 2..9_u32), 1..4),
        ) {
            let mut places = Places::default();
            let mut known = BTreeMap::new();
            for slot in 0..count {
                prop_assert_eq!(places.push(slot % 977), Some(()));
                known.insert(slot, slot % 977);
            }
            cuts.sort_unstable();
            for (before, modulus) in cuts {
                places.forget(Slot(before), |place| place % modulus == 1);
                known.retain(|slot, place| *slot >= before || *place % modulus == 1);
                for slot in 0..=count {
                    prop_assert_eq!(places.get(Slot(slot)), known.get(&slot).copied());
                    prop_assert_eq!(places.get_mut(Slot(slot)).copied(), known.get(&slot).copied());
                }
            }
            prop_assert_eq!(places.len(), count as usize);
        }
    }

    #[test]
    fn forgotten_pages_take_no_room() {
        let mut places = Places::default();
        for slot in 0..1_000_000 {
            assert_eq!(places.push(u32::from(slot % 100_000 == 0)), Some(()));
            if slot % 1_000 == 0 {
                places.forget(Slot(slot), |place| place == 1);
            }
        }
        assert!(places.pages.len() <= 2, "{} pages", places.pages.len());
        assert_eq!(places.old.len(), 10);
        assert_eq!(places.get(Slot(300_000)), Some(1));
        assert_eq!(places.get(Slot(300_001)), None);
    }
}
