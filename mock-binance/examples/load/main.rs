//! What the mock bears: speed and size of the engine, a signed order over REST beside a constant answer, a thousand
//! subscribers. `just load`, or `cargo run --release -p mock-binance --example load -- --help`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a command that measures, tells its progress, and prints what it found"
)]

mod dice;
mod engine;
mod memory;
mod numbers;
mod rest;
mod row;
mod streams;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use row::{Row, print_json, print_table};

/// Measures the mock on this machine and holds it against its targets. Exit code 1 when one is missed.
#[derive(Debug, Parser)]
#[command(name = "load", version)]
struct Arguments {
    /// A tenth of the orders, rounds and subscribers: a check that fits into CI. Ratios have looser targets in it, and
    /// speed alone has none, since others may use the machine
    #[arg(long)]
    small: bool,

    /// The figures as JSON in place of the table
    #[arg(long)]
    json: bool,

    /// Only this part; each measurement of memory runs as a process of its own, so that none sees what another left
    #[arg(long, value_name = "PART")]
    part: Option<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Orders a second, and how that changes with the book
    Speed,
    /// Resident memory with the journal kept
    Memory,
    /// Resident memory with the journal capped: that it does not grow
    Capped,
    /// A signed order over REST beside a constant answer
    Rest,
    /// Subscribers of the streams
    Streams,
}

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Whether this is the form for CI.
    pub small: bool,
}

impl Size {
    /// The whole, or a tenth of it.
    pub const fn of(self, whole: u64) -> u64 {
        if self.small { whole / 10 } else { whole }
    }
}

fn run(part: Part, size: Size) -> Result<Vec<Row>, Box<dyn Error>> {
    eprintln!("load: {part:?} ...");
    match part {
        Part::Speed => engine::measure(size),
        Part::Memory => memory::measure(size),
        Part::Capped => memory::measure_capped(size),
        Part::Rest => rest::measure(size),
        Part::Streams => streams::measure(size),
    }
}

/// Memory is measured by processes of their own.
fn run_all(size: Size) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = run(Part::Speed, size)?;
    for part in [Part::Memory, Part::Capped] {
        rows.extend(memory::in_a_process(part, size)?);
    }
    rows.extend(run(Part::Rest, size)?);
    rows.extend(run(Part::Streams, size)?);
    Ok(rows)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let size = Size { small: arguments.small };
    if cfg!(debug_assertions) {
        eprintln!("load: this is no release build, so its figures mean nothing: cargo run --release");
    }
    let rows = match arguments.part {
        Some(part) => run(part, size),
        None => run_all(size),
    };
    let printed = rows.and_then(|rows| {
        if arguments.json {
            print_json(&rows)?;
        } else {
            print_table(&rows);
        }
        Ok(rows.iter().all(|row| row.met))
    });
    match printed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("load: a target was missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}
