//! What clients are handed where a tape has a placeholder.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::cassette::is_placeholder;

/// As many as a key of the exchange has.
const LETTERS: usize = 64;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Words of the shape of the secrets that were taken out, the same for the same placeholder in every replay: a client
/// may hold a listen key to be one, and sends it in a path where a placeholder could not stand.
#[derive(Debug, Default)]
pub(super) struct StandIns {
    to_tape: BTreeMap<String, String>,
}

impl StandIns {
    /// Text of the tape as a client is told it.
    pub(super) fn hand_out(&mut self, text: &str) -> String {
        let mut told = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(begin) = rest.find('[') {
            let (before, from) = rest.split_at(begin);
            told.push_str(before);
            let end = from.find(']').map_or(1, |end| end + 1);
            let (word, after) = from.split_at(end);
            if is_placeholder(word) {
                told.push_str(&self.of(word));
                rest = after;
            } else {
                // What follows may be the beginning of one: `[[key-1]`.
                told.push('[');
                rest = from.get(1..).unwrap_or_default();
            }
        }
        told.push_str(rest);
        told
    }

    fn of(&mut self, placeholder: &str) -> String {
        let mut word = String::with_capacity(LETTERS);
        let mut block = 0_u8;
        while word.len() < LETTERS {
            let digest = Sha256::new().chain_update(placeholder).chain_update([block]).finalize();
            let letters = digest.iter().filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()));
            word.extend(letters.map(|letter| char::from(*letter)));
            block = block.wrapping_add(1);
        }
        word.truncate(LETTERS);
        self.to_tape.insert(word.clone(), placeholder.to_owned());
        word
    }

    /// Text of a client in the words of the tape.
    pub(super) fn take_back(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (word, placeholder) in &self.to_tape {
            if text.contains(word.as_str()) {
                text = text.replace(word.as_str(), placeholder);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_out_comes_back() {
        let mut words = StandIns::default();
        let tape =
            r#"{"listenKey":"[listen-key-1]","list":[["[listen-key-2]"],[1]],"text":"[listen-key-1] [nothing-1] [["}"#;
        let told = words.hand_out(tape);
        assert_eq!(words.take_back(&told), tape);
        let value: serde_json::Value = serde_json::from_str(&told).unwrap();
        let key = value["listenKey"].as_str().unwrap();
        assert!(key.len() == 64 && key.bytes().all(|b| b.is_ascii_alphanumeric()), "{key}");
        assert_ne!(value["list"][0][0], value["listenKey"]);
        assert_eq!(value["text"], format!("{key} [nothing-1] [["));
        assert_eq!(StandIns::default().hand_out("[listen-key-1]"), key, "the same each time");
    }
}
