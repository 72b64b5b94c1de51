//! Time comes from outside: the machine's clock, or one that a test moves by hand.
//!
//! A [`ManualClock`] stands still until [`ManualClock::advance`] is called. Advancing runs everything that falls
//! due on the way (listen keys that expire, orders that the exchange ends), in the order of their deadlines and
//! before the call returns, so a test never waits for a timer.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use exchange_engine::Timestamp;

/// Where the mock reads the time.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The clock of the machine.
    #[default]
    System,
    /// A clock that moves only when told.
    Manual(ManualClock),
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self::System
    }

    /// A new clock that stands at `start_ms` (milliseconds since the epoch) until it is advanced.
    ///
    /// Keep a [`ManualClock`] of your own instead, and pass a clone, when something else shall share it.
    pub fn manual(start_ms: u64) -> Self {
        Self::Manual(ManualClock::new(start_ms))
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    pub(crate) fn now_us(&self) -> u64 {
        match self {
            Self::System => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros),
            Self::Manual(clock) => clock.now_us(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now_us())
    }

    /// The manual clock, when this is one.
    pub fn as_manual(&self) -> Option<&ManualClock> {
        match self {
            Self::System => None,
            Self::Manual(clock) => Some(clock),
        }
    }
}

impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Self::Manual(clock)
    }
}

impl From<&ManualClock> for Clock {
    fn from(clock: &ManualClock) -> Self {
        Self::Manual(clock.clone())
    }
}

/// Something with deadlines that a manual clock must meet while it advances.
pub(crate) trait Deadlines: Send + Sync {
    /// The earliest moment at which something falls due, in microseconds since the epoch.
    fn next_deadline_us(&self) -> Option<u64>;
    /// Runs what is due by now.
    fn run_due(&self);
}

/// A clock that moves only when told. Clones share the same time.
#[derive(Clone)]
pub struct ManualClock {
    shared: Arc<Shared>,
}

struct Shared {
    now_us: AtomicU64,
    // Held while advancing, so that two advances follow one another.
    advancing: Mutex<()>,
    watchers: Mutex<Vec<Weak<dyn Deadlines>>>,
}

impl ManualClock {
    /// A clock that stands at `start_ms`, milliseconds since the epoch.
    pub fn new(start_ms: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                now_us: AtomicU64::new(start_ms.saturating_mul(1000)),
                advancing: Mutex::new(()),
                watchers: Mutex::new(Vec::new()),
            }),
        }
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.shared.now_us.load(Ordering::Acquire)
    }

    /// Moves the time forward and runs, before it returns, everything that falls due on the way.
    ///
    /// Every deadline is met at its own moment: whatever runs for a deadline 10 s away sees the clock 10 s on, even
    /// when the whole step is a minute. Do not call it from inside [`crate::MockBinance::with_exchange`].
    pub fn advance(&self, by: Duration) {
        let _one_at_a_time = lock(&self.shared.advancing);
        let target = self.now_us().saturating_add(micros(by));
        let watchers: Vec<Arc<dyn Deadlines>> = lock(&self.shared.watchers).iter().filter_map(Weak::upgrade).collect();
        let mut reached = None;
        while let Some(due) =
            watchers.iter().filter_map(|watcher| watcher.next_deadline_us()).min().filter(|due| *due <= target)
        {
            // A deadline that is still there after it was run would hold the clock for ever.
            if reached >= Some(due) {
                break;
            }
            reached = Some(due);
            self.shared.now_us.fetch_max(due, Ordering::AcqRel);
            for watcher in &watchers {
                watcher.run_due();
            }
        }
        self.shared.now_us.fetch_max(target, Ordering::AcqRel);
        for watcher in &watchers {
            watcher.run_due();
        }
    }

    /// Puts the time to any moment, also back, while `change` changes what is watched to fit. Nothing is run.
    pub(crate) fn put<R>(&self, to_us: u64, change: impl FnOnce() -> R) -> R {
        let _one_at_a_time = lock(&self.shared.advancing);
        let changed = change();
        self.shared.now_us.store(to_us, Ordering::Release);
        changed
    }

    /// The time as a function that other parts of a program can hold: milliseconds since the epoch.
    pub fn handle(&self) -> Arc<dyn Fn() -> u64 + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now_ms())
    }

    pub(crate) fn watch(&self, watcher: Weak<dyn Deadlines>) {
        let mut watchers = lock(&self.shared.watchers);
        watchers.retain(|known| known.strong_count() > 0);
        watchers.push(watcher);
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualClock").field("now_ms", &self.now_ms()).finish_non_exhaustive()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Timer {
        clock: ManualClock,
        due: Mutex<Vec<u64>>,
        ran_at: Mutex<Vec<u64>>,
    }

    impl Deadlines for Timer {
        fn next_deadline_us(&self) -> Option<u64> {
            lock(&self.due).iter().min().copied()
        }

        fn run_due(&self) {
            let now = self.clock.now_us();
            let mut due = lock(&self.due);
            let before = due.len();
            due.retain(|at| *at > now);
            if due.len() < before {
                lock(&self.ran_at).push(now);
            }
        }
    }

    #[test]
    fn deadlines_run_in_order_each_at_its_own_moment() {
        let clock = ManualClock::new(1_000);
        let timer = Arc::new(Timer {
            clock: clock.clone(),
            due: Mutex::new(vec![3_000_000, 2_000_000, 9_000_000]),
            ran_at: Mutex::new(Vec::new()),
        });
        let watcher: Arc<dyn Deadlines> = timer.clone();
        clock.watch(Arc::downgrade(&watcher));

        clock.advance(Duration::from_secs(5));

        assert_eq!(*lock(&timer.ran_at), [2_000_000, 3_000_000]);
        assert_eq!(clock.now_ms(), 6_000);
        assert_eq!((clock.handle())(), 6_000);
    }
}
