//! What a signed order over REST costs the mock, beside a constant answer from a bare wiremock server; and one order
//! through everything: agent, gateway, tool server, signature, loopback, engine and back.
//!
//! `cargo bench --bench exchange`

#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a bench")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use binance_mcp::{BinanceMcp, Config, Credentials};
use criterion::{Criterion, criterion_group, criterion_main};
use exchange_engine::{LimitsSpec, WindowLimit};
use hmac::{Hmac, KeyInit as _, Mac as _};
use mcp_gateway::{Gateway, GatewayConfig, Identity, MemoryAudit};
use mcp_policy::{Guard, Policy};
use mock_binance::{Account, ManualClock, MockBinance};
use rmcp::RoleClient;
use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::service::RunningService;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{duplex, split};
use tokio::runtime::Runtime;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

const START_MS: u64 = 1_767_571_200_000;
const PIPE: usize = 1 << 16;

fn account() -> Account {
    Account::generated(1).balance("USDT", "1000000000").balance("BTC", "10000")
}

/// Everything that moves by itself is off: the clock stands, and no limit is met.
async fn mock(clock: &ManualClock) -> MockBinance {
    let orders = |window_secs| WindowLimit { window_secs, limit: u32::MAX };
    let limits = LimitsSpec { orders: vec![orders(10), orders(86_400)], ..unlimited() };
    MockBinance::builder()
        .clock(clock.clone())
        .limits(limits)
        .account(account())
        .price("BTCUSDT", "60000.00")
        .start()
        .await
        .expect("the mock starts")
}

fn unlimited() -> LimitsSpec {
    let mut limits = LimitsSpec::default();
    limits.request_weight.limit = u32::MAX;
    limits.raw_requests.limit = u32::MAX;
    limits
}

fn signed_order(turn: u64) -> String {
    let side = if turn.is_multiple_of(2) { "BUY" } else { "SELL" };
    let query = format!("symbol=BTCUSDT&side={side}&type=MARKET&quantity=0.001&recvWindow=5000&timestamp={START_MS}");
    let mut mac = Hmac::<Sha256>::new_from_slice(account().secret().as_bytes()).expect("any length is a key");
    mac.update(query.as_bytes());
    format!("{query}&signature={}", hex::encode(mac.finalize().into_bytes()))
}

async fn post(client: &reqwest::Client, url: &str, turn: u64) {
    let answer = client
        .post(url)
        .header("X-MBX-APIKEY", account().api_key())
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(signed_order(turn))
        .send()
        .await
        .expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    assert!(status.is_success() && text.contains("FILLED"), "{status} {text}");
}

fn rest(c: &mut Criterion, runtime: &Runtime) {
    let mut group = c.benchmark_group("rest/order");
    let client = reqwest::Client::new();
    let turns = AtomicU64::new(0);
    let clock = ManualClock::new(START_MS);
    let mock = runtime.block_on(mock(&clock));
    let order = format!("{}/api/v3/order", mock.rest_url());

    // The constant answer has the size of a real one.
    let constant = runtime.block_on(async {
        let text = client
            .post(&order)
            .header("X-MBX-APIKEY", account().api_key())
            .body(signed_order(0))
            .send()
            .await
            .expect("an answer")
            .text()
            .await
            .expect("a body");
        let server = MockServer::builder().disable_request_recording().start().await;
        let answer = ResponseTemplate::new(200).set_body_raw(text, "application/json");
        Mock::given(any()).respond_with(answer).mount(&server).await;
        server
    });
    let bare = format!("{}/api/v3/order", constant.uri());
    group.bench_function("constant answer", |b| {
        b.to_async(runtime).iter(|| post(&client, &bare, turns.fetch_add(1, Ordering::Relaxed)));
    });
    group.bench_function("mock", |b| {
        b.to_async(runtime).iter(|| post(&client, &order, turns.fetch_add(1, Ordering::Relaxed)));
    });
    group.finish();
}

type Client = RunningService<RoleClient, ()>;

/// The embedded stack, with or without the gateway. The gateway's clock makes a minute of each call, so that the
/// shipped limits are in force and never met; the exchange's clock stands.
async fn stack(mock: &MockBinance, clock: &ManualClock, guarded: bool) -> Client {
    let mut config = Config::new(mock.rest_url());
    config.credentials = Some(Credentials::new(account().api_key(), account().secret()).expect("well-formed keys"));
    config.clock = clock.handle();
    config.max_in_flight = 1;
    let server = BinanceMcp::new(config).expect("a valid configuration");
    let (front, back) = duplex(PIPE);
    let (read, write) = split(back);
    tokio::spawn(binance_mcp::serve(server, read, write));
    if !guarded {
        return ().serve(split(front)).await.expect("a handshake");
    }
    let policy =
        Policy::parse(include_str!("../scenarios/policies/binance-v1.json")).expect("the shipped policy is valid");
    let ticks = AtomicU64::new(START_MS);
    let ticking = Arc::new(move || ticks.fetch_add(440_000, Ordering::Relaxed));
    let gateway = Gateway::new(Guard::new(policy), GatewayConfig::new(ticking, MemoryAudit::new(), "binance"));
    let (client, gate) = duplex(PIPE);
    tokio::spawn(async move {
        let ((front_read, front_write), (back_read, back_write)) = (split(gate), split(front));
        gateway.serve(Identity::new("desk", "s-1"), front_read, front_write, back_read, back_write).await
    });
    ().serve(split(client)).await.expect("a handshake")
}

async fn order(client: &Client, turn: u64) {
    let side = if turn.is_multiple_of(2) { "BUY" } else { "SELL" };
    let Value::Object(arguments) = json!({ "symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": "0.001" })
    else {
        panic!("an object")
    };
    let result = client.call_tool(CallToolRequestParams::new("bn_new_order").with_arguments(arguments)).await;
    let result = result.expect("an answer");
    assert_ne!(result.is_error, Some(true), "{result:?}");
}

fn end_to_end(c: &mut Criterion, runtime: &Runtime) {
    let mut group = c.benchmark_group("end_to_end");
    let turns = AtomicU64::new(0);
    let clock = ManualClock::new(START_MS);
    let mock = runtime.block_on(mock(&clock));
    for (name, guarded) in [("bare", false), ("guarded", true)] {
        let client = runtime.block_on(stack(&mock, &clock, guarded));
        group.bench_function(name, |b| {
            b.to_async(runtime).iter(|| order(&client, turns.fetch_add(1, Ordering::Relaxed)));
        });
    }
    group.finish();
}

fn all(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    rest(c, &runtime);
    end_to_end(c, &runtime);
}

criterion_group!(benches, all);
criterion_main!(benches);
