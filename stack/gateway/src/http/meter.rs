//! How much one address and one grant may ask for: requests a second, and requests at once.
//!
//! Asked before a token is looked up (the address) and before a body is read, so that whoever sends too much costs little.
//! A bucket of one second's requests fills by the gateway's clock.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::config::HttpLimits;

/// How many addresses and grants are remembered; those that have asked for nothing lately are forgotten first.
const ACCOUNTS_MAX: usize = 65_536;
/// After how long whoever has too much at once may come back. Nobody knows when something of it will end.
const AGAIN_MS: u64 = 1000;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Address(IpAddr),
    Grant(String),
}

impl Who {
    /// The address of a connection. Of IPv6 a customer has at least the last half for himself.
    pub(super) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// After how many milliseconds there is room again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Later(pub(super) u64);

#[derive(Debug, Clone, Copy)]
struct Account {
    /// What is left in the bucket, in thousandths of a request.
    left: u64,
    at_ms: u64,
    in_flight: usize,
}

/// Counts what each has asked for.
#[derive(Debug)]
pub(super) struct Meter {
    limits: HttpLimits,
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    of: BTreeMap<Who, Account>,
    /// When it was last looked whom to forget: not for each stranger anew.
    swept_ms: Option<u64>,
}

impl Meter {
    pub(super) fn new(limits: HttpLimits) -> Arc<Self> {
        Arc::new(Self { limits, accounts: Mutex::default() })
    }

    fn rate(&self, who: &Who) -> u64 {
        u64::from(match who {
            Who::Address(_) => self.limits.address_rate,
            Who::Grant(_) => self.limits.grant_rate,
        })
    }

    fn in_flight_max(&self, who: &Who) -> usize {
        match who {
            Who::Address(_) => self.limits.address_in_flight,
            Who::Grant(_) => self.limits.grant_in_flight,
        }
    }

    /// Takes one request out of the bucket.
    pub(super) fn take(&self, who: &Who, now_ms: u64) -> Result<(), Later> {
        let rate = self.rate(who);
        if rate == 0 {
            return Ok(());
        }
        let mut accounts = self.accounts();
        let account = self.account(&mut accounts, who, now_ms)?;
        account.fill(rate, now_ms);
        match account.left.checked_sub(1000) {
            Some(left) => {
                account.left = left;
                Ok(())
            }
            None => Err(Later((1000 - account.left).div_ceil(rate).max(1))),
        }
    }

    /// Counts a request that is served until it is dropped.
    pub(super) fn hold(self: &Arc<Self>, who: Who, now_ms: u64) -> Result<Held, Later> {
        let max = self.in_flight_max(&who);
        if max == 0 {
            return Ok(Held(None));
        }
        let mut accounts = self.accounts();
        let account = self.account(&mut accounts, &who, now_ms)?;
        if account.in_flight >= max {
            return Err(Later(AGAIN_MS));
        }
        account.in_flight += 1;
        drop(accounts);
        Ok(Held(Some((Arc::clone(self), who))))
    }

    /// The account of whoever asks. Nobody is forgotten who has used anything up, so that forgetting is no way round.
    fn account<'a>(&self, accounts: &'a mut Accounts, who: &Who, now_ms: u64) -> Result<&'a mut Account, Later> {
        let Accounts { of: accounts, swept_ms } = accounts;
        if accounts.len() >= ACCOUNTS_MAX && !accounts.contains_key(who) {
            if swept_ms.is_some_and(|swept| now_ms < swept.saturating_add(AGAIN_MS)) {
                return Err(Later(AGAIN_MS));
            }
            *swept_ms = Some(now_ms);
            accounts.retain(|who, account| {
                account.fill(self.rate(who), now_ms);
                account.in_flight > 0 || account.left < self.rate(who) * 1000
            });
            if accounts.len() >= ACCOUNTS_MAX {
                return Err(Later(AGAIN_MS));
            }
        }
        let full = Account { left: self.rate(who) * 1000, at_ms: now_ms, in_flight: 0 };
        Ok(accounts.entry(who.clone()).or_insert(full))
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        // Whole between any two statements.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// A clock that was set back fills nothing.
    fn fill(&mut self, rate: u64, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.left = self.left.saturating_add(passed.saturating_mul(rate)).min(rate * 1000);
        self.at_ms = self.at_ms.max(now_ms);
    }
}

/// A request that is served, if such requests are counted.
#[derive(Debug)]
pub(super) struct Held(Option<(Arc<Meter>, Who)>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some((meter, who)) = self.0.take()
            && let Some(account) = meter.accounts().of.get_mut(&who)
        {
            account.in_flight = account.in_flight.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(address_rate: u32, address_in_flight: usize) -> Arc<Meter> {
        Meter::new(HttpLimits { address_rate, address_in_flight, ..HttpLimits::default() })
    }

    fn at(text: &str) -> Who {
        Who::at(text.parse().unwrap())
    }

    #[test]
    fn a_bucket_holds_one_second_and_fills_by_the_clock() {
        let meter = meter(4, 0);
        let one = at("127.0.0.1");
        let taken = |now| (0..9).take_while(|_| meter.take(&one, now).is_ok()).count();
        assert_eq!((taken(5000), meter.take(&one, 5000)), (4, Err(Later(250))));
        assert_eq!(meter.take(&one, 5249), Err(Later(1)));
        assert_eq!((taken(5250), taken(5250)), (1, 0));
        assert_eq!(taken(4000), 0, "a clock that was set back");
        assert_eq!(taken(60_000), 4, "no more than a second's");
        meter.take(&at("127.0.0.2"), 60_000).unwrap();
    }

    #[test]
    fn what_is_served_counts_until_it_is_over() {
        let meter = meter(0, 2);
        let hold = |who: &str| meter.hold(at(who), 0);
        let (first, _second) = (hold("::1").unwrap(), hold("::1").unwrap());
        assert_eq!(hold("::2").unwrap_err(), Later(AGAIN_MS), "one network");
        hold("1::1").unwrap();
        drop(first);
        hold("::1").unwrap();
        assert_eq!(at("::ffff:127.0.0.1"), at("127.0.0.1"));
    }

    #[test]
    fn nobody_gets_a_full_bucket_by_making_the_meter_forget() {
        let meter = meter(1, 0);
        let one = at("10.0.0.1");
        meter.take(&one, 0).unwrap();
        for n in 0..200_000_u32 {
            // Others have used up as much: there is no room for more of them.
            let _ = meter.take(&Who::Address(IpAddr::V4((0xb000_0000 + n).into())), 0);
        }
        assert!(meter.take(&one, 0).is_err() && meter.accounts().of.len() <= ACCOUNTS_MAX);
        assert!(meter.take(&at("10.0.0.2"), 0).is_err());
        meter.take(&at("10.0.0.2"), 1000).unwrap();
        assert_eq!(meter.accounts().of.len(), 1, "whoever asks for nothing is forgotten");
    }
}
