//! Takes secrets out of what is about to be written.

use std::collections::BTreeMap;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::format::Body;
use super::scan;

/// The shortest word in which a remembered value, or something of the shape of a key, may stand: a shorter one would
/// take ordinary words with it.
const WORD_BYTES_MIN: usize = 16;

/// A rule of a user that is no regular expression.
#[derive(Debug, thiserror::Error)]
#[error("the rule `{rule}` is no regular expression: {why}")]
pub struct BadRule {
    rule: String,
    why: String,
}

/// Replaces secrets by placeholders such as `[api-key-1]`, the same for the same secret throughout a tape. The
/// numbers count by first appearance, so that a placeholder says nothing about what it stands for.
pub struct Redactor {
    placeholders: BTreeMap<String, String>,
    counts: BTreeMap<&'static str, u64>,
    rules: Vec<Regex>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// A redactor that also replaces whatever one of these regular expressions matches.
    ///
    /// # Errors
    /// One of them is none.
    pub fn new(rules: &[String]) -> Result<Self, BadRule> {
        let compiled =
            |rule: &str| Regex::new(rule).map_err(|error| BadRule { rule: rule.to_owned(), why: error.to_string() });
        Ok(Self {
            placeholders: BTreeMap::new(),
            counts: BTreeMap::new(),
            rules: rules.iter().map(|rule| compiled(rule)).collect::<Result<_, _>>()?,
        })
    }

    /// Remembers a secret that is known before it is seen.
    pub fn knows(&mut self, kind: &'static str, secret: &str) {
        self.placeholder(kind, secret);
    }

    pub(crate) fn body(&mut self, body: Body) -> Body {
        match body {
            Body::Json(value) => Body::Json(self.value(value)),
            Body::Text(text) => Body::Text(self.text(&text)),
            // Bytes that are no text may still hold some. Their text is what a reader would look at.
            Body::Hex(digits) => {
                let bytes = hex::decode(&digits).unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes);
                let clean = self.text(&text);
                if clean == text { Body::Hex(digits) } else { Body::Text(clean) }
            }
        }
    }

    fn value(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(list) => Value::Array(list.into_iter().map(|value| self.value(value)).collect()),
            Value::Object(map) => {
                let mut clean = Map::new();
                for (name, value) in map {
                    let value = match (kind(&name), value) {
                        (Some(kind), Value::String(secret)) => Value::String(self.placeholder(kind, &secret)),
                        (Some(kind), Value::Number(secret)) => {
                            Value::String(self.placeholder(kind, &secret.to_string()))
                        }
                        (_, value) => self.value(value),
                    };
                    // Names are the sender's words too.
                    clean.insert(self.text(&name), value);
                }
                Value::Object(clean)
            }
            value => value,
        }
    }

    fn text(&mut self, text: &str) -> String {
        let named = scan::fields(text, |name, value| kind(name).map(|kind| self.placeholder(kind, value)));
        let mut text = scan::words(&named, WORD_BYTES_MIN, |word| match self.placeholders.get(word) {
            Some(placeholder) => Some(placeholder.clone()),
            None => is_key_shaped(word).then(|| self.placeholder("key", word)),
        });
        // A regular expression that is cloned loses the room that it works in.
        let rules = std::mem::take(&mut self.rules);
        for rule in &rules {
            text = rule.replace_all(&text, |found: &Captures<'_>| self.placeholder("rule", &found[0])).into_owned();
        }
        self.rules = rules;
        text
    }

    /// Leaves the placeholders that stand in a body to what they stand for: no other secret gets one of their numbers.
    pub(crate) fn reserve(&mut self, body: &Body) {
        let text = match body {
            Body::Json(value) => value.to_string(),
            Body::Text(text) => text.clone(),
            Body::Hex(_) => return,
        };
        for part in text.split('[').skip(1) {
            let word = part.split(']').next().unwrap_or_default();
            let Some((kind, number)) = word.rsplit_once('-') else { continue };
            let kind = KINDS.into_iter().find(|known| *known == kind);
            if let (Some(kind), Ok(number)) = (kind, number.parse::<u64>()) {
                let count = self.counts.entry(kind).or_default();
                *count = number.max(*count);
            }
        }
    }

    fn placeholder(&mut self, kind: &'static str, secret: &str) -> String {
        if is_placeholder(secret) {
            return secret.to_owned();
        }
        if kind == "signature" {
            // No two are equal, so numbers would only cost memory.
            return "[signature]".to_owned();
        }
        if let Some(known) = self.placeholders.get(secret) {
            return known.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let placeholder = format!("[{kind}-{count}]");
        self.placeholders.insert(secret.to_owned(), placeholder.clone());
        if kind != "account" {
            for part in secret.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| part.len() >= WORD_BYTES_MIN) {
                self.placeholders.entry(part.to_owned()).or_insert_with(|| placeholder.clone());
            }
        }
        placeholder
    }
}

/// Whether this is what stands in place of a secret: `[api-key-1]`, `[signature]`.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inner.is_some_and(|inner| {
        let kind = inner.trim_end_matches(|c: char| c.is_ascii_digit());
        let kind = if kind.len() < inner.len() { kind.strip_suffix('-').unwrap_or_default() } else { kind };
        KINDS.contains(&kind)
    })
}

/// What is taken out.
const KINDS: [&str; 8] = ["signature", "account", "token", "listen-key", "api-key", "secret", "key", "rule"];

/// Which secret a field of this name holds.
fn kind(name: &str) -> Option<&'static str> {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match name.as_str() {
        "signature" => Some("signature"),
        "uid" | "accountid" | "subaccountid" => Some("account"),
        "authorization" | "proxyauthorization" | "bearer" | "accesstoken" | "refreshtoken" => Some("token"),
        _ if name.contains("listenkey") => Some("listen-key"),
        _ if name.contains("apikey") => Some("api-key"),
        _ if name.contains("secret") || name.contains("password") || name.contains("privatekey") => Some("secret"),
        _ => None,
    }
}

/// Whether a word has the shape of Binance's keys and listen keys: 60 to 64 letters of both cases, and digits.
fn is_key_shaped(word: &str) -> bool {
    (60..=64).contains(&word.len())
        && word.bytes().any(|b| b.is_ascii_uppercase())
        && word.bytes().any(|b| b.is_ascii_lowercase())
        && word.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";

    fn clean(redactor: &mut Redactor, frame: &str) -> String {
        match redactor.body(Body::of(frame.as_bytes())) {
            Body::Json(value) => value.to_string(),
            Body::Text(text) => text,
            Body::Hex(digits) => digits,
        }
    }

    #[test]
    fn secrets_go_wherever_they_stand_and_equal_ones_stay_equal() {
        let mut redactor = Redactor::new(&[]).unwrap();
        for (frame, expected) in [
            (format!(r#"{{"BINANCE_API_KEY":"{KEY}"}}"#), r#"{"BINANCE_API_KEY":"[api-key-1]"}"#),
            (format!(r#"{{"text":"the key is {KEY}, keep it"}}"#), r#"{"text":"the key is [api-key-1], keep it"}"#),
            (format!(r#"{{"{KEY}":1}}"#), r#"{"[api-key-1]":1}"#),
            (format!(r#"{{"nested":"{{\"apiKey\":\"{KEY}\"}}"}}"#), r#"{"nested":"{\"apiKey\":\"[api-key-1]\"}"}"#),
            (
                r#"{"listenKey":"short","again":["short"]}"#.to_owned(),
                r#"{"listenKey":"[listen-key-1]","again":["short"]}"#,
            ),
            (r#"{"uid":354937868}"#.to_owned(), r#"{"uid":"[account-1]"}"#),
            (
                "symbol=X&signature=c8db56825a&apiKey=a=b".to_owned(),
                "symbol=X&signature=[signature]&apiKey=[api-key-2]",
            ),
            ("Authorization: Bearer abc.def".to_owned(), "Authorization: [token-1]"),
            ("proxy-authorization: Basic dTpw\r\nx: y".to_owned(), "proxy-authorization: [token-2]\r\nx: y"),
            ("the bearer abc.def".to_owned(), "the bearer [token-3]"),
            (format!(r#"{{ "odd" : "{KEY}" }}"#), r#"{ "odd" : "[api-key-1]" }"#),
            (r#"{"secretKey":"[hunter-2]"}"#.to_owned(), r#"{"secretKey":"[secret-1]"}"#),
            (r#"{"secretKey":"[secret-1]"}"#.to_owned(), r#"{"secretKey":"[secret-1]"}"#),
            (r#"{"price":"60000.00","symbol":"BTCUSDT"}"#.to_owned(), r#"{"price":"60000.00","symbol":"BTCUSDT"}"#),
        ] {
            assert_eq!(clean(&mut redactor, &frame), expected, "{frame}");
        }
        let bytes = [b"\xff apiKey=".as_slice(), KEY.as_bytes()].concat();
        assert!(!format!("{:?}", redactor.body(Body::of(&bytes))).contains(KEY));
    }

    #[test]
    fn what_is_known_before_is_found_without_a_name() {
        let mut redactor = Redactor::new(&["desk-[0-9]+".to_owned()]).unwrap();
        redactor.knows("secret", "abcdefghijklmnop1234");
        assert_eq!(clean(&mut redactor, "say abcdefghijklmnop1234 now"), "say [secret-1] now");
        assert_eq!(
            clean(&mut redactor, &json!({"who": "desk-17 or desk-18"}).to_string()),
            r#"{"who":"[rule-1] or [rule-2]"}"#
        );
        assert!(Redactor::new(&["(".to_owned()]).unwrap_err().to_string().contains("`(`"));
    }

    #[test]
    fn placeholders_that_are_there_keep_their_numbers() {
        let mut redactor = Redactor::new(&[]).unwrap();
        redactor.reserve(&Body::of(br#"{"a":"[secret-7] [secret-x] [nothing-9]","b":["[api-key-2]"]}"#));
        redactor.reserve(&Body::of(b"odd [secret-3]"));
        assert_eq!(
            clean(&mut redactor, r#"{"secretKey":"x","apiKey":"y"}"#),
            r#"{"secretKey":"[secret-8]","apiKey":"[api-key-3]"}"#
        );
    }

    #[test]
    fn what_is_clean_stays_as_it_is() {
        let mut redactor = Redactor::new(&[]).unwrap();
        let once = clean(&mut redactor, &format!("apiKey={KEY}&signature=ab&x=1"));
        assert_eq!(clean(&mut Redactor::new(&[]).unwrap(), &once), once);
    }
}
