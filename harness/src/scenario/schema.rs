//! The JSON Schemas of scenario files and of what stands beside them, for editors.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Scenario;

/// The schema as it is kept in `scenarios/schema/scenario.v1.json`.
pub fn json_schema() -> Value {
    schema_of::<Scenario>("scenario.v1.json", "Scenario, version 1")
}

/// The schema of a file that people write.
pub(crate) fn schema_of<T: JsonSchema>(id: &str, title: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("$id".to_owned(), id.into());
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}
