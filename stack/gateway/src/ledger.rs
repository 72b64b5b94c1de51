//! Reservations on disk: what calls were charged is there before they leave, and is counted again after a restart.

use mcp_policy::{Guard, Reservation, Timestamp};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::state_dir::{StateDir, StateError, signed, unsigned};

/// After how many reservations those that no longer count are taken out.
const TIDIED_EVERY: u32 = 1024;

/// What calls of one server were charged, in the file of a state folder.
#[derive(Debug)]
pub struct Ledger {
    connection: Connection,
    server: String,
    until_tidy: u32,
    /// Held as long as the ledger is open.
    _lock: std::fs::File,
}

/// What a call was charged, as the ledger knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry(i64);

impl Ledger {
    /// Opens the ledger of `server` in a folder.
    ///
    /// # Errors
    /// It cannot be read or written, or another gateway has it open: each would count for itself, and together they
    /// would let more through than the limits say.
    pub fn open(state: &StateDir, server: &str) -> Result<Self, StateError> {
        let lock = state.lock(server)?;
        Ok(Self { connection: state.connect()?, server: server.to_owned(), until_tidy: TIDIED_EVERY, _lock: lock })
    }

    /// Everything that still counts at `now`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn reserved(&self, now: u64) -> Result<Vec<Reservation>, StateError> {
        let sql = "SELECT counter, grant_name, session, part, at_ms, amount, until_ms FROM reservations \
                   WHERE server = ?1 AND until_ms > ?2 ORDER BY at_ms, call";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map(params![self.server, signed(now)], |row| {
            let part: Option<Vec<u8>> = row.get(3)?;
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, part, row.get(4)?, row.get(5)?, row.get(6)?))
        })?;
        rows.map(|row| {
            let (counter, grant, session, part, at_ms, amount, until_ms) = row?;
            let part = part.map(<[u8; 32]>::try_from).transpose();
            let part = part.map_err(|_| StateError::Damaged("a digest has the wrong length"))?;
            let (at_ms, amount, until_ms) = (unsigned(at_ms), bits_back(amount), unsigned(until_ms));
            Ok(Reservation { counter, grant, session, part, at_ms, amount, until_ms })
        })
        .collect()
    }

    /// Counts everything that still counts at `now` in a guard that has judged nothing yet. How many charges are of
    /// counters that its policy does not have.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn refill(&self, guard: &mut Guard, now: u64) -> Result<usize, StateError> {
        Ok(guard.restore(self.reserved(now)?, Timestamp::from_millis(now)))
    }

    /// Writes what one call was charged, in one transaction. It is on disk when this returns.
    pub(crate) fn reserve(&mut self, reservations: &[Reservation]) -> Result<Option<Entry>, StateError> {
        let Some(first) = reservations.first() else { return Ok(None) };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let call = {
            let mut next = transaction.prepare_cached("SELECT coalesce(max(call), 0) + 1 FROM reservations")?;
            let call: i64 = next.query_row([], |row| row.get(0))?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO reservations (call, server, counter, grant_name, session, part, at_ms, amount, until_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            for r in reservations {
                let part = r.part.as_ref().map(<[u8; 32]>::as_slice);
                let (at, until) = (signed(r.at_ms), signed(r.until_ms));
                insert.execute(params![
                    call,
                    self.server,
                    r.counter,
                    r.grant,
                    r.session,
                    part,
                    at,
                    bits(r.amount),
                    until
                ])?;
            }
            self.until_tidy = self.until_tidy.saturating_sub(1);
            if self.until_tidy == 0 {
                self.until_tidy = TIDIED_EVERY;
                // The row with the greatest number stays, so that no number is given twice while its call may be refunded.
                transaction.execute(
                    "DELETE FROM reservations WHERE until_ms <= ?1 AND call < ?2",
                    params![signed(first.at_ms), call],
                )?;
            }
            call
        };
        transaction.commit()?;
        Ok(Some(Entry(call)))
    }

    /// Takes back what a call was charged that never left.
    pub(crate) fn give_back(&mut self, entry: Entry) -> Result<(), StateError> {
        self.connection.prepare_cached("DELETE FROM reservations WHERE call = ?1")?.execute([entry.0])?;
        Ok(())
    }
}

/// Amounts use all bits of a number; the file has them as a number with a sign.
fn bits(amount: u64) -> i64 {
    i64::from_ne_bytes(amount.to_ne_bytes())
}

fn bits_back(amount: i64) -> u64 {
    u64::from_ne_bytes(amount.to_ne_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_dir::Durability;

    fn reservation(at_ms: u64, amount: u64) -> Reservation {
        let (grant, session) = (Some("desk".to_owned()), None);
        Reservation {
            counter: "c".to_owned(),
            grant,
            session,
            part: Some([7; 32]),
            at_ms,
            amount,
            until_ms: at_ms + 1000,
        }
    }

    #[test]
    fn what_was_reserved_is_there_for_the_next_process_until_it_no_longer_counts() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        let (one, two) = (reservation(1, u64::MAX), reservation(500, 1));
        let first = ledger.reserve(std::slice::from_ref(&one)).unwrap().unwrap();
        ledger.reserve(&[two.clone(), two.clone()]).unwrap().unwrap();
        assert_eq!(ledger.reserve(&[]).unwrap(), None);
        assert!(matches!(Ledger::open(&state, "binance"), Err(StateError::InUse { .. })));
        drop(ledger);
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        assert_eq!(ledger.reserved(1000).unwrap(), [one, two.clone(), two.clone()]);
        assert_eq!(ledger.reserved(1001).unwrap(), [two.clone(), two]);
        assert!(Ledger::open(&state, "other").unwrap().reserved(0).unwrap().is_empty());
        ledger.give_back(first).unwrap();
        assert_eq!(ledger.reserved(0).unwrap().len(), 2);
    }

    #[test]
    fn what_no_longer_counts_is_taken_out() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        for at in 0..3000 {
            ledger.reserve(&[reservation(at, 1)]).unwrap();
        }
        let rows: i64 = ledger.connection.query_row("SELECT count(*) FROM reservations", [], |row| row.get(0)).unwrap();
        assert!(rows < 2100, "{rows}");
        assert_eq!(ledger.reserved(2999).unwrap().len(), 1000);
    }
}
