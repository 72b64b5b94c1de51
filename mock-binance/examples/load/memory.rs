//! What an exchange with many orders takes of the machine's memory.

use std::error::Error;
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::engine::Market;
use crate::row::{Row, grouped, hundredths};
use crate::{Part, Size};

/// The cap of the capped journal.
pub const JOURNAL_CAP: usize = 1 << 20;
/// Megabytes are millions of bytes.
const RESIDENT_MAX: u64 = 64_000_000;
const ORDERS: u64 = 1_000_000;
const RESTING: u64 = 10_000;

/// The resident memory of this process in bytes.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("resident memory is read from /proc/self/status, which needs Linux: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1_024)
}

/// A million orders, of which some ten thousand stay open.
pub fn measure(size: Size, cap: Option<usize>) -> Result<Vec<Row>, Box<dyn Error>> {
    let orders = size.of(ORDERS);
    let before = resident()?;
    let mut market = Market::new(RESTING)?;
    if let Some(bytes) = cap {
        market.exchange.cap_journal(bytes);
    }
    while market.exchange.order_count() < orders {
        market.step()?;
    }
    let after = resident()?;
    let per_order = after.saturating_sub(before) * 100 / orders;
    let journal = market.exchange.journal();
    let (kept, most) = (if cap.is_some() { "capped" } else { "kept" }, RESIDENT_MAX);
    let what =
        format!("resident after {} orders and {} trades, journal {kept}", grouped(orders), grouped(market.trades()));
    let measured = format!(
        "{} MB with {} orders open; {} bytes an order, {} of them journal",
        hundredths(after / 10_000),
        grouped(market.open() as u64),
        hundredths(per_order),
        hundredths(journal.encoded_bytes() as u64 * 100 / orders),
    );
    Ok(vec![Row::new(what, measured, format!("below {} MB", most / 1_000_000), after < most)])
}

/// Runs a measurement as a process of its own.
pub fn in_a_process(part: Part, size: Size) -> Result<Vec<Row>, Box<dyn Error>> {
    let name = part.to_possible_value().ok_or("a part without a name")?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--json", "--part", name.get_name()]).stderr(Stdio::inherit());
    if size.small {
        command.arg("--small");
    }
    let output = command.output()?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("the measurement of {} ended with {}: {error}", name.get_name(), output.status).into())
}
