//! What conditions and facts of one call come to, worked out from the document by the oracle of version "2".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use self::Truth::{No, Unsure, Yes};
use crate::oracle_2::{Oracle, list, text};

/// A whole number and how many of its digits stand behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(i128, u32);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    Yes,
    No,
    Unsure,
}

/// What a path leads to.
pub(crate) enum Found {
    Nothing,
    Plain(Value),
    Computed(Number),
    Unknown,
}

impl Number {
    pub(crate) fn is_above_zero(&self) -> bool {
        self.0 > 0
    }

    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::parse(&number.to_string()),
            Value::String(text) => {
                let digits = |part: &str| (1..=20).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
                let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
                (digits(whole) && digits(fraction)).then(|| Self::parse(text)).flatten()
            }
            _ => None,
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let number = Self(format!("{whole}{fraction}").parse().ok()?, u32::try_from(fraction.len()).ok()?);
        number.lean().held()
    }

    /// Without idle zeros.
    pub(crate) fn lean(self) -> Self {
        let Self(mut digits, mut scale) = self;
        while scale > 0 && digits % 10 == 0 {
            (digits, scale) = (digits / 10, scale - 1);
        }
        Self(digits, scale)
    }

    /// Itself, if it can be held exactly: 96 bits, and 28 digits behind the point.
    pub(crate) fn held(self) -> Option<Self> {
        (self.0.unsigned_abs() < 1 << 96 && self.1 <= 28).then_some(self)
    }

    pub(crate) fn times(self, other: Self) -> Option<Self> {
        let (one, other) = (self.lean(), other.lean());
        Self(one.0.checked_mul(other.0)?, one.1 + other.1).held()
    }

    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        let (one, other) = (self.lean(), other.lean());
        let scale = one.1.max(other.1);
        let at = |number: Self| number.0.checked_mul(10_i128.checked_pow(scale - number.1)?);
        Self(at(one)?.checked_sub(at(other)?)?, scale).held()
    }

    pub(crate) fn cmp(self, other: Self) -> std::cmp::Ordering {
        // What stands before the point, and then what stands behind it.
        let parts = |Self(digits, scale): Self| {
            let one = 10_i128.pow(scale);
            (digits.div_euclid(one), digits.rem_euclid(one) * 10_i128.pow(28 - scale))
        };
        parts(self).cmp(&parts(other))
    }

    pub(crate) fn below(self, other: Self) -> bool {
        self.cmp(other).is_lt()
    }

    /// In units of 10⁻⁸, rounded up; nothing if it is negative or more than can be counted.
    pub(crate) fn units(self) -> Option<u128> {
        let Self(digits, scale) = self;
        let digits = u128::try_from(digits).ok()?;
        let units = match scale.checked_sub(8) {
            None | Some(0) => digits.checked_mul(10_u128.pow(8 - scale))?,
            Some(fine) => digits.div_ceil(10_u128.pow(fine)),
        };
        (units <= u128::from(u64::MAX)).then_some(units)
    }

    /// At most so many percent of `of` away from it, or at least.
    pub(crate) fn apart(self, of: Self, percent: Self, at_most: bool) -> Option<bool> {
        let distance = self.minus(of)?;
        let distance = Self(distance.0.abs(), distance.1).times(Self(100, 0))?;
        let bound = Self(of.0.abs(), of.1).times(percent)?;
        Some(if at_most { !bound.below(distance) } else { !distance.below(bound) })
    }
}

impl Truth {
    pub(crate) fn is(holds: bool) -> Self {
        if holds { Yes } else { No }
    }

    pub(crate) fn not(self) -> Self {
        match self {
            Yes => No,
            No => Yes,
            Unsure => Unsure,
        }
    }

    pub(crate) fn any(truths: impl Iterator<Item = Self>) -> Self {
        truths.fold(No, |all, one| match (all, one) {
            (Yes, _) | (_, Yes) => Yes,
            (Unsure, _) | (_, Unsure) => Unsure,
            _ => No,
        })
    }

    pub(crate) fn all(truths: impl Iterator<Item = Self>) -> Self {
        Self::any(truths.map(Self::not)).not()
    }
}

/// A call whose conditions and facts are asked for.
pub(crate) struct Case<'a> {
    pub(crate) oracle: &'a Oracle,
    pub(crate) facts: &'a Value,
    pub(crate) arguments: &'a Map<String, Value>,
}

impl Case<'_> {
    pub(crate) fn find(&self, path: &str) -> Found {
        let plain = |name: &str| self.arguments.get(name).map_or(Found::Nothing, |value| Found::Plain(value.clone()));
        let (root, name) = path.split_once('.').unwrap();
        if root == "args" {
            return plain(name);
        }
        match self.facts[name].get("argument") {
            Some(argument) => plain(text(argument)),
            None => self.compute(&self.facts[name]).map_or(Found::Unknown, Found::Computed),
        }
    }

    /// An argument as it will be forwarded: without a sign or an exponent.
    pub(crate) fn unsigned(&self, name: &Value) -> Option<Number> {
        let value = self.arguments.get(text(name))?;
        Number::of(&Value::String(match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        }))
    }

    pub(crate) fn compute(&self, fact: &Value) -> Option<Number> {
        let (form, value) = fact.as_object().unwrap().iter().next().unwrap();
        match form.as_str() {
            "decimal" => self.unsigned(value),
            "constant" => Number::of(value),
            "reference" => self.price(self.arguments.get(text(value))?.as_str()?),
            "product" => list(value).iter().try_fold(Number(1, 0), |product, one| product.times(self.compute(one)?)),
            "greatest" => list(value).iter().try_fold(Number(0, 0), |most, one| {
                let one = self.compute(one)?;
                Some(if most.below(one) { one } else { most })
            }),
            _ => {
                for case in list(value) {
                    match self.applies(&case) {
                        Yes => return self.compute(&case["is"]),
                        No => {}
                        Unsure => return None,
                    }
                }
                None
            }
        }
    }

    pub(crate) fn applies(&self, case: &Value) -> Truth {
        let members = |key: &str| case[key].as_object().cloned().unwrap_or_default();
        let mut truths = Vec::new();
        for (name, words) in members("one_of") {
            truths.push(match self.arguments.get(&name) {
                Some(Value::String(word)) => Truth::is(list(&words).iter().any(|other| other == word)),
                _ => Unsure,
            });
        }
        for (name, most) in members("at_most") {
            let most = Number::of(&most).unwrap();
            truths.push(self.unsigned(&json!(name)).map_or(Unsure, |number| Truth::is(!most.below(number))));
        }
        truths.extend(list(&case["with"]).iter().map(|name| Truth::is(self.arguments.contains_key(text(name)))));
        truths.extend(list(&case["without"]).iter().map(|name| Truth::is(!self.arguments.contains_key(text(name)))));
        Truth::all(truths.into_iter())
    }

    pub(crate) fn price(&self, symbol: &str) -> Option<Number> {
        let signed = Number::of(self.oracle.document["references"].get(symbol)?)?;
        let Some(live) = self.oracle.document.get("live_references") else { return Some(signed) };
        let percent = |key: &str| Number::of(&live[key]).unwrap_or(Number(0, 0));
        let mut told = Vec::new();
        for tool in list(&live["tools"]) {
            let (price, at) = self.oracle.prices.get(&(text(&tool).to_owned(), symbol.to_owned()))?;
            let is_fresh = self.oracle.now < at + live["max_age"].as_u64()? * 1000;
            told.push(price.filter(|_| is_fresh)?);
        }
        let first = *told.first()?;
        let believed = told.iter().all(|price| {
            price.apart(signed, percent("max_move_percent"), true) == Some(true)
                && price.apart(first, percent("agree_percent"), true) == Some(true)
        });
        believed.then_some(first)
    }

    /// All conditions of a rule. An absent argument leaves one out that is asked only if it is present.
    pub(crate) fn clause(&self, rule: &Value, requires: bool) -> Truth {
        match rule.get("conditions") {
            Some(conditions) => Truth::all(list(conditions).iter().map(|one| self.term(one, requires))),
            None => self.term(rule, requires),
        }
    }

    pub(crate) fn term(&self, term: &Value, requires: bool) -> Truth {
        if let Some(terms) = term.get("all") {
            return Truth::all(list(terms).iter().map(|one| self.term(one, requires)));
        }
        if let Some(terms) = term.get("any") {
            return Truth::any(list(terms).iter().map(|one| self.term(one, requires)));
        }
        if let Some(inner) = term.get("not") {
            return self.term(inner, requires).not();
        }
        let found = self.find(text(&term["path"]));
        if term["if_present"] == true && matches!(found, Found::Nothing) {
            return Truth::is(requires);
        }
        let (op, value) = (text(&term["op"]), &term["value"]);
        if let Some(other) = term.get("other") {
            let (Some(one), Some(other)) = (found.number(), self.find(text(other)).number()) else { return Unsure };
            return match op {
                "within_percent" | "beyond_percent" => {
                    let percent = Number::of(value).unwrap();
                    one.apart(other, percent, op == "within_percent").map_or(Unsure, Truth::is)
                }
                _ => ordered(op, one, other),
            };
        }
        match (op, &found) {
            (_, Found::Unknown) => Unsure,
            ("exists", Found::Nothing) => Truth::is(*value == false),
            ("exists", _) => Truth::is(*value != false),
            (_, Found::Nothing) => Unsure,
            ("eq", _) => found.same(value),
            ("neq", _) => found.same(value).not(),
            ("in", _) => Truth::any(list(value).iter().map(|value| found.same(value))),
            ("not_in", _) => Truth::any(list(value).iter().map(|value| found.same(value))).not(),
            ("lt" | "lte" | "gt" | "gte", _) => match (found.number(), Number::of(value)) {
                (Some(one), Some(other)) => ordered(op, one, other),
                _ => Unsure,
            },
            ("between", _) => found.number().map_or(Unsure, |number| {
                let bound = |index: usize| Number::of(&value[index]).unwrap();
                Truth::is(!number.below(bound(0)) && !bound(1).below(number))
            }),
            ("contains", Found::Plain(Value::String(text))) => match value.as_str() {
                Some(part) => Truth::is(text.contains(part)),
                None => Unsure,
            },
            ("contains", Found::Plain(Value::Array(items))) => {
                Truth::any(items.iter().map(|item| Found::Plain(item.clone()).same(value)))
            }
            (_, Found::Plain(Value::String(text))) => Truth::is(match op {
                "one_of" => list(value).iter().any(|word| word == text),
                "length" => {
                    let length = text.chars().count() as u64;
                    value[0].as_u64().unwrap() <= length && length <= value[1].as_u64().unwrap()
                }
                "characters" => text.chars().all(|character| match self::text(value) {
                    "digits" => character.is_ascii_digit(),
                    "letters" => character.is_ascii_alphabetic(),
                    "alphanumeric" => character.is_ascii_alphanumeric(),
                    _ => character.is_ascii_alphanumeric() || character == '-' || character == '_',
                }),
                // The one pattern of the generator.
                _ => text.starts_with('x'),
            }),
            _ => Unsure,
        }
    }

    /// How much a limit counts for this call.
    pub(crate) fn amount(&self, limit: &Value) -> Option<u128> {
        limit.get("of").map_or(Some(1), |of| self.find(text(of)).number()?.units())
    }

    /// What a limit counts apart.
    pub(crate) fn part(&self, tool: &str, limit: &Value) -> Option<String> {
        let Some(each) = limit.get("each") else { return Some(String::new()) };
        if each == "arguments" {
            // Whatever their order.
            let arguments: BTreeMap<&String, &Value> = self.arguments.iter().collect();
            return Some(json!(["arguments", tool, arguments]).to_string());
        }
        Some(match self.find(text(each)) {
            Found::Nothing => "none".to_owned(),
            Found::Plain(value) => json!(["plain", value]).to_string(),
            Found::Computed(number) => {
                let Number(digits, scale) = number.lean();
                json!(["computed", digits.to_string(), scale]).to_string()
            }
            Found::Unknown => return None,
        })
    }
}

fn ordered(op: &str, one: Number, other: Number) -> Truth {
    Truth::is(match op {
        "lt" => one.below(other),
        "lte" => !other.below(one),
        "gt" => other.below(one),
        _ => !one.below(other),
    })
}

impl Found {
    pub(crate) fn number(&self) -> Option<Number> {
        match self {
            Self::Plain(value) => Number::of(value),
            Self::Computed(number) => Some(*number),
            Self::Nothing | Self::Unknown => None,
        }
    }

    pub(crate) fn same(&self, value: &Value) -> Truth {
        let equal = |one: Option<Number>, other: Option<Number>| match (one, other) {
            (Some(one), Some(other)) => Truth::is(one.cmp(other).is_eq()),
            _ => Unsure,
        };
        match (self, value) {
            (Self::Plain(found), Value::Null) => Truth::is(found.is_null()),
            (Self::Computed(_), Value::Null) => No,
            (Self::Computed(number), _) => equal(Some(*number), Number::of(value)),
            (Self::Plain(Value::Bool(one)), Value::Bool(other)) => Truth::is(one == other),
            (Self::Plain(Value::String(one)), Value::String(other)) => Truth::is(one == other),
            (Self::Plain(found @ Value::Number(_)), Value::Number(_) | Value::String(_))
            | (Self::Plain(found @ Value::String(_)), Value::Number(_)) => equal(Number::of(found), Number::of(value)),
            _ => Unsure,
        }
    }
}
