//! The policy document, versions "1" and "2".
//!
//! ```json
//! { "version": "1", "default": "deny", "hide": ["delete_account"],
//!   "all_tools": { "limits": [ { "counter": "calls", "window": "minute", "max": 60, "scope": "grant" } ] },
//!   "tools": {
//!     "bn_ping": {},
//!     "bn_new_order": {
//!       "require": [ { "path": "args.symbol", "op": "in", "value": ["BTCUSDT"] } ],
//!       "deny_if": [ { "conditions": [ { "path": "args.quantity", "op": "gt", "value": "0.5" } ],
//!                      "on_deny": "at most 0.5 BTC an order" } ],
//!       "rate_limit": { "max": 10, "window": 60 },
//!       "action": "require_approval", "reason": "orders are approved by a person" } } }
//! ```
//!
//! Version "2" takes comments and names a manifest, which closes each tool's list of arguments and says what they come
//! to; conditions and budgets may then speak of `facts.…`:
//!
//! ```json
//! { "version": "2", "default": "deny", "manifest": "binance-mcp",
//!   "references": { "BTCUSDT": "75000" }, // above the market: what has no price of its own is valued by it
//!   "tools": { "bn_new_order": {
//!       "require": [ { "path": "facts.symbol", "op": "one_of", "value": ["BTCUSDT"] },
//!                    { "path": "args.recvWindow", "op": "between", "value": [1, 5000], "if_present": true },
//!                    { "path": "facts.notional", "op": "between", "value": ["10", "500"] } ],
//!       "limits": [ { "counter": "turnover", "window": "day", "of": "facts.notional", "max": "5000" } ] } } }
//! ```
//!
//! A document is taken whole or refused with everything that is wrong with it; what it does not know it refuses, so
//! that a typing error never switches a protection off. `schema/policy.v1.json` describes it to editors.

mod error;
mod model;
mod reader;

mod breakers;
mod clauses;
mod effects;
mod handling;
mod includes;
mod limits;
mod live;
mod manifest;
mod methods;
mod parse;
mod patterns;
mod sequences;
mod told;
mod vain;
mod warn;

/// The JSON Schema of documents of version "1", for editors. The reader knows more than a schema can say.
pub const SCHEMA_OF_VERSION_1: &str = include_str!("../../schema/policy.v1.json");
/// That of documents of version "2", and of their parts where it says so.
pub const SCHEMA_OF_VERSION_2: &str = include_str!("../../schema/policy.v2.json");

pub use crate::strict::Place;
pub use error::{PolicyError, PolicyErrors};
pub use handling::{Handling, Instructions, ResultRules};
pub use includes::Loader;
pub use model::Policy;
pub use warn::Warning;

pub(crate) use model::{Action, Clause, CounterSpec, Each, LimitUse, Reasoned, Scope, Standing, ToolRules};
