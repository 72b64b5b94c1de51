//! One symbol's orders that wait for a price, nearest price first, and at one price the oldest first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::command::{Side, StopGoal};
use crate::money::Price;
use crate::state::Slot;

/// Where an order waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    rise: bool,
    stop_price: Price,
    trail: Option<Trail>,
}

/// How a trailing stop order follows the price: a BUY down, a SELL up. It is triggered when the price comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trail {
    side: Side,
    /// In hundredths of a percent.
    delta: u16,
}

/// The whole, in hundredths of a percent.
const WHOLE: i128 = 10_000;

impl Trail {
    /// Whether the price has come back far enough from the farthest one.
    fn is_back(self, farthest: Price, last: Price) -> bool {
        let (farthest, last) = (i128::from(farthest.units()), i128::from(last.units()));
        let delta = i128::from(self.delta);
        match self.side {
            Side::Buy => last * WHOLE >= farthest * (WHOLE + delta),
            Side::Sell => last * WHOLE <= farthest * (WHOLE - delta),
        }
    }

    fn farther(self, one: Price, other: Price) -> Price {
        match self.side {
            Side::Buy => one.min(other),
            Side::Sell => one.max(other),
        }
    }
}

impl Wait {
    pub(super) const fn new(goal: StopGoal, side: Side, stop_price: Price, delta: u16) -> Self {
        let trail = if delta == 0 { None } else { Some(Trail { side, delta }) };
        Self { rise: goal.waits_for_rise(side), stop_price, trail }
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
    /// Trailing stop orders whose stop price is yet to be reached.
    trailing: BTreeMap<Slot, Trail>,
    /// Those that follow the price, with the farthest price so far. Each trade looks at all of them: how many there
    /// may be, `MAX_NUM_ALGO_ORDERS` limits.
    following: BTreeMap<Slot, (Trail, Price)>,
    /// Whose price was reached and who are yet to be placed, in the order in which that came to be.
    due: VecDeque<Slot>,
}

impl Stops {
    const fn waiting(&mut self, rise: bool) -> &mut BTreeSet<(i64, Slot)> {
        if rise { &mut self.rising } else { &mut self.falling }
    }

    /// Takes on an order that waits; tells whether it follows the price from now on.
    pub(super) fn add(&mut self, wait: Wait, order: Slot, last: Option<Price>) -> bool {
        match (wait.trail, last) {
            (Some(trail), Some(last)) if wait.stop_price.is_zero() => {
                self.following.insert(order, (trail, last));
                true
            }
            (trail, _) => {
                self.waiting(wait.rise).insert((wait.key(), order));
                self.trailing.extend(trail.map(|trail| (order, trail)));
                false
            }
        }
    }

    /// Every trade counts, not only the last one of a command: a price may be reached and left again. Tells the
    /// trailing stop orders that follow the price from now on.
    pub(super) fn reach(&mut self, last: Price) -> Vec<Slot> {
        let mut back = Vec::new();
        for (order, (trail, farthest)) in &mut self.following {
            *farthest = trail.farther(*farthest, last);
            if trail.is_back(*farthest, last) {
                back.push(*order);
            }
        }
        for order in back {
            self.following.remove(&order);
            self.due.push_back(order);
        }
        let mut followers = Vec::new();
        for rise in [true, false] {
            let reached = Wait { rise, stop_price: last, trail: None }.key();
            while let Some(&first) = self.waiting(rise).first().filter(|(key, _)| *key <= reached) {
                self.waiting(rise).remove(&first);
                match self.trailing.remove(&first.1) {
                    Some(trail) => {
                        self.following.insert(first.1, (trail, last));
                        followers.push(first.1);
                    }
                    None => self.due.push_back(first.1),
                }
            }
        }
        followers
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
        self.trailing.remove(&order);
        if self.following.remove(&order).is_none() && !self.waiting(wait.rise).remove(&(wait.key(), order)) {
            self.due.retain(|due| *due != order);
        }
    }
}
