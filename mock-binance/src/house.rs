//! The house: liquidity providers that keep every book with a reference price from running dry.
//!
//! Each symbol has a provider of its own, an ordinary account with a ladder of LIMIT orders (the engine's
//! [`Ladder`]). Its orders and deposits stand in the journal like anybody's.

use exchange_engine::liquidity::Ladder;
use exchange_engine::{AccountId, Command, Event, Exchange, Price, Quantity, Rejection, SymbolId, Timestamp};

/// How the books are filled. Build it from a seed: `Liquidity::from(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liquidity {
    /// Varies the quantities; the same seed gives the same books.
    pub seed: u64,
    /// Price levels on each side.
    pub rungs: u32,
    /// From level to level, in hundredths of a percent of the reference price.
    pub spacing_bips: u32,
    /// The middle quantity of a level, in steps of the symbol's `LOT_SIZE`.
    pub lots_per_rung: u32,
}

impl Default for Liquidity {
    fn default() -> Self {
        Self { seed: 1, rungs: 20, spacing_bips: 1, lots_per_rung: 50_000 }
    }
}

impl From<u64> for Liquidity {
    fn from(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }
}

/// What a quantity step counts as where a symbol names none.
const STEP: Quantity = Quantity::from_units(1_000);
const BIPS: i64 = 10_000;

/// The providers of one mock.
#[derive(Debug, Default)]
pub(crate) struct House {
    providers: Vec<(AccountId, Ladder)>,
}

impl House {
    /// Opens a provider for a symbol and fills its book.
    pub(crate) fn provide(
        &mut self,
        exchange: &mut Exchange,
        now: Timestamp,
        symbol: SymbolId,
        reference: Price,
        liquidity: Liquidity,
    ) -> Result<(), Rejection> {
        let step = exchange
            .spec()
            .symbol(symbol)
            .and_then(|spec| spec.filters.lot)
            .map_or(STEP, |lot| if lot.step.is_positive() { lot.step } else { STEP });
        let quantity = step.units().saturating_mul(i64::from(liquidity.lots_per_rung));
        let spacing = reference.units() / BIPS * i64::from(liquidity.spacing_bips);
        let ladder = Ladder {
            symbol,
            reference,
            rungs: liquidity.rungs,
            spacing: Price::from_units(spacing),
            quantity: Quantity::from_units(quantity),
            thin_below: liquidity.rungs,
            seed: liquidity.seed,
        };
        let account = exchange.open_account(now)?;
        self.providers.push((account, ladder));
        let mut events = Vec::new();
        top_up(exchange, now, account, &ladder, &mut events);
        Ok(())
    }

    /// Fills up the books of the symbols that traded, and appends what happened.
    pub(crate) fn after(&self, exchange: &mut Exchange, now: Timestamp, events: &mut Vec<Event>) {
        for (account, ladder) in &self.providers {
            let traded =
                events.iter().any(|event| matches!(event, Event::Trade(trade) if trade.symbol == ladder.symbol));
            if traded {
                top_up(exchange, now, *account, ladder, events);
            }
        }
    }
}

/// Places what is missing of a ladder; the provider is given what it lacks for it.
fn top_up(exchange: &mut Exchange, now: Timestamp, account: AccountId, ladder: &Ladder, events: &mut Vec<Event>) {
    let commands = ladder.top_up(exchange, account);
    if commands.is_empty() {
        return;
    }
    fund(exchange, now, account, ladder, events);
    for command in commands {
        // A rung that is refused (a halted symbol, a filter) is left out: the book is then as thin as the rules
        // make it, and the refusal stands in the journal.
        let _ = exchange.apply_into(now, account, &command, events);
    }
}

/// Brings the free balances up to what a whole ladder needs.
fn fund(exchange: &mut Exchange, now: Timestamp, account: AccountId, ladder: &Ladder, events: &mut Vec<Event>) {
    let Some((base, quote)) = ladder.needs(exchange) else {
        return;
    };
    let Some((base_asset, quote_asset)) = exchange.spec().symbol(ladder.symbol).map(|spec| (spec.base, spec.quote))
    else {
        return;
    };
    for (asset, needed) in [(base_asset, base), (quote_asset, quote)] {
        let lacks = exchange
            .balance(account, asset)
            .and_then(|balance| needed.checked_sub(balance.free).ok())
            .filter(|amount| amount.is_positive());
        if let Some(amount) = lacks {
            let deposit = Command::Deposit { asset, amount };
            let _ = exchange.apply_into(now, account, &deposit, events);
        }
    }
}
