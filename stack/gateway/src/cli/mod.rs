//! The command `mcp-gateway`: clients on standard streams or over HTTP, a server as a child.

mod admin;
mod approvals;
mod args;
mod encryption;
mod failure;
mod file;
mod grants;
mod init;
mod listen;
mod pin;
mod reread;
mod run;
mod server;
mod settings;
mod setup;
mod shell;
mod signals;
mod webhook;

pub(crate) use run::main;
