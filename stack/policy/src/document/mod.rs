//! The policy document.

mod error;
mod parse;
mod warn;

pub use crate::strict::Place;
pub use error::{PolicyError, PolicyErrors};
pub use parse::Policy;
pub use warn::Warning;
