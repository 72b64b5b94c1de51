//! How old a tape may be.

use std::fmt;
use std::str::FromStr;

use crate::cassette::Header;

const DAY_MS: u64 = 86_400_000;

/// So many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(u64);

/// No number of days.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no number of days: write such as `30`")]
pub struct BadDays(String);

impl FromStr for Days {
    type Err = BadDays;

    fn from_str(text: &str) -> Result<Self, BadDays> {
        let days = text.parse().ok().filter(|days: &u64| days.checked_mul(DAY_MS).is_some());
        days.map(Self).ok_or_else(|| BadDays(text.to_owned()))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "day" } else { "days" })
    }
}

/// A tape that is older than it may be. It is told, and never recorded anew unasked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tape was recorded {age} ago, and may be {allowed} old: record it anew with `rogue record --mode all`")]
pub struct Expired {
    /// Its age, rounded down.
    pub age: Days,
    /// How old it may be.
    pub allowed: Days,
}

/// Holds a tape's age against what is allowed. Of a tape from the future nothing is known, so that it has no age.
///
/// # Errors
/// It is older.
pub fn check_age(header: &Header, allowed: Days, now_ms: u64) -> Result<(), Expired> {
    let age_ms = now_ms.saturating_sub(header.clock_origin_ms);
    if age_ms <= allowed.0.saturating_mul(DAY_MS) {
        Ok(())
    } else {
        Err(Expired { age: Days(age_ms / DAY_MS), allowed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_expires_after_its_last_day() {
        let header = Header::new("test", 1_000);
        let thirty: Days = "30".parse().unwrap();
        let last_ms = 1_000 + 30 * DAY_MS;
        for now_ms in [0, 1_000, last_ms] {
            assert_eq!(check_age(&header, thirty, now_ms), Ok(()), "{now_ms}");
        }
        let told = check_age(&header, thirty, last_ms + DAY_MS).unwrap_err().to_string();
        assert!(told.starts_with("the tape was recorded 31 days ago, and may be 30 days old: "), "{told}");
        assert!(check_age(&header, thirty, last_ms + 1).is_err());
        for bad in ["", "-1", "1.5", "18446744073709551615"] {
            assert_eq!(bad.parse::<Days>(), Err(BadDays(bad.to_owned())));
        }
    }
}
