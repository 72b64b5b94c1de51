//! Approvals: a person lets one call through that the policy does not let through by itself.
//!
//! ```text
//!           ask                approve              the same call again
//!  (call) ──────▶ pending ───────────────▶ approved ───────────────────▶ consumed
//!                  │    │ deny                  │ time
//!                  │    └──▶ denied             └──▶ expired
//!                  └──▶ expired
//! ```
//!
//! * A request is bound to the digest of server, grant, tool, canonical arguments (RFC 8785) and policy: whatever of them
//!   is another makes another request.
//! * Each state is left once and never entered again. A call after `consumed` or `expired` is a new request.
//! * While a request is pending or denied and its time has not run out, equal calls are the same request.
//! * An approval replaces nothing but the question: `deny_if`, `require` and limits are judged again, and first.
//! * [`state`](Approval) is pure; [`ApprovalBook`] keeps it in a file that people reach and agents do not.

mod book;
mod notice;
mod state;

pub use book::{ApprovalBook, ApprovalChange, ApprovalError};
pub use notice::{Notice, Notifier};
pub use state::{Approval, ApprovalState, Asked, NotOpen};
pub(crate) use state::{Meeting, meet};
