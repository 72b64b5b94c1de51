//! What a tape showed when its agent met today's stack.

use std::fmt;

use super::super::fingerprint::Fingerprint;
use super::super::pointers::FieldDifference;
use crate::cassette::{Direction, Leg, Message};

/// How today's stack did with the calls of a tape.
#[derive(Debug, Clone, PartialEq)]
pub struct Rerun {
    /// How many messages the agent sent.
    pub sent: usize,
    /// Where today differs from the tape.
    pub differences: Vec<CallDifference>,
    /// What the tape could not tell, and so may be the reason of a difference.
    pub notes: Vec<String>,
}

/// The differences that one message of the agent made.
#[derive(Debug, Clone, PartialEq)]
pub struct CallDifference {
    /// The message; nothing for what no message is known to have brought about.
    pub call: Option<Said>,
    /// What differs.
    pub places: Vec<Place>,
}

/// A message of the tape in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The message.
    pub seq: u64,
    /// What it says.
    pub words: String,
}

/// A message that is not the same.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// It says something else.
    Other {
        /// The tape's.
        tape: Said,
        /// The wire.
        leg: Leg,
        /// Which way it went.
        dir: Direction,
        /// The fields that differ.
        fields: Vec<FieldDifference>,
    },
    /// It is of another kind: an error, a denial or a result where there was something else.
    Replaced {
        /// The tape's.
        tape: Said,
        /// Today's, in words.
        today: String,
        /// The wire.
        leg: Leg,
        /// Which way it went.
        dir: Direction,
    },
    /// Today it is missing.
    OnTapeOnly {
        /// The tape's.
        tape: Said,
        /// The wire.
        leg: Leg,
        /// Which way it went.
        dir: Direction,
    },
    /// On the tape it is missing.
    TodayOnly {
        /// Today's, in words.
        said: String,
        /// The wire.
        leg: Leg,
        /// Which way it went.
        dir: Direction,
    },
}

impl Said {
    pub(super) fn of(message: &Message) -> Self {
        let is_call = (message.leg, message.dir) == (Leg::Agent, Direction::Out);
        let words =
            if is_call { Fingerprint::of_mcp(&message.body).label } else { crate::cassette::tools::words(message) };
        Self { seq: message.seq, words }
    }
}

fn wire(leg: Leg, dir: Direction) -> &'static str {
    match (leg, dir) {
        (Leg::Decision, _) => "decision",
        (Leg::Agent, Direction::Out) => "call",
        (Leg::Agent, Direction::Back) => "result",
        (Leg::Upstream, Direction::Out) => "passed on",
        (Leg::Upstream, Direction::Back) => "server's answer",
        (Leg::Rest, Direction::Out) => "request to the exchange",
        (Leg::Rest, Direction::Back) => "exchange's answer",
        (Leg::Ws, _) => "stream",
    }
}

impl fmt::Display for Rerun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        match self.differences.len() {
            0 => write!(f, "{} messages sent, no difference", self.sent),
            count => write!(f, "{} messages sent, {count} with differences", self.sent),
        }
    }
}

impl fmt::Display for CallDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.call {
            Some(Said { seq, words }) => write!(f, "message {seq}, `{words}`")?,
            None => f.write_str("not told by which message")?,
        }
        for place in &self.places {
            match place {
                Place::Other { tape, leg, dir, fields } => {
                    write!(f, "\n  {}, message {}", wire(*leg, *dir), tape.seq)?;
                    for field in fields {
                        write!(f, "\n{field}")?;
                    }
                }
                Place::Replaced { tape, today, leg, dir } => {
                    let (wire, seq, before) = (wire(*leg, *dir), tape.seq, &tape.words);
                    write!(f, "\n  {wire}, message {seq}\n      - {before}\n      + {today}")?;
                }
                Place::OnTapeOnly { tape, leg, dir } => {
                    write!(f, "\n  {}, message {}, on the tape only: {}", wire(*leg, *dir), tape.seq, tape.words)?;
                }
                Place::TodayOnly { said, leg, dir } => write!(f, "\n  {}, today only: {said}", wire(*leg, *dir))?,
            }
        }
        Ok(())
    }
}
