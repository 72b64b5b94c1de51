//! The client's side of a session, whatever it comes in by.

use std::io;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::ends::{Outlet, Source};
use crate::gateway::Gateway;
use crate::session::{Outbox, Session};
use crate::wire::lines::Line;

/// Where a session's requests come from and its answers go.
pub(crate) trait Front {
    /// Waits until something has arrived; 0 means that nothing more will. Dropping the wait loses nothing.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;

    /// Hands what has arrived to the session.
    fn hand_over(&mut self, gateway: &Gateway, session: &mut Session, out: &mut Outbox);

    /// Tells the session of what the end of the stream has cut off.
    fn cut_off(&mut self, gateway: &Gateway, session: &mut Session, out: &mut Outbox);

    /// Nothing more arrives.
    fn has_ended(&self) -> bool;

    /// Sends what is queued. Ready when nothing is left to do; an error is told once and closes this side.
    fn poll_drive(&mut self, out: &mut Outbox, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// A request of the server's that cannot reach the client, by its id.
    fn undelivered(&mut self) -> Option<u64> {
        None
    }

    /// Nothing can be sent any more.
    fn is_closed(&self) -> bool;

    /// Tells the client that nothing more will come.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// One client on a stream of bytes in each direction.
pub(super) struct ByteFront<R, W> {
    source: Source<R>,
    outlet: Outlet<W>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> ByteFront<R, W> {
    pub(super) fn new(read: R, write: W, frame_bytes_max: usize) -> Self {
        Self { source: Source::new(read, frame_bytes_max), outlet: Outlet::new(write) }
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Front for ByteFront<R, W> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.source.poll_fill(cx)
    }

    fn hand_over(&mut self, gateway: &Gateway, session: &mut Session, out: &mut Outbox) {
        while let Some(line) = self.source.lines.next_line() {
            let now_ms = gateway.now_ms();
            match line {
                Line::Frame(frame) => session.from_client(frame, now_ms, out),
                Line::Oversize(prefix) => session.oversize_from_client(prefix, now_ms, out),
            }
        }
    }

    fn cut_off(&mut self, gateway: &Gateway, session: &mut Session, out: &mut Outbox) {
        if self.source.lines.unfinished().is_some() {
            session.unfinished_from_client(gateway.now_ms(), out);
        }
    }

    fn has_ended(&self) -> bool {
        self.source.ended
    }

    fn poll_drive(&mut self, out: &mut Outbox, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outlet.poll_drive(&mut out.to_client, cx)
    }

    fn is_closed(&self) -> bool {
        self.outlet.is_closed()
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.outlet.poll_close(cx)
    }
}
