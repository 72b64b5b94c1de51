//! What a call owes to limits that several gateways share.
//!
//! Each guard judges by what it has counted itself, and knows nothing of the others. Whoever shares limits asks a store
//! for what a permitted call was charged here, and takes the permit back if the store has no room.

use crate::counters::{Reservation, Shortage};
use crate::decision::{Denial, Permit};
use crate::document::{LimitUse, Policy, Scope};
use crate::guard::Guard;
use crate::precedence::out_of;
use crate::sequence::Sequence;

/// What one limit wants of a call, for a store that counts for several guards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// What is charged, and to which counter.
    pub reservation: Reservation,
    /// Whether all servers that share the store share the counter, as `scope: organisation` says.
    pub across_servers: bool,
    /// The window's length.
    pub window_ms: u64,
    /// What is charged within so many milliseconds may be counted as if with the last of it.
    pub granule_ms: u64,
    /// How much may be charged within a window.
    pub max: u64,
    /// Whether the limit is judged and let through.
    pub shadow: bool,
    /// What its own guard would say if it had no room.
    refusal: Denial,
}

impl Due {
    /// What a call is told that a store has no room for, and that may come again after so long: as if its own guard had
    /// refused it.
    pub fn refusal(&self, retry_after_ms: Option<u64>) -> Denial {
        Denial { retry_after_ms, ..self.refusal.clone() }
    }
}

impl Policy {
    /// The rules, by their pointers, that each guard judges by what itself has seen: over what went before, and breakers.
    /// Of a call that passed another guard they know nothing, so that limits that are shared do not make them hold.
    pub fn unshared_rules(&self) -> Vec<&str> {
        let sequences = self.entries().filter_map(|rules| rules.sequence.as_deref()).flat_map(Sequence::heads);
        let breakers = self.breakers().iter().map(|breaker| &breaker.head);
        let mut rules: Vec<&str> = Vec::new();
        for head in sequences.chain(breakers) {
            if !rules.contains(&head.rule.as_str()) {
                rules.push(&head.rule);
            }
        }
        rules
    }
}

impl Guard {
    /// What a permitted call of `tool` owes, in the order in which its limits are asked.
    pub fn dues(&self, permit: &Permit, tool: &str) -> Vec<Due> {
        let Some(policy) = self.policy() else { return Vec::new() };
        let reservations = self.reservations(permit);
        let charges = permit.charges().iter().zip(reservations);
        let due = |(charge, reservation): (&crate::counters::Charge, Reservation)| {
            let spec = policy.counters().get(charge.limit())?;
            let limit = limit(policy, tool, charge.limit())?;
            let shortage = Shortage::Reached { limit, amount: charge.amount(), retry_after_ms: None };
            Some(Due {
                reservation,
                across_servers: spec.scope == Scope::Organisation,
                window_ms: spec.measure.length_ms(),
                granule_ms: spec.measure.granule_ms(),
                max: spec.measure.max(),
                shadow: limit.shadow || policy.is_in_shadow(),
                refusal: out_of(&shortage, policy),
            })
        };
        charges.filter_map(due).collect()
    }
}

/// The limit of a tool that counts in a counter. Each counter is charged once for a call.
fn limit<'p>(policy: &'p Policy, tool: &str, counter: usize) -> Option<&'p LimitUse> {
    let own = policy.rules(tool).map_or(&[][..], |rules| &rules.limits);
    policy.all_tools().iter().chain(own).find(|limit| limit.counter == counter)
}
