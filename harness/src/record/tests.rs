use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hmac::{Hmac, KeyInit, Mac};
use mock_binance::{ManualClock, MockBinance};
use serde_json::Value;
use sha2::Sha256;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::*;
use crate::cassette::{Body, Direction, End, Header, Leg, Message, Redactor, TapeReader, TapeWriter};

const START_MS: u64 = 1_700_000_040_000;

/// A writer whose bytes can be looked at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Bench {
    mock: MockBinance,
    tape: Shared,
    recorder: Recorder,
    proxy: Proxy,
}

async fn bench() -> Bench {
    let clock = ManualClock::new(START_MS);
    let mock = MockBinance::builder().clock(&clock).start().await.unwrap();
    let header = Header::new("test", START_MS);
    let tape = Shared::default();
    let writer: Box<dyn std::io::Write + Send> = Box::new(tape.clone());
    let writer = TapeWriter::new(writer, &header, Redactor::new(&[]).unwrap()).unwrap();
    let recorder = Recorder::new(writer, move || clock.now_ms());
    let address = "127.0.0.1:0".parse().unwrap();
    let proxy = Proxy::start(address, &mock.rest_url(), Speaks::Exchange, recorder.observer()).await.unwrap();
    Bench { mock, tape, recorder, proxy }
}

impl Bench {
    fn messages(&self) -> Vec<Message> {
        self.recorder.finish().unwrap();
        let bytes = self.tape.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes.clone()).unwrap();
        for secret in [self.mock.accounts()[0].api_key(), self.mock.accounts()[0].secret()] {
            assert!(!text.contains(secret), "{text}");
        }
        let mut reader = TapeReader::new(bytes.as_slice()).unwrap();
        let messages = reader.by_ref().collect::<Result<_, _>>().unwrap();
        assert_eq!(reader.end(), Some(End::Whole));
        messages
    }

    fn signed(&self, query: &str) -> String {
        let account = &self.mock.accounts()[0];
        let payload = format!("{query}&timestamp={START_MS}");
        let mut mac = Hmac::<Sha256>::new_from_slice(account.secret().as_bytes()).unwrap();
        mac.update(payload.as_bytes());
        format!("{payload}&signature={}", hex::encode(mac.finalize().into_bytes()))
    }
}

fn json(message: &Message) -> &Value {
    match &message.body {
        Body::Json(value) => value,
        other => panic!("no JSON: {other:?}"),
    }
}

#[tokio::test]
async fn signed_requests_pass_and_their_secrets_stay_off_the_tape() {
    let bench = bench().await;
    let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let query = bench.signed("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001");
    let url = format!("{}/api/v3/order", bench.proxy.url());
    let key = bench.mock.accounts()[0].api_key();
    // As a form, and with a space that a tidy client would have written otherwise.
    let form = client.post(&url).header("x-mbx-apikey", key).header("authorization", "Bearer hush");
    let form = form.header("content-type", "application/x-www-form-urlencoded").body(query.clone());
    let answer = form.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let used = answer.headers()["x-mbx-used-weight-1m"].clone();
    let told = answer.text().await.unwrap();
    assert!(told.contains("FILLED"), "{told}");
    let refused = client.get(format!("{}/api/v3/depth?symbol=nope", bench.proxy.url())).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    drop(refused.text().await.unwrap());

    let messages = bench.messages();
    let legs: Vec<_> = messages.iter().map(|m| (m.leg, m.dir, m.cause)).collect();
    let (out, back) = (Direction::Out, Direction::Back);
    assert_eq!(
        legs,
        [(Leg::Rest, out, None), (Leg::Rest, back, Some(1)), (Leg::Rest, out, None), (Leg::Rest, back, Some(3)),]
    );
    let asked = json(&messages[0]);
    assert_eq!(asked["target"], "/api/v3/order");
    let body = asked["body"]["text"].as_str().unwrap();
    assert!(body.starts_with("symbol=BTCUSDT&side=BUY") && body.ends_with("&signature=[signature]"), "{body}");
    assert!(asked["headers"]["x-mbx-apikey"] == "[api-key-1]", "{asked}");
    assert!(!asked.to_string().contains("hush"));
    let answered = json(&messages[1]);
    assert_eq!(answered["body"]["json"].to_string(), told);
    assert!(answered["headers"].to_string().contains(used.to_str().unwrap()));
    assert_eq!(json(&messages[3])["status"], 400);
}

#[tokio::test]
async fn streams_pass_in_both_directions() {
    let bench = bench().await;
    let url = format!("{}/ws/btcusdt@trade", bench.proxy.url().replace("http", "ws"));
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    socket.send(Frame::text(r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#)).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    assert_eq!(answer.to_text().unwrap(), r#"{"result":["btcusdt@trade"],"id":3}"#);
    socket.send(Frame::Close(None)).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
    let frames: Vec<_> = bench.messages().iter().take(3).map(|m| (m.leg, m.dir, json(m).to_string())).collect();
    let expected = [
        (Direction::Out, r#"{"connection":1,"open":"/ws/btcusdt@trade"}"#),
        (Direction::Out, r#"{"connection":1,"frame":{"json":{"method":"LIST_SUBSCRIPTIONS","id":3}}}"#),
        (Direction::Back, r#"{"connection":1,"frame":{"json":{"result":["btcusdt@trade"],"id":3}}}"#),
    ];
    assert_eq!(frames, expected.map(|(dir, text)| (Leg::Ws, dir, text.to_owned())));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_as_such() {
    let bench = bench().await;
    let observe = bench.recorder.observer();
    let address = "127.0.0.1:0".parse().unwrap();
    // Port 1 of this machine answers nobody.
    let proxy = Proxy::start(address, "http://127.0.0.1:1", Speaks::Exchange, observe.clone()).await.unwrap();
    let answer = reqwest::get(format!("{}/api/v3/ping", proxy.url())).await.unwrap();
    assert_eq!(answer.status(), 502);
    assert_eq!(json(&bench.messages()[1])["status"], 0);
    for url in ["127.0.0.1:1", "ftp://x", "http://x/?y", "nonsense"] {
        assert!(Proxy::start(address, url, Speaks::Mcp, observe.clone()).await.is_err(), "{url}");
    }
}
