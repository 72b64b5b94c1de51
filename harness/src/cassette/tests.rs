use std::io::Read;

use super::*;

fn header() -> Header {
    Header { seed: Some(7), ..Header::new("test", 1_000) }
}

fn writer() -> TapeWriter<Vec<u8>> {
    TapeWriter::new(Vec::new(), &header(), Redactor::new(&[]).unwrap()).unwrap()
}

fn tape() -> String {
    let mut tape = writer();
    let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"bn_ping"}}"#;
    tape.message(1_000, Leg::Agent, Direction::Out, call).unwrap();
    let passed_on = r#"{"id":7, "method":"tools/call", "params":{"name":"bn_ping"}, "of":"ä"}"#.as_bytes();
    tape.message(1_250, Leg::Upstream, Direction::Out, passed_on).unwrap();
    tape.message(900, Leg::Ws, Direction::Back, &[0xff]).unwrap();
    String::from_utf8(tape.finish().unwrap()).unwrap()
}

fn read(text: &str) -> Result<(Vec<Message>, Option<End>), TapeError> {
    let mut reader = TapeReader::new(text.as_bytes())?;
    let messages = reader.by_ref().collect::<Result<Vec<_>, _>>()?;
    Ok((messages, reader.end()))
}

fn error(text: &str) -> String {
    read(text).expect_err("no tape").to_string()
}

#[test]
fn what_is_written_is_read_again() {
    let (messages, end) = read(&tape()).unwrap();
    assert_eq!(end, Some(End::Whole));
    assert_eq!(
        messages.iter().map(|m| (m.seq, m.at_ms, m.cause)).collect::<Vec<_>>(),
        [(1, 0, None), (2, 250, Some(1)), (3, 0, None)]
    );
    assert_eq!(messages[0].id, Some(serde_json::json!(1)));
    assert_eq!(
        messages[1].body,
        Body::Text(r#"{"id":7, "method":"tools/call", "params":{"name":"bn_ping"}, "of":"ä"}"#.to_owned())
    );
    assert_eq!(messages[2].body, Body::Hex("ff".to_owned()));
}

#[test]
fn a_tape_that_is_cut_anywhere_is_read_up_to_the_cut() {
    let whole = tape();
    let header_end = whole.find('\n').unwrap() + 1;
    for cut in header_end..whole.len() {
        let Some(part) = whole.get(..cut) else { continue };
        let (messages, end) = read(part).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        let complete = u64::try_from(part.matches('\n').count()).unwrap() - 1;
        // All lines may be there, and only the newline behind the end be missing.
        assert_eq!(end, Some(End::Cut { after: complete }), "cut at {cut}");
        assert_eq!(messages.len(), usize::try_from(complete).unwrap());
    }
    for cut in 0..header_end {
        assert!(matches!(TapeReader::new(&whole.as_bytes()[..cut]), Err(TapeError::NoTape { .. })), "cut at {cut}");
    }
}

#[test]
fn versions_are_told_apart() {
    let of = |format: &str| tape().replacen(r#""rogue_tape":1"#, &format!(r#""rogue_tape":{format}"#), 1);
    assert!(error(&of("2")).contains("written by `test`; this version reads format 1"));
    assert!(error(&of("0")).contains("the first format is 1"));
    assert!(error(&of("\"1\"")).contains("this is no tape"));
    assert!(error("{}\n").contains("missing field `rogue_tape`"));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let whole = tape();
    for (from, to, expected) in [
        (r#""seq":2"#, r#""seq":3"#, "line 3: `seq` is 3, and must be 2"),
        (r#""cause":1"#, r#""cause":2"#, "line 3: `cause` names no message before"),
        (r#""leg":"ws""#, r#""leg":"wx""#, "line 4: unknown variant `wx`"),
        (r#""at_ms":250"#, r#""at_ms":250,"at_ms":251"#, "line 3: the name `at_ms` stands there twice"),
        (r#""at_ms":250"#, r#""at_ms":250,"more":1"#, "line 3: unknown field `more`"),
        (r#""id":1,"method""#, r#""id":1,"id":2,"method""#, "line 2: the name `id` stands there twice"),
        (r#""messages":3"#, r#""messages":4"#, "line 5: the end counts 4 messages, and there are 3"),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole, "{from}");
        let told = error(&changed);
        assert!(told.contains(expected), "{told}");
    }
    assert!(error(&format!("{whole}more\n")).contains("line 6: something follows the end"));
    let deep = format!("{}\n{}{}\n", whole.lines().next().unwrap(), "[".repeat(100_000), "]".repeat(100_000));
    assert!(error(&deep).contains("line 2: recursion limit exceeded"));
}

#[test]
fn a_line_without_end_costs_no_more_than_the_longest() {
    let start = format!("{}\n", tape().lines().next().unwrap());
    let endless = start.as_bytes().chain(std::io::repeat(b'x'));
    let mut reader = TapeReader::new(std::io::BufReader::new(endless)).unwrap();
    assert!(matches!(reader.next(), Some(Err(TapeError::TooLong { line: 2 }))));
    assert!(reader.next().is_none());
}

#[test]
fn the_first_format_can_be_read_for_ever() {
    let (messages, end) = read(include_str!("../../tests/data/tape_format_1.jsonl")).unwrap();
    assert_eq!((messages.len(), end), (3, Some(End::Whole)));
    // And is what is written today: a change of it needs a new number and a fixture of its own.
    assert_eq!(tape(), include_str!("../../tests/data/tape_format_1.jsonl"));
}
