//! How fast a tape is played.

use std::fmt;
use std::str::FromStr;

/// The longest wait, whatever the tape says, in milliseconds. A pause on the tape was somebody thinking.
pub const WAIT_MS_MAX: u64 = 60_000;

/// How much of the time that passed on a tape passes again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pace {
    /// None of it.
    #[default]
    Instant,
    /// All of it.
    Recorded,
    /// So many thousandths of it.
    Scaled {
        /// 500 is twice as fast.
        thousandths: u64,
    },
}

/// No pace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no pace: write `instant`, `recorded`, or how long a second takes, such as `0.25`, up to three decimals"
)]
pub struct BadPace(String);

impl Pace {
    /// How long to wait where so much time passed on the tape, in milliseconds.
    pub fn wait_ms(self, recorded_ms: u64) -> u64 {
        let wait_ms = match self {
            Self::Instant => 0,
            Self::Recorded => recorded_ms,
            Self::Scaled { thousandths } => {
                let scaled = u128::from(recorded_ms) * u128::from(thousandths) / 1_000;
                u64::try_from(scaled).unwrap_or(u64::MAX)
            }
        };
        wait_ms.min(WAIT_MS_MAX)
    }
}

impl FromStr for Pace {
    type Err = BadPace;

    fn from_str(text: &str) -> Result<Self, BadPace> {
        match text {
            "instant" => return Ok(Self::Instant),
            "recorded" => return Ok(Self::Recorded),
            _ => {}
        }
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 3 {
            return Err(BadPace(text.to_owned()));
        }
        let thousandths = format!("{whole}{part:0<3}").parse();
        thousandths.map(|thousandths| Self::Scaled { thousandths }).map_err(|_| BadPace(text.to_owned()))
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instant => f.write_str("instant"),
            Self::Recorded => f.write_str("recorded"),
            Self::Scaled { thousandths } => write!(f, "{}.{:03}", thousandths / 1_000, thousandths % 1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces_are_read_and_kept_to() {
        for (text, waits_ms) in [
            ("instant", [0, 0, 0]),
            ("recorded", [7, 1_000, WAIT_MS_MAX]),
            ("0.25", [1, 250, WAIT_MS_MAX]),
            ("2", [14, 2_000, WAIT_MS_MAX]),
            ("0", [0, 0, 0]),
        ] {
            let pace: Pace = text.parse().unwrap();
            assert_eq!([7, 1_000, u64::MAX].map(|ms| pace.wait_ms(ms)), waits_ms, "{text}");
            assert_eq!(pace.to_string().parse(), Ok(pace), "{text}");
        }
        for text in ["", "fast", "-1", "1.", ".5", "1.2345", "1e3", "99999999999999999999"] {
            let told = text.parse::<Pace>().unwrap_err().to_string();
            assert!(told.starts_with(&format!("`{text}` is no pace: write `instant`")), "{told}");
        }
    }
}
