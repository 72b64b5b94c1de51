use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::Instant;

use super::*;
use crate::cassette::{Direction, Header, Leg, Redactor, TapeReader, TapeWriter};

pub(super) const OUT: Direction = Direction::Out;
pub(super) const BACK: Direction = Direction::Back;

/// A tape of these messages: when, on which wire, which way, what.
pub(super) fn tape(messages: &[(u64, Leg, Direction, &str)]) -> Vec<u8> {
    let header = Header::new("test", 0);
    let mut tape = TapeWriter::new(Vec::new(), &header, Redactor::new(&[]).unwrap()).unwrap();
    for (at_ms, leg, dir, frame) in messages {
        tape.message(*at_ms, *leg, *dir, frame.as_bytes()).unwrap();
    }
    tape.finish().unwrap()
}

pub(super) fn call(id: u64, tool: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
    )
}

fn result(id: u64, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// A session of these calls, each with its answer.
fn session(calls: &[(&str, &str, &str)]) -> Vec<u8> {
    let mut messages = Vec::new();
    for (id, (tool, arguments, answer)) in (1..).zip(calls) {
        messages.push((OUT, call(id, tool, arguments)));
        messages.push((BACK, result(id, answer)));
    }
    let messages: Vec<_> = messages.iter().map(|(dir, frame)| (0, Leg::Agent, *dir, frame.as_str())).collect();
    tape(&messages)
}

fn player(tape: &[u8], repeat: Repeat) -> Player {
    Player::new(TapeReader::new(tape).unwrap(), repeat, Redactor::new(&[]).unwrap()).unwrap()
}

fn heard(player: &mut Player, frame: &str) -> Vec<String> {
    player.hear(frame.as_bytes()).into_iter().map(|due| String::from_utf8(due.frame).unwrap()).collect()
}

fn ask(player: &mut Player, id: u64, tool: &str, arguments: &str) -> Value {
    let frames = heard(player, &call(id, tool, arguments));
    assert_eq!(frames.len(), 1, "{frames:?}");
    let answer: Value = serde_json::from_str(&frames[0]).unwrap();
    assert_eq!(answer["id"], id);
    answer
}

#[test]
fn answers_are_given_by_what_is_asked_and_not_in_one_order() {
    let tape = session(&[("a", "{}", "1"), ("b", r#"{"x":1,"y":2}"#, "2"), ("a", "{}", "3")]);
    let mut player = player(&tape, Repeat::Fail);
    assert_eq!(ask(&mut player, 50, "b", r#"{"y":2,"x":1}"#)["result"], 2);
    assert_eq!(ask(&mut player, 51, "a", "{}")["result"], 1);
    assert_eq!(ask(&mut player, 52, "a", "{}")["result"], 3);
    let outcome = player.outcome();
    assert!(outcome.is_same(false));
    assert_eq!(outcome.to_string(), "3 requests played, 0 not asked for, 0 not on the tape");
    let requests: Vec<_> = outcome.played.iter().map(|played| (played.seq, played.request)).collect();
    assert_eq!(requests, [(1, Some(2)), (3, Some(1)), (5, Some(3))]);
}

#[test]
fn a_miss_shows_the_nearest_request_and_where_it_differs() {
    let tape = session(&[
        ("bn_ping", "{}", "{}"),
        ("bn_new_order", r#"{"symbol":"BTCUSDT","quantity":"0.10","price":"1"}"#, "{}"),
        ("bn_new_order", r#"{"symbol":"ETHUSDT","quantity":"5","price":"2"}"#, "{}"),
    ]);
    let mut player = player(&tape, Repeat::Fail);
    let answer =
        ask(&mut player, 7, "bn_new_order", r#"{"symbol":"BTCUSDT","quantity":"0.1","stopPrice":3,"price":"1"}"#);
    let told = concat!(
        "request 1, `tools/call bn_new_order`, is not on the tape\n",
        "  nearest: message 3, `tools/call bn_new_order`\n",
        "    /params/arguments/quantity\n      - \"0.10\"\n      + \"0.1\"\n",
        "    /params/arguments/stopPrice\n      - (absent)\n      + 3",
    );
    assert_eq!(answer["error"], json!({ "code": -32040, "message": format!("[NOT ON TAPE] {told}") }));
    ask(&mut player, 8, "bn_ping", "{}");
    ask(&mut player, 9, "bn_pong", "{}");
    let outcome = player.outcome();
    assert!(!outcome.is_same(true));
    let expected = format!(
        "{told}\n{}\n{}",
        concat!(
            "request 3, `tools/call bn_pong`, is not on the tape\n",
            "  nearest: message 1, `tools/call bn_ping`, which was given to request 2\n",
            "    /params/name\n      - \"bn_ping\"\n      + \"bn_pong\"",
        ),
        concat!(
            "message 3, `tools/call bn_new_order`, was not asked for\n",
            "message 5, `tools/call bn_new_order`, was not asked for\n",
            "1 request played, 2 not asked for, 2 not on the tape",
        )
    );
    assert_eq!(outcome.to_string(), expected);
}

#[test]
fn a_request_that_comes_too_often_is_told_who_had_its_answers() {
    let tape = session(&[("a", "{}", "1"), ("a", "{}", "2")]);
    for (repeat, third, fourth) in [(Repeat::Last, 2, 2), (Repeat::Cycle, 1, 2)] {
        let mut player = player(&tape, repeat);
        let answers = [1, 2, 3, 4].map(|id| ask(&mut player, id, "a", "{}")["result"].clone());
        assert_eq!(answers, [1, 2, third, fourth].map(Value::from), "{repeat:?}");
        assert!(player.outcome().is_same(false));
    }
    let mut player = player(&tape, Repeat::Fail);
    ask(&mut player, 1, "a", "{}");
    ask(&mut player, 2, "a", "{}");
    ask(&mut player, 3, "a", "{}");
    let told = concat!(
        "request 3, `tools/call a`, is on the tape 2 times, and every answer was given already\n",
        "  message 1 was given to request 1\n",
        "  message 3 was given to request 2\n",
        "  = help: `--repeat last` or `--repeat cycle` gives answers again",
    );
    assert_eq!(player.outcome().misses[0].to_string(), told);
}

#[test]
fn what_was_not_asked_for_is_a_failure_unless_that_is_allowed() {
    let mut player = player(&session(&[("a", "{}", "1"), ("b", "{}", "2")]), Repeat::Fail);
    ask(&mut player, 1, "a", "{}");
    let outcome = player.outcome();
    assert!(!outcome.is_same(false) && outcome.is_same(true));
    let told = "message 3, `tools/call b`, was not asked for\n1 request played, 1 not asked for, 0 not on the tape";
    assert_eq!(outcome.to_string(), told);
}

#[test]
fn nothing_is_made_up() {
    let cut = tape(&[(0, Leg::Agent, OUT, &call(1, "a", "{}"))]);
    let cut = &cut[..cut.len() - "{\"messages\":1}\n".len()];
    let mut cut = player(cut, Repeat::Fail);
    ask(&mut cut, 1, "a", "{}");
    let told = concat!(
        "request 1, `tools/call a`, is message 1 of the tape, which has no answer there: the tape was cut off, or nobody answered\n",
        "the tape was cut off: what came after is not on it\n",
        "1 request played, 0 not asked for, 1 not on the tape",
    );
    assert_eq!(cut.outcome().to_string(), told);

    let mut empty = player(&tape(&[]), Repeat::Last);
    let frames = heard(&mut empty, "[1]");
    let told = "request 1, `batch`, is not on the tape, and nothing else is";
    assert_eq!(
        frames,
        [json!({"jsonrpc":"2.0","id":null,"error":{"code":-32040,"message":format!("[NOT ON TAPE] {told}")}})
            .to_string()]
    );
    assert_eq!(heard(&mut empty, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#), [""; 0]);
    assert_eq!(
        heard(&mut empty, r#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#),
        [r#"{"jsonrpc":"2.0","id":9,"result":{}}"#]
    );
    assert_eq!(empty.outcome().misses.len(), 1);
}

#[test]
fn the_wire_behind_the_gateway_is_the_one_that_is_served() {
    let tape = tape(&[
        (0, Leg::Agent, OUT, &call(1, "a", "{}")),
        (0, Leg::Upstream, OUT, &call(9, "a", r#"{"gateway":true}"#)),
        (0, Leg::Upstream, BACK, &result(9, "1")),
        (0, Leg::Agent, BACK, &result(1, "2")),
    ]);
    let mut player = player(&tape, Repeat::Fail);
    assert_eq!(ask(&mut player, 1, "a", r#"{"gateway":true}"#)["result"], 1);
}

#[test]
fn a_call_of_several_rounds_is_played_round_by_round() {
    let round = |id: u64, more: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"a","arguments":{{}}{more}}}}}"#)
    };
    let asks =
        r#"{"resultType":"input_required","requestState":"one","inputRequests":{"q":{"method":"elicitation/create"}}}"#;
    let answered = r#","inputResponses":{"q":{"action":"accept","content":{"n":7}}},"requestState":"one""#;
    let tape = tape(&[
        (0, Leg::Agent, OUT, &round(1, "")),
        (0, Leg::Agent, BACK, &result(1, asks)),
        (9, Leg::Agent, OUT, &round(2, answered)),
        (9, Leg::Agent, BACK, &result(2, r#"{"content":[]}"#)),
    ]);
    let mut player = player(&tape, Repeat::Fail);
    let told = |frames: Vec<String>| serde_json::from_str::<Value>(&frames[0]).unwrap();
    // The second round cannot be had before the first was asked for, nor with another answer.
    assert_eq!(told(heard(&mut player, &round(11, "")))["result"]["requestState"], "one");
    let other = answered.replace("accept", "decline");
    assert_eq!(told(heard(&mut player, &round(12, &other)))["error"]["code"], -32040);
    assert_eq!(told(heard(&mut player, &round(13, answered)))["result"], json!({"content": []}));
    let outcome = player.outcome().to_string();
    assert!(outcome.ends_with("2 requests played, 0 not asked for, 1 not on the tape"), "{outcome}");
}

#[test]
fn what_the_server_said_of_itself_follows_what_it_followed() {
    let ask_a = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":5},"name":"a"}}"#;
    let tape = tape(&[
        (0, Leg::Agent, BACK, r#"{"jsonrpc":"2.0","method":"hello"}"#),
        (10, Leg::Agent, OUT, ask_a),
        (20, Leg::Agent, OUT, &call(2, "b", "{}")),
        (
            30,
            Leg::Agent,
            BACK,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":5,"progress":1}}"#,
        ),
        (40, Leg::Agent, BACK, r#"{"jsonrpc":"2.0","id":"s1","method":"elicitation/create","params":{}}"#),
        (50, Leg::Agent, OUT, r#"{"jsonrpc":"2.0","id":"s1","result":{"action":"accept","secretKey":"abc"}}"#),
        (55, Leg::Agent, BACK, r#"{ "odd":"frame" }"#),
        (60, Leg::Agent, BACK, &result(2, "\"b\"")),
        (70, Leg::Agent, BACK, &result(1, "\"a\"")),
        (80, Leg::Agent, OUT, r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#),
        (85, Leg::Agent, BACK, r#"{"jsonrpc":"2.0","id":"s2","method":"roots/list"}"#),
    ]);
    let mut player = player(&tape, Repeat::Fail);
    let due = |after_ms, frame: &str| Due::new(after_ms, frame.as_bytes().to_vec());
    assert_eq!(player.open(), [due(0, r#"{"jsonrpc":"2.0","method":"hello"}"#)]);
    let live_a = ask_a.replace(r#""id":1"#, r#""id":"x""#).replace(":5}", ":\"t\"}");
    // Its answer waits for the client's answer to the server.
    assert_eq!(
        player.hear(live_a.as_bytes()),
        [
            due(
                20,
                r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1}}"#
            ),
            due(30, r#"{"jsonrpc":"2.0","id":"s1","method":"elicitation/create","params":{}}"#),
        ]
    );
    assert_eq!(player.hear(call(33, "b", "{}").as_bytes()), [due(40, r#"{"jsonrpc":"2.0","id":33,"result":"b"}"#)]);
    let outcome = player.outcome().to_string();
    assert!(
        outcome.starts_with("message 10, `notifications/roots/list_changed`, was not asked for\n2 requests"),
        "{outcome}"
    );
    assert_eq!(
        player.hear(br#"{"jsonrpc":"2.0","id":"s1","result":{"secretKey":"xyz","action":"decline"}}"#),
        [due(5, r#"{ "odd":"frame" }"#), due(20, r#"{"jsonrpc":"2.0","id":"x","result":"a"}"#)]
    );
    assert_eq!(player.hear(br#"{"jsonrpc":"2.0","id":"s1","result":{}}"#), [], "answered already");
    player.hear(br#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#);
    let outcome = player.outcome();
    assert!(!outcome.is_same(true));
    let told = concat!(
        "the client's answer is not message 6 of the tape\n",
        "    /result/action\n      - \"accept\"\n      + \"decline\"\n",
        "3 requests played, 0 not asked for, 0 not on the tape, 1 other answer to the server",
    );
    assert_eq!(outcome.to_string(), told);
}

#[test]
fn ids_that_the_live_client_makes_take_the_place_of_the_tapes() {
    let tape = session(&[
        ("new", r#"{"newClientOrderId":"t1"}"#, r#"{"clientOrderId":"t1","orderId":7}"#),
        ("new", r#"{"newClientOrderId":"t2"}"#, r#"{"content":[{"text":"{\"clientOrderId\":\"t2\"}"}]}"#),
        ("get", r#"{"origClientOrderId":"t1"}"#, r#"{"clientOrderId":"t1","side":"t1"}"#),
        ("get", r#"{"origClientOrderId":"t2"}"#, "2"),
    ]);
    let mut player = player(&tape, Repeat::Fail);
    let first = ask(&mut player, 1, "new", r#"{"newClientOrderId":"x"}"#);
    assert_eq!(first["result"], json!({"clientOrderId": "x", "orderId": 7}));
    let second = ask(&mut player, 2, "new", r#"{"newClientOrderId":"y"}"#);
    assert_eq!(second["result"]["content"][0]["text"], r#"{"clientOrderId":"y"}"#);
    assert_eq!(ask(&mut player, 3, "get", r#"{"origClientOrderId":"y"}"#)["result"], 2);
    let other = ask(&mut player, 4, "get", r#"{"origClientOrderId":"z"}"#);
    assert!(other["error"]["message"].as_str().unwrap().contains("/params/arguments/origClientOrderId"), "{other}");
    assert_eq!(
        ask(&mut player, 5, "get", r#"{"origClientOrderId":"x"}"#)["result"],
        json!({"clientOrderId": "x", "side": "t1"})
    );
}

#[test]
fn a_live_request_is_redacted_before_it_is_looked_for() {
    let tape = session(&[
        ("login", r#"{"secretKey":"one"}"#, "1"),
        ("login", r#"{"secretKey":"two"}"#, "2"),
        ("use", r#"{"secretKey":"one","n":1}"#, "3"),
    ]);
    assert!(!String::from_utf8_lossy(&tape).contains("\"one\""));
    // The live client has other secrets, and uses the second one first.
    let mut player = player(&tape, Repeat::Fail);
    assert_eq!(ask(&mut player, 1, "use", r#"{"secretKey":"B","n":1}"#)["result"], 3);
    assert_eq!(ask(&mut player, 2, "login", r#"{"secretKey":"A"}"#)["result"], 2);
    assert_eq!(ask(&mut player, 3, "login", r#"{"secretKey":"B"}"#)["result"], 1);
    let miss = ask(&mut player, 4, "use", r#"{"secretKey":"C","n":2}"#);
    assert!(!miss.to_string().contains("\"C"), "{miss}");
    assert!(player.outcome().misses.len() == 1 && player.outcome().unplayed.is_empty());
}

async fn lines(pace: Pace, tape: Vec<u8>, input: &str) -> (Vec<(u64, String)>, Outcome) {
    let (client, server) = tokio::io::duplex(1 << 16);
    let (read, write) = tokio::io::split(server);
    let player = player(&tape, Repeat::Fail);
    let served = tokio::spawn(serve(player, pace, read, write));
    let (from_server, mut to_server) = tokio::io::split(client);
    to_server.write_all(input.as_bytes()).await.unwrap();
    to_server.shutdown().await.unwrap();
    let begun = Instant::now();
    let mut from_server = BufReader::new(from_server).lines();
    let mut told = Vec::new();
    while let Some(line) = from_server.next_line().await.unwrap() {
        told.push((u64::try_from(begun.elapsed().as_millis()).unwrap(), line));
    }
    (told, served.await.unwrap().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_tape_is_served_at_its_pace() {
    let tape = tape(&[
        (0, Leg::Agent, OUT, &call(1, "slow", "{}")),
        (100, Leg::Agent, OUT, &call(2, "fast", "{}")),
        (200, Leg::Agent, BACK, &result(2, "2")),
        (1_000, Leg::Agent, BACK, &result(1, "1")),
    ]);
    let input = format!("{}\r\n\n{}", call(1, "slow", "{}"), call(2, "fast", "{}"));
    for (pace, expected) in
        [("instant", [(0, 1), (0, 2)]), ("recorded", [(100, 2), (1_000, 1)]), ("0.5", [(50, 2), (500, 1)])]
    {
        let (told, outcome) = lines(pace.parse().unwrap(), tape.clone(), &input).await;
        let expected: Vec<_> = expected.iter().map(|(at, id)| (*at, result(*id, &id.to_string()))).collect();
        assert_eq!(told, expected, "{pace}");
        assert!(outcome.is_same(false), "{outcome}");
    }
}

#[test]
fn faults_stand_beside_the_tape() {
    let tape = session(&[("a", "{}", "1"), ("a", "{}", "2"), ("b", "{}", "3"), ("c", "{}", "4"), ("d", "{}", "5")]);
    let faults = r#"{"faults": [
        {"name": "slow", "on": "tools/call a", "nth": 1, "what": {"delay_ms": 500}},
        {"name": "twice", "on": "tools/call a", "after": 1, "what": "duplicate"},
        {"name": "refused", "on": "tools/call b", "what": {"error": {"code": -1003, "message": "Too many requests."}}},
        {"name": "half", "on": "tools/call c", "what": "malformed"},
        {"name": "lost", "on": "tools/call d", "what": "timeout"},
        {"name": "never", "on": "tools/call e", "what": "disconnect"}
    ]}"#;
    let mut player = player(&tape, Repeat::Fail).with_overlay(Overlay::parse(faults).unwrap());
    let slow = player.hear(call(1, "a", "{}").as_bytes());
    assert_eq!(slow, [Due { delay_ms: 500, ..Due::new(0, result(1, "1").into_bytes()) }]);
    assert_eq!(heard(&mut player, &call(2, "a", "{}")), [result(2, "2"), result(2, "2")]);
    let refused = r#"{"jsonrpc":"2.0","id":3,"error":{"code":-1003,"message":"Too many requests."}}"#;
    assert_eq!(heard(&mut player, &call(3, "b", "{}")), [refused]);
    let whole = result(4, "4");
    assert_eq!(heard(&mut player, &call(4, "c", "{}")), [&whole[..whole.len() / 2]]);
    assert_eq!(heard(&mut player, &call(5, "d", "{}")), [""; 0]);
    let outcome = player.outcome();
    assert!(!outcome.is_same(false) && outcome.is_same(true));
    let told = "the fault `never` met nothing\n5 requests played, 0 not asked for, 0 not on the tape";
    assert_eq!(outcome.to_string(), told);
}

#[tokio::test(start_paused = true)]
async fn a_fault_keeps_back_and_hangs_up() {
    let tape = session(&[("a", "{}", "1"), ("b", "{}", "2"), ("c", "{}", "3")]);
    let faults = r#"{"faults": [
        {"name": "slow", "on": "tools/call a", "what": {"delay_ms": 700}},
        {"name": "gone", "on": "tools/call b", "what": "disconnect"}
    ]}"#;
    let player = player(&tape, Repeat::Fail).with_overlay(Overlay::parse(faults).unwrap());
    let (client, server) = tokio::io::duplex(1 << 16);
    let (read, write) = tokio::io::split(server);
    let served = tokio::spawn(serve(player, Pace::Instant, read, write));
    let (from_server, mut to_server) = tokio::io::split(client);
    let mut from_server = BufReader::new(from_server).lines();
    let begun = Instant::now();
    to_server.write_all(format!("{}\n", call(1, "a", "{}")).as_bytes()).await.unwrap();
    assert_eq!(from_server.next_line().await.unwrap(), Some(result(1, "1")));
    assert_eq!(begun.elapsed().as_millis(), 700);
    to_server.write_all(format!("{}\n", call(2, "b", "{}")).as_bytes()).await.unwrap();
    assert_eq!(from_server.next_line().await.unwrap(), None, "the connection broke");
    assert_eq!(served.await.unwrap().unwrap().unplayed.len(), 1);
}

#[test]
fn a_tape_is_held_against_today() {
    let before = session(&[
        ("a", "{}", r#"{"n":1,"time":5,"orderId":7}"#),
        ("b", "{}", "1"),
        ("c", "{}", "1"),
        ("e", "{}", "1"),
    ]);
    let error = r#"{"jsonrpc":"2.0","id":2,"error":{"code":-1,"message":"no"}}"#;
    let today = tape(&[
        (9, Leg::Agent, OUT, &call(2, "b", "{}")),
        (9, Leg::Agent, BACK, error),
        (9, Leg::Agent, OUT, &call(1, "a", "{}")),
        (9, Leg::Agent, BACK, &result(1, r#"{"time":6,"orderId":8,"n":2}"#)),
        (9, Leg::Agent, OUT, &call(3, "c", "{}")),
        (9, Leg::Agent, BACK, &result(3, "1")),
        (9, Leg::Agent, OUT, &call(4, "d", "{}")),
        (9, Leg::Agent, BACK, &result(4, "1")),
    ]);
    let read = |tape| TapeReader::new(tape).unwrap();
    let rules = agent::Rules::default();
    let verification = verify(read(before.as_slice()), read(today.as_slice()), &rules).unwrap();
    assert!(!verification.is_same());
    let told = concat!(
        "message 3, `tools/call b`, is answered in another way\n",
        "    /result\n      - 1\n      + (absent)\n",
        "    /error\n      - (absent)\n      + {\"code\":-1,\"message\":\"no\"}\n",
        "message 1, `tools/call a`, has another answer\n",
        "    /result/n\n      - 1\n      + 2\n",
        "message 7, `tools/call e`, was not asked today\n",
        "request 4, `tools/call d`, is not on the tape\n",
        "  nearest: message 7, `tools/call e`\n",
        "    /params/name\n      - \"e\"\n      + \"d\"\n",
        "1 the same, 2 changed, 1 not asked, 1 not on the tape",
    );
    assert_eq!(verification.to_string(), told);
    assert!(verify(read(before.as_slice()), read(before.as_slice()), &rules).unwrap().is_same());
}

#[test]
fn what_streams_did_not_tell_is_a_part_that_was_left_over() {
    let outcome = Outcome { unsent: 2, ..Outcome::default() };
    assert!(!outcome.is_same(false) && outcome.is_same(true));
    let told = "0 requests played, 0 not asked for, 0 not on the tape, 2 messages of streams not sent";
    assert_eq!(outcome.to_string(), told);
}

#[tokio::test]
async fn a_tape_is_played_over_http() {
    let asks = r#"{"jsonrpc":"2.0","id":"s1","method":"elicitation/create","params":{}}"#;
    let tape = tape(&[
        (0, Leg::Agent, OUT, &call(1, "a", "{}")),
        (0, Leg::Agent, BACK, &result(1, "1")),
        (0, Leg::Agent, OUT, &call(2, "b", "{}")),
        (0, Leg::Agent, BACK, asks),
        (0, Leg::Agent, OUT, r#"{"jsonrpc":"2.0","id":"s1","result":{}}"#),
        (0, Leg::Agent, BACK, &result(2, "2")),
    ]);
    let player = Player::new(TapeReader::new(tape.as_slice()).unwrap(), Repeat::Fail, Redactor::new(&[]).unwrap());
    let abroad = HttpHost::start(player.unwrap(), Pace::Instant, "0.0.0.0:0".parse().unwrap()).await;
    assert!(abroad.unwrap_err().to_string().contains("use 127.0.0.1"));
    let player = Player::new(TapeReader::new(tape.as_slice()).unwrap(), Repeat::Fail, Redactor::new(&[]).unwrap());
    let host = HttpHost::start(player.unwrap(), Pace::Instant, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = |frame: String| client.post(host.url()).header("content-type", "application/json").body(frame).send();
    let event = |frame: &str| format!("event: message\ndata: {frame}\n\n");

    let answer = post(call(9, "a", "{}")).await.unwrap();
    assert_eq!(answer.headers()["mcp-session-id"], "tape");
    assert_eq!(answer.text().await.unwrap(), event(&result(9, "1")));
    // The server asks back on the stream of the request, which ends when it was answered.
    let mut answer = post(call(10, "b", "{}")).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), event(asks));
    assert_eq!(post(r#"{"jsonrpc":"2.0","id":"s1","result":{}}"#.to_owned()).await.unwrap().status(), 202);
    assert_eq!(answer.text().await.unwrap(), event(&result(10, "2")));
    let missing = post(call(11, "a", "{}")).await.unwrap().text().await.unwrap();
    assert!(missing.contains("[NOT ON TAPE]"), "{missing}");
    assert_eq!(post("not JSON".to_owned()).await.unwrap().status(), 400);
    let foreign = client.post(host.url()).header("origin", "http://example.com").body(call(1, "a", "{}")).send();
    assert_eq!(foreign.await.unwrap().status(), 403);
    let outcome = host.stop();
    assert!(outcome.unplayed.is_empty() && outcome.misses.len() == 2, "{outcome}");
}
