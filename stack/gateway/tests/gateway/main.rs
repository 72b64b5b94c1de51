//! The library as a whole: sessions over byte streams.

#[path = "../support/mod.rs"]
mod support;

mod audit;
mod frames;
mod fuzz;
mod lifecycle;
mod passing;
mod peers;
mod server_side;
