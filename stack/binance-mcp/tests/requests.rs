//! Each tool, held against the bytes that leave: method, path, query, body, headers, signature.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may end with a panic")]

mod common;

use std::fmt::Write as _;

use binance_mcp::{Access, tools};
use common::{API_KEY, NOW_MS, SECRET_KEY, Session, answering, config, json_answer, minimal_arguments, seen};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use wiremock::Request;

/// HMAC-SHA256 over raw bytes, apart from the code under test.
fn hmac_hex(payload: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET_KEY.as_bytes()).unwrap();
    mac.update(payload.as_bytes());
    let mut hex = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name).map(|value| value.to_str().unwrap())
}

/// Calls `tool` and holds the one request against `METHOD path`, `query` and `body`, in which
/// `<signed>` stands for timestamp, recvWindow and a signature that is computed here.
async fn check(tool: &str, arguments: Value, line: &str, query: &str, body: &str) {
    let exchange = answering(json_answer(200, "{}")).await;
    let session = Session::open(config(&exchange.uri())).await;
    session.ok(tool, arguments).await;
    session.close().await;

    let requests = seen(&exchange).await;
    assert_eq!(requests.len(), 1, "{tool}: one call, one request");
    let request = &requests[0];
    assert_eq!(format!("{} {}", request.method, request.url.path()), line);
    let expand = |template: &str| {
        let Some(before) = template.strip_suffix("<signed>") else {
            return template.to_owned();
        };
        let window = if before.contains("recvWindow") { String::new() } else { "&recvWindow=5000".to_owned() };
        let (before, window) = match before.split_once("recvWindow=") {
            Some((front, own)) => (front.to_owned(), format!("&recvWindow={own}")),
            None => (before.to_owned(), window),
        };
        let payload = format!("{before}timestamp={NOW_MS}{window}");
        format!("{payload}&signature={}", hmac_hex(&payload))
    };
    assert_eq!(request.url.query().unwrap_or_default(), expand(query), "{tool}");
    assert_eq!(String::from_utf8_lossy(&request.body), expand(body), "{tool}");

    let definition = tools().into_iter().find(|definition| definition.name == tool).unwrap();
    let keyed = definition.endpoint.access != Access::Public;
    assert_eq!(header(request, "x-mbx-apikey"), keyed.then_some(API_KEY), "{tool}");
    assert_eq!(header(request, "user-agent"), Some(concat!("binance-mcp/", env!("CARGO_PKG_VERSION"))));
    let form = (!body.is_empty()).then_some("application/x-www-form-urlencoded");
    assert_eq!(header(request, "content-type"), form, "{tool}");
}

#[tokio::test]
async fn public_tools() {
    check("bn_ping", json!({}), "GET /api/v3/ping", "", "").await;
    check("bn_server_time", json!({}), "GET /api/v3/time", "", "").await;
    check("bn_exchange_info", json!({}), "GET /api/v3/exchangeInfo", "", "").await;
    check(
        "bn_exchange_info",
        json!({"symbols": "[\"BTCUSDT\",\"ETHUSDT\"]"}),
        "GET /api/v3/exchangeInfo",
        "symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D",
        "",
    )
    .await;
    check(
        "bn_order_book",
        json!({"limit": 5000, "symbol": "BTCUSDT"}),
        "GET /api/v3/depth",
        "symbol=BTCUSDT&limit=5000",
        "",
    )
    .await;
    check("bn_recent_trades", json!({"symbol": "BTCUSDT"}), "GET /api/v3/trades", "symbol=BTCUSDT", "").await;
    check(
        "bn_aggregate_trades",
        json!({"limit": 1, "endTime": 3, "startTime": 2, "fromId": 1, "symbol": "BTCUSDT"}),
        "GET /api/v3/aggTrades",
        "symbol=BTCUSDT&fromId=1&startTime=2&endTime=3&limit=1",
        "",
    )
    .await;
    check(
        "bn_klines",
        json!({"symbol": "BTCUSDT", "interval": "1M", "startTime": 0, "endTime": 9_007_199_254_740_991_u64, "limit": 1000}),
        "GET /api/v3/klines",
        "symbol=BTCUSDT&interval=1M&startTime=0&endTime=9007199254740991&limit=1000",
        "",
    )
    .await;
    check("bn_avg_price", json!({"symbol": "BTCUSDT"}), "GET /api/v3/avgPrice", "symbol=BTCUSDT", "").await;
    check("bn_ticker_24hr", json!({"symbol": "BTCUSDT"}), "GET /api/v3/ticker/24hr", "symbol=BTCUSDT", "").await;
    check("bn_ticker_24hr", json!({}), "GET /api/v3/ticker/24hr", "", "").await;
    check("bn_ticker_price", json!({"symbol": "A-B_C.D"}), "GET /api/v3/ticker/price", "symbol=A-B_C.D", "").await;
    check("bn_book_ticker", json!({}), "GET /api/v3/ticker/bookTicker", "", "").await;
}

#[tokio::test]
async fn orders_travel_in_the_body() {
    let order = json!({
        "newClientOrderId": "my-id_1", "stopPrice": "0.5", "price": "60000.00", "quoteOrderQty": "10",
        "quantity": "0.00100000", "timeInForce": "GTC", "type": "STOP_LOSS_LIMIT", "side": "SELL", "symbol": "BTCUSDT",
        "recvWindow": 60000
    });
    let body = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.00100000&quoteOrderQty=10\
                &price=60000.00&stopPrice=0.5&newClientOrderId=my-id_1&recvWindow=60000<signed>";
    check("bn_new_order", order.clone(), "POST /api/v3/order", "", body).await;
    check("bn_test_order", order, "POST /api/v3/order/test", "", body).await;
    check(
        "bn_new_order",
        minimal_arguments("bn_new_order"),
        "POST /api/v3/order",
        "",
        "symbol=BTCUSDT&side=BUY&type=MARKET&<signed>",
    )
    .await;
}

#[tokio::test]
async fn signed_reads_and_cancels_travel_in_the_query() {
    check(
        "bn_query_order",
        json!({"symbol": "BTCUSDT", "orderId": 12, "origClientOrderId": "a"}),
        "GET /api/v3/order",
        "symbol=BTCUSDT&orderId=12&origClientOrderId=a&<signed>",
        "",
    )
    .await;
    check(
        "bn_cancel_order",
        json!({"symbol": "BTCUSDT", "orderId": 12, "recvWindow": 1}),
        "DELETE /api/v3/order",
        "symbol=BTCUSDT&orderId=12&recvWindow=1<signed>",
        "",
    )
    .await;
    check(
        "bn_cancel_all_orders",
        json!({"symbol": "BTCUSDT"}),
        "DELETE /api/v3/openOrders",
        "symbol=BTCUSDT&<signed>",
        "",
    )
    .await;
    check("bn_open_orders", json!({}), "GET /api/v3/openOrders", "<signed>", "").await;
    check(
        "bn_all_orders",
        json!({"symbol": "BTCUSDT", "limit": 10, "orderId": 1, "startTime": 2, "endTime": 3}),
        "GET /api/v3/allOrders",
        "symbol=BTCUSDT&orderId=1&startTime=2&endTime=3&limit=10&<signed>",
        "",
    )
    .await;
    check("bn_account_info", json!({}), "GET /api/v3/account", "<signed>", "").await;
    check(
        "bn_my_trades",
        json!({"symbol": "BTCUSDT", "orderId": 1, "startTime": 2, "endTime": 3, "fromId": 4, "limit": 5}),
        "GET /api/v3/myTrades",
        "symbol=BTCUSDT&orderId=1&startTime=2&endTime=3&fromId=4&limit=5&<signed>",
        "",
    )
    .await;
}

#[tokio::test]
async fn listen_keys_need_the_key_and_no_signature() {
    check("bn_create_listen_key", json!({}), "POST /api/v3/userDataStream", "", "").await;
    let key = json!({"listenKey": "pqia91ma19a5s61cv6a81va65sd"});
    let query = "listenKey=pqia91ma19a5s61cv6a81va65sd";
    check("bn_keepalive_listen_key", key.clone(), "PUT /api/v3/userDataStream", query, "").await;
    check("bn_close_listen_key", key, "DELETE /api/v3/userDataStream", query, "").await;
}
