//! JSON-RPC frames: lines in, messages out, and the reasons for which a frame is none.
//!
//! Nothing here knows a session or a policy. [`lines`] cuts a stream, `mcp_policy::strict` parses a
//! line, [`envelope`] says what kind of message a client sent and [`answer`] what a server sent,
//! [`reply`] writes frames into a [`Queue`].

pub(crate) mod answer;
mod closed;
pub(crate) mod envelope;
mod id;
pub(crate) mod lines;
mod queue;
mod refusal;
pub(crate) mod reply;
pub(crate) mod text;

pub(crate) use closed::{Members, Text};
pub(crate) use id::probe_id;
pub use id::{MAX_ID_BYTES, RequestId};
pub use queue::Queue;
pub use refusal::Refusal;
#[cfg(feature = "http")]
pub(crate) use refusal::SUPPORTED_VERSIONS;
pub(crate) use refusal::is_json;
