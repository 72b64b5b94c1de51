//! Which resting orders a new one would trade with: best price first, and at one price the oldest first.

use std::collections::VecDeque;

use crate::command::{PreventionMode, Side};
use crate::ids::{AccountId, SymbolId};
use crate::money::{Amount, Overflow, Price, Quantity};
use crate::spec::{LotSize, SymbolSpec};
use crate::state::{Slot, State};

/// What a new order would meet in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// A trade to be.
    Trade { maker: Slot, price: Price, quantity: Quantity, quote: Amount },
    /// A trade with the same account that is prevented, and what is taken off the two orders.
    Prevented { maker: Slot, price: Price, maker_quantity: Quantity, taker_quantity: Quantity },
}

/// Who comes in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taker {
    pub(super) account: AccountId,
    pub(super) symbol: SymbolId,
    pub(super) side: Side,
    pub(super) prevention: PreventionMode,
    /// How much of it there is; what a mode that ends it takes off it all.
    pub(super) size: Option<Quantity>,
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
    /// What was taken off it to prevent trades with the same account.
    pub(super) prevented: Quantity,
    prevented_quote: Amount,
    /// Whether a prevented trade has ended it.
    pub(super) is_ended: bool,
    /// What more a quote amount would have bought at the last price, had the book not ended.
    pub(super) beyond: Quantity,
}

/// Walks the book and lists what the new order meets, maker by maker. Of an iceberg order the shown part is met in its
/// turn, the next part after everybody else at that price.
pub(super) fn walk(
    state: &State,
    taker: Taker,
    appetite: Appetite,
    matches: &mut Vec<Match>,
) -> Result<Walk, Overflow> {
    matches.clear();
    let Some(market) = state.market(taker.symbol) else { return Ok(Walk::default()) };
    let book = &market.book;
    let mut done = Walk::default();
    let mut last_price = None;
    let mut hidden: VecDeque<(Slot, Quantity)> = VecDeque::new();
    'book: for (price, level) in book.levels(taker.side.opposite()) {
        last_price = Some(price);
        hidden.clear();
        let mut queue = book.queue(level);
        loop {
            // The whole of an order that is shown whole, and of an iceberg the part whose turn it is.
            let (maker, offered, left, account) = if let Some(maker) = queue.next() {
                let Some(record) = state.open_record(maker) else { continue };
                (maker, record.resting(), record.remaining(), record.account)
            } else if let Some((maker, left)) = hidden.pop_front() {
                let Some(record) = state.open_record(maker) else { continue };
                (maker, record.special().iceberg.min(left), left, record.account)
            } else {
                break;
            };
            let wanted = wants(&done, taker.side, appetite, price)?;
            if wanted.is_zero() || done.is_ended {
                break 'book;
            }
            if account == taker.account && taker.prevention != PreventionMode::None {
                prevent(&mut done, taker, appetite, (maker, price, left), matches)?;
                continue;
            }
            let quantity = wanted.min(offered);
            let quote = price.times(quantity)?;
            done.quantity = done.quantity.checked_add(quantity)?;
            done.quote = done.quote.checked_add(quote)?;
            matches.push(Match::Trade { maker, price, quantity, quote });
            let left = left.checked_sub(quantity)?;
            if quantity == offered && left.is_positive() {
                hidden.push_back((maker, left));
            }
        }
    }
    if let (Appetite::Quote { .. }, Some(price)) = (appetite, last_price)
        && !done.is_ended
    {
        done.beyond = wants(&done, taker.side, appetite, price)?;
    }
    Ok(done)
}

/// What the appetite still takes at a price.
fn wants(done: &Walk, side: Side, appetite: Appetite, price: Price) -> Result<Quantity, Overflow> {
    match appetite {
        Appetite::Base { quantity, limit } => {
            let crosses = limit.is_none_or(|limit| match side {
                Side::Buy => price <= limit,
                Side::Sell => price >= limit,
            });
            if crosses { quantity.checked_sub(done.quantity)?.checked_sub(done.prevented) } else { Ok(Quantity::ZERO) }
        }
        Appetite::Quote { amount, step, most } => {
            let spent = done.quote.checked_add(done.prevented_quote)?;
            let affordable = price.affords(amount.checked_sub(spent)?);
            let most = most.checked_sub(done.quantity)?.checked_sub(done.prevented)?;
            Ok(affordable.min(most).floor_to(step))
        }
    }
}

/// Lists a trade with the same account as prevented: the taker's mode says what is taken off which order.
fn prevent(
    done: &mut Walk,
    taker: Taker,
    appetite: Appetite,
    (maker, price, left): (Slot, Price, Quantity),
    matches: &mut Vec<Match>,
) -> Result<(), Overflow> {
    let wanted = wants(done, taker.side, appetite, price)?;
    // A mode that ends the taker takes off it whatever of it has not traded.
    let whole = match taker.size {
        Some(size) => size.checked_sub(done.quantity)?.checked_sub(done.prevented)?,
        None => wanted,
    };
    let (maker_quantity, taker_quantity) = match taker.prevention {
        PreventionMode::None => return Ok(()),
        PreventionMode::ExpireTaker => (Quantity::ZERO, whole),
        PreventionMode::ExpireMaker => (left, Quantity::ZERO),
        PreventionMode::ExpireBoth => (left, whole),
        PreventionMode::Decrement | PreventionMode::Transfer => (left.min(wanted), left.min(wanted)),
    };
    done.prevented = done.prevented.checked_add(taker_quantity)?;
    done.prevented_quote = done.prevented_quote.checked_add(price.times(taker_quantity)?)?;
    done.is_ended = matches!(taker.prevention, PreventionMode::ExpireTaker | PreventionMode::ExpireBoth);
    matches.push(Match::Prevented { maker, price, maker_quantity, taker_quantity });
    Ok(())
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
