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
    /// The first trade that is not forgotten.
    first: u32,
    /// The first trade of each aggregate.
    aggregates: Series,
    /// Seconds that are not forgotten, and the one before them.
    candles: Vec<Candle>,
    totals: Totals,
    opening_price: Option<Price>,
}

impl Tape {
    pub(super) fn new(opening_price: Option<Price>) -> Self {
        let totals = Totals { trades: 0, base: 0, quote: 0, taker_buy_base: 0, taker_buy_quote: 0 };
        Self {
            trades: Trades::new(),
            first: 0,
            aggregates: Series::default(),
            candles: Vec::new(),
            totals,
            opening_price,
        }
    }

    pub(crate) const fn aggregates(&self) -> &Series {
        &self.aggregates
    }

    /// A trade that is not forgotten.
    pub(crate) fn trade(&self, id: TradeId) -> Option<TradeRecord> {
        if id.0 < self.first.into() { None } else { self.trades.get(id) }
    }

    /// The place of the first trade that is not forgotten.
    pub(crate) const fn first(&self) -> u32 {
        self.first
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

    /// Forgets the trades before this one, and the seconds before that one. The last trade before and the last second
    /// before are kept: prices follow from them.
    pub(super) fn forget(&mut self, trade: u32, second: u64) {
        self.first = self.first.max(trade.min(self.totals.trades));
        self.trades.forget_below(TradeId(self.first.into()));
        self.aggregates.forget_below(self.aggregates.place_of(self.first));
        let over = self.place(second).saturating_sub(1);
        self.candles.drain(..over);
        self.candles.shrink_to(self.candles.len() * 2);
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
            last_quantity: last.and_then(|id| self.trades.get(id)).map(|trade| trade.quantity).unwrap_or_default(),
            base: sums.base(),
            quote: sums.quote(),
            average: sums.quote().per(sums.base()),
            first_trade: first.map(TradeId),
            last_trade: last,
            trades: u64::from(sums.trades),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Quantity;
    use crate::state::Slot;

    fn trade_at(second: u64, price: i64) -> TradeRecord {
        TradeRecord {
            price: Price::from_units(price),
            quantity: Quantity::from_units(100_000_000),
            time: Timestamp::from_secs(second),
            maker: Slot(0),
            taker: Slot(u32::try_from(second).unwrap()),
            maker_commission: Amount::ZERO,
            taker_commission: Amount::ZERO,
            maker_discounted: false,
            taker_discounted: false,
        }
    }

    #[test]
    fn prices_outlast_what_is_forgotten() {
        let mut whole = Tape::new(None);
        for second in 0..3_000 {
            let trade = trade_at(second, i64::try_from(second).unwrap() + 500);
            whole.push(trade, Amount::from_units(second.cast_signed()), second % 2 == 0).unwrap();
        }
        let mut tape = whole.clone();
        tape.forget(3_000, 2_000);
        assert_eq!(tape.candles.len(), 1_001);
        assert_eq!(tape.trade(TradeId(2_999)), None);
        assert_eq!(tape.last_price(), whole.last_price());
        let [from, to] = [2_000, 3_000].map(Timestamp::from_secs);
        assert_eq!(tape.stats(from, to), whole.stats(from, to));
        assert_eq!(tape.stats(from, to).prev_close, Some(Price::from_units(2_499)));
        // After a long silence the last second is still what the price follows from.
        tape.forget(3_000, 90_000);
        let [from, to] = [90_000, 95_000].map(Timestamp::from_secs);
        assert_eq!(tape.stats(from, to), whole.stats(from, to));
        assert_eq!(tape.average(5, to), whole.average(5, to));
        assert_eq!(tape.candles.len(), 1);
    }
}
