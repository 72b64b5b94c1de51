//! Time as a scenario writes it: a UTC moment to start at, spans to advance by.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC, written `2026-01-05T00:00:00Z`, optionally with milliseconds (`...:00.250Z`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcTime {
    ms: u64,
}

/// A length of time, written as a whole number and a unit: `250ms`, `61s`, `10m`, `24h`, `1d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    ms: u64,
}

/// Why a text is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not a moment.
    #[error("`{0}` is not a moment in UTC; write it as \"2026-01-05T00:00:00Z\"")]
    Moment(String),
    /// Not a span.
    #[error("`{0}` is not a span of time; write a whole number and a unit: 250ms, 61s, 10m, 24h or 1d")]
    Span(String),
}

impl UtcTime {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> u64 {
        self.ms
    }

    /// The moment `ms` milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_millis(ms: u64) -> Self {
        Self { ms }
    }
}

impl Span {
    /// The span in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.ms
    }

    /// The span as the standard library has it.
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.ms)
    }

    /// A span of `ms` milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self { ms }
    }
}

const DAY_MS: u64 = 86_400_000;

/// Days since 1970-01-01 of a date in the Gregorian calendar, `None` when there is no such date.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let february = if leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = *lengths.get(index)?;
    if year < 1970 || day == 0 || day > length {
        return None;
    }
    let before_month: u64 = lengths.iter().take(index).sum();
    let last = year.checked_sub(1)?;
    let leaps = |y: u64| y / 4 - y / 100 + y / 400;
    Some((year - 1970) * 365 + leaps(last) - leaps(1969) + before_month + day - 1)
}

impl FromStr for UtcTime {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let number = |part: &str, width: usize| -> Option<u64> {
            let plain = part.len() == width && part.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| part.parse().ok()).flatten()
        };
        let read = || -> Option<u64> {
            let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
            let mut date = date.splitn(3, '-');
            let days = days_since_epoch(number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?)?;
            let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(c, f)| (c, Some(f)));
            let ms = match fraction {
                Some(fraction) => number(fraction, 3)?,
                None => 0,
            };
            let mut clock = clock.splitn(3, ':');
            let (h, m, s) = (number(clock.next()?, 2)?, number(clock.next()?, 2)?, number(clock.next()?, 2)?);
            (h < 24 && m < 60 && s < 60).then_some(days * DAY_MS + ((h * 60 + m) * 60 + s) * 1000 + ms)
        };
        read().map(|ms| Self { ms }).ok_or_else(|| TimeError::Moment(text.to_owned()))
    }
}

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut year, mut days) = (1970_u64, self.ms / DAY_MS);
        // Scenario clocks lie decades from the epoch at most: counting years is plain and fast enough.
        while let Some(next) = days_since_epoch(year + 1, 1, 1) {
            let here = days_since_epoch(year, 1, 1).unwrap_or_default();
            let length = next - here;
            if days < length {
                break;
            }
            days -= length;
            year += 1;
        }
        let start = days_since_epoch(year, 1, 1).unwrap_or_default();
        let month = (1..=12)
            .rev()
            .find(|month| days_since_epoch(year, *month, 1).is_some_and(|first| first - start <= days))
            .unwrap_or(1);
        let first = days_since_epoch(year, month, 1).unwrap_or_default() - start;
        let ms = self.ms % DAY_MS;
        let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{year:04}-{month:02}-{:02}T{h:02}:{m:02}:{s:02}", days - first + 1)?;
        if !ms.is_multiple_of(1000) {
            write!(f, ".{:03}", ms % 1000)?;
        }
        f.write_str("Z")
    }
}

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", DAY_MS)];

impl FromStr for Span {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError::Span(text.to_owned());
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(split);
        let factor = UNITS.iter().find_map(|(name, factor)| (*name == unit).then_some(*factor)).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(factor).map(|ms| Self { ms }).ok_or_else(wrong)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) =
            UNITS.iter().rev().find(|(_, factor)| self.ms > 0 && self.ms.is_multiple_of(*factor)).unwrap_or(&("ms", 1));
        write!(f, "{}{unit}", self.ms / factor)
    }
}

macro_rules! text_form {
    ($name:ident, $title:literal, $pattern:literal, $about:literal) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $about })
            }
        }
    };
}

text_form!(
    UtcTime,
    "UtcTime",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{3})?Z$",
    "A moment in UTC: \"2026-01-05T00:00:00Z\"."
);
text_form!(Span, "Span", "^[0-9]+(ms|s|m|h|d)$", "A length of time: 250ms, 61s, 10m, 24h or 1d.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_round_trip() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:34:56.789Z", 951_827_696_789),
            ("2026-01-05T00:00:00Z", 1_767_571_200_000),
            ("2026-12-31T23:59:59Z", 1_798_761_599_000),
        ] {
            let time: UtcTime = text.parse().expect(text);
            assert_eq!(time.as_millis(), ms, "{text}");
            assert_eq!(time.to_string(), text);
        }
    }

    #[test]
    fn wrong_moments_are_refused() {
        for text in [
            "2026-01-05",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-05T24:00:00Z",
            "2026-01-05T00:00:00+01:00",
            "2026-1-5T00:00:00Z",
            "",
        ] {
            assert_eq!(text.parse::<UtcTime>(), Err(TimeError::Moment(text.to_owned())));
        }
    }

    #[test]
    fn spans() {
        for (text, ms) in [("250ms", 250), ("61s", 61_000), ("10m", 600_000), ("23h", 82_800_000), ("1d", DAY_MS)] {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.as_millis(), ms);
            assert_eq!(span.to_string(), text);
        }
        for text in ["61", "s", "1.5s", "-1s", "1 s", "1w", "99999999999999999999s", "999999999999999999d"] {
            assert_eq!(text.parse::<Span>(), Err(TimeError::Span(text.to_owned())));
        }
    }
}
