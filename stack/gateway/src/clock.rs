//! The one place of this crate that may ask what time it is.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock: milliseconds since the Unix epoch, UTC.
///
/// Everything in this crate that depends on time asks the clock it was given, so a test that moves
/// one clock moves limits and audit stamps with it.
pub type NowMs = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The clock of the machine. A clock set before 1970 reads as 0.
pub fn system_clock() -> NowMs {
    Arc::new(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    })
}
