//! Tickers over a window of time, and the average price.

use exchange_engine::market::WindowStats;
use exchange_engine::{Exchange, Page, Price, Quantity, SymbolId, Timestamp, Total, TradeId};
use serde::Serialize;

use super::written::{Units, Written};
use crate::api::render::TimeUnit;
use crate::api::ticker::percent;
use crate::json::{Text, text};
use crate::symbols::Symbols;

const HOUR_MILLIS: u64 = 60 * 60 * 1000;

/// Which ticker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// `@miniTicker`
    Mini,
    /// `@ticker`
    Day,
    /// `@ticker_1h` and its like.
    Rolling { event: &'static str, hours: u64 },
}

impl Window {
    pub(crate) fn parse(kind: &str) -> Option<Self> {
        Some(match kind {
            "miniTicker" => Self::Mini,
            "ticker" => Self::Day,
            "ticker_1h" => Self::Rolling { event: "1hTicker", hours: 1 },
            "ticker_4h" => Self::Rolling { event: "4hTicker", hours: 4 },
            "ticker_1d" => Self::Rolling { event: "1dTicker", hours: 24 },
            _ => return None,
        })
    }

    const fn millis(self) -> u64 {
        match self {
            Self::Mini | Self::Day => 24 * HOUR_MILLIS,
            Self::Rolling { hours, .. } => hours * HOUR_MILLIS,
        }
    }
}

/// Tickers of some symbols, and what was told of each.
#[derive(Debug)]
pub(crate) struct Windows {
    window: Window,
    // Whether they come as a list, even one alone.
    list: bool,
    told: Vec<(SymbolId, Option<Figures>)>,
}

/// What makes a ticker a different one: the window itself slides on all the time.
type Figures = (Option<WindowStats>, u64);

impl Windows {
    pub(crate) fn one(symbol: SymbolId, window: Window) -> Self {
        Self { window, list: false, told: vec![(symbol, None)] }
    }

    /// `!miniTicker@arr` and `!ticker_1h@arr`
    pub(crate) fn all(symbols: &Symbols, window: Window) -> Self {
        Self { window, list: true, told: symbols.ids().map(|symbol| (symbol, None)).collect() }
    }

    /// The tickers that are not what was told last.
    pub(crate) fn say(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        symbols: &Symbols,
        units: Units,
    ) -> Option<Written> {
        let mut rows = Vec::new();
        for (symbol, told) in &mut self.told {
            let facts = Facts::of(exchange, *symbol, now, self.window.millis());
            let figures = facts.figures(self.window, exchange);
            if *told != Some(figures) {
                *told = Some(figures);
                rows.push((facts, symbols.name(*symbol)));
            }
        }
        let written = |unit| {
            let texts: Vec<_> =
                rows.iter().map(|(facts, name)| facts.text(self.window, name, exchange, unit)).collect();
            if self.list { format!("[{}]", texts.join(",")) } else { texts.concat() }
        };
        (!rows.is_empty()).then(|| Written::of(units, written))
    }
}

/// The figures of one symbol, as the REST face tells them.
struct Facts {
    symbol: SymbolId,
    from: Timestamp,
    now: Timestamp,
    stats: Option<WindowStats>,
    standing: Price,
}

#[derive(Serialize)]
struct MiniTicker<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: &'a str,
    c: Text<Price>,
    o: Text<Price>,
    h: Text<Price>,
    l: Text<Price>,
    v: Text<Total>,
    q: Text<Total>,
}

#[derive(Serialize)]
struct DayOnly {
    x: Text<Price>,
    #[serde(rename = "Q")]
    last_quantity: Text<Quantity>,
    b: Text<Price>,
    #[serde(rename = "B")]
    bid_quantity: Text<Quantity>,
    a: Text<Price>,
    #[serde(rename = "A")]
    ask_quantity: Text<Quantity>,
}

#[derive(Serialize)]
struct Ticker<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: &'a str,
    p: Text<Price>,
    #[serde(rename = "P")]
    change_percent: String,
    w: Text<Price>,
    #[serde(flatten)]
    day: Option<DayOnly>,
    c: Text<Price>,
    o: Text<Price>,
    h: Text<Price>,
    l: Text<Price>,
    v: Text<Total>,
    q: Text<Total>,
    #[serde(rename = "O")]
    open_time: u64,
    #[serde(rename = "C")]
    close_time: u64,
    #[serde(rename = "F")]
    first_id: i64,
    #[serde(rename = "L")]
    last_id: i64,
    n: u64,
}

impl Facts {
    fn of(exchange: &Exchange, symbol: SymbolId, now: Timestamp, millis: u64) -> Self {
        let from = now.minus_millis(millis);
        // The engine counts whole seconds up to before the end: one more takes in the current one.
        let stats = exchange.window_stats(symbol, from, now.plus_millis(1000));
        Self { symbol, from, now, stats, standing: exchange.last_price(symbol).unwrap_or_default() }
    }

    fn figures(&self, window: Window, exchange: &Exchange) -> Figures {
        let stats = self.stats.map(|stats| WindowStats { from: Timestamp::EPOCH, to: Timestamp::EPOCH, ..stats });
        let book = if window == Window::Day { exchange.book_top(self.symbol) } else { None };
        (stats, book.map_or(0, |top| top.update_id))
    }

    /// A window without trades stands at the last price.
    fn price(&self, pick: fn(&WindowStats) -> Option<Price>) -> Price {
        self.stats.as_ref().and_then(pick).unwrap_or(self.standing)
    }

    fn text(&self, window: Window, s: &str, exchange: &Exchange, unit: TimeUnit) -> String {
        let event_time = unit.of(self.now);
        let [open, high] = [self.price(|stats| stats.open), self.price(|stats| stats.high)];
        let [low, last] = [self.price(|stats| stats.low), self.price(|stats| stats.last)];
        let base = self.stats.map(|stats| stats.base).unwrap_or_default();
        let quote = self.stats.map(|stats| stats.quote).unwrap_or_default();
        let (e, day) = match window {
            Window::Mini => {
                return text(&MiniTicker {
                    e: "24hrMiniTicker",
                    event_time,
                    s,
                    c: Text(last),
                    o: Text(open),
                    h: Text(high),
                    l: Text(low),
                    v: Text(base),
                    q: Text(quote),
                });
            }
            Window::Day => ("24hrTicker", Some(self.day(exchange))),
            Window::Rolling { event, .. } => (event, None),
        };
        let change = Price::from_units(last.units().saturating_sub(open.units()));
        text(&Ticker {
            e,
            event_time,
            s,
            p: Text(change),
            change_percent: percent(change, open),
            w: Text(self.stats.and_then(|stats| stats.average).unwrap_or_default()),
            day,
            c: Text(last),
            o: Text(open),
            h: Text(high),
            l: Text(low),
            v: Text(base),
            q: Text(quote),
            open_time: unit.of(self.from),
            close_time: unit.of(self.now),
            first_id: id(self.stats.and_then(|stats| stats.first_trade)),
            last_id: id(self.stats.and_then(|stats| stats.last_trade)),
            n: self.stats.map_or(0, |stats| stats.trades),
        })
    }

    fn day(&self, exchange: &Exchange) -> DayOnly {
        let top = exchange.book_top(self.symbol);
        let [bid, ask] = [top.and_then(|top| top.bid), top.and_then(|top| top.ask)]
            .map(|level| level.map_or((Price::ZERO, Quantity::ZERO), |level| (level.price, level.quantity)));
        DayOnly {
            x: Text(self.price(|stats| stats.prev_close)),
            last_quantity: Text(self.stats.map(|stats| stats.last_quantity).unwrap_or_default()),
            b: Text(bid.0),
            bid_quantity: Text(bid.1),
            a: Text(ask.0),
            ask_quantity: Text(ask.1),
        }
    }
}

/// A trade's id; -1 for none.
pub(crate) fn id(trade: Option<TradeId>) -> i64 {
    trade.map_or(-1, |trade| i64::try_from(trade.0).unwrap_or(i64::MAX))
}

#[derive(Serialize)]
struct AveragePrice<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: &'a str,
    i: &'static str,
    w: Text<Price>,
    #[serde(rename = "T")]
    last_trade_time: u64,
}

/// `<symbol>@avgPrice`.
pub(crate) fn average(
    now: Timestamp,
    exchange: &Exchange,
    symbols: &Symbols,
    symbol: SymbolId,
    unit: TimeUnit,
) -> String {
    const MINS: u32 = 5;
    let last = exchange.trades(symbol, Page::newest(1));
    text(&AveragePrice {
        e: "avgPrice",
        event_time: unit.of(now),
        s: symbols.name(symbol),
        i: "5m",
        w: Text(exchange.average_price(symbol, MINS, now).unwrap_or_default()),
        last_trade_time: last.last().map_or(0, |trade| unit.of(trade.time)),
    })
}
