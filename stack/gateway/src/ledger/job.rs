//! What is written in one go.

use std::sync::Arc;

use mcp_policy::{Note, Reservation};

/// What one call, or what was learnt of one, wants written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Job {
    /// A call is about to leave.
    Leaves { call: i64, holdings: Vec<Holding> },
    /// Something was learnt; if of a call that never left, what that was charged is taken out.
    Learnt { never_left: Option<i64>, holdings: Vec<Holding> },
}

impl Job {
    pub(super) fn leaves(&self) -> bool {
        matches!(self, Self::Leaves { .. })
    }

    pub(super) fn into_holdings(self) -> Vec<Holding> {
        let (Self::Leaves { holdings, .. } | Self::Learnt { holdings, .. }) = self;
        holdings
    }
}

/// What is counted and remembered under one policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Holding {
    /// The grant whose own policy it is; `None` is the server's. Counters of the same name under two policies have nothing
    /// to do with each other.
    pub(crate) under: Option<Arc<str>>,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) notes: Vec<Note>,
}

impl Holding {
    pub(crate) fn is_empty(&self) -> bool {
        self.reservations.is_empty() && self.notes.is_empty()
    }
}
