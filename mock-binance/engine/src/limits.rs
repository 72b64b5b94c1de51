//! Request weights per source and order counts per account, in fixed windows aligned to the UTC clock.
//!
//! Order counts are part of the exchange's state: placing and filling orders moves them. Request weights are spent
//! by whoever serves requests, also by those that never reach the exchange, so [`RequestWeights`] stands beside it.

use std::collections::BTreeMap;
use std::fmt;

use crate::time::Timestamp;

/// So many of something in each window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowLimit {
    /// The length of the window, in seconds; windows start at multiples of it since the epoch.
    pub window_secs: u32,
    /// How many are allowed in one window.
    pub limit: u32,
}

impl WindowLimit {
    fn index(self, now: Timestamp) -> u64 {
        now.as_secs().checked_div(u64::from(self.window_secs)).unwrap_or_default()
    }

    /// When the window that holds `now` ends.
    pub fn ends_at(self, now: Timestamp) -> Timestamp {
        Timestamp::from_secs((self.index(now).saturating_add(1)).saturating_mul(u64::from(self.window_secs)))
    }
}

/// The limits of an exchange. The default is what the live REST interface told in September 2026.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsSpec {
    /// `REQUEST_WEIGHT` per source.
    pub request_weight: WindowLimit,
    /// `RAW_REQUESTS` per source.
    pub raw_requests: WindowLimit,
    /// `ORDERS` per account, one count for each.
    pub orders: Vec<WindowLimit>,
    /// What the first fill as maker takes off the order counts (a first fill as taker takes 1). The documentation
    /// says only "more than one" and shows 5.
    pub maker_fill_credit: u32,
}

impl Default for LimitsSpec {
    fn default() -> Self {
        Self {
            request_weight: WindowLimit { window_secs: 60, limit: 6_000 },
            raw_requests: WindowLimit { window_secs: 300, limit: 300_000 },
            orders: vec![
                WindowLimit { window_secs: 10, limit: 100 },
                WindowLimit { window_secs: 86_400, limit: 200_000 },
            ],
            maker_fill_credit: 5,
        }
    }
}

/// A count within one window; it forgets when the window passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counter {
    window: u64,
    used: u32,
}

impl Counter {
    fn used_at(self, limit: WindowLimit, now: Timestamp) -> u32 {
        if self.window == limit.index(now) { self.used } else { 0 }
    }

    fn set(&mut self, limit: WindowLimit, now: Timestamp, used: u32) {
        *self = Self { window: limit.index(now), used };
    }
}

/// An order count that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderCountHit {
    /// The limit.
    pub limit: WindowLimit,
    /// When its window ends.
    pub resets_at: Timestamp,
}

impl fmt::Display for OrderCountHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {} s", self.limit.limit, self.limit.window_secs)
    }
}

/// The order counts of one account: +1 for each accepted order, less for the first fill of one, never below 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OrderCounts {
    counters: Vec<Counter>,
}

impl OrderCounts {
    pub(crate) fn new(limits: &[WindowLimit]) -> Self {
        Self { counters: vec![Counter::default(); limits.len()] }
    }

    pub(crate) fn used<'a>(
        &'a self,
        limits: &'a [WindowLimit],
        now: Timestamp,
    ) -> impl Iterator<Item = (WindowLimit, u32)> + 'a {
        limits.iter().zip(&self.counters).map(move |(limit, counter)| (*limit, counter.used_at(*limit, now)))
    }

    /// The first limit that leaves no room for so many more orders.
    pub(crate) fn hit(&self, limits: &[WindowLimit], now: Timestamp, more: u32) -> Option<OrderCountHit> {
        let (limit, _) = self.used(limits, now).find(|(limit, used)| used.saturating_add(more) > limit.limit)?;
        Some(OrderCountHit { limit, resets_at: limit.ends_at(now) })
    }

    pub(crate) fn add(&mut self, limits: &[WindowLimit], now: Timestamp) {
        for (limit, counter) in limits.iter().zip(&mut self.counters) {
            let used = counter.used_at(*limit, now);
            counter.set(*limit, now, used.saturating_add(1));
        }
    }

    pub(crate) fn take_off(&mut self, limits: &[WindowLimit], now: Timestamp, credit: u32) {
        for (limit, counter) in limits.iter().zip(&mut self.counters) {
            let used = counter.used_at(*limit, now);
            counter.set(*limit, now, used.saturating_sub(credit));
        }
    }
}

/// Which of the two limits of a source is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceLimit {
    /// `REQUEST_WEIGHT`.
    RequestWeight,
    /// `RAW_REQUESTS`.
    RawRequests,
}

/// A source that has used up a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too much used: {} per {} s are allowed, retry in {retry_after_ms} ms", .limit.limit, .limit.window_secs)]
pub struct LimitHit {
    /// Which limit.
    pub kind: SourceLimit,
    /// Its numbers.
    pub limit: WindowLimit,
    /// What has been used in this window, without the refused request.
    pub used: u32,
    /// Until the window ends, in milliseconds, rounded up.
    pub retry_after_ms: u64,
}

/// What each source has used of its request weight and its raw requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestWeights {
    weight: WindowLimit,
    raw: WindowLimit,
    sources: BTreeMap<u32, [Counter; 2]>,
}

impl RequestWeights {
    /// Nobody has used anything.
    pub fn new(spec: &LimitsSpec) -> Self {
        Self { weight: spec.request_weight, raw: spec.raw_requests, sources: BTreeMap::new() }
    }

    /// Charges one request of this weight. A refused one is charged to neither limit.
    /// Returns the weight used in this window, this request included.
    pub fn charge(&mut self, now: Timestamp, source: u32, weight: u32) -> Result<u32, LimitHit> {
        let wanted = [(SourceLimit::RequestWeight, self.weight, weight), (SourceLimit::RawRequests, self.raw, 1)];
        let counters = self.sources.entry(source).or_default();
        let mut after = [0; 2];
        for ((counter, (kind, limit, cost)), after) in counters.iter().zip(wanted).zip(&mut after) {
            let used = counter.used_at(limit, now);
            *after = used.saturating_add(cost);
            if *after > limit.limit {
                let retry_after_ms = limit.ends_at(now).micros_since(now).div_ceil(1_000);
                return Err(LimitHit { kind, limit, used, retry_after_ms });
            }
        }
        for ((counter, (_, limit, _)), used) in counters.iter_mut().zip(wanted).zip(after) {
            counter.set(limit, now, used);
        }
        let [used, _] = after;
        Ok(used)
    }

    /// Gives weight back: a successful placement or cancel costs none, which is known only afterwards.
    /// Returns the weight used in this window.
    pub fn refund(&mut self, now: Timestamp, source: u32, weight: u32) -> u32 {
        let limit = self.weight;
        let Some([counter, _]) = self.sources.get_mut(&source) else { return 0 };
        let used = counter.used_at(limit, now).saturating_sub(weight);
        counter.set(limit, now, used);
        used
    }

    /// The weight used in this window.
    pub fn used(&self, now: Timestamp, source: u32) -> u32 {
        self.sources.get(&source).map_or(0, |[counter, _]| counter.used_at(self.weight, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn weights() -> RequestWeights {
        RequestWeights::new(&LimitsSpec {
            request_weight: WindowLimit { window_secs: 60, limit: 10 },
            raw_requests: WindowLimit { window_secs: 300, limit: 4 },
            ..LimitsSpec::default()
        })
    }

    #[test]
    fn weight_is_counted_per_source_and_window() {
        let mut weights = weights();
        assert_eq!(weights.charge(at(59), 1, 6), Ok(6));
        assert_eq!(weights.charge(at(59), 1, 4), Ok(10));
        let hit = weights.charge(Timestamp::from_micros(59_000_001), 1, 1).unwrap_err();
        assert_eq!((hit.kind, hit.used, hit.retry_after_ms), (SourceLimit::RequestWeight, 10, 1_000));
        assert_eq!(weights.charge(at(59), 2, 1), Ok(1));
        assert_eq!(weights.used(at(60), 1), 0);
        assert_eq!(weights.charge(at(60), 1, 1), Ok(1));
    }

    #[test]
    fn raw_requests_outlive_the_weight_s_window_and_a_refusal_costs_nothing() {
        let mut weights = weights();
        for minute in 0..4 {
            assert_eq!(weights.charge(at(minute * 60), 1, 10), Ok(10));
        }
        let hit = weights.charge(at(240), 1, 1).unwrap_err();
        assert_eq!((hit.kind, hit.used, hit.retry_after_ms), (SourceLimit::RawRequests, 4, 60_000));
        assert_eq!(weights.used(at(240), 1), 0);
        assert_eq!(weights.charge(at(300), 1, 1), Ok(1));
    }

    #[test]
    fn a_refund_never_goes_below_zero() {
        let mut weights = weights();
        assert_eq!(weights.charge(at(0), 1, 3), Ok(3));
        assert_eq!(weights.refund(at(1), 1, 1), 2);
        assert_eq!(weights.refund(at(61), 1, 1), 0);
        assert_eq!(weights.refund(at(61), 9, 1), 0);
    }
}
