//! Bounds on what was counted or measured.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{I64Deserializer, MapAccessDeserializer, StrDeserializer, U64Deserializer};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::Dec;

/// What a value must be: exactly one value, or within a range whose ends belong to it.
///
/// Written as the bare value (`orders_booked: 0`) or as `{ min: 1 }`, `{ max: 10 }`, `{ min: 1, max: 10 }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound<T> {
    min: Option<T>,
    max: Option<T>,
}

/// A bound on a count.
pub type Count = Bound<u64>;

/// A bound on an amount; its decimals stand in quotes.
pub type DecBound = Bound<Dec>;

impl<T: PartialOrd> Bound<T> {
    /// Whether `value` lies within the bound.
    pub fn holds(&self, value: &T) -> bool {
        self.min.as_ref().is_none_or(|min| value >= min) && self.max.as_ref().is_none_or(|max| value <= max)
    }
}

impl<T: Clone> Bound<T> {
    /// Exactly `value`.
    pub fn exactly(value: T) -> Self {
        Self { min: Some(value.clone()), max: Some(value) }
    }
}

impl<T> Bound<T> {
    /// `value` or more.
    pub const fn at_least(value: T) -> Self {
        Self { min: Some(value), max: None }
    }

    /// `value` or less.
    pub const fn at_most(value: T) -> Self {
        Self { min: None, max: Some(value) }
    }

    /// The lower end.
    pub const fn min(&self) -> Option<&T> {
        self.min.as_ref()
    }

    /// The upper end.
    pub const fn max(&self) -> Option<&T> {
        self.max.as_ref()
    }
}

impl<T: fmt::Display + PartialEq> fmt::Display for Bound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) if min == max => write!(f, "exactly {min}"),
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("anything"),
        }
    }
}

impl<T: Serialize + PartialEq> Serialize for Bound<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) if min == max => min.serialize(serializer),
            _ => {
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                if let Some(min) = &self.min {
                    map.serialize_entry("min", min)?;
                }
                if let Some(max) = &self.max {
                    map.serialize_entry("max", max)?;
                }
                map.end()
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ends<T> {
    #[serde(default = "none")]
    min: Option<T>,
    #[serde(default = "none")]
    max: Option<T>,
}

/// `#[serde(default)]` would ask for `T: Default`, which an end of a range does not need.
const fn none<T>() -> Option<T> {
    None
}

impl<'de, T: Deserialize<'de> + PartialOrd + Clone + fmt::Display> Deserialize<'de> for Bound<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BoundVisitor(PhantomData))
    }
}

struct BoundVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + PartialOrd + Clone + fmt::Display> Visitor<'de> for BoundVisitor<T> {
    type Value = Bound<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one exact value, or `{ min: .., max: .. }`")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Bound<T>, E> {
        T::deserialize(U64Deserializer::new(value)).map(Bound::exactly)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Bound<T>, E> {
        T::deserialize(I64Deserializer::new(value)).map(Bound::exactly)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Bound<T>, E> {
        T::deserialize(de::value::F64Deserializer::new(value)).map(Bound::exactly)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Bound<T>, E> {
        T::deserialize(StrDeserializer::new(value)).map(Bound::exactly)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Bound<T>, A::Error> {
        let Ends { min, max } = Ends::<T>::deserialize(MapAccessDeserializer::new(map))?;
        match (&min, &max) {
            (None, None) => {
                Err(de::Error::custom("a bound needs `min`, `max` or both; leave the key out to accept anything"))
            }
            (Some(low), Some(high)) if low > high => Err(de::Error::custom(format_args!(
                "nothing is at least {low} and at most {high}; swap `min` and `max`"
            ))),
            _ => Ok(Bound { min, max }),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Bound<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Bound_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({
            "description": "One exact value, or a range whose ends belong to it.",
            "anyOf": [
                value,
                {
                    "type": "object",
                    "properties": { "min": value, "max": value },
                    "additionalProperties": false,
                    "minProperties": 1,
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(yaml: &str) -> Result<Count, String> {
        serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn exact_and_ranges() {
        assert_eq!(count("0"), Ok(Bound::exactly(0)));
        assert_eq!(count("{ min: 1 }"), Ok(Bound::at_least(1)));
        assert_eq!(count("{ max: 10 }"), Ok(Bound::at_most(10)));
        let both = count("{ min: 1, max: 10 }").expect("range");
        assert!(both.holds(&1) && both.holds(&10));
        assert!(!both.holds(&0) && !both.holds(&11));
        assert_eq!(both.to_string(), "1 to 10");
    }

    #[test]
    fn senseless_bounds_are_refused() {
        assert!(count("{}").expect_err("empty").contains("needs `min`"));
        assert!(count("{ min: 3, max: 2 }").expect_err("crossed").contains("swap"));
        assert!(count("{ least: 3 }").is_err());
        assert!(count("-1").is_err());
        assert!(count("\"3\"").is_err());
    }

    #[test]
    fn amounts_stand_in_quotes() {
        let bound: DecBound = serde_saphyr::from_str("{ min: \"0.5\" }").expect("quoted");
        assert!(bound.holds(&"0.50".parse().expect("plain")));
        let error = serde_saphyr::from_str::<DecBound>("{ min: 0.5 }").expect_err("bare").to_string();
        assert!(error.contains("in quotes"), "{error}");
        let error = serde_saphyr::from_str::<DecBound>("5").expect_err("bare").to_string();
        assert!(error.contains("in quotes"), "{error}");
    }
}
