//! Connections to the listeners, in the clear or encrypted.
//!
//! Encryption is agreed upon when something is first read or written, so that a listener accepts the next while a slow
//! one takes its time.

#[cfg(feature = "tls")]
mod encrypted;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

#[cfg(feature = "tls")]
use encrypted::Encrypted;

/// How those who connect are met.
#[derive(Clone, Default)]
pub(crate) struct Encryption {
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::ServerTls>,
    /// How long agreeing upon it may take.
    #[cfg(feature = "tls")]
    pub(crate) within: std::time::Duration,
}

#[cfg_attr(not(feature = "tls"), expect(clippy::unused_self, reason = "with the feature it is asked"))]
impl Encryption {
    pub(crate) fn is_on(&self) -> bool {
        #[cfg(feature = "tls")]
        let is_on = self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let is_on = false;
        is_on
    }

    pub(crate) fn meet(&self, stream: TcpStream) -> Socket {
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.clone() {
            return Socket::Encrypted(Encrypted::new(tls, stream, self.within));
        }
        Socket::Plain(stream)
    }
}

/// A listener that meets those who connect.
pub(crate) struct Listening {
    pub(crate) listener: TcpListener,
    pub(crate) encryption: Encryption,
}

impl axum::serve::Listener for Listening {
    type Io = Socket;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Socket, Self::Addr) {
        let (stream, peer) = axum::serve::Listener::accept(&mut self.listener).await;
        (self.encryption.meet(stream), peer)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// One connection.
pub(crate) enum Socket {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Encrypted(Encrypted),
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            #[cfg(feature = "tls")]
            Self::Encrypted(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(feature = "tls")]
            Self::Encrypted(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            #[cfg(feature = "tls")]
            Self::Encrypted(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Self::Encrypted(_) => true,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
