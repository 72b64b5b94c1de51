//! A pure spot exchange. It has no clock, no randomness and no IO of its own: time is an argument, ids are counters.
//!
//! ```text
//! Command ── decide ──▶ Fact* ── evolve ──▶ state     a refusal is the one fact Rejected
//!                         │         └─────▶ Event*    for the streams
//!                         └───────▶ Journal           replay = evolve over the journal
//! ```
//!
//! Reading order: the words ([`Timestamp`], [`money`], ids, [`ExchangeSpec`]), what is asked ([`Command`]), what
//! happens ([`Fact`], [`Journal`]), what is told ([`Reply`], [`Event`], [`Rejection`]), then [`Exchange`].

mod command;
mod decide;
mod event;
mod exchange;
mod fact;
mod ids;
mod journal;
pub mod limits;
pub mod liquidity;
pub mod market;
pub mod money;
mod order;
mod query;
mod rejection;
mod report;
mod spec;
mod state;
mod time;

pub use command::{
    CancelOrder, CancelRestriction, Command, MarketSize, NewOrder, OrderKind, OrderRef, OrderType, Side, TimeInForce,
};
pub use event::{Balance, BookLevel, BookTop, CanceledOrder, Depth, Event, Execution, ExecutionKind, Outcome, Reply};
pub use exchange::{Exchange, ReplayError};
pub use fact::{Accepted, Closing, Entry, Fact, Request, Traded};
pub use ids::{AccountId, AssetId, ClientOrderId, InvalidClientOrderId, OrderId, SymbolId, TradeId};
pub use journal::{Entries, Journal};
pub use limits::{LimitHit, LimitsSpec, OrderCountHit, RequestWeights, SourceLimit, WindowLimit};
pub use money::{Amount, Overflow, ParseDecimalError, Price, Quantity, Ratio, Total};
pub use order::{ExpiryReason, Fill, Order, OrderStatus, Trade};
pub use query::Page;
pub use rejection::Rejection;
pub use spec::{
    Commissions, ExchangeSpec, Filter, Filters, LotSize, NotionalFilter, OrderTypes, PercentPriceBySide, PriceFilter,
    SpecError, SymbolSpec, SymbolStatus,
};
pub use time::Timestamp;
