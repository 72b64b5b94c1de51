//! Decimals that keep every digit their author wrote.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// An exact decimal together with the text it was written as.
///
/// In a scenario it must stand in quotes: YAML reads a bare `0.10` as a binary fraction and forgets the last
/// digit, and a bare `1e3` is a number to one parser and a word to another. Plain digits with an optional
/// leading `-` and at most one point are accepted, nothing else: no exponent, no `+`, no spaces, no
/// separators, no `.5` and no `5.`.
#[derive(Clone)]
pub struct Dec {
    value: Decimal,
    text: String,
}

/// Why a text is not a decimal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecError {
    /// The text is not plain digits with at most one point.
    #[error("`{0}` is not a plain decimal; write digits with at most one point, such as \"0.10\"")]
    Malformed(String),
    /// The text has more digits than 96 bits hold.
    #[error("`{0}` has more digits than can be held exactly (28)")]
    TooLong(String),
}

impl Dec {
    /// The number.
    pub const fn value(&self) -> Decimal {
        self.value
    }

    /// The number as its author wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Nought.
    pub fn zero() -> Self {
        Self::from(Decimal::ZERO)
    }
}

impl Default for Dec {
    fn default() -> Self {
        Self::zero()
    }
}

impl From<Decimal> for Dec {
    fn from(value: Decimal) -> Self {
        Self { value, text: value.to_string() }
    }
}

impl FromStr for Dec {
    type Err = DecError;

    fn from_str(text: &str) -> Result<Self, DecError> {
        let malformed = || DecError::Malformed(text.to_owned());
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !fraction.is_none_or(plain) {
            return Err(malformed());
        }
        let value = Decimal::from_str_exact(text).map_err(|_| DecError::TooLong(text.to_owned()))?;
        Ok(Self { value, text: text.to_owned() })
    }
}

impl fmt::Display for Dec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Dec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dec({})", self.text)
    }
}

/// Two decimals are equal when their values are: `0.10` equals `0.1`.
impl PartialEq for Dec {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Dec {}

impl PartialOrd for Dec {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Dec {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}

impl Serialize for Dec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Dec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecVisitor)
    }
}

struct DecVisitor;

impl DecVisitor {
    fn bare<E: de::Error>(shown: impl fmt::Display) -> E {
        E::custom(format_args!("write the decimal in quotes, as in \"{shown}\": a bare number loses its digits"))
    }
}

impl Visitor<'_> for DecVisitor {
    type Value = Dec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal in quotes, such as \"0.10\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Dec, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, bare: i64) -> Result<Dec, E> {
        Err(Self::bare(bare))
    }

    fn visit_u64<E: de::Error>(self, bare: u64) -> Result<Dec, E> {
        Err(Self::bare(bare))
    }

    fn visit_f64<E: de::Error>(self, bare: f64) -> Result<Dec, E> {
        Err(Self::bare(bare))
    }
}

impl JsonSchema for Dec {
    fn inline_schema() -> bool {
        false
    }

    fn schema_name() -> Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^-?[0-9]+(\\.[0-9]+)?$",
            "description": "An exact decimal, in quotes: \"0.10\".",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_text() {
        let dec: Dec = "0.10".parse().expect("plain");
        assert_eq!(dec.text(), "0.10");
        assert_eq!(dec, "0.1".parse().expect("plain"));
    }

    #[test]
    fn refuses_what_is_not_plain() {
        for text in ["", "-", ".", "1.", ".5", "+1", "1e3", " 1", "1,000", "1_000", "0x1", "NaN", "--1", "1.2.3", "０"]
        {
            assert_eq!(text.parse::<Dec>(), Err(DecError::Malformed(text.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_held_exactly() {
        let text = "9".repeat(40);
        assert_eq!(text.parse::<Dec>(), Err(DecError::TooLong(text.clone())));
    }

    #[test]
    fn a_bare_number_is_told_to_wear_quotes() {
        for yaml in ["0.10", "5", "-5", "1e3"] {
            let error = serde_saphyr::from_str::<Dec>(yaml).expect_err(yaml).to_string();
            assert!(error.contains("write the decimal in quotes"), "{yaml}: {error}");
        }
    }

    #[test]
    fn a_quoted_number_is_taken() {
        let dec: Dec = serde_saphyr::from_str("\"0.10\"").expect("quoted");
        assert_eq!(dec.text(), "0.10");
    }
}
