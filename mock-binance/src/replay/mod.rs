//! Recorded markets that happen again: files of trades, aggregate trades or klines in the column order of the
//! exchange's public data, traded by the house.
//!
//! ```text
//!  start:  every row is read and checked, and none is kept       any fault stops the mock from starting
//!  later:  rows are read again as the mock's clock reaches them  ▶ prints ▶ House::move_to ▶ engine
//! ```
//!
//! | kind | columns |
//! |---|---|
//! | `trades` | id, price, qty, quoteQty, time, isBuyerMaker, isBestMatch |
//! | `aggTrades` | id, price, qty, firstId, lastId, time, isBuyerMaker, isBestMatch |
//! | `klines` | openTime, open, high, low, close, volume, closeTime, and five more |
//!
//! A recorded trade is one trade here, with its price, quantity and side. A kline is up to four, which share its
//! volume: open, low, high, close when it rises, open, high, low, close when it falls. Times are moved by whole minutes,
//! so that one-minute candles stay what they were.

mod error;
mod play;
mod rows;
mod source;

use std::path::PathBuf;

pub use error::ReplayError;
pub(crate) use play::{Loaded, Playing, Shift, load};
pub use rows::RecordingKind;

/// A file with a recorded market, for [`Builder::replay`](crate::Builder::replay).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    pub(crate) path: PathBuf,
    pub(crate) kind: Option<RecordingKind>,
}

impl Recording {
    /// A file whose kind its columns tell.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), kind: None }
    }

    /// A file of which another kind is an error.
    pub fn of(kind: RecordingKind, path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), kind: Some(kind) }
    }

    /// A path, perhaps with `trades:`, `aggTrades:` or `klines:` before it.
    ///
    /// ```
    /// use mock_binance::{Recording, RecordingKind};
    ///
    /// assert_eq!(Recording::parse("klines:day.csv"), Recording::of(RecordingKind::Klines, "day.csv"));
    /// assert_eq!(Recording::parse("day.csv"), Recording::new("day.csv"));
    /// ```
    pub fn parse(text: &str) -> Self {
        let kinds = [RecordingKind::Trades, RecordingKind::AggTrades, RecordingKind::Klines];
        let named = |kind: RecordingKind| text.strip_prefix(kind.as_str())?.strip_prefix(':').map(|path| (kind, path));
        kinds.into_iter().find_map(named).map_or_else(|| Self::new(text), |(kind, path)| Self::of(kind, path))
    }
}

/// How far a file has been checked, while a mock starts. Told after every so many rows, so that of short files nothing is
/// told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayProgress<'a> {
    /// The file.
    pub path: &'a std::path::Path,
    /// Rows that were checked.
    pub rows: u64,
    /// Bytes that were read,
    pub bytes: u64,
    /// of so many.
    pub of_bytes: u64,
}

/// How far a recorded market has come.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ReplayStatus {
    /// The symbol.
    pub symbol: String,
    /// The file.
    pub file: String,
    /// Of which kind it is.
    pub kind: RecordingKind,
    /// The rows of the file.
    pub rows: u64,
    /// Those that have happened, and the one that happens next.
    pub begun: u64,
    /// What is added to recorded times, in milliseconds.
    pub shift_ms: i64,
    /// Trades that the exchange refused, such as in a halted market.
    pub refused: u64,
    /// The first such refusal.
    pub first_refusal: Option<String>,
    /// Why the rest of the file does not happen: it was changed after the start.
    pub stopped: Option<String>,
}
