//! The WebSocket API: the same answers as over REST, in its own envelope.

use mock_binance::engine::{LimitsSpec, WindowLimit};
use serde_json::{Value, json};

use crate::support::{Bench, START_MS, Socket, bench, bench_with, keys, sign};

async fn connect(bench: &Bench) -> Socket {
    bench.connect("/ws-api/v3").await
}

/// A request of the first account, timed and signed. Values are written as they stand in `params`.
fn signed(bench: &Bench, id: &Value, method: &str, params: &[(&str, &str)]) -> String {
    let (key, time) = (format!("{:?}", bench.account().api_key()), bench.clock.now_ms().to_string());
    let mut params: Vec<(&str, &str)> = params.to_vec();
    params.extend([("apiKey", key.as_str()), ("timestamp", time.as_str())]);
    params.sort_unstable();
    let payload: Vec<String> =
        params.iter().map(|(name, value)| format!("{name}={}", value.trim_matches('"'))).collect();
    let signature = format!("{:?}", sign(bench.account().secret(), &payload.join("&")));
    params.push(("signature", &signature));
    let params: Vec<String> = params.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
    format!(r#"{{"id":{id},"method":"{method}","params":{{{}}}}}"#, params.join(","))
}

#[tokio::test]
async fn answers_are_those_of_rest_in_an_envelope() {
    let bench = bench().await;
    bench.bought().await;
    let mut socket = connect(&bench).await;
    for (method, params, target) in [
        ("ping", json!({}), "/api/v3/ping"),
        ("time", json!({}), "/api/v3/time"),
        ("v3/exchangeInfo", json!({"symbol": "BTCUSDT"}), "/api/v3/exchangeInfo?symbol=BTCUSDT"),
        ("exchangeInfo", json!({"symbols": ["BTCUSDT"]}), "/api/v3/exchangeInfo?symbols=[%22BTCUSDT%22]"),
        ("depth", json!({"symbol": "BTCUSDT", "limit": 5}), "/api/v3/depth?symbol=BTCUSDT&limit=5"),
        ("trades.recent", json!({"symbol": "BTCUSDT"}), "/api/v3/trades?symbol=BTCUSDT"),
        ("trades.historical", json!({"symbol": "BTCUSDT"}), "/api/v3/historicalTrades?symbol=BTCUSDT"),
        ("trades.aggregate", json!({"symbol": "BTCUSDT"}), "/api/v3/aggTrades?symbol=BTCUSDT"),
        ("klines", json!({"symbol": "BTCUSDT", "interval": "1m"}), "/api/v3/klines?symbol=BTCUSDT&interval=1m"),
        ("uiKlines", json!({"symbol": "BTCUSDT", "interval": "1m"}), "/api/v3/uiKlines?symbol=BTCUSDT&interval=1m"),
        ("avgPrice", json!({"symbol": "BTCUSDT"}), "/api/v3/avgPrice?symbol=BTCUSDT"),
        ("ticker", json!({"symbol": "BTCUSDT"}), "/api/v3/ticker?symbol=BTCUSDT"),
        ("ticker.24hr", json!({"symbol": "BTCUSDT"}), "/api/v3/ticker/24hr?symbol=BTCUSDT"),
        ("ticker.tradingDay", json!({"symbol": "BTCUSDT"}), "/api/v3/ticker/tradingDay?symbol=BTCUSDT"),
        ("ticker.price", json!({}), "/api/v3/ticker/price"),
        ("ticker.book", json!({}), "/api/v3/ticker/bookTicker"),
    ] {
        let answer = socket.ask(&json!({"id": method, "method": method, "params": params}).to_string()).await;
        assert_eq!(keys(&answer), ["id", "status", "result", "rateLimits"], "{answer}");
        assert_eq!((&answer["id"], &answer["status"]), (&json!(method), &json!(200)));
        assert_eq!(answer["result"], bench.get(target).await.ok(), "{method}");
    }
}

#[tokio::test]
async fn orders_are_placed_found_and_canceled() {
    let bench = bench().await;
    let mut socket = connect(&bench).await;
    // Numbers are signed by their text; `0.00100` is not `0.001`.
    let order = [
        ("symbol", "\"BTCUSDT\""),
        ("side", "\"BUY\""),
        ("type", "\"LIMIT\""),
        ("timeInForce", "\"GTC\""),
        ("quantity", "0.00100"),
        ("price", "50000"),
    ];
    let placed = socket.ask(&signed(&bench, &json!(1), "order.place", &order)).await;
    assert_eq!((&placed["status"], &placed["result"]["status"]), (&json!(200), &json!("NEW")), "{placed}");
    let limit = |kind, interval, num, limit, count| json!({"rateLimitType": kind, "interval": interval, "intervalNum": num, "limit": limit, "count": count});
    let limits = [
        limit("ORDERS", "SECOND", 10, 100, 1),
        limit("ORDERS", "DAY", 1, 200_000, 1),
        limit("REQUEST_WEIGHT", "MINUTE", 1, 6_000, 2),
    ];
    assert_eq!(placed["rateLimits"], json!(limits));
    let id = placed["result"]["orderId"].to_string();
    let one = [("symbol", "\"BTCUSDT\""), ("orderId", id.as_str())];
    let found = socket.ask(&signed(&bench, &json!(2), "order.status", &one)).await;
    let over_rest = bench.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&orderId={id}")).await.ok();
    assert_eq!(found["result"], over_rest);
    let open = socket.ask(&signed(&bench, &json!(3), "openOrders.status", &[])).await;
    assert_eq!(open["result"], json!([over_rest]));
    let canceled = socket.ask(&signed(&bench, &json!(4), "order.cancel", &one)).await;
    assert_eq!(canceled["result"]["status"], "CANCELED");
    let again = socket.ask(&signed(&bench, &json!(5), "order.cancel", &one)).await;
    assert_eq!(keys(&again), ["id", "status", "error", "rateLimits"]);
    assert_eq!(again["error"], json!({"code": -2011, "msg": "Unknown order sent."}));
    let account = socket.ask(&signed(&bench, &json!(6), "account.status", &[("returnRateLimits", "false")])).await;
    assert_eq!(keys(&account), ["id", "status", "result"]);
    assert_eq!(account["result"], bench.signed("GET", "/api/v3/account", "").await.ok());

    let asked: Vec<_> = bench.mock.requests().into_iter().filter(|record| record.method == "WS").collect();
    assert_eq!((asked.len(), asked[0].path.as_str(), asked[0].at_ms), (6, "order.place", START_MS));
    assert_eq!(asked[0].key.as_deref(), Some("test-account"));
    let kept = format!("{asked:?}");
    assert!(!kept.contains(bench.account().api_key()) && !kept.contains(bench.account().secret()), "{kept}");
}

#[tokio::test]
async fn refusals_carry_status_code_and_text() {
    let bench = bench().await;
    let mut socket = connect(&bench).await;
    let forged = signed(&bench, &json!("x"), "account.status", &[]).replace("signature\":\"", "signature\":\"0");
    let late = {
        let request = signed(&bench, &json!("x"), "account.status", &[]);
        request.replace(&START_MS.to_string(), &(START_MS - 5_001).to_string())
    };
    let no_key = json!({"id": "x", "method": "account.status", "params": {"timestamp": START_MS, "signature": "0"}});
    for (request, status, code, msg) in [
        (forged, 400, -1022, "Signature for this request is not valid."),
        (late, 400, -1021, "Timestamp for this request is outside of the recvWindow."),
        (no_key.to_string(), 401, -2014, "API-key format invalid."),
        (
            json!({"id": "x", "method": "depth", "params": {"symbol": "NOPE"}}).to_string(),
            400,
            -1121,
            "Invalid symbol.",
        ),
        (
            json!({"id": "x", "method": "depth"}).to_string(),
            400,
            -1102,
            "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
        ),
        (json!({"id": "x", "method": "order.shout"}).to_string(), 400, -1020, "Unknown method."),
    ] {
        let answer = socket.ask(&request).await;
        assert_eq!((&answer["id"], &answer["status"]), (&json!("x"), &json!(status)), "{request}");
        assert_eq!(answer["error"], json!({"code": code, "msg": msg}), "{request}");
    }
    let answer = socket.ask("{").await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-1100)));
}

#[tokio::test]
async fn weight_is_shared_with_rest_and_a_ban_ends_the_connection() {
    let request_weight = WindowLimit { window_secs: 60, limit: 5 };
    let limits = LimitsSpec { request_weight, ..LimitsSpec::default() };
    let bench = bench_with(|builder| builder.limits(limits).ban_after(1)).await;
    let mut socket = connect(&bench).await;
    let ping = r#"{"id":null,"method":"ping"}"#;
    assert_eq!(socket.ask(ping).await["rateLimits"][0]["count"], 3, "connecting weighs 2");
    bench.get("/api/v3/ping").await.ok();
    assert_eq!(socket.ask(ping).await["rateLimits"][0]["count"], 5);
    let refused = socket.ask(ping).await;
    assert_eq!((&refused["status"], &refused["error"]["code"]), (&json!(429), &json!(-1003)));
    assert_eq!(refused["error"]["data"], json!({"serverTime": START_MS, "retryAfter": START_MS + 60_000}));
    let banned = socket.ask(ping).await;
    assert_eq!(banned["status"], 418);
    assert_eq!(banned["error"]["data"]["retryAfter"], START_MS + 120_000);
    assert!(socket.is_closed().await);
}

#[tokio::test]
async fn listen_keys_of_old_are_issued_while_the_mock_issues_any() {
    let bench = bench().await;
    let mut socket = connect(&bench).await;
    let key = bench.account().api_key();
    let mut ask = async |method: &str, listen_key: &str| {
        let params = match listen_key {
            "" => json!({"apiKey": key}),
            listen_key => json!({"apiKey": key, "listenKey": listen_key}),
        };
        socket.ask(&json!({"id": 1, "method": method, "params": params}).to_string()).await
    };
    let listen_key = ask("userDataStream.start", "").await["result"]["listenKey"].as_str().unwrap().to_owned();
    assert_eq!(listen_key, bench.listen_key().await, "the same as over REST");
    assert_eq!(ask("userDataStream.ping", &listen_key).await["result"], json!({}));
    let missing = ask("userDataStream.ping", "").await;
    assert_eq!((&missing["status"], &missing["error"]["code"]), (&json!(400), &json!(-1102)));
    let mut stream = bench.connect(&format!("/ws/{listen_key}")).await;
    assert_eq!(ask("userDataStream.stop", &listen_key).await["result"], json!({}));
    assert!(stream.is_closed().await);
    assert_eq!(ask("userDataStream.ping", &listen_key).await["error"]["code"], -1125);

    let bench = bench_with(|builder| builder.listen_keys(mock_binance::ListenKeys::Gone)).await;
    let mut socket = connect(&bench).await;
    let start = json!({"id": 1, "method": "userDataStream.start", "params": {"apiKey": key}}).to_string();
    assert_eq!(socket.ask(&start).await["error"]["code"], -1020);
}
