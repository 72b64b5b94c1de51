//! What an exchange with many orders takes of the machine's memory.

use std::error::Error;
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::engine::Market;
use crate::numbers::{grouped, hundredths};
use crate::row::Row;
use crate::{Part, Size};

/// The cap of the capped journal.
const JOURNAL_CAP: usize = 1 << 20;
/// Megabytes are millions of bytes.
const RESIDENT_MAX: u64 = 64_000_000;
const ORDERS: u64 = 1_000_000;
const RESTING: u64 = 10_000;
/// How many times as many orders are carried out to see whether memory grows with them,
const TIMES: u64 = 4;
/// and how much it may, in hundredths.
const GROWN_MAX: u64 = 110;

/// The resident memory of this process in bytes.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("resident memory is read from /proc/self/status, which needs Linux: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1_024)
}

/// Carries out so many orders in all; tells what is resident then.
fn until(market: &mut Market, orders: u64) -> Result<u64, Box<dyn Error>> {
    while market.exchange.order_count() < orders {
        market.step()?;
    }
    resident()
}

fn what(market: &Market, journal: &str) -> String {
    let (orders, trades) = (grouped(market.exchange.order_count()), grouped(market.trades()));
    format!("resident after {orders} orders and {trades} trades, journal {journal}")
}

/// A million orders, of which some ten thousand stay open, and all that can be asked about them.
pub fn measure(size: Size) -> Result<Vec<Row>, Box<dyn Error>> {
    let orders = size.of(ORDERS);
    let before = resident()?;
    let mut market = Market::new(RESTING)?;
    let after = until(&mut market, orders)?;
    let per_order = after.saturating_sub(before) * 100 / orders;
    let measured = format!(
        "{} MB with {} orders open; {} bytes an order, {} of them journal",
        hundredths(after / 10_000),
        grouped(market.open() as u64),
        hundredths(per_order),
        hundredths(market.exchange.journal().encoded_bytes() as u64 * 100 / orders),
    );
    let target = format!("below {} MB", RESIDENT_MAX / 1_000_000);
    Ok(vec![Row::new(what(&market, "kept"), measured, target, after < RESIDENT_MAX)])
}

/// As many orders again and again with the journal capped: what is resident does not grow.
pub fn measure_capped(size: Size) -> Result<Vec<Row>, Box<dyn Error>> {
    let orders = size.of(ORDERS);
    let mut market = Market::new(RESTING)?;
    market.exchange.cap_journal(JOURNAL_CAP);
    let first = until(&mut market, orders)?;
    let mut rows = vec![Row::new(
        what(&market, "capped at 1 MiB"),
        format!("{} MB", hundredths(first / 10_000)),
        format!("below {} MB", RESIDENT_MAX / 1_000_000),
        first < RESIDENT_MAX,
    )];
    let last = until(&mut market, orders * TIMES)?;
    let grown = last * 100 / first;
    rows.push(Row::new(
        what(&market, "capped at 1 MiB"),
        format!("{} MB, {} times", hundredths(last / 10_000), hundredths(grown)),
        format!("at most {} times what it was", hundredths(GROWN_MAX)),
        grown <= GROWN_MAX,
    ));
    Ok(rows)
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
