//! A bearer token, as it is shown once.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// What tells tokens of this gateway from other secrets, for people and for scanners.
const PREFIX: &str = "mgw_";

/// A secret of 256 bits, written as `mgw_` and 64 hexadecimal digits.
pub struct Token(String);

impl Token {
    /// A token of bytes that nobody can guess.
    pub fn from_bytes(secret: [u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", hex::encode(secret)))
    }

    /// A token of the system's randomness.
    ///
    /// # Errors
    /// The system has none to give.
    pub fn generate() -> Result<Self, std::io::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(std::io::Error::other)?;
        Ok(Self::from_bytes(secret))
    }

    /// The token itself: for its holder, and for nothing that is kept.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it. 256 random bits need no slow digest: there is nothing to guess.
    pub(super) fn digest(token: &str) -> [u8; 32] {
        Sha256::digest(token).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
