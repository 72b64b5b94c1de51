//! The ends of byte streams: frames out of a reader, a queue into a writer.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::wire::Queue;
use crate::wire::lines::LineBuffer;

/// One peer's stream of frames.
pub(super) struct Source<R> {
    /// Absent once it is let go.
    reader: Option<R>,
    pub(super) lines: LineBuffer,
    pub(super) ended: bool,
}

impl<R: AsyncRead + Unpin> Source<R> {
    pub(super) fn new(reader: R, max_frame: usize) -> Self {
        Self { reader: Some(reader), lines: LineBuffer::new(max_frame), ended: false }
    }

    /// Reads what is there; 0 means that the stream has ended. Dropping the wait loses nothing.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(reader) = &mut self.reader else {
            self.ended = true;
            return Poll::Ready(Ok(0));
        };
        let count = ready!(pin!(reader.read_buf(self.lines.space())).poll(cx));
        self.ended = !matches!(count, Ok(1..));
        Poll::Ready(count)
    }

    /// Hears nothing more, not even that the peer has closed.
    pub(super) fn let_go(&mut self) {
        self.reader = None;
        self.ended = true;
    }
}

/// The stream of frames to one peer.
pub(super) struct Outlet<W> {
    /// Absent when it was closed or broke. Dropping it closes pipes whose shutdown does nothing.
    writer: Option<W>,
    unflushed: bool,
}

impl<W: AsyncWrite + Unpin> Outlet<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer: Some(writer), unflushed: false }
    }

    /// Nothing can be written any more.
    pub(super) fn is_closed(&self) -> bool {
        self.writer.is_none()
    }

    /// Writes what is queued, then flushes. Ready when nothing is left to do; how many bytes went
    /// is seen in the queue. An error is told once and closes the outlet.
    pub(super) fn poll_drive(&mut self, queue: &mut Queue, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writer) = &mut self.writer else { return Poll::Ready(Ok(())) };
        let driven = drive(writer, &mut self.unflushed, queue, cx);
        if matches!(driven, Poll::Ready(Err(_))) {
            self.writer = None;
        }
        driven
    }

    /// Closes without a word.
    pub(super) fn let_go(&mut self) {
        self.writer = None;
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(writer) = &mut self.writer {
            // A writer that cannot be shut down is as closed as one that can.
            let _ = ready!(Pin::new(writer).poll_shutdown(cx));
            self.writer = None;
        }
        Poll::Ready(())
    }
}

fn drive(
    writer: &mut (impl AsyncWrite + Unpin),
    unflushed: &mut bool,
    queue: &mut Queue,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !queue.pending().is_empty() {
        let count = ready!(Pin::new(&mut *writer).poll_write(cx, queue.pending()))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        queue.advance(count);
        *unflushed = true;
    }
    if *unflushed {
        ready!(Pin::new(&mut *writer).poll_flush(cx))?;
        *unflushed = false;
    }
    Poll::Ready(Ok(()))
}

/// Whether an error only says that the peer has closed.
pub(super) fn is_close(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof)
}
