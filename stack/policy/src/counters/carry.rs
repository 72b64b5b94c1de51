//! What was counted outlives a document, and a process.

use indexmap::IndexMap;

use super::{Charge, Counters, Expiry, Key, Owner, Reverse};
use crate::document::CounterSpec;
use crate::jcs::Digest;
use crate::window::Window;

/// What one limit was charged for one call, in a form that outlives the document and the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Which counter, by what it counts and not by its place in the document.
    pub counter: String,
    /// Whom it counts; nobody in particular if `None`.
    pub grant: Option<String>,
    /// Which session of the grant.
    pub session: Option<String>,
    /// What is counted apart from one another.
    pub part: Option<Digest>,
    /// When it was charged.
    pub at_ms: u64,
    /// Calls, or units of 10⁻⁸.
    pub amount: u64,
    /// When it is no longer counted.
    pub until_ms: u64,
}

impl Counters {
    /// Takes what was counted by `from` over to `to`: each counter that counts the same, whatever its window and maximum
    /// are now. The others begin at nothing. Where each of `from` has its place now.
    ///
    /// What had left an old window before it was made longer does not come back.
    pub(crate) fn carry(&mut self, from: &[CounterSpec], to: &[CounterSpec], now: u64) -> Vec<Option<usize>> {
        let places = places(to);
        let moved: Vec<Option<usize>> = from.iter().map(|spec| places.get(&spec.identity()).copied()).collect();
        let windows = std::mem::take(&mut self.windows);
        self.expiries.clear();
        self.found.clear();
        for (key, window) in windows {
            let Some(limit) = moved.get(key.limit).copied().flatten() else { continue };
            let Some(spec) = to.get(limit) else { continue };
            let window = window.measured_by(spec.measure, now);
            // The owner stays the one that permits on their way hold: a refund finds its own counter, or none.
            self.put(Key { limit, owner: key.owner }, window, spec);
        }
        moved
    }

    /// What `charges`, made at `at`, come to outside this process.
    pub(crate) fn reservations(charges: &[Charge], specs: &[CounterSpec], at: u64) -> Vec<Reservation> {
        let reservation = |charge: &Charge| {
            let (spec, owner) = (specs.get(charge.key.limit)?, &charge.key.owner);
            Some(Reservation {
                counter: spec.identity(),
                grant: owner.grant.as_deref().map(str::to_owned),
                session: owner.session.as_deref().map(str::to_owned),
                part: owner.part,
                at_ms: at,
                amount: charge.amount,
                until_ms: spec.measure.end_of(at),
            })
        };
        charges.iter().filter_map(reservation).collect()
    }

    /// Counts `reservations`, which are in the order of their times, again. How many are of counters that there are not.
    pub(crate) fn restore(&mut self, reservations: &[Reservation], specs: &[CounterSpec], now: u64) -> usize {
        let places = places(specs);
        let mut unknown = 0;
        for reservation in reservations {
            let Some(limit) = places.get(&reservation.counter).copied() else {
                unknown += 1;
                continue;
            };
            let Some(spec) = specs.get(limit) else { continue };
            let owner = Owner {
                grant: reservation.grant.as_deref().map(Into::into),
                session: reservation.session.as_deref().map(Into::into),
                part: reservation.part,
            };
            let key = Key { limit, owner: owner.into() };
            if let Some(window) = self.windows.get_mut(&key) {
                window.charge(spec.measure, reservation.at_ms, reservation.amount);
                continue;
            }
            let mut window = Window::default();
            window.charge(spec.measure, reservation.at_ms, reservation.amount);
            self.put(key, window, spec);
        }
        for (key, window) in &mut self.windows {
            if let Some(spec) = specs.get(key.limit) {
                window.expire(spec.measure, now);
            }
        }
        unknown
    }

    fn put(&mut self, key: Key, window: Window, spec: &CounterSpec) {
        let Some(at) = window.empty_at(spec.measure).or_else(|| (window.live() > 0).then_some(u64::MAX)) else {
            return;
        };
        self.created += 1;
        self.expiries.push(Reverse(Expiry { at, created: self.created, key: key.clone() }));
        self.windows.insert(key, window);
    }
}

fn places(specs: &[CounterSpec]) -> IndexMap<String, usize> {
    specs.iter().enumerate().map(|(place, spec)| (spec.identity(), place)).collect()
}
