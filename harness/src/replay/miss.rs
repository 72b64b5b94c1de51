//! A request that the tape does not answer, and why.

use std::fmt;

use super::pointers::FieldDifference;

/// A live request without an answer on the tape.
#[derive(Debug, Clone, PartialEq)]
pub struct Miss {
    /// Counts the live requests from 1.
    pub request: u64,
    /// What it asked.
    pub label: String,
    /// Why there is no answer.
    pub why: Why,
}

/// Why a request has no answer on the tape.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// No request on the tape asks this.
    Unknown {
        /// The one that comes nearest.
        nearest: Option<Nearest>,
    },
    /// It was asked, but not so often.
    Consumed {
        /// The messages of the tape that ask it, and the live request that each was given to.
        by: Vec<(u64, u64)>,
    },
    /// It was asked, and never answered.
    Unanswered {
        /// The message that asks it.
        seq: u64,
    },
}

/// The request on the tape that is most like one that is not there.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest {
    /// Its message.
    pub seq: u64,
    /// What it asks.
    pub label: String,
    /// Where it differs.
    pub fields: Vec<FieldDifference>,
    /// The live request that it was given to, when it is not to be had any more.
    pub given_to: Option<u64>,
}

/// Of a request that differs in many fields so many are shown.
const FIELDS_MAX: usize = 20;

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request, label, why } = self;
        write!(f, "request {request}, `{label}`, ")?;
        match why {
            Why::Unknown { nearest: None } => f.write_str("is not on the tape, and nothing else is"),
            Why::Unknown { nearest: Some(nearest) } => {
                write!(f, "is not on the tape\n  nearest: message {}, `{}`", nearest.seq, nearest.label)?;
                if let Some(request) = nearest.given_to {
                    write!(f, ", which was given to request {request}")?;
                }
                for field in nearest.fields.iter().take(FIELDS_MAX) {
                    write!(f, "\n{field}")?;
                }
                match nearest.fields.len().saturating_sub(FIELDS_MAX) {
                    0 => Ok(()),
                    more => write!(f, "\n    and {more} more"),
                }
            }
            Why::Consumed { by } => {
                let times = if by.len() == 1 { "once".to_owned() } else { format!("{} times", by.len()) };
                write!(f, "is on the tape {times}, and every answer was given already")?;
                for (seq, request) in by {
                    write!(f, "\n  message {seq} was given to request {request}")?;
                }
                f.write_str("\n  = help: `--repeat last` or `--repeat cycle` gives answers again")
            }
            Why::Unanswered { seq } => {
                write!(
                    f,
                    "is message {seq} of the tape, which has no answer there: the tape was cut off, or nobody answered"
                )
            }
        }
    }
}
