//! Streams that speak at intervals: which of them somebody hears, and when each speaks next.
//!
//! A stream is followed from its first listener to its last, so that without listeners there is no deadline. Moments
//! are whole multiples of the interval on the mock's clock.

use std::collections::BTreeMap;

use exchange_engine::market::Interval;
use exchange_engine::{Exchange, SymbolId, Timestamp};

use super::book::{Diff, Partial};
use super::candle::Candles;
use super::stats::{self, Window, Windows};
use super::streams::Streams;
use super::written::{Units, Written};
use crate::symbols::Symbols;

/// All followed streams, by name.
#[derive(Debug, Default)]
pub(crate) struct Cadence {
    followed: BTreeMap<String, Followed>,
}

#[derive(Debug)]
struct Followed {
    told: Told,
    every_millis: u64,
    next: Timestamp,
}

/// What a stream remembers of what it told.
#[derive(Debug)]
enum Told {
    Diff(Diff),
    Partial(Partial),
    Candles(Candles),
    Windows(Windows),
    Average(SymbolId),
}

impl Cadence {
    /// Follows what has come to be heard.
    pub(crate) fn follow(&mut self, now: Timestamp, exchange: &Exchange, symbols: &Symbols, streams: &Streams) {
        for name in streams.heard() {
            if self.followed.contains_key(name) {
                continue;
            }
            if let Some((told, every_millis)) = told(name, now, exchange, symbols) {
                let next = after(now, every_millis);
                self.followed.insert(name.to_owned(), Followed { told, every_millis, next });
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.followed.values().map(|followed| followed.next).min()
    }

    /// Lets the streams speak whose moment has come.
    pub(crate) fn run_due(&mut self, now: Timestamp, exchange: &Exchange, symbols: &Symbols, streams: &mut Streams) {
        self.followed.retain(|name, _| streams.is_heard(name));
        for (name, followed) in self.followed.iter_mut().filter(|(_, followed)| followed.next <= now) {
            followed.next = after(now, followed.every_millis);
            for event in followed.told.say(now, exchange, symbols, streams.units(name)) {
                streams.publish_written(name, event);
            }
        }
    }
}

/// The first moment after `now` that is a multiple of the interval.
const fn after(now: Timestamp, every_millis: u64) -> Timestamp {
    let millis = now.as_millis();
    Timestamp::from_millis(millis - millis % every_millis).plus_millis(every_millis)
}

const SECOND: u64 = 1000;
const TENTH: u64 = 100;

/// What a stream of this name tells, and how often; nothing for names that are none, or speak at once.
fn told(name: &str, now: Timestamp, exchange: &Exchange, symbols: &Symbols) -> Option<(Told, u64)> {
    if let Some(window) = name.strip_prefix('!').and_then(|name| name.strip_suffix("@arr")).and_then(Window::parse) {
        // `!ticker@arr` was retired; nobody hears it any more.
        return (window != Window::Day).then(|| (Told::Windows(Windows::all(symbols, window)), SECOND));
    }
    let (symbol, kind) = name.split_once('@')?;
    if symbol.chars().any(char::is_uppercase) {
        return None;
    }
    let symbol = symbols.id(&symbol.to_uppercase())?;
    let (book, every) = kind.strip_suffix("@100ms").map_or((kind, SECOND), |book| (book, TENTH));
    match (book, kind) {
        ("depth", _) => return Some((Told::Diff(Diff::of(exchange, symbol)), every)),
        ("depth5", _) => return Some((Told::Partial(Partial::of(symbol, 5)), every)),
        ("depth10", _) => return Some((Told::Partial(Partial::of(symbol, 10)), every)),
        ("depth20", _) => return Some((Told::Partial(Partial::of(symbol, 20)), every)),
        (_, "avgPrice") => return Some((Told::Average(symbol), SECOND)),
        _ => {}
    }
    if let Some(window) = Window::parse(kind) {
        return Some((Told::Windows(Windows::one(symbol, window)), SECOND));
    }
    let interval = kind.strip_prefix("kline_")?;
    let (interval, offset_mins) = interval.strip_suffix("@+08:00").map_or((interval, 0), |name| (name, 8 * 60));
    let interval: Interval = interval.parse().ok()?;
    let every = if interval == Interval::Seconds(1) { SECOND } else { 2 * SECOND };
    Some((Told::Candles(Candles::of(symbol, interval, offset_mins, now)), every))
}

impl Told {
    fn say(&mut self, now: Timestamp, exchange: &Exchange, symbols: &Symbols, units: Units) -> Vec<Written> {
        match self {
            Self::Diff(diff) => diff.say(now, exchange, symbols, units).into_iter().collect(),
            Self::Partial(partial) => partial.say(exchange, units).into_iter().collect(),
            Self::Candles(candles) => candles.say(now, exchange, symbols, units),
            Self::Windows(windows) => windows.say(now, exchange, symbols, units).into_iter().collect(),
            Self::Average(symbol) => {
                vec![Written::of(units, |unit| stats::average(now, exchange, symbols, *symbol, unit))]
            }
        }
    }
}
