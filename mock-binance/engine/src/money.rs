//! Fixed-point money: integers that count hundred-millionths, never floats.
//!
//! Prices, quantities and amounts are `i64` in units of 10^-8, which is the range of the exchange's own
//! limits. Products are taken in `i128`, so the only way to fail is a result that does not fit: [`Overflow`].
//! A product of two numbers of 8 decimals has 16; whoever multiplies says which way the rest goes:
//! [`Price::times`] truncates (what a trade pays), [`Price::times_up`] rounds up (what an order locks).

use std::fmt;
use std::str::FromStr;

/// How many units make one whole.
pub const SCALE: i64 = 100_000_000;

const DECIMALS: usize = 8;

/// A result that does not fit into the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount is too large to be counted in units of 0.00000001")]
pub struct Overflow;

/// A text that is no decimal of at most 8 decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseDecimalError {
    /// Not digits with at most one point between digits (a leading `-` is allowed).
    #[error("not a decimal: write digits with at most one point between them, such as `12.5`")]
    Malformed,
    /// More than 8 decimals, counting zeros at the end.
    #[error("more than 8 decimals: round it to a multiple of 0.00000001")]
    TooPrecise,
    /// Beyond the range of the type.
    #[error("out of range: the largest value is 92233720368.54775807")]
    OutOfRange,
}

fn parse_units(text: &str) -> Result<i64, ParseDecimalError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return Err(ParseDecimalError::Malformed),
        Some(parts) => parts,
        None => (digits, ""),
    };
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(ParseDecimalError::Malformed);
    }
    if fraction.len() > DECIMALS {
        return Err(ParseDecimalError::TooPrecise);
    }
    let padding = std::iter::repeat_n(b'0', DECIMALS.saturating_sub(fraction.len()));
    let mut units: i64 = 0;
    for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
        // Counting downwards reaches the smallest value too.
        units = units
            .checked_mul(10)
            .and_then(|u| u.checked_sub(i64::from(digit.wrapping_sub(b'0'))))
            .ok_or(ParseDecimalError::OutOfRange)?;
    }
    if negative { Ok(units) } else { units.checked_neg().ok_or(ParseDecimalError::OutOfRange) }
}

fn write_units(units: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if units < 0 { "-" } else { "" };
    let size = units.unsigned_abs();
    let scale = u128::from(SCALE.unsigned_abs());
    write!(f, "{sign}{}.{:08}", size / scale, size % scale)
}

macro_rules! decimal {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(i64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// The largest value.
            pub const MAX: Self = Self(i64::MAX);

            /// From units of 10^-8.
            pub const fn from_units(units: i64) -> Self {
                Self(units)
            }

            /// In units of 10^-8.
            pub const fn units(self) -> i64 {
                self.0
            }

            /// Whether this is exactly zero.
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// Whether this is more than zero.
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }

            /// The sum, or [`Overflow`].
            pub fn checked_add(self, other: Self) -> Result<Self, Overflow> {
                self.0.checked_add(other.0).map(Self).ok_or(Overflow)
            }

            /// The difference, or [`Overflow`].
            pub fn checked_sub(self, other: Self) -> Result<Self, Overflow> {
                self.0.checked_sub(other.0).map(Self).ok_or(Overflow)
            }

            /// Whether this is a whole multiple of `step`; a step of zero asks nothing.
            pub const fn is_multiple_of(self, step: Self) -> bool {
                step.0 == 0 || self.0.wrapping_rem(step.0) == 0
            }

            /// The largest multiple of `step` that is not above this non-negative value.
            #[must_use]
            pub const fn floor_to(self, step: Self) -> Self {
                if step.0 <= 0 { self } else { Self(self.0 - self.0 % step.0) }
            }
        }

        impl fmt::Display for $name {
            /// Always 8 decimals.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_units(i128::from(self.0), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_units(i128::from(self.0), f)
            }
        }

        impl FromStr for $name {
            type Err = ParseDecimalError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_units(text).map(Self)
            }
        }
    };
}

decimal! {
    /// Quote asset for one whole unit of the base asset.
    Price
}
decimal! {
    /// So much of a symbol's base asset.
    Quantity
}
decimal! {
    /// So much of any one asset; of a symbol's quote asset where nothing else is said.
    Amount
}
decimal! {
    /// A bare factor: a commission rate (`0.001` is a tenth of a percent) or a price multiplier.
    Ratio
}

impl Price {
    /// One unit of the quote asset.
    pub const ONE: Self = Self(SCALE);

    /// What `quantity` costs, truncated to whole units: what a trade pays.
    pub fn times(self, quantity: Quantity) -> Result<Amount, Overflow> {
        narrow(unscaled(self.product(quantity))).map(Amount)
    }

    /// What `quantity` costs, rounded up to whole units: what a buying order locks.
    pub fn times_up(self, quantity: Quantity) -> Result<Amount, Overflow> {
        narrow(unscaled(self.product(quantity) + i128::from(SCALE - 1))).map(Amount)
    }

    /// The exact product, in units of 10^-16: what filters compare.
    pub const fn product(self, quantity: Quantity) -> i128 {
        self.0 as i128 * quantity.0 as i128
    }

    /// The price times a factor, truncated, or [`Overflow`].
    pub fn scaled_by(self, ratio: Ratio) -> Result<Self, Overflow> {
        narrow(unscaled(i128::from(self.0) * i128::from(ratio.0))).map(Self)
    }

    /// The largest quantity whose cost is not above `amount`, before any step; zero at a price of zero.
    pub fn affords(self, amount: Amount) -> Quantity {
        let units = i128::from(amount.0).saturating_mul(i128::from(SCALE)).checked_div(i128::from(self.0)).unwrap_or(0);
        Quantity(i64::try_from(units).unwrap_or(i64::MAX))
    }
}

impl Quantity {
    /// The same number as an amount of the base asset.
    pub const fn as_amount(self) -> Amount {
        Amount(self.0)
    }
}

impl Ratio {
    /// All of it.
    pub const ONE: Self = Self(SCALE);
}

impl Amount {
    /// The part that a rate takes, to the nearest unit; of two, the larger one.
    pub fn share(self, rate: Ratio) -> Result<Self, Overflow> {
        nearest(i128::from(self.0) * i128::from(rate.0), i128::from(SCALE)).map(Self)
    }

    /// The same worth in another asset, to the nearest unit: `over` is what a unit costs in some third asset, `under`
    /// what a unit of the other asset costs in it.
    pub fn converted(self, over: Price, under: Price) -> Result<Self, Overflow> {
        nearest(i128::from(self.0) * i128::from(over.0), i128::from(under.0)).map(Self)
    }
}

/// A quotient rounded half up.
fn nearest(units: i128, by: i128) -> Result<i64, Overflow> {
    let raised = units.checked_add(by / 2).ok_or(Overflow)?;
    if let (Ok(raised), Ok(by)) = (i64::try_from(raised), i64::try_from(by)) {
        return raised.checked_div_euclid(by).ok_or(Overflow);
    }
    narrow(raised.checked_div_euclid(by).ok_or(Overflow)?)
}

/// A sum over many trades; wide enough never to overflow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Total(i128);

impl Total {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From units of 10^-8.
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// In units of 10^-8.
    pub const fn units(self) -> i128 {
        self.0
    }

    /// The average price: this much quote asset for so much base asset, truncated; nothing when nothing was traded.
    pub fn per(self, base: Self) -> Option<Price> {
        let units = self.0.checked_mul(i128::from(SCALE))?.checked_div(base.0)?;
        i64::try_from(units).ok().map(Price)
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_units(self.0, f)
    }
}

impl fmt::Debug for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_units(self.0, f)
    }
}

/// A product of two numbers of 8 decimals as a number of 8 decimals, truncated. Nearly every product fits into 64
/// bits, where a division by a constant is a multiplication; a division of 128 bits is a call.
const fn unscaled(product: i128) -> i128 {
    #[expect(clippy::cast_possible_truncation, reason = "compared with the whole right away")]
    let low = product as i64;
    if low as i128 == product { (low / SCALE) as i128 } else { product / SCALE as i128 }
}

fn narrow(units: i128) -> Result<i64, Overflow> {
    i64::try_from(units).map_err(|_| Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_and_written_with_eight_places() {
        for (text, units) in
            [("0", 0), ("1", SCALE), ("0.00000001", 1), ("-0.5", -50_000_000), ("00012.50", 1_250_000_000)]
        {
            assert_eq!(text.parse::<Price>(), Ok(Price(units)), "{text}");
        }
        assert_eq!(Amount(i64::MAX).to_string(), "92233720368.54775807");
        assert_eq!("-92233720368.54775808".parse::<Amount>(), Ok(Amount(i64::MIN)));
        assert_eq!(Amount(-1).to_string(), "-0.00000001");
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["", "-", ".", "1.", ".1", "+1", "1e5", "1_0", " 1", "1.2.3", "٣"] {
            assert_eq!(text.parse::<Price>(), Err(ParseDecimalError::Malformed), "{text}");
        }
        assert_eq!("1.000000000".parse::<Price>(), Err(ParseDecimalError::TooPrecise));
        assert_eq!("92233720368.54775808".parse::<Price>(), Err(ParseDecimalError::OutOfRange));
    }

    #[test]
    fn products_say_where_the_rest_goes() {
        let (price, quantity) = (Price(3), Quantity(50_000_000));
        assert_eq!(price.times(quantity), Ok(Amount(1)));
        assert_eq!(price.times_up(quantity), Ok(Amount(2)));
        assert_eq!(Price::MAX.times(Quantity::MAX), Err(Overflow));
        for (amount, share) in [(149, 1), (150, 2), (199, 2), (0, 0), (-149, -1), (-151, -2)] {
            assert_eq!(Amount(amount).share(Ratio(1_000_000)), Ok(Amount(share)), "{amount}");
        }
        assert_eq!(Amount(10).converted(Price(3), Price(4)), Ok(Amount(8)));
        assert_eq!(Amount(10).converted(Price(3), Price(0)), Err(Overflow));
        assert_eq!(Amount::MAX.converted(Price::MAX, Price(1)), Err(Overflow));
    }
}
