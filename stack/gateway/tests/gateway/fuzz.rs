//! Any bytes at all: no panic, no word of them beyond the gateway unless it was judged, one record
//! and at most one answer each.

use crate::support::{Bench, POLICY, call};
use mcp_gateway::{Identity, Outbox, Session};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// One change to a frame.
#[derive(Debug, Clone)]
enum Change {
    Delete(Index, usize),
    Insert(Index, &'static [u8]),
    Repeat(Index, Index),
    Byte(Index, u8),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let scraps = select(vec![
        b"{".as_slice(),
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\"",
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"\xff",
        b"\0",
        b"\xef\xbb\xbf",
        b"\"name\":\"withdraw\",",
        b"\"Name\":\"withdraw\",",
        b"\"arguments\":{\"quantity\":\"5\"},",
        b"\"quantity\":\"5\",",
        b"\"id\":1,",
        b"\"method\":\"tools/call\",",
        b"\"params\":{\"name\":\"withdraw\"},",
        b"\"_meta\":null,",
        b"1e400",
        b"-0",
        b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"withdraw\"}}",
        b"null",
        b"\r",
        b"\t",
        b" ",
    ]);
    let change = prop_oneof![
        (any::<Index>(), 1..20_usize).prop_map(|(at, count)| Change::Delete(at, count)),
        (any::<Index>(), scraps).prop_map(|(at, scrap)| Change::Insert(at, scrap)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
    ];
    prop::collection::vec(change, 0..4)
}

fn changed(mut frame: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let at = |index: &Index, frame: &[u8]| index.index(frame.len() + 1);
        match change {
            Change::Delete(from, count) => {
                let from = at(from, &frame);
                let to = frame.len().min(from + count);
                frame.drain(from..to);
            }
            Change::Insert(index, scrap) => {
                let at = at(index, &frame);
                frame.splice(at..at, scrap.iter().copied());
            }
            Change::Repeat(from, to) => {
                let (from, to) = (at(from, &frame), at(to, &frame));
                let piece = frame[from.min(to)..from.max(to)].to_vec();
                frame.splice(to..to, piece);
            }
            Change::Byte(index, byte) => {
                let at = at(index, &frame);
                if let Some(old) = frame.get_mut(at) {
                    *old = *byte;
                }
            }
        }
    }
    // One frame is one line; where lines end is the business of another test.
    frame.retain(|byte| *byte != b'\n');
    frame
}

fn seeds() -> impl Strategy<Value = String> {
    select(vec![
        call(1, "echo", json!({"quantity": "0.1", "nested": {"a": [1, {"b": null}]}})),
        call(1, "withdraw", json!({})),
        call("one", "place_order", json!({"symbol": "BTCUSDT", "quantity": "0.5"})),
        call(1, "place_order", json!({"symbol": "BTCUSDT", "quantity": "5"})),
        call(1, "big_order", json!({})),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"busy"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":"busy","result":{}}"#.to_owned(),
    ])
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("frames are UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// What the policy above lets through, said again in other words.
fn may_pass(params: &Value) -> bool {
    let arguments = &params["arguments"];
    match params["name"].as_str().expect("a name") {
        "echo" | "slow" | "bn_create_listen_key" | "twice" => true,
        "typed" => arguments.get("secret").is_none(),
        "place_order" => {
            let small = |text: &str| text == "0.1" || text == "0.5";
            arguments["symbol"] == "BTCUSDT"
                && arguments.get("quantity").is_none_or(|quantity| {
                    quantity.as_str().is_some_and(small) || quantity.as_f64().is_some_and(|quantity| quantity <= 1.0)
                        // Mutated decimals that are no more than 1.
                        || quantity.as_str().and_then(|text| text.parse::<f64>().ok()).is_some_and(|quantity| quantity <= 1.0)
                })
        }
        _ => false,
    }
}

fn check(frame: &[u8]) {
    let bench = Bench::new();
    let mut session = Session::new(bench.gateway.clone(), Identity::new("agent", "s"));
    let mut out = Outbox::default();
    session.from_client(call("busy", "echo", json!({})).as_bytes(), 1, &mut out);
    let before = out.to_upstream.pending().len();
    session.from_client(frame, 2, &mut out);

    let sent = lines(&out.to_upstream.pending()[before..]);
    let told = lines(out.to_client.pending());
    assert!(sent.len() + told.len() <= 1, "forwarded or answered, never both: {sent:?} {told:?}");
    let records = bench.audit();
    assert!(records.len() <= 2);
    for arrived in &sent {
        // It is the value of one good frame, and nothing else.
        let meant: Value = serde_json::from_slice(frame).expect("only JSON is forwarded");
        assert_eq!(arrived["method"], meant["method"]);
        if arrived["method"] == "tools/call" {
            assert_eq!(arrived["params"], meant["params"]);
            assert_eq!(arrived["id"], 2, "an id of the gateway's own");
            assert!(may_pass(&arrived["params"]), "{arrived}");
            assert_eq!(records[1]["decision"], "allow");
        }
    }
    if sent.is_empty() {
        let last = records.last().unwrap();
        assert!(records.len() == 2 && last["decision"] != "allow", "{records:?}");
    }
    for answer in &told {
        assert_ne!(answer["id"], "busy", "the busy call has another answer to come");
        let error = answer["error"]["code"].as_i64();
        assert!(error.is_some() || answer["result"]["isError"] == true, "{answer}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_frames_of_a_client(seed in seeds(), changes in changes()) {
        check(&changed(seed.into_bytes(), &changes));
    }

    #[test]
    fn any_bytes_of_a_client(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
        let bytes = changed(bytes, &[]);
        if !bytes.is_empty() {
            check(&bytes);
        }
    }

    #[test]
    fn changed_frames_of_a_server(
        seed in select(vec![
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"t"}],"isError":false}}"#,
            r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"echo"},{"name":"withdraw"}],"nextCursor":"c"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#,
        ]),
        changes in changes(),
    ) {
        let bench = Bench::new();
        let mut session = Session::new(bench.gateway.clone(), Identity::new("agent", "s"));
        let mut out = Outbox::default();
        session.from_client(call("call", "echo", json!({})).as_bytes(), 1, &mut out);
        session.from_client(br#"{"jsonrpc":"2.0","id":"list","method":"tools/list"}"#, 1, &mut out);
        let frame = changed(seed.as_bytes().to_vec(), &changes);
        session.from_upstream(&frame, &mut out);
        let told = lines(out.to_client.pending());
        prop_assert!(told.len() <= 1);
        for told in told {
            if told["id"] == "list" && told.get("result").is_some() {
                let tools = told["result"]["tools"].as_array().unwrap();
                prop_assert!(tools.iter().all(|tool| tool["name"] != "withdraw"), "{told}");
            }
            prop_assert!(told["id"] == "call" || told["id"] == "list" || told["method"].is_string(), "{told}");
        }
    }
}

#[test]
fn the_oracle_is_not_asleep() {
    assert!(POLICY.contains("at most 1 BTC"));
    assert!(!may_pass(&json!({"name": "place_order", "arguments": {"symbol": "BTCUSDT", "quantity": "5"}})));
    assert!(!may_pass(&json!({"name": "withdraw"})));
}
