//! What came of a tape that was played.

use std::fmt;

use super::miss::Miss;
use super::pointers::FieldDifference;

/// How far a live session kept to a tape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// What was given.
    pub played: Vec<Played>,
    /// What nobody asked for.
    pub unplayed: Vec<Played>,
    /// What was asked for and is not on the tape.
    pub misses: Vec<Miss>,
    /// Requests of the server that the client answered differently.
    pub wrong_answers: Vec<WrongAnswer>,
    /// The tape was cut off.
    pub cut: bool,
    /// How many messages of streams still waited for the requests that they followed.
    pub unsent: usize,
    /// Faults of the overlay that met nothing, by name.
    pub unmet: Vec<String>,
}

/// A request of the tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// Its message.
    pub seq: u64,
    /// What it asks.
    pub label: String,
    /// The live request that it was given to, if any.
    pub request: Option<u64>,
}

/// An answer of the client that is not the one on the tape.
#[derive(Debug, Clone, PartialEq)]
pub struct WrongAnswer {
    /// The answer's message on the tape.
    pub seq: u64,
    /// Where they differ.
    pub fields: Vec<FieldDifference>,
}

impl Outcome {
    /// Whether the session was the one on the tape; with `allow_unplayed`, a part of it.
    pub fn is_same(&self, allow_unplayed: bool) -> bool {
        self.misses.is_empty()
            && self.wrong_answers.is_empty()
            && (allow_unplayed || (self.unplayed.is_empty() && self.unsent == 0 && self.unmet.is_empty()))
    }

    /// Adds that of another wire.
    pub(super) fn extend(&mut self, other: Self) {
        self.played.extend(other.played);
        self.unplayed.extend(other.unplayed);
        self.misses.extend(other.misses);
        self.wrong_answers.extend(other.wrong_answers);
        self.cut |= other.cut;
        self.unsent += other.unsent;
        self.unmet.extend(other.unmet);
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for miss in &self.misses {
            writeln!(f, "{miss}")?;
        }
        for WrongAnswer { seq, fields } in &self.wrong_answers {
            writeln!(f, "the client's answer is not message {seq} of the tape")?;
            for field in fields {
                writeln!(f, "{field}")?;
            }
        }
        for Played { seq, label, .. } in &self.unplayed {
            writeln!(f, "message {seq}, `{label}`, was not asked for")?;
        }
        for name in &self.unmet {
            writeln!(f, "the fault `{name}` met nothing")?;
        }
        if self.cut {
            writeln!(f, "the tape was cut off: what came after is not on it")?;
        }
        let of = |count: usize, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        write!(
            f,
            "{} played, {} not asked for, {} not on the tape",
            of(self.played.len(), "request", "requests"),
            self.unplayed.len(),
            self.misses.len()
        )?;
        match self.wrong_answers.len() {
            0 => Ok(()),
            count => write!(f, ", {} to the server", of(count, "other answer", "other answers")),
        }?;
        match self.unsent {
            0 => Ok(()),
            count => write!(f, ", {} of streams not sent", of(count, "message", "messages")),
        }
    }
}
