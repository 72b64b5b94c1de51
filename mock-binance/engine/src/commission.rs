//! What a trade costs each side: rates, and the discount for who pays in an asset of the exchange's choice.
//!
//! Binance's commission FAQ is the source: standard, special and tax commission are each the received amount times the
//! sum of two rates, that of the role (maker or taker) and that of the side (buyer or seller), rounded to the nearest
//! unit as its example is. The discount is for the standard commission alone.

use crate::command::Side;
use crate::ids::AssetId;
use crate::money::{Amount, Overflow, Price, Ratio, SCALE};

/// Rates of one kind, as parts of the received amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// For the side whose order rested.
    pub maker: Ratio,
    /// For the side whose order came in.
    pub taker: Ratio,
    /// For the side that bought, whichever its role.
    pub buyer: Ratio,
    /// For the side that sold, whichever its role.
    pub seller: Ratio,
}

impl Rates {
    /// What a side of a trade pays of what it receives.
    pub fn of(&self, is_maker: bool, side: Side) -> Result<Ratio, Overflow> {
        let role = if is_maker { self.maker } else { self.taker };
        let direction = if side == Side::Buy { self.buyer } else { self.seller };
        role.checked_add(direction)
    }

    const fn all(&self) -> [Ratio; 4] {
        [self.maker, self.taker, self.buyer, self.seller]
    }
}

/// What trades on a symbol cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commissions {
    /// `standardCommission`.
    pub standard: Rates,
    /// `specialCommission`.
    pub special: Rates,
    /// `taxCommission`.
    pub tax: Rates,
    /// Whether an account may pay in the discount's asset here.
    pub discount_allowed: bool,
}

impl Default for Commissions {
    fn default() -> Self {
        Self { standard: Rates::default(), special: Rates::default(), tax: Rates::default(), discount_allowed: true }
    }
}

impl Commissions {
    /// Standard rates by role and nothing else, as most accounts have them.
    pub fn by_role(maker: Ratio, taker: Ratio) -> Self {
        Self { standard: Rates { maker, taker, ..Rates::default() }, ..Self::default() }
    }

    /// Whether every rate is a part, and no trade costs more than it brings.
    pub(crate) fn are_parts(&self) -> bool {
        let kinds = [self.standard, self.special, self.tax];
        let each = kinds.iter().flat_map(Rates::all).all(|rate| rate.units() >= 0);
        let sum = |pick: fn(&Rates) -> Ratio| kinds.iter().map(|kind| i128::from(pick(kind).units())).sum::<i128>();
        let role = sum(|rates| rates.maker).max(sum(|rates| rates.taker));
        let direction = sum(|rates| rates.buyer).max(sum(|rates| rates.seller));
        each && role + direction <= i128::from(SCALE)
    }

    /// What a side pays of what it receives.
    pub fn on(&self, received: Amount, is_maker: bool, side: Side) -> Result<Costs, Overflow> {
        let of = |rates: &Rates| received.share(rates.of(is_maker, side)?);
        Ok(Costs { standard: of(&self.standard)?, special: of(&self.special)?, tax: of(&self.tax)? })
    }
}

/// The commission of one side of a trade, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Costs {
    /// Of the standard rates.
    pub standard: Amount,
    /// Of the special rates.
    pub special: Amount,
    /// Of the tax rates.
    pub tax: Amount,
}

impl Costs {
    /// All three.
    pub fn total(&self) -> Result<Amount, Overflow> {
        self.standard.checked_add(self.special)?.checked_add(self.tax)
    }
}

/// What paying in an asset of the exchange's choice does to the standard commission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discount {
    /// BNB.
    pub asset: AssetId,
    /// As `account/commission` tells it.
    pub rate: Ratio,
    /// How the rate is meant.
    pub reading: DiscountReading,
}

/// The commission FAQ multiplies by the rate; that it is what is taken off would be the other reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DiscountReading {
    /// At `0.75` three quarters are paid.
    #[default]
    Paid,
    /// At `0.75` one quarter is paid.
    TakenOff,
}

impl Discount {
    /// What is paid of the standard commission.
    pub fn factor(&self) -> Result<Ratio, Overflow> {
        match self.reading {
            DiscountReading::Paid => Ok(self.rate),
            DiscountReading::TakenOff => Ratio::ONE.checked_sub(self.rate),
        }
    }

    /// The commission in the discount's asset: each kind is converted, the standard one then discounted.
    pub fn on(&self, costs: &Costs, rate: &ExchangeRate) -> Result<Amount, Overflow> {
        let standard = rate.convert(costs.standard)?.share(self.factor()?)?;
        standard.checked_add(rate.convert(costs.special)?)?.checked_add(rate.convert(costs.tax)?)
    }
}

/// What one asset is worth in another, as a fraction of two prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeRate {
    /// What the first asset costs in a third.
    pub over: Price,
    /// What the other asset costs in the same.
    pub under: Price,
}

impl ExchangeRate {
    /// Of an asset in itself.
    pub const EVEN: Self = Self { over: Price::ONE, under: Price::ONE };

    /// An amount of the first asset in the other, to the nearest unit.
    pub fn convert(&self, amount: Amount) -> Result<Amount, Overflow> {
        amount.converted(self.over, self.under)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_symbol_costs_more_than_a_trade_brings() {
        let part =
            |units| Rates { maker: Ratio::from_units(units), buyer: Ratio::from_units(SCALE / 2), ..Rates::default() };
        for (units, fits) in [(0, true), (SCALE / 2, true), (SCALE / 2 + 1, false), (-1, false)] {
            assert_eq!(Commissions { standard: part(units), ..Commissions::default() }.are_parts(), fits, "{units}");
        }
        let whole = Rates { taker: Ratio::ONE, ..Rates::default() };
        let twice = Commissions { standard: whole, tax: whole, ..Commissions::default() };
        assert!(!twice.are_parts());
    }

    #[test]
    fn a_rate_is_paid_or_taken_off() {
        let discount = |reading| Discount { asset: AssetId(0), rate: Ratio::from_units(SCALE / 4), reading };
        assert_eq!(discount(DiscountReading::Paid).factor(), Ok(Ratio::from_units(SCALE / 4)));
        assert_eq!(discount(DiscountReading::TakenOff).factor(), Ok(Ratio::from_units(SCALE / 4 * 3)));
    }
}
