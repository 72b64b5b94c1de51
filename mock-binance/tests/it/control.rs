//! The control interface over real HTTP, and the same operations in the library.

use std::time::Duration;

use mock_binance::engine::{AssetId, Command, Journal};
use mock_binance::{ControlError, Fault, MockBinance, Process, Shape, StartError};
use serde_json::{Value, json};

use crate::support::{Bench, START_MS, bench, bench_with};

const LOOPBACK: &str = "127.0.0.1:0";

async fn controlled() -> Bench {
    bench_with(|builder| builder.control(LOOPBACK.parse().unwrap())).await
}

/// Asks the control interface; a body goes as JSON.
async fn ask(bench: &Bench, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}{path}", bench.mock.control_url().unwrap());
    let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let mut request = client.request(method.parse().unwrap(), url);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text)))
}

async fn ok(bench: &Bench, method: &str, path: &str, body: Option<Value>) -> Value {
    let (status, answer) = ask(bench, method, path, body).await;
    assert_eq!(status, 200, "{method} {path}: {answer}");
    answer
}

async fn problem(bench: &Bench, method: &str, path: &str, body: Option<Value>) -> (u16, String, String) {
    let (status, answer) = ask(bench, method, path, body).await;
    let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{method} {path}: {answer}")).to_owned();
    (status, text("error"), text("message"))
}

/// Whatever a client can see of the exchange.
async fn everything(bench: &Bench) -> Vec<String> {
    let mut seen = Vec::new();
    for target in ["/api/v3/depth?symbol=BTCUSDT&limit=5000", "/api/v3/ticker/24hr", "/api/v3/trades?symbol=BTCUSDT"] {
        let answer = bench.get(target).await;
        seen.push(answer.header("x-mbx-used-weight-1m").unwrap().to_owned());
        seen.push(answer.text);
    }
    for (path, query) in [("/api/v3/account", ""), ("/api/v3/allOrders", "symbol=BTCUSDT"), ("/api/v3/openOrders", "")]
    {
        seen.push(bench.signed("GET", path, query).await.text);
    }
    seen.push(bench.listen_key().await);
    seen.push(format!("{:?}", bench.mock.requests()));
    seen.push(format!("{:?}", bench.mock.faults()));
    seen.push(bench.mock.with_exchange(|exchange| exchange.journal().fingerprint().to_string()));
    seen
}

#[tokio::test]
async fn it_is_off_unless_asked_for_and_on_loopback_alone() {
    assert_eq!(bench().await.mock.control_url(), None);
    let anywhere = MockBinance::builder().control("0.0.0.0:0".parse().unwrap()).start().await;
    let error = anywhere.unwrap_err();
    assert!(matches!(error, StartError::ControlNotLoopback { .. }));
    assert!(error.to_string().contains("127.0.0.1:0"), "{error}");
}

#[tokio::test]
async fn every_operation_that_it_lists_is_there() {
    let bench = controlled().await;
    let list = ok(&bench, "GET", "/", None).await;
    let operations = list["operations"].as_array().unwrap();
    assert_eq!(operations.len(), 19);
    for operation in operations {
        let (method, path) = (operation["method"].as_str().unwrap(), operation["path"].as_str().unwrap());
        let path = path.replace(['{', '}'], "");
        let (status, answer) = ask(&bench, method, &path, None).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(!["unknown_path", "unknown_method"].contains(&error), "{method} {path}: {status} {answer}");
    }
    assert_eq!(problem(&bench, "GET", "/nothing", None).await.1, "unknown_path");
    assert_eq!(problem(&bench, "PATCH", "/clock", None).await.1, "unknown_method");
}

#[tokio::test]
async fn web_pages_are_refused() {
    let bench = controlled().await;
    let url = bench.mock.control_url().unwrap();
    let client = reqwest::Client::new();
    for (name, value) in [("host", "evil.example"), ("origin", "http://evil.example"), ("origin", "null")] {
        let answer = client.get(format!("{url}/clock")).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}: {value}");
    }
    // What a form can send without asking.
    let plain = client.post(format!("{url}/clock/advance")).header("content-type", "text/plain");
    assert_eq!(plain.body(r#"{"ms":1000}"#).send().await.unwrap().status(), 415);
    assert_eq!(bench.clock.now_ms(), START_MS);
}

#[tokio::test]
async fn the_clock_moves_forward_and_what_is_due_happens() {
    let bench = controlled().await;
    let key = bench.listen_key().await;
    assert_eq!(ok(&bench, "GET", "/clock", None).await, json!({ "clock": "manual", "now_ms": START_MS }));
    ok(&bench, "POST", "/clock/advance", Some(json!({ "ms": 3_599_000 }))).await;
    assert_eq!(bench.keyed("PUT", &format!("/api/v3/userDataStream?listenKey={key}")).await.status, 200);
    let answer = ok(&bench, "PUT", "/clock", Some(json!({ "now_ms": START_MS + 7_200_000 }))).await;
    assert_eq!(answer["now_ms"], START_MS + 7_200_000);
    assert_eq!(bench.get("/api/v3/time").await.ok()["serverTime"], START_MS + 7_200_000);
    assert_eq!(bench.keyed("PUT", &format!("/api/v3/userDataStream?listenKey={key}")).await.refusal().1, -1125);

    let (status, error, message) = problem(&bench, "PUT", "/clock", Some(json!({ "now_ms": START_MS }))).await;
    assert_eq!((status, error.as_str()), (409, "clock_backwards"));
    assert!(message.contains("snapshot"), "{message}");
    for (body, names) in [(json!({}), "now_ms"), (json!({ "now_ms": 1, "x": 1 }), "`x`"), (json!([]), "invalid length")]
    {
        let (status, _, message) = problem(&bench, "PUT", "/clock", Some(body)).await;
        assert_eq!(status, 422);
        assert!(message.contains(names), "{message}");
    }
    let far = Some(json!({ "ms": u64::MAX }));
    assert_eq!(problem(&bench, "POST", "/clock/advance", far).await.1, "clock_too_far");
}

#[tokio::test]
async fn the_machines_clock_cannot_be_moved() {
    let mock = MockBinance::builder().start().await.unwrap();
    assert_eq!(mock.set_clock(u64::MAX), Err(ControlError::SystemClock));
    assert!(mock.set_balance("test-account", "USDT", "1".parse().unwrap()).is_ok());
}

#[tokio::test]
async fn a_balance_is_set_by_a_transfer_that_everybody_sees() {
    let bench = controlled().await;
    let mut stream = bench.connect(&format!("/ws/{}", bench.listen_key().await)).await;
    bench.resting().await;
    for (free, told, moved) in [
        ("12.5", "12.50000000", "-9937.50000000"),
        ("9950.00000001", "9950.00000001", "9937.50000001"),
        ("9950.00000001", "9950.00000001", ""),
    ] {
        let path = "/accounts/test-account/balances/USDT";
        let answer = ok(&bench, "PUT", path, Some(json!({ "free": free }))).await;
        // What orders hold stays.
        assert_eq!(answer["assets"]["USDT"], json!({ "free": told, "locked": "50.00000000" }));
        if !moved.is_empty() {
            let mut event = stream.next().await;
            while event["e"] != "balanceUpdate" {
                event = stream.next().await;
            }
            assert_eq!(event["d"], moved);
        }
    }
    let account = bench.signed("GET", "/api/v3/account", "omitZeroBalances=true").await.ok();
    let usdt = account["balances"].as_array().unwrap().iter().find(|row| row["asset"] == "USDT").unwrap();
    assert_eq!(usdt["free"], "9950.00000001");
    assert_eq!(ok(&bench, "GET", "/accounts", None).await["accounts"][0]["assets"]["USDT"]["free"], "9950.00000001");

    for (path, free, error) in [
        ("/accounts/nobody/balances/USDT", "1", "unknown_account"),
        ("/accounts/test-account/balances/DOGE", "1", "unknown_asset"),
        ("/accounts/test-account/balances/USDT", "-1", "negative_balance"),
        ("/accounts/test-account/balances/USDT", "1e3", "decimal"),
        ("/accounts/test-account/balances/USDT", "0.000000001", "decimal"),
    ] {
        let (_, told, message) = problem(&bench, "PUT", path, Some(json!({ "free": free }))).await;
        assert_eq!(told, error, "{message}");
    }
    // Numbers are floats to many programs: only text is taken.
    assert_eq!(problem(&bench, "PUT", "/accounts/test-account/balances/USDT", Some(json!({ "free": 1 }))).await.0, 422);
}

#[tokio::test]
async fn a_price_is_set_by_trades() {
    let bench = controlled().await;
    bench.resting().await;
    let answer = ok(&bench, "PUT", "/prices/BTCUSDT", Some(json!({ "price": "40000" }))).await;
    assert_eq!(answer["price"], "40000.00000000");
    assert_eq!(bench.get("/api/v3/ticker/price?symbol=BTCUSDT").await.ok()["price"], "40000.00000000");
    let orders = bench.signed("GET", "/api/v3/allOrders", "symbol=BTCUSDT").await.ok();
    assert_eq!(orders[0]["status"], "FILLED", "the market went through it");
    assert_eq!(ok(&bench, "GET", "/prices", None).await["prices"]["BTCUSDT"], "40000.00000000");
    for (path, price, error) in
        [("/prices/X", "1", "market"), ("/prices/BTCUSDT", "0", "market"), ("/prices/BTCUSDT", "x", "decimal")]
    {
        assert_eq!(problem(&bench, "PUT", path, Some(json!({ "price": price }))).await.1, error);
    }
}

#[tokio::test]
async fn faults_come_and_go() {
    let bench = controlled().await;
    let fault = json!({ "name": "down", "does": { "error": { "status": 500, "code": -1000, "msg": "down", "stage": "before" } } });
    ok(&bench, "POST", "/faults", Some(fault.clone())).await;
    assert_eq!(bench.get("/api/v3/ping").await.refusal().0, 500);
    let told = ok(&bench, "GET", "/faults", None).await;
    assert_eq!((&told["faults"][0]["fault"]["name"], &told["faults"][0]["met"]), (&json!("down"), &json!(1)));
    ok(&bench, "DELETE", "/faults/down", None).await;
    bench.get("/api/v3/ping").await.ok();
    assert_eq!(problem(&bench, "DELETE", "/faults/down", None).await.1, "unknown_fault");
    let wrong =
        json!({ "name": "down", "does": { "error": { "status": 200, "code": -1000, "msg": "x", "stage": "before" } } });
    assert_eq!(problem(&bench, "POST", "/faults", Some(wrong)).await.1, "fault");
}

#[tokio::test]
async fn journal_and_requests_are_read_page_by_page() {
    let bench = controlled().await;
    bench.resting().await;
    bench.order("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=1").await;
    let whole = bench
        .mock
        .with_exchange(|exchange| exchange.journal().iter().map(|entry| entry.fact.to_string()).collect::<Vec<_>>());
    let (mut read, mut from) = (Vec::new(), Some(0));
    while let Some(next) = from {
        let page = ok(&bench, "GET", &format!("/journal?from={next}&limit=7"), None).await;
        assert_eq!(page["facts"], whole.len());
        let entries = page["entries"].as_array().unwrap();
        assert!(entries.len() <= 7);
        read.extend(entries.iter().map(|entry| entry["fact"].as_str().unwrap().to_owned()));
        from = page["next"].as_u64();
    }
    assert_eq!(read, whole);
    let text = ok(&bench, "GET", "/journal?format=text&limit=2", None).await;
    assert_eq!(text.as_str().unwrap().lines().count(), 2);

    let page = ok(&bench, "GET", "/requests?limit=1", None).await;
    assert_eq!((&page["requests"][0]["seq"], &page["next"]), (&json!(1), &json!(2)));
    let page = ok(&bench, "GET", "/requests?from=2", None).await;
    assert_eq!((page["requests"].as_array().unwrap().len(), &page["next"]), (1, &Value::Null));
    assert!(!page.to_string().contains(bench.account().secret()));
    for query in ["limit=0", "limit=1001", "from=-1", "form=text", "format=xml"] {
        assert_eq!(problem(&bench, "GET", &format!("/journal?{query}"), None).await.1, "query", "{query}");
    }
}

#[tokio::test]
async fn a_capped_journal_is_read_from_the_oldest_entry_that_is_kept() {
    let bench = bench_with(|builder| builder.control(LOOPBACK.parse().unwrap()).journal_cap(Journal::CAP_MIN)).await;
    let account = bench.mock.account_id(bench.account().api_key()).unwrap();
    let deposit = Command::Deposit { asset: AssetId(0), amount: "0.00000001".parse().unwrap() };
    // A few bytes each.
    for _ in 0..Journal::CAP_MIN / 2 {
        bench.mock.apply(account, &deposit).reply.unwrap();
    }
    let page = ok(&bench, "GET", "/journal?from=0&limit=1", None).await;
    let first = page["first"].as_u64().unwrap();
    assert!(first > 0);
    assert_eq!((&page["entries"][0]["seq"], &page["next"]), (&json!(first), &json!(first + 1)));
    // An account's past does not depend on it.
    bench.signed("GET", "/api/v3/account", "").await.ok();

    let refused = MockBinance::builder().journal_cap(Journal::CAP_MIN - 1).start().await.err().unwrap();
    assert_eq!(refused.to_string(), "a journal of 65535 bytes is too small: give it at least 65536");
}

#[tokio::test]
async fn a_restored_exchange_goes_on_as_the_first_did() {
    let process = Process { shape: Shape::Calm, noise_ppm: 500, step_millis: 1_000 };
    let bench = bench_with(|builder| builder.control(LOOPBACK.parse().unwrap()).market("BTCUSDT", process)).await;
    let shaky = r#"{"name":"shaky","does":{"error":{"status":500,"code":-1000,"msg":"x","stage":"before"}},"often":{"per_thousand":300}}"#;
    bench.mock.add_fault(Fault::from_json(shaky).unwrap()).unwrap();
    bench.resting().await;
    bench.clock.advance(Duration::from_secs(5));
    bench.listen_key().await;
    ok(&bench, "PUT", "/snapshots/middle", None).await;

    let mut lives = Vec::new();
    for life in 0..3 {
        if life > 0 {
            let told = ok(&bench, "POST", "/snapshots/middle/restore", None).await;
            assert_eq!(told["at_ms"], START_MS + 5_000);
        }
        assert_eq!(bench.clock.now_ms(), START_MS + 5_000);
        let mut seen = Vec::new();
        for _ in 0..10 {
            seen.push(bench.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001").await.text);
            bench.clock.advance(Duration::from_secs(3));
        }
        bench.mock.remove_fault("shaky");
        for price in ["2900", "3100"] {
            ok(&bench, "PUT", "/prices/ETHUSDT", Some(json!({ "price": price }))).await;
            seen.push(bench.get("/api/v3/depth?symbol=ETHUSDT").await.text);
        }
        let key = bench.listen_key().await;
        bench.keyed("DELETE", &format!("/api/v3/userDataStream?listenKey={key}")).await.ok();
        seen.extend(everything(&bench).await);
        lives.push(seen);
    }
    assert_eq!(lives[0], lives[1]);
    assert_eq!(lives[0], lives[2]);
}

#[tokio::test]
async fn restoring_ends_connections_and_gives_held_answers() {
    let bench = controlled().await;
    ok(&bench, "PUT", "/snapshots/start", None).await;
    let mut stream = bench.connect(&format!("/ws/{}", bench.listen_key().await)).await;
    let late = r#"{"name":"late","does":{"latency":{"ms":60000}},"meets":{"path":"/api/v3/time"}}"#;
    bench.mock.add_fault(Fault::from_json(late).unwrap()).unwrap();
    let url = format!("{}/api/v3/time", bench.mock.rest_url());
    let held = tokio::spawn(async move { reqwest::get(url).await.unwrap().status() });
    while bench.mock.faults()[0].met == 0 {
        tokio::task::yield_now().await;
    }
    // The answer may still be on its way to where it waits: a restored clock would let it go as well.
    ok(&bench, "POST", "/snapshots/start/restore", None).await;
    while !stream.is_closed().await {}
    bench.clock.advance(Duration::from_mins(1));
    assert_eq!(held.await.unwrap(), 200);
    assert!(bench.mock.faults().is_empty());
}

#[tokio::test]
async fn reset_goes_back_to_the_start() {
    let bench = controlled().await;
    let before = everything(&bench).await;
    bench.bought().await;
    bench.clock.advance(Duration::from_secs(100));
    bench.mock.set_balance("test-account", "BTC", "0".parse().unwrap()).unwrap();
    assert_ne!(everything(&bench).await, before);
    ok(&bench, "POST", "/reset", None).await;
    assert_eq!(everything(&bench).await, before);
}

#[tokio::test]
async fn marks_and_bans_go_with_what_they_belong_to() {
    let bench = bench_with(|builder| builder.control(LOOPBACK.parse().unwrap()).ban_after(0)).await;
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000";
    let first = bench.order(&format!("{order}&strategyId=7")).await.ok();
    while bench.get("/api/v3/ticker/24hr").await.status != 418 {}
    assert_eq!(bench.get("/api/v3/time").await.status, 418);
    ok(&bench, "POST", "/reset", None).await;
    let second = bench.order(order).await.ok();
    assert_eq!(first["orderId"], second["orderId"]);
    assert!(first.get("strategyId").is_some());
    assert_eq!(second.get("strategyId"), None);
}

#[tokio::test]
async fn snapshots_have_names_and_a_bound() {
    let bench = controlled().await;
    for number in 0..32 {
        ok(&bench, "PUT", &format!("/snapshots/s{number}"), None).await;
    }
    assert_eq!(problem(&bench, "PUT", "/snapshots/more", None).await.1, "too_many_snapshots");
    ok(&bench, "PUT", "/snapshots/s0", None).await;
    assert_eq!(ok(&bench, "GET", "/snapshots", None).await["snapshots"].as_array().unwrap().len(), 32);
    ok(&bench, "DELETE", "/snapshots/s0", None).await;
    let (status, error, message) = problem(&bench, "POST", "/snapshots/s0/restore", None).await;
    assert_eq!((status, error.as_str()), (404, "unknown_snapshot"));
    assert!(message.contains("s1, s10"), "{message}");
    assert_eq!(problem(&bench, "DELETE", "/snapshots/s0", None).await.1, "unknown_snapshot");
    for name in ["a%20b", "a%2Fb", &"a".repeat(65)] {
        assert_eq!(problem(&bench, "PUT", &format!("/snapshots/{name}"), None).await.1, "snapshot_name", "{name}");
    }
}
