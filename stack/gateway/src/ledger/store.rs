//! The rows of one server in the file of a state folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use mcp_policy::{Note, NoteKey, NoteKind, Reservation};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::state_dir::{Durability, StateDir, StateError, signed, unsigned};

/// After how many reservations those that no longer count are taken out.
const TIDIED_EVERY: u32 = 1024;

/// What is written in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Job {
    /// A call is about to leave.
    Leaves { call: i64, holdings: Vec<Holding> },
    /// Something was learnt; if of a call that never left, what that was charged is taken out.
    Learnt { never_left: Option<i64>, holdings: Vec<Holding> },
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

/// As the file names a policy.
fn policy_of(under: Option<&str>) -> &str {
    under.unwrap_or_default()
}

/// The connection, and what could not be written yet.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    server: String,
    durability: Durability,
    /// Whether commits wait for the disk at present.
    waits: bool,
    until_tidy: u32,
    /// Notes that are not in the file, as in a moment in which the disk was full: they go with the next that are. Each
    /// says all that is known of its thing, so that there is never more than one of each.
    unsaved: BTreeMap<(Option<Arc<str>>, NoteKey), Option<String>>,
}

impl Store {
    pub(super) fn open(state: &StateDir, server: &str) -> Result<Self, StateError> {
        Ok(Self {
            connection: state.connect()?,
            server: server.to_owned(),
            durability: state.durability(),
            waits: state.durability() == Durability::Power,
            until_tidy: TIDIED_EVERY,
            unsaved: BTreeMap::new(),
        })
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Whether there is something that could not be written yet.
    pub(super) fn is_behind(&self) -> bool {
        !self.unsaved.is_empty()
    }

    /// The last number that was given to a call.
    pub(super) fn last_call(&self) -> Result<i64, StateError> {
        let sql = "SELECT coalesce(max(call), 0) FROM reservations WHERE server = ?1";
        Ok(self.connection.query_row(sql, [&self.server], |row| row.get(0))?)
    }

    /// Every reservation under one policy that still counts at `now`.
    pub(super) fn reserved(&self, under: Option<&str>, now: u64) -> Result<Vec<Reservation>, StateError> {
        let sql = "SELECT counter, grant_name, session, part, at_ms, amount, until_ms FROM reservations \
                   WHERE server = ?1 AND until_ms > ?2 AND policy_of = ?3 ORDER BY at_ms, call";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map(params![self.server, signed(now), policy_of(under)], |row| {
            let part: Option<Vec<u8>> = row.get(3)?;
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, part, row.get(4)?, row.get(5)?, row.get(6)?))
        })?;
        rows.map(|row| {
            let (counter, grant, session, part, at_ms, amount, until_ms) = row?;
            let part = part.map(<[u8; 32]>::try_from).transpose();
            let part = part.map_err(|_| StateError::Damaged("a digest has the wrong length".to_owned()))?;
            let (at_ms, amount, until_ms) = (unsigned(at_ms), bits_back(amount), unsigned(until_ms));
            Ok(Reservation { counter, grant, session, part, at_ms, amount, until_ms })
        })
        .collect()
    }

    /// Every note under one policy.
    pub(super) fn notes(&self, under: Option<&str>) -> Result<Vec<Note>, StateError> {
        let sql = "SELECT kind, grant_name, key, value FROM notes WHERE server = ?1 AND policy_of = ?2";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map(params![self.server, policy_of(under)], |row| {
            let kind: String = row.get(0)?;
            Ok((kind, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        rows.map(|row| {
            let (kind, grant, key, value) = row?;
            let kind = NoteKind::named(&kind);
            let kind = kind.ok_or_else(|| StateError::Damaged("the kind of a note is none".to_owned()))?;
            Ok(Note { about: NoteKey { kind, grant, key }, value: Some(value) })
        })
        .collect()
    }

    /// Writes all of `jobs` in one transaction, or nothing of them. Of calls that are about to leave all is on disk when
    /// this returns; what was learnt reaches the disk with the next of those, and the file at once.
    pub(super) fn commit(&mut self, jobs: Vec<Job>) -> Result<(), StateError> {
        let leaves = jobs.iter().any(|job| matches!(job, Job::Leaves { .. }));
        let mut reserved = Vec::new();
        let mut never_left = Vec::new();
        for job in jobs {
            let holdings = match job {
                Job::Leaves { call, holdings } => {
                    let mut kept = Vec::with_capacity(holdings.len());
                    for Holding { under, reservations, notes } in holdings {
                        self.unsaved.extend(notes.into_iter().map(|note| ((under.clone(), note.about), note.value)));
                        kept.extend((!reservations.is_empty()).then_some((under, reservations)));
                    }
                    reserved.push((call, kept));
                    continue;
                }
                Job::Learnt { never_left: call, holdings } => {
                    never_left.extend(call);
                    holdings
                }
            };
            for Holding { under, notes, .. } in holdings {
                self.unsaved.extend(notes.into_iter().map(|note| ((under.clone(), note.about), note.value)));
            }
        }
        if reserved.iter().all(|(_, kept)| kept.is_empty()) && never_left.is_empty() && self.unsaved.is_empty() {
            return Ok(());
        }
        self.wait_for_the_disk(leaves)?;
        let tidies = u32::try_from(reserved.len()).map_or(true, |calls| calls >= self.until_tidy);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (call, kept) in &reserved {
            for (under, reservations) in kept {
                insert(&transaction, &self.server, policy_of(under.as_deref()), *call, reservations)?;
            }
        }
        for call in never_left {
            let mut delete = transaction.prepare_cached("DELETE FROM reservations WHERE call = ?1 AND server = ?2")?;
            delete.execute(params![call, self.server])?;
        }
        for ((under, about), value) in &self.unsaved {
            write(&transaction, &self.server, policy_of(under.as_deref()), about, value.as_deref())?;
        }
        if tidies {
            let all = reserved.iter().flat_map(|(_, kept)| kept).flat_map(|(_, reservations)| reservations);
            let now = all.map(|one| one.at_ms).min();
            let mut tidy =
                transaction.prepare_cached("DELETE FROM reservations WHERE until_ms <= ?1 AND server = ?2")?;
            tidy.execute(params![signed(now.unwrap_or_default()), self.server])?;
        }
        transaction.commit()?;
        self.unsaved.clear();
        let calls = u32::try_from(reserved.len()).unwrap_or(u32::MAX);
        self.until_tidy = if tidies { TIDIED_EVERY } else { self.until_tidy.saturating_sub(calls) };
        Ok(())
    }

    /// Lets the next commit wait for the disk or not. One that waits brings all before it to the disk as well.
    fn wait_for_the_disk(&mut self, waits: bool) -> Result<(), StateError> {
        let waits = waits && self.durability == Durability::Power;
        if waits != self.waits {
            self.connection.pragma_update(None, "synchronous", if waits { "FULL" } else { "NORMAL" })?;
            self.waits = waits;
        }
        Ok(())
    }
}

fn insert(
    transaction: &Transaction<'_>,
    server: &str,
    policy_of: &str,
    call: i64,
    reservations: &[Reservation],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO reservations (call, server, counter, grant_name, session, part, at_ms, amount, until_ms, \
         policy_of) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for r in reservations {
        let part = r.part.as_ref().map(<[u8; 32]>::as_slice);
        let (at, amount, until) = (signed(r.at_ms), bits(r.amount), signed(r.until_ms));
        insert.execute(params![call, server, r.counter, r.grant, r.session, part, at, amount, until, policy_of])?;
    }
    Ok(())
}

fn write(
    transaction: &Transaction<'_>,
    server: &str,
    policy_of: &str,
    about: &NoteKey,
    value: Option<&str>,
) -> rusqlite::Result<()> {
    let (kind, grant, key) = (about.kind.name(), &about.grant, &about.key);
    if let Some(value) = value {
        let sql = "INSERT INTO notes (server, policy_of, kind, grant_name, key, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                   ON CONFLICT DO UPDATE SET value = excluded.value";
        transaction.prepare_cached(sql)?.execute(params![server, policy_of, kind, grant, key, value])?;
    } else {
        let sql =
            "DELETE FROM notes WHERE server = ?1 AND policy_of = ?2 AND kind = ?3 AND grant_name = ?4 AND key = ?5";
        transaction.prepare_cached(sql)?.execute(params![server, policy_of, kind, grant, key])?;
    }
    Ok(())
}

/// Amounts use all bits of a number; the file has them as a number with a sign.
fn bits(amount: u64) -> i64 {
    i64::from_ne_bytes(amount.to_ne_bytes())
}

fn bits_back(amount: i64) -> u64 {
    u64::from_ne_bytes(amount.to_ne_bytes())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    impl Store {
        pub(crate) fn count(&self, table: &str) -> i64 {
            self.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        }
    }
}
