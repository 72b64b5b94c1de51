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
    /// What the session did up to its end.
    pub fn summary(&self) -> &SessionSummary {
        match self {
            Self::Client { summary, .. } | Self::Server { summary, .. } => summary,
        }
    }
}
