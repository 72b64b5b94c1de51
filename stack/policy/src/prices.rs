//! Reference prices that are told while calls are judged.
//!
//! A policy with `live_references` values by what tools of the server say, and not by what a person wrote down. What a
//! person wrote down then bounds what the server may say: a ticker that somebody moves, or a server that lies, moves
//! no collar further than `max_move_percent`. The guard fetches nothing. It says what it would have to be told
//! ([`Guard::prices_wanted`](crate::Guard::prices_wanted)) and is told ([`Guard::tell_price`](crate::Guard::tell_price)).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::condition::Cause;
use crate::facts::{self, exact_difference, exact_product};
use crate::pointer::Pointer;

/// For how long a price that could not be told is not asked for again.
const RETRY_MS: u64 = 1_000;

/// What a price is fetched by and how far it is believed.
#[derive(Debug)]
pub(crate) struct Live {
    /// Those that are asked. The first is the one that counts, the others must agree with it.
    pub(crate) sources: Vec<Source>,
    pub(crate) max_age_ms: u64,
    /// How far from what the document says a price may lie, in percent of that.
    pub(crate) max_move_percent: Decimal,
    /// How far the others may lie from the first, in percent of it.
    pub(crate) agree_percent: Decimal,
}

/// A tool that tells the price of a symbol.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) tool: String,
    pub(crate) tells: TellsPrice,
}

/// Where such a tool takes the symbol, and where in its result the price stands.
#[derive(Debug, Clone)]
pub(crate) struct TellsPrice {
    /// The argument that names the symbol.
    pub(crate) symbol: String,
    /// JSON pointers into the result.
    pub(crate) price: Pointer,
    pub(crate) told_symbol: Option<Pointer>,
}

/// A price that a call cannot be judged without.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PriceRequest {
    /// The tool that tells it.
    pub tool: String,
    /// Whose price it is.
    pub symbol: String,
    /// The argument of the tool that names the symbol.
    argument: String,
}

impl PriceRequest {
    /// The arguments to call the tool with.
    pub fn arguments(&self) -> Map<String, Value> {
        Map::from_iter([(self.argument.clone(), Value::String(self.symbol.clone()))])
    }
}

/// Why a result tells no price. The reason is the server's doing, so nothing of the result is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoPrice {
    /// The policy asks no such tool for it.
    #[error("the policy does not ask this tool for the price of this symbol")]
    NotAsked,
    /// There was no result.
    #[error("there is no result")]
    NoResult,
    /// The result is of another symbol.
    #[error("the result tells another symbol")]
    OtherSymbol,
    /// There is no price, or one that is no canonical decimal above zero.
    #[error("the result tells no canonical decimal above zero")]
    NotPositive,
}

/// A price, or that there was none, and when it was asked for.
#[derive(Debug, Clone, Copy)]
struct Quote {
    price: Option<Decimal>,
    at: u64,
}

/// What was told so far: at most one price for each symbol of the document and each tool that is asked.
#[derive(Debug, Default)]
pub(crate) struct Quotes {
    told: BTreeMap<(String, String), Quote>,
    /// What could not be judged by, since it was last looked at.
    wanted: RefCell<BTreeSet<PriceRequest>>,
}

/// The prices as of a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prices<'a> {
    pub(crate) quotes: &'a Quotes,
    pub(crate) now: u64,
}

impl Live {
    /// The request for the price of `symbol`, if `tool` is asked for prices.
    pub(crate) fn request(&self, tool: &str, symbol: &str) -> Option<(&TellsPrice, PriceRequest)> {
        let source = self.sources.iter().find(|source| source.tool == tool)?;
        Some((&source.tells, source.request(symbol)))
    }
}

impl Source {
    pub(crate) fn request(&self, symbol: &str) -> PriceRequest {
        PriceRequest { tool: self.tool.clone(), symbol: symbol.to_owned(), argument: self.tells.symbol.clone() }
    }
}

impl TellsPrice {
    /// The price in a result about `symbol`.
    pub(crate) fn read(&self, symbol: &str, result: Option<&Value>) -> Result<Decimal, NoPrice> {
        let result = result.ok_or(NoPrice::NoResult)?;
        if let Some(told) = &self.told_symbol
            && told.find(result).and_then(Value::as_str) != Some(symbol)
        {
            return Err(NoPrice::OtherSymbol);
        }
        let price = self.price.find(result).and_then(|price| facts::unsigned(price).ok());
        price.filter(|price| !price.is_zero()).ok_or(NoPrice::NotPositive)
    }
}

impl Quotes {
    /// Takes what was told, or that nothing was, of what was asked for at `at`.
    pub(crate) fn tell(&mut self, request: &PriceRequest, price: Option<Decimal>, at: u64) {
        let quote = Quote { price, at };
        let slot = self.told.entry((request.tool.clone(), request.symbol.clone())).or_insert(quote);
        // Answers may overtake one another: what was asked for later counts.
        if at >= slot.at {
            *slot = quote;
        }
    }

    /// What was missing since the last time, leaving nothing.
    pub(crate) fn take_wanted(&mut self) -> Vec<PriceRequest> {
        std::mem::take(self.wanted.get_mut()).into_iter().collect()
    }

    /// Forgets what another document does not ask for.
    pub(crate) fn retain(&mut self, asks: impl Fn(&str, &str) -> bool) {
        self.told.retain(|(tool, symbol), _| asks(tool, symbol));
    }
}

impl Prices<'_> {
    /// The price of `symbol`, of which the document says `signed`.
    pub(crate) fn of(&self, live: &Live, symbol: &str, signed: Decimal) -> Result<Decimal, Cause> {
        // Each is looked at, so that all that are missing are asked for at once.
        let told: Vec<Result<Decimal, Cause>> =
            live.sources.iter().map(|source| self.told(live, source, symbol)).collect();
        let mut first = None;
        for price in told {
            let price = price?;
            if !is_within(price, signed, live.max_move_percent)? {
                return Err(Cause::PriceMoved);
            }
            if !is_within(price, *first.get_or_insert(price), live.agree_percent)? {
                return Err(Cause::PricesDiffer);
            }
        }
        first.ok_or(Cause::NoFreshPrice)
    }

    fn told(&self, live: &Live, source: &Source, symbol: &str) -> Result<Decimal, Cause> {
        let quote = self.quotes.told.get(&(source.tool.clone(), symbol.to_owned()));
        let age = |quote: &Quote| self.now.saturating_sub(quote.at);
        match quote {
            Some(quote @ Quote { price: Some(price), .. }) if age(quote) < live.max_age_ms => return Ok(*price),
            Some(quote @ Quote { price: None, .. }) if age(quote) < RETRY_MS => {}
            _ => {
                self.quotes.wanted.borrow_mut().insert(source.request(symbol));
            }
        }
        Err(Cause::NoFreshPrice)
    }
}

/// Whether `price` lies at most `percent` of `of` away from it, without rounding.
fn is_within(price: Decimal, of: Decimal, percent: Decimal) -> Result<bool, Cause> {
    let apart = exact_product(exact_difference(price, of)?.abs(), Decimal::ONE_HUNDRED)?;
    Ok(apart <= exact_product(of, percent)?)
}
