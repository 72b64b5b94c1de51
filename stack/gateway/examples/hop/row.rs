//! What was measured, as a table or as JSON.

use serde::Serialize;

use crate::numbers::{grouped, hundredths};

/// One figure and its target.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub what: String,
    /// Without the gateway; empty where there is no such thing.
    pub direct: String,
    /// With it.
    pub through: String,
    /// Of the two.
    pub ratio: String,
    pub target: String,
    pub met: bool,
}

impl Row {
    /// Two times, of which the second may be at most so many hundredths of the first.
    pub fn times(what: impl Into<String>, direct: u64, through: u64, most: Option<u64>) -> Self {
        let ratio = through.saturating_mul(100) / direct.max(1);
        Self {
            what: what.into(),
            direct: micros(direct),
            through: micros(through),
            ratio: hundredths(ratio),
            target: most.map_or_else(String::new, |most| format!("at most {}", hundredths(most))),
            met: most.is_none_or(|most| ratio <= most),
        }
    }

    /// Two numbers of calls a second, of which the second must be at least so many hundredths of the first.
    pub fn rates(what: impl Into<String>, direct: u64, through: u64, least: u64) -> Self {
        let ratio = through.saturating_mul(100) / direct.max(1);
        Self {
            what: what.into(),
            direct: format!("{}/s", grouped(direct)),
            through: format!("{}/s", grouped(through)),
            ratio: hundredths(ratio),
            target: format!("at least {}", hundredths(least)),
            met: ratio >= least,
        }
    }

    /// A figure of the gateway alone.
    pub fn alone(what: impl Into<String>, through: String, target: impl Into<String>, met: bool) -> Self {
        let none = String::new;
        Self { what: what.into(), direct: none(), through, ratio: none(), target: target.into(), met }
    }
}

pub fn print_json(rows: &[Row]) -> Result<(), serde_json::Error> {
    println!("{}", serde_json::to_string_pretty(rows)?);
    Ok(())
}

/// A column's head, and its cell in a row.
type Column = (&'static str, fn(&Row) -> &str);

pub fn print_table(rows: &[Row]) {
    let columns: [Column; 5] = [
        ("what", |row| &row.what),
        ("direct", |row| &row.direct),
        ("through", |row| &row.through),
        ("ratio", |row| &row.ratio),
        ("target", |row| &row.target),
    ];
    let widths =
        columns.map(|(head, of)| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).max(head.len()));
    let line = |cells: [&str; 5], last: &str| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>();
        println!("{}  {last}", cells.join("  "));
    };
    line(columns.map(|(head, _)| head), "met");
    for row in rows {
        let met = if row.target.is_empty() {
            ""
        } else if row.met {
            "yes"
        } else {
            "NO"
        };
        line(columns.map(|(_, of)| of(row)), met);
    }
}

/// Nanoseconds as microseconds with one place.
fn micros(nanos: u64) -> String {
    format!("{}.{} us", nanos / 1_000, nanos % 1_000 / 100)
}
