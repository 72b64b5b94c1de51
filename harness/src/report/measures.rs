//! What is measured beside the verdicts when somebody asks: what is left within the policy, and what enforcement costs.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::words::{amount, count, plural};
use crate::scenario::{Kind, Outcome};
use crate::verdict::{Damage, Role, SuiteResult};

/// What is measured beside the verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measures {
    /// What is left within the policy.
    pub residual: Residual,
    /// What enforcement costs; nothing where no honest work was run without a gateway and with it.
    pub overhead: Option<Overhead>,
}

/// The worst day within a policy that a search found. The same policy, seed and number of days find the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Residual {
    /// The policy's file, with `/` between folders.
    pub policy: String,
    /// What was to be the worst: `turnover`.
    pub goal: String,
    /// The seed that decided every choice.
    pub seed: u64,
    /// How many days were tried.
    pub days: u64,
    /// What the worst of them did at the exchange.
    pub damage: Damage,
}

/// What a call costs more behind the gateway: the calls of honest work, each made without a gateway and with it.
///
/// It is wall time of this machine in this run, and holds what the harness itself does to look on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Overhead {
    /// How many calls were made both ways and allowed both times.
    pub calls: u64,
    /// Microseconds of a call without a gateway, in the median.
    pub direct_us: u64,
    /// Microseconds of a call through the gateway, in the median.
    pub through_us: u64,
    /// Microseconds that the gateway adds to a call, in the median of the differences.
    pub added_us: i64,
    /// The same of the twentieth in which it adds most: no more than this in 95 of 100 calls.
    pub added_p95_us: i64,
    /// Whether the build has no optimisations, in which it says little.
    pub debug_build: bool,
}

impl Overhead {
    /// What honest work of the suite shows. Only calls that were allowed both times are compared: a denial comes back
    /// without going anywhere, and would make a gateway look faster than none.
    pub fn of(suite: &SuiteResult) -> Option<Self> {
        let (mut direct, mut through, mut added) = (Vec::new(), Vec::new(), Vec::new());
        for scenario in suite.scenarios.iter().filter(|scenario| scenario.kind == Kind::Workflow) {
            let (Some(without), Some(with)) = (scenario.run(Role::Control), scenario.run(Role::Workflow)) else {
                continue;
            };
            // Where the two did not do the same, the first call of one is not the first of the other.
            if without.timed.len() != with.timed.len() {
                continue;
            }
            let both = without.timed.iter().zip(&with.timed);
            for (without, with) in both.filter(|(a, b)| [a.outcome, b.outcome] == [Outcome::Allowed; 2]) {
                let (without, with) = (micros(without.took), micros(with.took));
                direct.push(without);
                through.push(with);
                added.push(with.saturating_sub(without));
            }
        }
        Some(Self {
            calls: u64::try_from(added.len()).unwrap_or(u64::MAX),
            direct_us: u64::try_from(part(&mut direct, 50)?).unwrap_or_default(),
            through_us: u64::try_from(part(&mut through, 50)?).unwrap_or_default(),
            added_us: part(&mut added, 50)?,
            added_p95_us: part(&mut added, 95)?,
            debug_build: cfg!(debug_assertions),
        })
    }

    /// What is added to a call, and the reach of it.
    pub(super) fn figure(&self) -> String {
        milliseconds(self.added_us)
    }

    /// Everything else, with what it is and is not.
    pub(super) fn told(&self) -> String {
        let build = if self.debug_build { ", in a build without optimisations" } else { "" };
        format!(
            "more a call in the median, {} in 95 of 100; {} without a gateway, {} with it. {} of honest work, wall time of this \
             run on this machine{build}",
            milliseconds(self.added_p95_us),
            milliseconds(i64::try_from(self.direct_us).unwrap_or(i64::MAX)),
            milliseconds(i64::try_from(self.through_us).unwrap_or(i64::MAX)),
            plural(self.calls, "call", "calls"),
        )
    }
}

impl Residual {
    /// The amount that was searched for.
    pub(super) fn figure(&self) -> String {
        format!("{} USDT", amount(self.damage.turnover.value()))
    }

    /// What else that day did, and how it was found.
    pub(super) fn told(&self) -> String {
        format!(
            "of turnover in a day is the worst that was found within {}: {}, {} USDT lost. {} tried, seed {}; that no more was \
             found is no proof",
            self.policy,
            plural(self.damage.orders, "order", "orders"),
            amount(self.damage.loss_usdt.value()),
            plural(self.days, "day", "days"),
            count(self.seed),
        )
    }

    /// The command that shows the calls which do it.
    pub(super) fn again(&self) -> String {
        format!("rogue residual --policy {} --seed {} --budget {}", self.policy, self.seed, self.days)
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// The value that so many of a hundred do not exceed.
fn part(values: &mut [i64], percent: usize) -> Option<i64> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    values.get((last * percent).div_ceil(100)).copied()
}

/// Hundredths of a millisecond are as much as one run can tell.
fn milliseconds(us: i64) -> String {
    let hundredths = us.saturating_add(if us < 0 { -5 } else { 5 }) / 10;
    let (sign, hundredths) = (if hundredths < 0 { "-" } else { "" }, hundredths.unsigned_abs());
    format!("{sign}{}.{:02} ms", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Upstream;
    use crate::verdict::{RunResult, ScenarioResult, Timed, Verdict};

    fn run(role: Role, timed: &[(Outcome, u64)]) -> RunResult {
        let timed = timed.iter().map(|&(outcome, us)| Timed { outcome, took: Duration::from_micros(us) }).collect();
        RunResult { timed, ..RunResult::new(role) }
    }

    fn suite(kind: Kind, runs: Vec<Vec<RunResult>>) -> SuiteResult {
        let scenario = |runs| ScenarioResult {
            id: "x".to_owned(),
            title: String::new(),
            kind,
            group: None,
            upstream: Upstream::Ours,
            path: "x.yaml".into(),
            verdict: Verdict::Passed,
            runs,
            elapsed: Duration::ZERO,
        };
        SuiteResult {
            target: "embedded".to_owned(),
            scenarios: runs.into_iter().map(scenario).collect(),
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn only_what_was_allowed_both_times_is_compared() {
        use Outcome::{Allowed, Denied, Error};
        let both = vec![
            run(Role::Control, &[(Allowed, 100), (Error, 1), (Allowed, 300), (Allowed, 200)]),
            run(Role::Workflow, &[(Allowed, 150), (Error, 9_000), (Allowed, 310), (Denied, 1)]),
        ];
        // A step was skipped here: what stands in the same place is not the same call.
        let shifted = vec![run(Role::Control, &[(Allowed, 1), (Allowed, 1)]), run(Role::Workflow, &[(Allowed, 9_000)])];
        let found = Overhead::of(&suite(Kind::Workflow, vec![both.clone(), shifted])).unwrap();
        let expected = Overhead {
            calls: 2,
            direct_us: 300,
            through_us: 310,
            added_us: 50,
            added_p95_us: 50,
            debug_build: cfg!(debug_assertions),
        };
        assert_eq!(found, expected);
        assert_eq!(Overhead::of(&suite(Kind::Attack, vec![both])), None);
        assert_eq!(Overhead::of(&suite(Kind::Workflow, vec![vec![run(Role::Workflow, &[(Allowed, 1)])]])), None);
    }

    #[test]
    fn medians_and_twentieths() {
        let mut all: Vec<i64> = (1..=100).rev().collect();
        assert_eq!((part(&mut all, 50), part(&mut all, 95)), (Some(51), Some(96)));
        assert_eq!((part(&mut [7], 50), part(&mut [7], 95), part(&mut [], 50)), (Some(7), Some(7), None));
        for (us, text) in [(0, "0.00 ms"), (4, "0.00 ms"), (5, "0.01 ms"), (-14, "-0.01 ms"), (12_345, "12.35 ms")] {
            assert_eq!(milliseconds(us), text);
        }
    }
}
