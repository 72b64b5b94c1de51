//! What is drawn from a tape: lists of trades, aggregates, candles of any length.

use std::ops::Range;

use crate::ids::TradeId;
use crate::market::{AggregateTrade, Kline, KlineQuery};
use crate::money::Quantity;
use crate::query::Page;
use crate::state::Slot;
use crate::state::tape::Tape;
use crate::time::Timestamp;

impl Tape {
    /// The ids of a page of trades.
    pub(crate) fn page(&self, page: &Page) -> impl Iterator<Item = TradeId> + use<> {
        let time = |place: usize| self.trade(TradeId(place as u64)).map(|trade| trade.time).unwrap_or_default();
        let [first, end] = [self.first(), self.next()].map(|place| usize::try_from(place).unwrap_or(usize::MAX));
        page.places(first..end, place_of_id, time).map(|place| TradeId(place as u64))
    }

    /// The places of a page of aggregates, which are their ids.
    pub(crate) fn aggregate_page(&self, page: &Page) -> Range<usize> {
        let first = |place: usize| self.aggregates().get(place).map(|first| TradeId(u64::from(first)));
        let time = |place| first(place).and_then(|id| self.trade(id)).map(|trade| trade.time).unwrap_or_default();
        page.places(self.aggregates().first()..self.aggregates().len(), place_of_id, time)
    }

    /// One aggregate. `maker_buys` tells whether a maker's order buys.
    pub(crate) fn aggregate(&self, place: usize, maker_buys: impl Fn(Slot) -> bool) -> Option<AggregateTrade> {
        let first = self.aggregates().get(place)?;
        let end = self.aggregates().get(place + 1).unwrap_or(self.next());
        let head = self.trade(TradeId(first.into()))?;
        // One order's trades: their sum is not more than its quantity.
        let trades = (first..end).filter_map(|id| self.trade(TradeId(id.into())));
        let quantity = trades.map(|trade| trade.quantity.units()).sum();
        Some(AggregateTrade {
            id: place as u64,
            price: head.price,
            quantity: Quantity::from_units(quantity),
            first: TradeId(u64::from(first)),
            last: TradeId(u64::from(end).saturating_sub(1)),
            time: head.time,
            is_buyer_maker: maker_buys(head.maker),
        })
    }

    /// Candles, oldest first, from the one of the first trade to the one that holds `now`.
    pub(crate) fn klines(&self, now: Timestamp, query: &KlineQuery) -> Vec<Kline> {
        let Some(first_second) = self.first_second() else { return Vec::new() };
        let open_time = |time| query.interval.open_time(time, query.utc_offset_mins);
        let first = open_time(Timestamp::from_secs(first_second));
        let last = query.to.map_or(now, |to| to.min(now));
        let mut klines = Vec::new();
        if let Some(from) = query.from {
            let mut open = open_time(from).max(first);
            if open < from {
                open = query.interval.next_open(open, query.utc_offset_mins);
            }
            while open <= last && klines.len() < query.limit {
                klines.push(self.kline(open, query));
                open = query.interval.next_open(open, query.utc_offset_mins);
            }
        } else {
            let mut open = open_time(last);
            while open >= first && klines.len() < query.limit {
                klines.push(self.kline(open, query));
                let Some(before) = open.as_secs().checked_sub(1) else { break };
                open = open_time(Timestamp::from_secs(before));
            }
            klines.reverse();
        }
        klines
    }

    fn kline(&self, open_time: Timestamp, query: &KlineQuery) -> Kline {
        let next_open_time = query.interval.next_open(open_time, query.utc_offset_mins);
        let span = self.span(open_time.as_secs(), next_open_time.as_secs());
        let flat = self.close_before(open_time.as_secs()).unwrap_or_default();
        let sums = span.map(|span| span.sums).unwrap_or_default();
        Kline {
            open_time,
            next_open_time,
            open: span.map_or(flat, |span| span.open),
            high: span.map_or(flat, |span| span.high),
            low: span.map_or(flat, |span| span.low),
            close: span.map_or(flat, |span| span.close),
            base: sums.base(),
            quote: sums.quote(),
            trades: u64::from(sums.trades),
            taker_buy_base: sums.taker_buy_base(),
            taker_buy_quote: sums.taker_buy_quote(),
        }
    }
}

/// Where ids are places, an id's place is the id.
fn place_of_id(id: u64) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}
