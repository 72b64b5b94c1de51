//! A pure spot exchange. It has no clock, no randomness and no IO of its own: time is an argument, ids are counters.
//!
//! ```text
//! Command ── decide ──▶ Fact* ── evolve ──▶ state     a refusal is the one fact Rejected
//!                         │         └─────▶ Event*    for the streams
//!                         └───────▶ Journal           replay = evolve over the journal
//! ```
//!
//! ```
//! use exchange_engine::{AssetId, Command, Exchange, ExchangeSpec, NewOrder, OrderKind, Reply, Side, SymbolId};
//! use exchange_engine::{OrderStatus, SymbolSpec, TimeInForce, Timestamp};
//!
//! let symbol = SymbolSpec { name: "BTCUSDT".into(), base: AssetId(0), quote: AssetId(1), ..SymbolSpec::default() };
//! let assets = vec!["BTC".into(), "USDT".into()];
//! let mut exchange = Exchange::new(ExchangeSpec { assets, symbols: vec![symbol], ..ExchangeSpec::default() })?;
//!
//! let now = Timestamp::from_millis(1_700_000_000_000);
//! let alice = exchange.open_account(now)?;
//! exchange.apply(now, alice, &Command::Deposit { asset: AssetId(1), amount: "100".parse()? }).reply?;
//! let kind = OrderKind::Limit { time_in_force: TimeInForce::Gtc, quantity: "2".parse()?, price: "10.5".parse()? };
//! let order = NewOrder::new(SymbolId(0), Side::Buy, kind);
//! let outcome = exchange.apply(now, alice, &Command::Place(order));
//!
//! assert!(matches!(outcome.reply, Ok(Reply::Placed(placed)) if placed.order.status == OrderStatus::New));
//! assert_eq!(exchange.balance(alice, AssetId(1)).map(|b| b.locked.to_string()).as_deref(), Some("21.00000000"));
//! assert_eq!(exchange.journal().iter().last().map(|entry| entry.fact.to_string()).as_deref(), Some("booked order=1"));
//! assert_eq!(Exchange::replay(exchange.spec().clone(), exchange.journal())?, exchange);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Reading order: the words ([`Timestamp`], [`money`], ids, [`ExchangeSpec`]), what is asked ([`Command`]), what
//! happens ([`Fact`], [`Journal`]), what is told ([`Reply`], [`Event`], [`Rejection`]), then [`Exchange`].

mod command;
mod commission;
mod decide;
mod event;
mod exchange;
mod fact;
mod history;
mod ids;
mod journal;
pub mod limits;
pub mod liquidity;
mod list;
pub mod market;
pub mod money;
mod order;
mod packing;
pub mod process;
mod query;
mod rejection;
mod report;
mod spec;
mod state;
mod time;

pub use command::{
    AmendOrder, CancelOrder, CancelReplace, CancelRestriction, Command, Instructions, LimitTerms, MarketSize, NewOrder,
    OrderKind, OrderRef, OrderType, PreventionMode, Side, StopGoal, TimeInForce,
};
pub use commission::{Commissions, Costs, Discount, DiscountReading, ExchangeRate, Rates};
pub use event::{
    Amended, Balance, BookLevel, BookTop, Canceled, CanceledOrder, Depth, Event, Execution, ExecutionKind, ListUpdate,
    Outcome, Placed, PreventedStep, Replaced, Reply,
};
pub use exchange::{Exchange, ReplayError};
pub use fact::{Accepted, AccountKind, Closing, Entry, Fact, ListOpened, Member, Prevented, Request, Traded};
pub use ids::{AccountId, AssetId, ClientOrderId, InvalidClientOrderId, ListId, OrderId, SymbolId, TradeId};
pub use journal::{Entries, Journal};
pub use limits::{LimitHit, LimitsSpec, OrderCountHit, RequestWeights, SourceLimit, WindowLimit};
pub use list::{CancelList, ListKind, ListLegs, ListRef, NewOrderList, OcoLegs, OrderList, PendingLegs};
pub use money::{Amount, Overflow, ParseDecimalError, Price, Quantity, Ratio, Total};
pub use order::{Amendment, ExpiryReason, Fill, Order, OrderStatus, PreventedMatch, Trade};
pub use query::Page;
pub use rejection::Rejection;
pub use spec::{
    ExchangeFilters, ExchangeSpec, Features, Filter, Filters, LotSize, MaxAsset, MinNotional, NotionalFilter,
    OrderTypes, PercentPrice, PercentPriceBySide, Prevention, PriceFilter, SpecError, SymbolSpec, SymbolStatus,
    TrailingDelta,
};
pub use time::Timestamp;
