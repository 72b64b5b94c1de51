//! Streams of the order book: what changed (`@depth`) and the best levels (`@depth5`, `@depth10`, `@depth20`).

use std::collections::BTreeMap;

use exchange_engine::{BookLevel, Exchange, Price, Quantity, SymbolId, Timestamp};
use serde::Serialize;

use super::written::{Units, Written};
use crate::api::render::Level;
use crate::json::text;
use crate::symbols::Symbols;

type Side = BTreeMap<Price, Quantity>;

/// `<symbol>@depth`: the book as its listeners know it.
#[derive(Debug)]
pub(crate) struct Diff {
    symbol: SymbolId,
    update_id: u64,
    bids: Side,
    asks: Side,
}

#[derive(Serialize)]
struct DepthUpdate<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: &'a str,
    #[serde(rename = "U")]
    first_update_id: u64,
    u: u64,
    b: &'a [Level],
    a: &'a [Level],
}

impl Diff {
    /// Starts from the book as it is: a listener fetches it from the REST face.
    pub(crate) fn of(exchange: &Exchange, symbol: SymbolId) -> Self {
        let depth = exchange.depth(symbol, usize::MAX);
        let update_id = depth.as_ref().map_or(0, |depth| depth.last_update_id);
        let (bids, asks) = depth.map(|depth| (side(&depth.bids), side(&depth.asks))).unwrap_or_default();
        Self { symbol, update_id, bids, asks }
    }

    /// What changed since the last time. Changes that undid one another are told with the next that did not.
    pub(crate) fn say(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        symbols: &Symbols,
        units: Units,
    ) -> Option<Written> {
        if update_id(exchange, self.symbol)? == self.update_id {
            return None;
        }
        let current = Self::of(exchange, self.symbol);
        let bids = changes(&self.bids, &current.bids);
        let asks = changes(&self.asks, &current.asks);
        if bids.is_empty() && asks.is_empty() {
            return None;
        }
        let bids: Vec<_> = bids.into_iter().rev().collect();
        let told = Written::of(units, |unit| {
            text(&DepthUpdate {
                e: "depthUpdate",
                event_time: unit.of(now),
                s: symbols.name(self.symbol),
                first_update_id: self.update_id.saturating_add(1),
                u: current.update_id,
                b: &bids,
                a: &asks,
            })
        });
        *self = current;
        Some(told)
    }
}

fn update_id(exchange: &Exchange, symbol: SymbolId) -> Option<u64> {
    exchange.book_top(symbol).map(|top| top.update_id)
}

fn side(levels: &[BookLevel]) -> Side {
    levels.iter().map(|level| (level.price, level.quantity)).collect()
}

/// Levels that are new or different, and those that are gone with quantity zero, by price.
fn changes(before: &Side, after: &Side) -> Vec<Level> {
    let gone = before.keys().filter(|price| !after.contains_key(price)).map(|price| (*price, Quantity::ZERO));
    let other = after.iter().filter(|(price, quantity)| before.get(price) != Some(quantity));
    let all: Side = gone.chain(other.map(|(price, quantity)| (*price, *quantity))).collect();
    all.into_iter().map(|(price, quantity)| Level(BookLevel { price, quantity })).collect()
}

/// `<symbol>@depth5` and its like.
#[derive(Debug)]
pub(crate) struct Partial {
    symbol: SymbolId,
    levels: usize,
    update_id: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartialDepth {
    last_update_id: u64,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Partial {
    pub(crate) const fn of(symbol: SymbolId, levels: usize) -> Self {
        Self { symbol, levels, update_id: None }
    }

    /// The best levels, when the book is not the one that was told last.
    pub(crate) fn say(&mut self, exchange: &Exchange, units: Units) -> Option<Written> {
        let current = update_id(exchange, self.symbol);
        if current == self.update_id {
            return None;
        }
        self.update_id = current;
        let depth = exchange.depth(self.symbol, self.levels)?;
        let told = text(&PartialDepth {
            last_update_id: depth.last_update_id,
            bids: depth.bids.into_iter().map(Level).collect(),
            asks: depth.asks.into_iter().map(Level).collect(),
        });
        // There is no time in it.
        Some(Written::of(units, |_| told.clone()))
    }
}
