//! `<symbol>@kline_<interval>`: the current candle while it grows, and once more when it has closed.

use exchange_engine::market::{Interval, Kline, KlineQuery};
use exchange_engine::{Exchange, Price, SymbolId, Timestamp, Total};
use serde::Serialize;

use super::stats::id;
use super::written::{Units, Written};
use crate::api::render::TimeUnit;
use crate::json::{Text, text};
use crate::symbols::Symbols;

/// The candle that was told last.
#[derive(Debug)]
pub(crate) struct Candles {
    symbol: SymbolId,
    interval: Interval,
    offset_mins: i32,
    open_time: Timestamp,
    trades: u64,
}

#[derive(Serialize)]
struct KlineEvent<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: &'a str,
    k: KlineRow<'a>,
}

#[derive(Serialize)]
struct KlineRow<'a> {
    t: u64,
    #[serde(rename = "T")]
    close_time: u64,
    s: &'a str,
    i: Text<Interval>,
    f: i64,
    #[serde(rename = "L")]
    last_id: i64,
    o: Text<Price>,
    c: Text<Price>,
    h: Text<Price>,
    l: Text<Price>,
    v: Text<Total>,
    n: u64,
    x: bool,
    q: Text<Total>,
    #[serde(rename = "V")]
    taker_buy_base: Text<Total>,
    #[serde(rename = "Q")]
    taker_buy_quote: Text<Total>,
    #[serde(rename = "B")]
    ignore: &'static str,
}

/// Far more than there can be between two moments of a stream.
const CANDLES_MAX: usize = 100;

impl Candles {
    pub(crate) fn of(symbol: SymbolId, interval: Interval, offset_mins: i32, now: Timestamp) -> Self {
        Self { symbol, interval, offset_mins, open_time: interval.open_time(now, offset_mins), trades: 0 }
    }

    /// The candles that have closed, and the current one when it has grown.
    pub(crate) fn say(&mut self, now: Timestamp, exchange: &Exchange, symbols: &Symbols, units: Units) -> Vec<Written> {
        let query = KlineQuery {
            interval: self.interval,
            from: Some(self.open_time),
            to: None,
            limit: CANDLES_MAX,
            utc_offset_mins: self.offset_mins,
        };
        let mut told = Vec::new();
        for kline in exchange.klines(self.symbol, now, &query) {
            let known = if kline.open_time == self.open_time { self.trades } else { 0 };
            let closed = kline.next_open_time <= now;
            if closed || kline.trades != known {
                let s = symbols.name(self.symbol);
                told.push(Written::of(units, |unit| self.event((now, unit), exchange, s, &kline, closed)));
            }
            (self.open_time, self.trades) = (kline.open_time, kline.trades);
        }
        told
    }

    fn event(
        &self,
        (now, unit): (Timestamp, TimeUnit),
        exchange: &Exchange,
        s: &str,
        kline: &Kline,
        closed: bool,
    ) -> String {
        let stats = exchange.window_stats(self.symbol, kline.open_time, kline.next_open_time);
        text(&KlineEvent {
            e: "kline",
            event_time: unit.of(now),
            s,
            k: KlineRow {
                t: unit.of(kline.open_time),
                close_time: unit.before(kline.next_open_time),
                s,
                i: Text(self.interval),
                f: id(stats.and_then(|stats| stats.first_trade)),
                last_id: id(stats.and_then(|stats| stats.last_trade)),
                o: Text(kline.open),
                c: Text(kline.close),
                h: Text(kline.high),
                l: Text(kline.low),
                v: Text(kline.base),
                n: kline.trades,
                x: closed,
                q: Text(kline.quote),
                taker_buy_base: Text(kline.taker_buy_base),
                taker_buy_quote: Text(kline.taker_buy_quote),
                ignore: "0",
            },
        })
    }
}
