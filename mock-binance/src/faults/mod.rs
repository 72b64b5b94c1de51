//! Faults: what goes wrong between a client and the exchange, on purpose and repeatably.
//!
//! ```text
//!  request ─▶ meet ─┬─▶ exchange ─▶ answer ─▶ alter ─▶ deliver (wait, slow, cut, drop) ─▶ client
//!                   └─▶ an error in its place ───────▶ deliver ────────────────────────▶ client
//!  event ───▶ meet ─▶ none, one or two frames, or the end of the connection ───────────▶ client
//! ```
//!
//! Which fault meets what is decided here and depends on nothing but the faults and the order of requests and events;
//! the faces only carry it out. The exchange knows nothing of it: its journal tells what was done, the transcript what
//! the client was told.

mod alter;
mod delivery;
mod fault;
mod meeting;
mod store;
mod timers;

pub use fault::{Effect, Fault, FaultError, Meets, Often, Stage};
pub use store::FaultStatus;

pub(crate) use delivery::{Delivery, deliver};
pub(crate) use meeting::{Meeting, Refusal, Request};
pub(crate) use store::{Faults, Told};
pub(crate) use timers::Timers;
