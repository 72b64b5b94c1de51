//! Every way in which a call can fail, and what the agent is told about it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may end with a panic")]

mod common;

use std::time::Duration;

use binance_mcp::tools;
use common::raw::RawExchange;
use common::{Session, answering, config, json_answer, minimal_arguments, params, seen};
use rmcp::service::ServiceError;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

/// The tools that change something; for all others no outcome can be open.
const ACTIONS: [&str; 6] = [
    "bn_new_order",
    "bn_cancel_order",
    "bn_cancel_all_orders",
    "bn_create_listen_key",
    "bn_keepalive_listen_key",
    "bn_close_listen_key",
];

/// What each of `names` makes of an answer.
async fn each(names: &[&str], response: ResponseTemplate) -> Vec<(Value, String)> {
    let exchange = answering(response).await;
    let session = Session::open(config(&exchange.uri())).await;
    let mut errors = Vec::new();
    for name in names {
        errors.push(session.error(name, minimal_arguments(name)).await);
    }
    session.close().await;
    assert_eq!(seen(&exchange).await.len(), names.len(), "each call is sent once");
    errors
}

fn all() -> Vec<&'static str> {
    tools().iter().map(|tool| tool.name).collect()
}

#[tokio::test]
async fn binance_errors_keep_status_code_and_message() {
    let body = r#"{"code":-2010,"msg":"Account has insufficient balance for requested action."}"#;
    for (error, text) in each(&all(), json_answer(400, body)).await {
        assert_eq!(error["kind"], "refused");
        assert_eq!(error["httpStatus"], 400);
        assert_eq!(error["code"], -2010);
        assert_eq!(error["msg"], "Account has insufficient balance for requested action.");
        assert_eq!((&error["sent"], &error["outcomeUnknown"]), (&json!(true), &json!(false)));
        assert_eq!(error.get("hint"), None);
        assert_eq!(text, "HTTP 400, code -2010: Account has insufficient balance for requested action.");
    }
}

#[tokio::test]
async fn codes_that_arguments_cannot_mend_come_with_a_hint() {
    for (status, code, part) in [
        (400, -1021, "bn_server_time"),
        (400, -1022, "secret key"),
        (401, -2014, "API key"),
        (401, -2015, "permissions"),
        (400, -2008, "API key"),
    ] {
        let body = json!({"code": code, "msg": "..."}).to_string();
        for (error, text) in each(&["bn_new_order", "bn_account_info"], json_answer(status, &body)).await {
            assert_eq!(error["code"], code);
            assert!(error["hint"].as_str().unwrap().contains(part), "{error}");
            assert!(text.contains(part), "{text}");
            assert_eq!(error["outcomeUnknown"], json!(false));
        }
    }
}

#[tokio::test]
async fn limits_keep_retry_after() {
    for (status, part) in [(429, "wait 17 s"), (418, "send nothing for 17 s")] {
        let response = json_answer(status, r#"{"code":-1003,"msg":"Too much."}"#).insert_header("Retry-After", "17");
        for (error, text) in each(&["bn_new_order", "bn_ping"], response).await {
            assert_eq!(error["httpStatus"], status);
            assert_eq!(error["retryAfterSeconds"], 17);
            assert!(text.contains(part), "{text}");
            assert_eq!(error["outcomeUnknown"], json!(false));
        }
    }
    let (error, text) = each(&["bn_ping"], json_answer(429, "{}")).await.remove(0);
    assert_eq!(error.get("retryAfterSeconds"), None);
    assert!(text.contains("wait a minute"), "{text}");
}

#[tokio::test]
async fn gone_listen_keys_name_what_replaced_them() {
    let page = "<html>\n<head><title>410 Gone</title></head>\n</html>";
    let response = ResponseTemplate::new(410).set_body_raw(page, "text/html");
    for (error, text) in each(&ACTIONS[3..], response.clone()).await {
        assert_eq!(error["httpStatus"], 410);
        assert_eq!((error.get("code"), error.get("msg")), (None, None));
        assert!(text.contains("userDataStream.subscribe.signature"), "{text}");
        assert!(!text.contains("<html>"), "{text}");
        assert_eq!(error["outcomeUnknown"], json!(false));
    }
    let (_, text) = each(&["bn_ping"], response).await.remove(0);
    assert!(!text.contains("userDataStream"), "{text}");
}

/// Everything that is neither an answer nor a clean refusal leaves the outcome of an action open.
#[tokio::test]
async fn doubtful_answers_leave_the_outcome_of_actions_open() {
    for response in [
        json_answer(500, "{}"),
        json_answer(503, r#"{"code":-1008,"msg":"Server is currently overloaded."}"#),
        ResponseTemplate::new(502).set_body_raw("<html>", "text/html"),
        json_answer(400, r#"{"code":-1007,"msg":"Timeout waiting for response."}"#),
        json_answer(400, r#"{"code":-1006,"msg":"An unexpected response was received."}"#),
        json_answer(408, "{}"),
        json_answer(200, "{\"orderId\":"),
        ResponseTemplate::new(200).set_body_raw("<html>", "text/html"),
        ResponseTemplate::new(200).set_body_raw(vec![0xff, 0xfe], "application/json"),
        ResponseTemplate::new(302).insert_header("Location", "http://127.0.0.1:1/"),
    ] {
        for (name, (error, text)) in all().iter().zip(each(&all(), response).await) {
            let action = ACTIONS.contains(name);
            assert_eq!(error["outcomeUnknown"], json!(action), "{name} {error}");
            assert_eq!(error["sent"], json!(true));
            assert_eq!(text.contains("Execution status unknown"), action, "{name}: {text}");
        }
    }
}

#[tokio::test]
async fn an_open_order_outcome_says_how_to_find_out() {
    let errors = each(&["bn_new_order", "bn_cancel_order"], json_answer(504, "")).await;
    assert!(errors[0].1.contains("bn_query_order (by newClientOrderId"), "{}", errors[0].1);
    assert!(errors[1].1.contains("before repeating it"), "{}", errors[1].1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = answering(json_answer(200, "{}")).await;
    let response = ResponseTemplate::new(307).insert_header("Location", elsewhere.uri().as_str());
    each(&["bn_new_order", "bn_account_info", "bn_ping"], response).await;
    assert!(seen(&elsewhere).await.is_empty(), "a signed request went to another host");
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_the_outcome_open() {
    let exchange = RawExchange::start(|_| async { None }).await;
    let session = Session::open(config(&exchange.url)).await;
    for name in ["bn_new_order", "bn_account_info"] {
        let (error, text) = session.error(name, minimal_arguments(name)).await;
        assert_eq!(error["kind"], "connection_lost");
        assert_eq!(error["outcomeUnknown"], json!(name == "bn_new_order"));
        assert!(!text.contains("signature="), "{text}");
    }
    session.close().await;
}

#[tokio::test]
async fn an_answer_that_stops_half_way_leaves_the_outcome_open() {
    let half = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{\"orderId\":1}";
    let exchange = RawExchange::start(move |_| async move { Some(half.to_owned()) }).await;
    let session = Session::open(config(&exchange.url)).await;
    let (error, _) = session.error("bn_new_order", minimal_arguments("bn_new_order")).await;
    assert_eq!(error["kind"], "connection_lost");
    assert_eq!(error["outcomeUnknown"], json!(true));
    session.close().await;
}

#[tokio::test]
async fn silence_ends_with_the_timeout() {
    let exchange = RawExchange::start(|_| std::future::pending()).await;
    let mut config = config(&exchange.url);
    config.request_timeout = Duration::from_millis(30);
    let session = Session::open(config).await;
    for name in ["bn_new_order", "bn_account_info"] {
        let (error, text) = session.error(name, minimal_arguments(name)).await;
        assert_eq!(error["kind"], "timeout");
        assert_eq!((&error["sent"], &error["outcomeUnknown"]), (&json!(true), &json!(name == "bn_new_order")));
        assert!(text.starts_with("no answer within 30 ms\n"), "{text}");
    }
    session.close().await;
    let starts = exchange.events().iter().filter(|event| event.starts_with("start POST")).count();
    assert_eq!(starts, 1, "an order is never sent twice: {:?}", exchange.events());
}

#[tokio::test]
async fn an_exchange_that_cannot_be_reached_got_nothing() {
    // Bound and given back at once: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let session = Session::open(config(&format!("http://127.0.0.1:{port}"))).await;
    let (error, text) = session.error("bn_new_order", minimal_arguments("bn_new_order")).await;
    assert_eq!(error["kind"], "unreachable");
    assert_eq!((&error["sent"], &error["outcomeUnknown"]), (&json!(false), &json!(false)));
    assert!(text.contains("nothing was sent"), "{text}");
    session.close().await;
}

#[tokio::test]
async fn private_tools_need_credentials_and_public_ones_do_not() {
    let exchange = answering(json_answer(200, "{}")).await;
    let mut config = config(&exchange.uri());
    config.credentials = None;
    let session = Session::open(config).await;
    let mut public = 0;
    for tool in tools() {
        let arguments = minimal_arguments(tool.name);
        if tool.endpoint.access.security() == "NONE" {
            session.ok(tool.name, arguments).await;
            public += 1;
        } else {
            let (error, text) = session.error(tool.name, arguments).await;
            assert_eq!((&error["kind"], &error["sent"]), (&json!("no_credentials"), &json!(false)));
            assert!(text.contains("BINANCE_API_KEY and BINANCE_SECRET_KEY"), "{text}");
        }
    }
    session.close().await;
    assert_eq!(public, 11);
    assert_eq!(seen(&exchange).await.len(), public, "a private tool was sent without credentials");
}

/// Closed schemas: nothing undeclared gets through, and nothing is sent.
#[tokio::test]
async fn arguments_that_do_not_fit_are_refused_before_anything_is_sent() {
    let exchange = answering(json_answer(200, "{}")).await;
    let session = Session::open(config(&exchange.uri())).await;
    for tool in tools() {
        for name in ["apiKey", "secretKey", "baseUrl", "timestamp", "signature", "newOrderRespType", "SYMBOL", "_meta"]
        {
            let mut arguments = minimal_arguments(tool.name);
            arguments[name] = json!("canary");
            let (error, text) = session.error(tool.name, arguments).await;
            assert_eq!((&error["kind"], &error["sent"]), (&json!("invalid_arguments"), &json!(false)));
            assert_eq!(error["problems"][0]["pointer"], "");
            assert!(text.contains(&format!("unknown argument `{name}`")), "{text}");
            assert!(!text.contains("canary"), "{text}");
        }
        if let Some(first) = minimal_arguments(tool.name).as_object().unwrap().keys().next() {
            let mut arguments = minimal_arguments(tool.name);
            arguments.as_object_mut().unwrap().remove(first);
            let (error, _) = session.error(tool.name, arguments.clone()).await;
            assert_eq!(error["problems"][0]["pointer"], format!("/{first}"));
            arguments[first] = json!({"$ne": 1});
            let (error, _) = session.error(tool.name, arguments).await;
            assert_eq!(error["problems"][0]["pointer"], format!("/{first}"));
        }
    }
    let smuggled = json!({"symbol": "BTCUSDT&side=SELL", "side": "BUY", "type": "MARKET", "quantity": "1"});
    let (_, text) = session.error("bn_new_order", smuggled).await;
    assert!(text.contains("`/symbol` must be a symbol"), "{text}");
    session.close().await;
    assert!(seen(&exchange).await.is_empty(), "something was sent");
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error() {
    let session = Session::open(config("http://127.0.0.1:1")).await;
    for name in ["bn_withdraw", "bn_ping ", "BN_PING", ""] {
        let error = session.client.peer().call_tool(params(name, json!({}))).await.unwrap_err();
        assert!(matches!(&error, ServiceError::McpError(data) if data.code.0 == -32602), "{name}: {error:?}");
    }
    session.close().await;
}
