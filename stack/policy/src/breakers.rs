//! Breakers: what stops an agent that runs in circles, whatever each single call is worth.
//!
//! A breaker holds a few numbers for each owner: calls under way, failures in a row, until when it is open. An entry
//! that says nothing any more is reclaimed by the calls that come after, a few at a time.

mod notes;

use indexmap::IndexSet;

use crate::counters::{Fresh, Key, KeyRef};
use crate::decision::{Call, Denial, Outcome, Reason};
use crate::docket::{Docket, Head, denial};
use crate::document::Scope;
use crate::notes::NoteKey;
use crate::seam::Seam;
use crate::their_keys::TheirMap;

/// How many entries a call looks at to reclaim them, and how many when there is no room.
const VISITED_PER_CALL: usize = 4;
const VISITED_WHEN_FULL: usize = 64;

/// One breaker of a policy.
#[derive(Debug)]
pub(crate) struct Breaker {
    pub(crate) head: Head,
    pub(crate) scope: Scope,
    pub(crate) kind: Kind,
}

/// What opens a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A denial, for so long.
    Denial { pause_ms: u64 },
    /// So many failures in a row, each at most a window after the one before, for so long.
    Failures { max: u64, window_ms: u64, pause_ms: u64 },
    /// So many calls under way, until one is settled.
    UnderWay { max: u64 },
}

/// What is known of one owner.
#[derive(Debug, Default)]
struct Entry {
    under_way: u64,
    failures: u64,
    failed_at: u64,
    /// Until when it is open.
    until: u64,
}

/// The entries of all breakers.
pub(crate) struct Breakers {
    entries: TheirMap<Key, Entry>,
    room_for: usize,
    /// Where reclaiming goes on.
    cursor: usize,
    /// What there is something new to note of, if notes are kept.
    marks: Option<IndexSet<Key>>,
    /// What there were notes of that no breaker of the policy speaks of any more.
    gone: Vec<NoteKey>,
}

/// What a permit holds of the breakers.
pub(crate) type Held = Vec<Key>;

impl Breakers {
    pub(crate) fn new(room_for: usize) -> Self {
        Self { entries: TheirMap::default(), room_for, cursor: 0, marks: None, gone: Vec::new() }
    }

    /// Takes what is known by `from` over to `to`: each breaker of the same place and kind. Where each of `from` has its
    /// place now.
    pub(crate) fn carry(&mut self, from: &[Breaker], to: &[Breaker]) -> Vec<Option<usize>> {
        let same = |one: &Breaker, other: &Breaker| {
            one.head.rule == other.head.rule
                && one.scope == other.scope
                && std::mem::discriminant(&one.kind) == std::mem::discriminant(&other.kind)
        };
        let moved: Vec<Option<usize>> = from.iter().map(|one| to.iter().position(|other| same(one, other))).collect();
        self.move_marks(from, &moved);
        for (key, entry) in std::mem::take(&mut self.entries) {
            if let Some(place) = moved.get(key.limit()).copied().flatten() {
                self.entries.insert(key.at(place), entry);
            }
        }
        self.cursor = 0;
        moved
    }

    /// Line 10 of the precedence: whether a breaker is open for `call`.
    pub(crate) fn check(
        &mut self,
        breakers: &[Breaker],
        applying: impl Iterator<Item = usize> + Clone,
        call: &Call<'_>,
        now: u64,
        seam: Seam,
        docket: &mut Docket,
    ) -> Result<(), Denial> {
        if seam.ignores_breakers() {
            return Ok(());
        }
        self.reclaim(breakers, now, VISITED_PER_CALL);
        for index in applying {
            let Some(breaker) = breakers.get(index) else { continue };
            let Some(entry) = self.entries.get(&key(index, breaker, call)) else {
                if self.entries.len() >= self.room_for {
                    self.reclaim(breakers, now, VISITED_WHEN_FULL);
                }
                if self.entries.len() >= self.room_for {
                    let words = "there is no room to remember this call, so it is not let through";
                    docket.refuse(breaker.head.shadow, denial(Reason::StateFull, &breaker.head.rule, words))?;
                }
                continue;
            };
            breaker.judge(entry, now, docket)?;
        }
        Ok(())
    }

    /// Takes note of a call that is about to leave.
    pub(crate) fn begin(
        &mut self,
        breakers: &[Breaker],
        applying: impl Iterator<Item = usize>,
        call: &Call<'_>,
    ) -> Held {
        let mut held = Vec::new();
        let mut fresh = Fresh::default();
        for index in applying {
            let Some(breaker) = breakers.get(index).filter(|breaker| breaker.kind.follows_calls()) else { continue };
            let key = fresh.key(key(index, breaker, call));
            if let Kind::UnderWay { .. } = breaker.kind {
                self.entries.entry(key.clone()).or_default().under_way += 1;
            }
            held.push(key);
        }
        held
    }

    /// Takes note of what became of a call.
    pub(crate) fn settle(&mut self, breakers: &[Breaker], held: &Held, outcome: Outcome, now: u64) {
        for key in held {
            let Some(breaker) = breakers.get(key.limit()) else { continue };
            match breaker.kind {
                Kind::UnderWay { .. } => {
                    if let Some(entry) = self.entries.get_mut(key) {
                        entry.under_way = entry.under_way.saturating_sub(1);
                    }
                }
                Kind::Failures { max, window_ms, pause_ms } => match outcome {
                    Outcome::NeverSent => {}
                    Outcome::Succeeded => {
                        if let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.failures > 0) {
                            entry.failures = 0;
                            self.mark(key);
                        }
                    }
                    Outcome::Failed | Outcome::Unknown => {
                        if let Some(entry) = self.entry(key) {
                            entry.fails(now, max, window_ms, pause_ms);
                            self.mark(key);
                        }
                    }
                },
                Kind::Denial { .. } => {}
            }
        }
    }

    /// Takes note of a denial. One by a pause does not begin another: whoever waits is let through at its end.
    pub(crate) fn denied(
        &mut self,
        breakers: &[Breaker],
        applying: impl Iterator<Item = usize>,
        call: &Call<'_>,
        reason: Reason,
        now: u64,
    ) {
        if reason == Reason::CoolingDown {
            return;
        }
        for index in applying {
            let Some(breaker) = breakers.get(index) else { continue };
            let Kind::Denial { pause_ms } = breaker.kind else { continue };
            let key = key(index, breaker, call).to_key();
            if let Some(entry) = self.entry(&key) {
                entry.until = entry.until.max(now.saturating_add(pause_ms));
                self.mark(&key);
            }
        }
    }

    /// The entry of `key`. Without room there is none, and then [`Breakers::check`] refuses.
    fn entry(&mut self, key: &Key) -> Option<&mut Entry> {
        if self.entries.len() >= self.room_for && !self.entries.contains_key(key) {
            return None;
        }
        Some(self.entries.entry(key.clone()).or_default())
    }

    fn reclaim(&mut self, breakers: &[Breaker], now: u64, visits: usize) {
        for _ in 0..visits.min(self.entries.len()) {
            if self.cursor >= self.entries.len() {
                self.cursor = 0;
            }
            let Some((key, entry)) = self.entries.get_index(self.cursor) else { return };
            let says_nothing = breakers.get(key.limit()).is_none_or(|breaker| breaker.says_nothing(entry, now));
            if says_nothing {
                if let Some((key, entry)) = self.entries.swap_remove_index(self.cursor)
                    && entry.is_noted()
                {
                    self.mark(&key);
                }
            } else {
                self.cursor += 1;
            }
        }
    }
}

impl Breaker {
    fn judge(&self, entry: &Entry, now: u64, docket: &mut Docket) -> Result<(), Denial> {
        let (reason, words, retry_after_ms) = match self.kind {
            Kind::Denial { .. } if entry.until > now => {
                let words = "a call was denied just now: think before the next".to_owned();
                (Reason::CoolingDown, words, Some(entry.until - now))
            }
            Kind::Failures { max, .. } if entry.until > now => {
                let words = format!("{max} calls in a row have failed: look why before the next");
                (Reason::ErrorStreak, words, Some(entry.until - now))
            }
            Kind::UnderWay { max } if entry.under_way >= max => {
                (Reason::UnderWay, format!("{} calls are under way, and at most {max} may be", entry.under_way), None)
            }
            _ => return Ok(()),
        };
        let message = self.head.on_deny.clone().unwrap_or(words);
        docket.refuse(self.head.shadow, Denial { retry_after_ms, ..denial(reason, &self.head.rule, &message) })
    }

    fn says_nothing(&self, entry: &Entry, now: u64) -> bool {
        let streak_is_over = match self.kind {
            Kind::Failures { window_ms, .. } => entry.failures == 0 || entry.failed_at.saturating_add(window_ms) < now,
            Kind::Denial { .. } | Kind::UnderWay { .. } => true,
        };
        entry.under_way == 0 && entry.until <= now && streak_is_over
    }
}

impl Kind {
    /// Whether it learns from calls that are let through.
    fn follows_calls(self) -> bool {
        !matches!(self, Self::Denial { .. })
    }
}

impl Entry {
    fn fails(&mut self, now: u64, max: u64, window_ms: u64, pause_ms: u64) {
        if self.failures > 0 && self.failed_at.saturating_add(window_ms) < now {
            self.failures = 0;
        }
        self.failures += 1;
        self.failed_at = now;
        if self.failures >= max {
            self.failures = 0;
            self.until = now.saturating_add(pause_ms);
        }
    }
}

fn key<'a>(index: usize, breaker: &Breaker, call: &Call<'a>) -> KeyRef<'a> {
    KeyRef::scoped(index, breaker.scope, call)
}
