//! How much of each limit is used, for whoever looks on. Looking charges nothing and forgets nothing.

use crate::decision::Timestamp;
use crate::document::Policy;
use crate::facts::text_of_units;
use crate::guard::Guard;

/// One counter that holds something: what it has counted for one owner, and what it lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage<'g> {
    /// The pointer of the limit; of those that share the counter, the first in the document.
    pub limit: &'g str,
    /// What it sums up, as the document writes it; a limit without it counts calls.
    pub of: Option<&'g str>,
    /// By what it counts apart, as the document writes it. There is one entry for each that was counted.
    pub each: Option<&'g str>,
    /// Whom it counts, as the document writes it.
    pub scope: &'static str,
    /// Which grant, unless it counts all of them together.
    pub grant: Option<&'g str>,
    /// Which session of the grant, if it counts each.
    pub session: Option<&'g str>,
    /// How long its window is, in milliseconds.
    pub window_ms: u64,
    /// What is in the window: calls, or with `of` units of 10⁻⁸.
    pub used: u64,
    /// What may be in it, in the same units.
    pub max: u64,
}

impl Usage<'_> {
    /// What could be charged at this moment.
    pub fn remaining(&self) -> u64 {
        self.max.saturating_sub(self.used)
    }

    /// A number of it as a document writes it: a count, or a decimal.
    pub fn text(&self, number: u64) -> String {
        if self.of.is_some() { text_of_units(number) } else { number.to_string() }
    }
}

impl Guard {
    /// The counters that hold something at `now`, in no particular order.
    pub fn usage(&self, now: Timestamp) -> impl Iterator<Item = Usage<'_>> {
        let specs = self.policy.as_ref().map(Policy::counters).unwrap_or_default();
        self.state.counters.live(specs, self.now.max(now).as_millis()).map(|(key, spec, used)| Usage {
            limit: &spec.rule,
            of: spec.of.as_deref(),
            each: spec.each.as_deref(),
            scope: spec.scope.name(),
            grant: key.grant(),
            session: key.session(),
            window_ms: spec.measure.length_ms(),
            used,
            max: spec.measure.max(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, Decision, Guard, Policy};
    use proptest::prelude::*;
    use serde_json::json;

    const POLICY: &str = r#"{"version": "2", "default": "deny", "manifest": {"spend": {"arguments": ["amount"]}},
        "tools": {"spend": {"limits": [
            {"counter": "calls", "window": "minute", "max": 4, "scope": "session"},
            {"counter": "budget", "window": "hour", "max": "100", "scope": "grant", "of": "args.amount"},
            {"counter": "all", "window": 10, "max": 6, "scope": "server"}]}}}"#;

    proptest! {
        #[test]
        fn what_is_told_is_what_was_charged_and_looking_changes_nothing(
            calls in prop::collection::vec((0..3_u8, 0..2_u8, 0..20_000_u64, 1..40_u32), 1..60),
        ) {
            let guard = || Guard::new(Policy::parse(POLICY).unwrap());
            let (mut looked_at, mut left_alone, mut now) = (guard(), guard(), 0);
            for (grant, session, later, amount) in calls {
                now += later;
                let at = Timestamp::from_millis(now);
                let before: u64 = looked_at.usage(at).map(|usage| usage.used).sum();
                let arguments = json!({"amount": amount.to_string()});
                let (grant, session) = (format!("g{grant}"), format!("s{session}"));
                let arguments = arguments.as_object().unwrap();
                let call = Call { tool: "spend", arguments, grant: &grant, session: &session };
                match (looked_at.admit(&call, at), left_alone.admit(&call, at)) {
                    (Decision::Allow(permit), Decision::Allow(_)) => {
                        let charged: Vec<_> = looked_at.charged(&permit).collect();
                        prop_assert_eq!(charged.len(), 3);
                        for charged in charged {
                            let told = looked_at.usage(at).find(|usage| {
                                usage.limit == charged.limit
                                    && usage.grant.is_none_or(|told| told == grant)
                                    && usage.session.is_none_or(|told| told == session)
                            });
                            let told = told.unwrap();
                            prop_assert_eq!((told.used, told.max), (charged.used, charged.max));
                            prop_assert_eq!(told.remaining(), charged.max - charged.used);
                        }
                    }
                    (Decision::Deny(one), Decision::Deny(other)) => {
                        prop_assert_eq!(one.rule, other.rule);
                        prop_assert_eq!(looked_at.usage(at).map(|usage| usage.used).sum::<u64>(), before);
                    }
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            let over = Timestamp::from_millis(now + 2 * 3_600_000);
            prop_assert_eq!(looked_at.usage(over).count(), 0);
        }
    }
}
