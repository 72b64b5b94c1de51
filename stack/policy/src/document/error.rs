//! What is wrong with a policy document.

use std::fmt;

use crate::strict::Place;

/// One thing that is wrong with a policy document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    pointer: String,
    place: Place,
    message: String,
    remedy: Option<String>,
}

impl PolicyError {
    pub(crate) fn new(pointer: String, place: Place, message: String, remedy: Option<String>) -> Self {
        Self { pointer, place, message, remedy }
    }

    /// Where, as a JSON pointer (RFC 6901).
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Where in the text.
    pub fn place(&self) -> Place {
        self.place
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at `{}`: {}", self.place, self.pointer, self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a policy document: at least one error, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyErrors {
    errors: Vec<PolicyError>,
}

impl PolicyErrors {
    pub(crate) fn new(mut errors: Vec<PolicyError>) -> Self {
        errors.sort_by_key(PolicyError::place);
        // What is wrong with a pattern's entry is so for each tool that it means.
        errors.dedup();
        Self { errors }
    }

    /// That a document cannot be read at all, for whoever turns another notation into JSON.
    pub fn unreadable(pointer: &str, place: Place, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(vec![PolicyError::new(pointer.to_owned(), place, message.into(), Some(remedy.into()))])
    }

    /// The same errors at other places: `place` is asked for each by its pointer and its place in the JSON.
    #[must_use]
    pub fn placed(self, place: impl Fn(&str, Place) -> Place) -> Self {
        let moved = |error: PolicyError| PolicyError { place: place(&error.pointer, error.place), ..error };
        Self::new(self.errors.into_iter().map(moved).collect())
    }

    /// The errors, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, PolicyError> {
        self.errors.iter()
    }
}

impl<'a> IntoIterator for &'a PolicyErrors {
    type Item = &'a PolicyError;
    type IntoIter = std::slice::Iter<'a, PolicyError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::error::Error for PolicyErrors {}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}
