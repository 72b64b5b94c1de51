//! The exchange: requests in, replies, events and facts out.

use crate::command::{Command, NewOrder};
use crate::event::{Event, Outcome};
use crate::ids::{AccountId, SymbolId};
use crate::journal::Journal;
use crate::rejection::Rejection;
use crate::spec::{ExchangeSpec, SpecError, SymbolStatus};
use crate::time::Timestamp;

/// A spot exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    journal: Journal,
}

/// A journal that this specification could not have written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The specification itself is at fault.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// An entry that does not follow from those before it.
    #[error("journal entry {seq} does not follow from those before it: replay it with the specification that wrote it")]
    Entry {
        /// Its place.
        seq: u64,
    },
}

impl Exchange {
    /// An exchange on which nothing has happened; only the account of the commissions exists.
    pub fn new(spec: ExchangeSpec) -> Result<Self, SpecError> {
        spec.validate()?;
        todo!()
    }
    /// The exchange that has lived through this journal.
    pub fn replay(spec: ExchangeSpec, journal: &Journal) -> Result<Self, ReplayError> {
        let _ = (spec, journal);
        todo!()
    }
    /// What the exchange was built from.
    pub fn spec(&self) -> &ExchangeSpec {
        todo!()
    }
    /// Everything that happened.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
    /// Opens an account with nothing in it.
    pub fn open_account(&mut self, now: Timestamp) -> Result<AccountId, Rejection> {
        let _ = now;
        todo!()
    }
    /// Carries out one request: decides what happens, or refuses and changes nothing but the journal.
    /// Deadlines up to `now` are met first. Time never runs backwards: an earlier `now` counts as the latest one.
    pub fn apply(&mut self, now: Timestamp, account: AccountId, command: &Command) -> Outcome {
        let _ = (now, account, command);
        todo!()
    }
    /// As [`apply`](Self::apply), with the events appended to a list that the caller may use again.
    pub fn apply_into(
        &mut self,
        now: Timestamp,
        account: AccountId,
        command: &Command,
        events: &mut Vec<Event>,
    ) -> Result<crate::event::Reply, Rejection> {
        let _ = (now, account, command, events);
        todo!()
    }
    /// Whether an order would pass the symbol's rules and filters, as `order/test` asks: neither balances nor the
    /// book nor order counts are looked at.
    pub fn check(&self, now: Timestamp, account: AccountId, order: &NewOrder) -> Result<(), Rejection> {
        let _ = (now, account, order);
        todo!()
    }
    /// The operator changes a symbol's status, for good or until a moment at which TRADING comes back by itself.
    pub fn set_status(
        &mut self,
        now: Timestamp,
        symbol: SymbolId,
        status: SymbolStatus,
        until: Option<Timestamp>,
    ) -> Result<Vec<Event>, Rejection> {
        let _ = (now, symbol, status, until);
        todo!()
    }
    /// The next moment at which something happens by itself.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        todo!()
    }
    /// Lets happen what is due.
    pub fn on_time(&mut self, now: Timestamp) -> Vec<Event> {
        let _ = now;
        todo!()
    }
}
