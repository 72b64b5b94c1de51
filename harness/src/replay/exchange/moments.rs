//! Times in recorded answers, moved to now.

use serde_json::Value;

use super::super::names::MOMENTS;

/// The earliest moment that is taken for one, 2001-09-09: a smaller number under such a name counts something else.
const EARLIEST_MS: u64 = 1_000_000_000_000;

/// Adds what has passed since the recording to every time in a value, in milliseconds.
pub(super) fn move_on(value: &mut Value, passed_ms: i64) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_u64().filter(|at| MOMENTS.contains(&name.as_str()) && *at >= EARLIEST_MS) {
                    Some(at) => *value = at.saturating_add_signed(passed_ms).into(),
                    None => move_on(value, passed_ms),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| move_on(value, passed_ms)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_move_and_nothing_else_does() {
        let mut value = json!({
            "serverTime": 1_767_571_200_000_u64, "orderId": 1_767_571_200_000_u64, "E": 5,
            "fills": [{"time": 1_767_571_200_001_u64, "price": "1"}],
        });
        move_on(&mut value, -1_000);
        let expected = json!({
            "serverTime": 1_767_571_199_000_u64, "orderId": 1_767_571_200_000_u64, "E": 5,
            "fills": [{"time": 1_767_571_199_001_u64, "price": "1"}],
        });
        assert_eq!(value, expected);
    }
}
