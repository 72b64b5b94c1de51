//! Who hears one stream, by the unit of time in which they want it: an event is written once for each unit.

use std::collections::BTreeSet;

use super::streams::ConnectionId;
use super::written::Units;
use crate::api::render::TimeUnit;

/// The listeners of one stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Listeners {
    milli: BTreeSet<ConnectionId>,
    micro: BTreeSet<ConnectionId>,
}

impl Listeners {
    pub(super) fn insert(&mut self, unit: TimeUnit, id: ConnectionId) {
        match unit {
            TimeUnit::Milliseconds => self.milli.insert(id),
            TimeUnit::Microseconds => self.micro.insert(id),
        };
    }

    pub(super) fn remove(&mut self, id: ConnectionId) {
        self.milli.remove(&id);
        self.micro.remove(&id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.milli.is_empty() && self.micro.is_empty()
    }

    pub(super) fn units(&self) -> Units {
        Units { milli: !self.milli.is_empty(), micro: !self.micro.is_empty() }
    }

    pub(super) fn of(&self, unit: TimeUnit) -> &BTreeSet<ConnectionId> {
        match unit {
            TimeUnit::Milliseconds => &self.milli,
            TimeUnit::Microseconds => &self.micro,
        }
    }

    /// All of them.
    pub(super) fn ids(&self) -> impl Iterator<Item = ConnectionId> {
        self.milli.iter().chain(&self.micro).copied()
    }
}
