//! The prices of one side of a book that orders rest at, in order.
//!
//! ```text
//! blocks: price / 64 -> mask, place of each of 64 neighbours
//! ```
//!
//! Prices that lie side by side share a block: a tree of every price of a large book would be looked through from far
//! away in memory at every step, while one of their blocks is small enough to stay near.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Prices of a block.
const BLOCK: usize = 64;

/// The place of a price in its block, and the price's bit.
fn in_block(price: i64) -> (usize, u64) {
    let place = price.rem_euclid(64);
    (usize::try_from(place).unwrap_or_default(), 1 << place)
}

/// What 64 neighbours lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    /// A bit for each price that is in use.
    mask: u64,
    places: [u32; BLOCK],
}

impl Block {
    const EMPTY: Self = Self { mask: 0, places: [0; BLOCK] };

    fn place(&self, bit: u32) -> Option<u32> {
        self.places.get(usize::try_from(bit).ok()?).copied()
    }
}

/// Prices, counted in ticks, and what each leads to; the smallest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Prices {
    /// By price without its place in the block. None of the blocks is empty.
    keys: BTreeMap<i64, u32>,
    blocks: Vec<Block>,
    /// Blocks that are not in use.
    free: Vec<u32>,
}

impl Prices {
    fn block(&self, id: u32) -> Option<&Block> {
        self.blocks.get(usize::try_from(id).ok()?)
    }

    /// What a price leads to.
    pub(super) fn get(&self, price: i64) -> Option<u32> {
        let (place, bit) = in_block(price);
        let block = self.block(*self.keys.get(&price.div_euclid(64))?)?;
        if block.mask & bit == 0 { None } else { block.places.get(place).copied() }
    }

    /// Lets a price lead to this.
    pub(super) fn insert(&mut self, price: i64, to: u32) -> Option<()> {
        let Self { keys, blocks, free } = self;
        let id = match keys.entry(price.div_euclid(64)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                let id = if let Some(id) = free.pop() {
                    id
                } else {
                    blocks.push(Block::EMPTY);
                    u32::try_from(blocks.len() - 1).ok()?
                };
                *unknown.insert(id)
            }
        };
        let block = blocks.get_mut(usize::try_from(id).ok()?)?;
        let (place, bit) = in_block(price);
        block.mask |= bit;
        *block.places.get_mut(place)? = to;
        Some(())
    }

    /// Takes a price out, and tells what it led to.
    pub(super) fn remove(&mut self, price: i64) -> Option<u32> {
        let key = price.div_euclid(64);
        let id = *self.keys.get(&key)?;
        let block = self.blocks.get_mut(usize::try_from(id).ok()?)?;
        let (place, bit) = in_block(price);
        if block.mask & bit == 0 {
            return None;
        }
        block.mask &= !bit;
        let to = block.places.get(place).copied();
        if block.mask == 0 {
            self.keys.remove(&key);
            self.free.push(id);
        }
        to
    }

    /// The smallest price.
    pub(super) fn first(&self) -> Option<(i64, u32)> {
        let (key, id) = self.keys.first_key_value()?;
        let block = self.block(*id)?;
        let bit = block.mask.trailing_zeros();
        Some((key * 64 + i64::from(bit), block.place(bit)?))
    }

    /// Every price, the smallest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, u32)> + '_ {
        let blocks = self.keys.iter().filter_map(|(key, id)| Some((*key, self.block(*id)?)));
        blocks.flat_map(|(key, block)| {
            let mut left = block.mask;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some((key * 64 + i64::from(bit), block.place(bit)?))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(
            steps in prop::collection::vec(
                (any::<bool>(), prop_oneof![-200..200_i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)], any::<u32>()),
                0..300,
            ),
        ) {
            let (mut prices, mut map) = (Prices::default(), BTreeMap::new());
            for (comes, price, to) in steps {
                if comes {
                    prop_assert!(prices.insert(price, to).is_some());
                    map.insert(price, to);
                } else {
                    prop_assert_eq!(prices.remove(price), map.remove(&price));
                }
                prop_assert_eq!(prices.get(price), map.get(&price).copied());
                prop_assert_eq!(prices.first(), map.first_key_value().map(|(price, to)| (*price, *to)));
            }
            prop_assert!(prices.iter().eq(map.iter().map(|(price, to)| (*price, *to))));
            for (price, to) in &map {
                prop_assert_eq!(prices.remove(*price), Some(*to));
            }
            prop_assert!(prices.keys.is_empty());
            prop_assert_eq!(prices.first(), None);
            prop_assert_eq!(prices.free.len(), prices.blocks.len());
        }
    }
}
