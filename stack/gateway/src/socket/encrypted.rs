//! A connection that is encrypted, or about to be.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::tls::ServerTls;

/// How much of a request in the clear is read, so that its sender gets to read the answer.
const PLAIN_BYTES_MAX: u64 = 64 * 1024;
/// What it is answered, whatever it is: nothing that was sent in the clear is looked at.
const PLAIN: &str =
    "this listener is encrypted: use https, and another token in place of one that was sent in the clear\n";

type Agreeing = Pin<Box<dyn Future<Output = io::Result<TlsStream<TcpStream>>> + Send>>;

/// A connection that is encrypted, or about to be.
pub(crate) enum Encrypted {
    Agreeing(Agreeing),
    Open(Box<TlsStream<TcpStream>>),
    /// Nothing came of it.
    Closed,
}

impl Encrypted {
    pub(super) fn new(tls: ServerTls, stream: TcpStream, within: Duration) -> Self {
        Self::Agreeing(Box::pin(async move {
            let agreed = tokio::time::timeout(within, agree(&tls, stream)).await;
            let agreed = agreed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            if let Err(error) = &agreed {
                tracing::debug!(%error, "a client and the listener came to no agreement upon encryption");
            }
            agreed
        }))
    }

    /// The stream, once it is there.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<TcpStream>>>> {
        if let Self::Agreeing(agreeing) = self {
            *self = match ready!(agreeing.as_mut().poll(cx)) {
                Ok(stream) => Self::Open(Box::new(stream)),
                Err(error) => {
                    *self = Self::Closed;
                    return Poll::Ready(Err(error));
                }
            };
        }
        match self {
            Self::Open(stream) => Poll::Ready(Ok(Pin::new(&mut **stream))),
            Self::Agreeing(_) | Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

async fn agree(tls: &ServerTls, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    // A handshake begins with 22 (RFC 8446, section 5.1), a request in the clear with the letters of its method.
    if stream.peek(&mut first).await? > 0 && first.iter().all(u8::is_ascii_uppercase) {
        let head = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length:";
        stream.write_all(format!("{head} {}\r\n\r\n{PLAIN}", PLAIN.len()).as_bytes()).await?;
        stream.shutdown().await?;
        // What is unread when a socket is closed takes with it what the other end has not read yet.
        tokio::io::copy(&mut stream.take(PLAIN_BYTES_MAX), &mut tokio::io::sink()).await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not encrypt"));
    }
    tls.accept(stream).await
}

impl AsyncRead for Encrypted {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(cx))?.poll_read(cx, into)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(cx))?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(cx))?.poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Open(stream) => Pin::new(&mut **stream).poll_flush(cx),
            // Nothing was written yet.
            Self::Agreeing(_) | Self::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Open(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            closed => {
                *closed = Self::Closed;
                Poll::Ready(Ok(()))
            }
        }
    }
}
