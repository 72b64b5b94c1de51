//! The rows of one server in the database of a state folder.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use mcp_policy::{Note, Reservation};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::row::{self, Charged, Line, NoteRow, Unread, policy_of};
use crate::state_dir::{StateDir, StateError, signed, unsigned};

/// The connection, and whose rows.
#[derive(Debug)]
pub(super) struct Tables {
    connection: Connection,
    server: String,
}

impl Tables {
    pub(super) fn open(state: &StateDir, server: &str) -> Result<Self, StateError> {
        let connection = state.connect()?;
        // A file of the journal is taken away once what it holds is here, so that must be on the disk, whatever the journal
        // itself survives. It is once for hundreds of calls.
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(Self { connection, server: server.to_owned() })
    }

    /// The last number that was given to a call.
    pub(super) fn last_call(&self) -> Result<i64, StateError> {
        let sql = "SELECT coalesce(max(call), 0) FROM charges WHERE server = ?1";
        Ok(self.connection.query_row(sql, [&self.server], |row| row.get(0))?)
    }

    /// The number of the last line of the journal that is in the database; 0 if none is.
    pub(super) fn last_line(&self) -> Result<u64, StateError> {
        Ok(last_line(&self.connection, &self.server)?)
    }

    /// Every reservation under one policy that still counts at `now`, in the order in which they were made.
    pub(super) fn reserved(&self, under: Option<&str>, now: u64) -> Result<Vec<Reservation>, StateError> {
        let sql = "SELECT charges FROM charges WHERE server = ?1 AND until_ms > ?2 AND policy_of = ?3 ORDER BY call";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query(params![self.server, signed(now), policy_of(under)])?;
        let mut reserved = Vec::new();
        while let Some(row) = rows.next()? {
            let charges = row.get_ref(0)?.as_str().ok().and_then(row::reservations);
            let charges = charges.ok_or_else(|| StateError::Damaged("what a call was charged is none".to_owned()))?;
            reserved.extend(charges.into_iter().filter(|one| one.until_ms > now));
        }
        reserved.sort_by_key(|one| one.at_ms);
        Ok(reserved)
    }

    /// Every note under one policy.
    pub(super) fn notes(&self, under: Option<&str>) -> Result<Vec<Note>, StateError> {
        let sql = "SELECT kind, grant_name, key, value FROM notes WHERE server = ?1 AND policy_of = ?2";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map(params![self.server, policy_of(under)], |row| {
            let kind: String = row.get(0)?;
            Ok(row::note(&kind, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        rows.map(|note| note?.ok_or_else(|| StateError::Damaged("the kind of a note is none".to_owned()))).collect()
    }

    /// Brings lines of the journal in that follow those that are there, all of them or none. Those that are there already
    /// are passed over: a process may have died before it took their file away.
    ///
    /// # Errors
    /// They cannot be written, or there are some missing before them.
    pub(super) fn take_up(&mut self, mut lines: Vec<Line<'_, Unread<'_>>>) -> Result<(), StateError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let there = last_line(&transaction, &self.server)?;
        lines.retain(|line| line.n > there);
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(()) };
        if first.n != there + 1 {
            let gap = format!("the journal goes on at {}, and the database has come to {there}", first.n);
            return Err(StateError::Damaged(gap));
        }
        let last = last.n;
        Sum::of(lines).write(&transaction, &self.server)?;
        let sql = "INSERT INTO journals (server, taken_up) VALUES (?1, ?2) \
                   ON CONFLICT DO UPDATE SET taken_up = excluded.taken_up";
        transaction.prepare_cached(sql)?.execute(params![self.server, signed(last)])?;
        Ok(transaction.commit()?)
    }
}

fn last_line(connection: &Connection, server: &str) -> rusqlite::Result<u64> {
    let mut told = connection.prepare_cached("SELECT taken_up FROM journals WHERE server = ?1")?;
    Ok(told.query_row([server], |row| row.get(0)).optional()?.map_or(0, unsigned))
}

/// What many lines come to: of what was written twice, the last.
#[derive(Default)]
struct Sum<'a> {
    /// By call and policy.
    charged: BTreeMap<(i64, Cow<'a, str>), Charged<Unread<'a>>>,
    never_left: BTreeSet<i64>,
    /// By policy, kind, grant and key.
    notes: BTreeMap<[Cow<'a, str>; 4], Option<Cow<'a, str>>>,
}

impl<'a> Sum<'a> {
    fn of(lines: Vec<Line<'a, Unread<'a>>>) -> Self {
        let mut sum = Self::default();
        for job in lines.into_iter().flat_map(|line| line.jobs) {
            sum.never_left.extend(job.back);
            for holding in job.of {
                if let Some((call, charged)) = job.call.zip(holding.charged) {
                    sum.charged.insert((call, holding.under.clone()), charged);
                }
                for NoteRow(kind, grant, key, value) in holding.notes {
                    sum.notes.insert([holding.under.clone(), kind, grant, key], value);
                }
            }
        }
        sum
    }

    /// Writes it, and takes out what no longer counted when its first call left.
    fn write(self, transaction: &Transaction<'_>, server: &str) -> rusqlite::Result<()> {
        let first = self.charged.values().map(|Charged(since, ..)| *since).min();
        let mut insert = transaction.prepare_cached(
            "INSERT INTO charges (server, call, policy_of, until_ms, charges) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for ((call, under), Charged(_, until, charges)) in &self.charged {
            if !self.never_left.contains(call) {
                insert.execute(params![server, call, under, signed(*until), charges.get()])?;
            }
        }
        let mut delete = transaction.prepare_cached("DELETE FROM charges WHERE server = ?1 AND call = ?2")?;
        for call in &self.never_left {
            delete.execute(params![server, call])?;
        }
        let mut write = transaction.prepare_cached(
            "INSERT INTO notes (server, policy_of, kind, grant_name, key, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT DO UPDATE SET value = excluded.value",
        )?;
        let mut forget = transaction.prepare_cached(
            "DELETE FROM notes WHERE server = ?1 AND policy_of = ?2 AND kind = ?3 AND grant_name = ?4 AND key = ?5",
        )?;
        for ([under, kind, grant, key], value) in &self.notes {
            match value {
                Some(value) => write.execute(params![server, under, kind, grant, key, value])?,
                None => forget.execute(params![server, under, kind, grant, key])?,
            };
        }
        if let Some(first) = first {
            let mut tidy = transaction.prepare_cached("DELETE FROM charges WHERE server = ?1 AND until_ms <= ?2")?;
            tidy.execute(params![server, signed(first)])?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    impl Tables {
        pub(crate) fn count(&self, table: &str) -> i64 {
            self.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        }
    }
}
