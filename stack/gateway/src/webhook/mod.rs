//! Tells somebody who is not at the desk that a call waits for a person.
//!
//! ```text
//!  call ─▶ a new request ─▶ on record ─▶ Notifier ─▶ queue ─▶ task ─▶ POST, signed ─▶ receiver
//!                                          └ never waits      ◀── 2xx: over; 5xx, 429, none: again, later
//! ```
//!
//! A notice is told at least once while its request waits, within the bounds of [`WebhookLimits`]: a receiver knows it again
//! by `webhook-id`, which is the id of the request. It decides nothing; who is told of a request still has to go where
//! requests are decided.

mod address;
mod deliver;

pub use address::{BadWebhook, WebhookSecret};
pub use deliver::{Webhook, WebhookCounts, WebhookLimits};
