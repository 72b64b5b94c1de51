//! Scenario files: what a rogue agent does, what it must break without a policy, what a policy must hold.
//!
//! One YAML file is one scenario. The way of a file through this module:
//!
//! ```text
//!  scenarios/attacks/*.yaml ─▶ load ─▶ Case { Scenario, policy text } ─▶ lint ─▶ findings with place and remedy
//!                                        │
//!                                        └▶ the runner executes its steps and judges its checks
//! ```
//!
//! [`model`] documents the format from top to bottom and is the page to read when writing a file. The values
//! that YAML would spoil have types of their own: [`Dec`] (decimals, in quotes only), [`Bound`] (exact or a
//! range), [`UtcTime`] and [`Span`] (time), [`Args`] (tool arguments without floats).

pub mod model;

mod bound;
mod checks;
mod comments;
mod dec;
mod lint;
mod load;
mod located;
mod operator;
mod policy;
mod policy_file;
mod problem;
mod refs;
mod schema;
mod setup;
mod steps;
mod time;
mod values;

pub use bound::{Bound, Count, DecBound};
pub use checks::{
    AgentCheck, AuditCheck, ExchangeCheck, Expect, Ledger, LiveCheck, RequestCheck, UpstreamCheck, WindowCheck,
};
pub use dec::{Dec, DecError};
pub use lint::lint_case;
pub(crate) use load::from_yaml;
pub use load::{Case, Loaded, discover, load, load_all, parse, to_yaml};
pub use located::Located;
pub use model::{Group, Incident, Kind, Maps, Plan, Scenario, Twin, Upstream};
pub use operator::{
    ActsAs, Agent, Direct, FIRST_AGENT, FIRST_GRANT, MarketMove, Operator, Reconnect, ServerChange, Tampering,
};
pub use policy::check_policy;
#[cfg(feature = "embedded")]
pub(crate) use policy::problems;
pub use policy_file::PolicyFile;
#[cfg(feature = "embedded")]
pub(crate) use problem::nearest;
pub use problem::{Problem, Severity};
pub use refs::{RefError, Reference, Template, Unresolved, resolve_text, resolve_value};
pub use schema::json_schema;
pub(crate) use schema::schema_of;
pub use setup::{ExchangeSetup, ListenKeyMode, OwnerOrder, Side};
pub use steps::{
    Call, Each, Listen, Notify, Outcome, Parallel, Part, Raw, RawError, Repeat, RepeatPart, Request, Step, StepExpect,
};
pub use time::{Span, UtcTime};
pub use values::{Args, Data};
