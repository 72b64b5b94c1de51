//! A deliberately naive MCP server with the 23 `bn_*` tools.
//!
//! A gateway must protect the servers that people really run, and most of those are careless in one way or
//! another. This one is careless in every way that was seen in the wild, all at once, so that an attack which needs
//! a careless server has one to hurt. Without it the controls of the smuggling attacks would be dead, and a gateway
//! could pass by accident.
//!
//! ```text
//!  line ──▶ reader (JavaScript's JSON, and worse) ──▶ server (initialize, ping, tools/list, tools/call)
//!                                                        └──▶ rest (GET /api/v3/time, sign, send) ──▶ exchange
//! ```
//!
//! Its manners follow the published JavaScript server: undeclared arguments ride along into the signed query,
//! `BINANCE_API_KEY` and `BINANCE_SECRET_KEY` are taken from the arguments, `GET /api/v3/time` goes out before every
//! signed call, `_fields` is stripped and never applied, and an answer is one block of pretty-printed JSON. Every
//! further carelessness is a [`Laxity`] with a name, and can be switched off.

mod guise;
mod laxity;
mod reader;
mod rest;
mod server;
mod tools;

pub(crate) use reader::{calls_in, requests_in};

pub use guise::{Change, Guise};
pub use laxity::{Laxities, Laxity};
pub use rest::SoftCredentials;
#[cfg(feature = "embedded")]
pub(crate) use server::definitions;
pub use server::{SoftConfig, serve};
pub use tools::{Security, ToolSpec, tools};
