//! Which resting orders a new one would trade with: best price first, and at one price the oldest first.

use crate::command::Side;
use crate::ids::SymbolId;
use crate::money::{Amount, Overflow, Price, Quantity};
use crate::spec::{LotSize, SymbolSpec};
use crate::state::{Slot, State};

/// A trade to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Match {
    pub(super) maker: Slot,
    pub(super) price: Price,
    pub(super) quantity: Quantity,
    pub(super) quote: Amount,
}

/// How far a new order goes into the book.
#[derive(Debug, Clone, Copy)]
pub(super) enum Appetite {
    /// So much of the base asset, at this price or better ones when there is a limit.
    Base { quantity: Quantity, limit: Option<Price> },
    /// So much of the quote asset, in whole steps, and not more than the largest lot.
    Quote { amount: Amount, step: Quantity, most: Quantity },
}

/// What a walk through the book comes to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Walk {
    pub(super) quantity: Quantity,
    pub(super) quote: Amount,
    /// What more a quote amount would have bought at the last price, had the book not ended.
    pub(super) beyond: Quantity,
}

/// Walks the book and lists the trades to be. Whether an order may trade with another of the same account would be
/// decided here, maker by maker.
pub(super) fn walk(
    state: &State,
    symbol: SymbolId,
    side: Side,
    appetite: Appetite,
    matches: &mut Vec<Match>,
) -> Result<Walk, Overflow> {
    matches.clear();
    let Some(market) = state.market(symbol) else { return Ok(Walk::default()) };
    let book = &market.book;
    let mut done = Walk::default();
    // What the appetite still takes at a price.
    let wants = |done: &Walk, price: Price| match appetite {
        Appetite::Base { quantity, limit } => {
            let crosses = limit.is_none_or(|limit| match side {
                Side::Buy => price <= limit,
                Side::Sell => price >= limit,
            });
            if crosses { quantity.checked_sub(done.quantity) } else { Ok(Quantity::ZERO) }
        }
        Appetite::Quote { amount, step, most } => {
            let affordable = price.affords(amount.checked_sub(done.quote)?);
            Ok(affordable.min(most.checked_sub(done.quantity)?).floor_to(step))
        }
    };
    let mut last_price = None;
    'book: for (price, level) in book.levels(side.opposite()) {
        last_price = Some(price);
        for maker in book.queue(level) {
            let wanted = wants(&done, price)?;
            if wanted.is_zero() {
                break 'book;
            }
            let Some(record) = state.record(maker) else { continue };
            let quantity = wanted.min(record.remaining());
            let quote = price.times(quantity)?;
            done.quantity = done.quantity.checked_add(quantity)?;
            done.quote = done.quote.checked_add(quote)?;
            matches.push(Match { maker, price, quantity, quote });
        }
    }
    if let (Appetite::Quote { .. }, Some(price)) = (appetite, last_price) {
        done.beyond = wants(&done, price)?;
    }
    Ok(done)
}

/// The step that the quantity of a MARKET order by quote amount is rounded to (the coarser one of the two lots), and
/// the most it may be.
pub(super) fn market_lot(spec: &SymbolSpec) -> (Quantity, Quantity) {
    let lots = [spec.filters.lot, spec.filters.market_lot];
    let lots = || lots.iter().flatten();
    let step = lots().map(|lot: &LotSize| lot.step).max().unwrap_or_default();
    let most = lots().map(|lot| lot.max).filter(|max| !max.is_zero()).min().unwrap_or(Quantity::MAX);
    (step, most)
}
