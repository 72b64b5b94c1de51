//! What an order is worth.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

/// The worth of an order in its quote asset, from its arguments or else from what the exchange says it came to; nothing for
/// other calls, and for orders whose worth is nowhere told.
pub(super) fn worth(tool: &str, arguments: &Map<String, Value>, answer: Option<&str>) -> Option<Decimal> {
    if tool != "bn_new_order" {
        return None;
    }
    let number = |name: &str| match arguments.get(name)? {
        Value::String(text) => text.parse::<Decimal>().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    };
    let stated = number("quoteOrderQty").or_else(|| number("quantity")?.checked_mul(number("price")?));
    stated.or_else(|| answer?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_order_is_worth_what_it_says_or_what_it_cost() {
        let of = |arguments: Value, answer: Option<&str>| {
            worth("bn_new_order", arguments.as_object().unwrap(), answer).map(|worth| worth.to_string())
        };
        let answer = || Some("90021.9");
        assert_eq!(of(json!({"quoteOrderQty": "100"}), None).as_deref(), Some("100"));
        assert_eq!(of(json!({"quantity": "0.1", "price": "60000.5"}), answer()).as_deref(), Some("6000.05"));
        assert_eq!(of(json!({"quantity": "1.5"}), answer()).as_deref(), Some("90021.9"));
        assert_eq!(of(json!({"quantity": "1.5"}), None), None);
        assert_eq!(worth("bn_ping", &Map::new(), None), None);
    }
}
