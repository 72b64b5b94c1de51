//! What a valid policy document says in vain.

use std::fmt;

use crate::strict::Place;

/// Something in a valid document that cannot mean what its author hoped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    code: &'static str,
    pointer: String,
    place: Place,
    message: String,
}

impl Warning {
    pub(super) fn new(code: &'static str, pointer: String, place: Place, message: String) -> Self {
        Self { code, pointer, place, message }
    }

    pub(super) fn placed(self, place: &impl Fn(&str, Place) -> Place) -> Self {
        Self { place: place(&self.pointer, self.place), ..self }
    }

    /// The stable name of the kind of warning.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Where, as a JSON pointer (RFC 6901).
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Where in the text.
    pub fn place(&self) -> Place {
        self.place
    }

    /// What is in vain, and what to write instead.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at `{}`: {}", self.place, self.pointer, self.message)
    }
}
