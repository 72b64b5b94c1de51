//! The orders of an account on a symbol, oldest first: those that are still known.

use crate::packing::Series;
use crate::state::Slot;

/// Nearly all of what is known is recent; an order that was placed long ago is known as long as it is open, and some
/// time after.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Owned {
    /// Orders from before the recent ones.
    old: Vec<u32>,
    recent: Series,
}

impl Owned {
    pub(crate) const fn len(&self) -> usize {
        self.old.len() + self.recent.len() - self.recent.first()
    }

    /// `None` when there is no room.
    pub(super) fn push(&mut self, order: Slot) -> Option<()> {
        self.recent.push(order.0)
    }

    /// The place of a recent order's place in its series.
    const fn shift(&self, place: usize) -> Option<usize> {
        match place.checked_sub(self.old.len()) {
            Some(place) => Some(place + self.recent.first()),
            None => None,
        }
    }

    pub(crate) fn get(&self, place: usize) -> Option<Slot> {
        let slot = match self.shift(place) {
            Some(place) => self.recent.get(place),
            None => self.old.get(place).copied(),
        };
        slot.map(Slot)
    }

    /// The orders from this place on.
    pub(crate) fn since(&self, place: usize) -> impl Iterator<Item = Slot> + '_ {
        let old = self.old.get(place..).unwrap_or_default().iter().copied();
        old.chain(self.recent.since(self.shift(place).unwrap_or_default())).map(Slot)
    }

    /// The place of the first order that is not before this one.
    pub(crate) fn place_of(&self, order: Slot) -> usize {
        let old = self.old.partition_point(|one| *one < order.0);
        old + self.recent.place_of(order.0) - self.recent.first()
    }

    /// Forgets the orders before this one that are not known any more.
    pub(super) fn forget(&mut self, before: Slot, knows: impl Fn(Slot) -> bool) {
        let place = self.recent.place_of(before.0);
        self.old.retain(|order| knows(Slot(*order)));
        let leaving = self.recent.since(0).take(place - self.recent.first());
        self.old.extend(leaving.filter(|order| knows(Slot(*order))));
        self.old.shrink_to(self.old.len() * 2);
        self.recent.forget_below(place);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_list_of_what_is_known(
            steps in prop::collection::vec(1..9_u32, 1..3_000),
            mut cuts in prop::collection::vec((0..16_000_u32, 2..9_u32), 0..4),
        ) {
            let orders = steps.iter().scan(0, |slot, step| { *slot += step; Some(*slot) });
            let mut list: Vec<u32> = orders.collect();
            let mut owned = Owned::default();
            for order in &list {
                prop_assert_eq!(owned.push(Slot(*order)), Some(()));
            }
            cuts.sort_unstable();
            for (before, modulus) in cuts {
                owned.forget(Slot(before), |order| order.0 % modulus == 1);
                list.retain(|order| *order >= before || order % modulus == 1);
                prop_assert_eq!(owned.len(), list.len());
                for place in 0..=list.len() {
                    prop_assert_eq!(owned.get(place), list.get(place).copied().map(Slot));
                }
                for place in (0..=list.len()).step_by(31) {
                    prop_assert!(owned.since(place).map(|order| order.0).eq(list[place..].iter().copied()));
                }
                for order in (0..16_100).step_by(7) {
                    prop_assert_eq!(owned.place_of(Slot(order)), list.partition_point(|one| *one < order));
                }
            }
        }
    }
}
