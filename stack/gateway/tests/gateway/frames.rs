//! Frames that must be refused, from `tests/cases/frames.jsonl`.
//!
//! A case has `frame` (text), `hex` (bytes) or `before`, `repeat`, `times`, `after`; the JSON-RPC
//! `code` and `id` of the answer, or `silent` where JSON-RPC forbids one; and the stable `reason`,
//! null where only the code matters.

use crate::support::{Bench, Rig, answer, call};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    frame: Option<String>,
    hex: Option<String>,
    #[serde(default)]
    before: String,
    #[serde(default)]
    repeat: String,
    #[serde(default)]
    times: usize,
    #[serde(default)]
    after: String,
    #[serde(default)]
    pub(crate) silent: bool,
    pub(crate) code: Option<i64>,
    #[serde(default)]
    pub(crate) id: Value,
    reason: Option<String>,
}

impl Case {
    pub(crate) fn all() -> Vec<Self> {
        let lines = include_str!("../cases/frames.jsonl").lines();
        let cases: Vec<Self> = lines.map(|line| serde_json::from_str(line).expect(line)).collect();
        assert!(cases.len() > 100, "the cases are there");
        cases
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        match (&self.frame, &self.hex) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(hex)) => hex::decode(hex).unwrap(),
            _ => [&self.before, self.repeat.repeat(self.times).as_str(), &self.after].concat().into_bytes(),
        }
    }
}

#[tokio::test]
async fn every_case_is_refused_once_and_the_connection_goes_on() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    let cases = Case::all();
    for case in &cases {
        let recorded = bench.audit.len();
        rig.client.send_bytes(&case.bytes()).await;
        let told = rig.nothing_reached_the_server().await;
        if case.silent {
            assert_eq!(told, Vec::<Value>::new(), "{}", case.name);
        } else {
            assert_eq!(told.len(), 1, "{}: {told:?}", case.name);
            assert_eq!(told[0]["error"]["code"], json!(case.code), "{}: {}", case.name, told[0]);
            assert_eq!(told[0]["id"], case.id, "{}: {}", case.name, told[0]);
            assert_eq!(told[0]["error"]["data"]["source"], "mcp-gateway");
            assert!(told[0].to_string().len() < 1000, "{}", case.name);
        }
        let audit = bench.audit();
        assert_eq!(audit.len(), recorded + 1, "{}: one record", case.name);
        assert_eq!(audit[recorded]["decision"], "refuse", "{}", case.name);
        if let Some(reason) = &case.reason {
            assert_eq!(audit[recorded]["reason"], *reason, "{}", case.name);
            if !case.silent {
                assert_eq!(told[0]["error"]["data"]["reason"], *reason, "{}", case.name);
            }
        }
    }
    // The same session still does its work.
    honest_call(&mut rig).await;
    let summary = rig.finish().await;
    assert_eq!((summary.refused_frames, summary.calls), (cases.len() as u64, 1));
}

/// The cases prove something only if the nearest good frame passes.
#[tokio::test]
async fn the_nearest_good_frames_pass() {
    let mut rig = Bench::new().open("s");
    for params in [
        r#"{"name":"echo"}"#,
        r#"{"name":"echo","arguments":{}}"#,
        r#"{"name":"echo","arguments":{"quantity":1e300,"a":{"quantity":2},"\u00e4":"\ud83e\udd80"}}"#,
        r#"{"_meta":{"progressToken":1},"name":"echo"}"#,
        r#"{"name":"place_order","arguments":{"symbol":"BTCUSDT","quantity":"1"}}"#,
    ] {
        for id in ["5", "-9223372036854775808", "\"\"", "\"5\""] {
            let frame = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#);
            rig.client.send(&frame).await;
            let arrived = rig.server.next().await;
            assert_eq!(arrived["method"], "tools/call");
            rig.server.send(&answer(&arrived["id"], "done")).await;
            assert_eq!(rig.client.next().await["id"].to_string(), id);
        }
    }
}

#[tokio::test]
async fn an_id_in_flight_is_not_taken_again_and_answered_once() {
    let mut rig = Bench::new().open("s");
    rig.client.send(&call(5, "echo", json!({"n": 1}))).await;
    let first = rig.server.next().await;
    for frame in [
        call(5, "echo", json!({"n": 2})),
        call(5, "place_order", json!({})),
        r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":5,"method":"ping","method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":5,"method":"no/such"}"#.to_owned(),
    ] {
        rig.client.send(&frame).await;
        let refusal = rig.client.next().await;
        // Under the id itself the refusal would pass for the answer to the first call.
        assert_eq!((&refusal["id"], &refusal["error"]["code"]), (&json!(null), &json!(-32600)), "{frame}");
    }
    assert!(rig.nothing_reached_the_server().await.is_empty());
    rig.server.send(&answer(&first["id"], "first")).await;
    assert_eq!(rig.client.next().await["result"]["content"][0]["text"], "first");
    // The string is another id than the number, and an answered id is free again.
    for id in [json!("5"), json!(5)] {
        rig.client.send(&call(id, "echo", json!({}))).await;
        assert_eq!(rig.server.next().await["method"], "tools/call");
    }
}

#[tokio::test]
async fn an_oversize_frame_is_answered_before_it_ends() {
    let mut rig = Bench::new().open("s");
    let mut frame = br#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":""#.to_vec();
    frame.resize((1 << 20) + 100_000, b'x');
    tokio::io::AsyncWriteExt::write_all(&mut rig.client.writer, &frame).await.unwrap();
    let refusal = rig.client.next().await;
    assert_eq!((&refusal["id"], &refusal["error"]["data"]["reason"]), (&json!(5), &json!("frame_too_large")));
    // What follows up to the line's end is part of it, whatever it looks like.
    rig.client.send(&call(6, "echo", json!({}))).await;
    assert!(rig.nothing_reached_the_server().await.is_empty());
    honest_call(&mut rig).await;
}

#[tokio::test]
async fn a_last_line_without_its_end_is_not_a_frame() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    let frame = call(5, "echo", json!({}));
    tokio::io::AsyncWriteExt::write_all(&mut rig.client.writer, frame.as_bytes()).await.unwrap();
    rig.client.close().await;
    rig.server.expect_end().await;
    assert_eq!(rig.client.next().await["error"]["code"], -32700);
    assert_eq!(bench.last_audit()["reason"], "frame_incomplete");
}

#[tokio::test]
async fn an_adversary_cannot_find_words_that_end_a_line_early() {
    let mut rig = Bench::new().open("s");
    let text = "\u{2028}\r\n\u{85}{\"jsonrpc\":\"2.0\"}\u{0}";
    rig.client.send(&call(text, "echo", json!({"text": text}))).await;
    let frame = rig.server.next_text().await;
    assert!(frame.bytes().all(|byte| byte >= b' '), "{frame:?}");
    rig.server.send(&answer(&json!(1), text)).await;
    let told = rig.client.next_text().await;
    assert!(told.bytes().all(|byte| byte >= b' '), "{told:?}");
}

pub(crate) async fn honest_call(rig: &mut Rig) {
    rig.client.send(&call("honest", "echo", json!({}))).await;
    let frame = rig.server.next().await;
    rig.server.send(&answer(&frame["id"], "done")).await;
    assert_eq!(rig.client.next().await["id"], "honest");
}
