//! Recorded markets of a mock that is put together.

use std::collections::BTreeMap;

use exchange_engine::{Commissions, Price, SymbolId, Timestamp};

use super::{Builder, StartError, unknown_symbol};
use crate::house::House;
use crate::market::Markets;
use crate::replay::{self, Loaded, Playing, Recording, ReplayError, ReplayProgress, Shift};
use crate::symbols::Symbols;

/// A recording, and the symbol that it is of.
pub(super) struct Recorded {
    name: String,
    loaded: Loaded,
}

impl Builder {
    /// Lets a recorded market happen again on the mock's clock: a file of trades, aggregate trades or klines in the column
    /// order of the exchange's public data. The first row comes when the mock starts or less than a minute later, and all
    /// others follow as they did: recorded times are moved by whole minutes, by the same number for all recordings. A
    /// manual clock that starts in the minute before the first row leaves them as they are.
    ///
    /// The symbol's book is filled round the first price. Everything goes through the engine as orders of the house; what
    /// clients do adds trades to those that were recorded. The file is checked from end to end when the mock starts, and
    /// read again while it happens.
    ///
    /// ```
    /// # use mock_binance::{ManualClock, MockBinance, Recording};
    /// # use std::time::Duration;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let clock = ManualClock::new(1_735_776_000_000);
    /// let recording = Recording::new("recordings/klines.csv");
    /// let mock = MockBinance::builder().clock(&clock).replay("BTCUSDT", recording).start().await?;
    /// clock.advance(Duration::from_mins(10));
    /// let status = &mock.replays()[0];
    /// assert_eq!((status.begun, status.shift_ms, status.refused), (10, 0, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn replay(mut self, symbol: impl Into<String>, recording: Recording) -> Self {
        self.recordings.push((symbol.into(), recording));
        self
    }

    /// Who is told how far a long recording has been checked, while the mock starts: after every 500 000 rows.
    #[must_use]
    pub fn replay_progress(mut self, tell: fn(&ReplayProgress<'_>)) -> Self {
        self.replay_progress = Some(tell);
        self
    }

    /// Checks the recordings, and lets the prices of their symbols be those of their first rows.
    pub(super) fn recorded(
        &self,
        symbols: &Symbols,
        prices: &mut BTreeMap<String, Price>,
    ) -> Result<BTreeMap<SymbolId, Recorded>, StartError> {
        let spec = symbols.spec(Commissions::default(), prices);
        let mut all = BTreeMap::new();
        for (name, recording) in &self.recordings {
            let known = symbols.id(name).and_then(|id| Some((id, spec.symbol(id)?)));
            let (id, symbol) = known.ok_or_else(|| unknown_symbol(name, "a recording", symbols))?;
            if self.markets.contains_key(name) || self.prices.contains_key(name) || all.contains_key(&id) {
                return Err(StartError::ReplayedTwice { symbol: name.clone() });
            }
            let loaded = replay::load(recording, symbol, self.replay_progress)?;
            prices.insert(name.clone(), loaded.first_price());
            all.insert(id, Recorded { name: name.clone(), loaded });
        }
        Ok(all)
    }
}

/// Lets the recordings happen, with the time between them as it was.
pub(super) fn play(
    recorded: BTreeMap<SymbolId, Recorded>,
    now: Timestamp,
    house: &House,
    markets: &mut Markets,
) -> Result<(), StartError> {
    let all: Vec<&Loaded> = recorded.values().map(|recorded| &recorded.loaded).collect();
    let Some(first) = all.first() else { return Ok(()) };
    let shift = Shift::of(now, &all).ok_or_else(|| ReplayError::Time { path: first.path().to_owned() })?;
    for (id, Recorded { name, loaded }) in recorded {
        if !house.provides(id) {
            return Err(StartError::MarketWithoutPrice { symbol: name });
        }
        markets.replay(Playing::begin(loaded, id, shift));
    }
    Ok(())
}
