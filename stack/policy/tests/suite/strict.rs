//! Closed JSON: what is taken, what is refused, and that judging and forwarding see one value.

use mcp_policy::strict::{Limits, StrictErrorKind as Kind, canonical, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

#[track_caller]
fn refused(bytes: &[u8], kind: Kind) -> mcp_policy::strict::StrictError {
    match parse(bytes, Limits::default()) {
        Err(error) => {
            assert_eq!(error.kind(), kind, "{error} in {}", String::from_utf8_lossy(bytes));
            error
        }
        Ok(value) => panic!("{} was taken as {value}", String::from_utf8_lossy(bytes)),
    }
}

#[track_caller]
fn taken(text: &str, expected: &str) {
    let value = parse(text.as_bytes(), Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(canonical(&value), expected);
    let again = parse(expected.as_bytes(), Limits::default()).expect("what is forwarded is closed JSON too");
    assert_eq!(again, value, "what is forwarded is what was judged");
}

#[test]
fn ordinary_json_is_taken_in_its_own_order() {
    taken(" {\"b\" : 1 , \"a\":[ true,false , null ]}\r\n\t", r#"{"b":1,"a":[true,false,null]}"#);
    taken(r#""\u0041\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#, "\"A\\\"\\\\/\\b\\f\\n\\r\\té😀\"");
    taken("{}", "{}");
    taken("[]", "[]");
    taken("\"\"", "\"\"");
    taken(r#""a\u0000b""#, r#""a\u0000b""#);
    taken("\"\u{7f}\u{feff}\"", "\"\u{7f}\u{feff}\"");
}

#[test]
fn numbers_are_exact_integers_or_the_nearest_float_in_its_shortest_form() {
    taken("0", "0");
    taken("-0", "-0.0");
    taken("18446744073709551615", "18446744073709551615");
    taken("-9223372036854775808", "-9223372036854775808");
    taken("18446744073709551616", "1.8446744073709552e+19");
    taken("0.10", "0.1");
    taken("1E2", "100.0");
    taken("1e-2", "0.01");
    taken("0.1000000000000000055511151231257827", "0.1");
    taken("0.0e-999", "0.0");
}

#[test]
fn numbers_out_of_range_are_refused() {
    for text in ["1e400", "-1e400", "1e309", "1e-400", "-4e-999", "123456789e999999999999"] {
        refused(text.as_bytes(), Kind::NumberOutOfRange);
    }
}

#[test]
fn other_spellings_of_numbers_are_refused() {
    for text in
        ["01", "-01", "00", "+1", ".5", "1.", "1.e1", "1e", "1e+", "-", "0x10", "1_000", "NaN", "Infinity", "-a"]
    {
        let error = parse(text.as_bytes(), Limits::default()).expect_err(text);
        let kinds = [Kind::InvalidNumber, Kind::UnexpectedCharacter, Kind::UnexpectedEnd, Kind::TrailingData];
        assert!(kinds.contains(&error.kind()), "{text}: {error}");
    }
}

#[test]
fn keys_that_parsers_could_confuse_are_refused() {
    for (text, kind) in [
        (r#"{"name":1,"name":2}"#, Kind::DuplicateKey),
        (r#"{"name":1,"na\u006de":2}"#, Kind::DuplicateKey),
        (r#"{"name":1,"Name":2}"#, Kind::CaseVariantKey),
        (r#"{"NAME":1,"name":2}"#, Kind::CaseVariantKey),
        ("{\"params\":1,\"param\u{17f}\":2}", Kind::CaseVariantKey),
        (r#"{"params":1,"param\u017f":2}"#, Kind::CaseVariantKey),
        ("{\"key\":1,\"\u{212a}ey\":2}", Kind::CaseVariantKey),
        (r#"{"name\u0000":1}"#, Kind::NulInKey),
        (r#"{"name":1,"name\u0000":2}"#, Kind::NulInKey),
    ] {
        refused(text.as_bytes(), kind);
        // At any depth alike.
        refused(format!(r#"{{"a":[0,{text}]}}"#).as_bytes(), kind);
    }
}

#[test]
fn confusable_keys_are_found_among_many() {
    for size in [2, 11, 12, 13, 14, 500] {
        let keys: Vec<String> = (0..size).map(|n| format!("\"key{n}\":{n}")).collect();
        for (extra, kind) in [
            ("key0", Kind::DuplicateKey),
            ("KEY0", Kind::CaseVariantKey),
            (&format!("\u{212a}ey{}", size - 1), Kind::CaseVariantKey),
        ] {
            refused(format!("{{{},\"{extra}\":0}}", keys.join(",")).as_bytes(), kind);
        }
        let fine = format!("{{{}}}", keys.join(","));
        taken(&fine, &fine);
    }
}

#[test]
fn bytes_that_are_no_plain_utf_8_are_refused() {
    refused(b"\xef\xbb\xbf{}", Kind::ByteOrderMark);
    refused(b"\xff\xfe{\0}\0", Kind::InvalidUtf8);
    let error = refused(b"{\n \"a\": \"\xff\"}", Kind::InvalidUtf8);
    assert_eq!((error.place().line(), error.place().column()), (2, 8));
    refused(b"\"\xed\xa0\x80\"", Kind::InvalidUtf8);
    refused(b"\"\xc0\xaf\"", Kind::InvalidUtf8);
}

#[test]
fn strings_are_refused_where_they_are_no_text() {
    refused(br#""\ud800""#, Kind::LoneSurrogate);
    refused(br#""\ud800x""#, Kind::LoneSurrogate);
    refused(br#""\ud800\n""#, Kind::LoneSurrogate);
    refused(br#""\ud800\ud800""#, Kind::LoneSurrogate);
    refused(br#""\udc00\ud800""#, Kind::LoneSurrogate);
    refused(br#""\ud83d\u0041""#, Kind::LoneSurrogate);
    refused(br#"{"\ud800":1}"#, Kind::LoneSurrogate);
    refused(br#""\x41""#, Kind::InvalidEscape);
    refused(br#""\u00g0""#, Kind::InvalidEscape);
    refused(br#""\u+041""#, Kind::InvalidEscape);
    refused(b"\"\n\"", Kind::ControlCharacter);
    refused(b"\"\0\"", Kind::ControlCharacter);
}

#[test]
fn what_is_not_one_value_is_refused() {
    for text in ["", " ", "{", "[1,", "[1", "{\"a\"", "{\"a\":", "{\"a\":1", "\"a", "\"\\", "\"\\u00", "tru", "-"] {
        refused(text.as_bytes(), Kind::UnexpectedEnd);
    }
    for text in ["{} {}", "1 2", "null,", "[]]", "{}\0", "\"a\"b"] {
        refused(text.as_bytes(), Kind::TrailingData);
    }
    for text in ["[1,]", "{\"a\":1,}", "{a:1}", "{'a':1}", "[1 2]", "{\"a\" 1}", "// x\n1", "trUe", "\u{a0}1", "\u{b}1"]
    {
        refused(text.as_bytes(), Kind::UnexpectedCharacter);
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let nested = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
    assert!(parse(&nested(64), Limits::default()).is_ok());
    refused(&nested(65), Kind::TooDeep);
    refused(&b"[".repeat(64_000), Kind::TooDeep);
    refused(&b"{\"a\":".repeat(64_000), Kind::TooDeep);
    // However deep a caller asks for, the stack is safe.
    let boundless = Limits::default().with_depth_max(usize::MAX);
    assert_eq!(parse(&b"[".repeat(100_000), boundless).unwrap_err().kind(), Kind::TooDeep);
    // Siblings do not add up.
    assert!(parse(format!("[{}1]", "[[]],".repeat(1000)).as_bytes(), Limits::default().with_depth_max(3)).is_ok());

    let short = Limits::default().with_bytes_max(8);
    assert!(parse(b"[1,2,34]", short).is_ok());
    assert_eq!(parse(b"[1,2,345]", short).unwrap_err().kind(), Kind::TooLong);
    assert_eq!(parse(&vec![b' '; (1 << 20) + 1], Limits::default()).unwrap_err().kind(), Kind::TooLong);
}

#[test]
fn an_error_says_where() {
    let text = "{\n  \"params\": {\n    \"arguments\": [1, {\"ä\": tru}]\n  }\n}";
    let error = refused(text.as_bytes(), Kind::UnexpectedCharacter);
    assert_eq!(error.pointer(), "/params/arguments/1/ä");
    assert_eq!(error.to_string(), "line 3, column 31: unexpected character at `/params/arguments/1/ä`");
    assert_eq!(error.code(), "unexpected_character");
}

#[test]
fn an_error_does_not_carry_a_hostile_key_into_a_log() {
    let key = format!("\u{1b}[2J\u{202e}{}", "x".repeat(10_000)).replace('\u{1b}', "\\u001b");
    let error = refused(format!(r#"{{"{key}\n":tru}}"#).as_bytes(), Kind::UnexpectedCharacter);
    let shown = error.to_string();
    assert!(shown.len() < 400, "{} bytes", shown.len());
    assert!(!shown.contains(['\u{1b}', '\n', '\u{202e}']), "{shown:?}");
}

/// Any value that JSON can hold, with keys that are told apart even after folding.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |float| serde_json::Number::from_f64(float).map(Value::Number)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("\\PC{0,4}", inner), 0..20).prop_map(|members| {
                // The number keeps the keys apart, whatever they fold to.
                let members = members.into_iter().enumerate();
                Value::Object(members.map(|(n, (key, value))| (format!("{n}{key}"), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_forwarded_parses_to_what_was_judged(value in values(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let judged = parse(text.as_bytes(), Limits::default()).unwrap();
        prop_assert_eq!(&judged, &value);
        let forwarded = canonical(&judged);
        prop_assert_eq!(parse(forwarded.as_bytes(), Limits::default()).unwrap(), judged);
    }

    #[test]
    fn damaged_text_is_refused_or_read_as_others_read_it(
        value in values(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..4),
    ) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        for (at, byte, kind) in cuts {
            let at = at.index(bytes.len().max(1));
            match kind {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => { bytes.remove(at); }
                _ => bytes.insert(at, byte),
            }
        }
        if let Ok(ours) = parse(&bytes, Limits::default()) {
            let theirs: Value = serde_json::from_slice(&bytes).expect("we take no more than `serde_json` does");
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, Limits::default());
    }

    #[test]
    fn json_like_noise_never_panics(text in "[\\[\\]{}\":,\\\\u0-9eE.tfn \\-+aA]{0,80}") {
        if let Ok(ours) = parse(text.as_bytes(), Limits::default()) {
            prop_assert_eq!(ours, serde_json::from_str::<Value>(&text).unwrap());
        }
    }
}

#[test]
fn a_frame_is_judged_as_the_one_thing_that_it_says() {
    let frame = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "bn_ping"}});
    taken(&frame.to_string(), &frame.to_string());
}
