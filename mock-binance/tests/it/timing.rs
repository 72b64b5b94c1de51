//! `timestamp` and `recvWindow` on a clock that stands still.

use crate::support::{Bench, START_MS, bench};

async fn check(bench: &Bench, timestamp: u64, rest: &str, expected: Result<(), (i64, &str)>) {
    let payload = format!("timestamp={timestamp}{rest}");
    let answer = bench.signed_raw(bench.account(), "GET", "/api/v3/account", &payload).await;
    let actual = if answer.status == 200 { Ok(()) } else { Err(answer.refusal()) };
    assert_eq!(actual, expected.map_err(|(code, text)| (400, code, text.to_owned())), "{payload}");
}

const OUTSIDE: (i64, &str) = (-1021, "Timestamp for this request is outside of the recvWindow.");
const AHEAD: (i64, &str) = (-1021, "Timestamp for this request was 1000ms ahead of the server's time.");
const TOO_LARGE: (i64, &str) = (-1131, "'recvWindow' must be less than 60000.");

#[tokio::test]
async fn edges() {
    let bench = bench().await;
    check(&bench, START_MS, "", Ok(())).await;
    check(&bench, START_MS + 999, "", Ok(())).await;
    check(&bench, START_MS + 1000, "", Err(AHEAD)).await;
    check(&bench, START_MS - 5000, "", Ok(())).await;
    check(&bench, START_MS - 5001, "", Err(OUTSIDE)).await;
    check(&bench, START_MS - 5001, "&recvWindow=5001", Ok(())).await;
    check(&bench, START_MS - 60_000, "&recvWindow=60000", Ok(())).await;
    check(&bench, START_MS, "&recvWindow=60001", Err(TOO_LARGE)).await;
    check(&bench, START_MS - 1, "&recvWindow=0", Err(OUTSIDE)).await;
    // The same edges in microseconds.
    check(&bench, START_MS * 1000 - 5_000_000, "", Ok(())).await;
    check(&bench, START_MS * 1000 - 5_000_001, "", Err(OUTSIDE)).await;
    check(&bench, START_MS * 1000 + 999_999, "", Ok(())).await;
    check(&bench, START_MS * 1000 - 1500, "&recvWindow=1.499", Err(OUTSIDE)).await;
}

#[tokio::test]
async fn a_signed_request_grows_stale() {
    let bench = bench().await;
    check(&bench, START_MS, "", Ok(())).await;
    bench.clock.advance(std::time::Duration::from_millis(5001));
    check(&bench, START_MS, "", Err(OUTSIDE)).await;
}
