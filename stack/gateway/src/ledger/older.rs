//! What builds before version 5 of the state have left: a row for each reservation, where a call has one for all now.

use std::collections::BTreeMap;

use mcp_policy::Reservation;
use rusqlite::{Transaction, params};

use super::row;
use crate::state_dir::{StateError, signed, unsigned};

/// Makes rows of calls of rows of reservations, and takes those away.
pub(crate) fn carry_over(change: &Transaction<'_>) -> Result<(), StateError> {
    let mut calls: BTreeMap<(String, i64, String), Vec<Reservation>> = BTreeMap::new();
    let sql = "SELECT server, call, policy_of, counter, grant_name, session, part, at_ms, amount, until_ms \
               FROM reservations ORDER BY rowid";
    let mut statement = change.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let part: Option<Vec<u8>> = row.get(6)?;
        let part = part.map(<[u8; 32]>::try_from).transpose();
        let reservation = Reservation {
            counter: row.get(3)?,
            grant: row.get(4)?,
            session: row.get(5)?,
            part: part.map_err(|_| StateError::Damaged("a digest has the wrong length".to_owned()))?,
            at_ms: unsigned(row.get(7)?),
            // They used all bits of a number; the file had them as a number with a sign.
            amount: u64::from_ne_bytes(row.get::<_, i64>(8)?.to_ne_bytes()),
            until_ms: unsigned(row.get(9)?),
        };
        calls.entry((row.get(0)?, row.get(1)?, row.get(2)?)).or_default().push(reservation);
    }
    drop(rows);
    drop(statement);
    for ((server, call, policy_of), reservations) in calls {
        let until = reservations.iter().map(|one| one.until_ms).max().unwrap_or_default();
        let sql = "INSERT INTO charges (server, call, policy_of, until_ms, charges) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![server, call, policy_of, signed(until), row::charges(&reservations)];
        change.prepare_cached(sql)?.execute(values)?;
    }
    Ok(change.execute_batch("DROP TABLE reservations")?)
}
