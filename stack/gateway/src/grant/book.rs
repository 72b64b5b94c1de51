//! The grants of a state folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};
use subtle::ConstantTimeEq as _;

use super::Token;
use crate::state_dir::{StateDir, StateError, signed, unsigned};

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A grant, without its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The name that limits and audit know it by.
    pub name: String,
    /// When it was given, in milliseconds since the Unix epoch.
    pub made_ms: u64,
    /// From when on its token is no longer taken, in milliseconds since the Unix epoch.
    pub expires_ms: Option<u64>,
    /// When it was revoked, in milliseconds since the Unix epoch.
    pub revoked_ms: Option<u64>,
    /// The file of the policy that judges its calls, if not the server's. It is of one file for life.
    pub policy: Option<PathBuf>,
}

impl Grant {
    /// Whether its token is taken at `now`.
    pub fn is_open(&self, now_ms: u64) -> bool {
        self.revoked_ms.is_none() && self.expires_ms.is_none_or(|end| now_ms < end)
    }
}

/// Why a grant cannot be given or taken back.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// The state cannot be used.
    #[error("{0}")]
    State(#[from] StateError),
    /// It would be hard to tell apart from others in an audit.
    #[error("`{0}` is no name of a grant: use 1 to 64 letters, digits, `.`, `_` and `-`")]
    BadName(String),
    /// Names are for life, so that records of one holder are not taken for those of another.
    #[error("there is or was a grant `{0}`: use another name, or `rotate` for a new token")]
    Taken(String),
    /// Nobody holds it.
    #[error("there is no grant `{0}`: see `mcp-gateway grant list`")]
    Unknown(String),
    /// It was taken back, which is final.
    #[error("the grant `{0}` was revoked, and stays so: add another")]
    Revoked(String),
    /// It would never be open.
    #[error("the grant would expire before it is given")]
    Expired,
    /// A gateway could not find it again.
    #[error("the path of the policy `{}` is no text from the root: write it as one", .0.display())]
    BadPolicy(PathBuf),
}

impl From<rusqlite::Error> for GrantError {
    fn from(error: rusqlite::Error) -> Self {
        Self::State(error.into())
    }
}

/// The grants of a state folder, and whose each token is.
#[derive(Debug)]
pub struct GrantBook {
    connection: Connection,
    /// By the digest of the token. Which digests are compared tells nothing about a token that would have one of them.
    held: BTreeMap<[u8; 32], Grant>,
    /// What the file's counter of other processes' changes said when `held` was read.
    read_at: i64,
}

impl GrantBook {
    /// Opens the grants of a folder.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn open(state: &StateDir) -> Result<Self, StateError> {
        let mut book = Self { connection: state.connect()?, held: BTreeMap::new(), read_at: -1 };
        book.read()?;
        Ok(book)
    }

    /// Gives a grant to whoever has the token.
    ///
    /// # Errors
    /// The name is taken or none, the time is over, or the state cannot be written.
    pub fn add(&mut self, name: &str, token: &Token, now_ms: u64, expires_ms: Option<u64>) -> Result<(), GrantError> {
        self.add_under(name, token, now_ms, expires_ms, None)
    }

    /// Gives a grant to whoever has the token, whose calls the policy in this file judges and no other. The path must be
    /// absolute. A gateway that is running denies its calls until it reads its policies anew.
    ///
    /// # Errors
    /// The name is taken or none, the time is over, the path is none, or the state cannot be written.
    pub fn add_under(
        &mut self,
        name: &str,
        token: &Token,
        now_ms: u64,
        expires_ms: Option<u64>,
        policy: Option<&Path>,
    ) -> Result<(), GrantError> {
        let bad = |path: &Path| GrantError::BadPolicy(path.to_owned());
        let policy =
            policy.map(|path| path.to_str().filter(|_| path.is_absolute()).ok_or_else(|| bad(path))).transpose()?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(fits) {
            return Err(GrantError::BadName(crate::wire::text::shown(name)));
        }
        if expires_ms.is_some_and(|end| end <= now_ms) {
            return Err(GrantError::Expired);
        }
        let added = self.connection.execute(
            "INSERT INTO grants (name, digest, made_ms, expires_ms, policy) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT DO NOTHING",
            params![name, Token::digest(token.reveal()), signed(now_ms), expires_ms.map(signed), policy],
        )?;
        if added == 0 {
            return Err(GrantError::Taken(name.to_owned()));
        }
        Ok(self.read()?)
    }

    /// Takes a grant back for good.
    ///
    /// # Errors
    /// There is no such grant, or the state cannot be written.
    pub fn revoke(&mut self, name: &str, now_ms: u64) -> Result<(), GrantError> {
        self.live(name)?;
        self.connection.execute("UPDATE grants SET revoked_ms = ?2 WHERE name = ?1", params![name, signed(now_ms)])?;
        Ok(self.read()?)
    }

    /// Gives the holder of a grant another token; the old one is void at once.
    ///
    /// # Errors
    /// There is no such grant, or the state cannot be written.
    pub fn rotate(&mut self, name: &str, token: &Token) -> Result<(), GrantError> {
        self.live(name)?;
        let digest = Token::digest(token.reveal());
        self.connection.execute("UPDATE grants SET digest = ?2 WHERE name = ?1", params![name, digest])?;
        Ok(self.read()?)
    }

    /// All grants ever given, by name.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn list(&mut self) -> Result<Vec<Grant>, StateError> {
        self.refresh()?;
        let mut grants: Vec<_> = self.held.values().cloned().collect();
        grants.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(grants)
    }

    /// Whose grant a token is, if it is open at `now_ms`.
    ///
    /// # Errors
    /// The grants cannot be read; then nobody may pass.
    pub fn holder(&mut self, token: &str, now_ms: u64) -> Result<Option<&Grant>, StateError> {
        self.refresh()?;
        let digest = Token::digest(token);
        let grant = self.held.get_key_value(&digest).filter(|(held, _)| held.ct_eq(&digest).into());
        Ok(grant.filter(|(_, grant)| grant.is_open(now_ms)).map(|(_, grant)| grant))
    }

    fn live(&self, name: &str) -> Result<(), GrantError> {
        let sql = "SELECT revoked_ms FROM grants WHERE name = ?1";
        match self.connection.query_row(sql, [name], |row| row.get::<_, Option<i64>>(0)).optional()? {
            None => Err(GrantError::Unknown(crate::wire::text::shown(name))),
            Some(Some(_)) => Err(GrantError::Revoked(name.to_owned())),
            Some(None) => Ok(()),
        }
    }

    /// Reads the grants anew if another process has changed the file.
    fn refresh(&mut self) -> Result<(), StateError> {
        if self.changes()? == self.read_at { Ok(()) } else { self.read() }
    }

    fn changes(&self) -> Result<i64, StateError> {
        Ok(self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
    }

    fn read(&mut self) -> Result<(), StateError> {
        // Asked for first: what changes meanwhile is read twice rather than not at all.
        let read_at = self.changes()?;
        let held = {
            let sql = "SELECT digest, name, made_ms, expires_ms, revoked_ms, policy FROM grants";
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                let (expires, revoked): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
                let grant = Grant {
                    name: row.get(1)?,
                    made_ms: unsigned(row.get(2)?),
                    expires_ms: expires.map(unsigned),
                    revoked_ms: revoked.map(unsigned),
                    policy: row.get::<_, Option<String>>(5)?.map(PathBuf::from),
                };
                Ok((row.get(0)?, grant))
            })?;
            rows.collect::<Result<_, _>>()?
        };
        (self.held, self.read_at) = (held, read_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_dir::Durability;

    fn holder(book: &mut GrantBook, token: &str, now: u64) -> Option<String> {
        book.holder(token, now).unwrap().map(|grant| grant.name.clone())
    }

    fn token(byte: u8) -> Token {
        Token::from_bytes([byte; 32])
    }

    #[test]
    fn a_token_is_good_from_when_it_is_given_until_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut gateway = GrantBook::open(&state).unwrap();
        let mut command = GrantBook::open(&state).unwrap();
        assert_eq!(holder(&mut gateway, token(1).reveal(), 0), None);
        command.add("desk", &token(1), 10, Some(100)).unwrap();
        command.add("bot", &token(2), 11, None).unwrap();
        assert_eq!(holder(&mut gateway, token(1).reveal(), 99).as_deref(), Some("desk"));
        assert_eq!(holder(&mut gateway, token(1).reveal(), 100), None, "expired");
        assert_eq!(holder(&mut gateway, "", 99), None);
        assert_eq!(holder(&mut gateway, &token(1).reveal()[4..], 99), None);

        command.rotate("bot", &token(3)).unwrap();
        assert_eq!(holder(&mut gateway, token(2).reveal(), 99), None, "the old token is void");
        assert_eq!(holder(&mut gateway, token(3).reveal(), 99).as_deref(), Some("bot"));
        command.revoke("bot", 50).unwrap();
        assert_eq!(holder(&mut gateway, token(3).reveal(), 99), None, "revoked");
        let told: Vec<_> = gateway.list().unwrap().into_iter().map(|grant| (grant.name, grant.revoked_ms)).collect();
        assert_eq!(told, [("bot".to_owned(), Some(50)), ("desk".to_owned(), None)]);

        let bytes: Vec<u8> = std::fs::read_dir(folder.path())
            .unwrap()
            .flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect();
        for byte in 1..=3 {
            let held = token(byte);
            let secret = held.reveal().trim_start_matches("mgw_").as_bytes();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "a token is on disk");
        }
    }

    #[test]
    fn a_policy_of_its_own_is_of_one_file_for_life() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut book = GrantBook::open(&state).unwrap();
        let relative = book.add_under("desk", &token(1), 0, None, Some(Path::new("desk.json")));
        assert!(matches!(relative, Err(GrantError::BadPolicy(_))), "{relative:?}");
        let policy = Path::new("/etc/desk.json");
        book.add_under("desk", &token(1), 0, None, Some(policy)).unwrap();
        book.add("bot", &token(2), 0, None).unwrap();
        book.rotate("desk", &token(3)).unwrap();
        let mut gateway = GrantBook::open(&state).unwrap();
        assert_eq!(gateway.holder(token(3).reveal(), 0).unwrap().unwrap().policy.as_deref(), Some(policy));
        assert_eq!(gateway.holder(token(2).reveal(), 0).unwrap().unwrap().policy, None);
    }

    #[test]
    fn names_are_plain_and_for_life() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut book = GrantBook::open(&state).unwrap();
        for bad in ["", "a b", "a\n", "désk", &"x".repeat(65)] {
            assert!(matches!(book.add(bad, &token(1), 0, None), Err(GrantError::BadName(_))), "{bad:?}");
        }
        assert!(matches!(book.add("a", &token(1), 5, Some(5)), Err(GrantError::Expired)));
        book.add("a", &token(1), 0, None).unwrap();
        assert!(matches!(book.add("a", &token(2), 0, None), Err(GrantError::Taken(_))));
        assert!(matches!(book.revoke("b", 0), Err(GrantError::Unknown(_))));
        book.revoke("a", 1).unwrap();
        assert!(matches!(book.rotate("a", &token(2)), Err(GrantError::Revoked(_))));
        assert!(matches!(book.add("a", &token(2), 2, None), Err(GrantError::Taken(_))), "not given again");
    }
}
