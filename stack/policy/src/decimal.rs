//! Exact decimals from JSON values.
//!
//! Money travels as decimal strings. Only *canonical* ones are read: one to twenty digits, and if there is a point,
//! one to twenty digits behind it. No sign, no exponent, no blanks, no digits of other scripts. Leading zeros are
//! read by their value, since exchanges do so: `0500` is 500.

use rust_decimal::Decimal;
use serde_json::{Number, Value};

/// Why a value is no exact decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotDecimal {
    /// A boolean, null, array or object.
    Type,
    /// A string that is not canonical.
    Form,
    /// More digits than can be held exactly.
    Digits,
}

/// The exact decimal that a JSON number or a canonical string stands for.
pub(crate) fn of_value(value: &Value) -> Result<Decimal, NotDecimal> {
    match value {
        Value::Number(number) => of_number(number),
        Value::String(text) => of_text(text),
        _ => Err(NotDecimal::Type),
    }
}

/// The exact decimal that a canonical string stands for.
pub(crate) fn of_text(text: &str) -> Result<Decimal, NotDecimal> {
    if is_canonical(text) { exactly(text) } else { Err(NotDecimal::Form) }
}

/// The exact decimal that the text of a JSON number stands for: for a float its shortest form, which is also what is
/// forwarded.
pub(crate) fn of_number(number: &Number) -> Result<Decimal, NotDecimal> {
    if let Some(integer) = number.as_i64() {
        return Ok(Decimal::from(integer));
    }
    if let Some(integer) = number.as_u64() {
        return Ok(Decimal::from(integer));
    }
    of_literal(&number.to_string())
}

/// The exact decimal that a JSON number literal stands for.
pub(crate) fn of_literal(literal: &str) -> Result<Decimal, NotDecimal> {
    let Some((mantissa, exponent)) = literal.split_once(['e', 'E']) else {
        return exactly(literal);
    };
    let mantissa = exactly(mantissa)?.normalize();
    let exponent: i64 = exponent.parse().map_err(|_| NotDecimal::Digits)?;
    let scale = i64::from(mantissa.scale()) - exponent;
    // A negative scale appends zeros.
    let zeros = u32::try_from(-scale.min(0)).map_err(|_| NotDecimal::Digits)?;
    let scale = u32::try_from(scale.max(0)).map_err(|_| NotDecimal::Digits)?;
    let shifted = 10_i128
        .checked_pow(zeros)
        .and_then(|factor| mantissa.mantissa().checked_mul(factor))
        .ok_or(NotDecimal::Digits)?;
    Decimal::try_from_i128_with_scale(shifted, scale).map_err(|_| NotDecimal::Digits)
}

/// The decimal's digits without trailing zeros, as canonical text when it is not negative.
pub(crate) fn text(decimal: Decimal) -> String {
    decimal.normalize().to_string()
}

fn exactly(text: &str) -> Result<Decimal, NotDecimal> {
    Decimal::from_str_exact(text).map_err(|_| NotDecimal::Digits)
}

fn is_canonical(text: &str) -> bool {
    const DIGITS_MAX: usize = 20;
    let digits = |part: &str| (1..=DIGITS_MAX).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: &Value, expected: Result<&str, NotDecimal>) {
        assert_eq!(of_value(value).map(text), expected.map(str::to_owned), "{value}");
    }

    #[test]
    fn canonical_strings_are_read_by_their_value() {
        check(&json!("0"), Ok("0"));
        check(&json!("0.5"), Ok("0.5"));
        check(&json!("0500"), Ok("500"));
        check(&json!("60000.00000000"), Ok("60000"));
        check(&json!("99999999999999999999"), Ok("99999999999999999999"));
        check(&json!("0.00000000000000000001"), Ok("0.00000000000000000001"));
    }

    #[test]
    fn sentinels_are_no_decimals() {
        for text in [
            "",
            " 1",
            "1 ",
            "+1",
            "-1",
            "1e9",
            "1E9",
            "Infinity",
            "NaN",
            "1,000",
            "1_000",
            "０.５",
            "٣",
            ".5",
            "5.",
            ".",
            "1.2.3",
            "0x10",
            "1\n",
            "1\0",
            "999999999999999999999",
            "0.123456789012345678901",
        ] {
            check(&json!(text), Err(NotDecimal::Form));
        }
        check(&json!("9".repeat(60)), Err(NotDecimal::Form));
    }

    #[test]
    fn digits_beyond_what_is_exact_are_not_rounded() {
        check(&json!("99999999999999999999.00000000000000000001"), Err(NotDecimal::Digits));
        check(&json!(1e300), Err(NotDecimal::Digits));
        check(&json!(1e-300), Err(NotDecimal::Digits));
    }

    #[test]
    fn numbers_are_read_in_their_shortest_form() {
        check(&json!(5), Ok("5"));
        check(&json!(-5), Ok("-5"));
        check(&json!(u64::MAX), Ok("18446744073709551615"));
        check(&json!(0.1), Ok("0.1"));
        check(&json!(-0.0), Ok("0"));
        check(&json!(1e-7), Ok("0.0000001"));
        check(&json!(1e21), Ok("1000000000000000000000"));
        check(&json!(1.5e20), Ok("150000000000000000000"));
    }

    #[test]
    fn other_types_are_no_decimals() {
        for value in [json!(null), json!(true), json!([1]), json!({"a": 1})] {
            check(&value, Err(NotDecimal::Type));
        }
    }
}
