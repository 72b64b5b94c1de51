//! How close the limits of a policy came to refusing.

use std::collections::BTreeMap;

use mcp_gateway::mcp_policy::Charged;
use serde::Serialize;

/// One limit of the candidate, over all tapes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Headroom {
    /// Its pointer in the policy.
    pub limit: String,
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
    by_limit: BTreeMap<String, Meter>,
}

#[derive(Debug, Default)]
struct Meter {
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
    pub(super) fn charge(&mut self, charged: &Charged<'_>, at: impl FnOnce() -> String) {
        if !self.by_limit.contains_key(charged.limit) {
            self.by_limit.insert(charged.limit.to_owned(), Meter::default());
        }
        let Some(meter) = self.by_limit.get_mut(charged.limit) else { return };
        meter.charged += 1;
        if charged.used > meter.peak {
            meter.of = charged.of.map(ToOwned::to_owned);
            (meter.max, meter.peak) = (charged.max, charged.used);
            meter.texts = [charged.text(charged.max), charged.text(charged.used)];
            meter.at = at();
        }
    }

    /// Takes note of a refusal by a limit.
    pub(super) fn refuse(&mut self, limit: &str) {
        self.by_limit.entry(limit.to_owned()).or_default().refused += 1;
    }

    /// The limits, the one that came closest first.
    pub(super) fn told(self) -> Vec<Headroom> {
        let told = self.by_limit.into_iter().map(|(limit, meter)| {
            let [max, peak] = meter.texts;
            let percent = u128::from(meter.peak) * 100 / u128::from(meter.max.max(1));
            Headroom {
                limit,
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
