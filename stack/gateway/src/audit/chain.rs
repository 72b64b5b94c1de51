//! The chain: each record holds its number, the hash of the record before, and its own hash.
//!
//! ```text
//!  {<what the gateway says>,"n":12,"prev":"<hash of 11>","hash":"<SHA-256 of this line up to here>"}
//! ```
//!
//! With a key the last member is `hmac`, HMAC-SHA256 under a key derived from the audit's: then nobody without the key
//! can write a record, while a chain of plain hashes only shows what was changed without rewriting all that follows.

use std::fmt::Write as _;

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::AuditKey;

/// What stands for the hash before the first record.
pub(crate) const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const DIGITS: usize = 64;

/// How records are hashed.
#[derive(Clone)]
pub(crate) struct Hasher {
    key: Option<Hmac<Sha256>>,
}

impl Hasher {
    pub(crate) fn new(key: Option<&AuditKey>) -> Self {
        Self { key: key.map(AuditKey::for_chain) }
    }

    /// The member that a record's own hash stands in.
    pub(crate) const fn member(&self) -> &'static str {
        if self.key.is_some() { "hmac" } else { "hash" }
    }

    pub(crate) fn hash(&self, text: &[u8]) -> String {
        let digest = match &self.key {
            None => Sha256::digest(text),
            Some(key) => {
                let mut keyed = key.clone();
                keyed.update(text);
                keyed.finalize().into_bytes()
            }
        };
        hex::encode(digest)
    }

    pub(crate) fn fits(&self, text: &[u8], hash: &str) -> bool {
        self.hash(text).as_bytes().ct_eq(hash.as_bytes()).into()
    }
}

/// Where a chain has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    /// The number of the last record; 0 if there is none.
    pub(crate) n: u64,
    pub(crate) hash: String,
}

impl Default for End {
    fn default() -> Self {
        Self { n: 0, hash: NOTHING.to_owned() }
    }
}

/// Writes `line`, a JSON object with members, as the record after `end` in place of what `out` held, and returns where
/// the chain comes to with it.
pub(crate) fn seal(hasher: &Hasher, end: &End, line: &str, out: &mut String) -> Option<End> {
    let body = line.strip_suffix('}')?;
    let n = end.n.checked_add(1)?;
    out.clear();
    // Writing to a string cannot fail.
    let _ = write!(out, r#"{body},"n":{n},"prev":"{}""#, end.hash);
    let hash = hasher.hash(out.as_bytes());
    let _ = write!(out, r#","{}":"{hash}"}}"#, hasher.member());
    Some(End { n, hash })
}

/// What a record says of its place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link<'a> {
    pub(crate) n: u64,
    pub(crate) prev: &'a str,
    pub(crate) hash: &'a str,
    /// `hash` or `hmac`.
    pub(crate) member: &'a str,
    /// What was hashed.
    pub(crate) sealed: &'a str,
}

/// Reads the last three members of a record, exactly as [`seal`] writes them.
pub(crate) fn link(line: &str) -> Option<Link<'_>> {
    let inner = line.strip_suffix("\"}")?;
    let (rest, hash) = digits(inner)?;
    let rest = rest.strip_suffix("\":\"")?;
    let member = ["hash", "hmac"].into_iter().find(|member| rest.ends_with(member))?;
    let sealed = rest.strip_suffix(member)?.strip_suffix(",\"")?;
    let (rest, prev) = digits(sealed.strip_suffix('"')?)?;
    let rest = rest.strip_suffix(",\"prev\":\"")?;
    let (_, n) = rest.rsplit_once(",\"n\":")?;
    let canonical = !n.is_empty() && n.bytes().all(|digit| digit.is_ascii_digit()) && !n.starts_with('0');
    Some(Link { n: n.parse().ok().filter(|_| canonical)?, prev, hash, member, sealed })
}

fn digits(text: &str) -> Option<(&str, &str)> {
    let (rest, digits) = text.split_at_checked(text.len().checked_sub(DIGITS)?)?;
    let lower = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    lower.then_some((rest, digits))
}

/// What stands beside the file: how far the chain has come, so that a cut end shows.
pub(crate) mod head {
    use std::fmt::Write as _;

    use super::{End, Hasher, link, seal};

    /// The head always has the same length, so that writing it anew never leaves a rest.
    const LENGTH: usize = 256;

    /// The text of the head.
    pub(crate) fn write(hasher: &Hasher, end: &End) -> String {
        let mut text = String::with_capacity(LENGTH);
        // The head is sealed as a record of its own kind would be.
        if seal(hasher, &End { n: end.n, hash: end.hash.clone() }, r#"{"head":1}"#, &mut text).is_none() {
            text.clear();
        }
        let _ = writeln!(text, "{:1$}", "", (LENGTH - 1).saturating_sub(text.len()));
        text
    }

    /// Where the chain had come to by the head, if it is one and has not been changed.
    pub(crate) fn read(hasher: &Hasher, text: &str) -> Option<End> {
        let link = link(text.trim_end())?;
        let genuine = link.sealed.starts_with(r#"{"head":1,"#)
            && link.member == hasher.member()
            && hasher.fits(link.sealed.as_bytes(), link.hash);
        genuine.then(|| End { n: link.n.saturating_sub(1), hash: link.prev.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_read_back() {
        for key in [None, Some(AuditKey::new(&[3; 32]).unwrap())] {
            let hasher = Hasher::new(key.as_ref());
            let mut line = String::new();
            let end = seal(&hasher, &End::default(), r#"{"a":",\"n\":7"}"#, &mut line).unwrap();
            let read = link(&line).unwrap();
            assert_eq!((read.n, read.prev, read.hash), (1, NOTHING, end.hash.as_str()));
            assert!(hasher.fits(read.sealed.as_bytes(), read.hash));
            assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
            assert!(!Hasher::new(Some(&AuditKey::new(&[4; 32]).unwrap())).fits(read.sealed.as_bytes(), read.hash));

            let text = head::write(&hasher, &end);
            assert_eq!(text.len(), 256);
            assert_eq!(head::read(&hasher, &text), Some(end.clone()));
            assert_eq!(head::read(&hasher, &text.replace(",\"n\":2", ",\"n\":9")), None);
            // A record is no head, and a head no record that could follow.
            assert_eq!(head::read(&hasher, &line), None);
        }
    }

    #[test]
    fn what_is_no_record_has_no_place() {
        for line in ["", "}", "{}", "\"}", r#"{"a":1}"#, &format!(r#"{{"n":1,"prev":"{NOTHING}","hash":"{NOTHING}"}}"#)]
        {
            assert_eq!(link(line), None, "{line}");
        }
        let odd = format!(r#"{{"a":1,"n":01,"prev":"{NOTHING}","hash":"{NOTHING}"}}"#);
        assert_eq!(link(&odd), None);
    }
}
