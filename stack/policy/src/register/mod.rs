//! What the guard has learnt of each grant from the results of its calls.
//!
//! ```text
//!  admit ─▶ Registers::begin ─▶ the order is entered as open, the test order is used up
//!                                     │
//!  settle ─▶ Registers::settle ───────┴─▶ ids, trades, what is over; listen keys; test orders that passed
//! ```
//!
//! Everything is bounded: open orders are refused beyond a limit, and of all else the oldest is forgotten, which only
//! ever refuses more. A listen key is never kept, only a digest of it under the guard's key.

mod exposure;
mod notes;
mod orders;
mod trace;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::jcs::Digest;
use crate::moment::Settlement;
use crate::their_keys::TheirMap;
use crate::window::{Measure, Window};

use notes::{Item, Marks};
use orders::Strangers;
pub(crate) use orders::{Listed, Orders, Standing};
pub(crate) use trace::{Deed, Trace};

/// How many test orders that passed are held for a grant.
const PRIORS_MAX: usize = 256;
/// How many listen keys are held for a grant.
const LISTEN_KEYS_MAX: usize = 64;

/// How many grants and orders are held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RegisterLimits {
    pub(crate) grants_max: usize,
    pub(crate) orders_max: usize,
}

/// What was learnt of each grant.
pub(crate) struct Registers {
    grants: TheirMap<Box<str>, Register>,
    limits: RegisterLimits,
    /// Under which listen keys are digested.
    key: [u8; 32],
    /// How many calls have begun and ended: tells what came before what within one millisecond.
    step: u64,
    /// Which grants there is something new to note of, if notes are kept.
    noted: Option<BTreeSet<Box<str>>>,
    /// A deliberate defect: all grants have one register.
    shared: bool,
}

/// What was learnt of one grant.
#[derive(Debug, Default)]
pub(crate) struct Register {
    pub(crate) orders: Orders,
    /// Test orders that passed and were not used; oldest first.
    priors: VecDeque<Prior>,
    /// By a number that tells which is the oldest.
    listen_keys: VecDeque<(u64, Digest)>,
    /// The last number that was given to one of either.
    numbered: u64,
    /// Cancels and trades within windows of each length that the policy asks for.
    ratios: BTreeMap<u64, Ratio>,
    marks: Marks,
}

/// A test order that passed.
#[derive(Debug, Clone, Copy)]
struct Prior {
    number: u64,
    /// When it was called.
    at: u64,
    digest: Digest,
}

#[derive(Debug, Default)]
struct Ratio {
    cancels: Window,
    fills: Window,
}

/// What is set against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Count {
    Cancels,
    Fills,
}

impl Count {
    const fn name(self) -> &'static str {
        match self {
            Self::Cancels => "cancels",
            Self::Fills => "fills",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Cancels, Self::Fills].into_iter().find(|count| count.name() == name)
    }
}

impl Ratio {
    fn window(&self, which: Count) -> &Window {
        match which {
            Count::Cancels => &self.cancels,
            Count::Fills => &self.fills,
        }
    }

    fn window_mut(&mut self, which: Count) -> &mut Window {
        match which {
            Count::Cancels => &mut self.cancels,
            Count::Fills => &mut self.fills,
        }
    }
}

impl fmt::Debug for Registers {
    /// Without the names of grants, and without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registers").field("grants", &self.grants.len()).finish_non_exhaustive()
    }
}

impl Registers {
    pub(crate) fn new(limits: RegisterLimits, key: [u8; 32]) -> Self {
        Self { grants: TheirMap::default(), limits, key, step: 0, noted: None, shared: false }
    }

    /// The same, for a guard with the defect that no grant is told from another.
    pub(crate) fn shared(self, shared: bool) -> Self {
        Self { shared, ..self }
    }

    fn named<'g>(&self, grant: &'g str) -> &'g str {
        if self.shared { "" } else { grant }
    }

    pub(crate) fn set_key(&mut self, key: [u8; 32]) {
        self.key = key;
    }

    /// What is known of a grant, if anything is.
    pub(crate) fn of(&self, grant: &str) -> Option<&Register> {
        self.grants.get(self.named(grant))
    }

    /// Whether an order of the grant can be held.
    pub(crate) fn has_room(&self, grant: &str) -> bool {
        match self.of(grant) {
            Some(register) => register.orders.has_room(self.limits.orders_max),
            None => self.grants.len() < self.limits.grants_max && self.limits.orders_max > 0,
        }
    }

    /// Whether the grant was handed the listen key.
    pub(crate) fn issued(&self, grant: &str, listen_key: &str) -> bool {
        let digest = self.digest(listen_key);
        self.of(grant).is_some_and(|register| register.has_key(&digest))
    }

    /// Takes note of a call that is about to leave. Whether there is room was asked before.
    pub(crate) fn begin(&mut self, mut trace: Box<Trace>, now: u64) -> Option<Box<Trace>> {
        self.step += 1;
        trace.step = self.step;
        trace.at = now;
        let grant = self.named(&trace.grant);
        let place = match self.grants.get_index_of(grant) {
            Some(place) => place,
            None if self.grants.len() >= self.limits.grants_max => return None,
            None => self.grants.insert_full(grant.into(), Register::default()).0,
        };
        let (_, register) = self.grants.get_index_mut(place)?;
        if let Some(noted) = &mut self.noted {
            register.keep_notes();
            noted.insert(grant.into());
        }
        if let Some(used) = trace.uses {
            trace.used = register.use_up(&used);
        }
        match &mut trace.deed {
            Deed::Places { intent, asset, number } => {
                *number = register.orders.enter(intent, asset.take(), now, self.limits.orders_max);
            }
            Deed::Cancels(_) => register.count(&trace.ratios, now, Count::Cancels, 1),
            Deed::CancelsAll(symbol) => {
                trace.cancels = u64::try_from(register.orders.open(Some(symbol))).unwrap_or(u64::MAX).max(1);
                register.count(&trace.ratios, now, Count::Cancels, trace.cancels);
            }
            Deed::Nothing | Deed::Reads(_) | Deed::Lists(_) | Deed::Issues | Deed::Closes(_) => {}
        }
        Some(trace)
    }

    /// Takes note of what became of a call.
    pub(crate) fn settle(&mut self, trace: &Trace, settled: Settlement<'_>, now: u64) {
        self.step += 1;
        let step = self.step;
        let key_digest = trace.issued(settled).map(|key| self.digest(key));
        let grant = self.named(&trace.grant);
        let Some(register) = self.grants.get_mut(grant) else { return };
        if let Some(noted) = &mut self.noted {
            noted.insert(grant.into());
        }
        register.settle(trace, settled, key_digest, step, now);
    }

    /// The digest by which a listen key is known.
    pub(crate) fn digest(&self, listen_key: &str) -> Digest {
        // A key of any length is taken, so that this cannot fail.
        match Hmac::<Sha256>::new_from_slice(&self.key) {
            Ok(mut keyed) => {
                keyed.update(listen_key.as_bytes());
                keyed.finalize().into_bytes().into()
            }
            Err(_) => [0; 32],
        }
    }
}

impl Register {
    /// When a call with that digest passed that was not used yet, at the latest.
    pub(crate) fn prior(&self, digest: &Digest) -> Option<u64> {
        self.priors.iter().rev().find(|prior| prior.digest == *digest).map(|prior| prior.at)
    }

    fn has_key(&self, digest: &Digest) -> bool {
        self.listen_keys.iter().any(|(_, other)| other == digest)
    }

    fn use_up(&mut self, digest: &Digest) -> Option<u64> {
        let index = self.priors.iter().rposition(|prior| prior.digest == *digest)?;
        let used = self.priors.remove(index)?;
        self.marks.mark(|| Item::Prior(used.number));
        Some(used.at)
    }

    /// Cancels and trades within a window of that length.
    pub(crate) fn ratio(&self, length_ms: u64, now: u64) -> (u64, u64) {
        let measure = measure(length_ms);
        let live = |window: &Window| window.live_at(measure, now);
        self.ratios.get(&length_ms).map_or((0, 0), |ratio| (live(&ratio.cancels), live(&ratio.fills)))
    }

    fn count(&mut self, lengths: &[u64], now: u64, which: Count, amount: u64) {
        for length in lengths {
            let measure = measure(*length);
            let window = self.ratios.entry(*length).or_default().window_mut(which);
            let item = |granule| Item::Ratio(*length, which, granule);
            self.marks.mark_all(window.expired(measure, now).map(item));
            window.expire(measure, now);
            window.charge(measure, now, amount);
            self.marks.mark(|| item(measure.granule(now)));
        }
    }

    fn settle(&mut self, trace: &Trace, settled: Settlement<'_>, issued: Option<Digest>, step: u64, now: u64) {
        let done = trace.done(settled);
        if done == Done::NeverWas {
            if let (Some(digest), Some(at)) = (trace.uses, trace.used) {
                self.put_prior(at, digest);
            }
            for length in trace.ratios.iter() {
                if let Some(ratio) = self.ratios.get_mut(length) {
                    ratio.cancels.refund(measure(*length), trace.at, trace.cancels_counted());
                    self.marks.mark(|| Item::Ratio(*length, Count::Cancels, measure(*length).granule(trace.at)));
                }
            }
        }
        if done == Done::Succeeded {
            for digest in &trace.proves {
                self.put_prior(trace.at, *digest);
            }
        }
        let told = trace.told(settled);
        let mut first_trades = 0_u64;
        match (&trace.deed, done) {
            (Deed::Places { number, .. }, Done::NeverWas) => self.orders.never_was(*number),
            (Deed::Places { number, .. }, Done::Unknown) => self.orders.is_doubtful(*number),
            (Deed::Places { number, .. }, Done::Succeeded) => {
                self.orders.is_confirmed(*number, step);
                first_trades += u64::from(self.orders.told(*number, &told, step));
            }
            (Deed::Reads(Some(number)), Done::Succeeded) => {
                first_trades += u64::from(self.orders.told(*number, &told, step));
            }
            // What was cancelled by the name of a doubtful order may have been another's.
            (Deed::Cancels(Some(number)), Done::Succeeded) if self.orders.is_this(*number, &told) => {
                first_trades += u64::from(self.orders.told(*number, &told, step));
                // A cancel that succeeded leaves nothing open, whatever the result says of it.
                self.orders.is_over(*number, told.filled.is_some());
            }
            (Deed::CancelsAll(symbol), Done::Succeeded) => {
                let read = self.items(trace, settled, Some(symbol), step, true);
                first_trades += read.first_trades;
                // Whether it names them or not, none is left.
                self.orders.unlisted_are_over(trace.listed(Some(symbol)), &read.named, Strangers::default());
            }
            (Deed::Lists(symbol), Done::Succeeded) => {
                let read = self.items(trace, settled, symbol.as_deref(), step, false);
                first_trades += read.first_trades;
                if read.is_complete {
                    self.orders.unlisted_are_over(trace.listed(symbol.as_deref()), &read.named, read.strangers);
                }
            }
            (Deed::Issues, Done::Succeeded) => {
                if let Some(digest) = issued.filter(|digest| !self.has_key(digest)) {
                    if self.listen_keys.len() >= LISTEN_KEYS_MAX
                        && let Some((_, oldest)) = self.listen_keys.pop_front()
                    {
                        self.marks.mark(|| Item::ListenKey(oldest));
                    }
                    self.numbered += 1;
                    self.listen_keys.push_back((self.numbered, digest));
                    self.marks.mark(|| Item::ListenKey(digest));
                }
            }
            (Deed::Closes(digest), Done::Succeeded) => {
                self.listen_keys.retain(|(_, other)| other != digest);
                self.marks.mark(|| Item::ListenKey(*digest));
            }
            _ => {}
        }
        if first_trades > 0 {
            self.count(&trace.ratios, now, Count::Fills, first_trades);
        }
    }

    /// Takes note of each order of a list.
    fn items(
        &mut self,
        trace: &Trace,
        settled: Settlement<'_>,
        symbol: Option<&str>,
        step: u64,
        are_over: bool,
    ) -> ReadList {
        let mut read = ReadList::default();
        let Some(items) = trace.items(settled) else { return read };
        read.is_complete = true;
        for told in items {
            let of = told.symbol.as_deref().or(symbol);
            let (Some(of), true) = (of, told.order_id.is_some() || told.client_order_id.is_some()) else {
                read.is_complete = false;
                continue;
            };
            let by_id = self.orders.find(of, told.order_id.as_deref(), None);
            let by_name = || self.orders.find(of, None, told.client_order_id.as_deref());
            let found = by_id.or_else(by_name).filter(|number| self.orders.is_this(*number, &told));
            let Some(number) = found else {
                read.strangers.any = true;
                read.strangers.any_without_id |= told.order_id.is_none();
                read.strangers.any_without_name |= told.client_order_id.is_none();
                continue;
            };
            read.named.insert(number);
            read.first_trades += u64::from(self.orders.told(number, &told, step));
            if are_over {
                self.orders.is_over(number, told.filled.is_some());
            }
        }
        read
    }

    fn put_prior(&mut self, at: u64, digest: Digest) {
        if self.priors.len() >= PRIORS_MAX
            && let Some(oldest) = self.priors.pop_front()
        {
            self.marks.mark(|| Item::Prior(oldest.number));
        }
        self.numbered += 1;
        let prior = Prior { number: self.numbered, at, digest };
        let index = self.priors.partition_point(|other| other.at <= at);
        self.priors.insert(index, prior);
        self.marks.mark(|| Item::Prior(prior.number));
    }
}

/// What a list of orders told.
#[derive(Debug, Default)]
struct ReadList {
    /// Those of the grant that it names.
    named: BTreeSet<u64>,
    strangers: Strangers,
    first_trades: u64,
    /// Whether there is a list, and every item of it names an order.
    is_complete: bool,
}

/// What a settlement comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// Provably nothing happened.
    NeverWas,
    Succeeded,
    /// Nobody knows.
    Unknown,
}

/// Cancels and trades are counted by granules, so that their number is not bounded by memory.
fn measure(length_ms: u64) -> Measure {
    Measure::of_amounts(length_ms, u64::MAX)
}
