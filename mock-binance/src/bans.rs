//! What happens to those who do not heed a 429: the address is banned, each time for longer.
//!
//! Binance documents that bans "scale in duration for repeat offenders, from 2 minutes to 3 days", and that they come
//! from "repeatedly violating rate limits and/or failing to back off after receiving 429s". How many refusals that
//! takes is not documented; here it is a setting.

use std::collections::BTreeMap;
use std::net::IpAddr;

use exchange_engine::Timestamp;

/// Addresses as numbers, in the order in which they first came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    ids: BTreeMap<IpAddr, u32>,
}

impl Sources {
    pub(crate) fn id(&mut self, address: IpAddr) -> u32 {
        let next = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        *self.ids.entry(address).or_insert(next)
    }
}

/// The bans of all addresses.
#[derive(Debug, Clone)]
pub(crate) struct Bans {
    after: u32,
    sources: BTreeMap<u32, Ban>,
}

/// The ban of one address.
#[derive(Debug, Clone, Default)]
struct Ban {
    refused: u32,
    window_ends: Timestamp,
    served: u32,
    until: Option<Timestamp>,
}

const SHORTEST_MICROS: u64 = 2 * 60 * 1_000_000;
const LONGEST_MICROS: u64 = 3 * 24 * 60 * 60 * 1_000_000;

impl Bans {
    /// A ban comes with the refusal after this many in one window.
    pub(crate) fn new(after: u32) -> Self {
        Self { after, sources: BTreeMap::new() }
    }

    /// Until when an address is banned.
    pub(crate) fn until(&self, now: Timestamp, source: u32) -> Option<Timestamp> {
        self.sources.get(&source)?.until.filter(|until| *until > now)
    }

    /// Counts a refusal for too much weight in the window that ends at `window_ends`. Tells the end of the ban, if
    /// this one brought it.
    pub(crate) fn refused(&mut self, now: Timestamp, source: u32, window_ends: Timestamp) -> Option<Timestamp> {
        self.sources.entry(source).or_default().refused(now, self.after, window_ends)
    }
}

impl Ban {
    fn refused(&mut self, now: Timestamp, after: u32, window_ends: Timestamp) -> Option<Timestamp> {
        if window_ends != self.window_ends {
            self.window_ends = window_ends;
            self.refused = 0;
        }
        self.refused = self.refused.saturating_add(1);
        if self.refused <= after {
            return None;
        }
        let length = SHORTEST_MICROS
            .checked_shl(self.served)
            .filter(|length| length >> self.served == SHORTEST_MICROS)
            .map_or(LONGEST_MICROS, |length| length.min(LONGEST_MICROS));
        self.served = self.served.saturating_add(1);
        self.refused = 0;
        self.until = Some(now.plus_micros(length));
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_come_late_and_grow_to_three_days() {
        let mut bans = Bans::new(2);
        let mut now = Timestamp::from_secs(0);
        let mut lengths = Vec::new();
        for _ in 0..13 {
            let window_ends = now.plus_millis(60_000);
            assert_eq!(bans.refused(now, 0, window_ends), None);
            assert_eq!(bans.refused(now, 0, window_ends), None);
            let until = bans.refused(now, 0, window_ends).expect("the third refusal");
            assert_eq!(bans.until(now, 0), Some(until));
            lengths.push(until.micros_since(now) / 60_000_000);
            assert_eq!(bans.until(until, 0), None);
            now = until;
        }
        assert_eq!(lengths, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4320]);
    }

    #[test]
    fn a_new_window_forgives() {
        let mut bans = Bans::new(1);
        let now = Timestamp::from_secs(0);
        for minute in 1..5 {
            assert_eq!(bans.refused(now, 0, Timestamp::from_secs(60 * minute)), None);
        }
    }
}
