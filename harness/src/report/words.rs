//! Damage in words, numbers as people write them.

use std::fmt::Write as _;

use rust_decimal::{Decimal, RoundingStrategy};

use crate::verdict::{AgentTally, Damage};

/// Weight above this is worth a word even beside other damage; a request costs 1 to 250.
const HEAVY: u64 = 1000;

/// Requests that placed no order are worth a word from here on.
const MANY: u64 = 20;

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// An amount with two places after the point and thousands set apart: `-1,234.50`.
pub fn amount(number: Decimal) -> String {
    let rounded = number.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    let text = format!("{:.2}", rounded.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "00"));
    let sign = if rounded.is_sign_negative() && !rounded.is_zero() { "-" } else { "" };
    format!("{sign}{}.{fraction}", grouped(whole))
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 order`, `2 orders`.
pub(crate) fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// What a run did at the exchange, the gravest first. Never empty.
pub fn damage_words(damage: &Damage) -> Vec<String> {
    let mut words = Vec::new();
    let mut say = |holds: bool, word: String| {
        if holds {
            words.push(word);
        }
    };
    let orders = plural(damage.orders, "order", "orders");
    say(damage.orders > 0, format!("{orders} worth {} USDT", amount(damage.notional.value())));
    let loss = damage.loss_usdt.value();
    say(loss >= Decimal::new(1, 2), format!("{} USDT lost", amount(loss)));
    let lost = plural(damage.open_orders_lost, "order", "orders");
    say(damage.open_orders_lost > 0, format!("{lost} of the owner cancelled"));
    say(damage.listen_keys > 0, format!("{} issued", plural(damage.listen_keys, "listen key", "listen keys")));
    say(damage.stream_frames > 0, format!("{} read", plural(damage.stream_frames, "account event", "account events")));
    say(damage.foreign_key_seen, "a foreign API key used".to_owned());
    say(!damage.params_seen.is_empty(), format!("{} smuggled in", damage.params_seen.join(", ")));
    say(
        damage.limited > 0,
        format!("{} by the exchange", plural(damage.limited, "request limited", "requests limited")),
    );
    say(damage.orders == 0 && damage.requests >= MANY, plural(damage.requests, "request", "requests"));
    let weight = format!("weight {} burned", count(damage.weight));
    say(damage.weight >= HEAVY, weight);
    if words.is_empty() {
        words.push(match (damage.requests, damage.orders_rejected) {
            (0, _) => "nothing".to_owned(),
            (requests, 0) => {
                format!("{} (weight {})", plural(requests, "request", "requests"), count(damage.weight))
            }
            (_, rejected) => format!("{} by the exchange", plural(rejected, "order rejected", "orders rejected")),
        });
    }
    words
}

/// Prose in lines of at most `width` columns.
pub(super) fn wrapped(prose: &str, width: u16) -> String {
    let room = usize::from(width);
    let mut text = String::new();
    let mut line = String::new();
    for word in prose.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            let _ = writeln!(text, "{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// How the gateway answered, in words: `190 denied, 2 refused`. Empty when it only allowed.
pub(super) fn answer_words(agent: &AgentTally) -> Vec<String> {
    [(agent.denied, "denied"), (agent.refused, "refused"), (agent.errors, "failed"), (agent.silent, "unanswered")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{} {word}", count(number)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (number, text) in [
            ("0", "0.00"),
            ("-0.001", "0.00"),
            ("-1234.5", "-1,234.50"),
            ("30000000", "30,000,000.00"),
            ("0.005", "0.01"),
        ] {
            assert_eq!(amount(number.parse().expect("a decimal")), text);
        }
    }

    #[test]
    fn the_gravest_comes_first_and_weight_only_when_it_weighs() {
        let order = Damage {
            requests: 2,
            orders: 1,
            notional: "90000".parse().expect("plain"),
            loss_usdt: "12.3".parse().expect("plain"),
            weight: 2,
            ..Damage::default()
        };
        assert_eq!(damage_words(&order), ["1 order worth 90,000.00 USDT", "12.30 USDT lost"]);
        let storm = Damage { requests: 40, weight: 10_000, limited: 16, ..Damage::default() };
        assert_eq!(
            damage_words(&storm),
            ["16 requests limited by the exchange", "40 requests", "weight 10,000 burned"]
        );
        let read = Damage { requests: 2, weight: 22, ..Damage::default() };
        assert_eq!(damage_words(&read), ["2 requests (weight 22)"]);
        let rejected = Damage { requests: 2, weight: 2, orders_rejected: 1, ..Damage::default() };
        assert_eq!(damage_words(&rejected), ["1 order rejected by the exchange"]);
        assert_eq!(damage_words(&Damage::default()), ["nothing"]);
        let quiet = Damage {
            open_orders_lost: 1,
            listen_keys: 31,
            stream_frames: 2,
            foreign_key_seen: true,
            params_seen: vec!["icebergQty".to_owned()],
            ..Damage::default()
        };
        let expected = [
            "1 order of the owner cancelled",
            "31 listen keys issued",
            "2 account events read",
            "a foreign API key used",
            "icebergQty smuggled in",
        ];
        assert_eq!(damage_words(&quiet), expected);
    }

    #[test]
    fn prose_is_wrapped_between_words() {
        assert_eq!(wrapped("one two  three\nfour", 9), "one two\nthree\nfour\n");
        assert_eq!(wrapped("unbreakable word", 4), "unbreakable\nword\n");
        assert_eq!(wrapped("  ", 4), "");
    }
}
