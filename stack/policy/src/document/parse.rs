//! Reads a policy document.

use super::{PolicyError, PolicyErrors, Warning};
use crate::strict;

/// A policy document that was read and found valid.
#[derive(Debug)]
pub struct Policy {
    warnings: Vec<Warning>,
}

impl Policy {
    /// Reads a policy document, version "1".
    pub fn parse(source: &str) -> Result<Self, PolicyErrors> {
        match strict::parse(source.as_bytes(), strict::Limits::default()) {
            Ok(_) => Ok(Self { warnings: Vec::new() }),
            Err(error) => Err(PolicyErrors::new(vec![PolicyError::new(
                error.pointer().to_owned(),
                error.place(),
                error.to_string(),
                None,
            )])),
        }
    }

    /// What the document says in vain.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
