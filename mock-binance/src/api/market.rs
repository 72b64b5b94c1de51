//! Public market data of one symbol.

use exchange_engine::market::{Interval, KlineQuery};
use exchange_engine::{Page, Price, Quantity, SymbolId, SymbolStatus};
use serde::Serialize;

use super::auth::time as moment;
use super::error::ApiError;
use super::render::Level;
use super::route::Call;
use crate::json::{self, Text};

/// GET ping.
#[expect(clippy::unnecessary_wraps, reason = "all endpoints are called alike")]
pub(crate) fn ping(_: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    Ok(b"{}".to_vec())
}

/// GET time.
#[expect(clippy::unnecessary_wraps, reason = "all endpoints are called alike")]
pub(crate) fn time(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ServerTime {
        server_time: u64,
    }
    Ok(json::bytes(&ServerTime { server_time: call.unit.of(call.server_time) }))
}

impl Call<'_> {
    /// The symbol that the request is about.
    pub(crate) fn symbol(&self) -> Result<SymbolId, ApiError> {
        let name = self.params.require("symbol")?;
        self.state.symbols.id(name).ok_or(ApiError::Symbol)
    }

    /// `limit`, cut down to what the endpoint gives at most.
    pub(crate) fn limit(&self, default: usize, max: usize) -> Result<usize, ApiError> {
        match self.params.digits("limit")? {
            None => Ok(default),
            Some(0) => Err(ApiError::Invalid("limit")),
            Some(limit) => Ok(usize::try_from(limit).unwrap_or(max).min(max)),
        }
    }

    /// `timeZone`, in minutes from UTC.
    pub(crate) fn utc_offset_mins(&self) -> Result<i32, ApiError> {
        match self.params.get("timeZone") {
            None => Ok(0),
            Some(text) => utc_offset_mins(text).ok_or(ApiError::Invalid("timeZone")),
        }
    }

    /// Refuses a symbol whose status is not the one asked for.
    pub(crate) fn check_status(&self, symbol: SymbolId) -> Result<(), ApiError> {
        match self.symbol_status()? {
            Some(status) if Some(status) != self.status(symbol) => Err(ApiError::SymbolStatusMismatch),
            _ => Ok(()),
        }
    }

    /// `symbolStatus`.
    pub(crate) fn symbol_status(&self) -> Result<Option<&str>, ApiError> {
        match self.params.get("symbolStatus") {
            None => Ok(None),
            Some(status @ ("TRADING" | "HALT" | "BREAK")) => Ok(Some(status)),
            Some(_) => Err(ApiError::SymbolStatus),
        }
    }

    pub(crate) fn status(&self, symbol: SymbolId) -> Option<&'static str> {
        self.state.exchange.status(symbol, self.now).map(SymbolStatus::as_str)
    }
}

/// GET depth.
pub(crate) fn depth(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Depth {
        last_update_id: u64,
        bids: Vec<Level>,
        asks: Vec<Level>,
    }
    let symbol = call.symbol()?;
    call.check_status(symbol)?;
    let limit = call.limit(100, 5000)?;
    let depth = call.state.exchange.depth(symbol, limit).ok_or(ApiError::Symbol)?;
    Ok(json::bytes(&Depth {
        last_update_id: depth.last_update_id,
        bids: depth.bids.into_iter().map(Level).collect(),
        asks: depth.asks.into_iter().map(Level).collect(),
    }))
}

/// GET trades and historicalTrades, which alone takes `fromId`.
pub(crate) fn trades(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Trade {
        id: u64,
        price: Text<Price>,
        qty: Text<Quantity>,
        quote_qty: Text<exchange_engine::Amount>,
        time: u64,
        is_buyer_maker: bool,
        is_best_match: bool,
    }
    let symbol = call.symbol()?;
    let from_id = call.params.digits("fromId")?;
    let page = Page { from_id, limit: call.limit(500, 1000)?, ..Page::default() };
    let trades = call.state.exchange.trades(symbol, page);
    let rows: Vec<Trade> = trades
        .iter()
        .map(|trade| Trade {
            id: trade.id.0,
            price: Text(trade.price),
            qty: Text(trade.quantity),
            quote_qty: Text(trade.quote),
            time: call.unit.of(trade.time),
            is_buyer_maker: trade.is_buyer_maker,
            is_best_match: true,
        })
        .collect();
    Ok(json::bytes(&rows))
}

/// GET aggTrades.
pub(crate) fn agg_trades(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct AggTrade {
        a: u64,
        p: Text<Price>,
        q: Text<Quantity>,
        f: u64,
        l: u64,
        #[serde(rename = "T")]
        time: u64,
        m: bool,
        #[serde(rename = "M")]
        is_best_match: bool,
    }
    let symbol = call.symbol()?;
    let page = Page {
        from_id: call.params.digits("fromId")?,
        from: moment(call.params, "startTime")?,
        to: moment(call.params, "endTime")?,
        limit: call.limit(500, 1000)?,
    };
    if page.from_id.is_some() && (page.from.is_some() || page.to.is_some()) {
        return Err(ApiError::Combination);
    }
    let rows: Vec<AggTrade> = call
        .state
        .exchange
        .aggregate_trades(symbol, page)
        .iter()
        .map(|trade| AggTrade {
            a: trade.id,
            p: Text(trade.price),
            q: Text(trade.quantity),
            f: trade.first.0,
            l: trade.last.0,
            time: call.unit.of(trade.time),
            m: trade.is_buyer_maker,
            is_best_match: true,
        })
        .collect();
    Ok(json::bytes(&rows))
}

/// GET klines and uiKlines, which differ in nothing that a client could see here: each candle is an array of twelve, the last of which means nothing.
pub(crate) fn klines(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let symbol = call.symbol()?;
    let interval: Interval = call.params.require("interval")?.parse().map_err(|_| ApiError::Interval)?;
    let query = KlineQuery {
        interval,
        from: moment(call.params, "startTime")?,
        to: moment(call.params, "endTime")?,
        limit: call.limit(500, 1000)?,
        utc_offset_mins: call.utc_offset_mins()?,
    };
    let unit = call.unit;
    let rows: Vec<_> = call
        .state
        .exchange
        .klines(symbol, call.now, &query)
        .into_iter()
        .map(|kline| {
            (
                unit.of(kline.open_time),
                Text(kline.open),
                Text(kline.high),
                Text(kline.low),
                Text(kline.close),
                Text(kline.base),
                unit.before(kline.next_open_time),
                Text(kline.quote),
                kline.trades,
                Text(kline.taker_buy_base),
                Text(kline.taker_buy_quote),
                "0",
            )
        })
        .collect();
    Ok(json::bytes(&rows))
}

/// `timeZone`: hours, or hours and minutes, from -12:00 to +14:00.
fn utc_offset_mins(text: &str) -> Option<i32> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let number = |text: &str| {
        let fits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| text.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let offset = sign * (hours * 60 + minutes);
    (minutes < 60 && (-12 * 60..=14 * 60).contains(&offset)).then_some(offset)
}

/// GET avgPrice.
pub(crate) fn avg_price(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct AvgPrice {
        mins: u32,
        price: Text<Price>,
        close_time: u64,
    }
    const MINS: u32 = 5;
    let symbol = call.symbol()?;
    let exchange = &call.state.exchange;
    let last = exchange.trades(symbol, Page { limit: 1, ..Page::default() });
    Ok(json::bytes(&AvgPrice {
        mins: MINS,
        price: Text(exchange.average_price(symbol, MINS, call.now).unwrap_or_default()),
        // The time of the last trade; nothing when there was none.
        close_time: last.last().map_or(0, |trade| call.unit.of(trade.time)),
    }))
}

#[cfg(test)]
mod tests {
    use super::utc_offset_mins;

    #[test]
    fn time_zones_are_hours_with_or_without_minutes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("8", Some(480)),
            ("+08:00", Some(480)),
            ("-1:00", Some(-60)),
            ("05:45", Some(345)),
            ("-12:00", Some(-720)),
            ("14:00", Some(840)),
            ("14:01", None),
            ("-12:30", None),
            ("1:60", None),
            ("", None),
            ("UTC", None),
            ("-+1", None),
        ] {
            assert_eq!(utc_offset_mins(text), expected, "{text}");
        }
    }
}
