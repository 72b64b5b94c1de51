//! One symbol's trades, and what is read from them: candles of one second with running totals, from which every
//! longer candle and every average follows.

use crate::ids::TradeId;
use crate::market::WindowStats;
use crate::money::{Amount, Price, Total};
use crate::packing::Series;
use crate::state::trades::{TradeRecord, Trades};
use crate::time::Timestamp;

/// Sums since the first trade of the symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) trades: u32,
    base: i128,
    quote: i128,
    taker_buy_base: i128,
    taker_buy_quote: i128,
}

impl Totals {
    const fn less(self, before: Self) -> Self {
        Self {
            trades: self.trades.saturating_sub(before.trades),
            base: self.base - before.base,
            quote: self.quote - before.quote,
            taker_buy_base: self.taker_buy_base - before.taker_buy_base,
            taker_buy_quote: self.taker_buy_quote - before.taker_buy_quote,
        }
    }

    pub(crate) const fn base(self) -> Total {
        Total::from_units(self.base)
    }

    pub(crate) const fn quote(self) -> Total {
        Total::from_units(self.quote)
    }

    pub(crate) const fn taker_buy_base(self) -> Total {
        Total::from_units(self.taker_buy_base)
    }

    pub(crate) const fn taker_buy_quote(self) -> Total {
        Total::from_units(self.taker_buy_quote)
    }
}

/// A second in which something traded.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candle {
    second: u64,
    open: Price,
    high: Price,
    low: Price,
    close: Price,
    /// The totals before its first trade.
    before: Totals,
}

/// What a span of seconds comes to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) open: Price,
    pub(crate) high: Price,
    pub(crate) low: Price,
    pub(crate) close: Price,
    pub(crate) sums: Totals,
    first_trade: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tape {
    trades: Trades,
    /// The first trade of each aggregate.
    aggregates: Series,
    candles: Vec<Candle>,
    totals: Totals,
    opening_price: Option<Price>,
}

impl Tape {
    pub(super) fn new(opening_price: Option<Price>) -> Self {
        let totals = Totals { trades: 0, base: 0, quote: 0, taker_buy_base: 0, taker_buy_quote: 0 };
        Self { trades: Trades::new(), aggregates: Series::default(), candles: Vec::new(), totals, opening_price }
    }

    pub(crate) const fn aggregates(&self) -> &Series {
        &self.aggregates
    }

    pub(crate) fn trade(&self, id: TradeId) -> Option<TradeRecord> {
        self.trades.get(id)
    }

    /// The last trade.
    pub(crate) const fn last_trade(&self) -> Option<&TradeRecord> {
        self.trades.last()
    }

    /// The price of the last trade, or the opening price.
    pub(crate) fn last_price(&self) -> Option<Price> {
        self.trades.last().map(|trade| trade.price).or(self.opening_price)
    }

    /// The place of the next trade, which is also how many there are.
    pub(crate) const fn next(&self) -> u32 {
        self.totals.trades
    }

    /// `None` when there is no room.
    pub(super) fn push(&mut self, trade: TradeRecord, quote: Amount, taker_buys: bool) -> Option<()> {
        // An order takes only while it is placed, so one taker's trades are neighbours of one moment.
        let joins = self.trades.last().is_some_and(|last| last.taker == trade.taker && last.price == trade.price);
        if !joins {
            self.aggregates.push(self.totals.trades)?;
        }
        let (second, price) = (trade.time.as_secs(), trade.price);
        if let Some(candle) = self.candles.last_mut().filter(|candle| candle.second == second) {
            candle.high = candle.high.max(price);
            candle.low = candle.low.min(price);
            candle.close = price;
        } else {
            let before = self.totals;
            self.candles.push(Candle { second, open: price, high: price, low: price, close: price, before });
        }
        let (base, quote) = (i128::from(trade.quantity.units()), i128::from(quote.units()));
        self.totals.trades = self.totals.trades.saturating_add(1);
        self.totals.base += base;
        self.totals.quote += quote;
        if taker_buys {
            self.totals.taker_buy_base += base;
            self.totals.taker_buy_quote += quote;
        }
        self.trades.push(trade)
    }

    fn place(&self, second: u64) -> usize {
        self.candles.partition_point(|candle| candle.second < second)
    }

    fn totals_before(&self, place: usize) -> Totals {
        self.candles.get(place).map_or(self.totals, |candle| candle.before)
    }

    /// What traded from one second to before another; nothing when nothing did.
    pub(crate) fn span(&self, from_second: u64, to_second: u64) -> Option<Span> {
        let (start, end) = (self.place(from_second), self.place(to_second));
        let candles = self.candles.get(start..end)?;
        let (first, last) = (candles.first()?, candles.last()?);
        Some(Span {
            open: first.open,
            high: candles.iter().map(|candle| candle.high).max()?,
            low: candles.iter().map(|candle| candle.low).min()?,
            close: last.close,
            sums: self.totals_before(end).less(first.before),
            first_trade: first.before.trades,
        })
    }

    /// The last price before this second.
    pub(crate) fn close_before(&self, second: u64) -> Option<Price> {
        let place = self.place(second).checked_sub(1)?;
        self.candles.get(place).map(|candle| candle.close)
    }

    /// The second of the first trade.
    pub(crate) fn first_second(&self) -> Option<u64> {
        self.candles.first().map(|candle| candle.second)
    }

    /// The average over the last minutes up to now, or the last price when there is none.
    pub(crate) fn average(&self, mins: u32, now: Timestamp) -> Option<Price> {
        let from = now.as_secs().saturating_sub(u64::from(mins) * 60);
        let sums = self.totals.less(self.totals_before(self.place(from)));
        let average = if mins == 0 { None } else { sums.quote().per(sums.base()) };
        average.or_else(|| self.last_price())
    }

    pub(crate) fn stats(&self, from: Timestamp, to: Timestamp) -> WindowStats {
        let (from, to) = (from.as_secs(), to.as_secs());
        let span = self.span(from, to);
        let sums = span.map(|span| span.sums).unwrap_or_default();
        let first = span.map(|span| u64::from(span.first_trade));
        let last = first.map(|first| TradeId((first + u64::from(sums.trades)).saturating_sub(1)));
        WindowStats {
            from: Timestamp::from_secs(from),
            to: Timestamp::from_secs(to),
            prev_close: self.close_before(from).or(self.opening_price),
            open: span.map(|span| span.open),
            high: span.map(|span| span.high),
            low: span.map(|span| span.low),
            last: span.map(|span| span.close),
            last_quantity: last.and_then(|id| self.trade(id)).map(|trade| trade.quantity).unwrap_or_default(),
            base: sums.base(),
            quote: sums.quote(),
            average: sums.quote().per(sums.base()),
            first_trade: first.map(TradeId),
            last_trade: last,
            trades: u64::from(sums.trades),
        }
    }
}
