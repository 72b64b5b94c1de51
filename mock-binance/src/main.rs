//! The `mock-binance` command: starts a mock, says how to use it, and stops when told.
#![allow(clippy::print_stdout, reason = "a command talks on standard output")]

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::run(&cli::Arguments::parse())
}
