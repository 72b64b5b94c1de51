//! Who has logged in, and with which token their forms come.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many browsers may be logged in; the one that came first goes first.
const LOGINS_MAX: usize = 64;
/// How long a login lasts, in milliseconds. 12 hours: a working day.
const LASTS_MS: u64 = 12 * 60 * 60 * 1000;

#[derive(Debug, Clone)]
struct Login {
    form: String,
    since_ms: u64,
}

/// The browsers that are logged in, by the secret in their cookie.
#[derive(Debug, Default)]
pub(super) struct Logins(Mutex<BTreeMap<String, Login>>);

impl Logins {
    /// Logs a browser in by a new secret of its own, whose forms come with `form`.
    pub(super) fn open(&self, secret: String, form: String, now_ms: u64) {
        let mut logins = self.lock();
        logins.retain(|_, login| now_ms < login.since_ms.saturating_add(LASTS_MS));
        while logins.len() >= LOGINS_MAX {
            let oldest = logins.iter().min_by_key(|(_, login)| login.since_ms).map(|(secret, _)| secret.clone());
            oldest.and_then(|secret| logins.remove(&secret));
        }
        logins.insert(secret, Login { form, since_ms: now_ms });
    }

    /// What the forms of this browser come with, if it is logged in.
    pub(super) fn form(&self, secret: &str, now_ms: u64) -> Option<String> {
        let logins = self.lock();
        let login = logins.get(secret)?;
        (now_ms < login.since_ms.saturating_add(LASTS_MS)).then(|| login.form.clone())
    }

    /// Logs a browser out.
    pub(super) fn close(&self, secret: &str) {
        self.lock().remove(secret);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Login>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_lasts_a_day_and_there_are_only_so_many() {
        let logins = Logins::default();
        for n in 0..100 {
            logins.open(format!("s{n}"), format!("f{n}"), n);
        }
        assert_eq!(logins.form("s35", 100), None, "the first went first");
        assert_eq!(logins.form("s36", 100).as_deref(), Some("f36"));
        assert_eq!(logins.form("s99", 99 + LASTS_MS), None);
        logins.close("s98");
        assert_eq!(logins.form("s98", 100), None);
        assert_eq!(logins.form("", 100), None);
    }
}
