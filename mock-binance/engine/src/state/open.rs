//! The open orders of an account on a symbol.

use std::collections::BTreeMap;

use crate::state::Slot;

/// Words of a block: with 64 orders in each of them, a block is one line of a cache.
const WORDS: usize = 8;
/// The bits of a slot that tell its place in a block.
const IN_BLOCK: u32 = 9;

/// A bit for each of the orders whose slots differ only in what [`IN_BLOCK`] tells.
type Block = [u64; WORDS];

/// A set of orders, oldest first. Neighbours share a block: a tree of a million orders would be looked through from
/// far away in memory at every step, while orders that are open at a time were mostly placed at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OpenOrders {
    /// By slot without its place in the block. None of them is empty.
    blocks: BTreeMap<u32, Block>,
    len: usize,
}

/// The block of an order, the word in it, and the bit in that.
const fn split(order: Slot) -> (u32, usize, u64) {
    (order.0 >> IN_BLOCK, order.0 as usize / 64 % WORDS, 1 << (order.0 % 64))
}

impl OpenOrders {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, order: Slot) {
        let (key, word, bit) = split(order);
        let block = self.blocks.entry(key).or_default();
        let Some(word) = block.get_mut(word) else { return };
        self.len += usize::from(*word & bit == 0);
        *word |= bit;
    }

    pub(crate) fn remove(&mut self, order: Slot) {
        let (key, word, bit) = split(order);
        let Some(block) = self.blocks.get_mut(&key) else { return };
        let Some(word) = block.get_mut(word) else { return };
        self.len -= usize::from(*word & bit != 0);
        *word &= !bit;
        if *word == 0 && *block == [0; WORDS] {
            self.blocks.remove(&key);
        }
    }

    /// Every order, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        let words = self.blocks.iter().flat_map(|(key, block)| block.iter().zip((key << IN_BLOCK..).step_by(64)));
        words.flat_map(|(word, first)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let low = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(Slot(first | low))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(steps in prop::collection::vec((any::<bool>(), prop_oneof![0..2_000_u32, any::<u32>(), u32::MAX - 600..]), 0..300)) {
            let (mut open, mut set) = (OpenOrders::default(), BTreeSet::new());
            for (comes, slot) in steps {
                if comes {
                    open.insert(Slot(slot));
                    set.insert(Slot(slot));
                } else {
                    open.remove(Slot(slot));
                    set.remove(&Slot(slot));
                }
                prop_assert_eq!(open.len(), set.len());
            }
            prop_assert!(open.iter().eq(set.iter().copied()));
            for slot in &set {
                open.remove(*slot);
            }
            prop_assert_eq!(open, OpenOrders::default());
        }
    }
}
