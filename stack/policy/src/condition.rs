//! Conditions on arguments, judged in three values.
//!
//! A condition is true, false, or cannot be evaluated: the argument is missing, has another type, or is no exact
//! decimal. A list of conditions is false as soon as one of them is *definitely* false, in whatever order they stand;
//! otherwise it cannot be evaluated if one of them cannot. So `exists` guards an argument that may be left out, and
//! everything else that cannot be judged ends in a denial.
//!
//! | argument \ policy value | string | number | boolean | null |
//! |---|---|---|---|---|
//! | string | exact bytes | exact decimals, if the argument is canonical | — | false |
//! | number | exact decimals, if the value is canonical | exact decimals | — | false |
//! | boolean | — | — | equal or not | false |
//! | null | — | — | — | true |
//!
//! `—` cannot be evaluated: `true` is not `"true"`, and nobody knows what the server makes of it.

use std::cmp::Ordering;

use regex::Regex;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::arguments::{Bound, Path};
use crate::decimal::{self, NotDecimal};
use crate::seam::Seam;

/// What came of judging a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    True,
    False,
    Unevaluable(Cause),
}

/// Why a condition cannot be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cause {
    #[error("is missing")]
    Missing,
    #[error("is not of the type that the rule compares with")]
    Type,
    #[error("is not a canonical decimal: digits, and a point with digits behind it")]
    Form,
    #[error("has more digits than can be compared exactly")]
    Digits,
}

impl From<NotDecimal> for Cause {
    fn from(error: NotDecimal) -> Self {
        match error {
            NotDecimal::Type => Self::Type,
            NotDecimal::Form => Self::Form,
            NotDecimal::Digits => Self::Digits,
        }
    }
}

/// One `{path, op, value}`.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) path: Path,
    pub(crate) test: Test,
}

/// An operator with its value.
#[derive(Debug)]
pub(crate) enum Test {
    Eq(Literal),
    Neq(Literal),
    In(Vec<Literal>),
    NotIn(Vec<Literal>),
    /// `lt`, `lte`, `gt`, `gte`.
    Compare(Comparison, Decimal),
    Regex(Regex),
    Contains(Literal),
    Exists(bool),
}

/// An ordering operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Lt,
    Lte,
    Gt,
    Gte,
}

/// A scalar of the policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Number(Decimal),
    /// A string, and the decimal that it is if it is canonical.
    Text(String, Option<Decimal>),
}

/// What came of judging a list of conditions, all of which must be true.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AllTruth<'c> {
    True,
    /// With the first that is definitely false.
    False(&'c Condition),
    /// With the first that cannot be evaluated.
    Unevaluable(&'c Condition, Cause),
}

/// Judges a list of conditions, all of which must be true. An empty list is.
pub(crate) fn all<'c>(conditions: &'c [Condition], arguments: &Bound<'_>, seam: Seam) -> AllTruth<'c> {
    let mut verdict = AllTruth::True;
    for condition in conditions {
        match condition.test.judge(arguments.get(&condition.path), seam) {
            Truth::True => {}
            Truth::False => return AllTruth::False(condition),
            Truth::Unevaluable(cause) => {
                if matches!(verdict, AllTruth::True) {
                    verdict = AllTruth::Unevaluable(condition, cause);
                }
            }
        }
    }
    verdict
}

impl Test {
    /// Judges one argument, `None` if the call does not have it.
    pub(crate) fn judge(&self, argument: Option<&Value>, seam: Seam) -> Truth {
        let argument = match (self, argument) {
            (Self::Exists(wanted), found) => return truth(found.is_some() == *wanted),
            (_, Some(argument)) => argument,
            (_, None) => return Truth::Unevaluable(Cause::Missing),
        };
        match self {
            Self::Eq(literal) => literal.equals(argument),
            Self::Neq(literal) => literal.equals(argument).not(),
            Self::In(literals) => any(literals.iter().map(|literal| literal.equals(argument))),
            Self::NotIn(literals) => any(literals.iter().map(|literal| literal.equals(argument))).not(),
            Self::Compare(comparison, bound) => comparison.judge(argument, *bound, seam),
            Self::Regex(regex) => match argument {
                Value::String(text) => truth(regex.is_match(text)),
                _ => Truth::Unevaluable(Cause::Type),
            },
            Self::Contains(literal) => match (argument, literal) {
                (Value::String(text), Literal::Text(part, _)) => truth(text.contains(part.as_str())),
                (Value::Array(elements), _) => any(elements.iter().map(|element| literal.equals(element))),
                _ => Truth::Unevaluable(Cause::Type),
            },
            Self::Exists(_) => truth(true),
        }
    }

    /// The operator as the document writes it.
    pub(crate) fn op(&self) -> &'static str {
        match self {
            Self::Eq(_) => "eq",
            Self::Neq(_) => "neq",
            Self::In(_) => "in",
            Self::NotIn(_) => "not_in",
            Self::Compare(Comparison::Lt, _) => "lt",
            Self::Compare(Comparison::Lte, _) => "lte",
            Self::Compare(Comparison::Gt, _) => "gt",
            Self::Compare(Comparison::Gte, _) => "gte",
            Self::Regex(_) => "regex",
            Self::Contains(_) => "contains",
            Self::Exists(_) => "exists",
        }
    }
}

impl Comparison {
    fn judge(self, argument: &Value, bound: Decimal, seam: Seam) -> Truth {
        let ordering = match decimal::of_value(argument) {
            Ok(number) if seam.compares_as_text() => decimal::text(number).cmp(&decimal::text(bound)),
            Ok(number) => number.cmp(&bound),
            Err(error) => return Truth::Unevaluable(error.into()),
        };
        truth(match self {
            Self::Lt => ordering == Ordering::Less,
            Self::Lte => ordering != Ordering::Greater,
            Self::Gt => ordering == Ordering::Greater,
            Self::Gte => ordering != Ordering::Less,
        })
    }
}

impl Literal {
    fn equals(&self, argument: &Value) -> Truth {
        let exactly = |number: Decimal| match decimal::of_value(argument) {
            Ok(argument) => truth(argument == number),
            Err(error) => Truth::Unevaluable(error.into()),
        };
        match (self, argument) {
            (Self::Null, argument) => truth(argument.is_null()),
            (Self::Bool(value), Value::Bool(argument)) => truth(value == argument),
            (Self::Text(value, _), Value::String(argument)) => truth(value == argument),
            (Self::Number(number) | Self::Text(_, Some(number)), Value::Number(_))
            | (Self::Number(number), Value::String(_)) => exactly(*number),
            _ => Truth::Unevaluable(Cause::Type),
        }
    }
}

impl Truth {
    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unevaluable(cause) => Self::Unevaluable(cause),
        }
    }
}

fn truth(holds: bool) -> Truth {
    if holds { Truth::True } else { Truth::False }
}

/// True if one is; otherwise it cannot be evaluated if one cannot.
fn any(truths: impl Iterator<Item = Truth>) -> Truth {
    let mut verdict = Truth::False;
    for truth in truths {
        match truth {
            Truth::True => return Truth::True,
            Truth::False => {}
            unevaluable @ Truth::Unevaluable(_) => verdict = unevaluable,
        }
    }
    verdict
}
