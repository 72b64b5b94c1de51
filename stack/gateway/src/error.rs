//! What can end a session badly.

use std::io;

use crate::session::SessionSummary;

/// A session whose transport broke. A peer that merely closes its end is no error.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Reading from the client or writing to it failed.
    #[error("the connection to the client broke: {source}")]
    Client {
        /// What the transport said.
        source: io::Error,
        /// What the session did up to its end.
        summary: SessionSummary,
    },
    /// There is no server to begin with.
    #[error("the server cannot be reached: {source}")]
    Unreached {
        /// Why.
        source: io::Error,
    },
    /// The server was lost while its client was there, and none could take its place.
    #[error("the server was lost, and is not started again: {why}")]
    NotRestarted {
        /// Why there is no other.
        why: String,
        /// What the session did up to its end.
        summary: SessionSummary,
    },
    /// Reading from the server or writing to it failed.
    #[error("the connection to the server broke: {source}")]
    Server {
        /// What the transport said.
        source: io::Error,
        /// What the session did up to its end.
        summary: SessionSummary,
    },
}

impl GatewayError {
    /// What the session did up to its end, if it had begun.
    pub fn summary(&self) -> Option<&SessionSummary> {
        match self {
            Self::Client { summary, .. } | Self::Server { summary, .. } | Self::NotRestarted { summary, .. } => {
                Some(summary)
            }
            Self::Unreached { .. } => None,
        }
    }
}
