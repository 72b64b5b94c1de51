//! What ends a stream connection.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Bench, START_MS, Socket, bench, bench_with};

const PING: Duration = Duration::from_secs(20);

async fn strict() -> Bench {
    bench_with(|builder| builder.connection_rules(true)).await
}

async fn assert_refused(socket: &mut Socket, reason: &str) {
    match socket.next_message().await {
        Some(Message::Close(Some(frame))) => {
            assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1008, reason));
        }
        other => panic!("expected a close, got {other:?}"),
    }
}

fn ping(after_secs: u64) -> Message {
    Message::Ping((START_MS + after_secs * 1000).to_string().into_bytes().into())
}

#[tokio::test]
async fn a_client_that_answers_pings_is_kept() {
    let bench = strict().await;
    let mut socket = bench.connect("/ws").await;
    for turn in 1..=6 {
        bench.mock.advance(PING);
        assert_eq!(socket.next_message().await, Some(ping(turn * 20)));
        // The client has answered by itself; an answer to what comes after shows that the pong has arrived.
        socket.assert_silent().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_answer_is_left() {
    let bench = strict().await;
    let mut socket = bench.connect("/ws").await;
    // At once: there is no moment for an answer.
    bench.mock.advance(4 * PING);
    for turn in 1..=3 {
        assert_eq!(socket.next_message().await, Some(ping(turn * 20)));
    }
    assert_refused(&mut socket, "Pong timeout").await;
    assert_eq!(bench.mock.stream_stats().connections_open, 0);
}

#[tokio::test]
async fn five_frames_a_second() {
    let bench = strict().await;
    let mut socket = bench.connect("/ws").await;
    for _ in 0..2 {
        for _ in 0..5 {
            socket.assert_silent().await;
        }
        bench.mock.advance(Duration::from_secs(1));
    }
    for _ in 0..6 {
        socket.say(Message::Pong(Vec::new().into())).await;
    }
    assert_refused(&mut socket, "Too many requests").await;
}

#[tokio::test]
async fn no_more_than_1024_streams() {
    let bench = bench().await;
    let mut socket = bench.connect("/ws").await;
    let names: Vec<String> = (0..1024).map(|number| format!("s{number}@trade")).collect();
    let all = json!({"method": "SUBSCRIBE", "params": names, "id": 1});
    assert_eq!(socket.ask(&all.to_string()).await, json!({"result": null, "id": 1}));
    let more = r#"{"method":"SUBSCRIBE","params":["s0@trade","one@more"],"id":2}"#;
    assert_eq!(socket.ask(more).await, json!({"error": {"code": 4, "msg": "Too many subscriptions"}}));
    assert_refused(&mut socket, "Too many subscriptions").await;
}
