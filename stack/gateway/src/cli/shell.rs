//! Completions for shells, and the manual page: both are made of the command line itself.

use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::Args;
use super::failure::Failure;

pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "mcp-gateway", &mut text);
    print(&text)
}

pub(super) fn man() -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Args::command()).render(&mut text).map_err(Failure::Output)?;
    print(&text)
}

fn print(text: &[u8]) -> Result<(), Failure> {
    io::Write::write_all(&mut io::stdout().lock(), text).map_err(Failure::Output)
}
