//! What the gateway costs: the same client and the same server, directly and with the gateway between them, in turn.
//! `just hop`, or after `cargo build --release -p mcp-gateway --bin mcp-gateway`,
//! `cargo run --release -p mcp-gateway --example hop -- --help`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a command that measures, tells its progress, and prints what it found"
)]

mod ask;
mod calls;
mod cores;
mod memory;
#[path = "../../../../mock-binance/examples/load/numbers.rs"]
mod numbers;
mod policy;
mod row;
mod server;
mod sessions;
mod soak;
mod stacks;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use cores::Cores;
use row::{Row, print_json, print_table};
use stacks::Way;

/// What went well, or why not.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Measures the gateway on this machine and holds it against its targets. Exit code 1 when one is missed.
#[derive(Debug, Parser)]
#[command(name = "hop", version)]
struct Arguments {
    /// Fewer calls, with the same targets
    #[arg(long)]
    small: bool,

    /// The figures as JSON in place of the table
    #[arg(long)]
    json: bool,

    /// Only this part
    #[arg(long, value_name = "PART")]
    part: Option<Part>,

    /// Only this way from the client to the server
    #[arg(long, value_name = "WAY")]
    way: Option<Way>,

    /// On which cores: a wake-up on another core takes several times as long as one on the same, so a median over all of
    /// them is that of two kinds of calls
    #[arg(long, value_name = "CORES", default_value = "one")]
    cores: Cores,

    /// Be the server, over standard streams or HTTP; the measurement starts it
    #[arg(long, value_name = "FRONT", hide = true)]
    serve: Option<server::Front>,

    /// As the server: fail now and then
    #[arg(long, hide = true, requires = "serve")]
    faulty: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One call after another, in one session, in eight, in sixty-four
    Calls,
    /// Many calls at once
    Throughput,
    /// Arguments and results of 64 KiB
    Large,
    /// From the start of the process until it answers
    Ready,
    /// Resident memory, at first and after many calls
    Memory,
    /// Sixty-four sessions with a server that fails: every call is answered once and recorded
    Soak,
}

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Whether there are fewer calls.
    pub small: bool,
    /// The only way, if not all are measured.
    pub way: Option<Way>,
}

impl Size {
    /// The whole, or a tenth of it.
    pub const fn of(self, whole: u64) -> u64 {
        if self.small { whole / 10 } else { whole }
    }

    /// What is measured.
    pub fn ways(self) -> Vec<Way> {
        self.way.map_or_else(|| Way::value_variants().to_vec(), |way| vec![way])
    }
}

fn run(part: Part, size: Size) -> Outcome<Vec<Row>> {
    eprintln!("hop: {part:?} ...");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match part {
            Part::Calls => calls::calls(size).await,
            Part::Throughput => calls::throughput(size).await,
            Part::Large => calls::large(size).await,
            Part::Ready => memory::ready(size).await,
            Part::Memory => memory::measure(size).await,
            Part::Soak => soak::measure(size).await,
        }
    })
}

fn measure(arguments: &Arguments) -> Outcome<Vec<Row>> {
    arguments.cores.keep()?;
    let size = Size { small: arguments.small, way: arguments.way };
    let parts = arguments.part.map_or_else(|| Part::value_variants().to_vec(), |part| vec![part]);
    let rows = parts.into_iter().map(|part| run(part, size)).collect::<Outcome<Vec<_>>>()?;
    Ok(rows.concat())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(front) = arguments.serve {
        return match server::serve(front, arguments.faulty) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("hop: the server: {error}");
                ExitCode::FAILURE
            }
        };
    }
    if cfg!(debug_assertions) {
        eprintln!("hop: this is no release build, so its figures mean nothing: cargo run --release");
    }
    let printed = measure(&arguments).and_then(|rows| {
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
            eprintln!("hop: a target was missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("hop: {error}");
            ExitCode::FAILURE
        }
    }
}
