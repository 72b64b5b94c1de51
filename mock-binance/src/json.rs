//! Small helpers to write the exchange's JSON without building trees of values.

use std::fmt::Display;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Anything that displays, as a JSON string: decimals are written so.
pub(crate) struct Text<T>(pub(crate) T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The JSON of a value. The types of this crate always serialise: no maps with odd keys, no failing fields.
pub(crate) fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// As [`text`], in bytes.
pub(crate) fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// As [`text`], to be put into another value.
pub(crate) fn raw(value: &impl Serialize) -> Box<RawValue> {
    RawValue::from_string(text(value)).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
