//! How long to wait before what failed is tried again.

/// The wait after the `nth` failure in a row, in milliseconds: `first_ms`, twice as long with each, at most `longest_ms`.
pub(crate) fn wait_ms(nth: u32, first_ms: u64, longest_ms: u64) -> u64 {
    first_ms.saturating_mul(1 << nth.saturating_sub(1).min(32)).min(longest_ms)
}
