//! The command `mcp-gateway`: one client on standard input and output, one server as a child.

mod approvals;
mod args;
mod failure;
mod pin;
mod run;
mod setup;
mod signals;

pub(crate) use run::main;
