//! Read models of the public market: candles, windows of statistics, aggregate trades.

use std::fmt;
use std::str::FromStr;

use crate::ids::TradeId;
use crate::money::{Price, Quantity, Total};
use crate::time::Timestamp;

/// The length of a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interval {
    /// So many seconds, aligned to the epoch.
    Seconds(u32),
    /// Seven days from Monday.
    Week,
    /// A month of the calendar.
    Month,
}

/// Every interval of the exchange by its name.
const INTERVALS: [(&str, Interval); 16] = [
    ("1s", Interval::Seconds(1)),
    ("1m", Interval::Seconds(60)),
    ("3m", Interval::Seconds(180)),
    ("5m", Interval::Seconds(300)),
    ("15m", Interval::Seconds(900)),
    ("30m", Interval::Seconds(1_800)),
    ("1h", Interval::Seconds(3_600)),
    ("2h", Interval::Seconds(7_200)),
    ("4h", Interval::Seconds(14_400)),
    ("6h", Interval::Seconds(21_600)),
    ("8h", Interval::Seconds(28_800)),
    ("12h", Interval::Seconds(43_200)),
    ("1d", Interval::Seconds(86_400)),
    ("3d", Interval::Seconds(259_200)),
    ("1w", Interval::Week),
    ("1M", Interval::Month),
];

/// A text that names no interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such interval: use one of 1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M, in this case")]
pub struct InvalidInterval;

impl FromStr for Interval {
    type Err = InvalidInterval;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        INTERVALS.iter().find(|(name, _)| *name == text).map(|(_, interval)| *interval).ok_or(InvalidInterval)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match INTERVALS.iter().find(|(_, interval)| interval == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{self:?}"),
        }
    }
}

const DAY: i64 = 86_400;
/// The first Monday after the epoch, a Thursday.
const FIRST_MONDAY: i64 = 4 * DAY;

impl Interval {
    /// Seconds since the epoch at which the candle holding `secs` opens; calendar lengths as seen `offset_secs`
    /// east of UTC.
    fn open_secs(self, secs: i64, offset_secs: i64) -> i64 {
        let local = secs.saturating_add(offset_secs);
        let opened = match self {
            Self::Seconds(length) => {
                let length = i64::from(length.max(1));
                local - local.rem_euclid(length)
            }
            Self::Week => local - (local - FIRST_MONDAY).rem_euclid(7 * DAY),
            Self::Month => {
                let (year, month) = month_of(local.div_euclid(DAY));
                days_before(year, month) * DAY
            }
        };
        opened.saturating_sub(offset_secs)
    }

    fn next_secs(self, open: i64, offset_secs: i64) -> i64 {
        match self {
            Self::Seconds(length) => open.saturating_add(i64::from(length.max(1))),
            Self::Week => open.saturating_add(7 * DAY),
            Self::Month => {
                let (year, month) = month_of(open.saturating_add(offset_secs).div_euclid(DAY));
                let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                days_before(year, month) * DAY - offset_secs
            }
        }
    }

    /// When the candle that holds `time` opens. `utc_offset_mins` is the `timeZone` of the request.
    pub fn open_time(self, time: Timestamp, utc_offset_mins: i32) -> Timestamp {
        let secs = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let open = self.open_secs(secs, i64::from(utc_offset_mins) * 60);
        Timestamp::from_secs(u64::try_from(open).unwrap_or_default())
    }

    /// When the candle after the one opened at `open` opens.
    pub fn next_open(self, open: Timestamp, utc_offset_mins: i32) -> Timestamp {
        let secs = i64::try_from(open.as_secs()).unwrap_or(i64::MAX);
        let next = self.next_secs(secs, i64::from(utc_offset_mins) * 60);
        Timestamp::from_secs(u64::try_from(next).unwrap_or_default())
    }
}

/// Days from the epoch to the first of a month. Years are counted from March, so that a leap day ends its year.
fn days_before(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let months_since_march = (month + 9) % 12;
    let days_in_year = (153 * months_since_march + 2) / 5;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + days_in_year - 719_468
}

/// Year and month of a day counted from the epoch.
fn month_of(day: i64) -> (i64, i64) {
    // A first guess by the mean month, which is never off by more than one.
    let months = (day * 4_800).div_euclid(146_097);
    let at = |months: i64| (1970 + months.div_euclid(12), months.rem_euclid(12) + 1);
    let starts = |months: i64| {
        let (year, month) = at(months);
        days_before(year, month)
    };
    let months = if starts(months) > day {
        months - 1
    } else if starts(months + 1) <= day {
        months + 1
    } else {
        months
    };
    at(months)
}

/// A request for candles. Without `from`: the newest `limit` up to `to`; with it: the oldest `limit` since then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KlineQuery {
    /// The length of a candle.
    pub interval: Interval,
    /// Candles that open at this moment or later.
    pub from: Option<Timestamp>,
    /// Candles that open at this moment or earlier.
    pub to: Option<Timestamp>,
    /// How many at most.
    pub limit: usize,
    /// `timeZone`, in minutes east of UTC.
    pub utc_offset_mins: i32,
}

/// A candle. One in which nothing traded repeats the close before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kline {
    /// Its first moment.
    pub open_time: Timestamp,
    /// The first moment of the next; the exchange tells one millisecond less as the close time.
    pub next_open_time: Timestamp,
    /// The first price.
    pub open: Price,
    /// The highest price.
    pub high: Price,
    /// The lowest price.
    pub low: Price,
    /// The last price.
    pub close: Price,
    /// Base asset traded.
    pub base: Total,
    /// Quote asset traded.
    pub quote: Total,
    /// Trades.
    pub trades: u64,
    /// Base asset bought by takers.
    pub taker_buy_base: Total,
    /// Quote asset paid by buying takers.
    pub taker_buy_quote: Total,
}

/// What traded in a window of whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowStats {
    /// The first moment.
    pub from: Timestamp,
    /// The moment after the last.
    pub to: Timestamp,
    /// The last price before the window, or the opening price of the symbol.
    pub prev_close: Option<Price>,
    /// The first price in the window.
    pub open: Option<Price>,
    /// The highest.
    pub high: Option<Price>,
    /// The lowest.
    pub low: Option<Price>,
    /// The last price in the window.
    pub last: Option<Price>,
    /// The last quantity.
    pub last_quantity: Quantity,
    /// Base asset traded.
    pub base: Total,
    /// Quote asset traded.
    pub quote: Total,
    /// The volume-weighted average.
    pub average: Option<Price>,
    /// The first trade in the window.
    pub first_trade: Option<TradeId>,
    /// The last trade in the window.
    pub last_trade: Option<TradeId>,
    /// Trades.
    pub trades: u64,
}

/// Trades of one taking order at one price and moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AggregateTrade {
    /// Counted from 0 within the symbol.
    pub id: u64,
    /// The price.
    pub price: Price,
    /// All they traded.
    pub quantity: Quantity,
    /// The first of them.
    pub first: TradeId,
    /// The last of them.
    pub last: TradeId,
    /// When.
    pub time: Timestamp,
    /// Whether the buying orders were the ones that rested.
    pub is_buyer_maker: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_intervals_are_case_sensitive_and_lead_back() {
        for (name, interval) in INTERVALS {
            assert_eq!(name.parse(), Ok(interval));
            assert_eq!(interval.to_string(), name);
        }
        for name in ["1W", "1D", "2m", "", "1mo"] {
            assert_eq!(name.parse::<Interval>(), Err(InvalidInterval), "{name}");
        }
    }

    #[test]
    fn candles_open_on_the_calendar() {
        // 2024-02-29 12:34:56 UTC, a Thursday in a leap year.
        let time = Timestamp::from_secs(1_709_210_096);
        for (name, offset, open, next) in [
            ("1m", 0, 1_709_210_040, 1_709_210_100),
            ("1d", 0, 1_709_164_800, 1_709_251_200),
            ("1d", 8 * 60, 1_709_136_000, 1_709_222_400),
            ("1w", 0, 1_708_905_600, 1_709_510_400),
            ("1M", 0, 1_706_745_600, 1_709_251_200),
            ("1M", -60, 1_706_749_200, 1_709_254_800),
        ] {
            let interval: Interval = name.parse().unwrap();
            let opened = interval.open_time(time, offset);
            assert_eq!(opened.as_secs(), open, "{name}");
            assert_eq!(interval.next_open(opened, offset).as_secs(), next, "{name}");
        }
    }

    #[test]
    fn months_are_gapless_for_centuries() {
        let mut day = 0;
        for month in 0..12 * 400 {
            assert_eq!(month_of(day), (1970 + month / 12, month % 12 + 1));
            let next = days_before(1970 + (month + 1) / 12, (month + 1) % 12 + 1);
            assert!((28..=31).contains(&(next - day)));
            assert_eq!(month_of(next - 1), (1970 + month / 12, month % 12 + 1));
            day = next;
        }
        assert_eq!(day, 146_097);
    }
}
