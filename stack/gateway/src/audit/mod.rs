//! The audit: one line of JSON for every call and for every frame that was refused.
//!
//! A line is written *before* a call is forwarded, and a call that cannot be put on record is
//! denied. Lines tell argument names, never values; with an [`AuditKey`] also a keyed digest.
//! Whatever an agent sends, a record is one bounded line of printable ASCII.

mod key;
mod record;
mod sink;

pub use key::{AuditKey, AuditKeyTooShort, policy_digest};
pub use record::MAX_LINE_BYTES;
pub(crate) use record::{Record, Stamp, Verdict};
pub use sink::{AuditSink, FileAudit, MemoryAudit, WriterAudit};
