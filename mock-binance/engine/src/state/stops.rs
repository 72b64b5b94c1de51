//! One symbol's orders that wait for a price, nearest price first, and at one price the oldest first.

use std::collections::{BTreeSet, VecDeque};

use crate::command::{Side, StopGoal};
use crate::money::Price;
use crate::state::Slot;

/// Where an order waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) rise: bool,
    pub(super) stop_price: Price,
}

impl Wait {
    pub(super) const fn new(goal: StopGoal, side: Side, stop_price: Price) -> Self {
        Self { rise: goal.waits_for_rise(side), stop_price }
    }

    /// The nearest price is the smallest key.
    const fn key(self) -> i64 {
        if self.rise { self.stop_price.units() } else { self.stop_price.units().wrapping_neg() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Stops {
    rising: BTreeSet<(i64, Slot)>,
    falling: BTreeSet<(i64, Slot)>,
    /// Whose price was reached and who are yet to be placed, in the order in which that came to be.
    due: VecDeque<Slot>,
}

impl Stops {
    const fn waiting(&mut self, rise: bool) -> &mut BTreeSet<(i64, Slot)> {
        if rise { &mut self.rising } else { &mut self.falling }
    }

    pub(super) fn add(&mut self, wait: Wait, order: Slot) {
        self.waiting(wait.rise).insert((wait.key(), order));
    }

    /// Every trade counts, not only the last one of a command: a price may be reached and left again.
    pub(super) fn reach(&mut self, last: Price) {
        for rise in [true, false] {
            let reached = Wait { rise, stop_price: last }.key();
            while let Some(&first) = self.waiting(rise).first().filter(|(key, _)| *key <= reached) {
                self.waiting(rise).remove(&first);
                self.due.push_back(first.1);
            }
        }
    }

    /// The next order to place.
    pub(crate) fn next_due(&self) -> Option<Slot> {
        self.due.front().copied()
    }

    /// Takes the next order to place off the list, if it is this one.
    pub(super) fn take_due(&mut self, order: Slot) -> Option<()> {
        self.due.pop_front().filter(|first| *first == order).map(|_| ())
    }

    /// Takes off an order that is not going to be placed.
    pub(super) fn remove(&mut self, wait: Wait, order: Slot) {
        if !self.waiting(wait.rise).remove(&(wait.key(), order)) {
            self.due.retain(|due| *due != order);
        }
    }
}
