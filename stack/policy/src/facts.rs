//! Facts: what a call's arguments come to, as a manifest defines it for each tool.
//!
//! A fact is an argument under a common name (`symbol`), or a decimal that is computed from arguments (`notional`).
//! A computed fact has a value or none: an argument that is missing, spelt otherwise than as a canonical decimal, or a
//! result that cannot be held exactly leaves it without one, and then no rule over it can be evaluated.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::arguments::member;
use crate::condition::Cause;
use crate::decimal;
use crate::effects::Effect;
use crate::own_keys::{OwnMap, OwnSet};
use crate::prices::{Live, Prices, TellsPrice};

/// The price of each symbol by which the policy values what has no price of its own.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// As the document says.
    pub(crate) signed: IndexMap<String, Decimal>,
    /// How it is told meanwhile, if it is. Known only when the manifest was read.
    pub(crate) live: OnceLock<Live>,
}

impl References {
    fn of(&self, symbol: &str, prices: Prices<'_>) -> Result<Decimal, Cause> {
        let signed = *self.signed.get(symbol).ok_or(Cause::NoReference)?;
        self.live.get().map_or(Ok(signed), |live| prices.of(live, symbol, signed))
    }
}

/// What a manifest says of one tool.
#[derive(Debug, Default)]
pub(crate) struct ToolFacts {
    /// Every argument that the tool has. A call with another one is denied.
    pub(crate) arguments: OwnSet,
    pub(crate) facts: OwnMap<Fact>,
    /// What the tool does, if the manifest says so.
    pub(crate) effect: Option<Effect>,
    /// If it tells the price of a symbol, how.
    pub(crate) tells_price: Option<TellsPrice>,
}

/// One fact of a tool.
#[derive(Debug)]
pub(crate) enum Fact {
    /// The argument itself.
    Argument(String),
    Computed(Expression),
}

/// How a decimal is computed from arguments.
#[derive(Debug)]
pub(crate) enum Expression {
    /// The argument, which must be a canonical decimal.
    Decimal(String),
    Constant(Decimal),
    /// The policy's reference price of the symbol that the argument names by exact bytes.
    Reference(String, Arc<References>),
    Product(Vec<Self>),
    Greatest(Vec<Self>),
    /// The first case whose guards all hold.
    Cases(Vec<(Vec<Guard>, Self)>),
}

/// When a case applies.
#[derive(Debug)]
pub(crate) enum Guard {
    /// The argument is one of these strings, by exact bytes.
    OneOf(String, Vec<String>),
    /// The call has the argument.
    With(String),
    /// The call does not have the argument.
    Without(String),
    /// The argument is a canonical decimal of at most this.
    AtMost(String, Decimal),
}

impl Expression {
    /// The value for a call with `arguments`.
    pub(crate) fn value(&self, arguments: &Map<String, Value>, prices: Prices<'_>) -> Result<Decimal, Cause> {
        match self {
            Self::Decimal(name) => unsigned(member(arguments, name).ok_or(Cause::Missing)?),
            Self::Constant(value) => Ok(*value),
            Self::Reference(name, references) => match member(arguments, name) {
                Some(Value::String(symbol)) => references.of(symbol, prices),
                Some(_) => Err(Cause::Type),
                None => Err(Cause::Missing),
            },
            Self::Product(factors) => factors
                .iter()
                .try_fold(Decimal::ONE, |product, factor| exact_product(product, factor.value(arguments, prices)?)),
            Self::Greatest(values) => values
                .iter()
                .try_fold(Decimal::ZERO, |greatest, value| Ok(greatest.max(value.value(arguments, prices)?))),
            Self::Cases(cases) => {
                for (guards, value) in cases {
                    if holds(guards, arguments)? {
                        return value.value(arguments, prices);
                    }
                }
                Err(Cause::NoCase)
            }
        }
    }
}

/// Whether all guards hold. One that cannot be told leaves the whole fact without a value, unless another is plainly
/// not met.
fn holds(guards: &[Guard], arguments: &Map<String, Value>) -> Result<bool, Cause> {
    let mut untold = None;
    for guard in guards {
        match guard.holds(arguments) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(cause) => untold = untold.or(Some(cause)),
        }
    }
    untold.map_or(Ok(true), Err)
}

impl Guard {
    fn holds(&self, arguments: &Map<String, Value>) -> Result<bool, Cause> {
        Ok(match self {
            Self::OneOf(name, words) => match member(arguments, name) {
                Some(Value::String(text)) => words.contains(text),
                Some(_) => return Err(Cause::Type),
                None => return Err(Cause::Missing),
            },
            Self::With(name) => member(arguments, name).is_some(),
            Self::Without(name) => member(arguments, name).is_none(),
            Self::AtMost(name, most) => match member(arguments, name) {
                Some(value) => unsigned(value)? <= *most,
                None => return Err(Cause::Missing),
            },
        })
    }
}

/// A decimal whose text, as it is forwarded, is canonical: a number with a sign or an exponent is none.
pub(crate) fn unsigned(value: &Value) -> Result<Decimal, Cause> {
    match value {
        Value::String(text) => Ok(decimal::of_text(text)?),
        Value::Number(number) => match number.as_u64() {
            Some(whole) => Ok(Decimal::from(whole)),
            None => Ok(decimal::of_text(&number.to_string())?),
        },
        _ => Err(Cause::Type),
    }
}

/// The product with all its digits. The decimal type itself would round.
pub(crate) fn exact_product(a: Decimal, b: Decimal) -> Result<Decimal, Cause> {
    let product = |a: Decimal, b: Decimal| {
        let mantissa = a.mantissa().checked_mul(b.mantissa()).ok_or(Cause::Digits)?;
        Decimal::try_from_i128_with_scale(mantissa, a.scale() + b.scale()).map_err(|_| Cause::Digits)
    };
    // Taking idle zeros away costs more than the product, and is rarely needed.
    product(a, b).or_else(|_| product(a.normalize(), b.normalize()))
}

/// The difference with all its digits. The decimal type itself would round.
pub(crate) fn exact_difference(a: Decimal, b: Decimal) -> Result<Decimal, Cause> {
    let difference = |a: Decimal, b: Decimal| {
        let scale = a.scale().max(b.scale());
        let scaled = |number: Decimal| {
            let factor = 10_i128.checked_pow(scale - number.scale()).ok_or(Cause::Digits)?;
            number.mantissa().checked_mul(factor).ok_or(Cause::Digits)
        };
        let mantissa = scaled(a)?.checked_sub(scaled(b)?).ok_or(Cause::Digits)?;
        Decimal::try_from_i128_with_scale(mantissa, scale).map_err(|_| Cause::Digits)
    };
    difference(a, b).or_else(|_| difference(a.normalize(), b.normalize()))
}

/// How many digits behind the point a budget counts.
pub(crate) const UNIT_DIGITS: u32 = 8;
const UNITS_OF_ONE: u64 = 10_u64.pow(UNIT_DIGITS);

/// An amount in units of 10⁻⁸, rounded up, so that what is too fine to count is never free.
pub(crate) fn units(amount: Decimal) -> Result<u64, Cause> {
    let power = |digits: u32| 10_i128.checked_pow(digits).ok_or(Cause::Digits);
    let units = if let Some(missing) = UNIT_DIGITS.checked_sub(amount.scale()) {
        amount.mantissa().checked_mul(power(missing)?).ok_or(Cause::Digits)?
    } else {
        let unit = power(amount.scale() - UNIT_DIGITS)?;
        let whole = amount.mantissa() / unit;
        whole + i128::from(amount.mantissa() % unit > 0)
    };
    u64::try_from(units).map_err(|_| Cause::Digits)
}

/// Units of 10⁻⁸ as people write them.
pub(crate) fn text_of_units(units: u64) -> String {
    let (whole, rest) = (units / UNITS_OF_ONE, units % UNITS_OF_ONE);
    let mut text = whole.to_string();
    if rest > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, ".{rest:0width$}", width = UNIT_DIGITS as usize);
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Decimal {
        decimal::of_text(text).unwrap()
    }

    #[test]
    fn a_product_keeps_every_digit_or_is_refused() {
        let product = |a: &str, b: &str| exact_product(of(a), of(b)).map(decimal::text);
        assert_eq!(product("0.00000001", "0.00000001").as_deref(), Ok("0.0000000000000001"));
        assert_eq!(product("0.05000000", "60000.00000000").as_deref(), Ok("3000"));
        assert_eq!(product("99999999999999999999", "99999999999999999999"), Err(Cause::Digits));
        assert_eq!(product("0.00000000000000000001", "0.00000000000000000001"), Err(Cause::Digits));
    }

    #[test]
    fn units_are_written_as_the_decimal_that_they_are() {
        for units in [0, 1, 10, 99_999_999, 100_000_000, 100_000_001, 50_000_000, 123_456_789_000, u64::MAX] {
            let decimal = Decimal::from_i128_with_scale(i128::from(units), UNIT_DIGITS);
            assert_eq!(text_of_units(units), decimal::text(decimal), "{units}");
        }
    }

    #[test]
    fn a_difference_keeps_every_digit_or_is_refused() {
        let difference = |a: &str, b: &str| exact_difference(of(a), of(b)).map(|number| number.normalize().to_string());
        assert_eq!(difference("0.00000000000000000001", "1").as_deref(), Ok("-0.99999999999999999999"));
        assert_eq!(difference("60000.0", "60000").as_deref(), Ok("0"));
        assert_eq!(difference("99999999999999999999", "0.00000000000000000001"), Err(Cause::Digits));
    }

    #[test]
    fn what_is_finer_than_a_unit_counts_as_one() {
        assert_eq!(units(of("0")), Ok(0));
        assert_eq!(units(of("0.00000001")), Ok(1));
        assert_eq!(units(of("0.0000000000000001")), Ok(1));
        assert_eq!(units(of("1.000000001")), Ok(100_000_001));
        assert_eq!(units(of("184467440737.09551615")), Ok(u64::MAX));
        assert_eq!(units(of("184467440737.09551616")), Err(Cause::Digits));
        assert_eq!(text_of_units(100_000_001), "1.00000001");
    }
}
