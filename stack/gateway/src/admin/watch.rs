//! The latest records of the audit, and how many there were of each kind.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use crate::audit::AuditSink;

/// How many decisions are kept to be looked at.
const LATEST_MAX: usize = 100;
/// How many series one figure may have. Tools and reasons come from policies, but tools also from whoever calls.
const SERIES_MAX: usize = 500;
/// What stands for further ones.
const OTHER: &str = "other";

/// Sees every record that the audit has taken. Clones see the same.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<Mutex<Seen>>);

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Decisions, the oldest first, each one line of the audit.
    pub(super) latest: VecDeque<String>,
    /// Calls by server, decision and tool.
    pub(super) calls: BTreeMap<[String; 3], u64>,
    /// What was not let through, by server and reason.
    pub(super) refusals: BTreeMap<[String; 2], u64>,
    /// What became of calls that were let through, by server.
    pub(super) outcomes: BTreeMap<[String; 2], u64>,
    /// How long each server took to answer, in milliseconds.
    pub(super) latency: BTreeMap<String, Latency>,
    /// What befell servers while their clients were there, by server and event.
    pub(super) deaths: BTreeMap<[String; 2], u64>,
    /// Records that the audit has taken.
    pub(super) records: u64,
    /// Records that it has not taken.
    pub(super) lost: u64,
}

impl Seen {
    /// The events that tell of servers that died.
    pub(super) const DEATHS: [&str; 3] = ["server_lost", "server_restarted", "server_given_up"];
}

/// A histogram: how many answers took at most so long.
#[derive(Debug, Default)]
pub(super) struct Latency {
    pub(super) counts: [u64; Latency::BOUNDS.len()],
    pub(super) count: u64,
    pub(super) sum: u64,
}

impl Latency {
    /// Upper bounds, in milliseconds.
    pub(super) const BOUNDS: [u64; 9] = [1, 5, 10, 50, 100, 500, 1000, 5000, 30_000];

    fn add(&mut self, ms: u64) {
        self.count += 1;
        self.sum = self.sum.saturating_add(ms);
        for (bound, count) in Self::BOUNDS.iter().zip(&mut self.counts) {
            *count += u64::from(ms <= *bound);
        }
    }
}

/// The members of a record that are counted.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    server: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    decision: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    tool: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    outcome: Option<std::borrow::Cow<'a, str>>,
    latency_ms: Option<u64>,
    #[serde(borrow)]
    event: Option<std::borrow::Cow<'a, str>>,
}

impl Watch {
    /// Watches `audit`: what is recorded there is seen here once it is taken.
    pub fn over(&self, audit: Box<dyn AuditSink>) -> Watched {
        Watched { audit, watch: self.clone() }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, line: &str) {
        let mut seen = self.seen();
        seen.records += 1;
        let Ok(record) = serde_json::from_str::<Record<'_>>(line) else { return };
        // The servers are those of the configuration: there are as many series of them as there are servers.
        let server = record.server.unwrap_or_default();
        if let Some(decision) = record.decision {
            let tool = record.tool.unwrap_or_default();
            let calls = |tool: &str| [server.to_string(), decision.to_string(), tool.to_owned()];
            count(&mut seen.calls, calls(&tool), calls(OTHER));
            if let Some(reason) = record.reason {
                let refusals = |reason: &str| [server.to_string(), reason.to_owned()];
                count(&mut seen.refusals, refusals(&reason), refusals(OTHER));
            }
            seen.latest.push_back(line.to_owned());
            if seen.latest.len() > LATEST_MAX {
                seen.latest.pop_front();
            }
        } else if let Some(outcome) = record.outcome {
            let outcomes = |outcome: &str| [server.to_string(), outcome.to_owned()];
            count(&mut seen.outcomes, outcomes(&outcome), outcomes(OTHER));
            if let Some(ms) = record.latency_ms {
                seen.latency.entry(server.into_owned()).or_default().add(ms);
            }
        } else if let Some(event) = record.event.filter(|event| Seen::DEATHS.contains(&event.as_ref())) {
            *seen.deaths.entry([server.into_owned(), event.into_owned()]).or_default() += 1;
        }
    }
}

fn count<K: Ord>(series: &mut BTreeMap<K, u64>, key: K, other: K) {
    let known = series.len() < SERIES_MAX || series.contains_key(&key);
    *series.entry(if known { key } else { other }).or_default() += 1;
}

/// An audit that is watched.
pub struct Watched {
    audit: Box<dyn AuditSink>,
    watch: Watch,
}

impl AuditSink for Watched {
    fn record(&mut self, line: &str) -> io::Result<()> {
        match self.audit.record(line) {
            Ok(()) => {
                self.watch.note(line);
                Ok(())
            }
            Err(error) => {
                self.watch.seen().lost += 1;
                Err(error)
            }
        }
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watched(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_audit_takes_is_counted_and_bounded() {
        let watch = Watch::default();
        let mut audit =
            watch.over(Box::new(
                |line: &str| {
                    if line.contains("full") { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
                },
            ));
        audit.record(r#"{"server":"s","decision":"allow","tool":"bn_ping"}"#).unwrap();
        audit.record(r#"{"server":"s","outcome":"succeeded","latency_ms":7}"#).unwrap();
        audit.record(r#"{"server":"t","decision":"deny","tool":"bn_ping","reason":"limit_reached"}"#).unwrap();
        audit.record(r#"{"decision":"allow","tool":"full"}"#).unwrap_err();
        for n in 0..2000 {
            audit
                .record(&format!(r#"{{"server":"s","decision":"deny","tool":"made-up-{n}","reason":"unknown_tool"}}"#))
                .unwrap();
        }
        let seen = watch.seen();
        assert_eq!((seen.records, seen.lost, seen.latest.len()), (2003, 1, LATEST_MAX));
        assert!(seen.calls.len() <= SERIES_MAX + 1, "whoever calls cannot grow the figures");
        assert_eq!(seen.calls.values().sum::<u64>(), 2002);
        let own = str::to_owned;
        assert_eq!(seen.refusals[&[own("s"), own("unknown_tool")]], 2000);
        let latency = &seen.latency["s"];
        assert_eq!(
            (seen.outcomes[&[own("s"), own("succeeded")]], latency.sum, latency.counts),
            (1, 7, [0, 0, 1, 1, 1, 1, 1, 1, 1])
        );
    }
}
