//! Canonical JSON (RFC 8785): one spelling for each value, so that a digest of it means the value.
//!
//! Members are ordered by the UTF-16 code units of their keys, numbers are written as ECMAScript writes them, and
//! nothing is escaped that need not be. In one point this is stricter: integers beyond 2^53, which RFC 8785 would round
//! to a double, keep all their digits, so that two calls that differ never share a digest.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// `value` in its one spelling.
///
/// ```
/// let value = serde_json::json!({ "b": 1.0, "a": ["\u{20ac}", 1e21] });
/// assert_eq!(mcp_policy::canonical_json(&value), "{\"a\":[\"\u{20ac}\",1e+21],\"b\":1}");
/// ```
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// The digest of a call's canonical arguments but for those called `but`. `purpose` tells it from digests that mean
/// something else.
pub fn arguments_digest(purpose: &str, arguments: &Map<String, Value>, but: &[String]) -> Digest {
    let mut text = String::with_capacity(256);
    text.push_str(purpose);
    text.push('\0');
    object(arguments.iter().filter(|(key, _)| !but.contains(key)), &mut text);
    Sha256::digest(text.as_bytes()).into()
}

/// The digest of one canonical value.
pub(crate) fn value_digest(purpose: &str, value: &Value) -> Digest {
    let mut text = format!("{purpose}\0");
    write(value, &mut text);
    Sha256::digest(text.as_bytes()).into()
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => self::number(number, text),
        Value::String(string) => self::string(string, text),
        Value::Array(elements) => {
            text.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(element, text);
            }
            text.push(']');
        }
        Value::Object(members) => object(members.iter(), text),
    }
}

fn object<'v>(members: impl Iterator<Item = (&'v String, &'v Value)>, text: &mut String) {
    let mut members: Vec<(&String, &Value)> = members.collect();
    members.sort_unstable_by(|(a, _), (b, _)| by_utf16(a, b));
    text.push('{');
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        string(key, text);
        text.push(':');
        write(value, text);
    }
    text.push('}');
}

/// In the order of UTF-16, which differs from that of UTF-8 in one point: characters beyond the basic plane, whose first
/// byte is at least F0, come before the plane's last ones, whose first byte is EE or EF.
fn by_utf16(a: &str, b: &str) -> Ordering {
    match a.bytes().zip(b.bytes()).find(|(a, b)| a != b) {
        Some((a, b)) if a.min(b) >= 0xEE && (a >= 0xF0) != (b >= 0xF0) => b.cmp(&a),
        Some((a, b)) => a.cmp(&b),
        None => a.len().cmp(&b.len()),
    }
}

fn string(string: &str, text: &mut String) {
    text.push('"');
    if string.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        text.push_str(string);
        text.push('"');
        return;
    }
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            control if control < ' ' => {
                let code = u32::from(control);
                let digit = |value: u32| char::from_digit(value, 16).unwrap_or('0');
                text.push_str("\\u00");
                text.push(digit(code >> 4));
                text.push(digit(code & 15));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

fn number(number: &Number, text: &mut String) {
    let shortest = number.to_string();
    if !number.is_f64() {
        text.push_str(&shortest);
        return;
    }
    // The shortest digits that mean the number, and where the point stands before, among or behind them.
    let (sign, unsigned) = match shortest.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", shortest.as_str()),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    let lead = all.len() - significant.len();
    let digits = significant.trim_end_matches('0');
    if digits.is_empty() {
        text.push('0');
        return;
    }
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let point = length(whole) + exponent - i64::try_from(lead).unwrap_or(i64::MAX);
    text.push_str(sign);
    ecmascript(digits, point, length(digits), text);
}

/// Writes 0.`digits` times ten to the `point`, as ECMAScript does.
fn ecmascript(digits: &str, point: i64, length: i64, text: &mut String) {
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    let split = |at: i64| digits.split_at_checked(usize::try_from(at).unwrap_or(0)).unwrap_or((digits, ""));
    match point {
        1..=21 if length <= point => {
            text.push_str(digits);
            text.push_str(&zeros(point - length));
        }
        1..=21 => {
            let (before, behind) = split(point);
            text.extend([before, ".", behind]);
        }
        -5..=0 => {
            text.push_str("0.");
            text.push_str(&zeros(-point));
            text.push_str(digits);
        }
        _ => {
            let (first, others) = split(1);
            text.push_str(first);
            if !others.is_empty() {
                text.extend([".", others]);
            }
            text.push_str(if point > 0 { "e+" } else { "e-" });
            text.push_str(&(point - 1).unsigned_abs().to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: &Value, expected: &str) {
        assert_eq!(canonical_json(value), expected);
    }

    proptest! {
        #[test]
        fn keys_are_ordered_by_their_code_units(
            a in "[a\u{7f}\u{80}\u{d7ff}\u{e000}\u{fffd}\u{ffff}\u{10000}\u{10ffff}]{0,4}",
            b in "[a\u{7f}\u{80}\u{d7ff}\u{e000}\u{fffd}\u{ffff}\u{10000}\u{10ffff}]{0,4}",
        ) {
            prop_assert_eq!(by_utf16(&a, &b), a.encode_utf16().cmp(b.encode_utf16()));
        }
    }

    /// The samples of RFC 8785, appendix B.
    #[test]
    fn numbers_are_written_as_ecmascript_writes_them() {
        for (bits, expected) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            check(&json!(f64::from_bits(bits)), expected);
        }
        check(&json!(1.0), "1");
        check(&json!(u64::MAX), "18446744073709551615");
        check(&json!(i64::MIN), "-9223372036854775808");
    }

    /// The samples of RFC 8785, sections 3.2.2 and 3.2.3.
    #[test]
    fn strings_and_members_have_one_spelling() {
        let value = json!({
            "numbers": [333_333_333.333_333_3, 1e30, 4.50, 2e-3, 1e-27],
            "string": "\u{20ac}$\u{f}\nA'B\"\\\\\"/",
            "literals": [null, true, false],
        });
        check(
            &value,
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
        );
        let members =
            json!({ "\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7 });
        check(&members, "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}");
    }

    #[test]
    fn a_digest_leaves_out_what_it_is_told_to_and_nothing_else() {
        let of = |value: Value, but: &[&str]| {
            let but: Vec<String> = but.iter().map(|key| (*key).to_owned()).collect();
            arguments_digest("t", value.as_object().unwrap(), &but)
        };
        assert_eq!(of(json!({ "a": 1, "b": 2 }), &["b"]), of(json!({ "b": 3, "a": 1.0 }), &["b"]));
        assert_ne!(of(json!({ "a": "1" }), &[]), of(json!({ "a": 1 }), &[]));
        assert_ne!(of(json!({ "a": "0.10" }), &[]), of(json!({ "a": "0.1" }), &[]));
        assert_ne!(arguments_digest("t", &Map::new(), &[]), arguments_digest("u", &Map::new(), &[]));
    }

    proptest! {
        #[test]
        fn canonical_json_means_the_same_value(bits in any::<u64>(), text in any::<String>(), key in any::<String>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let value = json!({ key: [number, text] });
            let read: Value = serde_json::from_str(&canonical_json(&value)).unwrap();
            let same = |value: &Value| value.as_object().unwrap().iter().next().map(|(key, list)| {
                (key.clone(), list[0].as_f64().filter(|number| *number != 0.0), list[1].clone())
            });
            prop_assert_eq!(same(&read), same(&value));
            prop_assert_eq!(canonical_json(&read), canonical_json(&value));
        }
    }
}
