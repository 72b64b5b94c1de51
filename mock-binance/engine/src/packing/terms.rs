//! What a trade was: its price, its quantity and what the two sides paid for it.
//!
//! A commission is nearly always a round share of what the side received, so it is the share that is written: a byte
//! for a tenth of a percent, however long the amount. One that no round share comes to is written as it is.

use super::{Reader, put_units};
use crate::money::{Amount, Price, Quantity, Ratio, SCALE};

/// The terms of a trade. The quote amount follows: price times quantity, truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) price: Price,
    pub(crate) quantity: Quantity,
    pub(crate) maker_commission: Amount,
    pub(crate) taker_commission: Amount,
    /// Whether the side pays in the discount's asset.
    pub(crate) maker_discounted: bool,
    pub(crate) taker_discounted: bool,
}

const MAKER_DISCOUNTED: u8 = 1;
const TAKER_DISCOUNTED: u8 = 1 << 1;
/// Two bits for each side's commission: what it is a share of.
const MAKER_SHIFT: u32 = 2;
const TAKER_SHIFT: u32 = 4;
/// Both commissions are told by the same number, mostly a rate.
const SAME: u8 = 1 << 6;

/// How a commission is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paid {
    OfBase(Ratio),
    OfQuote(Ratio),
    Plain(Amount),
}

/// How finely a share is told, coarsest first; beyond that the amount itself is no longer.
const GRAINS: [i64; 5] = [1_000_000, 100_000, 10_000, 1_000, 100];

/// The share of a whole that a part is, truncated; none of nothing.
fn exact_share(whole: i64, part: i64) -> Option<i64> {
    match part.checked_mul(SCALE) {
        Some(scaled) => scaled.checked_div(whole),
        None => i64::try_from((i128::from(part) * i128::from(SCALE)).checked_div(i128::from(whole))?).ok(),
    }
}

/// A share in multiples of a grain, and of not more than all, if of the whole it comes to just this part.
fn round_share(exact: Option<i64>, grain: i64, whole: Amount, part: Amount) -> Option<Ratio> {
    let rate = Ratio::from_units(exact?.checked_add(grain / 2)?.div_euclid(grain) * grain);
    let fits = (Ratio::ZERO..=Ratio::ONE).contains(&rate) && whole.share(rate) == Ok(part);
    fits.then_some(rate)
}

impl Paid {
    fn of(commission: Amount, quantity: Quantity, quote: Amount) -> Self {
        let base = quantity.as_amount();
        let [of_base, of_quote] = [base, quote].map(|whole| exact_share(whole.units(), commission.units()));
        for grain in GRAINS {
            if let Some(rate) = round_share(of_base, grain, base, commission) {
                return Self::OfBase(rate);
            }
            if let Some(rate) = round_share(of_quote, grain, quote, commission) {
                return Self::OfQuote(rate);
            }
        }
        Self::Plain(commission)
    }

    const fn tag(self) -> u8 {
        match self {
            Self::OfBase(_) => 0,
            Self::OfQuote(_) => 1,
            Self::Plain(_) => 2,
        }
    }

    const fn units(self) -> i64 {
        match self {
            Self::OfBase(rate) | Self::OfQuote(rate) => rate.units(),
            Self::Plain(amount) => amount.units(),
        }
    }

    fn amount(units: i64, tag: u8, quantity: Quantity, quote: Amount) -> Option<Amount> {
        match tag & 3 {
            0 => quantity.as_amount().share(Ratio::from_units(units)).ok(),
            1 => quote.share(Ratio::from_units(units)).ok(),
            2 => Some(Amount::from_units(units)),
            _ => None,
        }
    }
}

impl Terms {
    /// The price is told by how far it is from the one before.
    pub(crate) fn put(&self, out: &mut Vec<u8>, before: Price) {
        let quote = self.price.times(self.quantity).unwrap_or_default();
        let maker = Paid::of(self.maker_commission, self.quantity, quote);
        let taker = Paid::of(self.taker_commission, self.quantity, quote);
        let mut head = maker.tag() << MAKER_SHIFT | taker.tag() << TAKER_SHIFT;
        if self.maker_discounted {
            head |= MAKER_DISCOUNTED;
        }
        if self.taker_discounted {
            head |= TAKER_DISCOUNTED;
        }
        if maker.units() == taker.units() {
            head |= SAME;
        }
        out.push(head);
        put_units(out, self.price.units().wrapping_sub(before.units()));
        put_units(out, self.quantity.units());
        put_units(out, maker.units());
        if head & SAME == 0 {
            put_units(out, taker.units());
        }
    }

    /// The terms, and the quote amount that follows from them.
    pub(crate) fn read(reader: &mut Reader<'_>, before: Price) -> Option<(Self, Amount)> {
        let head = reader.byte()?;
        let price = Price::from_units(before.units().wrapping_add(reader.units()?));
        let quantity = Quantity::from_units(reader.units()?);
        let quote = price.times(quantity).ok()?;
        let maker = reader.units()?;
        let taker = if head & SAME == 0 { reader.units()? } else { maker };
        let terms = Self {
            price,
            quantity,
            maker_commission: Paid::amount(maker, head >> MAKER_SHIFT, quantity, quote)?,
            taker_commission: Paid::amount(taker, head >> TAKER_SHIFT, quantity, quote)?,
            maker_discounted: head & MAKER_DISCOUNTED != 0,
            taker_discounted: head & TAKER_DISCOUNTED != 0,
        };
        Some((terms, quote))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_units() -> impl Strategy<Value = i64> {
        prop_oneof![
            Just(0),
            1..100_000_i64,
            1..1_000_000_000_000_i64,
            (1..100_000_i64).prop_map(|tick| tick * 1_000_000)
        ]
    }

    proptest! {
        #[test]
        fn every_trade_s_terms_come_back(
            before in prop_oneof![any_units(), any::<i64>()],
            price in any_units(),
            quantity in any_units(),
            commissions in prop::array::uniform2(prop_oneof![any_units(), any::<i64>()]),
            rates in prop::array::uniform2(prop::option::of(0..=100_000_000_i64)),
            maker_buys in any::<bool>(),
            discounted in prop::array::uniform2(any::<bool>()),
        ) {
            let (price, quantity) = (Price::from_units(price), Quantity::from_units(quantity));
            let Ok(quote) = price.times(quantity) else { return Ok(()) };
            let gets = if maker_buys { [quantity.as_amount(), quote] } else { [quote, quantity.as_amount()] };
            let [maker_commission, taker_commission] = std::array::from_fn(|side| match rates[side] {
                Some(rate) => gets[side].share(Ratio::from_units(rate)).unwrap(),
                None => Amount::from_units(commissions[side]),
            });
            let [maker_discounted, taker_discounted] = discounted;
            let terms =
                Terms { price, quantity, maker_commission, taker_commission, maker_discounted, taker_discounted };
            let mut bytes = Vec::new();
            terms.put(&mut bytes, Price::from_units(before));
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(Terms::read(&mut reader, Price::from_units(before)), Some((terms, quote)));
            prop_assert!(reader.rest().is_empty());
            for cut in 0..bytes.len() {
                prop_assert_eq!(Terms::read(&mut Reader::new(&bytes[..cut]), Price::from_units(before)), None);
            }
        }
    }

    #[test]
    fn usual_commissions_take_a_byte_each() {
        for (maker_rate, taker_rate) in [("0.001", "0.001"), ("0.0002", "0.0004"), ("0", "0.00075")] {
            let (price, quantity): (Price, Quantity) = ("60000.12".parse().unwrap(), "0.00123".parse().unwrap());
            let share = |amount: Amount, rate: &str| amount.share(rate.parse().unwrap()).unwrap();
            let terms = Terms {
                price,
                quantity,
                maker_commission: share(quantity.as_amount(), maker_rate),
                taker_commission: share(price.times(quantity).unwrap(), taker_rate),
                maker_discounted: false,
                taker_discounted: false,
            };
            let mut bytes = Vec::new();
            terms.put(&mut bytes, "60000".parse().unwrap());
            assert!(bytes.len() <= 8, "{} bytes", bytes.len());
        }
    }
}
