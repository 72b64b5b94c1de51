//! A tape that several wires write to.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cassette::{Direction, Leg, TapeWriter};

/// Told of each message that went by.
pub type Observe = Arc<dyn Fn(Leg, Direction, &[u8]) + Send + Sync>;

type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

/// Writes what several wires tell it onto one tape, in the order in which it is told. Clones share the tape.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    tape: Option<TapeWriter<Box<dyn Write + Send>>>,
    /// The first error; nothing is written after it.
    broken: Option<io::Error>,
}

impl Recorder {
    /// A recorder that reads the time, milliseconds since the epoch, from `clock`.
    pub fn new(tape: TapeWriter<Box<dyn Write + Send>>, clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let state = State { tape: Some(tape), broken: None };
        Self { shared: Arc::new(Shared { clock: Box::new(clock), state: Mutex::new(state) }) }
    }

    /// Writes a message down.
    pub fn message(&self, leg: Leg, dir: Direction, frame: &[u8]) {
        let now_ms = (self.shared.clock)();
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { tape: Some(tape), broken } = &mut *state else { return };
        let written = tape.message(now_ms, leg, dir, frame).and_then(|()| tape.flush());
        if let Err(error) = written {
            *broken = Some(error);
            state.tape = None;
        }
    }

    /// The recorder as something that wires can tell.
    pub fn observer(&self) -> Observe {
        let recorder = self.clone();
        Arc::new(move |leg, dir, frame| recorder.message(leg, dir, frame))
    }

    /// Ends the tape.
    ///
    /// # Errors
    /// Something could not be written, now or before: the tape is cut off there.
    pub fn finish(&self) -> io::Result<()> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.broken.take() {
            return Err(error);
        }
        match state.tape.take() {
            Some(tape) => tape.finish().map(drop),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}
