//! How far a grant's own orders may have moved its position in an asset.

use crate::effects::Side;

/// What was bought and sold of one asset, in units of 10⁻⁸, and what may still be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
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

    fn open(&mut self, side: Side) -> &mut i128 {
        match side {
            Side::Buy => &mut self.open_buys,
            Side::Sell => &mut self.open_sells,
        }
    }
}
