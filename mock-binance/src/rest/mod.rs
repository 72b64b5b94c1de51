//! The REST face: HTTP round the endpoints of [`api`](crate::api).
//!
//! ```text
//! wiremock ─▶ face ─▶ ban? ─▶ weight ─▶ endpoint
//!               ◀── headers, transcript ◀──┘
//! ```

mod face;

pub(crate) use face::Face;
