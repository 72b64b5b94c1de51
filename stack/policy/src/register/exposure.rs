//! How far a grant's own orders may have moved its position in an asset.

use serde::{Deserialize, Serialize};

use crate::effects::Side;

/// What was bought and sold of one asset, in units of 10⁻⁸, and what may still be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exposure {
    /// Bought less sold, as results told it.
    net: i128,
    /// What open orders may still buy and sell.
    open_buys: i128,
    open_sells: i128,
    /// What orders that are over may have bought and sold without its being told.
    doubtful_buys: i128,
    doubtful_sells: i128,
    /// How many orders there are of which nobody knows the quantity.
    boundless: u64,
}

impl Exposure {
    /// The greatest that the position can be; `None` if nothing bounds it.
    pub(crate) fn most(&self) -> Option<i128> {
        (self.boundless == 0).then_some(self.net + self.open_buys + self.doubtful_buys)
    }

    /// The least that the position can be; `None` if nothing bounds it.
    pub(crate) fn least(&self) -> Option<i128> {
        (self.boundless == 0).then_some(self.net - self.open_sells - self.doubtful_sells)
    }

    /// An order is open that may trade `rest`.
    pub(super) fn opens(&mut self, side: Side, rest: Option<u64>) {
        match rest {
            Some(rest) => *self.open(side) += i128::from(rest),
            None => self.boundless += 1,
        }
    }

    /// The open order that might trade `rest` is over, or never was.
    pub(super) fn ends(&mut self, side: Side, rest: Option<u64>) {
        match rest {
            Some(rest) => *self.open(side) -= i128::from(rest),
            None => self.boundless = self.boundless.saturating_sub(1),
        }
    }

    /// `amount` was traded.
    pub(super) fn trades(&mut self, side: Side, amount: u64) {
        match side {
            Side::Buy => self.net += i128::from(amount),
            Side::Sell => self.net -= i128::from(amount),
        }
    }

    /// An order is over, and whether it traded `rest` nobody says.
    pub(super) fn doubts(&mut self, side: Side, rest: Option<u64>) {
        match (rest, side) {
            (Some(rest), Side::Buy) => self.doubtful_buys += i128::from(rest),
            (Some(rest), Side::Sell) => self.doubtful_sells += i128::from(rest),
            (None, _) => self.boundless += 1,
        }
    }

    /// Whether open orders may trade what those of `open` may, and all else is what orders can come to.
    pub(super) fn is_open_as(&self, open: &Self) -> bool {
        /// Of more orders than there ever will be, each of the greatest quantity.
        const FAR: i128 = 1 << 120;
        (self.open_buys, self.open_sells) == (open.open_buys, open.open_sells)
            && self.boundless >= open.boundless
            && (-FAR..FAR).contains(&self.net)
            && (0..FAR).contains(&self.doubtful_buys)
            && (0..FAR).contains(&self.doubtful_sells)
    }

    fn open(&mut self, side: Side) -> &mut i128 {
        match side {
            Side::Buy => &mut self.open_buys,
            Side::Sell => &mut self.open_sells,
        }
    }
}
