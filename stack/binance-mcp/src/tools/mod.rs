//! What the 23 tools are, as data.
//!
//! * `spec`: the shapes of the data.
//! * `table`: one entry a tool; the only place that says what a tool is called, takes and does.
//! * `schema`: the JSON Schema and the MCP definition of an entry, and the compiled catalogue.

mod spec;

mod table;

mod schema;

pub(crate) use schema::{Tool, catalogue};
pub use schema::{ToolDefinition, tools};
pub use spec::{Access, Endpoint, Hints};
pub(crate) use spec::{Kind, Spec};
