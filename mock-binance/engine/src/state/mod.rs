//! What is so now. It changes only by [`State::evolve`] on a fact, so a journal is all there is to know.

mod accounts;
mod archive;
mod book;
mod charts;
mod evolve;
mod forget;
mod lists;
mod names;
mod open;
mod orders;
mod owned;
mod places;
mod prices;
mod stops;
mod store;
mod tape;
mod trades;
mod world;

pub(crate) use accounts::{Account, Purse};
pub(crate) use book::Book;
pub(crate) use forget::Mark;
pub(crate) use lists::ListRecord;
pub(crate) use orders::{OrderRecord, Slot};
pub(crate) use tape::Tape;
pub(crate) use world::State;
