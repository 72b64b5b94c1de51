//! A growing list of numbers of which each is near the one before: ids in the order of being given out.

use super::{Reader, put_delta};

/// So many numbers are read at most to find one of them.
const BLOCK: usize = 32;

/// A list to which numbers are appended; about a byte each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Series {
    bytes: Vec<u8>,
    /// Of each block, where its differences start, and its first number.
    blocks: Vec<(u32, u32)>,
    len: usize,
    last: u32,
}

impl Series {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// `None` when there is no room.
    pub(crate) fn push(&mut self, number: u32) -> Option<()> {
        if self.len.is_multiple_of(BLOCK) {
            self.blocks.push((u32::try_from(self.bytes.len()).ok()?, number));
        } else {
            put_delta(&mut self.bytes, self.last.into(), number.into());
        }
        self.last = number;
        self.len += 1;
        Some(())
    }

    pub(crate) fn get(&self, place: usize) -> Option<u32> {
        if place >= self.len {
            return None;
        }
        self.block(place / BLOCK)?.nth(place % BLOCK)
    }

    /// The numbers from this place on.
    pub(crate) fn since(&self, place: usize) -> impl Iterator<Item = u32> + '_ {
        let number = place / BLOCK;
        let blocks = (number..self.blocks.len()).filter_map(|number| self.block(number)).flatten();
        blocks.skip(place % BLOCK)
    }

    /// The numbers of a block.
    fn block(&self, number: usize) -> Option<impl Iterator<Item = u32> + '_> {
        let (at, first) = *self.blocks.get(number)?;
        let mut reader = Reader::new(self.bytes.get(usize::try_from(at).ok()?..)?);
        let more = self.len.saturating_sub(number * BLOCK).min(BLOCK).saturating_sub(1);
        let mut last = u64::from(first);
        let rest = (0..more).map_while(move |_| {
            last = reader.delta(last)?;
            u32::try_from(last).ok()
        });
        Some(std::iter::once(first).chain(rest))
    }

    /// The first place whose number is not below this one, in a list that only grows.
    pub(crate) fn place_of(&self, number: u32) -> usize {
        let block = self.blocks.partition_point(|(_, first)| *first < number).saturating_sub(1);
        let below = self.block(block).map_or(0, |numbers| numbers.take_while(|one| *one < number).count());
        block * BLOCK + below
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_comes_back(numbers in prop::collection::vec(prop_oneof![any::<u32>(), 0..50_u32], 0..200)) {
            let mut series = Series::default();
            for number in &numbers {
                prop_assert!(series.push(*number).is_some());
            }
            prop_assert_eq!(series.len(), numbers.len());
            for place in 0..=numbers.len() {
                prop_assert_eq!(series.get(place), numbers.get(place).copied());
                prop_assert_eq!(series.since(place).collect::<Vec<_>>(), &numbers[place..]);
            }
        }

        #[test]
        fn a_number_is_found_in_a_list_that_grows(mut numbers in prop::collection::vec(0..400_u32, 0..200)) {
            numbers.sort_unstable();
            let mut series = Series::default();
            for number in &numbers {
                prop_assert!(series.push(*number).is_some());
            }
            for number in 0..402 {
                prop_assert_eq!(series.place_of(number), numbers.partition_point(|one| *one < number));
            }
        }
    }

    #[test]
    fn neighbours_take_a_byte() {
        let mut series = Series::default();
        for number in 0..3_200 {
            assert_eq!(series.push(number * 3), Some(()));
        }
        assert_eq!((series.bytes.len(), series.blocks.len()), (3_100, 100));
    }
}
