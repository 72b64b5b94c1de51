//! What is to happen on a request: facts, or a refusal. Nothing here changes anything.

mod cancel;
mod filters;
mod matching;
mod place;
mod transfer;

pub(crate) use cancel::{cancel, cancel_all, find_order};
pub(crate) use matching::Match;
pub(crate) use place::{check, place, release};
pub(crate) use transfer::{deposit, withdraw};
