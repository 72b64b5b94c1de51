//! How close the limits of a policy came to refusing.

use std::collections::BTreeMap;

use mcp_gateway::mcp_policy::{Charged, Policy};
use serde::Serialize;

/// One limit of the candidate, over all tapes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Headroom {
    /// Its pointer in the policy; where several limits share a counter, that of the first.
    pub limit: String,
    /// The other limits that count in the same counter. What they were charged and refused is told here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
    /// What it counts, as the policy writes it; calls when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// How much it lets through within its window; empty when no call was ever charged to it.
    pub max: String,
    /// The most that it counted at a time; empty likewise.
    pub peak: String,
    /// The same as hundredths of the limit, rounded down.
    pub peak_percent: u64,
    /// The call with which it did, `TAPE:LINE`.
    pub at: String,
    /// How many calls it was charged.
    pub charged: u64,
    /// How many it refused.
    pub refused: u64,
}

/// The limits that were met so far.
#[derive(Debug, Default)]
pub(super) struct Meters {
    /// By the first limit of a counter.
    by_limit: BTreeMap<String, Meter>,
    /// Which that is, for each limit that was met.
    counters: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Meter {
    shared_with: Vec<String>,
    of: Option<String>,
    max: u64,
    peak: u64,
    texts: [String; 2],
    at: String,
    charged: u64,
    refused: u64,
}

impl Meters {
    /// Takes note of what a call was charged. `at` names the call.
    pub(super) fn charge(&mut self, policy: Option<&Policy>, charged: &Charged<'_>, at: impl FnOnce() -> String) {
        let Some(meter) = self.meter(policy, charged.limit) else { return };
        meter.charged += 1;
        if charged.used > meter.peak {
            meter.of = charged.of.map(ToOwned::to_owned);
            (meter.max, meter.peak) = (charged.max, charged.used);
            meter.texts = [charged.text(charged.max), charged.text(charged.used)];
            meter.at = at();
        }
    }

    /// Takes note of a refusal by a limit.
    pub(super) fn refuse(&mut self, policy: Option<&Policy>, limit: &str) {
        if let Some(meter) = self.meter(policy, limit) {
            meter.refused += 1;
        }
    }

    /// That of the counter in which a limit counts.
    fn meter(&mut self, policy: Option<&Policy>, limit: &str) -> Option<&mut Meter> {
        if !self.counters.contains_key(limit) {
            let mut sharing = policy.map(|policy| policy.sharing(limit)).unwrap_or_default().into_iter();
            let first = sharing.next().unwrap_or(limit).to_owned();
            let meter = self.by_limit.entry(first.clone()).or_default();
            meter.shared_with = sharing.map(ToOwned::to_owned).collect();
            self.counters.insert(limit.to_owned(), first);
        }
        self.by_limit.get_mut(self.counters.get(limit)?)
    }

    /// The limits, the one that came closest first.
    pub(super) fn told(self) -> Vec<Headroom> {
        let told = self.by_limit.into_iter().map(|(limit, meter)| {
            let [max, peak] = meter.texts;
            let percent = u128::from(meter.peak) * 100 / u128::from(meter.max.max(1));
            Headroom {
                limit,
                shared_with: meter.shared_with,
                of: meter.of,
                max,
                peak,
                peak_percent: u64::try_from(percent).unwrap_or(u64::MAX),
                at: meter.at,
                charged: meter.charged,
                refused: meter.refused,
            }
        });
        let mut told: Vec<_> = told.collect();
        told.sort_by_key(|headroom| {
            (std::cmp::Reverse(headroom.refused > 0), std::cmp::Reverse(headroom.peak_percent))
        });
        told
    }
}
