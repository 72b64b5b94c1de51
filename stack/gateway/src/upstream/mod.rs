//! Where the server is, for whoever opens a connection for each session.

#[cfg(feature = "http")]
mod client;
#[cfg(feature = "http")]
mod http;

#[cfg(feature = "http")]
pub(crate) use client::Client;
#[cfg(feature = "http")]
pub use http::{BadUpstream, HttpUpstream};

use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

/// What is waited for when a session is over.
pub type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection to the server, one frame a line in each direction.
pub struct Connection {
    /// What the server says.
    pub read: Box<dyn AsyncRead + Send + Unpin>,
    /// What it is told. Closing it asks the server to end.
    pub write: Box<dyn AsyncWrite + Send + Unpin>,
    /// Ready when the server has ended after its input was closed.
    pub ended: Ended,
}

impl Connection {
    /// A connection of which nothing is left when both directions are closed.
    pub fn new(read: impl AsyncRead + Send + Unpin + 'static, write: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { read: Box::new(read), write: Box::new(write), ended: Box::pin(std::future::ready(())) }
    }

    /// The same, and the server's end is waited for.
    #[must_use]
    pub fn ending(self, ended: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { ended: Box::pin(ended), ..self }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection(..)")
    }
}

/// The future of a connection that is being opened.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Connection>> + Send + 'a>>;

/// Opens connections to one server.
pub trait Upstream: Send + Sync {
    /// Opens another connection.
    fn connect(&self) -> Connecting<'_>;
}

impl<F> Upstream for F
where
    F: Fn() -> io::Result<Connection> + Send + Sync,
{
    fn connect(&self) -> Connecting<'_> {
        Box::pin(std::future::ready(self()))
    }
}
