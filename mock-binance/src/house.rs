//! The house: liquidity providers that keep every book with a reference price from running dry.
//!
//! Each symbol has a provider of its own, an ordinary account with a ladder of LIMIT orders (the engine's
//! [`Ladder`]). Its orders and deposits stand in the journal like anybody's. Where a market is to move, a second
//! account trades against the provider's, see `mover`.

use exchange_engine::liquidity::Ladder;
use exchange_engine::{AccountId, Amount, Command, Event, Exchange, Price, Quantity, Rejection, SymbolId, Timestamp};

use crate::mover::{self, Deal, Hands};

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

/// A thin book has so many levels a side,
const THIN_RUNGS: u32 = 3;
/// and of a level's quantity one part in so many.
const THIN_PARTS: i64 = 50;

/// The providers of one mock.
#[derive(Debug, Clone, Default)]
pub(crate) struct House {
    providers: Vec<Provider>,
}

#[derive(Debug, Clone)]
struct Provider {
    account: AccountId,
    ladder: Ladder,
    /// As it was described; a thin book goes back to it.
    full: Ladder,
    spacing_bips: u32,
    /// Opened when the market first moves.
    taker: Option<AccountId>,
}

/// Why a market was not moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// No such symbol, or nobody provides liquidity for it.
    #[error("the market of `{symbol}` has no liquidity provider: give the symbol a price, and leave liquidity on")]
    NoProvider {
        /// What was asked for.
        symbol: String,
    },
    /// A price of zero or less.
    #[error("the price of `{symbol}` must be above zero")]
    PriceNotPositive {
        /// The symbol.
        symbol: String,
    },
    /// The exchange refused the trade at the price.
    #[error("the exchange refuses a trade in `{symbol}` at {price}: {source}")]
    Refused {
        /// The symbol.
        symbol: String,
        /// The price, on the symbol's tick.
        price: Price,
        /// Why.
        source: Rejection,
    },
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
        let ladder = Ladder {
            symbol,
            reference,
            rungs: liquidity.rungs,
            spacing: spacing_at(reference, liquidity.spacing_bips),
            quantity: Quantity::from_units(quantity),
            thin_below: liquidity.rungs,
            seed: liquidity.seed,
        };
        let account = exchange.open_provider(now)?;
        let spacing_bips = liquidity.spacing_bips;
        self.providers.push(Provider { account, ladder, full: ladder, spacing_bips, taker: None });
        let mut events = Vec::new();
        top_up(exchange, now, account, &ladder, &mut events);
        Ok(())
    }

    /// Fills up the books of the symbols that traded, and appends what happened.
    pub(crate) fn after(&self, exchange: &mut Exchange, now: Timestamp, events: &mut Vec<Event>) {
        for Provider { account, ladder, .. } in &self.providers {
            let traded =
                events.iter().any(|event| matches!(event, Event::Trade(trade) if trade.symbol == ladder.symbol));
            if traded {
                top_up(exchange, now, *account, ladder, events);
            }
        }
    }

    /// Whether a symbol has a provider.
    pub(crate) fn provides(&self, symbol: SymbolId) -> bool {
        self.providers.iter().any(|provider| provider.ladder.symbol == symbol)
    }

    /// Moves a symbol's market to a price by ordinary orders, and appends what happened. Nothing when it has no
    /// provider.
    pub(crate) fn move_to(
        &mut self,
        exchange: &mut Exchange,
        now: Timestamp,
        symbol: SymbolId,
        deal: Deal,
        events: &mut Vec<Event>,
    ) -> Option<Result<(), Rejection>> {
        let provider = self.providers.iter_mut().find(|provider| provider.ladder.symbol == symbol)?;
        Some(provider.move_to(exchange, now, deal, events))
    }

    /// Makes a book thin, or full again, from its next move on.
    pub(crate) fn thin(&mut self, exchange: &mut Exchange, now: Timestamp, symbol: SymbolId, events: &mut Vec<Event>) {
        let Some(provider) = self.providers.iter_mut().find(|provider| provider.ladder.symbol == symbol) else {
            return;
        };
        let rungs = provider.full.rungs.min(THIN_RUNGS);
        let quantity = Quantity::from_units(provider.full.quantity.units() / THIN_PARTS);
        if (provider.ladder.rungs, provider.ladder.quantity) == (rungs, quantity) {
            return;
        }
        provider.ladder = Ladder { rungs, thin_below: rungs, quantity, ..provider.ladder };
        // The rungs of the full ladder hold more than those of a thin one.
        let _ = exchange.apply_into(now, provider.account, &Command::CancelAll { symbol }, events);
    }
}

impl Provider {
    fn move_to(
        &mut self,
        exchange: &mut Exchange,
        now: Timestamp,
        deal: Deal,
        events: &mut Vec<Event>,
    ) -> Result<(), Rejection> {
        let price = deal.price;
        let taker = match self.taker {
            Some(taker) => taker,
            None => *self.taker.insert(exchange.open_provider(now)?),
        };
        // A grid that stays keeps most orders where they are; far from where it was laid out it would be too fine or
        // too coarse.
        let spacing = spacing_at(price, self.spacing_bips).units();
        let laid_out = self.ladder.spacing.units();
        if spacing < laid_out / 2 || spacing / 2 > laid_out {
            self.ladder.spacing = Price::from_units(spacing);
        }
        let ladder = self.ladder.moved_to(exchange, price);
        let stays = ladder == self.ladder;
        self.ladder = ladder;
        let hands = Hands { provider: self.account, taker };
        if stays && mover::is_free(exchange, &ladder, price) {
            return mover::trade(exchange, now, hands, &ladder, deal, events);
        }
        mover::move_to(exchange, now, hands, &ladder, deal, events)
    }
}

/// What a number of hundredths of a percent of a price is.
fn spacing_at(price: Price, bips: u32) -> Price {
    Price::from_units((price.units() / BIPS).saturating_mul(i64::from(bips)))
}

/// Places what is missing of a ladder; the provider is given what it lacks for it.
pub(crate) fn top_up(
    exchange: &mut Exchange,
    now: Timestamp,
    account: AccountId,
    ladder: &Ladder,
    events: &mut Vec<Event>,
) {
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
    if let Some((base, quote)) = ladder.needs(exchange) {
        endow(exchange, now, account, ladder.symbol, (base, quote), events);
    }
}

/// Deposits what the free balances lack of so much base and quote asset.
pub(crate) fn endow(
    exchange: &mut Exchange,
    now: Timestamp,
    account: AccountId,
    symbol: SymbolId,
    (base, quote): (Amount, Amount),
    events: &mut Vec<Event>,
) {
    let Some((base_asset, quote_asset)) = exchange.spec().symbol(symbol).map(|spec| (spec.base, spec.quote)) else {
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
