//! What whoever runs the mock may do to it besides trading: move its clock, set balances and prices, take snapshots
//! and come back to them. The methods of [`MockBinance`](crate::MockBinance) and the control interface are thin shells
//! over this.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use exchange_engine::{Amount, Command, Price, Rejection};
use serde::Serialize;

use crate::account::KnownAccount;
use crate::clock::{Clock, ManualClock};
use crate::faults::{Fault, FaultError};
use crate::house::MoveError;
use crate::replay::ReplayStatus;
use crate::snapshot::{SNAPSHOTS_MAX, SnapshotInfo, Snapshots};
use crate::state::{Hub, State};

/// Why something was not done to the mock. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The clock of the machine cannot be moved.
    #[error("the mock reads the clock of the machine, which cannot be moved: start it with a manual clock")]
    SystemClock,
    /// A clock is only ever set forward.
    #[error("the clock stands at {now_ms} and cannot be set back to {asked_ms}: restore a snapshot to go back")]
    ClockBackwards {
        /// What was asked for, in milliseconds since the epoch.
        asked_ms: u64,
        /// Where it stands.
        now_ms: u64,
    },
    /// More than a clock is moved at once.
    #[error("the clock is moved by {}, at most, at once: move it in several steps", "366 days")]
    ClockTooFar,
    /// No account has this label.
    #[error("there is no account `{label}`: the accounts are {known}")]
    UnknownAccount {
        /// What was asked for.
        label: String,
        /// What there is.
        known: String,
    },
    /// Several accounts have this label.
    #[error("there are several accounts called `{label}`: give each a label of its own")]
    AmbiguousAccount {
        /// What was asked for.
        label: String,
    },
    /// An asset that no symbol trades.
    #[error("there is no asset `{asset}`: the assets are {known}")]
    UnknownAsset {
        /// What was asked for.
        asset: String,
        /// What there is.
        known: String,
    },
    /// A balance below zero.
    #[error("the free balance of {asset} cannot be set to {amount}: write zero or more")]
    NegativeBalance {
        /// Of which asset.
        asset: String,
        /// What was asked for.
        amount: Amount,
    },
    /// The exchange refused the transfer.
    #[error("the exchange refuses to set the balance of {asset} in `{label}`: {source}")]
    Refused {
        /// Of which account.
        label: String,
        /// Of which asset.
        asset: String,
        /// Why.
        source: Rejection,
    },
    /// A market that could not be moved.
    #[error(transparent)]
    Market(#[from] MoveError),
    /// A name that cannot be one of a snapshot.
    #[error("`{name}` cannot name a snapshot: write 1 to 64 letters, digits, `-`, `_` or `.`")]
    SnapshotName {
        /// What was given.
        name: String,
    },
    /// No snapshot of this name.
    #[error("there is no snapshot `{name}`: {known}")]
    UnknownSnapshot {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// As many snapshots as there may be.
    #[error("there are {SNAPSHOTS_MAX} snapshots already, each a whole copy of the exchange: delete one first")]
    TooManySnapshots,
}

/// What an account has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Balances {
    /// The account's label.
    pub label: String,
    /// By asset, those of which it has nothing left out: what is free and what open orders hold, as decimals.
    pub assets: BTreeMap<String, FreeAndLocked>,
}

/// A balance as decimals in text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FreeAndLocked {
    /// What can be spent.
    pub free: String,
    /// What open orders hold.
    pub locked: String,
}

const LONGEST_STEP: Duration = Duration::from_hours(366 * 24);
const NAME_LEN_MAX: usize = 64;

impl Hub {
    /// Moves a manual clock forward and runs what falls due on the way.
    pub(crate) fn advance(&self, by: Duration) -> Result<u64, ControlError> {
        let clock = self.manual()?;
        if by > LONGEST_STEP {
            return Err(ControlError::ClockTooFar);
        }
        clock.advance(by);
        Ok(clock.now_ms())
    }

    /// Sets a manual clock to a moment that has not passed yet, and runs what falls due on the way.
    pub(crate) fn set_clock(&self, asked_ms: u64) -> Result<u64, ControlError> {
        let now_ms = self.manual()?.now_ms();
        let by = asked_ms.checked_sub(now_ms).ok_or(ControlError::ClockBackwards { asked_ms, now_ms })?;
        self.advance(Duration::from_millis(by))
    }

    fn manual(&self) -> Result<&ManualClock, ControlError> {
        self.clock().as_manual().ok_or(ControlError::SystemClock)
    }

    /// What all accounts have, in the order in which they were opened.
    pub(crate) fn balances(&self) -> Vec<Balances> {
        let state = self.lock().0;
        state.accounts.in_order().into_iter().map(|account| state.balances_of(account)).collect()
    }

    /// Deposits or withdraws what the free balance differs by. What open orders hold stays.
    pub(crate) fn set_balance(&self, label: &str, asset: &str, free: Amount) -> Result<Balances, ControlError> {
        let (mut state, now) = self.lock();
        let account = state.account_called(label)?.id;
        let spec = state.exchange.spec();
        let asset_id = spec
            .asset_id(asset)
            .ok_or_else(|| ControlError::UnknownAsset { asset: asset.to_owned(), known: spec.assets.join(", ") })?;
        let (asset, label) = (asset.to_owned(), label.to_owned());
        if free < Amount::ZERO {
            return Err(ControlError::NegativeBalance { asset, amount: free });
        }
        let has = state.exchange.balance(account, asset_id).map_or(Amount::ZERO, |balance| balance.free);
        let refused = |source| ControlError::Refused { label: label.clone(), asset: asset.clone(), source };
        let (more, less) = (free.checked_sub(has), has.checked_sub(free));
        let command = match (more, less) {
            (Ok(amount), _) if amount.is_positive() => Some(Command::Deposit { asset: asset_id, amount }),
            (_, Ok(amount)) if amount.is_positive() => Some(Command::Withdraw { asset: asset_id, amount }),
            _ => None,
        };
        if let Some(command) = command {
            state.apply(now, account, &command).map_err(refused)?;
        }
        let balances = state.account_called(&label).map(|account| state.balances_of(account))?;
        drop(state);
        self.deadline_moved.notify_one();
        Ok(balances)
    }

    /// The last price of every symbol that has one.
    pub(crate) fn prices(&self) -> BTreeMap<String, Price> {
        let state = self.lock().0;
        let spec = state.exchange.spec();
        let prices = spec
            .symbol_ids()
            .zip(&spec.symbols)
            .filter_map(|(id, symbol)| Some((symbol.name.clone(), state.exchange.last_price(id)?)));
        prices.collect()
    }

    /// How far the recorded markets have come.
    pub(crate) fn replays(&self) -> Vec<ReplayStatus> {
        let state = self.lock().0;
        state.markets.replays(&state.symbols)
    }

    pub(crate) fn move_market(&self, symbol: &str, price: Price) -> Result<(), MoveError> {
        let (mut state, now) = self.lock();
        let moved = state.move_market(now, symbol, price);
        drop(state);
        self.deadline_moved.notify_one();
        moved
    }

    pub(crate) fn add_fault(&self, fault: Fault) -> Result<(), FaultError> {
        fault.check()?;
        self.lock().0.streams.faults.add(fault);
        Ok(())
    }

    pub(crate) fn remove_fault(&self, name: &str) -> bool {
        self.lock().0.streams.faults.remove(name)
    }

    /// Keeps everything as it stands under a name, in place of what stood there.
    pub(crate) fn take_snapshot(&self, name: &str) -> Result<SnapshotInfo, ControlError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > NAME_LEN_MAX || !name.bytes().all(plain) {
            return Err(ControlError::SnapshotName { name: name.chars().take(NAME_LEN_MAX).collect() });
        }
        let (state, now) = self.lock();
        let mut kept = self.kept();
        if kept.named.len() >= SNAPSHOTS_MAX && !kept.named.contains_key(name) {
            return Err(ControlError::TooManySnapshots);
        }
        let snapshot = state.snapshot(now);
        let info = snapshot.info(name);
        kept.named.insert(name.to_owned(), snapshot);
        Ok(info)
    }

    pub(crate) fn snapshots(&self) -> Vec<SnapshotInfo> {
        self.kept().list()
    }

    pub(crate) fn delete_snapshot(&self, name: &str) -> Result<(), ControlError> {
        let mut kept = self.kept();
        let deleted = kept.named.remove(name);
        deleted.map(drop).ok_or_else(|| unknown(name, &kept))
    }

    /// Makes everything as it was when the snapshot was taken; it stays, to be restored again.
    pub(crate) fn restore_snapshot(&self, name: &str) -> Result<SnapshotInfo, ControlError> {
        self.go_back(|kept| {
            let snapshot = kept.named.get(name).ok_or_else(|| unknown(name, kept))?;
            Ok((snapshot.clone(), snapshot.info(name)))
        })
    }

    /// Makes everything as it was at the start. Named snapshots stay.
    pub(crate) fn reset(&self) {
        let _: Result<(), ControlError> = self.go_back(|kept| Ok((kept.start.clone(), ())));
    }

    fn go_back<T>(
        &self,
        find: impl FnOnce(&Snapshots) -> Result<(crate::snapshot::Snapshot, T), ControlError>,
    ) -> Result<T, ControlError> {
        let (snapshot, told) = find(&self.kept())?;
        let at_us = snapshot.at.as_micros();
        // Nobody may see the old state at a new time, or the other way round: the lock is held until both are set.
        let restore = || {
            let mut state = self.lock_as_is();
            state.restore(snapshot);
            state
        };
        match self.clock() {
            Clock::Manual(clock) => drop(clock.put(at_us, restore)),
            Clock::System => drop(restore()),
        }
        self.deadline_moved.notify_one();
        Ok(told)
    }

    fn kept(&self) -> MutexGuard<'_, Snapshots> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(name: &str, kept: &Snapshots) -> ControlError {
    let known = match kept.named.len() {
        0 => "none has been taken".to_owned(),
        _ => format!("there are {}", kept.named.keys().map(String::as_str).collect::<Vec<_>>().join(", ")),
    };
    ControlError::UnknownSnapshot { name: name.to_owned(), known }
}

impl State {
    fn account_called(&self, label: &str) -> Result<&KnownAccount, ControlError> {
        let all = self.accounts.in_order();
        let mut called = all.iter().filter(|account| account.label == label);
        match (called.next(), called.next()) {
            (Some(account), None) => Ok(account),
            (Some(_), Some(_)) => Err(ControlError::AmbiguousAccount { label: label.to_owned() }),
            (None, _) => {
                let known = all.iter().map(|account| account.label.as_str()).collect::<Vec<_>>().join(", ");
                Err(ControlError::UnknownAccount { label: label.to_owned(), known })
            }
        }
    }

    fn balances_of(&self, account: &KnownAccount) -> Balances {
        let balances = self.exchange.balances(account.id);
        let assets = self.exchange.spec().assets.iter().zip(balances);
        let some = assets.filter(|(_, balance)| balance.free.is_positive() || balance.locked.is_positive());
        let told = some.map(|(asset, balance)| {
            (asset.clone(), FreeAndLocked { free: balance.free.to_string(), locked: balance.locked.to_string() })
        });
        Balances { label: account.label.clone(), assets: told.collect() }
    }
}
