//! A mock with a clock that stands still, and a client that signs.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hmac::{Hmac, KeyInit, Mac};
use mock_binance::{Account, Builder, ManualClock, MockBinance};
use reqwest::header::HeaderMap;
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// The start of a minute, and of ten seconds.
pub(crate) const START_MS: u64 = 1_700_000_040_000;
/// Nothing here waits for long; this only ends what would wait for ever.
const GUARD: Duration = Duration::from_secs(20);

pub(crate) struct Bench {
    pub(crate) mock: MockBinance,
    pub(crate) clock: ManualClock,
    pub(crate) http: reqwest::Client,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The answer, which must be a success.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/json;charset=UTF-8"));
        self.json()
    }

    /// Status, code and text of a refusal.
    pub(crate) fn refusal(&self) -> (u16, i64, String) {
        let body = self.json();
        let code = body["code"].as_i64().unwrap_or_else(|| panic!("no refusal: {}", self.text));
        (self.status, code, body["msg"].as_str().unwrap().to_owned())
    }
}

/// A mock as [`Bench::start`] makes it, with more settings.
pub(crate) async fn bench_with(settings: impl FnOnce(Builder) -> Builder) -> Bench {
    let clock = ManualClock::new(START_MS);
    let mock = settings(MockBinance::builder().clock(&clock)).start().await.unwrap();
    let http = reqwest::Client::builder().timeout(GUARD).build().unwrap();
    Bench { mock, clock, http }
}

pub(crate) async fn bench() -> Bench {
    bench_with(|builder| builder).await
}

pub(crate) fn sign(secret: &str, payload: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(payload.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

impl Bench {
    pub(crate) fn account(&self) -> &Account {
        &self.mock.accounts()[0]
    }

    /// Sends exactly this.
    pub(crate) async fn send(&self, method: &str, target: &str, key: Option<&str>, body: Option<String>) -> Answer {
        let url = format!("{}{target}", self.mock.rest_url());
        let mut request = self.http.request(method.parse().unwrap(), url);
        if let Some(key) = key {
            request = request.header("X-MBX-APIKEY", key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    /// A GET without a key.
    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, None, None).await
    }

    /// A request with the first account's key and no signature.
    pub(crate) async fn keyed(&self, method: &str, target: &str) -> Answer {
        self.send(method, target, Some(self.account().api_key()), None).await
    }

    /// A request of the first account, timed and signed in the query.
    pub(crate) async fn signed(&self, method: &str, path: &str, query: &str) -> Answer {
        self.signed_by(self.account(), method, path, query).await
    }

    pub(crate) async fn signed_by(&self, account: &Account, method: &str, path: &str, query: &str) -> Answer {
        let and = if query.is_empty() { "" } else { "&" };
        let payload = format!("{query}{and}timestamp={}", self.clock.now_ms());
        self.signed_raw(account, method, path, &payload).await
    }

    /// As [`signed`](Self::signed), with a timestamp of the caller's own.
    pub(crate) async fn signed_raw(&self, account: &Account, method: &str, path: &str, payload: &str) -> Answer {
        let signature = sign(account.secret(), payload);
        let target = format!("{path}?{payload}&signature={signature}");
        self.send(method, &target, Some(account.api_key()), None).await
    }

    pub(crate) async fn order(&self, query: &str) -> Answer {
        self.signed("POST", "/api/v3/order", query).await
    }

    /// A resting BUY of 0.001 BTC at 50 000 USDT.
    pub(crate) async fn resting(&self) -> Value {
        self.order("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000").await.ok()
    }

    /// A BUY of 0.001 BTC at whatever it costs.
    pub(crate) async fn bought(&self) -> Value {
        self.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001").await.ok()
    }

    pub(crate) async fn listen_key(&self) -> String {
        let answer = self.keyed("POST", "/api/v3/userDataStream").await.ok();
        answer["listenKey"].as_str().unwrap().to_owned()
    }

    /// A request of the first account over the WebSocket API; `query` has its parameters by name, `{key}` and `{now}`
    /// for the account's key and the time.
    pub(crate) fn ws_request(&self, method: &str, query: &str) -> String {
        let now = self.clock.now_ms().to_string();
        let payload = query.replace("{key}", self.account().api_key()).replace("{now}", &now);
        let mut params: serde_json::Map<String, Value> = payload
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        params.insert("signature".to_owned(), Value::from(sign(self.account().secret(), &payload)));
        serde_json::json!({ "id": method, "method": method, "params": params }).to_string()
    }

    pub(crate) async fn connect(&self, target: &str) -> Socket {
        self.connect_with(target, &[]).await.0
    }

    /// Connects with more headers, and gives those of the answer.
    pub(crate) async fn connect_with(&self, target: &str, headers: &[(&'static str, &str)]) -> (Socket, HeaderMap) {
        let mut request = format!("{}{target}", self.mock.ws_url()).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (stream, answer) = tokio_tungstenite::connect_async(request).await.unwrap();
        (Socket { stream }, answer.headers().clone())
    }
}

/// A stream connection.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    /// The next event or answer.
    pub(crate) async fn next(&mut self) -> Value {
        match self.next_message().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("expected a text frame, got {other:?}"),
        }
    }

    /// Whether the other side ends the connection next.
    pub(crate) async fn is_closed(&mut self) -> bool {
        matches!(self.next_message().await, None | Some(Message::Close(_)))
    }

    /// Asks and gives the answer; events that come before it are an error.
    pub(crate) async fn ask(&mut self, request: &str) -> Value {
        self.stream.send(Message::text(request)).await.unwrap();
        self.next().await
    }

    /// All events that are on their way.
    pub(crate) async fn drain(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        let mut next = self.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":986}"#).await;
        while next["id"] != 986 {
            events.push(next);
            next = self.next().await;
        }
        events
    }

    /// Shows that nothing is on its way: an answer comes next, and frames keep their order.
    pub(crate) async fn assert_silent(&mut self) {
        let answer = self.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":987}"#).await;
        assert_eq!(answer["id"], 987, "something came before the answer: {answer}");
    }

    /// Sends without waiting for an answer.
    pub(crate) async fn say(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// The next frame, whatever it is.
    pub(crate) async fn next_message(&mut self) -> Option<Message> {
        tokio::time::timeout(GUARD, self.stream.next()).await.expect("a frame before the guard").and_then(Result::ok)
    }
}

/// The names of an object's fields, in order.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Where two values differ in keys or types: the shape of the first decides. Lists are compared by their first rows.
pub(crate) fn difference(at: &str, expected: &Value, actual: &Value) -> Option<String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            let mut names: [Vec<&String>; 2] = [expected.keys().collect(), actual.keys().collect()];
            for names in &mut names {
                names.sort();
            }
            if names[0] != names[1] {
                return Some(format!("{at}: expected the keys {:?}, got {:?}", names[0], names[1]));
            }
            expected.iter().find_map(|(name, value)| difference(&format!("{at}.{name}"), value, &actual[name]))
        }
        (Value::Array(expected), Value::Array(actual)) => match (expected.first(), actual.first()) {
            (Some(Value::Array(row)), Some(Value::Array(other))) if row.len() != other.len() => {
                Some(format!("{at}: rows of {} and {}", row.len(), other.len()))
            }
            (Some(expected), Some(actual)) => difference(&format!("{at}[0]"), expected, actual),
            (Some(_), None) => Some(format!("{at}: nothing to compare")),
            (None, _) => None,
        },
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, Value::Null) => None,
        _ => Some(format!("{at}: expected something like {expected}, got {actual}")),
    }
}
