//! Every request, answer and event that the documentation of the streams shows, market and user data, against the mock's:
//! the same keys and types, or a reason why not.
//!
//! `cargo test -p mock-binance --test it stream_shapes -- --nocapture` prints one line per example.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mock_binance::engine::{Amount, Command};
use serde_json::{Value, json};

use crate::sessions;
use crate::shapes::{Comparison, NEW_OCO, NO_REFERENCE, file, report};
use crate::support::{Socket, bench};

const MARKET: &str = "web-socket-streams.md";
const USER: &str = "user-data-stream.md";
const BUY: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000";

/// The event of each example: its page and number, and the stream or, of user data, the event that is like it.
const EVENTS: &[(&str, u64, &str)] = &[
    (MARKET, 14, "btcusdt@aggTrade"),
    (MARKET, 15, "btcusdt@trade"),
    (MARKET, 17, "btcusdt@kline_1m"),
    (MARKET, 18, "btcusdt@kline_1m@+08:00"),
    (MARKET, 19, "btcusdt@miniTicker"),
    (MARKET, 20, "!miniTicker@arr"),
    (MARKET, 21, "btcusdt@ticker"),
    (MARKET, 22, "btcusdt@ticker_1h"),
    (MARKET, 23, "!ticker_1h@arr"),
    (MARKET, 24, "btcusdt@bookTicker"),
    (MARKET, 25, "btcusdt@avgPrice"),
    (MARKET, 26, "btcusdt@depth5@100ms"),
    (MARKET, 27, "btcusdt@depth@100ms"),
    (USER, 1, "outboundAccountPosition"),
    (USER, 2, "balanceUpdate"),
    (USER, 3, "executionReport"),
    (USER, 4, "listStatus"),
    (USER, 5, "eventStreamTerminated"),
];

/// Events that the mock never has to tell, and why.
const ABSENT: &[(&str, u64, &str)] = &[
    (MARKET, 13, NO_REFERENCE),
    (MARKET, 16, "there are no block trades"),
    (USER, 6, "no money of the mock is locked from outside"),
];

/// Keys of an example that are told under a condition.
const CONDITIONAL: &[(&str, u64, &str, &str)] =
    &[(USER, 3, ".event.v is missing", "told of orders from which something was taken to prevent a trade")];

/// One event of every market stream of [`EVENTS`].
async fn market_events() -> BTreeMap<String, Value> {
    let bench = bench().await;
    let names = EVENTS.iter().filter(|row| row.0 == MARKET).map(|row| row.2).collect::<Vec<_>>();
    let mut socket = bench.connect(&format!("/stream?streams={}", names.join("/"))).await;
    bench.bought().await;
    bench.resting().await;
    bench.mock.advance(Duration::from_secs(2));
    let mut told = BTreeMap::new();
    for event in socket.drain().await {
        told.insert(event["stream"].as_str().unwrap().to_owned(), event["data"].clone());
    }
    told
}

/// The first of every event of a user data stream, in the envelope of the WebSocket API.
async fn user_events() -> BTreeMap<String, Value> {
    let bench = sessions::bench().await;
    let mut socket = bench.connect("/ws-api/v3").await;
    socket.ask(&sessions::signed(1, "session.logon")).await;
    sessions::ask(&mut socket, "userDataStream.subscribe", json!({})).await;
    let account = bench.mock.account_id(sessions::KEY).unwrap();
    let asset = bench.mock.with_exchange(|exchange| exchange.spec().asset_id("USDT")).unwrap();
    let deposit = Command::Deposit { asset, amount: "2.5".parse::<Amount>().unwrap() };
    assert!(bench.mock.apply(account, &deposit).reply.is_ok());
    let timed = |query: &str| {
        let pairs = format!("{query}&timestamp={}", bench.clock.now_ms());
        let pairs = pairs.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect::<Value>()
    };
    let request = |method: &str, params: Value| json!({"id": 7, "method": method, "params": params}).to_string();
    let mut events = Vec::new();
    for (method, params) in [
        ("order.place", timed(BUY)),
        ("orderList.place.oco", timed(NEW_OCO)),
        ("userDataStream.unsubscribe", json!({})),
    ] {
        let mut next = socket.ask(&request(method, params)).await;
        while next.get("event").is_some() {
            events.push(next);
            next = socket.next().await;
        }
        assert_eq!(next["status"], 200, "{next}");
    }
    // Whatever the last answer was followed by.
    let mut next = socket.ask(&request("ping", json!({}))).await;
    while next.get("event").is_some() {
        events.push(next);
        next = socket.next().await;
    }
    let mut told = BTreeMap::new();
    for event in events {
        told.entry(event["event"]["e"].as_str().unwrap().to_owned()).or_insert(event);
    }
    told
}

/// What a client is told before the server goes: raw, combined, and over the WebSocket API.
async fn farewells() -> [Value; 3] {
    let bench = bench().await;
    let mut sockets = Vec::new();
    for target in ["/ws/btcusdt@trade", "/stream?streams=btcusdt@trade", "/ws-api/v3"] {
        sockets.push(bench.connect(target).await);
    }
    let stopping = tokio::spawn(bench.mock.shutdown());
    let mut told = Vec::new();
    for socket in &mut sockets {
        told.push(socket.next().await);
        assert!(socket.is_closed().await);
    }
    stopping.await.unwrap();
    told.try_into().unwrap()
}

/// Asks what the documentation asks, in its order, on one connection; the answers are told word for word.
async fn conversation(examples: &[(String, u64, Value)]) -> Vec<(u64, Result<String, String>)> {
    let bench = bench().await;
    let mut socket: Socket = bench.connect("/ws").await;
    let mut told = Vec::new();
    let mut answer = Value::Null;
    for (_, number, example) in examples.iter().filter(|(page, number, _)| page == MARKET && (3..=12).contains(number))
    {
        if example.get("method").is_some() {
            answer = socket.ask(&example.to_string()).await;
            told.push((*number, Ok("asked".to_owned())));
        } else if answer == *example {
            told.push((*number, Ok("same".to_owned())));
        } else {
            told.push((*number, Err(format!("different: {answer} instead of {example}"))));
        }
    }
    told
}

fn compare(
    page: &str,
    number: u64,
    example: &Value,
    event: &Value,
    used: &mut BTreeSet<u64>,
) -> Result<String, String> {
    // Lists of all symbols show an object without its keys.
    let shown = if *example == json!([{}]) { json!([]) } else { example.clone() };
    let mut found = Comparison::of("", &shown, event).found;
    found.retain(|different| {
        let excepted = CONDITIONAL.iter().any(|row| (row.0, row.1, row.2) == (page, number, different.as_str()));
        if excepted {
            used.insert(number);
        }
        !excepted
    });
    if event.as_array().is_some_and(Vec::is_empty) {
        found.push("nothing in the list".to_owned());
    }
    if example.get("e").is_some_and(|name| event["e"] != *name) {
        found.push(format!("{} instead of {}", event["e"], example["e"]));
    }
    if found.is_empty() { Ok("same".to_owned()) } else { Err(format!("different: {}", found.join(", "))) }
}

#[tokio::test]
async fn every_documented_event_is_the_same_or_cannot_be() {
    let examples: Vec<(String, u64, Value)> = file(include_str!("../data/documented_streams.json"), "examples")
        .into_iter()
        .map(|row| (row["page"].as_str().unwrap().to_owned(), row["number"].as_u64().unwrap(), row["json"].clone()))
        .collect();
    let mut told = market_events().await;
    told.extend(user_events().await);
    let [raw, combined, enveloped] = farewells().await;
    assert_eq!(enveloped, json!({"event": raw}), "as the page of the WebSocket API shows it");
    let said: BTreeMap<u64, Result<String, String>> = conversation(&examples).await.into_iter().collect();
    let (mut lines, mut used, mut absent, mut asked) = (Vec::new(), BTreeSet::new(), 0, 0);
    for (page, number, example) in &examples {
        let (page, number) = (page.as_str(), *number);
        let line = if let Some((.., reason)) = ABSENT.iter().find(|row| (row.0, row.1) == (page, number)) {
            absent += 1;
            Ok((*reason).to_owned())
        } else if let Some((.., name)) = EVENTS.iter().find(|row| (row.0, row.1) == (page, number)) {
            asked += 1;
            let event = told.get(*name).ok_or_else(|| format!("different: {name} is never told"));
            event.and_then(|event| compare(page, number, example, event, &mut used))
        } else if let Some(line) = said.get(&number).filter(|_| page == MARKET) {
            line.clone()
        } else if let Some(event) = [&raw, &combined].get(usize::try_from(number).unwrap() - 1) {
            compare(page, number, example, event, &mut used)
        } else {
            Err("different: neither told nor listed as absent".to_owned())
        };
        lines.push((format!("{page} #{number}"), line));
    }
    report(&lines);
    assert_eq!((absent, asked, said.len()), (ABSENT.len(), EVENTS.len(), 10));
    assert_eq!(used.len(), CONDITIONAL.len(), "an exception that nothing needs");
}
