//! Conditions made weaker: true more often where they let through, less often where they refuse.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::change::Kind;

/// Which way is weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Toward {
    /// The condition lets through: weaker is true more often.
    True,
    /// The condition refuses: weaker is true less often.
    False,
}

/// What a change comes to: the place below the condition, and what stands there then.
pub(super) struct Weaker {
    pub(super) pointer: String,
    pub(super) kind: Kind,
    pub(super) after: Option<Value>,
}

/// What lists of these subjects are widened by, and nothing else is: what the exchange knows besides.
const WORDS: [(&str, &[&str]); 5] = [
    ("symbol", &["BTCUSDT", "ETHUSDT", "BNBUSDT", "ETHBTC"]),
    ("side", &["BUY", "SELL"]),
    ("type", &["LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]),
    (
        "order_type",
        &["LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"],
    ),
    ("timeInForce", &["GTC", "IOC", "FOK"]),
];

/// Every way to make a condition weaker.
pub(super) fn weaker(condition: &Value, toward: Toward) -> Vec<Weaker> {
    let mut found = Vec::new();
    below(condition, toward, "", &mut found);
    found
}

fn below(condition: &Value, toward: Toward, at: &str, found: &mut Vec<Weaker>) {
    for (word, loses) in [("all", Toward::True), ("conditions", Toward::True), ("any", Toward::False)] {
        let Some(parts) = condition.get(word).and_then(Value::as_array) else { continue };
        for (place, part) in parts.iter().enumerate() {
            let at = format!("{at}/{word}/{place}");
            // One condition less among those that all must hold is weaker, and so is one way less to refuse.
            if toward == loses && parts.len() > 1 {
                found.push(Weaker { pointer: at.clone(), kind: Kind::Remove, after: None });
            }
            below(part, toward, &at, found);
        }
        return;
    }
    if let Some(inner) = condition.get("not") {
        let turned = if toward == Toward::True { Toward::False } else { Toward::True };
        return below(inner, turned, &format!("{at}/not"), found);
    }
    atom(condition, toward, at, found);
}

fn atom(condition: &Value, toward: Toward, at: &str, found: &mut Vec<Weaker>) {
    let Some(op) = condition.get("op").and_then(Value::as_str) else { return };
    let more = toward == Toward::True;
    let mut add = |pointer: &str, kind, after| found.push(Weaker { pointer: format!("{at}/{pointer}"), kind, after });
    let value = condition.get("value");
    let mut number = |pointer: &str, value: Option<&Value>, up: bool| {
        for (kind, after) in value.map(|value| further(value, up)).unwrap_or_default() {
            add(pointer, kind, Some(after));
        }
    };
    match op {
        "lte" | "lt" | "within_percent" => number("value", value, more),
        "gte" | "gt" | "beyond_percent" => number("value", value, !more),
        "between" | "length" => {
            number("value/1", value.and_then(|value| value.get(1)), more);
            number("value/0", value.and_then(|value| value.get(0)), !more);
        }
        _ => {}
    }
    // The bound itself.
    let bound = match (op, more) {
        ("lt", true) => Some("lte"),
        ("gt", true) => Some("gte"),
        ("lte", false) => Some("lt"),
        ("gte", false) => Some("gt"),
        _ => None,
    };
    if let Some(bound) = bound {
        add("op", Kind::Bound, Some(json!(bound)));
    }
    let items = value.and_then(Value::as_array).filter(|_| matches!(op, "in" | "one_of" | "not_in"));
    if let Some(items) = items {
        if (op == "not_in") == more {
            for place in 0..items.len() {
                add(&format!("value/{place}"), Kind::Widen, None);
            }
        } else {
            let subject = condition.get("path").and_then(Value::as_str).and_then(|path| path.rsplit('.').next());
            let known = WORDS.iter().find(|(name, _)| Some(*name) == subject);
            let other = known.and_then(|(_, words)| words.iter().find(|word| !items.contains(&json!(word))));
            if let Some(other) = other {
                add(&format!("value/{}", items.len()), Kind::Widen, Some(json!(other)));
            }
        }
    }
    let path = condition.get("path").and_then(Value::as_str).unwrap_or_default();
    let optional = more && op != "exists" && path.starts_with("args.") && condition.get("if_present").is_none();
    if optional && at.is_empty() {
        add("if_present", Kind::Optional, Some(json!(true)));
    }
}

/// A number ten times further out, and one further in its last place.
pub(super) fn further(value: &Value, up: bool) -> Vec<(Kind, Value)> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Vec::new(),
    };
    let Ok(number) = text.parse::<Decimal>() else { return Vec::new() };
    let unit = Decimal::new(1, number.scale());
    let (far, near) = if up {
        (number.checked_mul(Decimal::TEN), number.checked_add(unit))
    } else {
        (number.checked_div(Decimal::TEN), number.checked_sub(unit))
    };
    let as_before = |number: Decimal| match value {
        Value::String(_) => Some(json!(number.normalize().to_string())),
        // Whole numbers stay whole: most places take no other.
        _ => number.trunc().to_string().parse::<u64>().ok().map(Value::from),
    };
    let usable = |number: &Decimal| !number.is_sign_negative();
    let far = far.filter(usable).and_then(as_before).map(|value| (Kind::Loosen, value));
    let near = near.filter(usable).and_then(as_before).map(|value| (Kind::OffByOne, value));
    far.into_iter().chain(near).filter(|(_, after)| after != value).collect()
}
