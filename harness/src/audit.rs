//! The audit of our own gateway, read by the gateway's own code: the command line meets it here.

pub use mcp_gateway::trail::{
    Damage, Entries, Entry, Finding, Outcome, Query, TrailError, Verified, entries, files, verify,
};
pub use mcp_gateway::{AuditKey, AuditKeyTooShort};
