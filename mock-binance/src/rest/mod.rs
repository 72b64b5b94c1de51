//! The REST face.
//!
//! ```text
//! wiremock ─▶ face ─▶ ban? ─▶ weight ─▶ route ─▶ params ─▶ auth (key, time, signature) ─▶ handler ─▶ engine
//!               ◀── headers, transcript ◀───────────── JSON or one refusal ◀──────────────────┘
//! ```
//!
//! Reading order: [`face`] (a request's way), [`route`] (what there is), [`params`], [`auth`] and [`sign`],
//! [`error`], then the handlers [`market`], [`trading`], [`account`], [`listen_key`] with [`render`].

mod account;
mod auth;
mod error;
mod face;
mod info;
mod interval;
mod listen_key;
mod market;
mod order;
mod params;
mod render;
mod route;
pub(crate) mod sign;
mod ticker;
mod trading;

pub(crate) use face::Face;
