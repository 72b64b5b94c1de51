//! How the exchange names the length of a limit's window.

use std::fmt;

use exchange_engine::WindowLimit;

/// A length such as `10 SECOND`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) num: u32,
    pub(crate) unit: &'static str,
}

const UNITS: [(u32, &str); 4] = [(86_400, "DAY"), (3_600, "HOUR"), (60, "MINUTE"), (1, "SECOND")];

impl Interval {
    /// In the largest unit that fits.
    pub(crate) fn of(limit: WindowLimit) -> Self {
        UNITS
            .into_iter()
            .find(|(secs, _)| limit.window_secs >= *secs && limit.window_secs.is_multiple_of(*secs))
            .map_or(Self { num: limit.window_secs, unit: "SECOND" }, |(secs, unit)| Self {
                num: limit.window_secs / secs,
                unit,
            })
    }

    /// As in a header: `10S`, `1D`.
    pub(crate) fn short(self) -> String {
        let letter = self.unit.chars().next().unwrap_or('S');
        format!("{}{letter}", self.num)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.num, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_the_exchange_s_names() {
        for (window_secs, long, short) in [
            (10, "10 SECOND", "10S"),
            (60, "1 MINUTE", "1M"),
            (300, "5 MINUTE", "5M"),
            (86_400, "1 DAY", "1D"),
            (90, "90 SECOND", "90S"),
        ] {
            let interval = Interval::of(WindowLimit { window_secs, limit: 1 });
            assert_eq!((interval.to_string().as_str(), interval.short().as_str()), (long, short));
        }
    }
}
