use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::super::tests::{BACK, OUT, tape};
use super::*;
use crate::cassette::{Leg, TapeReader};
use crate::replay::{Outcome, Repeat};

const KEY: &str = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1";

fn asked(id: u64, method: &str, target: &str, form: Option<&str>) -> String {
    let body = form.map(|form| json!({ "text": form }));
    let headers = json!({"content-type": "application/x-www-form-urlencoded", "x-mbx-apikey": "the API key"});
    json!({"id": id, "method": method, "target": target, "headers": headers, "body": body}).to_string()
}

fn answered(id: u64, status: u16, body: &Value) -> String {
    let headers = json!({"content-type": "application/json;charset=UTF-8", "x-mbx-used-weight-1m": "7"});
    json!({"id": id, "status": status, "headers": headers, "body": {"json": body}}).to_string()
}

async fn host(messages: &[(u64, Leg, crate::cassette::Direction, String)], options: ExchangeOptions) -> ExchangeHost {
    let messages: Vec<_> = messages.iter().map(|(at, leg, dir, frame)| (*at, *leg, *dir, frame.as_str())).collect();
    let tape = tape(&messages);
    assert!(!String::from_utf8_lossy(&tape).contains(KEY));
    ExchangeHost::start(TapeReader::new(tape.as_slice()).unwrap(), options).await.unwrap()
}

async fn send(host: &ExchangeHost, method: &str, target: &str, form: Option<&str>) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method.parse().unwrap(), format!("{}{target}", host.rest_url()));
    if let Some(form) = form {
        request = request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
    }
    let answer = request.header("X-MBX-APIKEY", "another").send().await.unwrap();
    let status = answer.status().as_u16();
    if status != 501 {
        assert_eq!(answer.headers().get("x-mbx-used-weight-1m").unwrap(), "7");
        assert_eq!(answer.headers().get("content-type").unwrap(), "application/json;charset=UTF-8");
    }
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

fn told(outcome: &Outcome) -> String {
    outcome.to_string()
}

#[tokio::test]
async fn requests_are_answered_through_signing_redaction_and_ids() {
    let order = "symbol=BTCUSDT&newClientOrderId=t1&quantity=0.10&timestamp=1000&recvWindow=5000&signature=c8db";
    let messages = [
        (0, Leg::Rest, OUT, asked(1, "POST", "/api/v3/order", Some(order))),
        (
            5,
            Leg::Rest,
            BACK,
            answered(1, 200, &json!({"orderId": 161, "clientOrderId": "t1", "transactTime": 1_767_571_200_000_u64})),
        ),
        (5, Leg::Rest, OUT, asked(2, "POST", "/api/v3/userDataStream", None)),
        (6, Leg::Rest, BACK, answered(2, 200, &json!({"listenKey": KEY}))),
        (7, Leg::Rest, OUT, asked(3, "PUT", &format!("/api/v3/userDataStream?listenKey={KEY}"), None)),
        (8, Leg::Rest, BACK, answered(3, 400, &json!({"code": -1125, "msg": "This listenKey does not exist."}))),
        (9, Leg::Rest, OUT, asked(4, "GET", "/api/v3/time", None)),
        (9, Leg::Rest, BACK, r#"{"id":4,"status":0}"#.to_owned()),
    ];
    let host = host(&messages, ExchangeOptions::default()).await;
    let (status, key) = send(&host, "POST", "/api/v3/userDataStream", None).await;
    let key = key["listenKey"].as_str().unwrap().to_owned();
    assert!(status == 200 && key.len() == 64 && key != KEY);
    let order = "quantity=0.10&symbol=BTCUSDT&signature=ffff&newClientOrderId=mine&timestamp=2";
    let expected = json!({"orderId": 161, "clientOrderId": "mine", "transactTime": 1_767_571_200_000_u64});
    assert_eq!(send(&host, "POST", "/api/v3/order", Some(order)).await, (200, expected));
    let (status, refused) = send(&host, "PUT", &format!("/api/v3/userDataStream?listenKey={key}"), None).await;
    assert_eq!((status, &refused["code"]), (400, &json!(-1125)));

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let broken = client.get(format!("{}/api/v3/time", host.rest_url())).send().await;
    assert!(broken.is_err(), "the connection broke on the tape");

    let (status, missed) =
        send(&host, "POST", "/api/v3/order", Some("symbol=BTCUSDT&quantity=0.1&newClientOrderId=mine")).await;
    let miss = concat!(
        "request 5, `POST /api/v3/order`, is not on the tape\n",
        "  nearest: message 1, `POST /api/v3/order`, which was given to request 2\n",
        "    /form/quantity\n      - \"0.10\"\n      + \"0.1\"",
    );
    assert_eq!((status, missed), (501, json!({"code": -32040, "msg": format!("[NOT ON TAPE] {miss}")})));
    let expected = format!("{miss}\n4 requests played, 0 not asked for, 1 not on the tape");
    assert_eq!(told(&host.stop()), expected);
}

#[tokio::test]
async fn what_comes_too_often_is_told_and_times_move_when_asked() {
    let messages = [
        (1_000, Leg::Rest, OUT, asked(1, "GET", "/api/v3/time", None)),
        (1_000, Leg::Rest, BACK, answered(1, 200, &json!({"serverTime": 1_767_571_201_000_u64}))),
        (1_000, Leg::Rest, OUT, asked(2, "GET", "/api/v3/ping", None)),
        (1_000, Leg::Rest, BACK, answered(2, 200, &json!({}))),
    ];
    let refresh: Option<std::sync::Arc<dyn Fn() -> u64 + Send + Sync>> = Some(std::sync::Arc::new(|| 61_000));
    let host = host(&messages, ExchangeOptions { refresh, ..ExchangeOptions::default() }).await;
    let moved = json!({"serverTime": 1_767_571_261_000_u64});
    assert_eq!(send(&host, "GET", "/api/v3/time", None).await, (200, moved));
    assert_eq!(send(&host, "GET", "/api/v3/time", None).await.0, 501);
    let expected = concat!(
        "request 2, `GET /api/v3/time`, is on the tape once, and every answer was given already\n",
        "  message 1 was given to request 1\n",
        "  = help: `--repeat last` or `--repeat cycle` gives answers again\n",
        "message 3, `GET /api/v3/ping`, was not asked for\n",
        "1 request played, 1 not asked for, 1 not on the tape",
    );
    assert_eq!(told(&host.stop()), expected);
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

async fn open(host: &ExchangeHost, target: &str) -> Result<Socket, tungstenite::Error> {
    connect_async(format!("{}{target}", host.websocket_url())).await.map(|(socket, _)| socket)
}

async fn hear(socket: &mut Socket) -> Value {
    match socket.next().await.unwrap().unwrap() {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn ws(number: u64, what: &str, value: &Value) -> String {
    json!({ "connection": number, what: value }).to_string()
}

#[tokio::test]
async fn a_stream_tells_what_followed_a_request_after_that_request() {
    let text = |value: &Value| json!({ "json": value });
    let messages = [
        (0, Leg::Rest, OUT, asked(1, "POST", "/api/v3/userDataStream", None)),
        (0, Leg::Rest, BACK, answered(1, 200, &json!({"listenKey": KEY}))),
        (1, Leg::Ws, OUT, ws(1, "open", &json!(format!("/ws/{KEY}")))),
        (2, Leg::Ws, BACK, ws(1, "frame", &text(&json!({"e": "hello"})))),
        (3, Leg::Ws, OUT, ws(1, "frame", &text(&json!({"method": "SUBSCRIBE", "params": ["a"], "id": 7})))),
        (3, Leg::Ws, BACK, ws(1, "frame", &text(&json!({"result": null, "id": 7})))),
        (4, Leg::Rest, OUT, asked(2, "POST", "/api/v3/order", Some("newClientOrderId=t1"))),
        (4, Leg::Ws, BACK, ws(1, "frame", &text(&json!({"e": "executionReport", "c": "t1", "listenKey": KEY})))),
        (4, Leg::Rest, BACK, answered(2, 200, &json!({"orderId": 1}))),
        (5, Leg::Ws, BACK, ws(1, "close", &json!(1008))),
    ];
    let host = host(&messages, ExchangeOptions { repeat: Repeat::Fail, ..ExchangeOptions::default() }).await;
    let refused = open(&host, "/ws/other").await.unwrap_err();
    let tungstenite::Error::Http(answer) = refused else { panic!("{refused}") };
    let miss = concat!(
        "request 1, `WebSocket /ws/other`, is not on the tape\n",
        "  nearest: message 3, `WebSocket /ws/[listen-key-1]`\n",
        "    /path\n      - \"/ws/[listen-key-1]\"\n      + \"/ws/other\"",
    );
    assert_eq!(answer.status(), 501);
    assert_eq!(answer.body().as_deref().map(String::from_utf8_lossy).unwrap(), format!("[NOT ON TAPE] {miss}\n"));

    let (_, key) = send(&host, "POST", "/api/v3/userDataStream", None).await;
    let mut socket = open(&host, &format!("/ws/{}", key["listenKey"].as_str().unwrap())).await.unwrap();
    assert_eq!(hear(&mut socket).await, json!({"e": "hello"}));
    socket.send(Message::text(r#"{"id":"x","params":["a"],"method":"SUBSCRIBE"}"#)).await.unwrap();
    assert_eq!(hear(&mut socket).await, json!({"result": null, "id": "x"}));
    socket.send(Message::text(r#"{"id":"y","params":["b"],"method":"SUBSCRIBE"}"#)).await.unwrap();
    // Nothing of the order is told before there is one.
    assert!(told(&host.outcome()).ends_with(", 1 message of streams not sent"), "{}", told(&host.outcome()));
    assert!(!host.outcome().is_same(false));
    assert_eq!(send(&host, "POST", "/api/v3/order", Some("newClientOrderId=t1")).await.0, 200);
    assert_eq!(hear(&mut socket).await, json!({"e": "executionReport", "c": "t1", "listenKey": key["listenKey"]}));
    let outcome = loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => {
                let told: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(
                    (&told["id"], &told["status"], &told["error"]["code"]),
                    (&json!("y"), &json!(501), &json!(-32040))
                );
            }
            Message::Close(Some(frame)) => {
                assert_eq!(u16::from(frame.code), 1008);
                break host.stop();
            }
            other => panic!("{other:?}"),
        }
    };
    let subscribed = concat!(
        "request 2, `SUBSCRIBE`, is not on the tape\n",
        "  nearest: message 5, `SUBSCRIBE`, which was given to request 1\n",
        "    /params/0\n      - \"a\"\n      + \"b\"\n",
        "4 requests played, 0 not asked for, 2 not on the tape",
    );
    assert_eq!(told(&outcome), format!("{miss}\n{subscribed}"));
}

#[tokio::test]
async fn a_stream_whose_opening_is_not_on_the_tape_goes_to_whoever_listens() {
    let event = |at: u64| json!({"stream": "own", "frame": {"json": {"E": at}}}).to_string();
    let messages = [
        (10, Leg::Rest, OUT, asked(1, "GET", "/api/v3/ping", None)),
        (10, Leg::Rest, BACK, answered(1, 200, &json!({}))),
        (0, Leg::Ws, BACK, event(0)),
        (10, Leg::Ws, BACK, event(10)),
    ];
    let waits = host(&messages, ExchangeOptions::default()).await;
    let mut socket = open(&waits, "/ws/any").await.unwrap();
    assert_eq!(hear(&mut socket).await, json!({"E": 0}));
    assert_eq!(waits.outcome().unsent, 1);
    send(&waits, "GET", "/api/v3/ping", None).await;
    assert_eq!(hear(&mut socket).await, json!({"E": 10}));

    let free = host(&messages, ExchangeOptions { free_streams: true, ..ExchangeOptions::default() }).await;
    let mut socket = open(&free, "/ws/any").await.unwrap();
    assert_eq!(hear(&mut socket).await, json!({"E": 0}));
    assert_eq!(hear(&mut socket).await, json!({"E": 10}));
    assert!(open(&free, "/ws/any").await.is_err(), "there was one listener");
}

#[tokio::test]
async fn faults_meet_requests() {
    let mut messages = Vec::new();
    for id in 1..=3 {
        messages.push((0, Leg::Rest, OUT, asked(id, "GET", "/api/v3/ping", None)));
        messages.push((0, Leg::Rest, BACK, answered(id, 200, &json!({"n": id}))));
    }
    let faults = r#"{"faults": [
        {"name": "limit", "on": "GET /api/v3/*", "nth": 1,
         "what": {"error": {"code": -1003, "message": "Too many requests.", "status": 429, "retry_after": 7}}},
        {"name": "gone", "on": "GET /api/v3/ping", "nth": 2, "what": "disconnect"}
    ]}"#;
    let overlay = crate::replay::Overlay::parse(faults).unwrap();
    let host = host(&messages, ExchangeOptions { overlay, ..ExchangeOptions::default() }).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = || client.get(format!("{}/api/v3/ping", host.rest_url())).send();
    let limited = ask().await.unwrap();
    assert_eq!((limited.status().as_u16(), limited.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(limited.text().await.unwrap(), r#"{"code":-1003,"msg":"Too many requests."}"#);
    assert!(ask().await.is_err());
    assert_eq!(ask().await.unwrap().text().await.unwrap(), r#"{"n":3}"#);
    assert!(host.stop().is_same(false));
}

#[tokio::test]
async fn faults_meet_the_requests_and_events_of_connections() {
    let text = |value: &Value| json!({ "json": value });
    let event = |n: u64| json!({ "stream": "btcusdt@trade", "data": { "n": n } });
    let mut messages = vec![(0, Leg::Ws, OUT, ws(1, "open", &json!("/stream")))];
    for id in 1..=2 {
        messages.push((0, Leg::Ws, OUT, ws(1, "frame", &text(&json!({ "method": "ping", "id": id })))));
        messages.push((0, Leg::Ws, BACK, ws(1, "frame", &text(&json!({ "id": id, "status": 200, "result": {} })))));
    }
    messages.extend((1..=4).map(|n| (0, Leg::Ws, BACK, ws(1, "frame", &text(&event(n))))));
    let faults = r#"{"faults": [
        {"name": "limit", "on": "ping", "nth": 1,
         "what": {"error": {"code": -1003, "message": "Too many requests.", "status": 429}}},
        {"name": "twice", "on": "stream btcusdt@*", "nth": 1, "what": "duplicate"},
        {"name": "lost", "on": "stream btcusdt@trade", "nth": 2, "what": "timeout"},
        {"name": "gone", "on": "stream btcusdt@trade", "nth": 4, "what": "disconnect"},
        {"name": "never", "on": "event executionReport", "what": "duplicate"}
    ]}"#;
    let overlay = crate::replay::Overlay::parse(faults).unwrap();
    let host = host(&messages, ExchangeOptions { overlay, ..ExchangeOptions::default() }).await;
    let mut socket = open(&host, "/stream").await.unwrap();
    socket.send(Message::text(r#"{"id":"a","method":"ping"}"#)).await.unwrap();
    let limited = json!({"id": "a", "status": 429, "error": {"code": -1003, "msg": "Too many requests."}});
    assert_eq!(hear(&mut socket).await, limited);
    socket.send(Message::text(r#"{"id":"b","method":"ping"}"#)).await.unwrap();
    assert_eq!(hear(&mut socket).await, json!({"id": "b", "status": 200, "result": {}}));
    assert_eq!(
        [hear(&mut socket).await, hear(&mut socket).await, hear(&mut socket).await],
        [event(1), event(1), event(3)]
    );
    assert!(!matches!(socket.next().await, Some(Ok(Message::Text(_) | Message::Close(_)))), "it broke without a word");
    let outcome = host.stop();
    assert_eq!(outcome.unmet, ["never"]);
    assert!(outcome.is_same(true) && !outcome.is_same(false));
}

#[tokio::test]
async fn what_is_known_is_not_asked_again() {
    use std::sync::{Arc, Mutex};

    use crate::cassette::Redactor;
    use crate::record::{Proxy, Speaks};

    let ping = |n: u64| {
        [
            (0, Leg::Rest, OUT, asked(n, "GET", "/api/v3/ping", None)),
            (0, Leg::Rest, BACK, answered(n, 200, &json!({"n": n}))),
        ]
    };
    let live = host(&ping(7), ExchangeOptions::default()).await;
    let on_tape = ping(1);
    let messages: Vec<_> = on_tape.iter().map(|(at, leg, dir, frame)| (*at, *leg, *dir, frame.as_str())).collect();
    let tape = tape(&messages);
    let known = known(TapeReader::new(tape.as_slice()).unwrap(), Redactor::new(&[]).unwrap()).unwrap();
    let seen = Arc::new(Mutex::new(0));
    let seeing = seen.clone();
    let observe = Arc::new(move |_, _, _: &[u8]| *seeing.lock().unwrap() += 1);
    let any = ExchangeOptions::default().listen;
    let proxy = Proxy::start_knowing(any, &live.rest_url(), Speaks::Exchange, observe, Some(known)).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = || client.get(format!("{}/api/v3/ping", proxy.url())).send();
    assert_eq!(ask().await.unwrap().text().await.unwrap(), r#"{"n":1}"#);
    assert_eq!(*seen.lock().unwrap(), 0, "only what is new is recorded");
    assert_eq!(ask().await.unwrap().text().await.unwrap(), r#"{"n":7}"#);
    assert_eq!(*seen.lock().unwrap(), 2, "a request and its answer");
    assert!(live.stop().is_same(false));
}
