//! Rolling windows.
//!
//! A window at `now` holds the calls of `(now - length, now]`: a call exactly `length` after another no longer sees
//! it. Each call is remembered by its own millisecond, so that the count is exact, while at most
//! [`ENTRIES_EXACT_MAX`] calls can be live. A window that admits more remembers granules of about 1/4096 of its length: all
//! calls of a granule count as if they were made with the last of them. They expire late and never early, so that a
//! window never admits more than the exact definition would.
//!
//! A call weighs one, or in a budget what it spends: money in units of 10⁻⁸. A budget does not bound the number of its
//! calls, so it always remembers granules, and takes at most 64 KiB.

use std::collections::VecDeque;

/// Up to this many live calls are remembered one by one.
const ENTRIES_EXACT_MAX: u64 = 4096;
/// Into so many granules a window is divided. The oldest and the newest may lie across its ends, and with them there are no
/// more entries than 64 KiB hold: one more would double the room.
const GRANULES: u64 = ENTRIES_EXACT_MAX - 2;

/// The measure of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measure {
    length_ms: u64,
    max: u64,
    granule_ms: u64,
}

impl Measure {
    /// At most `max` calls within any `length_ms` milliseconds.
    pub(crate) fn new(length_ms: u64, max: u64) -> Self {
        let granule_ms = if max <= ENTRIES_EXACT_MAX { 1 } else { length_ms.div_ceil(GRANULES).max(1) };
        Self { length_ms, max, granule_ms }
    }

    /// At most `max` units, by any number of calls, within any `length_ms` milliseconds.
    pub(crate) fn of_amounts(length_ms: u64, max: u64) -> Self {
        Self { length_ms, max, granule_ms: length_ms.div_ceil(GRANULES).max(1) }
    }

    /// From when on a call made `at` is no longer counted: the last of its granule goes with it.
    pub(crate) fn end_of(self, at: u64) -> u64 {
        at.saturating_add(self.length_ms).saturating_add(self.granule_ms)
    }

    pub(crate) fn length_ms(self) -> u64 {
        self.length_ms
    }

    pub(crate) fn granule_ms(self) -> u64 {
        self.granule_ms
    }

    pub(crate) fn max(self) -> u64 {
        self.max
    }

    /// In which granule a call made `at` is.
    pub(crate) fn granule(self, at: u64) -> u64 {
        // Division is the slow part of a charge, and most windows do without.
        if self.granule_ms == 1 { at } else { at / self.granule_ms }
    }

    /// Whether a call made `at` is still in the window at `now`. A sum beyond the end of time is never reached.
    fn is_live(self, at: u64, now: u64) -> bool {
        at.checked_add(self.length_ms).is_none_or(|end| end > now)
    }
}

/// The calls that are in a window, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Window {
    entries: VecDeque<Entry>,
    live: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    at: u64,
    amount: u64,
}

impl Window {
    /// Forgets what is no longer in the window at `now`.
    pub(crate) fn expire(&mut self, measure: Measure, now: u64) {
        while let Some(oldest) = self.entries.front()
            && !measure.is_live(oldest.at, now)
        {
            self.live = self.live.saturating_sub(oldest.amount);
            self.entries.pop_front();
        }
    }

    /// The same calls in a window of another measure, as of `now`.
    pub(crate) fn measured_by(self, measure: Measure, now: u64) -> Self {
        let mut window = Self::default();
        for entry in self.entries {
            window.charge(measure, entry.at, entry.amount);
        }
        window.expire(measure, now);
        window
    }

    /// The granules that are no longer in the window at `now`.
    pub(crate) fn expired(&self, measure: Measure, now: u64) -> impl Iterator<Item = u64> {
        let expired = self.entries.iter().take_while(move |entry| !measure.is_live(entry.at, now));
        expired.map(move |entry| measure.granule(entry.at))
    }

    /// Its granules: of each the time of its last call and what all of them weigh.
    pub(crate) fn granules(&self, measure: Measure) -> impl Iterator<Item = (u64, u64, u64)> {
        self.entries.iter().map(move |entry| (measure.granule(entry.at), entry.at, entry.amount))
    }

    /// One of its granules.
    pub(crate) fn in_granule(&self, measure: Measure, granule: u64) -> Option<(u64, u64)> {
        let index = self.entries.partition_point(|entry| measure.granule(entry.at) < granule);
        let entry = self.entries.get(index).filter(|entry| measure.granule(entry.at) == granule)?;
        Some((entry.at, entry.amount))
    }

    /// How much is in the window, as of the last [`Window::expire`].
    pub(crate) fn live(&self) -> u64 {
        self.live
    }

    /// How much is in the window at `now`.
    pub(crate) fn live_at(&self, measure: Measure, now: u64) -> u64 {
        let expired = self.entries.iter().take_while(|entry| !measure.is_live(entry.at, now));
        expired.fold(self.live, |live, entry| live.saturating_sub(entry.amount))
    }

    /// How much of it is in the same calendar-aligned window as `now`.
    pub(crate) fn live_by_calendar(&self, measure: Measure, now: u64) -> u64 {
        let length = measure.length_ms.max(1);
        self.entries.iter().filter(|entry| entry.at / length == now / length).map(|entry| entry.amount).sum()
    }

    /// Adds a call of `amount` made at `now`, which must not lie before any other.
    pub(crate) fn charge(&mut self, measure: Measure, now: u64, amount: u64) {
        self.live = self.live.saturating_add(amount);
        match self.entries.back_mut() {
            Some(newest) if measure.granule(newest.at) == measure.granule(now) => {
                newest.at = now;
                newest.amount = newest.amount.saturating_add(amount);
            }
            _ => self.entries.push_back(Entry { at: now, amount }),
        }
    }

    /// Takes back one call of `amount` that was charged `at`, unless it has expired.
    pub(crate) fn refund(&mut self, measure: Measure, at: u64, amount: u64) {
        let granule = measure.granule(at);
        let index = self.entries.partition_point(|entry| measure.granule(entry.at) < granule);
        let Some(entry) = self.entries.get_mut(index).filter(|entry| measure.granule(entry.at) == granule) else {
            return;
        };
        entry.amount = entry.amount.saturating_sub(amount);
        self.live = self.live.saturating_sub(amount);
        if entry.amount == 0 {
            self.entries.remove(index);
        }
    }

    /// After how many milliseconds there is room for `amount`, if nothing else is charged until then. `None` if never.
    pub(crate) fn retry_after_ms(&self, measure: Measure, now: u64, amount: u64) -> Option<u64> {
        // For more than the maximum there never is room.
        let spare = measure.max.checked_sub(amount)?;
        let Some(mut surplus) = self.live.checked_sub(spare).filter(|surplus| *surplus > 0) else {
            return Some(0);
        };
        for entry in &self.entries {
            surplus = surplus.saturating_sub(entry.amount);
            if surplus == 0 {
                return Some(entry.at.checked_add(measure.length_ms)?.saturating_sub(now));
            }
        }
        Some(0)
    }

    /// When the last call leaves the window. `None` if the window is empty or its end lies beyond the end of time.
    pub(crate) fn empty_at(&self, measure: Measure) -> Option<u64> {
        self.entries.back()?.at.checked_add(measure.length_ms)
    }

    /// Whether nothing is in the window at `now`.
    pub(crate) fn is_idle(&self, measure: Measure, now: u64) -> bool {
        self.entries.back().is_none_or(|newest| !measure.is_live(newest.at, now))
    }
}
