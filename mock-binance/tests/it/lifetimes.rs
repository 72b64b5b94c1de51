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

#[tokio::test]
async fn the_web_socket_api_is_pinged_too_and_ends_after_a_day() {
    let bench = strict().await;
    let mut kept = bench.connect("/ws-api/v3").await;
    for turn in 1..=6 {
        bench.mock.advance(PING);
        assert_eq!(kept.next_message().await, Some(ping(turn * 20)));
        // Many requests a second are no offence here; their answers show that the pong has arrived.
        for _ in 0..10 {
            assert_eq!(kept.ask(r#"{"id":1,"method":"ping"}"#).await["status"], 200);
        }
    }
    let mut silent = bench.connect("/ws-api/v3").await;
    bench.mock.advance(4 * PING);
    for turn in 7..=9 {
        assert_eq!(silent.next_message().await, Some(ping(turn * 20)));
    }
    assert_refused(&mut silent, "Pong timeout").await;
    let mut last = bench.connect("/ws-api/v3").await;
    bench.mock.advance(Duration::from_hours(24));
    while let Some(message) = last.next_message().await {
        if matches!(message, Message::Close(_)) {
            return;
        }
    }
}

#[tokio::test]
async fn an_address_opens_three_hundred_connections_in_five_minutes() {
    let bench = strict().await;
    for _ in 0..150 {
        drop(bench.connect("/ws").await);
        drop(bench.connect("/ws-api/v3").await);
    }
    let url = format!("{}/ws", bench.mock.ws_url());
    let refused = tokio_tungstenite::connect_async(&url).await.unwrap_err();
    let tokio_tungstenite::tungstenite::Error::Http(answer) = refused else { panic!("{refused}") };
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"60".parse().unwrap()));
    bench.mock.advance(Duration::from_mins(1));
    drop(bench.connect("/ws").await);
}

#[tokio::test]
async fn how_many_connections_an_address_opens_can_be_set() {
    let bench = bench_with(|builder| builder.connection_rules(true).connections_max(2)).await;
    for _ in 0..2 {
        drop(bench.connect("/ws").await);
    }
    let url = format!("{}/ws-api/v3", bench.mock.ws_url());
    let refused = tokio_tungstenite::connect_async(&url).await.unwrap_err();
    let tokio_tungstenite::tungstenite::Error::Http(answer) = refused else { panic!("{refused}") };
    assert_eq!(answer.status().as_u16(), 429);
}
