//! The endpoints, whatever carries them: what each needs, what it takes, what it answers.
//!
//! ```text
//! route ─▶ params ─▶ auth (key, time, signature) ─▶ handler ─▶ engine
//!   ◀───────────── JSON or one refusal ◀──────────────┘
//! ```
//!
//! Reading order: [`route`] (what there is), [`params`], [`auth`] and [`sign`], [`error`], then the handlers [`market`],
//! [`ticker`], [`info`], [`trading`], [`replace`], [`amend`], [`list`], [`account`], [`commission`], [`prevented`],
//! [`listen_key`] with [`order`], [`list_params`], [`render`] and [`refusal`].

mod account;
mod amend;
pub(crate) mod auth;
mod commission;
pub(crate) mod error;
mod info;
pub(crate) mod interval;
mod list;
mod list_params;
mod listen_key;
mod market;
mod order;
pub(crate) mod params;
pub(crate) mod prevented;
mod refusal;
pub(crate) mod render;
mod replace;
pub(crate) mod route;
mod routing;
mod rules;
pub(crate) mod sign;
pub(crate) mod ticker;
mod trading;
