//! The endpoints, whatever carries them: what each needs, what it takes, what it answers.
//!
//! ```text
//! route ─▶ params ─▶ auth (key, time, signature) ─▶ handler ─▶ engine
//!   ◀───────────── JSON or one refusal ◀──────────────┘
//! ```
//!
//! Reading order: [`route`] (what there is), [`params`], [`auth`] and [`sign`], [`error`], then the handlers [`market`],
//! [`ticker`], [`info`], [`trading`], [`account`], [`listen_key`] with [`order`] and [`render`].

mod account;
pub(crate) mod auth;
pub(crate) mod error;
mod info;
pub(crate) mod interval;
mod listen_key;
mod market;
mod order;
pub(crate) mod params;
pub(crate) mod render;
pub(crate) mod route;
pub(crate) mod sign;
pub(crate) mod ticker;
mod trading;
