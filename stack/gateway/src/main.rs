//! The command `mcp-gateway`.

fn main() {}
