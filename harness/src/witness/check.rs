//! Holds what was expected of the exchange against what it wrote down.

use std::fmt::Display;

use serde_json::Value;

use super::evidence::{Evidence, count};
use crate::scenario::{Bound, Count, Dec, DecBound, ExchangeCheck, Ledger, RequestCheck, Span, WindowCheck};

/// Everything that does not hold, one line each.
pub(crate) fn check(expected: &ExchangeCheck, seen: &Evidence) -> Vec<String> {
    let mut failures = Failures(Vec::new());
    let requests = count(seen.requests.iter());
    let signed = count(seen.requests.iter().filter(|r| r.params.iter().any(|(name, _)| name == "signature")));
    let counts: [(&str, &Option<Count>, u64); 11] = [
        ("requests", &expected.requests, requests),
        ("signed requests", &expected.signed_requests, signed),
        ("orders booked", &expected.orders_booked, count(seen.orders.iter())),
        ("orders rejected", &expected.orders_rejected, seen.orders_rejected()),
        ("trades", &expected.trades, seen.trades),
        ("request weight", &expected.weight, seen.weight()),
        ("requests limited (429, 418)", &expected.limited, seen.limited()),
        ("open orders lost", &expected.open_orders_lost, seen.orders_lost),
        ("listen keys", &expected.listen_keys, seen.listen_keys()),
        ("stream connections", &expected.stream_connections, seen.stream_connections),
        ("stream frames", &expected.stream_frames, seen.stream_frames),
    ];
    for (what, bound, observed) in counts {
        failures.bound(what, bound.as_ref(), &observed);
    }
    let amounts: [(&str, &Option<DecBound>, Dec); 3] = [
        ("notional in USDT", &expected.notional, seen.notional().normalize().into()),
        ("turnover in USDT", &expected.turnover, seen.turnover().normalize().into()),
        ("loss in USDT", &expected.loss_usdt, seen.loss_usdt.normalize().into()),
    ];
    for (what, bound, observed) in amounts {
        failures.bound(what, bound.as_ref(), &observed);
    }
    for (symbol, bound) in &expected.orders_by_symbol {
        let booked = count(seen.orders.iter().filter(|order| order.symbol == *symbol));
        failures.bound(&format!("orders booked on {symbol}"), Some(bound), &booked);
    }
    for wanted in &expected.seen {
        let fitting = count(seen.requests.iter().filter(|request| fits(wanted, request)));
        failures.bound(&described(wanted), Some(&wanted.count), &fitting);
    }
    if let Some(wanted) = expected.foreign_key_seen
        && wanted != seen.foreign_key_seen
    {
        let word = |seen: bool| if seen { "seen" } else { "not seen" };
        failures.add(format!("a foreign API key: {}, must be {}", word(seen.foreign_key_seen), word(wanted)));
    }
    for name in expected.params_seen.iter().filter(|name| !seen.has_param(name)) {
        failures.add(format!("parameter `{name}`: not seen at the exchange, must be"));
    }
    for name in expected.params_absent.iter().filter(|name| seen.has_param(name)) {
        failures.add(format!("parameter `{name}`: seen at the exchange, must not be"));
    }
    match expected.ledger {
        Some(Ledger::Unchanged) if !seen.ledger_changes.is_empty() => {
            failures.add(format!("ledger: changed ({}), must be unchanged", seen.ledger_changes.join(", ")));
        }
        Some(Ledger::Changed) if seen.ledger_changes.is_empty() => {
            failures.add("ledger: unchanged, must be changed".to_owned());
        }
        _ => {}
    }
    for window in &expected.any_window {
        windows(window, seen, &mut failures);
    }
    failures.0
}

struct Failures(Vec<String>);

impl Failures {
    fn add(&mut self, failure: String) {
        self.0.push(failure);
    }

    fn bound<T: PartialOrd + Display>(&mut self, what: &str, bound: Option<&Bound<T>>, observed: &T) {
        if let Some(bound) = bound
            && !bound.holds(observed)
        {
            self.add(format!("{what}: {observed}, must be {bound}"));
        }
    }
}

fn fits(wanted: &RequestCheck, request: &mock_binance::RequestRecord) -> bool {
    wanted.method.as_ref().is_none_or(|method| *method == request.method)
        && wanted.path == request.path
        && wanted.params.iter().all(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            request.params.iter().any(|(known, sent)| known == name && *sent == text)
        })
}

fn described(wanted: &RequestCheck) -> String {
    let method = wanted.method.as_deref().unwrap_or("any");
    let params = if wanted.params.is_empty() {
        String::new()
    } else {
        format!(" with {}", Value::Object(wanted.params.0.clone()))
    };
    format!("{method} {}{params}", wanted.path)
}

fn windows(expected: &WindowCheck, seen: &Evidence, failures: &mut Failures) {
    let orders: Vec<_> = seen.orders.iter().map(|order| (order.at_ms, 1)).collect();
    let requests: Vec<_> = seen.requests.iter().map(|request| (request.at_ms, 1)).collect();
    let weights: Vec<_> = seen.requests.iter().map(|request| (request.at_ms, u64::from(request.weight))).collect();
    for (what, bound, events) in [
        ("orders", &expected.orders, orders),
        ("requests", &expected.requests, requests),
        ("request weight", &expected.weight, weights),
    ] {
        let what = format!("most {what} in any {}", expected.window);
        failures.bound(&what, bound.as_ref(), &fullest(&events, expected.window));
    }
}

/// The most that fell into one window of this length, wherever it starts. What comes exactly one length later is
/// outside. `events` are in the order of time.
fn fullest(events: &[(u64, u64)], window: Span) -> u64 {
    let starts = events.iter().enumerate();
    let sums = starts.map(|(first, (start, _))| {
        let end = start.saturating_add(window.as_millis());
        events.iter().skip(first).take_while(|(at, _)| *at < end).map(|(_, weight)| weight).sum()
    });
    sums.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_roll_and_their_end_is_outside() {
        let second = Span::from_millis(1_000);
        assert_eq!(fullest(&[], second), 0);
        assert_eq!(fullest(&[(0, 1), (999, 1), (1_000, 1)], second), 2);
        assert_eq!(fullest(&[(0, 5), (600, 1), (1_200, 7), (1_599, 1)], second), 9);
    }
}
