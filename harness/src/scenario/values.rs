//! Free-form values inside a scenario: JSON, but without the numbers that YAML spoils.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The arguments of a tool call, in the order they were written.
///
/// Texts may hold references to earlier replies, see [`Call`](super::Call). A bare fraction is refused, for
/// the exchange's decimals are texts; use a `raw` step to send a fraction as a JSON number.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Args(pub Map<String, Value>);

/// Any value that may be sent: text, whole number, boolean, null, list or map. Never a bare fraction.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Data(pub Value);

impl Deref for Args {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl Deref for Data {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DataVisitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ArgsVisitor).map(Self)
    }
}

struct ArgsVisitor;

impl<'de> Visitor<'de> for ArgsVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of arguments; use a `raw` step to send arguments of another shape")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Data(value))) = access.next_entry::<String, Data>()? {
            map.insert(key, value);
        }
        Ok(map)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, whole number, boolean, null, list or map")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Err(E::custom(format_args!(
            "write the number in quotes, as in \"{value}\": a bare fraction loses its digits (a `raw` step can send one)"
        )))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Data(value)) = access.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        ArgsVisitor.visit_map(access).map(Value::Object)
    }
}

impl JsonSchema for Args {
    fn schema_name() -> Cow<'static, str> {
        "Args".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<Data>();
        json_schema!({
            "type": "object",
            "description": "The arguments of the call. Decimals stand in quotes; \"${name.path}\" is a value from an earlier reply.",
            "additionalProperties": value,
        })
    }
}

impl JsonSchema for Data {
    fn schema_name() -> Cow<'static, str> {
        "Data".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<Self>();
        json_schema!({
            "description": "Text, whole number, boolean, null, list or map; never a bare fraction.",
            "anyOf": [
                { "type": ["string", "integer", "boolean", "null"] },
                { "type": "array", "items": value },
                { "type": "object", "additionalProperties": value },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_keep_their_types() {
        let args: Args =
            serde_saphyr::from_str("{ symbol: BTCUSDT, limit: 5, deep: [true, null, { a: \"0.10\" }] }").expect("args");
        assert_eq!(
            Value::Object(args.0),
            json!({ "symbol": "BTCUSDT", "limit": 5, "deep": [true, null, { "a": "0.10" }] })
        );
    }

    #[test]
    fn a_bare_fraction_is_refused_at_any_depth() {
        for yaml in ["{ quantity: 0.10 }", "{ a: [ { b: 1e3 } ] }"] {
            let error = serde_saphyr::from_str::<Args>(yaml).expect_err(yaml).to_string();
            assert!(error.contains("in quotes"), "{yaml}: {error}");
        }
    }
}
