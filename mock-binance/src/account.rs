//! Test accounts: a key, a secret or a public key, a label for reports, and what is in them at the start.

use std::collections::BTreeMap;
use std::fmt;

use exchange_engine::AccountId;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use secrecy::{ExposeSecret, SecretString};

use crate::api::sign::Verifier;
use crate::listen_keys::letters;

/// An account of the mock, for [`Builder::account`](crate::Builder::account).
///
/// ```
/// let account = mock_binance::Account::new("my-key", "my-secret")
///     .label("agent")
///     .balance("USDT", "10000")
///     .balance("BTC", "0.5");
/// assert_eq!(account.api_key(), "my-key");
/// assert!(!format!("{account:?}").contains("my-"));
/// ```
#[derive(Clone)]
pub struct Account {
    pub(crate) api_key: String,
    pub(crate) credential: Credential,
    pub(crate) label: Option<String>,
    pub(crate) balances: Vec<(String, String)>,
    pub(crate) pays_in_bnb: bool,
}

/// With what the requests of an account are checked.
#[derive(Clone)]
pub(crate) enum Credential {
    /// Requests are signed with HMAC-SHA256 under this secret.
    Secret(SecretString),
    /// Requests are signed with the private half of this RSA or Ed25519 key, which is a PEM.
    PublicKey(String),
}

impl Credential {
    pub(crate) fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::Secret(secret) => Some(secret),
            Self::PublicKey(_) => None,
        }
    }
}

/// Keys and secrets of the exchange have this many letters and digits.
const KEY_LEN: usize = 64;
/// The random streams from which keys and secrets are drawn; listen keys use those from 1 on.
const KEY_STREAM: u64 = u64::MAX;
const SECRET_STREAM: u64 = u64::MAX - 1;

impl Account {
    /// An empty account with this API key and HMAC secret.
    pub fn new(api_key: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::with(api_key.into(), Credential::Secret(SecretString::from(secret.into())))
    }

    /// An empty account with this API key, whose requests are signed with an RSA (PKCS#1 v1.5, SHA-256) or Ed25519
    /// key. The mock gets its public half: a PEM that begins with `-----BEGIN PUBLIC KEY-----`. What is none is told
    /// by [`Builder::start`](crate::Builder::start).
    pub fn with_public_key(api_key: impl Into<String>, pem: impl Into<String>) -> Self {
        Self::with(api_key.into(), Credential::PublicKey(pem.into()))
    }

    fn with(api_key: String, credential: Credential) -> Self {
        Self { api_key, credential, label: None, balances: Vec::new(), pays_in_bnb: false }
    }

    /// An empty account whose key and secret (64 letters and digits each, like those of the exchange) follow from a
    /// seed: the same seed gives the same credentials.
    pub fn generated(seed: u64) -> Self {
        let draw = |stream| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(stream);
            letters(&mut random, KEY_LEN)
        };
        Self::new(draw(KEY_STREAM), draw(SECRET_STREAM))
    }

    /// Names the account in [`RequestRecord`](crate::RequestRecord)s; `account-1` and so on when not given.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Puts so much of an asset into the account before the mock starts. The amount is a decimal in text, with at
    /// most 8 places.
    #[must_use]
    pub fn balance(mut self, asset: impl Into<String>, amount: impl Into<String>) -> Self {
        self.balances.push((asset.into(), amount.into()));
        self
    }

    /// Lets the account pay commissions in BNB at the discount of [`Builder::bnb_discount`](crate::Builder::bnb_discount)
    /// while it has enough; what it has too little for is taken in full from what a trade brings.
    #[must_use]
    pub fn pays_in_bnb(mut self) -> Self {
        self.pays_in_bnb = true;
        self
    }

    /// The API key.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// The secret, in the open: hand it to the client under test and to nobody else. Empty for an account
    /// [with a public key](Self::with_public_key), whose secret is not the mock's to know.
    pub fn secret(&self) -> &str {
        self.credential.secret().map_or("", ExposeSecret::expose_secret)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("label", &self.label).field("balances", &self.balances).finish_non_exhaustive()
    }
}

/// What the REST face knows of an account.
pub(crate) struct KnownAccount {
    pub(crate) id: AccountId,
    pub(crate) label: String,
    pub(crate) verifier: Verifier,
    // Only to keep it out of transcripts.
    pub(crate) secret: Option<SecretString>,
}

/// What a key is told that has the form of one and belongs to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownKey {
    /// 401 and -2015, as at the live exchange.
    #[default]
    Rejected,
    /// 400 and -2008, as at its testnet and its demo. The exchange does not document this answer.
    InvalidId,
}

/// Accounts by API key.
pub(crate) struct Accounts {
    by_key: BTreeMap<String, KnownAccount>,
    pub(crate) unknown_key: UnknownKey,
}

impl Accounts {
    /// None yet.
    pub(crate) fn new(unknown_key: UnknownKey) -> Self {
        Self { by_key: BTreeMap::new(), unknown_key }
    }

    pub(crate) fn add(&mut self, api_key: String, account: KnownAccount) {
        self.by_key.insert(api_key, account);
    }

    pub(crate) fn get(&self, api_key: &str) -> Option<&KnownAccount> {
        self.by_key.get(api_key)
    }

    /// Whether a text holds a key or secret of any account.
    pub(crate) fn are_told_by(&self, text: &str) -> bool {
        self.by_key.iter().any(|(key, account)| {
            holds(text, key) || account.secret.as_ref().is_some_and(|secret| holds(text, secret.expose_secret()))
        })
    }

    /// All of them, in the order in which they were opened.
    pub(crate) fn in_order(&self) -> Vec<&KnownAccount> {
        let mut all: Vec<_> = self.by_key.values().collect();
        all.sort_by_key(|account| account.id);
        all
    }

    pub(crate) fn contains(&self, api_key: &str) -> bool {
        self.by_key.contains_key(api_key)
    }
}

/// Short secrets are looked for only as whole texts: they would be found everywhere.
const SHORT: usize = 8;

fn holds(text: &str, secret: &str) -> bool {
    text.len() >= secret.len() && (text == secret || (secret.len() >= SHORT && text.contains(secret)))
}

/// Whether a text could be a key of the exchange at all.
pub(crate) fn has_key_format(api_key: &str) -> bool {
    api_key.len() == KEY_LEN && api_key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_credentials_follow_from_the_seed() {
        let (one, again, two) = (Account::generated(1), Account::generated(1), Account::generated(2));
        assert_eq!((one.api_key(), one.secret()), (again.api_key(), again.secret()));
        assert_ne!(one.api_key(), two.api_key());
        assert_ne!(one.api_key(), one.secret());
        assert!(has_key_format(one.api_key()));
    }
}
