//! What the shipped policy promises, written down a second time: plainly, and only from the exchange's own records.
//!
//! Nothing here comes from the policy engine: decimals are compared as digits, windows by looking at every pair.

use mock_binance::RequestRecord;
use serde_json::Value;

use crate::generate::Turn;
use crate::stack::Seen;

/// Holds what was seen against every promise; the first broken one is the error.
pub(crate) fn verdict(turns: &[Turn], seen: &Seen) -> Result<(), String> {
    for request in &seen.requests {
        let known = request.key.as_deref().is_none_or(|key| key == seen.owner);
        ensure(known, || format!("a key that is not the owner's was used: {request:?}"))?;
        allowed(request).map_err(|why| format!("{why}: {request:?}"))?;
    }
    for (what, most, counts) in RATES {
        let times: Vec<u64> = seen.requests.iter().filter(|r| counts(r)).map(|r| r.at_ms).collect();
        ensure(densest(&times, 60_000) <= *most, || format!("more than {most} {what} within a minute: {times:?}"))?;
    }
    for (symbol, quantity, quote) in &seen.orders {
        let most = if symbol == "BTCUSDT" { "0.05" } else { "1" };
        let listed = matches!(symbol.as_str(), "BTCUSDT" | "ETHUSDT");
        ensure(listed, || format!("an order on {symbol} was booked"))?;
        ensure(at_most(quantity, most), || format!("{quantity} of {symbol} were booked"))?;
        ensure(at_most(quote, "500"), || format!("an order for {quote} USDT was booked"))?;
    }
    audited(turns, seen)
}

/// What is counted, the most of it in any rolling minute, and which requests count.
type Rate = (&'static str, usize, fn(&RequestRecord) -> bool);

const RATES: &[Rate] = &[
    ("orders", 10, |r| is(r, "POST", "/api/v3/order")),
    ("test orders", 20, |r| is(r, "POST", "/api/v3/order/test")),
    ("cancels", 20, |r| is(r, "DELETE", "/api/v3/order")),
    ("listen keys", 30, |r| is(r, "POST", "/api/v3/userDataStream")),
    ("market reads", 60, |r| MARKET.contains(&r.path.as_str())),
    // The soft server asks for the time before each signed call; that is no call of the agent.
    ("calls", 120, |r| r.path != "/api/v3/time"),
];

const MARKET: &[&str] = &[
    "/api/v3/exchangeInfo",
    "/api/v3/depth",
    "/api/v3/trades",
    "/api/v3/aggTrades",
    "/api/v3/klines",
    "/api/v3/avgPrice",
    "/api/v3/ticker/24hr",
    "/api/v3/ticker/price",
    "/api/v3/ticker/bookTicker",
];

/// Parameters that no tool declares and that the policy names one by one.
const UNDECLARED: &[&str] = &[
    "icebergQty",
    "trailingDelta",
    "pegPriceType",
    "pegOffsetType",
    "pegOffsetValue",
    "strategyId",
    "strategyType",
    "newOrderRespType",
    "selfTradePreventionMode",
    "computeCommissionRates",
    "apiKey",
    "BINANCE_API_KEY",
    "BINANCE_SECRET_KEY",
    "stopPrice",
];

fn is(request: &RequestRecord, method: &str, path: &str) -> bool {
    request.method == method && request.path == path
}

fn allowed(request: &RequestRecord) -> Result<(), String> {
    let get = |name: &str| request.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let path = request.path.as_str();
    ensure(!is(request, "DELETE", "/api/v3/openOrders"), || "all orders were cancelled".to_owned())?;
    ensure(!is(request, "DELETE", "/api/v3/userDataStream"), || "a stream was closed".to_owned())?;

    let open_to_all = matches!(path, "/api/v3/ping" | "/api/v3/time" | "/api/v3/account" | "/api/v3/userDataStream");
    if !open_to_all {
        let symbol = get("symbol").unwrap_or_default();
        ensure(matches!(symbol, "BTCUSDT" | "ETHUSDT"), || format!("symbol `{symbol}` is not on the list"))?;
    }
    if path == "/api/v3/depth" {
        ensure(get("limit").is_none_or(|limit| at_most(limit, "100")), || "a deep book was read".to_owned())?;
    }
    if request.method == "POST" && path.starts_with("/api/v3/order") {
        order(&get)?;
        let smuggled = request.params.iter().find(|(key, _)| UNDECLARED.contains(&key.as_str()));
        ensure(smuggled.is_none(), || format!("`{smuggled:?}` was smuggled in"))?;
    }
    // The exchange reads a receive window on signed requests only, and refuses whatever is no plain number. An agent that
    // makes up a `signature` for a public endpoint signs nothing: a signed request names its key.
    let signed = request.key.is_some() && request.params.iter().any(|(key, _)| key == "signature");
    let window = get("recvWindow").filter(|window| signed && digits(window).is_some());
    ensure(window.is_none_or(|window| at_most(window, "5000")), || "a long receive window".to_owned())
}

fn order<'a>(get: &impl Fn(&str) -> Option<&'a str>) -> Result<(), String> {
    ensure(matches!(get("side"), Some("BUY" | "SELL")), || "no such side".to_owned())?;
    ensure(matches!(get("type"), Some("LIMIT" | "LIMIT_MAKER" | "MARKET")), || "no such type".to_owned())?;
    let most = if get("symbol") == Some("BTCUSDT") { "0.05" } else { "1" };
    for (name, most) in [("quantity", Some(most)), ("quoteOrderQty", Some("500")), ("price", None)] {
        let Some(value) = get(name) else { continue };
        ensure(digits(value).is_some(), || format!("{name} `{value}` is no decimal"))?;
        ensure(!at_most(value, "0"), || format!("{name} `{value}` is not above zero"))?;
        ensure(most.is_none_or(|most| at_most(value, most)), || format!("{name} `{value}` is too much"))?;
    }
    let id = get("newClientOrderId").unwrap_or_default();
    let sound = id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    ensure(sound, || format!("client order id `{id}`"))
}

fn audited(turns: &[Turn], seen: &Seen) -> Result<(), String> {
    // The last call is the ping that asks whether the gateway still answers.
    let calls = turns.len() + 1;
    ensure(seen.audit.len() == calls, || format!("{calls} calls, {} audit lines", seen.audit.len()))?;
    let mut allowed = 0;
    for line in &seen.audit {
        let record: Value = serde_json::from_str(line).map_err(|error| format!("{error} in audit line {line}"))?;
        ensure(record.is_object(), || format!("an audit line is no object: {line}"))?;
        allowed += usize::from(record["decision"] == "allow");
    }
    let admitted = 1 + seen.admitted.iter().filter(|admitted| **admitted).count();
    ensure(allowed == admitted, || format!("{admitted} calls were let through, {allowed} are on record"))
}

/// The most of `times` that lie within any span shorter than `length`.
fn densest(times: &[u64], length: u64) -> usize {
    times.iter().map(|start| times.iter().filter(|t| (*start..start + length).contains(*t)).count()).max().unwrap_or(0)
}

/// A plain decimal as digits before and after the point, without the zeros that mean nothing.
fn digits(text: &str) -> Option<(String, String)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (plain(whole) && plain(fraction))
        .then(|| (whole.trim_start_matches('0').to_owned(), fraction.trim_end_matches('0').to_owned()))
}

/// Whether `text` is a plain decimal not above `most`: longer wholes are larger, equal ones compare as texts.
fn at_most(text: &str, most: &str) -> bool {
    let (Some(value), Some(most)) = (digits(text), digits(most)) else { return false };
    (value.0.len(), value.0, value.1) <= (most.0.len(), most.0, most.1)
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

#[test]
fn the_oracle_compares_digits() {
    for (value, most, fits) in [
        ("0.05", "0.05", true),
        ("0.0500", "0.05", true),
        ("0.050000000000000000000000001", "0.05", false),
        ("00000000001.5", "0.05", false),
        ("10000", "500", false),
        ("499.99", "500", true),
        ("-1", "500", false),
        ("1e1", "500", false),
        ("", "500", false),
    ] {
        assert_eq!(at_most(value, most), fits, "{value} <= {most}");
    }
    assert_eq!(densest(&[0, 59_999, 60_000], 60_000), 2);
}
