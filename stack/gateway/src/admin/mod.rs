//! What people see and do beside the agents' own door: requests for approval, decisions, the kill switch, figures.
//!
//! ```text
//!  browser ── cookie, and a token of the page's in each form ──┐
//!  scripts ── Authorization: Bearer ──────────────────────────┴▶ routes ─▶ ApprovalBook, KillSwitch ─▶ audit
//!                                                                  └──────▶ Watch: the latest decisions, counts
//! ```
//!
//! It listens on an address and with a token of its own, neither of which an agent has. Everything that is shown of an
//! agent's making is escaped twice: for people, so that it draws nothing and begins no line, and for HTML.

mod logins;
mod metrics;
mod page;
mod routes;
mod table;
mod watch;

pub use routes::{Admin, AdminConfig, AdminTokenTooShort};
pub use watch::{Watch, Watched};
