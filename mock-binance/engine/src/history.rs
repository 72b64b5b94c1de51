//! How much of what is over an exchange keeps: all of it, or about as much as its capped journal tells of.

use std::collections::VecDeque;

use crate::journal::Journal;
use crate::state::{Mark, State};

/// Moments up to which the state may be forgotten, once the journal has dropped what led up to them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct History {
    /// The `seq` of the next entry at each moment, oldest first.
    marks: VecDeque<(u64, Mark)>,
}

impl History {
    /// From now on the journal is capped: what is over now will be forgotten one day.
    pub(crate) fn begin(&mut self, journal: &Journal, state: &State) {
        self.marks.extend(state.mark().map(|mark| (journal.len(), mark)));
    }

    /// Forgets what the journal does not tell of any more. To be asked between commands: within one, what has just
    /// closed is still to be told.
    ///
    /// Forgetting looks at everything that is kept, so it waits until about half as much has come to be as is kept:
    /// that makes its cost one of each order, and about half as much again is kept as the journal tells of.
    pub(crate) fn keep_up(&mut self, journal: &Journal, state: &mut State) {
        let Some((latest, _)) = self.marks.back() else { return };
        let kept = (journal.len() - journal.first()).max(state.open_count() as u64);
        if journal.len() - latest < kept / 2 {
            return;
        }
        let dropped = self.marks.iter().take_while(|(seq, _)| *seq <= journal.first()).count();
        let due = dropped.checked_sub(1).and_then(|last| self.marks.drain(..=last).next_back());
        if let Some((_, mark)) = due {
            let forgotten = state.forget(&mark);
            assert!(forgotten.is_some(), "a mark does not fit the exchange that set it");
        }
        self.begin(journal, state);
    }
}
