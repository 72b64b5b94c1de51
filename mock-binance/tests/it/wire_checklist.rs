//! What client libraries were seen to do on the wire, item by item: each must be served as the exchange serves it.

mod client;

use std::time::Duration;

use client::{badly_typed, book, change, diff, over, raw_connection, send, signed, with_signature, ws_signed};
use mock_binance::ListenKeys;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Answer, START_MS, bench, bench_with, keys};

const ORDER: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000";
const ORDER_PATH: &str = "/api/v3/order";
const LISTEN_KEY_PATH: &str = "/api/v3/userDataStream";
const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn item_01_parameters_come_in_the_query_or_in_a_form() {
    let bench = bench().await;
    let key = [("X-MBX-APIKEY", bench.account().api_key())];
    let form = [key[0], ("content-type", FORM)];

    let in_query = send(&bench, "POST", &format!("{ORDER_PATH}?{}", signed(&bench, ORDER)), &key, "").await.ok();
    let in_form = send(&bench, "POST", ORDER_PATH, &form, &signed(&bench, ORDER)).await.ok();
    for placed in [&in_query, &in_form] {
        assert_eq!((&placed["status"], &placed["price"]), (&json!("NEW"), &json!("50000.00000000")));
    }
    assert_ne!(in_query["orderId"], in_form["orderId"]);

    let cancel = |placed: &Value| signed(&bench, &format!("symbol=BTCUSDT&orderId={}", placed["orderId"]));
    let target = format!("{ORDER_PATH}?{}", cancel(&in_query));
    assert_eq!(send(&bench, "DELETE", &target, &key, "").await.ok()["status"], "CANCELED");
    assert_eq!(send(&bench, "DELETE", ORDER_PATH, &form, &cancel(&in_form)).await.ok()["status"], "CANCELED");

    let listen_key = bench.listen_key().await;
    for (method, body) in [("PUT", &listen_key), ("DELETE", &listen_key)] {
        let answer = send(&bench, method, LISTEN_KEY_PATH, &form, &format!("listenKey={body}")).await;
        assert_eq!(answer.ok(), json!({}), "{method}");
    }
    assert_ne!(bench.listen_key().await, listen_key, "it was closed");
}

#[tokio::test]
async fn item_02_no_content_type_is_refused() {
    let bench = bench().await;
    let key = bench.account().api_key();
    for content_type in [None, Some("application/json"), Some(FORM), Some("text/plain;charset=UTF-8"), Some("")] {
        let mut headers = vec![("X-MBX-APIKEY", key)];
        headers.extend(content_type.map(|value| ("content-type", value)));
        let query = signed(&bench, ORDER);
        for (method, target, body) in [
            ("GET", "/api/v3/depth?symbol=BTCUSDT".to_owned(), ""),
            ("GET", format!("/api/v3/account?{}", signed(&bench, "omitZeroBalances=true")), ""),
            ("POST", format!("{ORDER_PATH}?{query}"), ""),
            // What a body says is read whatever it is called.
            ("POST", ORDER_PATH.to_owned(), query.as_str()),
            ("DELETE", format!("/api/v3/openOrders?{}", signed(&bench, "symbol=BTCUSDT")), ""),
        ] {
            let answer = send(&bench, method, &target, &headers, body).await;
            assert_eq!(answer.status, 200, "{content_type:?} {method} {target}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn item_03_windows_order_of_parameters_and_case_of_the_key_header() {
    let bench = bench().await;
    let key = bench.account().api_key();
    let late = format!("timestamp={}", START_MS - 9_000);
    let outside = (400, -1021, "Timestamp for this request is outside of the recvWindow.".to_owned());
    for (payload, served) in [
        (format!("recvWindow=10000&{late}"), true),
        (format!("{late}&recvWindow=10000"), true),
        (format!("recvWindow=5000&{late}"), false),
        (late, false),
        (format!("timestamp={START_MS}"), true),
        (format!("timestamp={START_MS}&omitZeroBalances=true&recvWindow=5000"), true),
    ] {
        let target = format!("/api/v3/account?{}", with_signature(&bench, &payload));
        let answer = send(&bench, "GET", &target, &[("X-MBX-APIKEY", key)], "").await;
        if served {
            assert!(answer.ok()["balances"].is_array(), "{payload}");
        } else {
            assert_eq!(answer.refusal(), outside, "{payload}");
        }
    }

    let mut connection = raw_connection(&bench);
    let query = signed(&bench, "recvWindow=5000");
    for name in ["X-MBX-APIKEY", "x-mbx-apikey", "X-Mbx-Apikey"] {
        let request = format!("GET /api/v3/account?{query} HTTP/1.1\r\nHost: mock\r\n{name}: {key}\r\n\r\n");
        let (kept, head, body) = over(connection, request).await;
        assert!(head.starts_with("http/1.1 200 "), "{name}: {head}{body}");
        connection = kept;
    }
}

#[tokio::test]
async fn item_04_lists_of_symbols_and_numbers_as_clients_write_them() {
    let bench = bench().await;
    let names = |rows: &Value| -> Vec<String> {
        rows.as_array().unwrap().iter().map(|row| row["symbol"].as_str().unwrap().to_owned()).collect()
    };
    let mut socket = bench.connect("/ws-api/v3").await;
    for (path, method) in [
        ("exchangeInfo", "exchangeInfo"),
        ("ticker/price", "ticker.price"),
        ("ticker/bookTicker", "ticker.book"),
        ("ticker/24hr", "ticker.24hr"),
        ("ticker", "ticker"),
        ("ticker/tradingDay", "ticker.tradingDay"),
    ] {
        let rows = |answer: &Value| names(answer.get("symbols").unwrap_or(answer));
        let target = format!("/api/v3/{path}?symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D");
        assert_eq!(rows(&bench.get(&target).await.ok()), ["BTCUSDT", "ETHUSDT"], "{path}");
        // The live exchange takes no blanks in a query.
        let blank = bench.get(&target.replace("%2C", "%2C%20")).await.refusal();
        assert_eq!((blank.0, blank.1), (400, -1100), "{path}: {}", blank.2);
        // JSON has them where its writer likes them.
        for list in [r#"["BTCUSDT","ETHUSDT"]"#, r#"["BTCUSDT", "ETHUSDT"]"#, "[\n  \"BTCUSDT\",\n  \"ETHUSDT\"\n]"] {
            let answer = socket.ask(&format!(r#"{{"id":1,"method":"{method}","params":{{"symbols":{list}}}}}"#)).await;
            assert_eq!(answer["status"], 200, "{list}: {answer}");
            assert_eq!(rows(&answer["result"]), ["BTCUSDT", "ETHUSDT"], "{method} {list}");
        }
    }
    for (quantity, price) in [("0.001", "50000.0"), ("0.00100000", "50000.00"), ("0.0010", "50000")] {
        let query = ORDER.replace("0.001", quantity).replace("=50000", &format!("={price}"));
        let placed = bench.order(&query).await.ok();
        assert_eq!((&placed["origQty"], &placed["price"]), (&json!("0.00100000"), &json!("50000.00000000")));
    }
    // Understood as a number, and too little of it.
    let tiny = bench.order(&ORDER.replace("0.001", "0.00001")).await.refusal();
    assert_eq!(tiny, (400, -1013, "Filter failure: NOTIONAL".to_owned()));
}

#[tokio::test]
async fn item_05_every_address_of_a_stream_is_served() {
    let bench = bench().await;
    let raw = "btcusdt@trade";
    for (path, hears, combined) in [
        ("/ws", &[][..], false),
        ("/ws/", &[], false),
        ("/ws/btcusdt@trade", &[raw], false),
        ("/ws/btcusdt%40trade", &[raw], false),
        ("/ws/0", &["0"], false),
        ("/ws/17", &["17"], false),
        ("/stream", &[], true),
        ("/stream?streams=", &[], true),
        ("/stream?streams=btcusdt@trade/ethusdt@trade", &[raw, "ethusdt@trade"], true),
        ("/stream?streams=btcusdt%40trade%2Fethusdt%40trade", &[raw, "ethusdt@trade"], true),
        ("/stream.binance.com/ws/3", &["3"], false),
        ("/stream.binance.com/stream?streams=btcusdt@trade", &[raw], true),
        ("/", &[], false),
        ("/public/ws-of-somebody/9", &[], false),
    ] {
        let mut socket = bench.connect(path).await;
        let listed = socket.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#).await;
        assert_eq!(listed, json!({"result": hears, "id": 1}), "{path}");
        socket.ask(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":2}"#).await;
        bench.bought().await;
        let event = socket.next().await;
        let trade = if combined { &event["data"] } else { &event };
        assert_eq!((&trade["e"], &trade["s"]), (&json!("trade"), &json!("BTCUSDT")), "{path}: {event}");
        assert_eq!(event.get("stream"), combined.then_some(&json!(raw)), "{path}");
    }
}

#[tokio::test]
async fn item_06_request_ids_pongs_and_an_offer_to_compress() {
    let bench = bench_with(|builder| builder.connection_rules(true)).await;
    let offer = [("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")];
    let (mut socket, answer) = bench.connect_with("/ws", &offer).await;
    // An offer that is not taken up is not spoken of; frames stay as they are.
    assert_eq!(answer.get("sec-websocket-extensions"), None);
    for (turn, id) in [
        json!(1),
        json!(START_MS),
        json!(START_MS),
        json!("0b0f7a52-96b1-4a2f-8b2b-4f1e3c6a9d10"),
        json!("0123456789abcdef0123456789abcdef"),
        json!("mine"),
        json!(null),
    ]
    .iter()
    .enumerate()
    {
        let request = json!({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": id});
        assert_eq!(socket.ask(&request.to_string()).await, json!({"result": null, "id": id}), "{turn}");
        // Five frames a second are allowed.
        bench.clock.advance(Duration::from_secs(1));
    }

    // A ping of the client is echoed, too.
    socket.say(Message::Ping("from the client".into())).await;
    assert_eq!(socket.next_message().await, Some(Message::Pong("from the client".into())));

    for turn in 1..=6 {
        bench.mock.advance(Duration::from_secs(20));
        let payload = (START_MS + turn * 20_000).to_string();
        assert_eq!(socket.next_message().await, Some(Message::Ping(payload.into())));
        // The echo leaves by itself, before the question; after it comes the one too many.
        socket.assert_silent().await;
        socket.say(Message::Pong("".into())).await;
        socket.assert_silent().await;
    }
}

const WS_ORDER: [(&str, &str); 6] = [
    ("symbol", "\"BTCUSDT\""),
    ("side", "\"BUY\""),
    ("type", "\"LIMIT\""),
    ("timeInForce", "\"GTC\""),
    ("quantity", "0.00100"),
    ("price", "50000"),
];

#[tokio::test]
async fn item_07_ids_and_numbers_over_the_websocket_api() {
    let bench = bench().await;
    let mut socket = bench.connect("/ws-api/v3").await;
    for id in [
        json!("1"),
        json!("0123456789abcdef0123456789abcdef"),
        json!("Qm3kZ8vT1xN5cR7wY2bL0p"),
        json!("0b0f7a52-96b1-4a2f-8b2b-4f1e3c6a9d10"),
        json!(START_MS),
    ] {
        let placed = socket.ask(&ws_signed(&bench, &id, "order.place", &WS_ORDER)).await;
        assert_eq!((&placed["id"], &placed["status"]), (&id, &json!(200)), "{placed}");
        assert_eq!(placed["result"]["price"], "50000.00000000");
    }
    // It is the text of a number that is signed, not its value.
    let reformed = ws_signed(&bench, &json!(1), "order.place", &WS_ORDER).replace(":0.00100,", ":0.001,");
    let refused = socket.ask(&reformed).await;
    assert_eq!(refused["error"], json!({"code": -1022, "msg": "Signature for this request is not valid."}));
    // Which of two values was meant is nobody's guess.
    let placing = ws_signed(&bench, &json!(1), "order.place", &WS_ORDER);
    let status = r#"{"id":1,"method":"session.status","params":{"a":1,"a":1}}"#;
    let key_twice =
        placing.replace(r#""params":{"#, &format!(r#""params":{{"apiKey":{:?},"#, bench.account().api_key()));
    for twice in [
        placing.replace(r#""price":50000"#, r#""price":40000,"price":50000"#),
        placing.replace(r#""price":50000"#, r#""price":50000,"price":50000"#),
        key_twice,
        r#"{"id":1,"method":"depth","params":{"symbol":"ETHUSDT","symbol":"BTCUSDT"}}"#.to_owned(),
        status.to_owned(),
    ] {
        let refused = socket.ask(&twice).await;
        let error = json!({"code": -1101, "msg": "Duplicate values for a parameter detected."});
        assert_eq!((&refused["status"], &refused["error"]), (&json!(400), &error), "{twice}");
    }
    let open = bench.signed("GET", "/api/v3/openOrders", "").await.ok();
    assert_eq!(open.as_array().map(Vec::len), Some(5), "refused orders are none: {open}");
}

#[tokio::test]
async fn item_08_answers_wait_for_nothing_and_are_strictly_typed() {
    // The clock stands still from first to last: whatever waited for it would never answer.
    let bench = bench().await;
    let placed = bench.bought().await;
    let resting = bench.resting().await;
    let mut answers = vec![("bought".to_owned(), placed), ("resting".to_owned(), resting)];
    for target in [
        "/api/v3/time",
        "/api/v3/exchangeInfo",
        "/api/v3/depth?symbol=BTCUSDT&limit=5000",
        "/api/v3/trades?symbol=BTCUSDT",
        "/api/v3/ticker/24hr",
        "/api/v3/ticker/price",
        "/api/v3/ticker/bookTicker",
        "/api/v3/avgPrice?symbol=BTCUSDT",
    ] {
        answers.push((target.to_owned(), bench.get(target).await.ok()));
    }
    for (path, query) in [
        ("/api/v3/account", ""),
        ("/api/v3/openOrders", ""),
        ("/api/v3/allOrders", "symbol=BTCUSDT"),
        ("/api/v3/myTrades", "symbol=BTCUSDT"),
        ("/api/v3/rateLimit/order", ""),
    ] {
        answers.push((path.to_owned(), bench.signed("GET", path, query).await.ok()));
    }
    answers.push(("canceled".to_owned(), bench.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await.ok()));
    let mut found = Vec::new();
    for (at, answer) in &answers {
        assert!(*answer != json!([]) && *answer != json!({}), "{at} shows nothing");
        badly_typed(at, answer, &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(bench.clock.now_ms(), START_MS);
}

#[tokio::test]
async fn item_09_usage_headers_are_whole_numbers() {
    let bench = bench().await;
    let read = |answer: &Answer, name: &str| answer.header(name).map(|text| text.parse::<u32>().unwrap());
    let usage = |answer: &Answer| {
        ["x-mbx-used-weight-1m", "x-mbx-order-count-10s", "x-mbx-order-count-1d"].map(|name| read(answer, name))
    };
    assert_eq!(usage(&bench.get("/api/v3/ping").await), [Some(1), None, None]);
    // An order that is taken weighs nothing.
    assert_eq!(usage(&bench.order(ORDER).await), [Some(1), Some(1), Some(1)]);
    assert_eq!(usage(&bench.order(ORDER).await), [Some(1), Some(2), Some(2)]);
    bench.clock.advance(Duration::from_secs(10));
    assert_eq!(usage(&bench.order(ORDER).await), [Some(1), Some(1), Some(3)]);
    let refused = bench.get("/api/v3/depth?symbol=NOPE").await;
    assert_eq!((refused.status, usage(&refused)), (400, [Some(6), None, None]));
    // Every header that a client takes for one of these has a name and a value that it can read.
    for (name, value) in &bench.order(ORDER).await.headers {
        let name = name.as_str();
        if let Some(rest) = name.strip_prefix("x-mbx-used-weight-").or(name.strip_prefix("x-mbx-order-count-")) {
            let (number, unit) = rest.split_at(rest.len() - 1);
            assert!(number.parse::<u32>().is_ok() && "smhd".contains(unit), "{name}");
            assert!(value.to_str().unwrap().parse::<u32>().is_ok(), "{name}: {value:?}");
        }
    }
}

#[tokio::test]
async fn item_10_what_a_client_of_all_markets_asks_for() {
    let bench = bench().await;
    // Currencies, futures and coin futures, asked for on the way: not served, said at once, and harmless.
    for target in
        ["/sapi/v1/capital/config/getall", "/sapi/v1/margin/allPairs", "/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"]
    {
        let answer = bench.get(target).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, ""), "{target}");
    }
    assert_eq!(bench.get("/api/v3/ping").await.ok(), json!({}));
    // An address that must contain this to be taken for that of the spot market.
    let mut socket = bench.connect("/stream.binance.com/ws/0").await;
    let subscribed = socket.ask(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}"#).await;
    assert_eq!(subscribed, json!({"result": null, "id": 1}));
    bench.bought().await;
    assert_eq!(socket.next().await["e"], "trade");
    // Codes that such a client only knows by the exchange's own host name still say what happened.
    let replace = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000&cancelOrderId=1&\
                   cancelReplaceMode=STOP_ON_FAILURE";
    let failed = bench.signed("POST", "/api/v3/order/cancelReplace", replace).await;
    assert_eq!(failed.refusal(), (400, -2022, "Order cancel-replace failed.".to_owned()));
    let twice = bench.get("/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22%2C%22BTCUSDT%22%5D").await;
    assert_eq!(twice.refusal(), (400, -1151, "Symbol is present multiple times in the list.".to_owned()));
    let window = bench.signed("GET", "/api/v3/account", "recvWindow=60001").await;
    assert_eq!(window.refusal(), (400, -1131, "'recvWindow' must be less than 60000.".to_owned()));
}

#[tokio::test]
async fn item_11_pings_and_times_before_everything() {
    let bench = bench().await;
    let used = |answer: &Answer| answer.header("x-mbx-used-weight-1m").unwrap().parse::<u32>().unwrap();
    // Some clients send a key with every call, some an empty one: public calls do not look at it.
    for key in [None, Some(""), Some(bench.account().api_key()), Some("nonsense")] {
        let before = used(&bench.get("/api/v3/ping").await);
        let ping = bench.send("GET", "/api/v3/ping", key, None).await;
        assert_eq!((ping.ok(), used(&ping)), (json!({}), before + 1), "{key:?}");
        let time = bench.send("GET", "/api/v3/time", key, None).await;
        assert_eq!((time.ok(), used(&time)), (json!({"serverTime": START_MS}), before + 2), "{key:?}");
    }
    // As a client does that takes the time of each signed call from the server.
    for turn in 0..3 {
        bench.clock.advance(Duration::from_millis(700));
        let time = bench.get("/api/v3/time").await.ok()["serverTime"].clone();
        assert_eq!(time, START_MS + 700 * (turn + 1));
        let target = format!("/api/v3/account?{}", with_signature(&bench, &format!("timestamp={time}&recvWindow=1")));
        bench.keyed("GET", &target).await.ok();
    }
}

#[tokio::test]
async fn item_12_a_watched_book_and_orders_without_rate_limits() {
    let bench = bench().await;
    let mut stream = bench.connect("/ws/0").await;
    stream.ask(r#"{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}"#).await;
    let mut api = bench.connect("/ws-api/v3").await;
    let mut order = WS_ORDER.to_vec();
    order.push(("returnRateLimits", "false"));

    let mut snapshot = None;
    let mut diffs = Vec::new();
    for turn in 0..6 {
        let price = (50_000 + turn).to_string();
        let mut order = order.clone();
        order[5].1 = &price;
        let placed = api.ask(&ws_signed(&bench, &json!("1"), "order.place", &order)).await;
        assert_eq!(keys(&placed), ["id", "status", "result"], "{placed}");
        if turn == 2 {
            // Within an interval, as it happens: the diff to come covers what the snapshot has already.
            snapshot = Some(bench.get("/api/v3/depth?symbol=BTCUSDT&limit=1000").await.ok());
            bench.bought().await;
        }
        diffs.push(diff(&bench, &mut stream).await);
    }

    let snapshot = snapshot.unwrap();
    let known = snapshot["lastUpdateId"].as_u64().unwrap();
    let [mut bids, mut asks] = book(&snapshot);
    let ids = |diff: &Value| ["U", "u"].map(|name| diff[name].as_u64().unwrap());
    for pair in diffs.windows(2) {
        assert_eq!(ids(&pair[1])[0], ids(&pair[0])[1] + 1, "{pair:?}");
    }
    let fresh: Vec<&Value> = diffs.iter().filter(|diff| ids(diff)[1] > known).collect();
    assert_eq!(fresh.len(), 4, "{known}: {diffs:?}");
    assert!(ids(fresh[0])[0] <= known + 1, "{known}: {}", fresh[0]);
    for diff in fresh {
        change(&mut bids, &diff["b"]);
        change(&mut asks, &diff["a"]);
    }
    assert_eq!([bids, asks], book(&bench.get("/api/v3/depth?symbol=BTCUSDT&limit=1000").await.ok()));
}

#[tokio::test]
async fn item_13_a_listen_key_over_the_websocket_api() {
    let bench = bench().await;
    let key = bench.account().api_key();
    let mut api = bench.connect("/ws-api/v3").await;
    // As binance-connector sends it: the key, no time, no signature, and an id of its own making.
    let id = json!("0b0f7a52-96b1-4a2f-8b2b-4f1e3c6a9d10");
    let request = |method: &str, more: &[(&str, &str)]| {
        let mut params = json!({ "apiKey": key });
        for (name, value) in more {
            params[name] = json!(value);
        }
        json!({ "id": id, "method": method, "params": params }).to_string()
    };
    let started = api.ask(&request("userDataStream.start", &[])).await;
    assert_eq!((&started["id"], &started["status"]), (&id, &json!(200)), "{started}");
    let listen_key = started["result"]["listenKey"].as_str().unwrap();
    assert_eq!(listen_key.len(), 64);
    assert_eq!(bench.listen_key().await, listen_key, "it is the one that REST gives");

    let mut stream = bench.connect(&format!("/ws/{listen_key}")).await;
    bench.resting().await;
    assert_eq!(stream.next().await["e"], "executionReport");
    for method in ["userDataStream.ping", "userDataStream.stop"] {
        let answer = api.ask(&request(method, &[("listenKey", listen_key)])).await;
        assert_eq!((&answer["status"], &answer["result"]), (&json!(200), &json!({})), "{method}: {answer}");
    }
    let error = json!({"code": -1125, "msg": "This listenKey does not exist."});
    for method in ["userDataStream.ping", "userDataStream.stop"] {
        let answer = api.ask(&request(method, &[("listenKey", listen_key)])).await;
        assert_eq!((&answer["status"], &answer["error"]), (&json!(400), &error), "{method}");
    }

    // As the exchange is since listen keys are gone: still an answer to each, so that nobody waits.
    let bench = bench_with(|builder| builder.listen_keys(ListenKeys::Gone)).await;
    let mut api = bench.connect("/ws-api/v3").await;
    for method in ["userDataStream.start", "userDataStream.ping", "userDataStream.stop"] {
        let answer = api.ask(&request(method, &[])).await;
        assert_eq!((&answer["id"], &answer["status"]), (&id, &json!(400)), "{method}: {answer}");
        assert_eq!(answer["error"], json!({"code": -1020, "msg": "Unknown method."}), "{method}");
    }
}

#[tokio::test]
async fn item_14_connections_are_kept_and_answers_are_plain() {
    let bench = bench().await;
    let mut connection = raw_connection(&bench);
    for (target, more, status, says) in [
        ("/api/v3/ping", "", 200, "{}"),
        ("/api/v3/time", "Connection: keep-alive\r\n", 200, "{\"serverTime\":1700000040000}"),
        // Asked for is not yet had to be given: small answers stay as they are.
        ("/api/v3/ping", "Accept-Encoding: gzip, deflate\r\n", 200, "{}"),
        ("/api/v3/depth?symbol=NOPE", "", 400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}"),
        ("/api/v3/nothing", "", 404, ""),
        ("/api/v3/ping", "Accept-Encoding: identity\r\n", 200, "{}"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: mock\r\n{more}\r\n");
        let (kept, head, body) = over(connection, request).await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{target}: {head}");
        assert!(!head.contains("\ncontent-encoding:") && !head.contains("\nconnection: close"), "{target}: {head}");
        assert_eq!(body, says, "{target} {more}");
        connection = kept;
    }
    // An order with a body, and the next request on the same connection.
    let form = signed(&bench, ORDER);
    let request = format!(
        "POST {ORDER_PATH} HTTP/1.1\r\nHost: mock\r\nX-MBX-APIKEY: {}\r\nContent-Type: {FORM}\r\n\
         Content-Length: {}\r\n\r\n{form}",
        bench.account().api_key(),
        form.len()
    );
    let (connection, head, body) = over(connection, request).await;
    assert!(head.starts_with("http/1.1 200 ") && body.contains(r#""status":"NEW""#), "{head}{body}");
    let (_, head, body) = over(connection, "GET /api/v3/ping HTTP/1.1\r\nHost: mock\r\n\r\n".to_owned()).await;
    assert!(head.starts_with("http/1.1 200 ") && body == "{}", "{head}{body}");
}
