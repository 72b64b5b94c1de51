//! JSON in which no object has a name twice: two readers could take such a line for two different things.
//!
//! A text is read once. Whoever wants a part of it takes that part on the way ([`Pick`]); the rest is looked at and
//! dropped.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The value of a text that can be read in one way only.
pub(crate) fn without_doubles(text: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Whole>(text).ok().map(|whole| whole.0)
}

/// What is taken of a JSON value on the way through it.
pub(crate) trait Pick<'de>: Default {
    /// The value is this text.
    fn text(&mut self, _text: Cow<'de, str>) {}

    /// The value is an object with this name in it: reads what the name stands for, or leaves it and says `false`.
    fn member<A: MapAccess<'de>>(&mut self, _name: &str, _object: &mut A) -> Result<bool, A::Error> {
        Ok(false)
    }
}

/// Nothing is taken.
impl Pick<'_> for () {}

/// A text, if the value is one. It is not copied where it stands as it is in what is read.
impl<'de: 'a, 'a> Pick<'de> for Option<Cow<'a, str>> {
    fn text(&mut self, text: Cow<'de, str>) {
        *self = Some(text);
    }
}

/// Any JSON value without doubled names, and what was taken of it.
pub(crate) struct Seen<T>(pub(crate) T);

/// Any JSON value without doubled names; the value itself is dropped.
pub(crate) type NoDoubles = Seen<()>;

impl<'de, T: Pick<'de>> Deserialize<'de> for Seen<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut taken = T::default();
        deserializer.deserialize_any(Look(&mut taken))?;
        Ok(Self(taken))
    }
}

/// What is taken is taken in place: a large one would be moved from level to level.
struct Look<'t, T>(&'t mut T);

impl<'de, T: Pick<'de>> Visitor<'de> for Look<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.0.text(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.text(Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<NoDoubles>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut names = Names::default();
        while let Some(Seen(name)) = object.next_key::<Seen<Option<Cow<'de, str>>>>()? {
            let name = name.unwrap_or_default();
            if names.has(&name) {
                return Err(doubled(&name));
            }
            if !self.0.member(&name, &mut object)? {
                object.next_value::<NoDoubles>()?;
            }
            names.add(name);
        }
        Ok(())
    }
}

fn doubled<E: Error>(name: &str) -> E {
    E::custom(format_args!("the name `{name}` stands there twice"))
}

/// The names of one object. Most objects have few, which are looked through; beyond those an object might have any
/// number.
#[derive(Default)]
struct Names<'de> {
    first: [Cow<'de, str>; 8],
    len: usize,
    more: BTreeSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    fn has(&self, name: &str) -> bool {
        self.first.iter().take(self.len).any(|known| known == name) || self.more.contains(name)
    }

    fn add(&mut self, name: Cow<'de, str>) {
        match self.first.get_mut(self.len) {
            Some(place) => {
                *place = name;
                self.len += 1;
            }
            None => {
                self.more.insert(name);
            }
        }
    }
}

/// A whole JSON value without doubled names.
pub(crate) struct Whole(pub(crate) Value);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Build).map(Self)
    }
}

/// A field that holds any value.
pub(super) fn value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Whole::deserialize(deserializer).map(|whole| whole.0)
}

/// A field that holds any value but `null`, which is as if it were missing.
pub(super) fn some_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    value(deserializer).map(|value| Some(value).filter(|value| !value.is_null()))
}

struct Build;

impl<'de> Visitor<'de> for Build {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Whole(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(doubled(&name));
            }
            let Whole(value) = object.next_value()?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_name_is_found_among_any_number_of_names() {
        for count in 1..30 {
            let names: Vec<_> = (0..count).map(|place| format!(r#""n{place}":{{}}"#)).collect();
            let object = |more: &str| format!(r"[{{{}{more}}}]", names.join(","));
            assert!(serde_json::from_str::<NoDoubles>(&object("")).is_ok());
            for doubled in 0..count {
                for name in [format!("n{doubled}"), format!(r"\u006e{doubled}")] {
                    let text = object(&format!(r#","{name}":1"#));
                    let told = serde_json::from_str::<NoDoubles>(&text).err().map(|error| error.to_string());
                    assert!(
                        told.is_some_and(|told| told.contains(&format!("`n{doubled}` stands there twice"))),
                        "{text}"
                    );
                    assert_eq!(without_doubles(text.as_bytes()), None, "{text}");
                }
            }
        }
    }
}
