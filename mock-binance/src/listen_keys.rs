//! Listen keys: 64 letters and digits that open an account's user data stream for 60 minutes.
//!
//! The live exchange retired them on 2026-02-20 and answers 410 since; most clients still ask for them. Which of the
//! two worlds a mock plays is [`ListenKeys`].

use std::collections::{BTreeMap, VecDeque};

use exchange_engine::{AccountId, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Whether the mock still issues listen keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListenKeys {
    /// As before 2026-02-20: POST, PUT and DELETE of `/api/v3/userDataStream` work.
    #[default]
    Legacy,
    /// As today: those endpoints answer `410 Gone` with the HTML page of a proxy.
    Gone,
}

const VALID_MINUTES: u64 = 60;
const VALID_MICROS: u64 = VALID_MINUTES * 60 * 1_000_000;
const LEN: usize = 64;
/// How many ended keys have a number.
const ENDED_MAX: usize = 10_000;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// No such listen key, or it is another account's, or it has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownListenKey;

/// The listen keys of one mock. Knows no Debug: a listen key opens a stream for whoever has it.
#[derive(Clone)]
pub(crate) struct ListenKeyStore {
    seed: u64,
    live: BTreeMap<String, Live>,
    /// How many were issued.
    issued: u64,
    /// The keys that live and the latest that ended, for the transcript.
    numbers: BTreeMap<String, u64>,
    /// Those of them that ended, the latest last.
    ended: VecDeque<String>,
}

#[derive(Clone)]
struct Live {
    account: AccountId,
    expires: Timestamp,
}

impl ListenKeyStore {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, live: BTreeMap::new(), issued: 0, numbers: BTreeMap::new(), ended: VecDeque::new() }
    }

    /// The account's key, valid for 60 minutes from now. An account has one key at a time: asking again extends it.
    pub(crate) fn open(&mut self, account: AccountId, now: Timestamp) -> String {
        let expires = now.plus_micros(VALID_MICROS);
        if let Some((key, live)) = self.live.iter_mut().find(|(_, live)| live.account == account) {
            live.expires = expires;
            return key.clone();
        }
        self.issued = self.issued.saturating_add(1);
        let number = self.issued;
        let key = generate(self.seed, number);
        self.numbers.insert(key.clone(), number);
        self.live.insert(key.clone(), Live { account, expires });
        key
    }

    pub(crate) fn keep_alive(&mut self, key: &str, account: AccountId, now: Timestamp) -> Result<(), UnknownListenKey> {
        let live = self.live.get_mut(key).filter(|live| live.account == account).ok_or(UnknownListenKey)?;
        live.expires = now.plus_micros(VALID_MICROS);
        Ok(())
    }

    pub(crate) fn close(&mut self, key: &str, account: AccountId) -> Result<(), UnknownListenKey> {
        if self.live.get(key).is_none_or(|live| live.account != account) {
            return Err(UnknownListenKey);
        }
        self.live.remove(key);
        self.end(key.to_owned());
        Ok(())
    }

    /// Keeps the number of an ended key for a while.
    fn end(&mut self, key: String) {
        self.ended.push_back(key);
        if self.ended.len() > ENDED_MAX
            && let Some(oldest) = self.ended.pop_front()
        {
            self.numbers.remove(&oldest);
        }
    }

    /// The valid keys of an account.
    pub(crate) fn of(&self, account: AccountId) -> impl Iterator<Item = &str> {
        self.live.iter().filter(move |(_, live)| live.account == account).map(|(key, _)| key.as_str())
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.live.values().map(|live| live.expires).min()
    }

    /// Ends the keys whose time has come and names them, in the order of their expiry.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<String> {
        let mut ended: Vec<(Timestamp, String)> =
            self.live.extract_if(.., |_, live| live.expires <= now).map(|(key, live)| (live.expires, key)).collect();
        ended.sort();
        let ended: Vec<String> = ended.into_iter().map(|(_, key)| key).collect();
        for key in &ended {
            self.end(key.clone());
        }
        ended
    }

    /// How the transcript names a text that is a listen key, valid or among the latest that ended.
    pub(crate) fn label(&self, text: &str) -> Option<String> {
        if text.len() != LEN {
            return None;
        }
        self.numbers.get(text).map(|number| format!("listen-key-{number}"))
    }
}

/// The `number`-th key of a seed.
fn generate(seed: u64, number: u64) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    letters(&mut random, LEN)
}

/// So many letters and digits.
pub(crate) fn letters(random: &mut ChaCha8Rng, len: usize) -> String {
    let mut text = String::with_capacity(len);
    while text.len() < len {
        // Six bits at a time; the two values without a letter are drawn again, so that all letters are equally likely.
        let draw = usize::try_from(random.next_u32() & 63).unwrap_or_default();
        if let Some(letter) = ALPHABET.get(draw) {
            text.push(char::from(*letter));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: AccountId = AccountId(1);
    const BOB: AccountId = AccountId(2);

    fn minute(minutes: u64) -> Timestamp {
        Timestamp::from_secs(minutes * 60)
    }

    #[test]
    fn a_key_lives_for_an_hour_from_its_last_extension() {
        let mut keys = ListenKeyStore::new(7);
        let key = keys.open(ALICE, minute(0));
        assert_eq!(key.len(), 64);
        assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(keys.next_deadline(), Some(minute(60)));

        assert_eq!(keys.keep_alive(&key, ALICE, minute(30)), Ok(()));
        assert_eq!(keys.expire(minute(89)), Vec::<String>::new());
        assert_eq!(keys.open(ALICE, minute(40)), key, "the same key, extended");
        assert_eq!(keys.expire(minute(99)), Vec::<String>::new());
        assert_eq!(keys.expire(minute(100)), std::slice::from_ref(&key));
        assert_eq!(keys.keep_alive(&key, ALICE, minute(100)), Err(UnknownListenKey));
        assert_ne!(keys.open(ALICE, minute(100)), key, "a new key after the old one ended");
    }

    #[test]
    fn a_key_belongs_to_its_account() {
        let mut keys = ListenKeyStore::new(7);
        let key = keys.open(ALICE, minute(0));
        assert_ne!(keys.open(BOB, minute(0)), key);
        assert_eq!(keys.keep_alive(&key, BOB, minute(1)), Err(UnknownListenKey));
        assert_eq!(keys.close(&key, BOB), Err(UnknownListenKey));
        assert_eq!(keys.close(&key, ALICE), Ok(()));
        assert_eq!(keys.close(&key, ALICE), Err(UnknownListenKey));
        assert_eq!(keys.label(&key).as_deref(), Some("listen-key-1"));
        assert_eq!(keys.label("BTCUSDT"), None);
    }

    #[test]
    fn ended_keys_are_known_for_a_while() {
        let mut keys = ListenKeyStore::new(7);
        let lasting = keys.open(BOB, minute(0));
        let mut last = String::new();
        for _ in 0..=ENDED_MAX {
            last = keys.open(ALICE, minute(0));
            assert_eq!(keys.close(&last, ALICE), Ok(()));
        }
        assert_eq!(keys.numbers.len(), ENDED_MAX + 1);
        assert_eq!(keys.label(&lasting).as_deref(), Some("listen-key-1"));
        assert_eq!(keys.label(&generate(7, 2)), None, "the first that ended");
        assert_eq!(keys.label(&generate(7, 3)).as_deref(), Some("listen-key-3"));
        assert_eq!(keys.label(&last).as_deref(), Some("listen-key-10002"));
    }

    #[test]
    fn keys_follow_from_seed_and_number() {
        let open = |seed| ListenKeyStore::new(seed).open(ALICE, minute(0));
        assert_eq!(open(1), open(1));
        assert_ne!(open(1), open(2));
    }
}
