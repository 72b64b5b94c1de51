//! The counters of all limits: one window for each limit and whoever it counts.
//!
//! Counters are found by hash and never searched. Those whose calls have all expired are reclaimed a few at a time,
//! soonest expiry first. A live counter is never dropped to make room: forgetting one would give its owner a fresh
//! quota, so that opening many sessions would be a way round every limit. A call that needs a counter when there is
//! no room is denied instead.

mod carry;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use indexmap::Equivalent;

use crate::decision::Call;
use crate::document::{CounterSpec, LimitUse, Scope};
use crate::jcs::Digest;
use crate::seam::Seam;
use crate::their_keys::TheirMap;
use crate::window::Window;

pub use carry::Reservation;

/// How many expired counters a call reclaims on its way, at most: as many as most calls make.
const RECLAIMED_PER_CALL: usize = 8;

/// How many a call looks through when it finds no room.
const RECLAIMED_WHEN_FULL: usize = 64;

/// The counters of a guard.
pub(crate) struct Counters {
    windows: TheirMap<Key, Window>,
    /// Each counter once, by a time at which it may be idle and before which it is not.
    expiries: BinaryHeap<Reverse<Expiry>>,
    room_for: usize,
    /// How many counters there have ever been. Orders expiries at the same time.
    created: u64,
    /// Where the counters of the call in hand are; kept to spare each call an allocation.
    found: Vec<Option<usize>>,
    /// Which limits of the call in hand would have refused it, and are not charged; kept likewise.
    passed_over: Vec<usize>,
}

/// Which counter: of which limit, and whom it counts. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    limit: usize,
    owner: Arc<Owner>,
}

#[derive(PartialEq, Eq)]
struct Owner {
    /// `None` for a counter of all grants together.
    grant: Option<Box<str>>,
    session: Option<Box<str>>,
    /// What is counted apart from one another.
    part: Option<Digest>,
}

/// A [`Key`] that borrows from a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyRef<'a> {
    limit: usize,
    grant: Option<&'a str>,
    /// Sessions count within their grant: their ids are the clients' choice, and one client must not use up the
    /// quota of another.
    session: Option<&'a str>,
    part: Option<&'a Digest>,
}

struct Expiry {
    at: u64,
    created: u64,
    key: Key,
}

/// What one counter was charged for one call.
pub(crate) struct Charge {
    key: Key,
    amount: u64,
    /// What it counts since, this call included.
    used: u64,
}

impl Key {
    /// The same owner's counter, or entry, at another place.
    pub(crate) fn at(&self, limit: usize) -> Self {
        Self { limit, owner: Arc::clone(&self.owner) }
    }
}

impl Charge {
    /// The same charge of a limit that has another place in the document now; `None` if it has none.
    pub(crate) fn relocated(&self, place: impl Fn(usize) -> Option<usize>) -> Option<Self> {
        let key = self.key.at(place(self.key.limit)?);
        Some(Self { key, amount: self.amount, used: self.used })
    }

    /// Of which limit.
    pub(crate) fn limit(&self) -> usize {
        self.key.limit
    }

    pub(crate) fn amount(&self) -> u64 {
        self.amount
    }

    pub(crate) fn used(&self) -> u64 {
        self.used
    }
}

/// What a call is checked and charged by.
#[derive(Clone, Copy)]
pub(crate) struct Bill<'a> {
    pub(crate) specs: &'a [CounterSpec],
    pub(crate) call: &'a Call<'a>,
    pub(crate) now: u64,
    pub(crate) seam: Seam,
}

/// How much each limit of a call is charged, in their order; those beyond the end are charged one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Amounts(pub(crate) Vec<Amount>);

/// How much one limit is charged, and apart from what else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) units: u64,
    pub(crate) part: Option<Digest>,
    /// It cannot be told, and the limit is in shadow.
    pub(crate) is_unknown: bool,
}

impl Amounts {
    fn is_unknown(&self, position: usize) -> bool {
        self.0.get(position).is_some_and(|amount| amount.is_unknown)
    }

    fn at(&self, position: usize) -> u64 {
        self.0.get(position).map_or(1, |amount| amount.units)
    }

    fn part(&self, position: usize) -> Option<&Digest> {
        self.0.get(position)?.part.as_ref()
    }
}

/// Why a call may not be charged, and by which limit.
#[derive(Debug)]
pub(crate) enum Shortage<'p> {
    /// The limit is used up. Waiting is for the last of all limits that are, and `None` if no waiting helps.
    Reached { limit: &'p LimitUse, amount: u64, retry_after_ms: Option<u64> },
    /// The limit would need a counter, and there is no room for one.
    Full { limit: &'p LimitUse },
}

impl Counters {
    pub(crate) fn new(counters_max: usize) -> Self {
        Self {
            windows: TheirMap::default(),
            expiries: BinaryHeap::new(),
            room_for: counters_max,
            created: 0,
            found: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.windows.len()
    }

    /// Those that hold something at `now`, and how much. Nothing is forgotten on the way.
    pub(crate) fn live<'a>(
        &'a self,
        specs: &'a [CounterSpec],
        now: u64,
    ) -> impl Iterator<Item = (&'a Key, &'a CounterSpec, u64)> {
        self.windows.iter().filter_map(move |(key, window)| {
            let spec = specs.get(key.limit)?;
            let used = window.live_at(spec.measure, now);
            (used > 0).then_some((key, spec, used))
        })
    }

    /// Checks that every limit has room for `call`, and charges nothing.
    pub(crate) fn check<'p>(
        &mut self,
        limits: impl Iterator<Item = &'p LimitUse> + Clone,
        amounts: &Amounts,
        bill: Bill<'_>,
        mut shadowed: impl FnMut(&Shortage<'p>),
    ) -> Result<(), Shortage<'p>> {
        let Bill { specs, now, seam, .. } = bill;
        self.passed_over.clear();
        self.find(limits.clone(), amounts, bill);
        let mut reached: Option<Shortage<'p>> = None;
        for (position, (limit, found)) in limits.clone().zip(&self.found).enumerate() {
            let Some(spec) = specs.get(limit.counter) else { continue };
            if amounts.is_unknown(position) {
                continue;
            }
            let (measure, amount) = (spec.measure, amounts.at(position));
            let window = found.and_then(|index| self.windows.get_index_mut(index)).map(|(_, window)| window);
            let (live, retry_after_ms) = match window {
                Some(window) => {
                    window.expire(measure, now);
                    let live =
                        if seam.counts_by_calendar() { window.live_by_calendar(measure, now) } else { window.live() };
                    let has_room = amount <= measure.max().saturating_sub(live);
                    (live, if has_room { Some(0) } else { window.retry_after_ms(measure, now, amount) })
                }
                None => (0, if amount > measure.max() { None } else { Some(0) }),
            };
            if live.saturating_add(amount) <= measure.max().saturating_add(u64::from(seam.is_off_by_one())) {
                continue;
            }
            if limit.shadow {
                shadowed(&Shortage::Reached { limit, amount, retry_after_ms });
                self.passed_over.push(position);
                continue;
            }
            reached = Some(match reached {
                Some(Shortage::Reached { limit: first, amount, retry_after_ms: earlier }) => Shortage::Reached {
                    limit: first,
                    amount,
                    retry_after_ms: earlier.zip(retry_after_ms).map(|(earlier, this)| earlier.max(this)),
                },
                _ => Shortage::Reached { limit, amount, retry_after_ms },
            });
        }
        match reached {
            Some(shortage) => {
                self.reclaim(specs, now, RECLAIMED_PER_CALL);
                Err(shortage)
            }
            None => self.make_room(limits, amounts, bill),
        }
    }

    fn make_room<'p>(
        &mut self,
        limits: impl Iterator<Item = &'p LimitUse> + Clone,
        amounts: &Amounts,
        bill: Bill<'_>,
    ) -> Result<(), Shortage<'p>> {
        if self.missing() <= self.room() {
            return Ok(());
        }
        self.reclaim(bill.specs, bill.now, RECLAIMED_WHEN_FULL);
        self.find(limits.clone(), amounts, bill);
        if self.missing() <= self.room() {
            return Ok(());
        }
        let first_missing = limits.zip(&self.found).find(|(_, found)| found.is_none());
        first_missing.map_or(Ok(()), |(limit, _)| Err(Shortage::Full { limit }))
    }

    /// Charges `call` to every limit, right after [`Counters::check`] found room, and returns what was charged.
    pub(crate) fn charge<'p>(
        &mut self,
        limits: impl Iterator<Item = &'p LimitUse>,
        amounts: &Amounts,
        bill: Bill<'_>,
    ) -> Vec<Charge> {
        let Bill { specs, call, now, seam } = bill;
        let mut charged = Vec::with_capacity(self.found.len());
        let mut fresh = Fresh::default();
        for (position, limit) in limits.enumerate() {
            let Some(spec) = specs.get(limit.counter) else { continue };
            if self.passed_over.contains(&position) || amounts.is_unknown(position) {
                continue;
            }
            let amount = amounts.at(position);
            let found = self.found.get(position).copied().flatten();
            if let Some((key, window)) = found.and_then(|index| self.windows.get_index_mut(index)) {
                window.charge(spec.measure, now, amount);
                charged.push(Charge { key: key.clone(), amount, used: window.live() });
                continue;
            }
            let key = fresh.key(KeyRef::of(limit.counter, spec, call, amounts.part(position), seam));
            let mut window = Window::default();
            window.charge(spec.measure, now, amount);
            self.created += 1;
            self.expiries.push(Reverse(Expiry {
                at: window.empty_at(spec.measure).unwrap_or(u64::MAX),
                created: self.created,
                key: key.clone(),
            }));
            self.windows.insert(key.clone(), window);
            charged.push(Charge { key, amount, used: amount });
        }
        // Only now, so that a counter whose calls have expired is used again and not made anew.
        self.reclaim(specs, now, RECLAIMED_PER_CALL);
        charged
    }

    /// Takes back one call that was charged to `key` `at`. A counter that has been reclaimed since, or that belongs
    /// to another guard, is left alone.
    pub(crate) fn refund(&mut self, Charge { key, amount, .. }: &Charge, specs: &[CounterSpec], at: u64) {
        let Some(spec) = specs.get(key.limit) else { return };
        if let Some((_, same, window)) = self.windows.get_full_mut(key)
            && Arc::ptr_eq(&same.owner, &key.owner)
        {
            window.refund(spec.measure, at, *amount);
        }
    }

    fn find<'p>(&mut self, limits: impl Iterator<Item = &'p LimitUse>, amounts: &Amounts, bill: Bill<'_>) {
        let Bill { specs, call, seam, .. } = bill;
        self.found.clear();
        for (position, limit) in limits.enumerate() {
            let part = amounts.part(position);
            let key = specs.get(limit.counter).map(|spec| KeyRef::of(limit.counter, spec, call, part, seam));
            self.found.push(key.and_then(|key| self.windows.get_index_of(&key)));
        }
    }

    fn missing(&self) -> usize {
        self.found.iter().filter(|found| found.is_none()).count()
    }

    fn room(&self) -> usize {
        self.room_for.saturating_sub(self.windows.len())
    }

    /// Drops idle counters, looking at no more than `visits`. A counter that turns out to be live is put back with
    /// its present expiry, which a charge since has paid for.
    fn reclaim(&mut self, specs: &[CounterSpec], now: u64, visits: usize) {
        for _ in 0..visits {
            if self.expiries.peek().is_none_or(|Reverse(soonest)| soonest.at > now) {
                return;
            }
            let Some(Reverse(mut soonest)) = self.expiries.pop() else { return };
            let found = self.windows.get_full(&soonest.key);
            let (Some(spec), Some((index, _, window))) = (specs.get(soonest.key.limit), found) else {
                continue;
            };
            if window.is_idle(spec.measure, now) {
                self.windows.swap_remove_index(index);
            } else {
                soonest.at = window.empty_at(spec.measure).unwrap_or(u64::MAX);
                self.expiries.push(Reverse(soonest));
            }
        }
    }
}

impl<'a> KeyRef<'a> {
    /// What is kept under `index` for whom `scope` says.
    pub(crate) fn scoped(index: usize, scope: Scope, call: &Call<'a>) -> Self {
        let session = (scope == Scope::Session).then_some(call.session);
        Self { limit: index, grant: scope.by_grant().then_some(call.grant), session, part: None }
    }

    fn of(limit: usize, spec: &CounterSpec, call: &Call<'a>, part: Option<&'a Digest>, seam: Seam) -> Self {
        let by_session = spec.scope == Scope::Session || seam.scopes_by_session_only();
        let by_grant = spec.scope != Scope::Session && seam.scopes_by_grant_at_most();
        let scope = match (by_session, by_grant) {
            (true, _) => Scope::Session,
            (false, true) => Scope::Grant,
            (false, false) => spec.scope,
        };
        Self { part, ..Self::scoped(limit, scope, call) }
    }

    pub(crate) fn to_key(self) -> Key {
        Key {
            limit: self.limit,
            owner: Arc::new(Owner {
                grant: self.grant.map(Into::into),
                session: self.session.map(Into::into),
                part: self.part.copied(),
            }),
        }
    }
}

impl Key {
    /// What is kept under `limit` for a grant, or a session of it.
    pub(crate) fn of(limit: usize, grant: Option<&str>, session: Option<&str>) -> Self {
        KeyRef { limit, grant, session, part: None }.to_key()
    }

    /// Under which index it is kept.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn grant(&self) -> Option<&str> {
        self.owner.grant.as_deref()
    }

    pub(crate) fn session(&self) -> Option<&str> {
        self.owner.session.as_deref()
    }

    fn as_ref(&self) -> KeyRef<'_> {
        let Owner { grant, session, part } = &*self.owner;
        KeyRef { limit: self.limit, grant: grant.as_deref(), session: session.as_deref(), part: part.as_ref() }
    }
}

/// Owners that were made for one call, by what they tell apart: most of a call's counters and breakers are the same
/// grant's. Those of another call are never used again, because by its owner [`Counters::refund`] tells a counter from one
/// that took its place.
#[derive(Default)]
pub(crate) struct Fresh([Option<Key>; 3]);

impl Fresh {
    pub(crate) fn key(&mut self, key: KeyRef<'_>) -> Key {
        let kind = if key.part.is_some() { 2 } else { usize::from(key.grant.is_some()) };
        let Some(latest) = self.0.get_mut(kind) else { return key.to_key() };
        match latest {
            Some(known) if known.as_ref() == KeyRef { limit: known.limit, ..key } => known.at(key.limit),
            _ => latest.insert(key.to_key()).clone(),
        }
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.limit.hash(state);
        self.grant.hash(state);
        self.session.hash(state);
        self.part.hash(state);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        let key = key.as_ref();
        (self.limit, self.grant, self.session, self.part) == (key.limit, key.grant, key.session, key.part)
    }
}

impl Ord for Expiry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.created).cmp(&(other.at, other.created))
    }
}

impl PartialOrd for Expiry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Expiry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Expiry {}
