//! Tickers: of one symbol (an object), of a list or of all (an array).

use exchange_engine::market::Interval;
use exchange_engine::{Price, Quantity, SymbolId, Timestamp, Total};
use serde::Serialize;

use super::error::ApiError;
use super::params::symbol_list;
use super::route::Call;
use crate::json::{self, Text};

/// What a ticker was asked about.
enum Asked {
    One(SymbolId),
    Many(Vec<SymbolId>),
}

const SYMBOLS_MAX: usize = 100;

impl Call<'_> {
    fn asked(&self) -> Result<Asked, ApiError> {
        let (one, list) = (self.params.get("symbol"), self.params.get("symbols"));
        if one.is_some() && list.is_some() {
            return Err(ApiError::Combination);
        }
        if one.is_some() {
            let symbol = self.symbol()?;
            self.check_status(symbol)?;
            return Ok(Asked::One(symbol));
        }
        if let Some(list) = list {
            let symbols = self.symbol_ids(list, SYMBOLS_MAX)?;
            for symbol in &symbols {
                self.check_status(*symbol)?;
            }
            return Ok(Asked::Many(symbols));
        }
        let wanted = self.symbol_status()?;
        let symbols = self.state.symbols.ids();
        Ok(Asked::Many(symbols.filter(|symbol| wanted.is_none() || wanted == self.status(*symbol)).collect()))
    }

    /// As [`asked`](Self::asked), of tickers that do not tell about all symbols at once.
    fn asked_by_name(&self) -> Result<Asked, ApiError> {
        if !self.params.has("symbol") && !self.params.has("symbols") {
            return Err(ApiError::MissingEither("symbol", "symbols"));
        }
        self.asked()
    }

    /// `type`: whether the ticker shall be short.
    fn is_mini(&self) -> Result<bool, ApiError> {
        match self.params.get("type") {
            None | Some("FULL") => Ok(false),
            Some("MINI") => Ok(true),
            Some(_) => Err(ApiError::TickerType),
        }
    }

    /// The symbols of a list, which must be known and different.
    pub(crate) fn symbol_ids(&self, list: &str, max: usize) -> Result<Vec<SymbolId>, ApiError> {
        let names = symbol_list(list).unwrap_or_default();
        if names.len() > max {
            return Err(ApiError::TooManyValues { name: "symbols", limit: max });
        }
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            let id = self.state.symbols.id(name).ok_or(ApiError::Symbol)?;
            if ids.contains(&id) {
                return Err(ApiError::SymbolTwice);
            }
            ids.push(id);
        }
        Ok(ids)
    }

    fn tell<'a, T: Serialize>(&'a self, asked: Asked, row: impl Fn(&'a Self, SymbolId) -> T) -> Vec<u8> {
        match asked {
            Asked::One(symbol) => json::bytes(&row(self, symbol)),
            Asked::Many(symbols) => {
                let rows: Vec<T> = symbols.into_iter().map(|symbol| row(self, symbol)).collect();
                json::bytes(&rows)
            }
        }
    }
}

#[derive(Serialize)]
struct PriceRow<'a> {
    symbol: &'a str,
    price: Text<Price>,
}

/// GET ticker/price.
pub(crate) fn price(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let asked = call.asked()?;
    Ok(call.tell(asked, |call, symbol| PriceRow {
        symbol: call.state.symbols.name(symbol),
        price: Text(call.state.exchange.last_price(symbol).unwrap_or_default()),
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BookRow<'a> {
    symbol: &'a str,
    bid_price: Text<Price>,
    bid_qty: Text<Quantity>,
    ask_price: Text<Price>,
    ask_qty: Text<Quantity>,
}

/// GET ticker/bookTicker. An empty side is told as zero.
pub(crate) fn book(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let asked = call.asked()?;
    Ok(call.tell(asked, |call, symbol| {
        let [bid, ask] = best(call, symbol);
        BookRow {
            symbol: call.state.symbols.name(symbol),
            bid_price: Text(bid.0),
            bid_qty: Text(bid.1),
            ask_price: Text(ask.0),
            ask_qty: Text(ask.1),
        }
    }))
}

fn best(call: &Call<'_>, symbol: SymbolId) -> [(Price, Quantity); 2] {
    let top = call.state.exchange.book_top(symbol);
    [top.and_then(|top| top.bid), top.and_then(|top| top.ask)]
        .map(|level| level.map_or((Price::ZERO, Quantity::ZERO), |level| (level.price, level.quantity)))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FullRow<'a> {
    symbol: &'a str,
    price_change: Text<Price>,
    price_change_percent: String,
    weighted_avg_price: Text<Price>,
    prev_close_price: Text<Price>,
    last_price: Text<Price>,
    last_qty: Text<Quantity>,
    bid_price: Text<Price>,
    bid_qty: Text<Quantity>,
    ask_price: Text<Price>,
    ask_qty: Text<Quantity>,
    open_price: Text<Price>,
    high_price: Text<Price>,
    low_price: Text<Price>,
    volume: Text<Total>,
    quote_volume: Text<Total>,
    open_time: u64,
    close_time: u64,
    first_id: i64,
    last_id: i64,
    count: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MiniRow<'a> {
    symbol: &'a str,
    open_price: Text<Price>,
    high_price: Text<Price>,
    low_price: Text<Price>,
    last_price: Text<Price>,
    volume: Text<Total>,
    quote_volume: Text<Total>,
    open_time: u64,
    close_time: u64,
    first_id: i64,
    last_id: i64,
    count: u64,
}

/// As [`FullRow`], without what only a whole day has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WindowRow<'a> {
    symbol: &'a str,
    price_change: Text<Price>,
    price_change_percent: String,
    weighted_avg_price: Text<Price>,
    open_price: Text<Price>,
    high_price: Text<Price>,
    low_price: Text<Price>,
    last_price: Text<Price>,
    volume: Text<Total>,
    quote_volume: Text<Total>,
    open_time: u64,
    close_time: u64,
    first_id: i64,
    last_id: i64,
    count: u64,
}

/// The time that a ticker tells about.
#[derive(Clone, Copy)]
struct Window {
    from: Timestamp,
    /// The end of the count.
    to: Timestamp,
    /// The end as told, in the unit of the answer.
    close_time: u64,
}

impl Window {
    /// From a moment until now.
    fn since(call: &Call<'_>, from: Timestamp) -> Self {
        // The engine counts whole seconds up to before the end: one more takes in the current one.
        Self { from, to: call.now.plus_millis(1000), close_time: call.unit.of(call.now) }
    }
}

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1000;

/// GET ticker/24hr.
pub(crate) fn day(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let mini = call.is_mini()?;
    let asked = call.asked()?;
    let window = Window::since(call, call.now.minus_millis(DAY_MILLIS));
    Ok(if mini {
        call.tell(asked, |call, symbol| mini_row(full_row(call, symbol, window)))
    } else {
        call.tell(asked, |call, symbol| full_row(call, symbol, window))
    })
}

/// GET ticker/tradingDay: the calendar day of a time zone, which ends when the next one begins.
pub(crate) fn trading_day(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let offset = call.utc_offset_mins()?;
    let day: Interval = "1d".parse().map_err(|_| ApiError::Internal)?;
    let from = day.open_time(call.now, offset);
    let to = day.next_open(from, offset);
    tell_window(call, Window { from, to, close_time: call.unit.before(to) })
}

/// GET ticker: from the start of the minute in which the window began.
pub(crate) fn rolling(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let size = call.params.get("windowSize").unwrap_or("1d");
    let secs = window_secs(size).ok_or(ApiError::Invalid("windowSize"))?;
    let start = call.now.as_secs().saturating_sub(secs);
    let window = Window::since(call, Timestamp::from_secs(start - start % 60));
    tell_window(call, window)
}

fn tell_window(call: &Call<'_>, window: Window) -> Result<Vec<u8>, ApiError> {
    let mini = call.is_mini()?;
    let asked = call.asked_by_name()?;
    Ok(if mini {
        call.tell(asked, |call, symbol| mini_row(full_row(call, symbol, window)))
    } else {
        call.tell(asked, |call, symbol| window_row(full_row(call, symbol, window)))
    })
}

/// `windowSize`: 1m to 59m, 1h to 23h, 1d to 7d.
fn window_secs(text: &str) -> Option<u64> {
    let (digits, max, secs) = if let Some(minutes) = text.strip_suffix('m') {
        (minutes, 59, 60)
    } else if let Some(hours) = text.strip_suffix('h') {
        (hours, 23, 3_600)
    } else {
        (text.strip_suffix('d')?, 7, 86_400)
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    (1..=max).contains(&count).then_some(count * secs)
}

fn full_row<'a>(call: &'a Call<'_>, symbol: SymbolId, window: Window) -> FullRow<'a> {
    let exchange = &call.state.exchange;
    let stats = exchange.window_stats(symbol, window.from, window.to);
    // A time without trades stands at the last price.
    let standing = exchange.last_price(symbol).unwrap_or_default();
    let price = |pick: fn(&exchange_engine::market::WindowStats) -> Option<Price>| {
        stats.as_ref().and_then(pick).unwrap_or(standing)
    };
    let (open, last) = (price(|stats| stats.open), price(|stats| stats.last));
    let change = Price::from_units(last.units().saturating_sub(open.units()));
    let id = |id: Option<exchange_engine::TradeId>| id.map_or(-1, |id| i64::try_from(id.0).unwrap_or(i64::MAX));
    let [bid, ask] = best(call, symbol);
    FullRow {
        symbol: call.state.symbols.name(symbol),
        price_change: Text(change),
        price_change_percent: percent(change, open),
        weighted_avg_price: Text(stats.as_ref().and_then(|stats| stats.average).unwrap_or_default()),
        prev_close_price: Text(price(|stats| stats.prev_close)),
        last_price: Text(last),
        last_qty: Text(stats.as_ref().map(|stats| stats.last_quantity).unwrap_or_default()),
        bid_price: Text(bid.0),
        bid_qty: Text(bid.1),
        ask_price: Text(ask.0),
        ask_qty: Text(ask.1),
        open_price: Text(open),
        high_price: Text(price(|stats| stats.high)),
        low_price: Text(price(|stats| stats.low)),
        volume: Text(stats.as_ref().map(|stats| stats.base).unwrap_or_default()),
        quote_volume: Text(stats.as_ref().map(|stats| stats.quote).unwrap_or_default()),
        open_time: call.unit.of(window.from),
        close_time: window.close_time,
        first_id: id(stats.as_ref().and_then(|stats| stats.first_trade)),
        last_id: id(stats.as_ref().and_then(|stats| stats.last_trade)),
        count: stats.as_ref().map_or(0, |stats| stats.trades),
    }
}

fn window_row(full: FullRow<'_>) -> WindowRow<'_> {
    WindowRow {
        symbol: full.symbol,
        price_change: full.price_change,
        price_change_percent: full.price_change_percent,
        weighted_avg_price: full.weighted_avg_price,
        open_price: full.open_price,
        high_price: full.high_price,
        low_price: full.low_price,
        last_price: full.last_price,
        volume: full.volume,
        quote_volume: full.quote_volume,
        open_time: full.open_time,
        close_time: full.close_time,
        first_id: full.first_id,
        last_id: full.last_id,
        count: full.count,
    }
}

fn mini_row(full: FullRow<'_>) -> MiniRow<'_> {
    MiniRow {
        symbol: full.symbol,
        open_price: full.open_price,
        high_price: full.high_price,
        low_price: full.low_price,
        last_price: full.last_price,
        volume: full.volume,
        quote_volume: full.quote_volume,
        open_time: full.open_time,
        close_time: full.close_time,
        first_id: full.first_id,
        last_id: full.last_id,
        count: full.count,
    }
}

/// A change in percent of where it started, with three decimals.
pub(crate) fn percent(change: Price, open: Price) -> String {
    let thousandths = (i128::from(change.units()) * 100_000).checked_div(i128::from(open.units())).unwrap_or_default();
    let sign = if thousandths < 0 { "-" } else { "" };
    let size = thousandths.unsigned_abs();
    format!("{sign}{}.{:03}", size / 1000, size % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_minutes_hours_or_days() {
        for (text, expected) in [
            ("1m", Some(60)),
            ("59m", Some(3_540)),
            ("60m", None),
            ("1h", Some(3_600)),
            ("23h", Some(82_800)),
            ("24h", None),
            ("1d", Some(86_400)),
            ("7d", Some(604_800)),
            ("8d", None),
            ("0m", None),
            ("m", None),
            ("+1m", None),
            ("1D", None),
            ("1h30m", None),
            ("1s", None),
            ("1", None),
        ] {
            assert_eq!(window_secs(text), expected, "{text}");
        }
    }

    #[test]
    fn percentages_have_three_decimals() {
        let check = |change: &str, open: &str, expected: &str| {
            let price = |text: &str| text.parse::<Price>().unwrap();
            assert_eq!(percent(price(change), price(open)), expected);
        };
        check("-94.99999800", "99.00000000", "-95.959");
        check("1", "4", "25.000");
        check("0", "4", "0.000");
        check("-0.00001", "4", "0.000");
        check("1", "0", "0.000");
    }
}
