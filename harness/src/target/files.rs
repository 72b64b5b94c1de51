//! What happens to the files of a gateway, past the gateway.

use std::fs;
use std::path::Path;

use mcp_gateway::{AuditKey, AuditSink as _, ChainedAudit, Rotation};
use rusqlite::Connection;

use crate::scenario::Tampering;

/// How a record of a denial says so.
const DENIES: &str = r#""decision":"deny""#;

/// What somebody chains records with who does not know the gateway's key.
const FORGERS_KEY: &[u8] = b"the key of somebody else entirely";

/// Does something to the audit at `path`; in words for the transcript.
pub(super) fn tamper(path: &Path, how: Tampering) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    match how {
        Tampering::Alter => {
            if !text.contains(DENIES) {
                return Err("there is no denial on record that could be altered".to_owned());
            }
            write(path, &text.replacen(DENIES, r#""decision":"allow""#, 1))?;
            Ok("somebody makes the first denial on record one that was let through".to_owned())
        }
        Tampering::CutEnd => {
            let kept = text.trim_end().rfind('\n').map(|end| text.get(..=end).unwrap_or_default());
            write(path, kept.ok_or("there are no two records, of which one could be cut off")?)?;
            Ok("somebody cuts the last record off".to_owned())
        }
        Tampering::Forge => {
            let kept: Vec<&str> = text.lines().filter(|line| !line.contains(DENIES)).collect();
            if kept.len() == text.lines().count() {
                return Err("there is no denial on record that could be left out".to_owned());
            }
            forge(path, &kept)?;
            Ok("somebody leaves the denials out and chains the rest anew".to_owned())
        }
    }
}

/// In place, as an editor does that writes over a file: whoever has it open goes on with it.
fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| error.to_string())
}

/// Puts a chain of these records, and its head, in the place of the one that is there.
fn forge(path: &Path, records: &[&str]) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let folder = tempfile::tempdir().map_err(|error| failed(&error))?;
    let forged = folder.path().join("audit.jsonl");
    let key = AuditKey::new(FORGERS_KEY).map_err(|error| failed(&error))?;
    let mut chain = ChainedAudit::open(&forged, Some(&key), Rotation::default()).map_err(|error| failed(&error))?;
    for record in records {
        let body = record.rsplit_once(",\"n\":").map(|(body, _)| body);
        let body = body.ok_or("a record does not tell its place in the chain")?;
        chain.record(&format!("{body}}}")).map_err(|error| failed(&error))?;
    }
    drop(chain);
    let head = |path: &Path| path.with_extension("jsonl.head");
    for (from, to) in [(forged.clone(), path.to_owned()), (head(&forged), head(path))] {
        fs::copy(from, to).map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Lets the store in a state folder take what is written to it, or nothing. Whoever has it open is refused from the next
/// thing on, as with a full disk, and can still read.
pub(super) fn let_store_take(state: &Path, takes: bool) -> Result<String, String> {
    let told = |error: rusqlite::Error| error.to_string();
    // The journal beside the database is begun with the first charge: no file of it can be made in a folder that is gone.
    let away = state.with_extension("away");
    if takes {
        fs::rename(&away, state).map_err(|error| error.to_string())?;
    }
    let connection = Connection::open(state.join("state.db")).map_err(told)?;
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    let mut tables = connection.prepare(tables).map_err(told)?;
    let names = tables.query_map([], |row| row.get::<_, String>(0)).map_err(told)?;
    for name in names {
        let name = name.map_err(told)?;
        let change = if takes {
            format!("DROP TRIGGER \"{name} is full\"")
        } else {
            let refuses = "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
            format!("CREATE TRIGGER \"{name} is full\" BEFORE INSERT ON \"{name}\" {refuses}")
        };
        connection.execute_batch(&change).map_err(told)?;
    }
    if !takes {
        fs::rename(state, &away).map_err(|error| error.to_string())?;
    }
    Ok(if takes { "the store takes what it is given again" } else { "the store takes nothing more" }.to_owned())
}

#[cfg(test)]
mod tests {
    use mcp_gateway::trail::{self, Damage};

    use super::*;

    const KEY: &[u8] = b"the key of the gateway alone";

    fn key() -> AuditKey {
        AuditKey::new(KEY).unwrap()
    }

    /// An audit of three records, to which something was done, and what is found then.
    #[track_caller]
    fn check(how: Tampering, found: &Damage) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let open = || ChainedAudit::open(&path, Some(&key()), Rotation::default());
        let mut chain = open().unwrap();
        for decision in ["allow", "deny", "allow"] {
            chain.record(&format!(r#"{{"seq":1,"decision":"{decision}"}}"#)).unwrap();
        }
        drop(chain);
        let verified = || trail::verify(&trail::files(&path).unwrap(), Some(&key())).unwrap().finding;
        assert_eq!(verified(), None);
        tamper(&path, how).unwrap();
        assert_eq!(&verified().unwrap().damage, found, "{how:?}");
        // A chain is carried on from its last record: what was done further back shows to whoever walks it.
        assert_eq!(open().is_ok(), how == Tampering::Alter, "{how:?}");
    }

    #[test]
    fn whatever_is_done_to_a_record_is_found() {
        check(Tampering::Alter, &Damage::Changed);
        check(Tampering::CutEnd, &Damage::EndCut { records: Some(1) });
        check(Tampering::Forge, &Damage::Changed);
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        fs::write(&path, "{\"decision\":\"allow\"}\n").unwrap();
        for how in [Tampering::Alter, Tampering::CutEnd, Tampering::Forge] {
            assert!(tamper(&path, how).is_err(), "{how:?}");
        }
    }
}
