//! A mock of the Binance spot exchange: REST and streams over a real matching engine.
//!
//! ```text
//!                        ┌──────────────────── MockBinance ────────────────────┐
//!  client ── REST ──────▶│ axum ─┬▶ face: keys, signatures, limits ─▶ api ─────┤
//!                        │       │                                             ├─▶ exchange-engine (pure) ─▶ journal
//!  client ── WebSocket ─▶│       └▶ streams ◀── events ────────────────────────┤
//!                        └─────────────────────── Clock ───────────────────────┘
//! ```
//!
//! Reading order: [`Builder`] and [`MockBinance`] (what a test touches), [`Clock`], [`Account`], [`Symbols`],
//! [`RequestRecord`]; inside, `state` (what the faces share), `api` (the endpoints), `rest` and `ws` (the
//! faces).

mod account;
mod api;
mod bans;
mod builder;
mod clock;
mod commission;
mod control;
mod faults;
mod house;
mod json;
mod limits;
mod listen_keys;
mod market;
mod mock;
mod mover;
mod operator;
mod replay;
mod rest;
mod snapshot;
mod state;
mod strategy;
mod symbols;
mod transcript;
mod ws;
mod ws_api;

pub use account::{Account, UnknownKey};
pub use api::sign::PublicKeyError;
pub use builder::{Builder, StartError};
pub use clock::{Clock, ManualClock};
pub use commission::{CommissionError, CommissionRate, bnb_discount, commission_rate};
pub use exchange_engine as engine;
pub use exchange_engine::process::{Process, Shape};
pub use faults::{Effect, Fault, FaultError, FaultStatus, Meets, Often, Stage};
pub use house::{Liquidity, MoveError};
pub use listen_keys::ListenKeys;
pub use market::{ProcessError, process};
pub use mock::MockBinance;
pub use operator::{Balances, ControlError};
pub use replay::{Recording, RecordingKind, ReplayError, ReplayProgress, ReplayStatus};
pub use snapshot::SnapshotInfo;
pub use symbols::{Symbols, SymbolsError};
pub use transcript::RequestRecord;
pub use ws::streams::StreamStats;
