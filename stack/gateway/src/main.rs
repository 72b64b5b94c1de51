//! `mcp-gateway`: a policy in front of an MCP server. See `mcp-gateway --help`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
