//! Writes tapes.

use std::io::{self, Write};

use serde::Serialize;

use super::causes::Causes;
use super::format::{Body, Direction, Header, Leg, Message, Trailer};
use super::redact::Redactor;

/// Writes a tape as it happens. Nothing reaches the writer underneath that the redactor has not seen.
#[derive(Debug)]
pub struct TapeWriter<W> {
    out: W,
    redactor: Redactor,
    causes: Causes,
    origin_ms: u64,
    seq: u64,
}

impl<W: Write> TapeWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// What the writer underneath says.
    pub fn new(out: W, header: &Header, redactor: Redactor) -> io::Result<Self> {
        let mut tape = Self { out, redactor, causes: Causes::default(), origin_ms: header.clock_origin_ms, seq: 0 };
        tape.line(header)?;
        Ok(tape)
    }

    /// Writes a message that was seen at `now_ms`, milliseconds since the epoch. Its id is that of the JSON-RPC message,
    /// and its cause is found among what was written before.
    ///
    /// # Errors
    /// What the writer underneath says.
    pub fn message(&mut self, now_ms: u64, leg: Leg, dir: Direction, frame: &[u8]) -> io::Result<()> {
        self.message_of(None, now_ms, leg, dir, frame)
    }

    /// The same on the connection of one agent of several.
    ///
    /// # Errors
    /// What the writer underneath says.
    pub fn message_of(
        &mut self,
        agent: Option<&str>,
        now_ms: u64,
        leg: Leg,
        dir: Direction,
        frame: &[u8],
    ) -> io::Result<()> {
        self.seq += 1;
        let body = Body::of(frame);
        let read;
        let message = match &body {
            Body::Json(value) => Some(value),
            // Frames of odd spacing bring things about as well.
            Body::Text(text) => {
                read = serde_json::from_str(text).ok();
                read.as_ref()
            }
            Body::Hex(_) => None,
        };
        let cause = self.causes.of(self.seq, leg, dir, agent, message);
        let body = self.redactor.body(body);
        let id = match &body {
            Body::Json(value) => value.get("id").filter(|id| !id.is_null()).cloned(),
            Body::Text(_) | Body::Hex(_) => None,
        };
        let at_ms = now_ms.saturating_sub(self.origin_ms);
        let agent = agent.map(ToOwned::to_owned);
        self.line(&Message { seq: self.seq, at_ms, leg, dir, agent, id, cause, body })
    }

    /// Writes a message of another tape under a number of this one; `place` tells which number its cause has here.
    ///
    /// # Errors
    /// What the writer underneath says.
    pub fn copy(&mut self, message: Message, place: impl Fn(u64) -> Option<u64>) -> io::Result<u64> {
        self.seq += 1;
        let cause = message.cause.and_then(place);
        self.redactor.reserve(&message.body);
        let body = self.redactor.body(message.body);
        self.line(&Message { seq: self.seq, cause, body, ..message })?;
        Ok(self.seq)
    }

    /// Which number the next message will have.
    pub const fn next_seq(&self) -> u64 {
        self.seq + 1
    }

    /// Hands everything written so far on, so that a program which is killed leaves it behind.
    ///
    /// # Errors
    /// What the writer underneath says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes the end, without which a tape counts as cut off.
    ///
    /// # Errors
    /// What the writer underneath says.
    pub fn finish(mut self) -> io::Result<W> {
        self.line(&Trailer { messages: self.seq })?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        // In one piece: a tape that is cut off is cut between lines wherever the system lets it be.
        text.push(b'\n');
        self.out.write_all(&text)
    }
}
