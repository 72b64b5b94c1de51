//! Answers that wait for the mock's clock.

use std::collections::BTreeMap;

use exchange_engine::Timestamp;
use tokio::sync::oneshot;

/// Who waits for which moment. A manual clock meets these moments as it meets all others.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    waiting: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
    count: u64,
}

impl Timers {
    /// Tells when this moment has come.
    pub(crate) fn at(&mut self, due: Timestamp) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        self.count = self.count.wrapping_add(1);
        self.waiting.insert((due, self.count), tell);
        told
    }

    /// Lets nobody wait any longer.
    pub(crate) fn release(&mut self) {
        self.run_due(Timestamp::MAX);
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    pub(crate) fn run_due(&mut self, now: Timestamp) {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 <= now) {
            // Whoever has hung up meanwhile waits no more.
            let _ = entry.remove().send(());
        }
    }
}
