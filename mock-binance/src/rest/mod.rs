//! The REST face: HTTP round the endpoints of [`api`](crate::api).
//!
//! ```text
//! host ─▶ overlay? ─▶ face ─▶ ban? ─▶ weight ─▶ endpoint
//!                       ◀── headers, transcript ◀──┘
//! ```

mod face;
pub(crate) mod host;
mod overlay;

pub(crate) use face::Face;
pub(crate) use overlay::Overlay;
