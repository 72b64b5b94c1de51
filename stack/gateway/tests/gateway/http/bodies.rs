//! Bodies and headers that are refused, and never forwarded.

use super::{Site, call, initialize, json_of, modern, send};
use crate::frames::Case;
use crate::not_json::NotJson;
use crate::support::Bench;
use crate::support::server::Fixture;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

#[tokio::test]
async fn every_frame_that_is_refused_on_a_stream_is_refused_in_a_body() {
    let fixture = Fixture::default();
    let site = Site::new(&fixture).await;
    let session = site.open().await;
    for case in Case::all() {
        let before = site.bench.audit.len();
        let told = send(site.bytes(case.bytes()).header("mcp-session-id", &session)).await;
        let status = told.status();
        if case.silent {
            assert!(matches!(status.as_u16(), 202 | 400), "{}: {status}", case.name);
        } else {
            let told = json_of(told).await;
            assert_eq!(told["error"]["code"], json!(case.code), "{}: {told}", case.name);
            assert_eq!(told["id"], case.id, "{}: {told}", case.name);
            let bad = matches!(case.code, Some(-32700 | -32600));
            assert_eq!(status.as_u16(), if bad { 400 } else { 200 }, "{}", case.name);
        }
        assert_eq!(site.bench.audit.len(), before + 1, "{}: one record", case.name);
    }
    assert_eq!(fixture.calls.load(Ordering::SeqCst), 0, "nothing was forwarded");
    let told = json_of(send(site.in_session(&session, &call(1, "echo", json!({"a": 1})))).await).await;
    assert_eq!(told["result"]["content"][0]["text"], r#"{"a":1}"#, "the session goes on");
}

#[tokio::test]
async fn what_is_no_json_is_refused_in_a_body_and_never_reaches_the_server() {
    let fixture = Fixture::default();
    let site = Site::new(&fixture).await;
    let session = site.open().await;
    for case in NotJson::all() {
        for body in case.frames() {
            let before = site.bench.audit.len();
            let told = send(site.bytes(body).header("mcp-session-id", &session)).await;
            assert_eq!(told.status(), 400, "{}", case.name);
            let told = json_of(told).await;
            assert!(matches!(told["error"]["code"].as_i64(), Some(-32700 | -32600)), "{}: {told}", case.name);
            assert_eq!(site.bench.audit.len(), before + 1, "{}: one record", case.name);
            assert_eq!(site.bench.last_audit()["decision"], "refuse", "{}", case.name);
        }
    }
    assert_eq!(fixture.calls.load(Ordering::SeqCst), 0, "nothing was forwarded");
    let told = json_of(send(site.in_session(&session, &call(1, "echo", json!({"a": 1})))).await).await;
    assert_eq!(told["result"]["content"][0]["text"], r#"{"a":1}"#, "the session goes on");
}

#[tokio::test]
async fn a_line_end_within_a_string_is_no_json_and_between_tokens_it_is_a_blank() {
    let site = Site::new(&Fixture::default()).await;
    let session = site.open().await;
    let pretty = serde_json::to_string_pretty(&call(1, "echo", json!({"a": 1}))).unwrap();
    let told = send(site.bytes(pretty).header("mcp-session-id", &session)).await;
    assert_eq!(json_of(told).await["result"]["content"][0]["text"], r#"{"a":1}"#);
    let raw = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"ec\nho\"}}";
    let told = send(site.bytes(raw).header("mcp-session-id", &session)).await;
    assert_eq!((told.status().as_u16(), &json_of(told).await["error"]["code"]), (400, &json!(-32700)));
}

#[tokio::test]
async fn media_types_are_checked() {
    let site = Site::new(&Fixture::default()).await;
    let body = initialize().to_string();
    let post = |content: Option<&'static str>, accept: &'static str| {
        let post = site.client.post(&site.url).bearer_auth(&site.token).header("accept", accept).body(body.clone());
        send(match content {
            Some(content) => post.header("content-type", content),
            None => post,
        })
    };
    assert_eq!(post(Some("text/plain"), super::BOTH).await.status(), 415);
    assert_eq!(post(None, super::BOTH).await.status(), 415);
    assert_eq!(post(Some("application/json"), "application/json").await.status(), 406);
    assert_eq!(post(Some("application/json"), "text/event-stream").await.status(), 406);
    assert_eq!(post(Some("application/json; charset=utf-8"), "*/*").await.status(), 200);
    assert_eq!(site.client.put(&site.url).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_with_or_without_a_session() {
    let bench = Bench::with(|config| config.limits.frame_bytes_max = 1000);
    let site = Site::with(bench, Some(Fixture::default()), |_| {}).await;
    let long = call(7, "echo", json!({"a": "x".repeat(2000)}));
    let told = send(site.post(&long)).await;
    assert_eq!(told.status(), 413);
    let told = json_of(told).await;
    assert_eq!((&told["id"], &told["error"]["data"]["reason"]), (&json!(7), &json!("frame_too_large")));
    assert_eq!(site.bench.last_audit()["reason"], "frame_too_large");
    let session = site.open().await;
    let told = json_of(send(site.in_session(&session, &long)).await).await;
    assert_eq!(told["error"]["data"]["reason"], "frame_too_large");
}

#[tokio::test]
async fn a_client_that_sends_its_body_too_slowly_is_told() {
    let site = Site::with(Bench::new(), Some(Fixture::default()), |config| config.limits.body_ms = 1).await;
    let mut stream = tokio::net::TcpStream::connect(site.url.split('/').nth(2).unwrap()).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nAccept: */*\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        site.token
    );
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
    let mut told = [0; 12];
    crate::support::in_time(tokio::io::AsyncReadExt::read_exact(&mut stream, &mut told)).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 408");
}

#[tokio::test]
async fn what_headers_and_body_say_differently_goes_nowhere() {
    let fixture = Fixture::default();
    let site = Site::new(&fixture).await;
    let order = modern(call(3, "echo", json!({})));
    let post = |pairs: &[(&'static str, &'static str)]| {
        pairs.iter().fold(site.post(&order), |post, (name, value)| post.header(*name, *value))
    };
    let version = ("mcp-protocol-version", "2026-07-28");
    let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "echo"));
    for wrong in [
        vec![version, name],
        vec![version, method],
        vec![version, method, ("mcp-name", "withdraw")],
        vec![version, ("mcp-method", "tools/list"), name],
        vec![version, method, name, name],
        vec![version, version, method, name],
    ] {
        let told = send(post(&wrong)).await;
        let status = told.status();
        let told = json_of(told).await;
        assert_eq!(
            (status.as_u16(), &told["id"], &told["error"]["code"]),
            (400, &json!(3), &json!(-32020)),
            "{wrong:?}"
        );
        assert_eq!(site.bench.last_audit()["reason"], "header_mismatch");
    }
    let told = json_of(send(post(&[("mcp-protocol-version", "2099-01-01"), method, name])).await).await;
    assert_eq!(told["error"]["code"], -32022);
    assert_eq!(told["error"]["data"]["requested"], "2099-01-01");
    assert!(told["error"]["data"]["supported"].as_array().unwrap().contains(&json!("2026-07-28")));
    assert_eq!(fixture.calls.load(Ordering::SeqCst), 0);
    let told: Value = json_of(send(post(&[version, method, name])).await).await;
    assert_eq!(told["result"]["content"][0]["text"], "{}");
    assert_eq!(fixture.calls.load(Ordering::SeqCst), 1);
}
