//! Why a mock does not start.

use std::net::SocketAddr;

use exchange_engine::{Journal, ParseDecimalError, Rejection, SpecError};

use crate::api::sign::PublicKeyError;
use crate::replay::ReplayError;
use crate::symbols::SymbolsError;

/// Why a mock could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The symbols could not be loaded.
    #[error(transparent)]
    Symbols(#[from] SymbolsError),
    /// The exchange refuses its specification.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A price, commission or balance that is no decimal.
    #[error("{what} is `{value}`: {source}")]
    Decimal {
        /// What it is for.
        what: String,
        /// What was given.
        value: String,
        /// What is wrong with it.
        source: ParseDecimalError,
    },
    /// A price that is not above zero.
    #[error("the price of `{symbol}` is `{value}`: give one above zero")]
    PriceNotPositive {
        /// The symbol.
        symbol: String,
        /// What was given.
        value: String,
    },
    /// A symbol that the mock does not have.
    #[error("there is no symbol `{symbol}` to give {what} to: the symbols are {known}")]
    UnknownSymbol {
        /// What was asked for.
        symbol: String,
        /// What was to be given to it.
        what: &'static str,
        /// What there is.
        known: String,
    },
    /// A discount for paying in an asset that no symbol trades.
    #[error("there is no BNB to pay commissions in: use symbols that trade it, or leave the discount out")]
    DiscountWithoutBnb,
    /// A market that a recording and something else shall move.
    #[error(
        "the recording of `{symbol}` says where its market is: give the symbol no price, no process and no \
         second recording"
    )]
    ReplayedTwice {
        /// The symbol.
        symbol: String,
    },
    /// A recording that cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A market that cannot move, because nobody provides liquidity for it.
    #[error("the market of `{symbol}` cannot move: give the symbol a price, and leave liquidity on")]
    MarketWithoutPrice {
        /// The symbol.
        symbol: String,
    },
    /// A market whose steps take no time.
    #[error("the market of `{symbol}` has steps of 0 ms: give it at least 1")]
    MarketWithoutSteps {
        /// The symbol.
        symbol: String,
    },
    /// An asset that no symbol trades.
    #[error("there is no asset `{asset}` to put into `{label}`: the assets are {known}")]
    UnknownAsset {
        /// What was asked for.
        asset: String,
        /// The account.
        label: String,
        /// What there is.
        known: String,
    },
    /// Two accounts with the same API key.
    #[error("account `{label}` has the API key of another account: give each its own")]
    DuplicateKey {
        /// The second account.
        label: String,
    },
    /// An account whose API key or secret is empty.
    #[error("account `{label}` has an empty API key or secret: give it both")]
    EmptyCredentials {
        /// The account.
        label: String,
    },
    /// An account whose public key cannot be used.
    #[error("cannot use the public key of account `{label}`: {source}")]
    PublicKey {
        /// The account.
        label: String,
        /// What is wrong with it.
        source: PublicKeyError,
    },
    /// The exchange refused to open or fund an account.
    #[error("cannot set up account `{label}`: {source}")]
    Account {
        /// The account.
        label: String,
        /// Why.
        source: Rejection,
    },
    /// An address that cannot be listened on.
    #[error("cannot listen on `{address}`: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A control interface that others could reach.
    #[error(
        "the control interface cannot listen on `{address}`: it asks for no credentials, so give it a loopback address, such as 127.0.0.1:0"
    )]
    ControlNotLoopback {
        /// What was asked for.
        address: SocketAddr,
    },
    /// Too little room for the journal.
    #[error("a journal of {bytes} bytes is too small: give it at least {}", Journal::CAP_MIN)]
    JournalCap {
        /// What was given.
        bytes: usize,
    },
}
