//! The folder in which a gateway keeps what outlives it: an `SQLite` file that one user can read.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

/// How long one process waits for another that is writing.
const BUSY: Duration = Duration::from_secs(5);

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
    PRAGMA user_version = 3;
";
const VERSION: i64 = 3;

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

    /// Makes the caller the only one in front of `server`, as long as the file is open.
    pub(crate) fn lock(&self, server: &str) -> Result<std::fs::File, StateError> {
        let name = hex::encode(Sha256::digest(server));
        let path = self.file.with_file_name(format!("{}.lock", name.get(..16).unwrap_or_default()));
        let failed = |source| StateError::Folder { path: path.clone(), source };
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
        let connection = Connection::open(&self.file)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous = match self.durability {
            Durability::Power => "FULL",
            Durability::Process => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            0..=2 => connection.execute_batch(&format!("BEGIN IMMEDIATE; {SCHEMA} {SCHEMA_2} {SCHEMA_3} COMMIT;"))?,
            VERSION => {}
            found => return Err(StateError::Version { found }),
        }
        Ok(connection)
    }
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
        connection.execute("INSERT INTO reservations VALUES (1, 's', 'c', NULL, NULL, NULL, 1, 1, 2)", []).unwrap();
        for (older, before) in [(1, "DROP TABLE grants; DROP TABLE notes;"), (2, "DROP TABLE notes;")] {
            connection.execute_batch(&format!("{before} PRAGMA user_version = {older};")).unwrap();
            let upgraded = state.connect().unwrap();
            for (table, rows) in [("grants", 0), ("notes", 0), ("reservations", 1)] {
                let count = upgraded.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
                assert_eq!(count, Ok(rows), "{table} of version {older}");
            }
            assert_eq!(upgraded.pragma_query_value(None, "user_version", |row| row.get(0)), Ok(VERSION));
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
