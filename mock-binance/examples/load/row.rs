//! What was measured, as a table or as JSON.

use serde::{Deserialize, Serialize};

/// One figure and its target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub what: String,
    pub measured: String,
    pub target: String,
    pub met: bool,
}

impl Row {
    pub fn new(what: impl Into<String>, measured: String, target: impl Into<String>, met: bool) -> Self {
        Self { what: what.into(), measured, target: target.into(), met }
    }
}

pub fn print_json(rows: &[Row]) -> Result<(), serde_json::Error> {
    println!("{}", serde_json::to_string_pretty(rows)?);
    Ok(())
}

pub fn print_table(rows: &[Row]) {
    let width = |of: fn(&Row) -> &str, head: &str| {
        rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).max(head.len())
    };
    let (what, measured) = (width(|row| &row.what, "what"), width(|row| &row.measured, "measured"));
    let target = width(|row| &row.target, "target");
    println!("{:what$}  {:measured$}  {:target$}  met", "what", "measured", "target");
    for row in rows {
        let met = if row.met { "yes" } else { "NO" };
        println!("{:what$}  {:measured$}  {:target$}  {met}", row.what, row.measured, row.target);
    }
}
