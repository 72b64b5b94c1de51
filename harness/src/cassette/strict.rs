//! JSON in which no object has a name twice: two readers could take such a line for two different things.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The value of a text that can be read in one way only.
pub(crate) fn without_doubles(text: &[u8]) -> Option<Value> {
    serde_json::from_slice::<NoDoubles>(text).ok()?;
    serde_json::from_slice(text).ok()
}

/// Any JSON value without doubled names; the value itself is dropped.
pub(super) struct NoDoubles;

impl<'de> Deserialize<'de> for NoDoubles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = NoDoubles;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<NoDoubles, E> {
        Ok(NoDoubles)
    }

    fn visit_bool<E>(self, _: bool) -> Result<NoDoubles, E> {
        Ok(NoDoubles)
    }

    fn visit_i64<E>(self, _: i64) -> Result<NoDoubles, E> {
        Ok(NoDoubles)
    }

    fn visit_u64<E>(self, _: u64) -> Result<NoDoubles, E> {
        Ok(NoDoubles)
    }

    fn visit_f64<E>(self, _: f64) -> Result<NoDoubles, E> {
        Ok(NoDoubles)
    }

    fn visit_str<E>(self, _: &str) -> Result<NoDoubles, E> {
        Ok(NoDoubles)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<NoDoubles, A::Error> {
        while list.next_element::<NoDoubles>()?.is_some() {}
        Ok(NoDoubles)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NoDoubles, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format_args!("the name `{name}` stands there twice")));
            }
            map.next_value::<NoDoubles>()?;
            names.insert(name);
        }
        Ok(NoDoubles)
    }
}
