//! Our MCP server, live, against the exchange of a tape; our gateway, live, in front of the server of a tape.

#![expect(clippy::expect_used, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use binance_mcp::{BinanceMcp, Config, Credentials};
use rogue_harness::cassette::tools::open;
use rogue_harness::cassette::{Body, Direction, Leg, Message, Redactor};
use rogue_harness::replay::exchange::{ExchangeHost, ExchangeOptions};
use rogue_harness::replay::{Pace, Player, Repeat, serve_guarded};
use rogue_harness::run::{RunOptions, run_suite};
use rogue_harness::scenario::load_all;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

fn recorded(id: &str, role: &str, folder: &Path) -> PathBuf {
    let mut cases = load_all(&["scenarios".into()]).expect("the scenarios are sound").cases;
    cases.retain(|case| case.scenario.id.as_str() == id);
    assert_eq!(cases.len(), 1);
    let options = RunOptions { record: Some(folder.to_owned()), ..RunOptions::default() };
    run_suite(&cases, &options, |_| {}).expect("a runtime");
    folder.join(format!("{id}.{role}.jsonl"))
}

/// What was said on a wire of the tape: each message of the client, with the answer to it.
fn session(tape: &Path, leg: Leg) -> Vec<(Value, Option<Value>)> {
    let messages: Vec<Message> = open(tape).expect("a tape").collect::<Result<_, _>>().expect("a sound tape");
    let value = |message: &Message| match &message.body {
        Body::Json(value) => value.clone(),
        Body::Text(text) | Body::Hex(text) => text.as_str().into(),
    };
    let of = |dir| messages.iter().filter(move |message| (message.leg, message.dir) == (leg, dir));
    let answer = |seq| of(Direction::Back).find(|message| message.cause == Some(seq)).map(value);
    of(Direction::Out).map(|message| (value(message), answer(message.seq))).collect()
}

/// Sends one message after the other, waiting for the answers that the tape has, and gives what came.
async fn played(stream: DuplexStream, session: &[(Value, Option<Value>)]) -> Vec<Value> {
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = BufReader::new(read).lines();
    let mut answers = Vec::new();
    // What the tape has in place of a secret, and what there is today.
    let mut words: BTreeMap<String, String> = BTreeMap::new();
    for (asked, answered) in session {
        let mut line = asked.to_string();
        for (placeholder, word) in &words {
            line = line.replace(placeholder, word);
        }
        write.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
        if answered.is_some() {
            let line = lines.next_line().await.expect("it writes").expect("an answer");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            if let Some(key) = answer.pointer("/result/structuredContent/listenKey").and_then(Value::as_str) {
                words.insert("[listen-key-1]".to_owned(), key.to_owned());
            }
            answers.push(answer);
        }
    }
    write.shutdown().await.expect("an end");
    assert_eq!(lines.next_line().await.expect("it ends"), None);
    let text = Value::Array(answers).to_string();
    let text = words.iter().fold(text, |text, (placeholder, word)| text.replace(word, placeholder));
    serde_json::from_str::<Vec<Value>>(&text).expect("JSON")
}

#[tokio::test]
async fn the_server_tells_its_agent_what_it_told_on_the_tape() {
    for (id, role) in [("stream-keep-alive", "workflow"), ("grid-trader", "workflow"), ("ra-01-fat-finger", "control")]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let tape = {
            let (id, role, path) = (id.to_owned(), role.to_owned(), folder.path().to_owned());
            tokio::task::spawn_blocking(move || recorded(&id, &role, &path)).await.expect("a tape")
        };
        let leg = if role == "control" { Leg::Agent } else { Leg::Upstream };
        let session = session(&tape, leg);
        let host = ExchangeHost::start(open(&tape).expect("a tape"), ExchangeOptions::default()).await.expect("a host");
        let mut config = Config::new(host.rest_url());
        config.credentials = Some(Credentials::new("anykey", "anysecret").expect("credentials"));
        // Another clock, and so other timestamps and signatures.
        config.clock = Arc::new(|| 1);
        config.max_in_flight = 1;
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (read, write) = tokio::io::split(theirs);
        let server = tokio::spawn(binance_mcp::serve(BinanceMcp::new(config).expect("a server"), read, write));
        let told = played(ours, &session).await;
        server.await.expect("it runs").expect("it serves");
        let expected: Vec<Value> = session.into_iter().filter_map(|(_, answered)| answered).collect();
        assert_eq!(told, expected, "{id}");
        let outcome = host.stop();
        assert!(outcome.is_same(false) && !outcome.played.is_empty(), "{id}: {outcome}");
    }
}

#[tokio::test]
async fn the_gateway_stands_in_front_of_a_tape() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    let tape = tokio::task::spawn_blocking(move || recorded("ra-01-fat-finger", "twin", &path)).await.expect("a tape");
    let session = session(&tape, Leg::Agent);
    let shipped = fs::read_to_string("scenarios/policies/binance-v1.json").expect("the shipped policy");
    let closed = r#"{ "version": "1", "default": "deny", "tools": { "bn_ping": {} } }"#;
    for (policy, decision, same) in [(shipped.as_str(), "allow", true), (closed, "deny", false)] {
        let redactor = Redactor::new(&[]).expect("no rules");
        let player = Player::new(open(&tape).expect("a tape"), Repeat::Fail, redactor).expect("a sound tape");
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (read, write) = tokio::io::split(theirs);
        let clock = Arc::new(|| 1_767_571_200_000);
        let policy = policy.into();
        let served = serve_guarded(player, Pace::Instant, &policy, clock, read, write);
        let (told, guarded) = tokio::join!(played(ours, &session), served);
        let guarded = guarded.expect("it serves");
        assert_eq!(guarded.decisions.len(), 1);
        let decided: Value = serde_json::from_str(&guarded.decisions[0]).expect("JSON");
        assert_eq!(decided["decision"], decision);
        let expected: Vec<Value> = session.iter().filter_map(|(_, answered)| answered.clone()).collect();
        if same {
            assert_eq!(told, expected);
            assert!(guarded.outcome.is_same(false), "{}", guarded.outcome);
        } else {
            assert_eq!(told[1]["result"]["isError"], json!(true));
            let left = guarded.outcome.to_string();
            assert!(left.contains("message 9, `tools/call bn_new_order`, was not asked for"), "{left}");
            assert!(!guarded.outcome.is_same(false) && guarded.outcome.is_same(true));
        }
    }
}
