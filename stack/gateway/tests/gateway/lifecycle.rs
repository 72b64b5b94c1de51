//! Ends, losses and peers that stop reading.

use std::time::Duration;

use crate::support::{Bench, Line, answer, call};
use mcp_gateway::{GatewayLimits, Identity};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, duplex, split};

#[tokio::test]
async fn a_server_that_dies_leaves_outcomes_unknown_and_charges_kept() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    rig.client.send(&call(1, "twice", json!({}))).await;
    rig.client.send(&call(2, "twice", json!({}))).await;
    rig.client.send(r#"{"jsonrpc":"2.0","id":3,"method":"tools/list"}"#).await;
    for _ in 0..3 {
        rig.server.next().await;
    }
    drop(rig.server);
    for id in 1..=2 {
        let told = rig.client.next().await;
        assert_eq!(told["id"], id);
        let text = told["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("[OUTCOME UNKNOWN]"), "{text}");
        assert_eq!(told["result"]["structuredContent"]["denied"], false);
        assert_eq!(told["result"]["structuredContent"]["reason"], "outcome_unknown");
    }
    assert_eq!(rig.client.next().await["error"]["data"]["reason"], "server_gone");
    rig.client.expect_end().await;
    assert_eq!(rig.serving.await.unwrap().unwrap().unknown_outcomes, 2);

    // The same session name later: both calls of its limit are spent.
    let mut again = bench.open("s");
    again.client.send(&call(1, "twice", json!({}))).await;
    assert_eq!(again.client.next().await["result"]["structuredContent"]["reason"], "limit_reached");
}

#[tokio::test]
async fn a_call_that_never_left_is_given_back() {
    let bench = Bench::new();
    // The pipe to the server holds less than one frame.
    let (client, front) = duplex(1 << 20);
    let (back, server) = duplex(16);
    let serving = bench.serve("s", front, back);
    let mut client = Line::new(client);
    client.send(&call(1, "twice", json!({}))).await;
    client.send(&call(2, "twice", json!({}))).await;
    // Both were judged; of the first the pipe has taken some bytes, of the second none.
    while bench.audit.len() < 2 {
        tokio::task::yield_now().await;
    }
    drop(server);
    let reason = |told: &Value| told["result"]["structuredContent"]["reason"].clone();
    assert_eq!(reason(&client.next().await), "outcome_unknown");
    let told = client.next().await;
    assert_eq!(reason(&told), "not_sent");
    assert!(told["result"]["content"][0]["text"].as_str().unwrap().starts_with("[NOT SENT]"));
    assert_eq!(serving.await.unwrap().unwrap().unknown_outcomes, 1);

    // One of the two was given back.
    let mut again = bench.open("s");
    again.client.send(&call(1, "twice", json!({}))).await;
    assert_eq!(again.server.next().await["method"], "tools/call");
    again.client.send(&call(2, "twice", json!({}))).await;
    assert_eq!(reason(&again.client.next().await), "limit_reached");
}

#[tokio::test]
async fn a_client_that_closes_still_gets_its_answers() {
    let mut rig = Bench::new().open("s");
    rig.client.send(&call(1, "echo", json!({}))).await;
    rig.client.close().await;
    let frame = rig.server.next().await;
    rig.server.send(&answer(&frame["id"], "late")).await;
    assert_eq!(rig.client.next().await["result"]["content"][0]["text"], "late");
    // Only then is the server told that nothing more comes.
    rig.server.expect_end().await;
    drop(rig.server);
    rig.client.expect_end().await;
    assert_eq!(rig.serving.await.unwrap().unwrap().allowed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_does_not_hold_the_end_up_for_ever() {
    let mut rig = Bench::new().open("s");
    rig.client.send(&call(1, "echo", json!({}))).await;
    rig.server.next().await;
    rig.client.close().await;
    assert_eq!(rig.client.next().await["result"]["structuredContent"]["reason"], "outcome_unknown");
    // The server keeps its end open and silent; the session ends all the same.
    assert_eq!(rig.serving.await.unwrap().unwrap().unknown_outcomes, 1);
}

#[tokio::test]
async fn stopping_drains_like_a_closing_client() {
    let bench = Bench::new();
    let (client, front) = duplex(4096);
    let (back, server) = duplex(4096);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let gateway = bench.gateway.clone();
    let serving = tokio::spawn(async move {
        let stop = async move { drop(stopped.await) };
        gateway.serve_until(Identity::new("agent", "s"), split(front), split(back), stop).await
    });
    let (mut client, mut server) = (Line::new(client), Line::new(server));
    client.send(&call(1, "echo", json!({}))).await;
    let frame = server.next().await;
    stop.send(()).unwrap();
    tokio::task::yield_now().await;
    server.send(&answer(&frame["id"], "done")).await;
    assert_eq!(client.next().await["id"], 1);
    server.expect_end().await;
    drop(server);
    client.expect_end().await;
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_vanishes_ends_the_session_and_its_calls_are_settled() {
    let mut rig = Bench::new().open("s");
    rig.client.send(&call(1, "echo", json!({}))).await;
    let frame = rig.server.next().await;
    drop(rig.client);
    rig.server.send(&answer(&frame["id"], "to nobody")).await;
    rig.server.expect_end().await;
    drop(rig.server);
    let summary = rig.serving.await.unwrap().unwrap();
    assert_eq!((summary.allowed, summary.unknown_outcomes), (1, 0));
}

#[tokio::test]
async fn too_many_requests_in_flight_are_refused_and_not_charged() {
    let limits = GatewayLimits { in_flight_max: 2, ..GatewayLimits::default() };
    let bench = Bench::limits(limits);
    let mut rig = bench.open("s");
    let mut ids = Vec::new();
    for n in 0..2 {
        rig.client.send(&call(n, "echo", json!({}))).await;
        ids.push(rig.server.next().await["id"].clone());
    }
    for n in 2..10 {
        rig.client.send(&call(n, "twice", json!({}))).await;
        let refusal = rig.client.next().await;
        assert_eq!((&refusal["id"], &refusal["error"]["code"]), (&json!(n), &json!(-32005)));
        assert_eq!(refusal["error"]["data"]["reason"], "too_many_in_flight");
    }
    // A cancelled request makes room, an answered one too.
    rig.client.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0}}"#).await;
    assert_eq!(rig.server.next().await["method"], "notifications/cancelled");
    rig.client.send(&call(20, "twice", json!({}))).await;
    assert_eq!(rig.server.next().await["method"], "tools/call");
    rig.server.send(&answer(&ids[1], "done")).await;
    assert_eq!(rig.client.next().await["id"], 1);
    rig.client.send(&call(21, "twice", json!({}))).await;
    assert_eq!(rig.server.next().await["method"], "tools/call");
}

#[tokio::test]
async fn cancelled_requests_are_not_remembered_for_ever() {
    let mut rig = Bench::new().open("s");
    for n in 0..3000 {
        rig.client.send(&call(n, "echo", json!({}))).await;
        rig.server.next().await;
        let note = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": n}});
        rig.client.send(&note.to_string()).await;
        rig.server.next().await;
    }
    // The first was forgotten, so its late answer is nobody's; the last still has a reader.
    rig.server.send(&answer(&json!(1), "too late")).await;
    rig.server.send(&answer(&json!(3000), "late")).await;
    assert_eq!(rig.client.next().await["id"], 2999);
    let summary = rig.finish().await;
    assert_eq!((summary.unknown_outcomes, summary.dropped_from_server), (2999, 1));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_reading_slows_its_client_and_then_sheds() {
    let limits = GatewayLimits { backlog_bytes: 10_000, in_flight_max: 100_000, ..GatewayLimits::default() };
    let bench = Bench::limits(limits);
    let (client, front) = duplex(1000);
    let (back, server) = duplex(1000);
    let serving = bench.serve("s", front, back);
    let (reader, mut writer) = split(client);
    let frame = |n: usize| call(n, "echo", json!({"padding": "x".repeat(100)})) + "\n";
    let begin = tokio::time::Instant::now();
    let writing = tokio::spawn(async move {
        for n in 0..1000 {
            writer.write_all(frame(n).as_bytes()).await.unwrap();
        }
        writer
    });
    // The client is held up until the server has taken nothing for thirty seconds; then its
    // requests are answered at once.
    let mut client = Line { reader: tokio::io::BufReader::new(reader), writer: writing_end() };
    let refusal = client.next().await;
    assert_eq!(refusal["error"]["data"]["reason"], "server_stalled");
    assert_eq!(begin.elapsed().as_secs(), 30);
    let refused_from = refusal["id"].as_u64().unwrap();
    for n in refused_from + 1..1000 {
        assert_eq!(client.next().await["id"], n);
    }
    let held = bench.audit().iter().filter(|line| line["decision"] == "allow").count() as u64;
    assert_eq!(held, refused_from, "what was held was let through before, what was refused never");
    // The backlog, what the pipe took, and what was read in one go.
    assert!(held * (frame(0).len() as u64) < 13_000, "bounded: {held}");

    // It reads again, and all is well again.
    let mut server = Line::new(server);
    for _ in 0..held {
        server.next().await;
    }
    let mut writer = writing.await.unwrap();
    writer.write_all(frame(5000).as_bytes()).await.unwrap();
    assert_eq!(server.next().await["method"], "tools/call");
    drop(server);
    let _ = tokio::time::timeout(Duration::from_mins(1), serving).await.unwrap();
}

/// A writer for an end of which only the reader is used.
fn writing_end() -> tokio::io::WriteHalf<tokio::io::DuplexStream> {
    split(duplex(1).0).1
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_only_itself() {
    let limits = GatewayLimits { backlog_bytes: 10_000, ..GatewayLimits::default() };
    let bench = Bench::limits(limits);
    let mut deaf = bench.open_sized("deaf", 1000);
    let mut well = bench.open("well");
    // Answers pile up until the gateway stops reading the server.
    let flood = tokio::spawn(async move {
        let note = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"d"}}"#;
        for _ in 0..10_000 {
            deaf.server.send(note).await;
        }
        deaf
    });
    for n in 0..100 {
        well.client.send(&call(n, "echo", json!({}))).await;
        let frame = well.server.next().await;
        well.server.send(&answer(&frame["id"], "done")).await;
        assert_eq!(well.client.next().await["id"], n);
    }
    assert!(!flood.is_finished(), "the server of the deaf client is held up");
    flood.abort();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_denials_is_not_read_either() {
    let limits = GatewayLimits { backlog_bytes: 10_000, ..GatewayLimits::default() };
    let bench = Bench::limits(limits);
    let mut rig = bench.open_sized("s", 1000);
    let flood = async {
        for n in 0..10_000 {
            rig.client.send(&call(n, "withdraw", json!({}))).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_hours(1), flood).await.is_err(), "it is held up for good");
    // A denial is longer than 200 bytes; the pipes hold a little more.
    assert!(bench.audit.len() < 100, "{}", bench.audit.len());
}

#[tokio::test]
async fn a_client_that_never_pauses_does_not_silence_the_server() {
    let bench = Bench::new();
    let (client, front) = duplex(4096);
    let (back, server) = duplex(4096);
    let gateway = bench.gateway.clone();
    let (_, to_client) = split(front);
    let serving = tokio::spawn(async move {
        let endless = tokio::io::repeat(b'\n');
        gateway
            .serve_until(Identity::new("agent", "s"), (endless, to_client), split(back), std::future::pending())
            .await
    });
    let (mut client, mut server) = (Line::new(client), Line::new(server));
    server.send(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).await;
    assert_eq!(client.next().await["method"], "notifications/tools/list_changed");
    serving.abort();
}
