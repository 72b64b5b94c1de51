//! The open orders of an account on a symbol.

use std::collections::BTreeMap;

use crate::state::Slot;

/// A set of orders, oldest first. Neighbours share an entry: a tree of a million orders would be looked through from
/// far away in memory at every step, while orders that are open at a time were mostly placed at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OpenOrders {
    /// By slot without its last six bits: a bit for each of the 64 orders.
    masks: BTreeMap<u32, u64>,
    len: usize,
}

const fn split(order: Slot) -> (u32, u64) {
    (order.0 >> 6, 1 << (order.0 & 63))
}

impl OpenOrders {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, order: Slot) {
        let (key, bit) = split(order);
        let mask = self.masks.entry(key).or_default();
        self.len += usize::from(*mask & bit == 0);
        *mask |= bit;
    }

    pub(crate) fn remove(&mut self, order: Slot) {
        let (key, bit) = split(order);
        let Some(mask) = self.masks.get_mut(&key) else { return };
        self.len -= usize::from(*mask & bit != 0);
        *mask &= !bit;
        if *mask == 0 {
            self.masks.remove(&key);
        }
    }

    /// Every order, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        self.masks.iter().flat_map(|(key, mask)| {
            let mut left = *mask;
            std::iter::from_fn(move || {
                let low = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(Slot(key << 6 | low))
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
        fn it_is_a_set(steps in prop::collection::vec((any::<bool>(), prop_oneof![0..200_u32, any::<u32>()]), 0..300)) {
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
