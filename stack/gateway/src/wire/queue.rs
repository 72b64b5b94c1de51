//! Bytes on their way to one peer, with a count of how many have really left.

/// Frames waiting to be written to one peer.
///
/// Positions count every byte ever queued, so a frame that began at position `p` has not left at
/// all as long as [`Queue::sent`] is at most `p`. That is the whole proof behind a refund.
#[derive(Debug, Default)]
pub struct Queue {
    bytes: Vec<u8>,
    /// How much of `bytes` is written already.
    taken: usize,
    /// How many bytes were written before those in `bytes`.
    before: u64,
}

/// A buffer that grew beyond this is given back once it is empty.
const KEPT_CAPACITY: usize = 256 * 1024;

impl Queue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// The position at which the next frame will begin.
    pub fn position(&self) -> u64 {
        self.before + self.bytes.len() as u64
    }

    /// How many bytes have left.
    pub fn sent(&self) -> u64 {
        self.before + self.taken as u64
    }

    /// What is still to be written.
    pub fn pending(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    /// Notes that the first `count` pending bytes were written.
    pub fn advance(&mut self, count: usize) {
        self.taken = (self.taken + count).min(self.bytes.len());
        if self.taken == self.bytes.len() {
            self.forget();
        }
    }

    /// Drops what has not been written; the peer is gone.
    pub fn discard(&mut self) {
        self.bytes.truncate(self.taken);
        self.forget();
    }

    /// The buffer to append a frame to. Frames end with a newline and contain no other.
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    fn forget(&mut self) {
        self.before += self.taken as u64;
        self.taken = 0;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_tell_which_frames_have_left() {
        let mut queue = Queue::new();
        queue.tail().extend_from_slice(b"first\n");
        let second = queue.position();
        queue.tail().extend_from_slice(b"second\n");
        queue.advance(6);
        assert_eq!(queue.sent(), second, "not a byte of the second frame has left");
        queue.advance(1);
        assert!(queue.sent() > second);
        assert_eq!(queue.pending(), b"econd\n");
        queue.advance(6);
        assert_eq!((queue.sent(), queue.position()), (13, 13));
        assert!(queue.pending().is_empty());
    }

    #[test]
    fn discarding_keeps_the_count_of_what_left() {
        let mut queue = Queue::new();
        queue.tail().extend_from_slice(b"0123456789");
        queue.advance(4);
        queue.discard();
        assert_eq!((queue.sent(), queue.position()), (4, 4));
    }
}
