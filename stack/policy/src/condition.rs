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

use std::cell::RefCell;
use std::cmp::Ordering;

use regex::Regex;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::arguments::{Bound, Path, member};
use crate::decimal::{self, NotDecimal};
use crate::facts::{self, Fact, ToolFacts};
use crate::jcs::{Digest, value_digest};
use crate::prices::Prices;
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
    #[error("has no value for a call with such arguments")]
    NoCase,
    #[error("needs a reference price, and the policy has none for this symbol")]
    NoReference,
    #[error("needs a reference price, and no fresh one is to be had")]
    NoFreshPrice,
    #[error("needs a reference price, and the one that is told lies too far from what the policy says")]
    PriceMoved,
    #[error("needs a reference price, and those that are told differ too much")]
    PricesDiffer,
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
    pub(crate) path: Subject,
    pub(crate) test: Test,
    /// What the condition is when the argument is absent, if it is asked only when present.
    pub(crate) absent: Option<Truth>,
}

/// What a condition is about.
#[derive(Debug)]
pub(crate) enum Subject {
    /// `args.…`
    Argument(Path),
    /// `facts.…`
    Fact {
        /// As the document writes it.
        text: String,
        name: String,
    },
}

impl Subject {
    /// As the document writes it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Argument(path) => path.text(),
            Self::Fact { text, .. } => text,
        }
    }
}

/// What there is to judge by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence<'a> {
    pub(crate) bound: &'a Bound<'a>,
    pub(crate) arguments: &'a Map<String, Value>,
    pub(crate) facts: Option<&'a ToolFacts>,
    pub(crate) memo: &'a Memo,
    pub(crate) prices: Prices<'a>,
}

/// The facts of one call that were computed already: several rules and budgets ask for the same.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    known: RefCell<[Option<Result<Decimal, Cause>>; REMEMBERED]>,
}

/// How many of a tool's facts are remembered; the others are computed each time.
const REMEMBERED: usize = 16;

impl Memo {
    fn value(&self, fact: usize, compute: impl FnOnce() -> Result<Decimal, Cause>) -> Result<Decimal, Cause> {
        if let Some(Some(known)) = self.known.borrow().get(fact) {
            return *known;
        }
        let value = compute();
        if let Some(slot) = self.known.borrow_mut().get_mut(fact) {
            *slot = Some(value);
        }
        value
    }
}

/// What a subject is in one call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operand<'a> {
    Absent,
    Value(&'a Value),
    /// A computed fact.
    Exact(Decimal),
    Unknown(Cause),
}

impl<'a> Evidence<'a> {
    fn of(&self, subject: &Subject) -> Operand<'a> {
        let found = |value: Option<&'a Value>| value.map_or(Operand::Absent, Operand::Value);
        match subject {
            Subject::Argument(path) => found(self.bound.get(path)),
            Subject::Fact { name, .. } => match self.facts.and_then(|facts| facts.facts.get_full(name)) {
                Some((_, _, Fact::Argument(argument))) => found(member(self.arguments, argument)),
                Some((index, _, Fact::Computed(expression))) => self
                    .memo
                    .value(index, || expression.value(self.arguments, self.prices))
                    .map_or_else(Operand::Unknown, Operand::Exact),
                None => Operand::Unknown(Cause::NoCase),
            },
        }
    }

    /// What is charged for the call: a decimal without a sign.
    pub(crate) fn amount(&self, subject: &Subject) -> Result<Decimal, Cause> {
        let amount = self.of(subject).decimal()?;
        if amount.is_sign_negative() && !amount.is_zero() { Err(Cause::Form) } else { Ok(amount) }
    }

    /// What tells calls apart in which the subject differs. Those without it are one part.
    pub(crate) fn part(&self, subject: &Subject) -> Result<Digest, Cause> {
        match self.of(subject) {
            Operand::Value(value) => Ok(value_digest("value", value)),
            Operand::Exact(number) => Ok(value_digest("exact", &Value::String(decimal::text(number)))),
            Operand::Absent => Ok(value_digest("none", &Value::Null)),
            Operand::Unknown(cause) => Err(cause),
        }
    }

    /// Each fact of the call as a person reads it, or why it has no value.
    pub(crate) fn told(&self, facts: &ToolFacts) -> Vec<(String, Result<String, String>)> {
        let told = |name: &String| {
            let subject = Subject::Fact { text: String::new(), name: name.clone() };
            match self.of(&subject) {
                Operand::Absent => Err("is not given".to_owned()),
                Operand::Value(Value::String(text)) => Ok(text.clone()),
                Operand::Value(value) => Ok(value.to_string()),
                Operand::Exact(number) => Ok(decimal::text(number)),
                Operand::Unknown(cause) => Err(cause.to_string()),
            }
        };
        facts.facts.keys().map(|name| (name.clone(), told(name))).collect()
    }

    pub(crate) fn judge(&self, condition: &Condition, seam: Seam) -> Truth {
        match (self.of(&condition.path), condition.absent, &condition.test) {
            (Operand::Absent, Some(truth), _) => truth,
            (operand, _, Test::CompareWith(comparison, other)) => comparison.between(operand, self.of(other)),
            (operand, _, Test::Apart(distance, other, percent)) => distance.between(operand, self.of(other), *percent),
            (operand, _, test) => test.judge(operand, seam),
        }
    }
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
    /// From the first to the second, both included.
    Between(Decimal, Decimal),
    /// One of these strings, by exact bytes.
    OneOf(Vec<String>),
    /// So many characters, from the first to the second, both included.
    Length(u64, u64),
    /// Every character is of the class.
    Characters(Class),
    /// Against another subject, both as exact decimals.
    CompareWith(Comparison, Subject),
    /// How far from another subject, in percent of that.
    Apart(Distance, Subject, Decimal),
}

/// A class of characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Digits,
    Letters,
    Alphanumeric,
    /// Letters, digits, `-` and `_`.
    Identifier,
}

impl Class {
    fn holds(self, text: &str) -> bool {
        text.chars().all(|character| match self {
            Self::Digits => character.is_ascii_digit(),
            Self::Letters => character.is_ascii_alphabetic(),
            Self::Alphanumeric => character.is_ascii_alphanumeric(),
            Self::Identifier => character.is_ascii_alphanumeric() || matches!(character, '-' | '_'),
        })
    }
}

/// An ordering operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Lt,
    Lte,
    Gt,
    Gte,
}

/// How far two numbers are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distance {
    AtMost,
    AtLeast,
}

impl Distance {
    /// |left - right| · 100 against right · percent, without a division that would round.
    fn between(self, left: Operand<'_>, right: Operand<'_>, percent: Decimal) -> Truth {
        let (left, right) = match (left.decimal(), right.decimal()) {
            (Ok(left), Ok(right)) => (left, right),
            (Err(cause), _) | (_, Err(cause)) => return Truth::Unevaluable(cause),
        };
        let apart = facts::exact_difference(left, right)
            .and_then(|difference| facts::exact_product(difference.abs(), Decimal::ONE_HUNDRED));
        match (apart, facts::exact_product(right.abs(), percent)) {
            (Ok(apart), Ok(bound)) => truth(match self {
                Self::AtMost => apart <= bound,
                Self::AtLeast => apart >= bound,
            }),
            (Err(cause), _) | (_, Err(cause)) => Truth::Unevaluable(cause),
        }
    }
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

impl Test {
    /// Judges one argument or fact.
    pub(crate) fn judge(&self, operand: Operand<'_>, seam: Seam) -> Truth {
        let argument = match (self, operand) {
            (_, Operand::Unknown(cause)) => return Truth::Unevaluable(cause),
            (Self::Exists(wanted), Operand::Absent) => return truth(!wanted),
            (Self::Exists(wanted), _) => return truth(*wanted),
            (_, Operand::Absent) => return Truth::Unevaluable(Cause::Missing),
            (_, Operand::Exact(number)) => return self.judge_exact(number, seam),
            (_, Operand::Value(argument)) => argument,
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
            Self::Between(least, most) => match decimal::of_value(argument) {
                Ok(number) => truth(*least <= number && number <= *most),
                Err(error) => Truth::Unevaluable(error.into()),
            },
            Self::OneOf(words) => text_of(argument, |text| words.iter().any(|word| word == text)),
            Self::Length(least, most) => {
                text_of(argument, |text| (*least..=*most).contains(&(text.chars().count() as u64)))
            }
            Self::Characters(class) => text_of(argument, |text| class.holds(text)),
            // Its other side is known only to the evidence.
            Self::Exists(_) | Self::CompareWith(..) | Self::Apart(..) => Truth::Unevaluable(Cause::Type),
        }
    }

    fn judge_exact(&self, number: Decimal, seam: Seam) -> Truth {
        match self {
            Self::Eq(literal) => literal.equals_exactly(number),
            Self::Neq(literal) => literal.equals_exactly(number).not(),
            Self::In(literals) => any(literals.iter().map(|literal| literal.equals_exactly(number))),
            Self::NotIn(literals) => any(literals.iter().map(|literal| literal.equals_exactly(number))).not(),
            Self::Compare(comparison, bound) => comparison.decide(number, *bound, seam),
            Self::Between(least, most) => truth(*least <= number && number <= *most),
            _ => Truth::Unevaluable(Cause::Type),
        }
    }

    /// The operator as the document writes it.
    pub(crate) fn op(&self) -> &'static str {
        match self {
            Self::Eq(_) => "eq",
            Self::Neq(_) => "neq",
            Self::In(_) => "in",
            Self::NotIn(_) => "not_in",
            Self::Compare(Comparison::Lt, _) | Self::CompareWith(Comparison::Lt, _) => "lt",
            Self::Compare(Comparison::Lte, _) | Self::CompareWith(Comparison::Lte, _) => "lte",
            Self::Compare(Comparison::Gt, _) | Self::CompareWith(Comparison::Gt, _) => "gt",
            Self::Compare(Comparison::Gte, _) | Self::CompareWith(Comparison::Gte, _) => "gte",
            Self::Regex(_) => "regex",
            Self::Contains(_) => "contains",
            Self::Exists(_) => "exists",
            Self::Between(..) => "between",
            Self::OneOf(_) => "one_of",
            Self::Length(..) => "length",
            Self::Characters(_) => "characters",
            Self::Apart(Distance::AtMost, ..) => "within_percent",
            Self::Apart(Distance::AtLeast, ..) => "beyond_percent",
        }
    }
}

impl Comparison {
    fn judge(self, argument: &Value, bound: Decimal, seam: Seam) -> Truth {
        match decimal::of_value(argument) {
            Ok(number) => self.decide(number, bound, seam),
            Err(error) => Truth::Unevaluable(error.into()),
        }
    }

    /// Compares two subjects of one call.
    fn between(self, left: Operand<'_>, right: Operand<'_>) -> Truth {
        match (left.decimal(), right.decimal()) {
            (Ok(left), Ok(right)) => self.decide(left, right, Seam::default()),
            (Err(cause), _) | (_, Err(cause)) => Truth::Unevaluable(cause),
        }
    }

    fn decide(self, number: Decimal, bound: Decimal, seam: Seam) -> Truth {
        let ordering = if seam.compares_as_text() {
            decimal::text(number).cmp(&decimal::text(bound))
        } else if seam.compares_as_floats() {
            let single = |number| decimal::text(number).parse::<f32>().unwrap_or_default();
            single(number).total_cmp(&single(bound))
        } else {
            number.cmp(&bound)
        };
        truth(match self {
            Self::Lt => ordering == Ordering::Less,
            Self::Lte => ordering != Ordering::Greater,
            Self::Gt => ordering == Ordering::Greater,
            Self::Gte => ordering != Ordering::Less,
        })
    }
}

impl Operand<'_> {
    fn decimal(self) -> Result<Decimal, Cause> {
        match self {
            Self::Absent => Err(Cause::Missing),
            Self::Value(value) => Ok(decimal::of_value(value)?),
            Self::Exact(number) => Ok(number),
            Self::Unknown(cause) => Err(cause),
        }
    }
}

impl Literal {
    /// Whether a computed fact is this. A canonical string in quotes is meant as the decimal that it is: a computed
    /// value has no spelling.
    fn equals_exactly(&self, number: Decimal) -> Truth {
        match self {
            Self::Null => Truth::False,
            Self::Number(value) | Self::Text(_, Some(value)) => truth(*value == number),
            Self::Bool(_) | Self::Text(_, None) => Truth::Unevaluable(Cause::Type),
        }
    }

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
    pub(crate) fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unevaluable(cause) => Self::Unevaluable(cause),
        }
    }
}

fn text_of(argument: &Value, holds: impl Fn(&str) -> bool) -> Truth {
    match argument {
        Value::String(text) => truth(holds(text)),
        _ => Truth::Unevaluable(Cause::Type),
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
