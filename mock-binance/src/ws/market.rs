//! Payloads of the market streams (Binance `web-socket-streams.md`).

use exchange_engine::market::AggregateTrade;
use exchange_engine::{BookTop, Price, Quantity, Trade};
use serde::Serialize;

use crate::api::render::TimeUnit;
use crate::json::{Text, text};

#[derive(Serialize)]
struct TradeEvent<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: &'a str,
    t: u64,
    p: Text<Price>,
    q: Text<Quantity>,
    #[serde(rename = "T")]
    trade_time: u64,
    m: bool,
    #[serde(rename = "M")]
    ignore: bool,
}

/// `<symbol>@trade`.
pub(crate) fn trade(trade: &Trade, symbol: &str, unit: TimeUnit) -> String {
    text(&TradeEvent {
        e: "trade",
        event_time: unit.of(trade.time),
        s: symbol,
        t: trade.id.0,
        p: Text(trade.price),
        q: Text(trade.quantity),
        trade_time: unit.of(trade.time),
        m: trade.is_buyer_maker,
        ignore: true,
    })
}

#[derive(Serialize)]
struct AggregateTradeEvent<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: &'a str,
    a: u64,
    p: Text<Price>,
    q: Text<Quantity>,
    f: u64,
    l: u64,
    #[serde(rename = "T")]
    trade_time: u64,
    m: bool,
    #[serde(rename = "M")]
    ignore: bool,
}

/// `<symbol>@aggTrade`.
pub(crate) fn aggregate_trade(trade: &AggregateTrade, symbol: &str, unit: TimeUnit) -> String {
    text(&AggregateTradeEvent {
        e: "aggTrade",
        event_time: unit.of(trade.time),
        s: symbol,
        a: trade.id,
        p: Text(trade.price),
        q: Text(trade.quantity),
        f: trade.first.0,
        l: trade.last.0,
        trade_time: unit.of(trade.time),
        m: trade.is_buyer_maker,
        ignore: true,
    })
}

#[derive(Serialize)]
struct BookTickerEvent<'a> {
    u: u64,
    s: &'a str,
    b: Text<Price>,
    #[serde(rename = "B")]
    bid_quantity: Text<Quantity>,
    a: Text<Price>,
    #[serde(rename = "A")]
    ask_quantity: Text<Quantity>,
}

/// `<symbol>@bookTicker`. An empty side is told as zero.
pub(crate) fn book_ticker(top: &BookTop, symbol: &str) -> String {
    let bid = top.bid.map_or((Price::ZERO, Quantity::ZERO), |level| (level.price, level.quantity));
    let ask = top.ask.map_or((Price::ZERO, Quantity::ZERO), |level| (level.price, level.quantity));
    text(&BookTickerEvent {
        u: top.update_id,
        s: symbol,
        b: Text(bid.0),
        bid_quantity: Text(bid.1),
        a: Text(ask.0),
        ask_quantity: Text(ask.1),
    })
}
