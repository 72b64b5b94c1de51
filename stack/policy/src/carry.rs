//! A guard that takes another document, or takes up what was counted before.

use crate::counters::{Counters, Reservation};
use crate::decision::{Permit, Timestamp};
use crate::document::Policy;
use crate::guard::Guard;

/// Where what a document speaks of has its place in the one that replaced it.
#[derive(Debug)]
pub(crate) struct Moves {
    counters: Vec<Option<usize>>,
    breakers: Vec<Option<usize>>,
}

impl Guard {
    /// Puts another policy in force, in one step: every call is judged by one of the two, whole.
    ///
    /// What was counted stays: a counter goes on if the new document has one that counts the same, which is a counter
    /// of the same name, scope, `of` and `each`, or the `rate_limit` of the same entry. Its window and its maximum may
    /// be others; what had left a window before it was made longer does not come back. Breakers go on in the same way.
    /// Calls that are on their way are settled with the counters and breakers that they were let through by.
    pub fn replace(&mut self, policy: Policy) {
        let now = self.now.as_millis();
        let old = self.policy.take();
        let from = old.as_ref().map(Policy::counters).unwrap_or_default();
        let counters = self.state.counters.carry(from, policy.counters(), now);
        let from = old.as_ref().map(Policy::breakers).unwrap_or_default();
        let breakers = self.state.breakers.carry(from, policy.breakers());
        self.state.quotes.retain(|tool, symbol| {
            policy.live().is_some_and(|(references, live)| {
                references.signed.contains_key(symbol) && live.request(tool, symbol).is_some()
            })
        });
        self.moves.push(Moves { counters, breakers });
        self.policy = Some(policy);
    }

    /// What `permit` speaks of by its place in the document in force.
    pub(crate) fn bring_up_to_date(&self, permit: &mut Permit) {
        for Moves { counters, breakers } in self.moves.iter().skip(permit.generation) {
            let place = |moved: &[Option<usize>], place: usize| moved.get(place).copied().flatten();
            permit.relocate(|counter| place(counters, counter), |breaker| place(breakers, breaker));
        }
    }

    /// What a permitted call was charged, in a form that outlives the process. A store that holds it before the call
    /// leaves can hand it to [`Guard::restore`] later.
    pub fn reservations(&self, permit: &Permit) -> Vec<Reservation> {
        let specs = self.policy().map(Policy::counters).unwrap_or_default();
        Counters::reservations(permit.charges(), specs, permit.charged_at())
    }

    /// Counts what was reserved before, as of `now`. For a guard that has judged nothing yet.
    ///
    /// How many of the reservations are of counters that the policy does not have.
    pub fn restore(&mut self, mut reservations: Vec<Reservation>, now: Timestamp) -> usize {
        reservations.sort_by_key(|reservation| reservation.at_ms);
        // A clock that was set back since must not make what was reserved look like the future.
        let latest = reservations.last().map(|last| Timestamp::from_millis(last.at_ms));
        self.now = latest.into_iter().fold(self.now.max(now), Timestamp::max);
        let specs = self.policy.as_ref().map(Policy::counters).unwrap_or_default();
        self.state.counters.restore(&reservations, specs, self.now.as_millis())
    }
}
