//! Requests for approval, in a file that people reach and agents do not.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use super::{Approval, ApprovalState, Asked, NotOpen};
use crate::state_dir::{StateDir, StateError, signed, unsigned};

/// A change of a request's state, for the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApprovalChange {
    pub(crate) number: i64,
    /// The request.
    pub id: String,
    /// What it became.
    pub state: ApprovalState,
    /// When.
    pub at_ms: u64,
    /// Who decided, by their own word.
    pub by: String,
    /// What they had to say.
    pub note: String,
}

/// Why a request was not decided.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// The store failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no such request.
    #[error("there is no approval `{0}`: `mcp-gateway approvals list` shows those there are")]
    Unknown(String),
    /// The audit takes no line.
    #[error("the change of an approval cannot be put on record")]
    NotRecorded,
    /// It was decided before, or its time has run out.
    #[error(transparent)]
    NotOpen(#[from] NotOpen),
}

impl From<rusqlite::Error> for ApprovalError {
    fn from(error: rusqlite::Error) -> Self {
        Self::State(error.into())
    }
}

/// All requests of a state folder. Several processes may hold one; each change is one transaction.
#[derive(Debug)]
pub struct ApprovalBook {
    connection: Connection,
}

const COLUMNS: &str = "id, server, grant_name, tool, arguments, policy, rule, message, state, asked_ms, expires_ms, \
                       times, decided_by, note";

impl ApprovalBook {
    /// Opens the book of a folder.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn open(state: &StateDir) -> Result<Self, StateError> {
        Ok(Self { connection: state.connect()? })
    }

    /// The newest request with this fingerprint.
    pub(crate) fn newest(&self, fingerprint: &str) -> Result<Option<Approval>, StateError> {
        let sql = format!("SELECT {COLUMNS} FROM approvals WHERE fingerprint = ?1 ORDER BY number DESC LIMIT 1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_row([fingerprint], |row| Ok(read(row))).optional()?.transpose()
    }

    /// Asks for a call that nothing speaks of, or that of which something does already.
    pub(crate) fn ask(&mut self, asked: Asked, now: u64, window_ms: u64) -> Result<Approval, StateError> {
        let fingerprint = asked.fingerprint();
        let transaction = begin(&mut self.connection)?;
        let sql = "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'approvals'";
        let number: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
        // A number that no other has, and a word of what it is for, against a slip of the finger.
        let id = format!("{number}-{}", fingerprint.get(..6).unwrap_or_default());
        let approval = Approval::new(id, asked, now, window_ms);
        let a = &approval.asked;
        transaction.execute(
            "INSERT INTO approvals (id, fingerprint, server, grant_name, tool, arguments, policy, rule, message, state, \
             asked_ms, expires_ms, times, decided_by, note) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, '', '')",
            params![
                approval.id,
                fingerprint,
                a.server,
                a.grant,
                a.tool,
                a.arguments,
                a.policy,
                a.rule,
                a.message,
                approval.state.name(),
                signed(approval.asked_ms),
                signed(approval.expires_ms),
                signed(approval.times),
            ],
        )?;
        change(&transaction, &approval, now)?;
        transaction.commit()?;
        Ok(approval)
    }

    /// Notes that an equal call has met a request again.
    pub(crate) fn met(&mut self, id: &str) -> Result<(), StateError> {
        self.connection.execute("UPDATE approvals SET times = times + 1 WHERE id = ?1", [id])?;
        Ok(())
    }

    /// Lets the call pass that a person has approved.
    pub(crate) fn consume(&mut self, id: &str, now: u64) -> Result<(), ApprovalError> {
        self.transit(id, now, |approval| approval.consume(now)).map(drop)
    }

    /// A person lets a call through, once, within `window_ms` from now.
    ///
    /// # Errors
    /// There is no such pending request, or the store failed.
    pub fn approve(
        &mut self,
        id: &str,
        now: u64,
        window_ms: u64,
        by: &str,
        note: &str,
    ) -> Result<Approval, ApprovalError> {
        self.transit(id, now, |approval| approval.approve(now, window_ms, by, note))
    }

    /// A person does not let a call through.
    ///
    /// # Errors
    /// There is no such pending request, or the store failed.
    pub fn deny(&mut self, id: &str, now: u64, by: &str, note: &str) -> Result<Approval, ApprovalError> {
        self.transit(id, now, |approval| approval.deny(now, by, note))
    }

    fn transit(
        &mut self,
        id: &str,
        now: u64,
        transition: impl FnOnce(&mut Approval) -> Result<(), NotOpen>,
    ) -> Result<Approval, ApprovalError> {
        let transaction = begin(&mut self.connection)?;
        let mut approval = by_id(&transaction, id)?.ok_or_else(|| ApprovalError::Unknown(id.to_owned()))?;
        transition(&mut approval)?;
        write(&transaction, &approval)?;
        change(&transaction, &approval, now)?;
        transaction.commit().map_err(StateError::from)?;
        Ok(approval)
    }

    /// Notes which requests have run out of time, so that the audit has it.
    pub(crate) fn expire(&mut self, now: u64) -> Result<(), StateError> {
        let sql =
            format!("SELECT {COLUMNS} FROM approvals WHERE state IN ('pending', 'approved') AND expires_ms <= ?1");
        let due = |connection: &Connection| -> Result<Vec<Approval>, StateError> {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([signed(now)], |row| Ok(read(row)))?;
            rows.map(|row| row?).collect()
        };
        if due(&self.connection)?.is_empty() {
            return Ok(());
        }
        let transaction = begin(&mut self.connection)?;
        for mut approval in due(&transaction)? {
            if approval.expire(now) {
                write(&transaction, &approval)?;
                change(&transaction, &approval, now)?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// All requests, the newest first, with what they are now.
    ///
    /// # Errors
    /// The store failed.
    pub fn list(&self, now: u64) -> Result<Vec<(Approval, ApprovalState)>, StateError> {
        let sql = format!("SELECT {COLUMNS} FROM approvals ORDER BY number DESC");
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map([], |row| Ok(read(row)))?;
        rows.map(|row| {
            let approval = row??;
            let state = approval.state_at(now);
            Ok((approval, state))
        })
        .collect()
    }

    /// The changes of requests to `server` that no audit has taken yet, in their order.
    pub(crate) fn untold(&self, server: &str) -> Result<Vec<ApprovalChange>, StateError> {
        let sql = "SELECT number, id, state, at_ms, decided_by, note FROM approval_changes \
                   WHERE told = 0 AND server = ?1 ORDER BY number";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([server], |row| {
            let (number, id, state): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (at_ms, by, note): (i64, String, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
            Ok((number, id, state, at_ms, by, note))
        })?;
        rows.map(|row| {
            let (number, id, state, at_ms, by, note) = row?;
            let state = ApprovalState::named(&state)
                .ok_or_else(|| StateError::Damaged("an approval's state is none".to_owned()))?;
            Ok(ApprovalChange { number, id, state, at_ms: unsigned(at_ms), by, note })
        })
        .collect()
    }

    /// The audit has taken a change.
    pub(crate) fn told(&mut self, number: i64) -> Result<(), StateError> {
        self.connection.execute("UPDATE approval_changes SET told = 1 WHERE number = ?1", [number])?;
        Ok(())
    }
}

/// A transaction that no other writer can come into.
fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn by_id(connection: &Connection, id: &str) -> Result<Option<Approval>, StateError> {
    let sql = format!("SELECT {COLUMNS} FROM approvals WHERE id = ?1");
    connection.query_row(&sql, [id], |row| Ok(read(row))).optional()?.transpose()
}

fn write(connection: &Connection, approval: &Approval) -> Result<(), StateError> {
    connection.execute(
        "UPDATE approvals SET state = ?2, expires_ms = ?3, decided_by = ?4, note = ?5 WHERE id = ?1",
        params![approval.id, approval.state.name(), signed(approval.expires_ms), approval.by, approval.note],
    )?;
    Ok(())
}

fn change(connection: &Connection, approval: &Approval, now: u64) -> Result<(), StateError> {
    connection.execute(
        "INSERT INTO approval_changes (id, server, state, at_ms, decided_by, note, told) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
        params![approval.id, approval.asked.server, approval.state.name(), signed(now), approval.by, approval.note],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Approval, StateError> {
    let state: String = row.get("state")?;
    let number = |column: &str| row.get(column).map(unsigned);
    Ok(Approval {
        id: row.get("id")?,
        asked: Asked {
            server: row.get("server")?,
            grant: row.get("grant_name")?,
            tool: row.get("tool")?,
            arguments: row.get("arguments")?,
            policy: row.get("policy")?,
            rule: row.get("rule")?,
            message: row.get("message")?,
        },
        state: ApprovalState::named(&state)
            .ok_or_else(|| StateError::Damaged("an approval's state is none".to_owned()))?,
        asked_ms: number("asked_ms")?,
        expires_ms: number("expires_ms")?,
        times: number("times")?,
        by: row.get("decided_by")?,
        note: row.get("note")?,
    })
}
