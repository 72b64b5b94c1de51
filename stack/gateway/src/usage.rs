//! How much of each limit is used, of all policies in force.

use std::cmp::Ordering;

use mcp_policy::{Guard, Timestamp, Usage};
use serde::Serialize;

use crate::gateway::Gateway;

/// More are no table that anybody reads; those that are nearest to refusing are told.
const TOLD_MAX: usize = 200;

/// One limit as one owner has used it. Amounts are exact decimals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LimitUsage {
    /// The server.
    pub server: String,
    /// The grant whose own policy has the limit; the server's policy has it otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_of: Option<String>,
    /// The pointer of the limit.
    pub limit: String,
    /// What it sums up; it counts calls otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// By what it counts apart: there is an entry for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
    /// Whom it counts: `grant`, `session`, `server` or `organisation`.
    pub scope: &'static str,
    /// Which grant, unless it counts all of them together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Which session, if it counts each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// How long its window is, in milliseconds.
    pub window_ms: u64,
    /// What is in the window.
    pub used: String,
    /// What may be in it.
    pub max: String,
    /// What could still be charged at this moment.
    pub remaining: String,
    /// How much of it is used, in thousandths, rounded up.
    pub permille: u64,
}

impl Gateway {
    /// The limits of which something is used at present, the fullest first, and how many there are: at most two hundred are
    /// told. It is the guards' own state, only looked at; with a shared store it is what this gateway has counted itself.
    pub fn usage(&self) -> (Vec<LimitUsage>, usize) {
        let now = Timestamp::from_millis(self.now_ms());
        let Ok(court) = self.shared.court.lock() else { return (Vec::new(), 0) };
        let own = court.grants.iter().filter(|(_, seat)| seat.in_force);
        let own = own.filter_map(|(grant, seat)| Some((Some(&**grant), seat.guard.as_ref()?)));
        let guards: Vec<(Option<&str>, &Guard)> = std::iter::once((None, &court.guard)).chain(own).collect();
        let mut used: Vec<_> =
            guards.iter().flat_map(|(of, guard)| guard.usage(now).map(|usage| (*of, usage))).collect();
        let count = used.len();
        if count > TOLD_MAX {
            // Calls wait meanwhile, so that only what is told is put in order.
            used.select_nth_unstable_by(TOLD_MAX, fullest_first);
            used.truncate(TOLD_MAX);
        }
        used.sort_by(fullest_first);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let told = used.into_iter().map(|(policy_of, usage)| LimitUsage {
            server: self.server().to_owned(),
            policy_of: owned(policy_of),
            limit: usage.limit.to_owned(),
            of: owned(usage.of),
            each: owned(usage.each),
            scope: usage.scope,
            grant: owned(usage.grant),
            session: owned(usage.session),
            window_ms: usage.window_ms,
            used: usage.text(usage.used),
            max: usage.text(usage.max),
            remaining: usage.text(usage.remaining()),
            permille: permille(usage.used, usage.max),
        });
        (told.collect(), count)
    }
}

/// What one policy, of a grant or the server's, says of a limit.
type Told<'g> = (Option<&'g str>, Usage<'g>);

fn fullest_first((one_of, one): &Told<'_>, (other_of, other): &Told<'_>) -> Ordering {
    let one_is = [*one_of, Some(one.limit), one.grant, one.session];
    let other_is = [*other_of, Some(other.limit), other.grant, other.session];
    permille(other.used, other.max)
        .cmp(&permille(one.used, one.max))
        .then_with(|| one_is.cmp(&other_is))
        .then_with(|| other.used.cmp(&one.used))
}

/// A policy may have been replaced by one that lets less pass than what was counted: that is full.
fn permille(used: u64, max: u64) -> u64 {
    let (used, max) = (u128::from(used.min(max)), u128::from(max));
    // Nothing of nothing is left.
    let share = (used * 1000).checked_div(max).map_or(1000, |_| (used * 1000).div_ceil(max));
    u64::try_from(share).unwrap_or(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_up_and_bounded() {
        let shares = [(0, 3), (1, 3), (3, 3), (4, 3), (0, 0), (1, u64::MAX), (u64::MAX, u64::MAX)];
        assert_eq!(shares.map(|(used, max)| permille(used, max)), [0, 334, 1000, 1000, 1000, 1, 1000]);
    }
}
