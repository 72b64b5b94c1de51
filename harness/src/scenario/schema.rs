//! The JSON Schema of scenario files, for editors.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Scenario;

/// The schema as it is kept in `scenarios/schema/scenario.v1.json`.
pub fn json_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Scenario>();
    schema.insert("$id".to_owned(), "scenario.v1.json".into());
    schema.insert("title".to_owned(), "Scenario, version 1".into());
    schema.to_value()
}
