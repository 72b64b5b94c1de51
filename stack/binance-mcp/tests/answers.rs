//! Answers: passed on exactly, lists wrapped, `_fields` applied here and never sent.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may end with a panic")]

mod common;

use common::{Session, answering, config, json_answer, minimal_arguments, seen};
use serde_json::{Value, json};

/// What `tool` makes of the answer `body`.
async fn check(tool: &str, fields: Option<&str>, body: &str, expected: &str) {
    let exchange = answering(json_answer(200, body)).await;
    let session = Session::open(config(&exchange.uri())).await;
    let mut arguments = minimal_arguments(tool);
    if let Some(fields) = fields {
        arguments["_fields"] = json!(fields);
    }
    let content = session.ok(tool, arguments).await;
    assert_eq!(content.to_string(), expected, "{tool} {fields:?}");
    session.close().await;
    for request in seen(&exchange).await {
        assert!(!request.url.as_str().contains("fields"), "{}", request.url);
        assert!(!String::from_utf8_lossy(&request.body).contains("fields"));
    }
}

#[tokio::test]
async fn answers_keep_order_digits_and_text() {
    let book = r#"{"lastUpdateId":1027024,"bids":[["4.00000000","431.00000000"]],"asks":[]}"#;
    check("bn_order_book", None, book, book).await;
    check("bn_ping", None, "{ }", "{}").await;
    check(
        "bn_avg_price",
        None,
        r#"{"mins": 5, "price": "9.35751834", "x": 0.10, "closeTime": 9007199254740993}"#,
        r#"{"mins":5,"price":"9.35751834","x":"0.10","closeTime":9007199254740993}"#,
    )
    .await;
}

#[tokio::test]
async fn lists_are_wrapped() {
    check("bn_open_orders", None, "[]", r#"{"items":[]}"#).await;
    check("bn_ticker_price", None, r#"[{"symbol":"A","price":"1"}]"#, r#"{"items":[{"symbol":"A","price":"1"}]}"#)
        .await;
    check("bn_cancel_all_orders", None, r#"[{"orderId":1}]"#, r#"{"items":[{"orderId":1}]}"#).await;
}

#[tokio::test]
async fn fields_select_from_objects_and_rows() {
    let account = r#"{"makerCommission":15,"balances":[{"asset":"BTC","free":"1"}],"canTrade":true}"#;
    check("bn_account_info", Some("balances"), account, r#"{"balances":[{"asset":"BTC","free":"1"}]}"#).await;
    // The order is that of the answer, not that of the list.
    check("bn_account_info", Some("canTrade , makerCommission"), account, r#"{"makerCommission":15,"canTrade":true}"#)
        .await;
    let orders = r#"[{"orderId":1,"status":"NEW"},{"orderId":2,"status":"EXPIRED","expiryReason":"X"}]"#;
    check(
        "bn_all_orders",
        Some("orderId,expiryReason"),
        orders,
        r#"{"items":[{"orderId":1},{"orderId":2,"expiryReason":"X"}]}"#,
    )
    .await;
    check("bn_open_orders", Some("anything"), "[]", r#"{"items":[]}"#).await;
    check("bn_create_listen_key", Some("listenKey"), r#"{"listenKey":"k"}"#, r#"{"listenKey":"k"}"#).await;
}

#[tokio::test]
async fn fields_name_the_columns_of_candlesticks() {
    let rows = r#"[[1,"o","h","l","c","v",2,"q",3,"b","Q","0"],[4,"o","h","l","d","v",5,"q",6,"b","Q","0"]]"#;
    check("bn_klines", None, rows, &format!(r#"{{"items":{rows}}}"#)).await;
    check(
        "bn_klines",
        Some("close,openTime"),
        rows,
        r#"{"items":[{"openTime":1,"close":"c"},{"openTime":4,"close":"d"}]}"#,
    )
    .await;
}

#[tokio::test]
async fn unknown_fields_are_an_error_that_lists_the_known() {
    for (tool, body, available) in [
        ("bn_avg_price", r#"{"mins":5,"price":"1"}"#, "available: mins, price"),
        ("bn_recent_trades", r#"[{"id":1},{"id":2,"qty":"1"}]"#, "available: id, qty"),
        ("bn_klines", r#"[[1,"o"]]"#, "available: openTime, open"),
        ("bn_ping", "{}", "none, the answer is empty"),
    ] {
        let exchange = answering(json_answer(200, body)).await;
        let session = Session::open(config(&exchange.uri())).await;
        let mut arguments = minimal_arguments(tool);
        arguments["_fields"] = json!("Price");
        let (error, text) = session.error(tool, arguments).await;
        assert_eq!(error["kind"], "unknown_field", "{tool}");
        assert_eq!(error["outcomeUnknown"], json!(false));
        assert!(text.contains("`Price`") && text.contains(available), "{tool}: {text}");
        session.close().await;
    }
}

#[tokio::test]
async fn a_field_error_of_an_action_says_that_it_was_carried_out() {
    let exchange = answering(json_answer(200, r#"{"listenKey":"k"}"#)).await;
    let session = Session::open(config(&exchange.uri())).await;
    let (error, _) = session.error("bn_create_listen_key", json!({"_fields": "key"})).await;
    assert_eq!(error["hint"], "The request itself was carried out.");
    session.close().await;
}

#[tokio::test]
async fn an_answer_too_long_for_a_model_is_refused_with_a_remedy() {
    let symbols: Vec<Value> =
        (0..50_000).map(|at| json!({"symbol": format!("SYMBOL{at}"), "x": "y".repeat(70)})).collect();
    let exchange = answering(json_answer(200, &json!({"timezone": "UTC", "symbols": symbols}).to_string())).await;
    let session = Session::open(config(&exchange.uri())).await;
    let (error, text) = session.error("bn_exchange_info", json!({})).await;
    assert_eq!(error["kind"], "answer_too_long");
    assert!(text.contains("narrow the call"), "{text}");
    // What is kept is what counts.
    let content = session.ok("bn_exchange_info", json!({"_fields": "timezone"})).await;
    assert_eq!(content, json!({"timezone": "UTC"}));
    session.close().await;
}
