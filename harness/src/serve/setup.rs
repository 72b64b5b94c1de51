//! What a stack is set up with.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use mock_binance::{Process, process};

use crate::scenario::{ExchangeSetup, PolicyFile};

/// What a stack is set up with.
#[derive(Debug, Clone)]
pub struct ServeSetup {
    /// The exchange: balances, prices, resting orders, the seed of its books. Its clock counts only where time stands.
    pub exchange: ExchangeSetup,
    /// Whose time it is.
    pub time: Time,
    /// Markets that move by themselves.
    pub markets: Vec<Market>,
    /// The policy document.
    pub policy: PolicyFile,
    /// The tape; nothing is recorded without one. One that is there is replaced.
    pub tape: Option<PathBuf>,
    /// Regular expressions of what else must not be on the tape.
    pub redact: Vec<String>,
}

/// Whose time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// The machine's.
    Machine,
    /// It stands at the set-up's clock until the control interface moves it.
    Standing,
}

/// A market that moves by itself.
#[derive(Debug, Clone)]
pub struct Market {
    pub(super) symbol: String,
    pub(super) process: Process,
    /// As it was described.
    text: String,
}

/// Why a text names no such market.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// There are no two parts.
    #[error("write SYMBOL=PROCESS, such as BTCUSDT=crash")]
    Parts,
    /// The process is none.
    #[error("{0}")]
    Process(String),
}

impl FromStr for Market {
    type Err = MarketError;

    fn from_str(text: &str) -> Result<Self, MarketError> {
        let (symbol, described) =
            text.split_once('=').filter(|(symbol, _)| !symbol.is_empty()).ok_or(MarketError::Parts)?;
        let process = process(described).map_err(|error| MarketError::Process(error.to_string()))?;
        Ok(Self { symbol: symbol.to_owned(), process, text: text.to_owned() })
    }
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
