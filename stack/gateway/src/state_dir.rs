//! The folder in which a gateway keeps what outlives it: an `SQLite` file that one user can read.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use sha2::{Digest as _, Sha256};

use crate::ledger::carry_over;

/// How long one process waits for another that is writing.
const BUSY: Duration = Duration::from_secs(5);

/// After how many pages the log of `SQLite` is brought into its file: 40 MB.
const WAL_PAGES: i64 = 10_000;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS approvals (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        fingerprint TEXT NOT NULL,
        server TEXT NOT NULL, grant_name TEXT NOT NULL, tool TEXT NOT NULL, arguments TEXT NOT NULL,
        policy TEXT NOT NULL, rule TEXT NOT NULL, message TEXT NOT NULL,
        state TEXT NOT NULL, asked_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, times INTEGER NOT NULL,
        decided_by TEXT NOT NULL, note TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS approvals_by_fingerprint ON approvals (fingerprint, number);
    CREATE TABLE IF NOT EXISTS approval_changes (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL, server TEXT NOT NULL, state TEXT NOT NULL, at_ms INTEGER NOT NULL,
        decided_by TEXT NOT NULL, note TEXT NOT NULL, told INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS untold_changes ON approval_changes (server, number) WHERE told = 0;
    CREATE TABLE IF NOT EXISTS reservations (
        call INTEGER NOT NULL, server TEXT NOT NULL,
        counter TEXT NOT NULL, grant_name TEXT, session TEXT, part BLOB,
        at_ms INTEGER NOT NULL, amount INTEGER NOT NULL, until_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS reservations_by_call ON reservations (call);
    CREATE INDEX IF NOT EXISTS reservations_by_end ON reservations (until_ms);
";
/// What version 2 has beside version 1.
const SCHEMA_2: &str = "
    CREATE TABLE IF NOT EXISTS grants (
        name TEXT PRIMARY KEY, digest BLOB NOT NULL UNIQUE,
        made_ms INTEGER NOT NULL, expires_ms INTEGER, revoked_ms INTEGER
    ) STRICT;
";
/// What version 3 has beside version 2.
const SCHEMA_3: &str = "
    CREATE TABLE IF NOT EXISTS notes (
        server TEXT NOT NULL, kind TEXT NOT NULL, grant_name TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (server, kind, grant_name, key)
    ) STRICT, WITHOUT ROWID;
";
/// What version 4 has beside version 3: grants with a policy of their own, and by whose policy something is counted or
/// remembered; `''` is the server's.
const SCHEMA_4: &str = "
    ALTER TABLE grants ADD COLUMN policy TEXT;
    ALTER TABLE reservations ADD COLUMN policy_of TEXT NOT NULL DEFAULT '';
    CREATE TABLE notes_4 (
        server TEXT NOT NULL, policy_of TEXT NOT NULL, kind TEXT NOT NULL, grant_name TEXT NOT NULL, key TEXT NOT NULL,
        value TEXT NOT NULL, PRIMARY KEY (server, policy_of, kind, grant_name, key)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO notes_4 SELECT server, '', kind, grant_name, key, value FROM notes;
    DROP TABLE notes;
    ALTER TABLE notes_4 RENAME TO notes;
";
/// What version 5 has beside version 4: a row for all that a call was charged, and how far each server's journal has been
/// taken up.
const SCHEMA_5: &str = "
    CREATE TABLE charges (
        server TEXT NOT NULL, call INTEGER NOT NULL, policy_of TEXT NOT NULL, until_ms INTEGER NOT NULL,
        charges TEXT NOT NULL, PRIMARY KEY (server, call, policy_of)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX charges_by_end ON charges (server, until_ms);
    CREATE TABLE journals (server TEXT PRIMARY KEY, taken_up INTEGER NOT NULL) STRICT;
";
/// What makes a version of the one before.
const STEPS: [&str; 5] = [SCHEMA, SCHEMA_2, SCHEMA_3, SCHEMA_4, SCHEMA_5];
const VERSION: i64 = 5;

/// Why what outlives a gateway cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder cannot be made or looked at.
    #[error("cannot use the state folder `{}`: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file in it cannot be read or written.
    #[error("cannot read or write the state's file `{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is damaged, full, locked or no `SQLite` file.
    #[error("the state cannot be read or written: {0}")]
    Store(#[from] rusqlite::Error),
    /// Another gateway for the same server uses the folder.
    #[error("another gateway in front of `{server}` uses this state: give each a folder of its own, or use the other")]
    InUse {
        /// The server.
        server: String,
    },
    /// Another build wrote the file.
    #[error("the state is of version {found}, and this build reads {VERSION}: use the build that wrote it")]
    Version {
        /// Its version.
        found: i64,
    },
    /// Whoever writes says that it was not written.
    #[error("the state is not written: {0}")]
    NotWritten(String),
    /// What stands in the file cannot be.
    #[error("the state is damaged: {0}")]
    Damaged(String),
}

impl StateError {
    /// What the system said of a file.
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

/// How much a record on disk survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The loss of power: each commit waits for the disk.
    #[default]
    Power,
    /// The death of the process, by whatever signal. Faster by far; the last commits may be lost with the power.
    Process,
}

/// The folder of what outlives a gateway.
#[derive(Debug, Clone)]
pub struct StateDir {
    file: PathBuf,
    durability: Durability,
}

impl StateDir {
    /// The folder at `path`, made if it is not there; only its owner can look into it.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(path: &Path, durability: Durability) -> Result<Self, StateError> {
        let failed = |source| StateError::Folder { path: path.to_owned(), source };
        if !path.is_dir() {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(path).map_err(failed)?;
        }
        let file = path.join("state.db");
        // SQLite would make it readable by whomever the umask allows; its journals take the mode of the file.
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&file).map_err(failed)?;
        Ok(Self { file, durability })
    }

    /// What its records survive.
    pub(crate) fn durability(&self) -> Durability {
        self.durability
    }

    /// A file of `server` alone. Whatever its name is, it is one of a file.
    pub(crate) fn beside(&self, server: &str, ending: &str) -> PathBuf {
        let name = hex::encode(Sha256::digest(server));
        self.file.with_file_name(format!("{}{ending}", name.get(..16).unwrap_or_default()))
    }

    /// Makes the caller the only one in front of `server`, as long as the file is open.
    pub(crate) fn lock(&self, server: &str) -> Result<std::fs::File, StateError> {
        let path = self.beside(server, ".lock");
        let failed = |source| StateError::file(&path, source);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(StateError::InUse { server: server.to_owned() }),
            Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// The secret under which what must not be kept is digested. It is made once, in a file of its own: whoever has a copy
    /// of the state alone cannot try values out.
    pub(crate) fn digest_key(&self) -> Result<[u8; 32], StateError> {
        let path = self.file.with_file_name("digest.key");
        let failed = |source| StateError::Folder { path: path.clone(), source };
        if !path.try_exists().map_err(failed)? {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| failed(io::Error::other(error.to_string())))?;
            // Whole or not at all, and the first of several processes decides.
            let draft = path.with_extension(format!("{}.draft", std::process::id()));
            let mut options = std::fs::OpenOptions::new();
            options.create(true).truncate(true).write(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&draft).map_err(failed)?;
            file.write_all(&key).and_then(|()| file.sync_all()).map_err(failed)?;
            match std::fs::hard_link(&draft, &path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
                _ => std::fs::remove_file(&draft).map_err(failed)?,
            }
        }
        let key = std::fs::read(&path).map_err(failed)?;
        <[u8; 32]>::try_from(key).map_err(|_| StateError::Damaged("`digest.key` has the wrong length".to_owned()))
    }

    /// A connection to the state, which is made if it is empty.
    pub(crate) fn connect(&self) -> Result<Connection, StateError> {
        let mut connection = Connection::open(&self.file)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Each page is copied out of the log, and the file waited for, a tenth as often as by default.
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
        let synchronous = match self.durability {
            Durability::Power => "FULL",
            Durability::Process => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        match version(&connection)? {
            0..VERSION => bring_up_to_date(&mut connection)?,
            VERSION => {}
            found => return Err(StateError::Version { found }),
        }
        Ok(connection)
    }
}

fn version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Makes an empty file, or one of an older build, one of this build.
fn bring_up_to_date(connection: &mut Connection) -> Result<(), StateError> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it meanwhile.
    for (step, to) in STEPS.iter().zip(1_i64..).skip(usize::try_from(version(&change)?).unwrap_or_default()) {
        change.execute_batch(step)?;
        if to == 5 {
            carry_over(&change)?;
        }
        change.pragma_update(None, "user_version", to)?;
    }
    Ok(change.commit()?)
}

/// Integers in the file have a sign. Times and numbers of rows never need the last bit, and are cut off there.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The other way round; nothing negative was ever written.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ledger;

    #[test]
    fn the_file_is_its_owners_and_of_one_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let state = StateDir::new(&path, Durability::Power).unwrap();
        let connection = state.connect().unwrap();
        state.connect().unwrap();
        #[cfg(unix)]
        for (path, mode) in [(path.clone(), 0o700), (path.join("state.db"), 0o600), (path.join("state.db-wal"), 0o600)]
        {
            let found = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
            assert_eq!(found & 0o777, mode, "{}", path.display());
        }
        // A file of an older version becomes one of this one, and keeps what it has.
        for n in 0..STEPS.len() - 1 {
            let schema: String = STEPS[..=n].concat();
            let path = folder.path().join(format!("older-{n}"));
            let state = StateDir::new(&path, Durability::Power).unwrap();
            let file = Connection::open(path.join("state.db")).unwrap();
            file.execute_batch(&format!("{schema} PRAGMA user_version = {};", n + 1)).unwrap();
            let insert = |what: &str| assert_eq!(file.execute(&format!("INSERT INTO {what}"), []), Ok(1), "{what}");
            for counter in ["c", "d"] {
                insert(&format!(
                    "reservations (call, server, counter, at_ms, amount, until_ms) VALUES (7, 's', '{counter}', 1, -1, 2)"
                ));
            }
            if n > 0 {
                insert("grants (name, digest, made_ms) VALUES ('desk', x'00', 1)");
            }
            if n > 1 {
                let (column, value) = if n > 2 { ("policy_of, ", "'', ") } else { ("", "") };
                insert(&format!(
                    "notes ({column}server, kind, grant_name, key, value) VALUES ({value}'s', 'order', 'desk', 'k', '{{}}')"
                ));
            }
            let counted = Ledger::open(&state, "s").unwrap().reserved(1).unwrap();
            let counted: Vec<_> = counted.iter().map(|one| (one.counter.as_str(), one.at_ms, one.amount)).collect();
            assert_eq!(counted, [("c", 1, u64::MAX), ("d", 1, u64::MAX)], "version {}", n + 1);
            let upgraded = state.connect().unwrap();
            let told = |sql: &str| upgraded.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!(told("SELECT count(*) FROM grants WHERE policy IS NULL"), i64::from(n > 0));
            assert_eq!(told("SELECT count(*) FROM notes WHERE policy_of = '' AND key = 'k'"), i64::from(n > 1));
            assert_eq!(version(&upgraded), Ok(VERSION));
            state.connect().unwrap();
        }
        connection.pragma_update(None, "user_version", 7).unwrap();
        assert!(matches!(state.connect(), Err(StateError::Version { found: 7 })));
        drop(connection);
        let key = state.digest_key().unwrap();
        assert!(key != [0; 32] && state.digest_key().unwrap() == key);
        assert_eq!(
            std::fs::read_dir(&path).unwrap().filter(|entry| entry.as_ref().unwrap().path().ends_with("draft")).count(),
            0
        );
        std::fs::write(path.join("digest.key"), "short").unwrap();
        assert!(matches!(state.digest_key(), Err(StateError::Damaged(_))));
        std::fs::write(path.join("state.db"), "no database, but longer than the header of one, so that it is read")
            .unwrap();
        assert!(state.connect().is_err());
        assert!(StateDir::new(&path.join("state.db"), Durability::Power).is_err());
    }
}
