//! A growing list of numbers of which each is near the one before: ids in the order of being given out.

use super::{Pages, put_delta};

/// So many numbers are read at most to find one of them.
const BLOCK: usize = 32;

/// A list to which numbers are appended; about a byte each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Series {
    numbers: Pages<BLOCK>,
    last: u32,
    /// The place of the first number that is not forgotten.
    first: usize,
}

impl Series {
    /// How many numbers there were, forgotten ones included.
    pub(crate) const fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The place of the first number that is not forgotten.
    pub(crate) const fn first(&self) -> usize {
        self.first
    }

    /// Forgets the numbers before this place.
    pub(crate) fn forget_below(&mut self, place: usize) {
        self.first = self.first.max(place.min(self.len()));
        self.numbers.forget_below(self.first);
    }

    /// `None` when there is no room.
    pub(crate) fn push(&mut self, number: u32) -> Option<()> {
        let (out, starts) = self.numbers.next()?;
        put_delta(out, if starts { 0 } else { self.last.into() }, number.into());
        self.last = number;
        Some(())
    }

    pub(crate) fn get(&self, place: usize) -> Option<u32> {
        if place < self.first || place >= self.len() {
            return None;
        }
        self.block(place / BLOCK).nth(place % BLOCK)
    }

    /// The numbers from this place on that are not forgotten.
    pub(crate) fn since(&self, place: usize) -> impl Iterator<Item = u32> + '_ {
        let place = place.max(self.first);
        let blocks = place / BLOCK..self.len().div_ceil(BLOCK);
        blocks.flat_map(|number| self.block(number)).skip(place % BLOCK)
    }

    /// The numbers of a block.
    fn block(&self, number: usize) -> impl Iterator<Item = u32> + '_ {
        let count = self.len().saturating_sub(number * BLOCK).min(BLOCK);
        let mut reader = self.numbers.block(number * BLOCK);
        let mut last = 0;
        (0..count).map_while(move |_| {
            last = reader.as_mut()?.delta(last)?;
            u32::try_from(last).ok()
        })
    }

    /// The first place whose number is neither forgotten nor below this one, in a list that only grows.
    pub(crate) fn place_of(&self, number: u32) -> usize {
        // The last block that starts below it.
        let (mut low, mut high) = (self.first / BLOCK, self.len().div_ceil(BLOCK));
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if self.block(middle).next().is_some_and(|first| first < number) { low = middle } else { high = middle }
        }
        self.first.max(low * BLOCK + self.block(low).take_while(|one| *one < number).count())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_comes_back(numbers in prop::collection::vec(prop_oneof![any::<u32>(), 0..50_u32], 0..2_200)) {
            let mut series = Series::default();
            for number in &numbers {
                prop_assert!(series.push(*number).is_some());
            }
            prop_assert_eq!(series.len(), numbers.len());
            for place in 0..=numbers.len() {
                prop_assert_eq!(series.get(place), numbers.get(place).copied());
            }
            for place in (0..=numbers.len()).step_by(37) {
                prop_assert_eq!(series.since(place).collect::<Vec<_>>(), &numbers[place..]);
            }
        }

        #[test]
        fn a_number_is_found_in_a_list_that_grows(mut numbers in prop::collection::vec(0..400_u32, 0..1_500)) {
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

    proptest! {
        #[test]
        fn what_is_forgotten_moves_nothing(
            mut numbers in prop::collection::vec(0..9_000_u32, 1..5_000),
            cuts in prop::collection::vec(0..6_000_usize, 1..4),
        ) {
            numbers.sort_unstable();
            let mut series = Series::default();
            let mut first = 0;
            for (number, part) in numbers.iter().zip(0..) {
                prop_assert!(series.push(*number).is_some());
                // In the middle of a block and of a page, and beyond the end.
                if part % 1_700 == 0 && let Some(cut) = cuts.get(part / 1_700) {
                    series.forget_below(*cut);
                    first = first.max((*cut).min(part + 1));
                }
            }
            prop_assert_eq!((series.first(), series.len()), (first, numbers.len()));
            for place in 0..=numbers.len() {
                prop_assert_eq!(series.get(place), numbers.get(place).copied().filter(|_| place >= first));
            }
            prop_assert_eq!(series.since(0).collect::<Vec<_>>(), &numbers[first..]);
            for number in (0..9_100).step_by(13) {
                prop_assert_eq!(series.place_of(number), first.max(numbers.partition_point(|one| *one < number)));
            }
        }
    }

    #[test]
    fn forgotten_pages_take_no_room() {
        let mut series = Series::default();
        for number in 0..1_000_000 {
            assert_eq!(series.push(number), Some(()));
            series.forget_below(usize::try_from(number).unwrap().saturating_sub(5_000));
        }
        assert!(series.numbers.page_count() <= 6, "{} pages", series.numbers.page_count());
    }

    #[test]
    fn neighbours_take_a_byte() {
        let mut series = Series::default();
        for number in 0..3_200 {
            assert_eq!(series.push(number * 3), Some(()));
        }
        let bytes: usize =
            (0..100).map(|number| series.numbers.block(number * BLOCK).unwrap().rest().len()).max().unwrap();
        // A page of 1,024: a byte each, and up to three for the first of each block.
        assert!(bytes <= 1_024 + 2 * 32, "{bytes}");
    }
}
