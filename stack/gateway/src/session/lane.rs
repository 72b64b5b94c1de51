//! Which of several requests that share a session an answer belongs to.

use std::collections::VecDeque;

use crate::wire::Queue;

/// The exchange that a client's frame came in by. Over a byte stream there is only one; over HTTP each POST is one of its
/// own, and the answer to its request goes back by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lane {
    number: u64,
    own_ids: bool,
}

impl Lane {
    /// The one lane of a byte stream.
    pub const ONLY: Self = Self { number: 0, own_ids: false };

    /// One of many; no two frames in flight may have the same number. 0 is that of [`Lane::ONLY`].
    pub const fn new(number: u64) -> Self {
        Self { number, own_ids: false }
    }

    /// Its ids are its own: the same id may be in flight in another lane, since another client chose it.
    #[must_use]
    pub const fn with_own_ids(self) -> Self {
        Self { own_ids: true, ..self }
    }

    /// The number that it was given.
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Among which ids a client's id must be unique.
    pub(super) const fn ids(self) -> u64 {
        if self.own_ids { self.number } else { 0 }
    }
}

/// Frames on their way out, each one line.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Toward the client.
    pub to_client: Queue,
    /// Toward the server. How much of it has left decides whether a lost call may be refunded, so
    /// a shell must [`Queue::advance`] by exactly what the transport took.
    pub to_upstream: Queue,
    /// Where the lines toward the client end that belong to a lane.
    marks: VecDeque<(u64, u64)>,
}

impl Outbox {
    /// Queues a line for the client, of one lane.
    pub(super) fn tell(&mut self, lane: Lane, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.to_client.position();
        write(self.to_client.tail());
        // Some refusals are not answered.
        if lane != Lane::ONLY && self.to_client.position() != begin {
            self.marks.push_back((self.to_client.position(), lane.number));
        }
    }

    /// Takes the next line for the client off the queue, with the number of the lane that it belongs to; a line of no
    /// lane is one that nobody asked for.
    pub fn take_line(&mut self) -> Option<(Option<u64>, Vec<u8>)> {
        let pending = self.to_client.pending();
        let end = pending.iter().position(|byte| *byte == b'\n')?;
        let line = pending.get(..end)?.to_vec();
        self.to_client.advance(end + 1);
        let sent = self.to_client.sent();
        let lane = self.marks.pop_front_if(|(ends, _)| *ends <= sent).map(|(_, lane)| lane);
        Some((lane, line))
    }
}
