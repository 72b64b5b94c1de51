//! JSON as careless servers read it.
//!
//! With every laxity on, this is `JSON.parse` of a string that `Buffer.toString` made, plus what streaming decoders
//! and text decoders forgive. With none it is as strict as `serde_json`, and refuses duplicate keys besides.

use serde_json::{Map, Number, Value};

use super::laxity::{Laxities, Laxity};

/// How deep a value is still built. Deeper nesting is scanned, and stands as `null`: nobody looks that deep, and
/// dropping a value of 64,000 levels would recurse as often.
const BUILT_DEPTH: usize = 64;

/// How deep a reader without [`Laxity::UnboundedNesting`] goes, which is what `serde_json` allows.
const BOUNDED_DEPTH: usize = 128;

/// The largest whole number that JavaScript tells from its neighbours.
const SAFE_INTEGER_MAX: i64 = (1 << 53) - 1;

/// What a line held: the values that could be read, and whether something else followed that is an error.
#[derive(Debug, PartialEq)]
pub(super) struct Decoded {
    pub(super) values: Vec<Value>,
    pub(super) undecodable: bool,
}

/// Reads a line.
pub(super) fn decode(line: &[u8], laxities: &Laxities) -> Decoded {
    let nothing = Decoded { values: Vec::new(), undecodable: true };
    let text = match std::str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        Err(_) if laxities.has(Laxity::InvalidUtf8Replaced) => String::from_utf8_lossy(line).into_owned(),
        Err(_) => return nothing,
    };
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) if laxities.has(Laxity::ByteOrderMarkStripped) => rest,
        _ => text.as_str(),
    };

    let mut reader = Reader { rest: text, laxities, depth: 0 };
    let Some(first) = reader.value() else { return nothing };
    let mut values = vec![first];
    loop {
        reader.blanks();
        if reader.rest.is_empty() {
            return Decoded { values, undecodable: false };
        }
        let next = if laxities.has(Laxity::ManyValuesPerLine) { reader.value() } else { None };
        match next {
            Some(value) => values.push(value),
            None if laxities.has(Laxity::TrailingBytesIgnored) => return Decoded { values, undecodable: false },
            // A streaming decoder has handled the first values before it meets the fault; the others refuse the line.
            None if laxities.has(Laxity::ManyValuesPerLine) => return Decoded { values, undecodable: true },
            None => return nothing,
        }
    }
}

/// The messages in a line as the most forgiving reader finds them.
fn messages_in(line: &[u8]) -> Vec<Value> {
    let values = decode(line, &Laxities::default()).values.into_iter();
    let messages = values.flat_map(|value| match value {
        Value::Array(batch) => batch,
        single => vec![single],
    });
    messages.collect()
}

/// The ids of the requests in a line: whoever sends it may expect answers to these.
pub(crate) fn requests_in(line: &[u8]) -> Vec<Value> {
    let requests = messages_in(line).into_iter().filter(|message| message.get("method").is_some());
    requests.filter_map(|message| message.get("id").filter(|id| !id.is_null()).cloned()).collect()
}

/// The tool calls in a line, by name and arguments.
pub(crate) fn calls_in(line: &[u8]) -> Vec<(String, Map<String, Value>)> {
    let calls = messages_in(line).into_iter().filter_map(|message| {
        let is_call = message.get("method").and_then(Value::as_str) == Some("tools/call");
        let name = message.pointer("/params/name").and_then(Value::as_str).filter(|_| is_call)?;
        let arguments = message.pointer("/params/arguments").and_then(Value::as_object).cloned();
        Some((name.to_owned(), arguments.unwrap_or_default()))
    });
    calls.collect()
}

struct Reader<'a> {
    rest: &'a str,
    laxities: &'a Laxities,
    depth: usize,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.blanks();
        match self.rest.chars().next()? {
            '{' | '[' => {
                if self.depth >= BUILT_DEPTH && self.laxities.has(Laxity::UnboundedNesting) {
                    return self.skip_nested();
                }
                if self.depth >= BOUNDED_DEPTH {
                    return None;
                }
                self.depth += 1;
                let value = if self.take("{") { self.object() } else { self.take("[").then(|| self.array()).flatten() };
                self.depth -= 1;
                value
            }
            '"' => self.string().map(Value::String),
            't' => self.take("true").then_some(Value::Bool(true)),
            'f' => self.take("false").then_some(Value::Bool(false)),
            'n' => self.take("null").then_some(Value::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self) -> Option<Value> {
        let mut map = Map::new();
        self.blanks();
        if self.take("}") {
            return Some(Value::Object(map));
        }
        loop {
            self.blanks();
            let key = self.string()?;
            self.blanks();
            if !self.take(":") {
                return None;
            }
            let value = self.value()?;
            // Removed first, so that "the last one wins" still holds where two keys differ only in case.
            if map.shift_remove(&key).is_some() && !self.laxities.has(Laxity::LastDuplicateWins) {
                return None;
            }
            map.insert(key, value);
            self.blanks();
            if self.take("}") {
                return Some(Value::Object(map));
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    fn array(&mut self) -> Option<Value> {
        let mut items = Vec::new();
        self.blanks();
        if self.take("]") {
            return Some(Value::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.blanks();
            if self.take("]") {
                return Some(Value::Array(items));
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    /// Passes over one bracketed value by counting brackets, without recursion.
    fn skip_nested(&mut self) -> Option<Value> {
        let mut open = 0_usize;
        loop {
            match self.rest.chars().next()? {
                '"' => {
                    self.string()?;
                    continue;
                }
                '{' | '[' => open += 1,
                '}' | ']' => open = open.checked_sub(1)?,
                _ => {}
            }
            let mut rest = self.rest.chars();
            rest.next();
            self.rest = rest.as_str();
            if open == 0 {
                return Some(Value::Null);
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        let mut chars = self.rest.strip_prefix('"')?.chars();
        let mut text = String::new();
        loop {
            match chars.next()? {
                '"' => {
                    self.rest = chars.as_str();
                    return Some(text);
                }
                '\\' => {
                    let escaped = match chars.next()? {
                        plain @ ('"' | '\\' | '/') => plain,
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'u' => self.code_point(&mut chars)?,
                        _ => return None,
                    };
                    text.push(escaped);
                }
                control if control < ' ' => return None,
                plain => text.push(plain),
            }
        }
    }

    /// The character after `\u`, joining the two halves of a surrogate pair.
    fn code_point(&self, chars: &mut std::str::Chars<'_>) -> Option<char> {
        let first = hex4(chars)?;
        if let Some(plain) = char::from_u32(first) {
            return Some(plain);
        }
        let mut ahead = chars.clone();
        if (0xD800..0xDC00).contains(&first) && ahead.next() == Some('\\') && ahead.next() == Some('u') {
            let second = hex4(&mut ahead)?;
            if (0xDC00..0xE000).contains(&second) {
                *chars = ahead;
                return char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00));
            }
        }
        self.laxities.has(Laxity::LoneSurrogatesReplaced).then_some(char::REPLACEMENT_CHARACTER)
    }

    fn number(&mut self) -> Option<Value> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c)).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        if !is_json_number(text) {
            return None;
        }
        self.rest = rest;
        if let Ok(whole) = text.parse::<i64>()
            && whole.abs() <= SAFE_INTEGER_MAX
        {
            return Some(Value::Number(whole.into()));
        }
        // A JavaScript number is a binary fraction; here that is the point, not a slip.
        let number: f64 = text.parse().ok()?;
        match Number::from_f64(number) {
            Some(finite) => Some(Value::Number(finite)),
            // JSON has no infinity: its text stands for it, which is what would reach a query anyway.
            None if self.laxities.has(Laxity::HugeNumbersAreInfinite) => {
                let sign = if text.starts_with('-') { "-" } else { "" };
                Some(Value::String(format!("{sign}Infinity")))
            }
            None => None,
        }
    }
}

fn hex4(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |sum, _| Some(sum * 16 + chars.next()?.to_digit(16)?))
}

/// The grammar of RFC 8259, section 6.
fn is_json_number(text: &str) -> bool {
    fn digits(text: &str) -> Option<&str> {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        (rest.len() < text.len()).then_some(rest)
    }
    let whole = text.strip_prefix('-').unwrap_or(text);
    let after_whole = match whole.strip_prefix('0') {
        Some(rest) => Some(rest),
        None => digits(whole),
    };
    let after_fraction = after_whole.and_then(|rest| match rest.strip_prefix('.') {
        Some(fraction) => digits(fraction),
        None => Some(rest),
    });
    let after_exponent = after_fraction.and_then(|rest| match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => Some(rest),
    });
    after_exponent == Some("")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(line: impl AsRef<[u8]>, laxity: Laxity, expected: &[Value]) {
        let with = decode(line.as_ref(), &Laxities::none().with(laxity));
        assert_eq!(with, Decoded { values: expected.to_vec(), undecodable: false }, "with {laxity:?}");
        let without = decode(line.as_ref(), &Laxities::default().without(laxity));
        assert_ne!(without, with, "without {laxity:?}");
    }

    #[test]
    fn each_laxity_alone_makes_its_line_readable() {
        check(r#"{"a":1,"b":2,"a":3}"#, Laxity::LastDuplicateWins, &[json!({"b": 2, "a": 3})]);
        check("\u{feff}{\"a\":1}", Laxity::ByteOrderMarkStripped, &[json!({"a": 1})]);
        check(b"\"\xff\"", Laxity::InvalidUtf8Replaced, &[json!("\u{fffd}")]);
        check("[1e400,-1e400]", Laxity::HugeNumbersAreInfinite, &[json!(["Infinity", "-Infinity"])]);
        check(r#""\ud800""#, Laxity::LoneSurrogatesReplaced, &[json!("\u{fffd}")]);
        check("1 [2]\t{}", Laxity::ManyValuesPerLine, &[json!(1), json!([2]), json!({})]);
        check("{} }garbage", Laxity::TrailingBytesIgnored, &[json!({})]);
    }

    #[test]
    fn nesting_of_64_thousand_levels_is_read_and_not_built() {
        let deep = format!("{{\"a\":{}1{},\"b\":\"]\"}}", "[".repeat(64_000), "]".repeat(64_000));
        let read = decode(deep.as_bytes(), &Laxities::default());
        assert_eq!(read.values.first().and_then(|value| value.get("b")), Some(&json!("]")));
        assert!(decode(deep.as_bytes(), &Laxities::default().without(Laxity::UnboundedNesting)).undecodable);
    }

    #[test]
    fn nobody_reads_these() {
        for line in
            ["", "{", "[1,]", "{\"a\"}", "{a:1}", "01", "+1", ".5", "1.", "1e", "'a'", "\"\u{1}\"", "\"\\x\"", "nul"]
        {
            let read = decode(line.as_bytes(), &Laxities::default().without(Laxity::TrailingBytesIgnored));
            assert!(read.undecodable, "{line}");
        }
    }

    #[test]
    fn surrogate_pairs_are_one_character() {
        assert_eq!(decode(br#""\ud83d\ude00""#, &Laxities::none()).values, [json!("\u{1f600}")]);
    }

    #[test]
    fn requests_are_found_in_batches_and_behind_garbage() {
        let ids = |line: &str| requests_in(line.as_bytes());
        assert_eq!(ids(r#"{"id":1,"method":"m"} {"id":"a","method":"m"}]"#), [json!(1), json!("a")]);
        assert_eq!(ids(r#"[{"id":1,"method":"m"},{"method":"n"},{"id":2,"result":{}}]"#), [json!(1)]);
        assert_eq!(ids(r#"{"id":null,"method":"m"}"#), [] as [Value; 0]);
    }

    #[test]
    fn calls_are_found_with_their_arguments() {
        let line =
            r#"{"id":1,"method":"tools/call","params":{"name":"a","arguments":{"b":1}}} {"id":2,"method":"ping"}"#;
        let arguments = json!({ "b": 1 }).as_object().cloned().unwrap();
        assert_eq!(calls_in(line.as_bytes()), [("a".to_owned(), arguments)]);
    }

    proptest! {
        #[test]
        fn whatever_serde_json_writes_is_read_back(text in "\\PC{0,20}", number in -1_000_000_i64..1_000_000, flag: bool) {
            let value = json!({ "t": text, "n": [number, flag, null], text.clone(): { "x": number } });
            let written = serde_json::to_vec(&value).unwrap();
            prop_assert_eq!(decode(&written, &Laxities::none()).values, vec![value]);
        }
    }
}
