//! Checks a server's JSON without building it.
//!
//! Answers can be large and are passed on as they were written, so they are walked once: the
//! grammar, UTF-8, surrogates, ranges of numbers and depth by `serde_json`, duplicate keys and NUL
//! in keys here. Keys that differ only by case are let be: the exchange's own data has them (a
//! trade's `m` and `M`), and the gateway decides nothing by what is inside an answer.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// Walks any value and keeps nothing of it.
struct Walk;

/// Refuses `text` unless every object in it has each key once.
pub(crate) fn check(text: &RawValue) -> Result<(), serde_json::Error> {
    Walk.deserialize(&mut serde_json::Deserializer::from_str(text.get()))
}

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
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
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Walk)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Keys::default();
        while let Some(Text(key)) = map.next_key()? {
            seen.add(key)?;
            map.next_value_seed(Walk)?;
        }
        Ok(())
    }
}

/// The members of one object in their order, each value as it was written.
#[derive(Debug, Default)]
pub(crate) struct Members<'a>(pub(crate) Vec<(Cow<'a, str>, Cow<'a, RawValue>)>);

impl<'a> Members<'a> {
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Cow<'a, RawValue>> {
        self.0.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(key), value)) = map.next_entry::<_, &RawValue>()? {
                    members.push((key, Cow::Borrowed(value)));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value.as_ref())))
    }
}

/// A string, borrowed where it holds no escape.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Take)
    }
}

/// The keys of one object so far. Most objects are small, and comparing beats hashing there.
#[derive(Default)]
pub(crate) struct Keys<'a> {
    few: Vec<Cow<'a, str>>,
    many: BTreeSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    const FEW: usize = 16;

    /// Fails on a key that stood here before, or that some parsers would cut short.
    pub(crate) fn add<E: Error>(&mut self, key: Cow<'a, str>) -> Result<(), E> {
        if key.contains('\0') {
            return Err(E::custom("a key holds a NUL character"));
        }
        if self.few.contains(&key) || self.many.contains(&key) {
            return Err(E::custom("a key stands twice"));
        }
        if self.few.len() < Self::FEW {
            self.few.push(key);
        } else {
            self.many.insert(key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(text: &str) -> bool {
        serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| check(raw).is_ok())
    }

    #[test]
    fn keys_stand_once_at_every_depth() {
        assert!(ok(r#"{"m":1,"M":2,"a":[{"m":true},{"m":null}],"b":{"m":"m"}}"#));
        assert!(!ok(r#"{"a":1,"\u0061":2}"#));
        assert!(!ok(r#"[{"x":[{"a":1,"b":2,"a":3}]}]"#));
        assert!(!ok(r#"{"a\u0000":1}"#));
        let mut many: Vec<_> = (0..100).map(|n| format!(r#""{n}":{n}"#)).collect();
        assert!(ok(&format!("{{{}}}", many.join(","))));
        for twice in [3, 50, 99] {
            many.push(format!(r#""{twice}":0"#));
            assert!(!ok(&format!("{{{}}}", many.join(","))));
            many.pop();
        }
    }

    #[test]
    fn what_other_parsers_might_not_read_is_refused() {
        assert!(!ok(r#""\ud800""#));
        assert!(!ok("1e400"));
        assert!(!ok(&format!("{}{}", "[".repeat(200), "]".repeat(200))));
        assert!(!ok("[1] [2]"));
    }

    #[test]
    fn members_keep_order_and_text() {
        let text = r#"{"z":1.50,"a":{"x": [1e2]},"b\n":"\u00e4"}"#;
        let mut members: Members<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&members).unwrap(), text);
        assert_eq!(members.get_mut("z").unwrap().get(), "1.50");
        *members.get_mut("z").unwrap() = Cow::Owned(RawValue::from_string("{}".into()).unwrap());
        assert!(serde_json::to_string(&members).unwrap().starts_with(r#"{"z":{},"#));
    }
}
