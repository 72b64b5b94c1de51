//! A liquidity provider: an ordinary account whose ladder of LIMIT orders keeps a book from running dry.

use crate::command::Command;
use crate::exchange::Exchange;
use crate::ids::{AccountId, SymbolId};
use crate::money::{Amount, Price, Quantity};

/// A ladder of LIMIT orders on both sides of a reference price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    /// Where.
    pub symbol: SymbolId,
    /// The price in the middle.
    pub reference: Price,
    /// Rungs on each side.
    pub rungs: u32,
    /// From rung to rung, and from the reference to the first; taken down to a multiple of the tick, at least one.
    pub spacing: Price,
    /// The middle quantity of a rung; the seed varies it from half to one and a half of this.
    pub quantity: Quantity,
    /// A side with fewer open orders of the provider than this is filled up again.
    pub thin_below: u32,
    /// Varies the quantities; the same seed gives the same ladder.
    pub seed: u64,
}

impl Ladder {
    /// The most that the provider's balances must hold for the whole ladder: base asset and quote asset.
    pub fn needs(&self, exchange: &Exchange) -> Option<(Amount, Amount)> {
        let _ = exchange;
        todo!()
    }
    /// The commands that fill up thin sides: on an empty book the whole ladder, on a full one nothing. Rungs that
    /// would trade at once are left out, so that filling up never moves the market.
    pub fn top_up(&self, exchange: &Exchange, account: AccountId) -> Vec<Command> {
        let _ = (exchange, account);
        todo!()
    }
}
