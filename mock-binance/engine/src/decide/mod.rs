//! What is to happen on a request: facts, or a refusal. Nothing here changes anything.

mod amend;
mod cancel;
mod discount;
mod filters;
mod list;
mod matching;
mod place;
mod transfer;

pub(crate) use amend::amend;
pub(crate) use cancel::{cancel, cancel_all, cancel_list, find_list, find_order};
pub(crate) use discount::with_discounts;
pub(crate) use list::{next_step, place_list};
pub(crate) use matching::Match;
pub(crate) use place::{check, check_replace, place, release};
pub(crate) use transfer::{deposit, withdraw};
