//! The words of `rogue audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const HELP: &str = "\
The audit's file is named alone; those that were set aside as FILE.000001 and so on are found beside it.

Exit codes: 0 the chain is whole, or there were records to show; 1 the chain is broken; 2 the key makes no sense;
65 a file cannot be read.";

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Walk the chain of records, and say where it is broken first and how; 1 when it is
    #[command(after_help = HELP)]
    Verify {
        #[command(flatten)]
        file: AuditFile,
        /// The file with the key that the gateway was given with --audit-key-file
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
    /// Tell every record, and what became of each call
    #[command(after_help = HELP)]
    Show {
        #[command(flatten)]
        file: AuditFile,
    },
    /// Tell the records that fit
    #[command(after_help = HELP)]
    Query(AuditQuery),
}

#[derive(Debug, Args)]
pub(crate) struct AuditFile {
    /// The audit, as the gateway was given it with --audit
    #[arg(value_name = "FILE")]
    pub(crate) path: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AuditQuery {
    #[command(flatten)]
    pub(crate) file: AuditFile,
    /// Calls of this tool
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Option<String>,
    /// Decisions: `allow`, `deny`, `escalate` or `refuse`
    #[arg(long, value_name = "WORD", value_parser = ["allow", "deny", "escalate", "refuse"])]
    pub(crate) decision: Option<String>,
    /// Calls of this grant
    #[arg(long, value_name = "NAME")]
    pub(crate) grant: Option<String>,
    /// Calls of this session
    #[arg(long, value_name = "NAME")]
    pub(crate) session: Option<String>,
    /// Decisions for this reason, such as `limit_reached`
    #[arg(long, value_name = "CODE")]
    pub(crate) reason: Option<String>,
    /// Decisions by rules whose pointer begins so, such as `/tools/bn_new_order`
    #[arg(long, value_name = "POINTER")]
    pub(crate) rule: Option<String>,
    /// Calls of which this became: `succeeded`, `failed`, `unknown` or `never_sent`
    #[arg(long, value_name = "WORD", value_parser = ["succeeded", "failed", "unknown", "never_sent"])]
    pub(crate) outcome: Option<String>,
    /// Events of this name, such as `started`
    #[arg(long, value_name = "NAME")]
    pub(crate) event: Option<String>,
    /// From this moment on, in milliseconds since 1970
    #[arg(long, value_name = "MS")]
    pub(crate) since: Option<u64>,
    /// Before this moment
    #[arg(long, value_name = "MS")]
    pub(crate) until: Option<u64>,
}
