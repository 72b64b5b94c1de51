//! The audit: what was decided about every call and every refused frame, and what became of it.
//!
//! ```text
//!  {"ts_ms":..,"seq":7,"decision":"allow",..,"n":12,"prev":"..","hash":".."}     before the call is forwarded
//!  {"ts_ms":..,"seq":7,"outcome":"succeeded",..,"n":13,"prev":"..","hash":".."}  when its answer came, or did not
//!  {"ts_ms":..,"event":"policy_reloaded",..}                                     what happened to the gateway itself
//! ```
//!
//! A decision is on record *before* its call is forwarded, and a call that cannot be put on record is denied. Lines
//! tell argument names, and those values alone that the policy shows; with an [`AuditKey`] also a keyed digest.
//! Whatever an agent sends, a record is one bounded line of printable ASCII. [`ChainedAudit`] makes a chain of them:
//! each record holds the hash of the one before.

pub(crate) mod chain;
mod file;
mod key;
mod record;
mod sink;

pub(crate) use file::beside;
pub use file::{ChainedAudit, ChainedAuditError, Rotation};
pub use key::{AuditKey, AuditKeyTooShort, policy_digest};
pub use record::MAX_LINE_BYTES;
pub(crate) use record::{Record, Settled, Stamp, Verdict, charges, event, shadows, shown};
pub use sink::{AuditSink, FileAudit, MemoryAudit, SharedAudit, WriterAudit, is_decision};
