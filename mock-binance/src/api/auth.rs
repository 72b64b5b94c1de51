//! Who asks, whether in time, and whether it is really them.

use exchange_engine::Timestamp;

use super::error::ApiError;
use super::params::Params;
use crate::account::{Accounts, KnownAccount, UnknownKey, has_key_format};

/// The account of a key. A key of nobody is refused by its form first.
pub(crate) fn account<'a>(accounts: &'a Accounts, api_key: Option<&str>) -> Result<&'a KnownAccount, ApiError> {
    let api_key = api_key.ok_or(ApiError::KeyFormat)?;
    accounts.get(api_key).ok_or(match accounts.unknown_key {
        _ if !has_key_format(api_key) => ApiError::KeyFormat,
        UnknownKey::Rejected => ApiError::KeyRejected,
        UnknownKey::InvalidId => ApiError::KeyUnknown,
    })
}

const RECV_WINDOW_DEFAULT_MICROS: u64 = 5_000_000;
const RECV_WINDOW_MAX_MICROS: u64 = 60_000_000;
const AHEAD_MICROS: u64 = 1_000_000;
/// Times with more digits than this are in microseconds: in milliseconds they would lie beyond the year 5000.
const MILLIS_BELOW: u64 = 100_000_000_000_000;

/// Accepts a timestamp less than a second ahead and at most `recvWindow` behind.
pub(crate) fn check_time(params: &Params<'_>, now: Timestamp) -> Result<(), ApiError> {
    let window = match params.get("recvWindow") {
        None => RECV_WINDOW_DEFAULT_MICROS,
        Some(text) => recv_window_micros(text)?,
    };
    let sent = time(params, "timestamp")?.ok_or(ApiError::Missing("timestamp"))?;
    if sent.micros_since(now) >= AHEAD_MICROS {
        return Err(ApiError::TimestampAhead);
    }
    if now.micros_since(sent) > window {
        return Err(ApiError::TimestampOutside);
    }
    Ok(())
}

/// Milliseconds with up to three decimals.
fn recv_window_micros(text: &str) -> Result<u64, ApiError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 {
        return Err(ApiError::Precision("recvWindow"));
    }
    let millis: u64 = whole.parse().map_err(|_| ApiError::RecvWindow)?;
    // The form was checked, so only digits are left; an empty fraction counts as zero.
    let micros: u64 = format!("{fraction:0<3}").parse().unwrap_or_default();
    let total = millis.saturating_mul(1000).saturating_add(micros);
    if total > RECV_WINDOW_MAX_MICROS {
        return Err(ApiError::RecvWindow);
    }
    Ok(total)
}

/// A moment, in milliseconds or microseconds: which one, its size tells.
pub(crate) fn time(params: &Params<'_>, name: &'static str) -> Result<Option<Timestamp>, ApiError> {
    Ok(params.digits(name)?.map(|number| {
        if number < MILLIS_BELOW { Timestamp::from_millis(number) } else { Timestamp::from_micros(number) }
    }))
}

pub(crate) fn check_signature(
    account: &KnownAccount,
    params: &Params<'_>,
    query: &[u8],
    body: &[u8],
) -> Result<(), ApiError> {
    let signature = params.require("signature")?;
    if account.verifier.accepts(query, body, signature) { Ok(()) } else { Err(ApiError::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a clock at 1 700 000 000 000 ms says to a timestamp and recvWindow.
    #[expect(clippy::needless_pass_by_value, reason = "rows read better without a reference")]
    fn check(query: &str, expected: Result<(), ApiError>) {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let params = Params::read(query.as_bytes(), b"");
        assert_eq!(check_time(&params, now), expected, "{query}");
    }

    #[test]
    fn timestamps_have_sharp_edges() {
        check("timestamp=1700000000000", Ok(()));
        check("timestamp=1700000000999", Ok(()));
        check("timestamp=1700000001000", Err(ApiError::TimestampAhead));
        check("timestamp=1699999995000", Ok(()));
        check("timestamp=1699999994999", Err(ApiError::TimestampOutside));
    }

    #[test]
    fn microseconds_are_known_by_their_size() {
        check("timestamp=1700000000999999", Ok(()));
        check("timestamp=1700000001000000", Err(ApiError::TimestampAhead));
        check("timestamp=1699999995000000", Ok(()));
        check("timestamp=1699999994999999", Err(ApiError::TimestampOutside));
    }

    #[test]
    fn the_window_is_up_to_a_minute_with_three_decimals() {
        check("timestamp=1699999940000&recvWindow=60000", Ok(()));
        check("timestamp=1699999999999&recvWindow=60000.001", Err(ApiError::RecvWindow));
        check("timestamp=1699999999999&recvWindow=60001", Err(ApiError::RecvWindow));
        check("timestamp=1699999999999&recvWindow=99999999999999999999", Err(ApiError::RecvWindow));
        check("timestamp=1699999999998500&recvWindow=1.5", Ok(()));
        check("timestamp=1699999999998499&recvWindow=1.5", Err(ApiError::TimestampOutside));
        check("timestamp=1700000000000&recvWindow=0", Ok(()));
        check("timestamp=1700000000000&recvWindow=1.2345", Err(ApiError::Precision("recvWindow")));
    }
}
